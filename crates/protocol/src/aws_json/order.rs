//! What is checked before a body is read, in the service's order: [`check`].
//!
//! Facts: `index.js` of <https://github.com/mhart/kinesalite>, which was compared with production for
//! every combination of method, media type, target and body. Authentication, types and constraints
//! come after what stands here. Whether the body of a supported operation is well-formed is found out
//! when it is read.

use http::Method;
use tidemill_shapes::kinesis;

use crate::aws_json::answer::refuse;
use crate::cbor;
use crate::json;
use crate::request::Request;
use crate::response::Response;
use crate::target::{JsonOperation, JsonService};

const CBOR: &str = "application/x-amz-cbor-1.1";
const FORM: &str = "application/x-www-form-urlencoded";

/// The operation that `request` to `service` names, which is a supported one, or the refusal.
pub fn check(service: JsonService, request: &Request<'_>) -> Result<JsonOperation, Response> {
    if request.method != Method::POST {
        return Err(undetermined());
    }
    let media_type = request.media_type().unwrap_or_default();
    let target = request.header("x-amz-target").unwrap_or_default();
    let operation = service.operation(target);
    if request.body.is_empty() {
        let code = if operation.is_some() {
            "SerializationException"
        } else {
            "UnknownOperationException"
        };
        let in_json = service == JsonService::Sqs || media_type == service.media_type();
        return Err(if in_json {
            refuse(service, 400, code, None)
        } else {
            refuse_cbor(code, None)
        });
    }
    match media_type.as_str() {
        "application/json" => Err(without_protocol(request.body)),
        CBOR if service == JsonService::Kinesis => Err(cbor_unread(operation)),
        FORM if service == JsonService::Sqs => Err(query_unread()),
        other if other == service.media_type() => known(service, operation, request.body),
        _ if names_something(target) => Err(Response::new(
            404,
            "text/xml",
            "<UnknownOperationException/>\n",
        )),
        _ => Err(undetermined()),
    }
}

fn known(
    service: JsonService,
    operation: Option<JsonOperation>,
    body: &[u8],
) -> Result<JsonOperation, Response> {
    match operation {
        Some(operation) if !operation.is_unsupported() => Ok(operation),
        _ if !json::is_object(body) => Err(refuse(service, 400, "SerializationException", None)),
        Some(operation) => {
            let message = format!("Tidemill does not support {} yet.", operation.name());
            Err(refuse(
                service,
                501,
                "UnsupportedOperationException",
                Some(&message),
            ))
        }
        None => Err(refuse(service, 400, "UnknownOperationException", None)),
    }
}

fn names_something(target: &str) -> bool {
    let mut parts = target.split('.').map(|part| !part.is_empty());
    parts.next() == Some(true) && parts.next() == Some(true)
}

/// Neither the method nor a target says what is wanted.
fn undetermined() -> Response {
    let body = "<AccessDeniedException>\n  <Message>Unable to determine service/operation name to be \
                authorized</Message>\n</AccessDeniedException>\n";
    Response::new(403, "text/xml", body)
}

/// Plain `application/json` reaches no operation.
fn without_protocol(body: &[u8]) -> Response {
    let (status, code) = if json::is_object(body) {
        (404, "UnknownOperationException")
    } else {
        (400, "SerializationException")
    };
    let body =
        format!(r#"{{"Output":{{"__type":"com.amazon.coral.service#{code}"}},"Version":"1.0"}}"#);
    Response::new(status, "application/json", body)
}

fn refuse_cbor(code: &str, message: Option<&str>) -> Response {
    let mut members = vec![("__type", code)];
    members.extend(message.map(|message| ("message", message)));
    Response::new(400, CBOR, cbor::object(&members))
}

fn cbor_unread(operation: Option<JsonOperation>) -> Response {
    match operation {
        None => refuse_cbor("UnknownOperationException", None),
        Some(JsonOperation::Kinesis(kinesis::Operation::Unsupported(name))) => {
            let message = format!("Tidemill does not support {name} yet.");
            refuse_cbor("UnsupportedOperationException", Some(&message))
        }
        Some(_) => refuse_cbor(
            "SerializationException",
            Some(
                "Tidemill does not read CBOR yet: switch it off in the client, with \
                 CBOR_ENABLED=false in its environment or -Daws.cborEnabled=false.",
            ),
        ),
    }
}

/// The older protocol of SQS, as its own error document.
fn query_unread() -> Response {
    let body = "<ErrorResponse xmlns=\"http://queue.amazonaws.com/doc/2012-11-05/\"><Error>\
                <Type>Sender</Type><Code>UnsupportedProtocol</Code><Message>Tidemill does not speak \
                the query protocol of SQS: use a client that speaks AWS JSON 1.0.</Message></Error>\
                </ErrorResponse>\n";
    Response::new(400, "text/xml", body)
}
