//! The limits of queues in one table, each with the page it comes from.
//!
//! `[m]` is <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>,
//! `[q]` is <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html>,
//! `[c]` is <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html>,
//! `[r]` is <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html>,
//! `[p]` is <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_PurgeQueue.html>,
//! `[l]` is <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ListQueues.html>,
//! `[ours]` is a limit AWS does not have.

use std::time::Duration;

/// The values a number may have, and the one it has when nothing is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Smallest value.
    pub min: u32,
    /// Largest value.
    pub max: u32,
    /// Value when none is given.
    pub default: u32,
}

impl Bounds {
    /// Whether `value` is allowed.
    pub const fn allow(&self, value: i64) -> bool {
        self.min as i64 <= value && value <= self.max as i64
    }
}

/// Seconds a received message stays hidden. `[c]`
pub const VISIBILITY_TIMEOUT_SECS: Bounds = Bounds {
    min: 0,
    max: 43_200,
    default: 30,
};
/// Seconds a message is kept. `[c]`
pub const RETENTION_SECS: Bounds = Bounds {
    min: 60,
    max: 1_209_600,
    default: 345_600,
};
/// Seconds until a message is shown for the first time. `[c]`
pub const DELAY_SECS: Bounds = Bounds {
    min: 0,
    max: 900,
    default: 0,
};
/// Bytes of body and attributes of one message. `[c]`
pub const MESSAGE_BYTES: Bounds = Bounds {
    min: 1024,
    max: 1_048_576,
    default: 1_048_576,
};
/// Seconds a receive waits for a message. `[r]`
pub const WAIT_SECS: Bounds = Bounds {
    min: 0,
    max: 20,
    default: 0,
};
/// Messages one receive gives. `[r]`
pub const RECEIVED_MESSAGES: Bounds = Bounds {
    min: 1,
    max: 10,
    default: 1,
};
/// Queue names in one page of a listing. `[l]`
pub const LISTED_QUEUES: Bounds = Bounds {
    min: 1,
    max: 1000,
    default: 1000,
};

/// Characters of a queue's name. `[q]`
pub const NAME_CHARS_MAX: usize = 80;
/// Attributes of one message. `[m]`
pub const MESSAGE_ATTRIBUTES_MAX: usize = 10;
/// Characters of a message attribute's name, and of its type. `[m]`
pub const ATTRIBUTE_NAME_CHARS_MAX: usize = 256;
/// Messages of one queue that are received and not deleted. `[q]`
pub const IN_FLIGHT_MAX: usize = 120_000;
/// Time between two purges of one queue. `[p]`
pub const PURGE_INTERVAL: Duration = Duration::from_secs(60);

/// Ids of delivered messages that one queue remembers, so that a second copy is dropped; beyond it
/// the oldest is forgotten before its time. `[ours]`: keeps a snapshot of an empty queue below 6 MB.
pub const DELIVERED_IDS_MAX: usize = 100_000;
/// Characters of the id of a delivered message. `[ours]`: a UUID has 36.
pub const DELIVERED_ID_CHARS_MAX: usize = 100;

const _: () = assert!(MESSAGE_BYTES.default <= MESSAGE_BYTES.max);
const _: () = assert!(RETENTION_SECS.allow(RETENTION_SECS.default as i64));
const _: () = assert!(PURGE_INTERVAL.as_secs() <= RETENTION_SECS.min as u64);
