//! The facts of a batch that a mapping gave up: [`GivenUp`], what a failure destination is told.
//!
//! `mapping` makes them and `destinations` delivers bytes; neither knows the other.

use crate::ident::{FunctionArn, ShardId, StreamArn};
use crate::sequence::SequenceNumber;
use crate::time::Timestamp;

/// Why a batch was given up; AWS's words for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The function failed on it more often than the mapping allows.
    RetryAttemptsExhausted,
    /// The records were older than the mapping allows.
    RecordAgeExceeded,
}

impl Condition {
    /// As the message to the destination spells it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Condition::RetryAttemptsExhausted => "RetryAttemptsExhausted",
            Condition::RecordAgeExceeded => "RecordAgeExceeded",
        }
    }
}

/// What the function answered at the last attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastAnswer {
    /// HTTP status of the invocation.
    pub status_code: u16,
    /// The version that ran.
    pub executed_version: String,
    /// `Unhandled` for a function error; none when the answer itself was malformed.
    pub function_error: Option<String>,
}

/// A batch that was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenUp {
    /// Made from mapping, shard and range: the same for a message that is sent twice, so that the
    /// queue can drop the second.
    pub message_id: String,
    /// Id of the last attempt's invocation.
    pub request_id: String,
    /// The function, unqualified unless the mapping names a version or an alias.
    pub function: FunctionArn,
    /// Why.
    pub condition: Condition,
    /// How often the batch was tried; at least 1, as AWS counts.
    pub approximate_invoke_count: u32,
    /// Absent when the records grew too old.
    pub last_answer: Option<LastAnswer>,
    /// When it was given up.
    pub at: Timestamp,
    /// The stream.
    pub stream: StreamArn,
    /// The shard.
    pub shard: ShardId,
    /// First record of the range.
    pub first: SequenceNumber,
    /// Last record of the range, included.
    pub last: SequenceNumber,
    /// Arrival of the first record.
    pub first_arrival: Timestamp,
    /// Arrival of the last record.
    pub last_arrival: Timestamp,
    /// How many records the range holds.
    pub batch_size: u32,
}
