//! What is checked before a body is read, in the service's order: [`check`].
//!
//! Facts: `index.js` of <https://github.com/mhart/kinesalite>, which was compared with production for
//! every combination of method, media type, target and body. Authentication, types and constraints
//! come after what stands here. Whether the body of a supported operation is well-formed is found out
//! when it is read.

use http::Method;

use crate::aws_json::answer::refuse;
use crate::aws_json::dialect::Dialect;
use crate::encoding::Encoding;
use crate::request::Request;
use crate::response::Response;
use crate::target::{JsonOperation, JsonService};

const FORM: &str = "application/x-www-form-urlencoded";

/// The operation that `request` to `service` names, which is a supported one, and the dialect it is
/// spoken to in; or the refusal.
pub fn check(
    service: JsonService,
    request: &Request<'_>,
) -> Result<(Dialect, JsonOperation), Response> {
    if request.method != Method::POST {
        return Err(undetermined(service));
    }
    let media_type = request.media_type().unwrap_or_default();
    let dialect = Dialect::of(service, &media_type);
    let target = request.header("x-amz-target").unwrap_or_default();
    let operation = service.operation(target);
    if request.body.is_empty() {
        let code = if operation.is_some() {
            "SerializationException"
        } else {
            "UnknownOperationException"
        };
        return Err(refuse(answered_in(service, dialect), 400, code, None));
    }
    if let Some(dialect) = dialect {
        let operation = known(dialect, operation, request.body)?;
        return Ok((dialect, operation));
    }
    match media_type.as_str() {
        "application/json" => Err(without_protocol(request.body)),
        FORM if service == JsonService::Sqs => Err(query_unread()),
        _ if names_something(target) => {
            Err(document(service, 404, "<UnknownOperationException/>\n"))
        }
        _ => Err(undetermined(service)),
    }
}

/// What an empty body is answered in, whatever its media type says: CBOR, unless JSON was named.
fn answered_in(service: JsonService, dialect: Option<Dialect>) -> Dialect {
    match service {
        JsonService::Kinesis => dialect.unwrap_or(Dialect::CBOR),
        JsonService::Sqs => Dialect::json(service),
    }
}

fn known(
    dialect: Dialect,
    operation: Option<JsonOperation>,
    body: &[u8],
) -> Result<JsonOperation, Response> {
    match operation {
        Some(operation) if !operation.is_unsupported() => Ok(operation),
        _ if !dialect.encoding.is_object(body) => {
            Err(refuse(dialect, 400, "SerializationException", None))
        }
        Some(operation) => {
            let code = "UnsupportedOperationException";
            let message = format!(
                "Tidemill does not support {}; docs/PARITY.md lists what it does.",
                operation.name()
            );
            Err(refuse(dialect, 501, code, Some(&message)))
        }
        None => Err(refuse(dialect, 400, "UnknownOperationException", None)),
    }
}

fn names_something(target: &str) -> bool {
    let mut parts = target.split('.').map(|part| !part.is_empty());
    parts.next() == Some(true) && parts.next() == Some(true)
}

/// Neither the method nor a target says what is wanted.
fn undetermined(service: JsonService) -> Response {
    let body = "<AccessDeniedException>\n  <Message>Unable to determine service/operation name to be \
                authorized</Message>\n</AccessDeniedException>\n";
    document(service, 403, body)
}

/// An error document in XML. Those of Kinesis come without their media type.
fn document(service: JsonService, status: u16, body: &'static str) -> Response {
    match service {
        JsonService::Kinesis => Response {
            body: body.into(),
            ..Response::empty(status)
        },
        JsonService::Sqs => Response::new(status, "text/xml", body),
    }
}

/// Plain `application/json` reaches no operation.
fn without_protocol(body: &[u8]) -> Response {
    let (status, code) = if Encoding::Json.is_object(body) {
        (404, "UnknownOperationException")
    } else {
        (400, "SerializationException")
    };
    let body =
        format!(r#"{{"Output":{{"__type":"com.amazon.coral.service#{code}"}},"Version":"1.0"}}"#);
    Response::new(status, "application/json", body)
}

/// The older protocol of SQS, as its own error document.
fn query_unread() -> Response {
    let body = "<ErrorResponse xmlns=\"http://queue.amazonaws.com/doc/2012-11-05/\"><Error>\
                <Type>Sender</Type><Code>UnsupportedProtocol</Code><Message>Tidemill does not speak \
                the query protocol of SQS: use a client that speaks AWS JSON 1.0.</Message></Error>\
                </ErrorResponse>\n";
    Response::new(400, "text/xml", body)
}
