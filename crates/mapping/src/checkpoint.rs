//! What a mapping stores of its work on one shard: [`Checkpoint`], written as one command, so that
//! account, position and marks change together or not at all.
//!
//! What must hold: the marks of a checkpoint replace those before it. [`Blocked`] stands from a batch's
//! first failure until something is closed; [`GivingUp`] is written before its message is sent, so
//! that a restart sends the same message and no other.

use serde::{Deserialize, Serialize};

use tidemill_ledger::Closed;
use tidemill_model::given_up::{Condition, GivenUp, LastAnswer};
use tidemill_model::{FunctionArn, SequenceNumber, ShardId, StreamArn, Timestamp};

/// What has happened on a shard since the checkpoint before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Ranges that are done, adjoining and in order.
    pub closed: Vec<Closed>,
    /// Every record before it that is not closed may have reached the function.
    pub delivered_to: u64,
    /// Deliveries beyond a record's first.
    pub duplicates: u64,
    /// What the shard stands still behind now.
    pub blocked: Option<Blocked>,
    /// What is being given up now.
    pub giving_up: Option<GivingUp>,
}

/// A batch that has failed and is not closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blocked {
    /// When it failed first.
    pub since: Timestamp,
    /// The number of its first record.
    pub first: SequenceNumber,
    /// How many records it holds.
    pub records: u64,
    /// How often it has failed.
    pub attempts: u64,
    /// What the last failure said.
    pub last_error: String,
}

/// A range that is given up, and the message about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivingUp {
    /// First position.
    pub from: u64,
    /// One past the last position.
    pub to: u64,
    /// What the destination is told.
    #[serde(with = "GivenUpForm")]
    pub message: GivenUp,
}

/// How [`GivenUp`] is stored. The names are persisted.
#[derive(Serialize, Deserialize)]
#[serde(remote = "GivenUp")]
struct GivenUpForm {
    message_id: String,
    request_id: String,
    function: FunctionArn,
    #[serde(with = "ConditionForm")]
    condition: Condition,
    approximate_invoke_count: u32,
    #[serde(with = "last_answer")]
    last_answer: Option<LastAnswer>,
    at: Timestamp,
    stream: StreamArn,
    shard: ShardId,
    first: SequenceNumber,
    last: SequenceNumber,
    first_arrival: Timestamp,
    last_arrival: Timestamp,
    batch_size: u32,
}

/// How [`Condition`] is stored.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Condition")]
enum ConditionForm {
    RetryAttemptsExhausted,
    RecordAgeExceeded,
}

mod last_answer {
    //! [`LastAnswer`] as its three facts.

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use tidemill_model::given_up::LastAnswer;

    type Facts = (u16, String, Option<String>);

    pub fn serialize<S: Serializer>(
        answer: &Option<LastAnswer>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let facts: Option<Facts> = answer.clone().map(|answer| {
            (
                answer.status_code,
                answer.executed_version,
                answer.function_error,
            )
        });
        facts.serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<LastAnswer>, D::Error> {
        let facts: Option<Facts> = Option::deserialize(deserializer)?;
        Ok(facts.map(
            |(status_code, executed_version, function_error)| LastAnswer {
                status_code,
                executed_version,
                function_error,
            },
        ))
    }
}
