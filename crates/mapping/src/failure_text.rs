//! What the ledger says of a failure, in one short line.
//!
//! What must hold: the text is bounded and has no line breaks, whatever the function answered.

use serde::Deserialize;

use tidemill_model::Record;

use crate::exchange::Reply;
use crate::limits::ERROR_TEXT_BYTES_MAX;

/// Said when the function was throttled.
pub const THROTTLED: &str = "the function was throttled";

/// Said when the function's report cannot be trusted.
pub const MALFORMED: &str = "the function's batchItemFailures names no record of the batch";

/// The error document that runtimes answer with.
#[derive(Deserialize)]
struct ErrorDocument {
    #[serde(rename = "errorType")]
    error_type: Option<String>,
    #[serde(rename = "errorMessage")]
    error_message: Option<String>,
}

/// What a function that failed said.
pub fn of_function(reply: &Reply) -> String {
    let text = match serde_json::from_slice::<ErrorDocument>(&reply.payload) {
        Ok(ErrorDocument {
            error_type: Some(kind),
            error_message: Some(message),
        }) => {
            format!("{kind}: {message}")
        }
        Ok(ErrorDocument {
            error_type: Some(text),
            ..
        })
        | Ok(ErrorDocument {
            error_message: Some(text),
            ..
        }) => text,
        Ok(_) | Err(_) => String::from_utf8_lossy(&reply.payload).into_owned(),
    };
    bounded(&text)
}

/// That the function reported `record`.
pub fn reported(record: &Record) -> String {
    format!("the function reported record {}", record.sequence_number)
}

/// `text` on one line, cut at the limit.
pub fn bounded(text: &str) -> String {
    let mut end = text.len().min(ERROR_TEXT_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn reply(payload: &str) -> Reply {
        Reply {
            status_code: 200,
            executed_version: "$LATEST".to_owned(),
            function_error: Some("Unhandled".to_owned()),
            payload: Bytes::copy_from_slice(payload.as_bytes()),
        }
    }

    #[test]
    fn the_error_document_becomes_one_line() {
        let cases = [
            (
                r#"{"errorMessage":"no delay","errorType":"KeyError"}"#,
                "KeyError: no delay",
            ),
            (r#"{"errorMessage":"2.0 seconds"}"#, "2.0 seconds"),
            (r#"{"errorType":"Runtime.ExitError"}"#, "Runtime.ExitError"),
            ("two\nlines", "two lines"),
            ("", ""),
        ];
        for (payload, expected) in cases {
            assert_eq!(of_function(&reply(payload)), expected);
        }
        assert!(bounded(&"é".repeat(1000)).len() <= ERROR_TEXT_BYTES_MAX);
    }
}
