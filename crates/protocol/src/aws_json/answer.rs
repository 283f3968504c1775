//! Answers in the dialect of their requests: outputs, exceptions of operations, and what the front end
//! refuses.

use bytes::Bytes;
use serde::Serialize;
use tidemill_shapes::Failure;

use crate::aws_json::dialect::Dialect;
use crate::response::Response;
use crate::sigv4;
use crate::target::JsonService;

/// The answer of an operation that succeeded.
///
/// An output without members, and only that, has no size: it answers with an empty body.
pub fn success<O: Serialize>(dialect: Dialect, output: &O) -> Response {
    let body = if size_of::<O>() == 0 {
        Bytes::new()
    } else {
        dialect.encoding.to_bytes(output).into()
    };
    Response::new(200, dialect.media_type(), body)
}

/// The answer of an operation that failed with one of its exceptions. Kinesis has no word to say of what went
/// wrong inside it, and one name for it.
pub fn failure(dialect: Dialect, failure: &Failure) -> Response {
    if dialect.service == JsonService::Kinesis && failure.status == 500 {
        return refuse(dialect, 500, "InternalFailure", None);
    }
    let code = match dialect.service {
        JsonService::Kinesis => failure.code.to_owned(),
        JsonService::Sqs => format!("com.amazonaws.sqs#{}", failure.code),
    };
    let mut members = vec![
        ("__type", code.as_str()),
        (failure.message_key, &failure.message),
    ];
    members.extend(
        failure
            .members
            .iter()
            .map(|(name, text)| (*name, text.as_str())),
    );
    let body = dialect.encoding.object(&members);
    let mut response = Response::new(failure.status, dialect.media_type(), body);
    for (name, value) in &failure.headers {
        response = response.with_header(name, value);
    }
    with_query_error(dialect.service, response, failure.code, failure.sender)
}

/// The answer to what the front end refuses, before any operation; `message` goes under the key
/// `message`, except that of a `SerializationException`, which goes under `Message`.
pub fn refuse(
    dialect: Dialect,
    status: u16,
    code: &'static str,
    message: Option<&str>,
) -> Response {
    let name = match (dialect.service, code) {
        (JsonService::Kinesis, _) => code.to_owned(),
        (JsonService::Sqs, "ValidationException") => format!("com.amazon.coral.validate#{code}"),
        (JsonService::Sqs, _) => format!("com.amazon.coral.service#{code}"),
    };
    let key = if code == "SerializationException" {
        "Message"
    } else {
        "message"
    };
    let mut members = vec![("__type", name.as_str())];
    members.extend(message.map(|message| (key, message)));
    let body = dialect.encoding.object(&members);
    let response = Response::new(status, dialect.media_type(), body);
    with_query_error(dialect.service, response, code, status < 500)
}

/// The answer to a request whose signature is refused.
pub fn unauthenticated(dialect: Dialect, error: &sigv4::Error) -> Response {
    refuse(dialect, 400, error.code(), Some(&error.to_string()))
}

/// SQS once spoke another protocol with other names of its errors; clients still read these.
fn with_query_error(
    service: JsonService,
    response: Response,
    code: &str,
    sender: bool,
) -> Response {
    match service {
        JsonService::Kinesis => response,
        JsonService::Sqs => {
            let blame = if sender { "Sender" } else { "Receiver" };
            response.with_header(
                "x-amzn-query-error",
                &format!("{};{blame}", query_code(code)),
            )
        }
    }
}

/// The name of an SQS exception in the query protocol.
fn query_code(code: &str) -> String {
    match code {
        "QueueDoesNotExist" => "AWS.SimpleQueueService.NonExistentQueue".to_owned(),
        "QueueNameExists" => "QueueAlreadyExists".to_owned(),
        "BatchEntryIdsNotDistinct"
        | "BatchRequestTooLong"
        | "EmptyBatchRequest"
        | "InvalidBatchEntryId"
        | "MessageNotInflight"
        | "PurgeQueueInProgress"
        | "QueueDeletedRecently"
        | "TooManyEntriesInBatchRequest"
        | "UnsupportedOperation" => format!("AWS.SimpleQueueService.{code}"),
        other => other.to_owned(),
    }
}
