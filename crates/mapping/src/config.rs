//! What a machine is told once: [`Place`], where it works, and [`Config`], how.
//!
//! What must hold: both are values; a changed mapping is a machine begun anew from its checkpoint.

use std::time::Duration;

use tidemill_model::{FunctionArn, ShardId, StreamArn};

use crate::retry::{Backoff, Policy};

/// Which mapping on which shard a machine works for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The mapping's id.
    pub uuid: String,
    /// The function, with a qualifier when the mapping names one.
    pub function: FunctionArn,
    /// The role that the function runs as; part of each record's JSON.
    pub role: String,
    /// The stream.
    pub stream: StreamArn,
    /// The shard.
    pub shard: ShardId,
}

/// How a machine works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Most records of a batch, at least 1.
    pub batch_size: usize,
    /// How long records are gathered for a batch that is not full.
    pub batching_window: Duration,
    /// How failures are treated.
    pub policy: Policy,
    /// Greatest age of a record at an attempt; none for no limit.
    pub record_age_max: Option<Duration>,
    /// Whether the function's answer says which records it failed on.
    pub report_item_failures: bool,
    /// ARN of what is told of a batch that was given up.
    pub destination: Option<String>,
    /// The pauses between attempts.
    pub backoff: Backoff,
    /// How long to rest when all has been read; none to be woken by the source.
    pub poll_interval: Option<Duration>,
}
