//! Whether the payload of an invocation can be handed to a function: [`check`].
//!
//! AWS reads every payload as JSON before it starts anything and refuses what is not, in the words of
//! its JSON library; ours come close enough for a person, since no client can rely on them.

use bytes::Bytes;
use serde::de::IgnoredAny;
use thiserror::Error;

use crate::limits::{ASYNC_PAYLOAD_BYTES_MAX, SYNC_PAYLOAD_BYTES_MAX};

/// How a payload is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    /// Larger than an invocation of its kind may be.
    #[error("{0}")]
    TooLarge(String),
    /// Not JSON.
    #[error("Could not parse request body into json: Could not parse payload into json: {0}")]
    NotJson(String),
}

/// The payload a function is given: `{}` when the request had none.
///
/// `queued` says whether the invocation is asynchronous.
pub fn check(payload: Option<Bytes>, queued: bool) -> Result<Bytes, Refused> {
    let payload = payload
        .filter(|bytes| !bytes.is_empty())
        .unwrap_or(Bytes::from_static(b"{}"));
    let bytes = payload.len();
    if queued && bytes > ASYNC_PAYLOAD_BYTES_MAX {
        return Err(Refused::TooLarge(format!(
            "{bytes} byte payload is too large for the Event invocation type (limit \
             {ASYNC_PAYLOAD_BYTES_MAX} bytes)"
        )));
    }
    if bytes > SYNC_PAYLOAD_BYTES_MAX {
        return Err(Refused::TooLarge(format!(
            "Request must be smaller than {SYNC_PAYLOAD_BYTES_MAX} bytes for the InvokeFunction operation"
        )));
    }
    let text = std::str::from_utf8(&payload).map_err(|error| {
        Refused::NotJson(format!("Invalid UTF-8 at offset {}", error.valid_up_to()))
    })?;
    serde_json::from_str::<IgnoredAny>(text)
        .map_err(|error| Refused::NotJson(reason(text, &error)))?;
    Ok(payload)
}

fn reason(text: &str, error: &serde_json::Error) -> String {
    let (line, column) = (error.line(), error.column());
    let place = format!("at line {line}, column {column}");
    if error.is_eof() {
        return format!("Unexpected end-of-input {place}");
    }
    let in_line = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
    let index = column.saturating_sub(1).min(in_line.len());
    let before = in_line.floor_char_boundary(index);
    match in_line[before..].chars().next() {
        Some(found) => format!(
            "Unexpected character ('{found}' (code {})): {error}",
            u32::from(found)
        ),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_json_value_is_a_payload_and_none_is_an_empty_object() {
        assert_eq!(check(None, false), Ok(Bytes::from_static(b"{}")));
        assert_eq!(
            check(Some(Bytes::new()), true),
            Ok(Bytes::from_static(b"{}"))
        );
        for text in [
            "null",
            "1",
            "\"a\"",
            "[1, 2]",
            "{\"a\":\"\u{00e9}\"}",
            " true ",
        ] {
            assert_eq!(
                check(Some(Bytes::from(text)), false),
                Ok(Bytes::from(text)),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_not_json_is_refused_with_the_place() {
        let prefix = "Could not parse request body into json: Could not parse payload into json: ";
        for (text, start) in [
            (&b"nope"[..], "Unexpected character ('o' (code 111))"),
            (b"{\"a\":1", "Unexpected end-of-input"),
            (b"{\"a\":1}x", "Unexpected character ('x' (code 120))"),
            (b"\xff", "Invalid UTF-8 at offset 0"),
            ("{\u{00e9}".as_bytes(), "Unexpected character"),
        ] {
            let refused = check(Some(Bytes::from_static(text)), false).expect_err("not JSON");
            assert!(
                refused.to_string().starts_with(&format!("{prefix}{start}")),
                "{refused}"
            );
        }
    }

    #[test]
    fn a_payload_has_the_size_its_kind_allows() {
        let of = |bytes: usize| Some(Bytes::from(format!("\"{}\"", "a".repeat(bytes - 2))));
        assert!(check(of(ASYNC_PAYLOAD_BYTES_MAX), true).is_ok());
        assert!(check(of(SYNC_PAYLOAD_BYTES_MAX), false).is_ok());
        assert_eq!(
            check(of(ASYNC_PAYLOAD_BYTES_MAX + 1), true).map_err(|error| error.to_string()),
            Err("1048577 byte payload is too large for the Event invocation type (limit 1048576 bytes)".into())
        );
        assert_eq!(
            check(of(SYNC_PAYLOAD_BYTES_MAX + 1), false).map_err(|error| error.to_string()),
            Err(
                "Request must be smaller than 6291456 bytes for the InvokeFunction operation"
                    .into()
            )
        );
    }
}
