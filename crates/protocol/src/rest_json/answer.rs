//! Answers in REST-JSON: outputs, exceptions of operations, and what the front end refuses.
//!
//! What must hold: the name of an error travels in `x-amzn-ErrorType`, and its body says in `Type` whom
//! to blame. The key of the message is the model's, which differs between exceptions.

use serde::Serialize;
use tidemill_shapes::Failure;
use tidemill_shapes::lambda::{InvokeOutput, Operation};

use crate::encoding::Encoding;
use crate::json;
use crate::response::Response;
use crate::rest_json::route::Route;
use crate::sigv4;

const JSON: &str = "application/json";

/// The answer of an operation that succeeded, with the status of the model.
pub fn success<O: Serialize>(route: &Route, output: &O) -> Response {
    let status = match route.operation {
        // The model says 200; what the service sends is 204.
        Operation::DeleteFunction => 204,
        _ => route.binding.status,
    };
    if status == 204 || size_of::<O>() == 0 {
        return Response::empty(status);
    }
    Response::new(status, JSON, json::to_bytes(output))
}

/// The answer of an `Invoke` that reached the function, which includes errors of the function itself.
pub fn invoked(output: InvokeOutput) -> Response {
    let status = output
        .status_code
        .and_then(|status| u16::try_from(status).ok())
        .unwrap_or(200);
    let body = output.payload.unwrap_or_default();
    let mut response = match status {
        204 => Response::empty(status),
        _ => Response::new(status, JSON, body),
    };
    for (name, value) in [
        ("x-amz-function-error", output.function_error),
        ("x-amz-log-result", output.log_result),
        ("x-amz-executed-version", output.executed_version),
        ("x-amz-durable-execution-arn", output.durable_execution_arn),
    ] {
        if let Some(value) = value {
            response = response.with_header(name, &value);
        }
    }
    response
}

/// The answer of an operation that failed with one of its exceptions.
pub fn failure(failure: &Failure) -> Response {
    let mut members: Vec<(&str, &str)> = failure
        .members
        .iter()
        .map(|(name, text)| (*name, text.as_str()))
        .collect();
    members.push(("Type", if failure.sender { "User" } else { "Service" }));
    members.push((failure.message_key, &failure.message));
    let mut response = Response::new(failure.status, JSON, Encoding::Json.object(&members))
        .with_header("x-amzn-errortype", wire_name(failure.code));
    for (name, value) in &failure.headers {
        response = response.with_header(name, value);
    }
    response
}

/// What clients see where the model has another name.
fn wire_name(code: &'static str) -> &'static str {
    match code {
        "RequestTooLargeException" => "RequestEntityTooLargeException",
        other => other,
    }
}

/// The answer to what the front end refuses, before any operation. The message of a
/// `SerializationException` goes under the key `Message`.
pub fn refuse(status: u16, code: &'static str, message: Option<&str>) -> Response {
    let key = if code == "SerializationException" {
        "Message"
    } else {
        "message"
    };
    let mut members = vec![("Type", if status < 500 { "User" } else { "Service" })];
    members.extend(message.map(|message| (key, message)));
    Response::new(status, JSON, Encoding::Json.object(&members))
        .with_header("x-amzn-errortype", code)
}

/// The answer to a request whose signature is refused.
pub fn unauthenticated(error: &sigv4::Error) -> Response {
    refuse(403, error.code(), Some(&error.to_string()))
}

/// The answer to a method and path that no operation has.
pub fn unknown() -> Response {
    Response::new(404, "text/xml", "<UnknownOperationException/>\n")
}

/// The answer to an operation that AWS has and we do not, yet.
pub fn unsupported(name: &str) -> Response {
    let message = format!("Tidemill does not support {name} yet.");
    refuse(501, "UnsupportedOperationException", Some(&message))
}
