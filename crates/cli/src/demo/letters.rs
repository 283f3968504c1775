//! The messages in the queue for failures. Pure.
//!
//! What must hold: a message is read whole or refused; a message of another form is never skipped.

use serde_json::Value;
use thiserror::Error;

/// A message to the queue: a batch that was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// The shard.
    pub shard: String,
    /// Sequence number of the first record.
    pub first: String,
    /// Sequence number of the last record, included.
    pub last: String,
    /// Records in between, both included.
    pub records: u64,
    /// Why it was given up, in AWS's words.
    pub condition: String,
}

/// A message that is not what AWS sends about a failed batch.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("a message in the queue lacks {missing}: {body}")]
pub struct Unreadable {
    missing: &'static str,
    body: String,
}

/// Reads a message's body.
pub fn read(body: &str) -> Result<Letter, Unreadable> {
    let parsed: Value = serde_json::from_str(body).unwrap_or(Value::Null);
    let missing = |missing| Unreadable {
        missing,
        body: body.chars().take(400).collect(),
    };
    let text = |pointer: &'static str| {
        let found = parsed.pointer(pointer).and_then(Value::as_str);
        found.map(str::to_owned).ok_or_else(|| missing(pointer))
    };
    let size = "/KinesisBatchInfo/batchSize";
    Ok(Letter {
        shard: text("/KinesisBatchInfo/shardId")?,
        first: text("/KinesisBatchInfo/startSequenceNumber")?,
        last: text("/KinesisBatchInfo/endSequenceNumber")?,
        records: parsed
            .pointer(size)
            .and_then(Value::as_u64)
            .ok_or_else(|| missing(size))?,
        condition: text("/requestContext/condition")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(shard: &str, first: u32, last: u32, records: u64) -> Letter {
        Letter {
            shard: shard.to_owned(),
            first: format!("{first:04}"),
            last: format!("{last:04}"),
            records,
            condition: "RetryAttemptsExhausted".to_owned(),
        }
    }

    #[test]
    fn a_message_is_read_as_aws_writes_it() {
        let body = r#"{"requestContext":{"requestId":"r","functionArn":"f",
            "condition":"RetryAttemptsExhausted","approximateInvokeCount":3},"version":"1.0",
            "KinesisBatchInfo":{"shardId":"s0","startSequenceNumber":"0005",
            "endSequenceNumber":"0007","batchSize":2,"streamArn":"a"}}"#;
        assert_eq!(read(body), Ok(letter("s0", 5, 7, 2)));
        for broken in ["", "{}", r#"{"KinesisBatchInfo":{"shardId":"s0"}}"#] {
            assert!(read(broken).is_err(), "{broken}");
        }
    }
}
