//! A registered consumer of a stream: who may subscribe to its shards.
//!
//! Pure. What must hold: status is a function of the state and of `now`, as a stream's is; a consumer
//! that is registered anew under a name has another incarnation, even when both fall into one second
//! and so share an ARN.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use tidemill_model::{ConsumerArn, StreamArn, Timestamp};

/// What was last begun with a consumer, and when it will have been done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// It is being registered, and from that moment on active.
    Creating(Timestamp),
    /// It is being deregistered, and from that moment on gone.
    Deleting(Timestamp),
}

/// AWS's status of a consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsumerStatus {
    Creating,
    Active,
    Deleting,
}

/// A consumer; its name is its key in the stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consumer {
    /// Differs from that of every other consumer and stream.
    pub incarnation: u64,
    /// When it was registered.
    pub created_at: Timestamp,
    /// What was last begun with it.
    pub stage: Stage,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Its policy, which is kept and not enforced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
}

impl Consumer {
    /// Its status, or none when it is gone.
    pub fn status(&self, now: Timestamp) -> Option<ConsumerStatus> {
        match self.stage {
            Stage::Creating(until) if now < until => Some(ConsumerStatus::Creating),
            Stage::Creating(_) => Some(ConsumerStatus::Active),
            Stage::Deleting(until) if now < until => Some(ConsumerStatus::Deleting),
            Stage::Deleting(_) => None,
        }
    }

    /// Its ARN, given its stream and its name.
    pub fn arn(&self, stream: &StreamArn, name: &str) -> ConsumerArn {
        ConsumerArn {
            stream: stream.clone(),
            name: name.to_owned(),
            created_secs: self.created_at.as_secs(),
        }
    }
}

/// A consumer as it was found, to work with after the catalog's lock is given back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundConsumer {
    /// Its ARN.
    pub arn: ConsumerArn,
    /// Its incarnation.
    pub incarnation: u64,
    /// When it was registered.
    pub created_at: Timestamp,
    /// Its status when it was found.
    pub status: ConsumerStatus,
}
