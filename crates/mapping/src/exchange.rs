//! What a machine is told and what it asks for: [`Input`], [`Effect`] and the facts they carry.
//!
//! What must hold: an input is a fact and an effect a wish; each effect that is answered is answered by
//! exactly one input, and none is asked for again before.
//!
//! | effect | answered by |
//! | --- | --- |
//! | `Fetch` | `RecordsFetched`, `FetchFailed` |
//! | `Listen` | `RecordsArrived` |
//! | `CheckReadable` | `ReadabilityChecked`, `ReadabilityUnknown` |
//! | `Invoke` | `InvocationSucceeded`, `InvocationFailed`, `InvocationThrottled`, `InvocationUnavailable` |
//! | `Deliver` | `Delivered`, `DeliveryFailed` |
//! | `Checkpoint` | `Checkpointed`, `CheckpointFailed` |
//! | `ShardFinished`, `Stopped` | nothing: the machine has ended |

use std::sync::Arc;

use bytes::Bytes;

use tidemill_model::given_up::GivenUp;
use tidemill_model::source::{Fetched, ReadLimit};
use tidemill_model::{Determinacy, Record};

use crate::checkpoint::Checkpoint;

/// What a function answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status of the invocation.
    pub status_code: u16,
    /// The version that ran.
    pub executed_version: String,
    /// `Unhandled` and the like when the function failed.
    pub function_error: Option<String>,
    /// The body.
    pub payload: Bytes,
}

/// Something that has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The machine may begin. Comes once, first.
    Started,
    /// A read came back.
    RecordsFetched(Fetched),
    /// A read failed.
    FetchFailed,
    /// There is, or may be, more to read.
    RecordsArrived,
    /// The first position that can still be read.
    ReadabilityChecked {
        /// That position.
        first_readable: u64,
    },
    /// It could not be found out.
    ReadabilityUnknown,
    /// The function ran and answered.
    InvocationSucceeded(Reply),
    /// The function ran and failed.
    InvocationFailed(Reply),
    /// The function did not run: too many of it are running.
    InvocationThrottled,
    /// The function did not run, or nothing is known of it.
    InvocationUnavailable {
        /// Whether it surely did not run.
        determinacy: Determinacy,
        /// What is known of the cause.
        detail: String,
    },
    /// The destination has the message.
    Delivered,
    /// The destination does not have the message, or may not have it.
    DeliveryFailed {
        /// Whether it surely does not.
        determinacy: Determinacy,
    },
    /// The checkpoint is durable.
    Checkpointed,
    /// The checkpoint could not be written.
    CheckpointFailed,
    /// The deadline has passed.
    TimerFired,
    /// The mapping is disabled, changed or deleted, or the server stops.
    StopAsked,
}

/// Something the machine wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Read the shard.
    Fetch {
        /// First position wanted.
        from: u64,
        /// How much at most.
        limit: ReadLimit,
    },
    /// Say when the shard has a record at or after a position, or is closed.
    Listen {
        /// That position.
        from: u64,
    },
    /// Find out the first position that can still be read.
    CheckReadable {
        /// The position of interest.
        from: u64,
    },
    /// Invoke the function.
    Invoke {
        /// The invocation's id.
        request_id: String,
        /// Which attempt on these records it is, from 1.
        attempt: u32,
        /// The records, dense and in order.
        records: Vec<Arc<Record>>,
    },
    /// Tell a destination what was given up.
    Deliver {
        /// ARN of the destination.
        destination: String,
        /// The message.
        message: Box<GivenUp>,
    },
    /// Write down what has been done.
    Checkpoint(Box<Checkpoint>),
    /// The shard is closed and everything in it is done.
    ShardFinished,
    /// The machine has ended before the shard did.
    Stopped,
}
