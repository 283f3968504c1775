//! The commands that change the catalog, as they stand in the log.
//!
//! What must hold: a command carries everything its decision depends on besides the catalog itself,
//! settings included, so that a replay decides as the first run did. They are kept as JSON; a change
//! that an older program would misread raises the catalog's version.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use tidemill_model::{ShardId, StreamArn};

use crate::distribution::Distribution;
use crate::monitoring::{Monitored, Monitoring};
use crate::resource::Resource;
use crate::stream::{Mode, SealedParent};
use crate::token::TokenKey;

/// Quotas as they are when a command is submitted; absent ones are lifted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quotas {
    /// Open shards of the provisioned streams of an account in a region.
    pub shards: Option<u32>,
    /// On-demand streams of an account in a region.
    pub on_demand_streams: Option<u32>,
    /// Streams of an account in a region that are in CREATING.
    pub creating_streams: Option<u32>,
}

/// A stream to create.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewStream {
    /// Its name and place.
    pub arn: StreamArn,
    /// Who decides how many shards there are.
    pub mode: Mode,
    /// How many there are at first; at least 1.
    pub shard_count: u32,
    /// Largest record, in KiB.
    pub record_kib_max: u32,
    /// Who decides on the shard of a record.
    #[serde(default, skip_serializing_if = "Distribution::is_user_partition_key")]
    pub distribution: Distribution,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// The throughput that it keeps ready, in MiB a second; of an on-demand stream only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warm_mibps: Option<u32>,
}

/// A reshard as a user asks for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// SplitShard.
    Split {
        /// The shard to split.
        shard: ShardId,
        /// Where the upper child begins, as the user wrote it.
        new_starting_hash_key: String,
    },
    /// MergeShards.
    Merge {
        /// ShardToMerge.
        lower: ShardId,
        /// AdjacentShardToMerge.
        upper: ShardId,
    },
}

impl Change {
    /// The operation that asks for it.
    pub fn operation(&self) -> &'static str {
        match self {
            Change::Split { .. } => "SplitShard",
            Change::Merge { .. } => "MergeShards",
        }
    }
}

/// A number of shards as UpdateShardCount asks for it, and what it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewShardCount {
    /// TargetShardCount; at least 1.
    pub target: u32,
    /// Most shards that one stream may be given; none when that is lifted.
    pub shards_max: Option<u32>,
    /// Most updates within a day; none when that is lifted.
    pub updates_max: Option<u32>,
}

/// What is done with the tags or the policy of a stream or a consumer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ResourceChange {
    /// TagResource: sets tags, in place of those of the same key.
    AddTags {
        /// The tags.
        tags: BTreeMap<String, String>,
    },
    /// UntagResource; unknown keys are no matter.
    RemoveTags {
        /// The keys.
        keys: Vec<String>,
    },
    /// PutResourcePolicy.
    PutPolicy {
        /// The policy, as it was given.
        policy: String,
    },
    /// DeleteResourcePolicy.
    DeletePolicy,
}

/// A setting of a stream that is changed on its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Setting {
    /// UpdateMaxRecordSize: largest record, in KiB.
    RecordKibMax(u32),
    /// StartStreamEncryption.
    StartEncryption {
        /// The key, as it was given.
        key_id: String,
        /// Most calls within a day; none when that is lifted.
        calls_max: Option<u32>,
    },
    /// StopStreamEncryption.
    StopEncryption {
        /// Most calls within a day; none when that is lifted.
        calls_max: Option<u32>,
    },
    /// UpdateStreamRecordDistributionStrategy; the stream stays ACTIVE.
    Distribution(Distribution),
}

/// Which of the two retention operations was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Direction {
    /// IncreaseStreamRetentionPeriod.
    Increase,
    /// DecreaseStreamRetentionPeriod.
    Decrease,
}

/// Quotas on the consumers of one stream; absent ones are lifted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsumerQuotas {
    /// Registered at once.
    pub registered: Option<u32>,
    /// In CREATING at once.
    pub creating: Option<u32>,
}

/// What is done with a consumer of a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConsumerChange {
    /// RegisterStreamConsumer.
    Register {
        /// Its tags.
        tags: BTreeMap<String, String>,
        /// What the stream may have.
        quotas: ConsumerQuotas,
        /// Time in CREATING.
        delay: Duration,
    },
    /// DeregisterStreamConsumer.
    Deregister {
        /// The second in the ARN that the user gave; none when the name alone was given.
        created_secs: Option<u64>,
        /// Time in DELETING.
        delay: Duration,
    },
}

/// What changes the catalog. `delay` is how long the stream's status shows the change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Uses `key` for tokens unless there is one already.
    AdoptTokenKey {
        /// Drawn by the submitter.
        key: TokenKey,
    },
    /// Creates a stream.
    CreateStream {
        /// What to create.
        new: NewStream,
        /// What the account may have.
        quotas: Quotas,
        /// Time in CREATING.
        delay: Duration,
    },
    /// Deletes a stream.
    DeleteStream {
        /// The stream.
        stream: StreamArn,
        /// Whether its consumers go with it; otherwise they stand in the way.
        #[serde(default)]
        enforce_consumer_deletion: bool,
        /// Time in DELETING.
        delay: Duration,
    },
    /// Changes a consumer.
    Consumer {
        /// The stream.
        stream: StreamArn,
        /// The consumer's name.
        name: String,
        /// What to do with it.
        change: ConsumerChange,
    },
    /// Decides on a reshard and records that it has begun. The parents are sealed after this.
    BeginReshard {
        /// The stream.
        stream: StreamArn,
        /// What to do.
        change: Change,
        /// What the account may have.
        quotas: Quotas,
        /// Time in UPDATING.
        delay: Duration,
    },
    /// Decides on a uniform scaling and records that it has begun.
    UpdateShardCount {
        /// The stream.
        stream: StreamArn,
        /// How many shards it is to have.
        count: NewShardCount,
        /// What the account may have.
        quotas: Quotas,
        /// Time in UPDATING for each round.
        delay: Duration,
    },
    /// Changes a setting of a stream.
    Set {
        /// The stream.
        stream: StreamArn,
        /// The setting.
        setting: Setting,
        /// Time in UPDATING.
        delay: Duration,
    },
    /// Changes tags or policy of a stream or a consumer.
    Resource {
        /// Of which.
        resource: Resource,
        /// What to change.
        change: ResourceChange,
    },
    /// Makes or ends an account's commitment to a minimum throughput.
    Commit {
        /// Any stream of the account and region; its name says nothing.
        stream: StreamArn,
        /// Whether the account wants one.
        committed: bool,
    },
    /// Records that the parents of what has begun are sealed: of a reshard, or of all reshards of a
    /// round of a uniform scaling. Changes nothing when that is finished or the stream is another one.
    FinishReshard {
        /// The stream.
        stream: StreamArn,
        /// The incarnation that the reshard began in.
        incarnation: u64,
        /// How the seals left the parents.
        parents: Vec<SealedParent>,
    },
    /// Changes how long records are kept.
    SetRetention {
        /// The stream.
        stream: StreamArn,
        /// As the user gave it; not above the maximum.
        hours: i32,
        /// Which operation.
        direction: Direction,
        /// Time in UPDATING.
        delay: Duration,
    },
    /// Sets tags, in place of those of the same key.
    AddTags {
        /// The stream.
        stream: StreamArn,
        /// The tags.
        tags: BTreeMap<String, String>,
    },
    /// Removes tags; unknown keys are no matter.
    RemoveTags {
        /// The stream.
        stream: StreamArn,
        /// The keys.
        keys: Vec<String>,
    },
    /// Switches the capacity mode.
    SwitchMode {
        /// The stream.
        stream: StreamArn,
        /// The mode to switch to.
        mode: Mode,
        /// What the account may have.
        quotas: Quotas,
        /// How often a stream may be switched in a day; absent, as often as one likes.
        switches_max: Option<u32>,
        /// The throughput to keep ready, in MiB a second; only towards on-demand.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        warm_mibps: Option<u32>,
        /// Time in UPDATING.
        delay: Duration,
    },
    /// Switches shard-level metrics on or off.
    SetMonitoring {
        /// The stream.
        stream: StreamArn,
        /// Which operation.
        monitoring: Monitoring,
        /// The metrics.
        metrics: Monitored,
        /// Time in UPDATING.
        delay: Duration,
    },
    /// Remembers how many shards the peak of an on-demand stream asks for. Changes nothing when the
    /// stream is another one.
    RecordDemand {
        /// The stream.
        stream: StreamArn,
        /// The incarnation that was measured.
        incarnation: u64,
        /// The shards.
        shards: u32,
    },
    /// Sets the throughput that an on-demand stream keeps ready, and begins to scale it so.
    SetWarmThroughput {
        /// The stream.
        stream: StreamArn,
        /// MiB a second.
        mibps: u32,
        /// The shards that the traffic of the last hour needs.
        needed: u32,
        /// Time in UPDATING for each round of the scaling.
        delay: Duration,
    },
    /// Decides on a reshard that the service wants for an on-demand stream, and records that it has
    /// begun, as [`Command::BeginReshard`] does.
    Scale {
        /// The stream.
        stream: StreamArn,
        /// The incarnation that was measured.
        incarnation: u64,
        /// What to do.
        change: Change,
    },
    /// Begins or ends the archiving of a stream.
    SetArchived {
        /// The stream.
        stream: StreamArn,
        /// Whether it is archived from now on.
        archived: bool,
    },
    /// Forgets closed shards of an archived stream that have expired and that the archiver has whole.
    /// Changes nothing when the stream is another one.
    ForgetShards {
        /// The stream.
        stream: StreamArn,
        /// The incarnation that was archived.
        incarnation: u64,
        /// The shards.
        shards: Vec<ShardId>,
    },
    /// Forgets streams that are gone and closed shards that have expired, but those of archived streams.
    Sweep,
}
