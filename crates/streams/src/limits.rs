//! The table of limits: every number that bounds a stream, with its unit and where it comes from.
//!
//! What must hold: no other file of this crate has a limit of its own. Rates and quotas can be lifted
//! ([`Limits::None`]); sizes never can, because clients and storage rely on them.
//!
//! Sources, named at each number by its letter:
//! (Q) <https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html>,
//! (A) the page of the operation under <https://docs.aws.amazon.com/kinesis/latest/APIReference/>,
//! (R) <https://docs.aws.amazon.com/streams/latest/dev/kinesis-record-size.html>,
//! (C) <https://docs.aws.amazon.com/streams/latest/dev/how-do-i-size-a-stream.html>,
//! (L) <https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html>,
//! (O) ours: AWS publishes no number.

use std::time::Duration;

use tidemill_model::Region;

const MIB: u64 = 1024 * 1024;

/// Whether rates and quotas apply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Limits {
    /// As AWS has them.
    #[default]
    Aws,
    /// Rates and quotas are lifted; sizes stay.
    None,
}

/// A token bucket's shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Tokens that come back each second.
    pub per_second: u64,
    /// Tokens that a bucket holds when full.
    pub capacity: u64,
}

/// Records a shard takes (A: PutRecords).
pub const WRITE_RECORDS: Allowance = Allowance {
    per_second: 1000,
    capacity: 1000,
};
/// Bytes a shard takes, data and partition key (Q). The capacity is [`write_bytes`]'s business.
pub const WRITE_BYTES_PER_SECOND: u64 = MIB;
/// GetRecords calls a shard answers (A: GetRecords).
pub const READ_CALLS: Allowance = Allowance {
    per_second: 5,
    capacity: 5,
};
/// Bytes a shard gives to all its pollers together (A: GetRecords).
pub const READ_BYTES: Allowance = Allowance {
    per_second: 2 * MIB,
    capacity: 2 * MIB,
};
/// How long a mapping reads a shard on one of its calls: AWS's poller looks once a second (L).
pub const MAPPING_CALL_LASTS: Duration = Duration::from_secs(1);
/// Most bytes of a page that a mapping reads, unless one record is larger. Ours: AWS's poller leaves room
/// for others between its calls, ours is awake when there is something to read.
pub const MAPPING_PAGE_BYTES: u64 = READ_BYTES.per_second / 2;
/// GetShardIterator calls a shard answers (A: GetShardIterator).
pub const ITERATOR_CALLS: Allowance = Allowance {
    per_second: 5,
    capacity: 5,
};
/// SubscribeToShard calls for each consumer and shard (A: SubscribeToShard).
pub const SUBSCRIBE_CALLS: Allowance = Allowance {
    per_second: 1,
    capacity: 1,
};

/// Bytes a shard of a stream with records up to `record_bytes_max` takes: one second's worth, or one
/// record of the largest size, so that it can be put at all and is then paid off (R).
pub const fn write_bytes(record_bytes_max: u64) -> Allowance {
    let capacity = if record_bytes_max > WRITE_BYTES_PER_SECOND {
        record_bytes_max
    } else {
        WRITE_BYTES_PER_SECOND
    };
    Allowance {
        per_second: WRITE_BYTES_PER_SECOND,
        capacity,
    }
}

/// Largest record of a stream that does not say otherwise, in KiB (R).
pub const RECORD_KIB_DEFAULT: u32 = 1024;
/// Largest record any stream can allow, in KiB (R).
pub const RECORD_KIB_MAX: u32 = 10 * 1024;
/// Most bytes of one PutRecords request, partition keys included (A: PutRecords).
pub const PUT_RECORDS_BYTES_MAX: u64 = 10 * MIB;
/// Most records of one GetRecords answer (A: GetRecords).
pub const GET_RECORDS_MAX: usize = 10_000;
/// Most bytes of one GetRecords answer (A: GetRecords).
pub const GET_RECORDS_BYTES_MAX: usize = 10 * MIB as usize;

/// How long a subscription lasts (A: SubscribeToShard).
pub const SUBSCRIPTION_TIME: Duration = Duration::from_secs(300);
/// How long after a subscription has begun none may take its place (A: SubscribeToShard).
pub const SUBSCRIPTION_HOLD: Duration = Duration::from_secs(5);
/// Bytes a second that a subscription sends (Q).
pub const SUBSCRIPTION_BYTES_PER_SECOND: u64 = 2 * MIB;
/// How long a subscription sends nothing (O): as observed of AWS; the KCL gives one up after half a
/// minute.
pub const SUBSCRIPTION_SILENCE_MAX: Duration = Duration::from_secs(5);
/// How long an event waits for a client that does not read before its subscription ends (O).
pub const SUBSCRIPTION_UNTAKEN_MAX: Duration = Duration::from_secs(30);
/// Bytes of records in one event, unless the first alone has more (O). The Java SDK takes frames of up
/// to 16 MiB, in which records stand in base64.
pub const EVENT_BYTES_MAX: usize = MIB as usize;
/// Records in one event (O).
pub const EVENT_RECORDS_MAX: usize = 10_000;

/// Age at which a shard iterator expires (A: GetShardIterator).
pub const ITERATOR_AGE_MAX: Duration = Duration::from_secs(300);
/// Age at which a page token expires (A: ListShards).
pub const PAGE_TOKEN_AGE_MAX: Duration = Duration::from_secs(300);
/// Longest shard iterator, in characters (A: GetRecords).
pub const ITERATOR_CHARS_MAX: usize = 512;

/// Retention of a new stream, and the shortest, in hours (Q).
pub const RETENTION_HOURS_MIN: u32 = 24;
/// Longest retention, in hours (Q).
pub const RETENTION_HOURS_MAX: u32 = 8760;

/// Tags of one stream (A: AddTagsToStream).
pub const TAGS_MAX: usize = 50;
/// Bytes of one policy (O).
pub const POLICY_BYTES_MAX: usize = 20 * 1024;
/// Shards on one page of DescribeStream (A: DescribeStream).
pub const DESCRIBE_SHARDS_MAX: usize = 100;
/// Shards on one page of ListShards (A: ListShards).
pub const LIST_SHARDS_MAX: usize = 1000;
/// Names on one page of ListStreams (A: ListStreams).
pub const LIST_STREAMS_MAX: usize = 100;

/// Consumers on one page of ListStreamConsumers (A: ListStreamConsumers).
pub const LIST_CONSUMERS_MAX: usize = 100;

/// Registered consumers of one stream (Q).
pub const CONSUMERS: u32 = 20;
/// The same with a commitment to a minimum throughput (Q).
pub const CONSUMERS_COMMITTED: u32 = 50;
/// Consumers of one stream that may be in CREATING at once (A: RegisterStreamConsumer).
pub const CREATING_CONSUMERS: u32 = 5;
/// How long a commitment to a minimum throughput lasts at least (A: UpdateAccountSettings).
pub const COMMITMENT_MIN: Duration = Duration::from_secs(24 * 3600);
/// What DescribeLimits says where a quota is lifted: the most that the model lets it say.
pub const QUOTA_LIFTED: u32 = 1_000_000;
/// Shards of a new on-demand stream (Q).
pub const ON_DEMAND_SHARDS: u32 = 4;
/// On-demand streams of an account in a region (Q).
pub const ON_DEMAND_STREAMS: u32 = 50;
/// Warm throughput that a stream may ask for, in MiB/s (A: UpdateStreamWarmThroughput).
pub const WARM_MIBPS_MAX: u32 = 10 * 1024;
/// Switches of the capacity mode that a stream may have in [`DAY`] (A: UpdateStreamMode).
pub const MODE_SWITCHES: u32 = 2;
/// An on-demand stream is given this many times the throughput of its peak (C).
pub const PEAK_FACTOR: u64 = 2;
/// A shard that takes more than its rates divided by this is hot (C: "about 500 KB/s").
pub const HOT_SHARE_OF_RATE: u64 = 2;
/// A shard that takes less than its rates divided by this is cold (O): two of them make one that takes
/// half of what would be hot.
pub const COLD_SHARE_OF_RATE: u64 = 8;
/// A shard is not split that is narrower than an equal share of the hash keys divided by this (O):
/// what makes it hot is a key or few, and no split parts the records of one key.
pub const NARROW_SHARE: u128 = 16;
/// How many times the shards that an even load needs an uneven one may have (O).
pub const SKEW_FACTOR: u32 = 2;
/// How often the traffic of on-demand streams is looked at (O), and over what time it is averaged.
pub const SCALING_INTERVAL: Duration = Duration::from_secs(60);
/// How long a shard is hot before it is split, unless set otherwise (O): AWS speaks of fifteen
/// minutes in all, and the measuring and the split are part of them.
pub const HOT_BEFORE_SPLIT: Duration = Duration::from_secs(600);
/// How long two shards are cold before they are merged, unless set otherwise (O): "late" is all that
/// is known of AWS.
pub const COLD_BEFORE_MERGE: Duration = DAY;
/// Days that the peak of an on-demand stream counts, besides the day it was on (C).
pub const DEMAND_DAYS: u64 = 30;
/// How long a change counts that is limited by the day (A: UpdateShardCount, StartStreamEncryption).
pub const DAY: Duration = Duration::from_secs(24 * 3600);
/// UpdateShardCount calls on one stream in [`DAY`] (A: UpdateShardCount).
pub const SHARD_COUNT_UPDATES: u32 = 10;
/// Successful StartStreamEncryption calls on one stream in [`DAY`] (A: StartStreamEncryption), and as
/// many StopStreamEncryption calls (A: StopStreamEncryption).
pub const ENCRYPTION_CALLS: u32 = 25;
/// Most changes per day that any limit counts; more are not remembered.
pub const CHANGES_KEPT: usize = 25;
/// Shards that UpdateShardCount can give a stream (A: UpdateShardCount).
pub const TARGET_SHARDS: u32 = 10_000;
/// Streams that may be in CREATING at once (A: CreateStream).
pub const CREATING_STREAMS: u32 = 5;
/// Most shards one stream can have, even when quotas are lifted (O): each costs memory and a place in
/// every snapshot of the catalog, and 20,000 is AWS's own largest quota.
pub const STREAM_SHARDS_MAX: u32 = 20_000;

/// Reshards of one round of a uniform scaling (O): each round is one command in the log.
pub const ROUND_RESHARDS_MAX: usize = 1000;
/// Shards that are sealed at once in a round (O): their seals share the log's flushes.
pub const SEALS_AT_ONCE: usize = 64;

/// How often a put is routed again because its shard was closed meanwhile (O). Each time a reshard
/// has been completed in between, and a stream completes few in the life of one request.
pub const REROUTES_MAX: u32 = 16;
/// Streams whose metrics are shown (O): each has some sixty rows.
pub const METRIC_STREAMS_MAX: usize = 1000;
/// Shards whose metrics are shown (O), in each of our own and in the shard-level metrics of AWS.
pub const METRIC_SHARDS_MAX: usize = 1000;
/// When a bucket of bytes written that is left alone is full again (O): the largest record is ten
/// seconds' worth.
pub const WRITTEN_BYTES_FULL_AFTER: Duration = Duration::from_secs(30);
/// Buckets of control-plane rates that are kept before full ones are dropped (O).
pub const CONTROL_BUCKETS_MAX: usize = 10_000;

const _: () = {
    assert!(RECORD_KIB_DEFAULT <= RECORD_KIB_MAX);
    assert!(RECORD_KIB_MAX as u64 * 1024 <= PUT_RECORDS_BYTES_MAX);
    assert!(RECORD_KIB_MAX as usize * 1024 <= GET_RECORDS_BYTES_MAX);
    assert!(SHARD_COUNT_UPDATES as usize <= CHANGES_KEPT);
    assert!(ENCRYPTION_CALLS as usize <= CHANGES_KEPT);
    assert!(WARM_MIBPS_MAX <= STREAM_SHARDS_MAX);
    assert!(MODE_SWITCHES as usize <= CHANGES_KEPT);
    assert!(
        COLD_SHARE_OF_RATE > 2 * HOT_SHARE_OF_RATE,
        "two cold shards make no hot one"
    );
    assert!(TARGET_SHARDS <= STREAM_SHARDS_MAX);
    assert!(RECORD_KIB_MAX as u64 * 1024 * 4 / 3 + MIB < 16 * MIB);
    assert!(RETENTION_HOURS_MIN < RETENTION_HOURS_MAX);
    assert!(ON_DEMAND_SHARDS <= STREAM_SHARDS_MAX);
    assert!(
        RECORD_KIB_MAX as u64 * 1024 <= WRITTEN_BYTES_FULL_AFTER.as_secs() * WRITE_BYTES_PER_SECOND,
        "the bytes written fill up"
    );
};

/// Open shards of provisioned streams that an account may have in `region` (Q).
pub fn shard_quota(region: &Region) -> u32 {
    match region.as_str() {
        "us-east-1" | "us-west-2" | "eu-west-1" => 20_000,
        _ => 6_000,
    }
}

/// Shards that an on-demand stream may grow to in `region` (Q): 200 MB/s, or 10 GB/s after a request
/// for more, which is granted here.
pub fn on_demand_shards(region: &Region) -> u32 {
    match region.as_str() {
        "us-east-1" | "us-west-2" | "eu-west-1" => 10_240,
        _ => 200,
    }
}

/// Whose calls a control-plane rate counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All calls of an account in a region.
    Account,
    /// The calls that name one stream.
    Stream,
}

/// The operations that have a rate of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ControlOperation {
    AddTagsToStream,
    CreateStream,
    DecreaseStreamRetentionPeriod,
    DeleteResourcePolicy,
    DeleteStream,
    DeregisterStreamConsumer,
    DescribeAccountSettings,
    DescribeLimits,
    DescribeStream,
    DescribeStreamConsumer,
    DescribeStreamSummary,
    DisableEnhancedMonitoring,
    EnableEnhancedMonitoring,
    GetResourcePolicy,
    IncreaseStreamRetentionPeriod,
    ListShards,
    ListStreamConsumers,
    ListStreams,
    ListTagsForResource,
    ListTagsForStream,
    MergeShards,
    PutResourcePolicy,
    RegisterStreamConsumer,
    RemoveTagsFromStream,
    SplitShard,
    StartStreamEncryption,
    StopStreamEncryption,
    TagResource,
    UntagResource,
    UpdateAccountSettings,
    UpdateMaxRecordSize,
    UpdateShardCount,
    UpdateStreamMode,
    UpdateStreamRecordDistributionStrategy,
    UpdateStreamWarmThroughput,
}

impl ControlOperation {
    /// Calls per second, and whose (Q, A).
    pub const fn rate(self) -> (u64, Scope) {
        match self {
            ControlOperation::AddTagsToStream
            | ControlOperation::CreateStream
            | ControlOperation::DeleteResourcePolicy
            | ControlOperation::DeleteStream
            | ControlOperation::DescribeAccountSettings
            | ControlOperation::GetResourcePolicy
            | ControlOperation::ListStreams
            | ControlOperation::PutResourcePolicy
            | ControlOperation::UpdateAccountSettings
            | ControlOperation::UpdateStreamWarmThroughput => (5, Scope::Account),
            ControlOperation::DescribeLimits => (1, Scope::Account),
            ControlOperation::DescribeStream | ControlOperation::UpdateShardCount => {
                (10, Scope::Account)
            }
            ControlOperation::DescribeStreamSummary => (20, Scope::Account),
            ControlOperation::DescribeStreamConsumer => (20, Scope::Stream),
            // (O) for the tags of resources, UpdateMaxRecordSize, UpdateStreamMode and
            // UpdateStreamRecordDistributionStrategy: AWS publishes no rate of theirs.
            ControlOperation::DecreaseStreamRetentionPeriod
            | ControlOperation::DeregisterStreamConsumer
            | ControlOperation::DisableEnhancedMonitoring
            | ControlOperation::EnableEnhancedMonitoring
            | ControlOperation::StartStreamEncryption
            | ControlOperation::StopStreamEncryption
            | ControlOperation::TagResource
            | ControlOperation::UntagResource
            | ControlOperation::UpdateMaxRecordSize
            | ControlOperation::UpdateStreamMode
            | ControlOperation::UpdateStreamRecordDistributionStrategy
            | ControlOperation::IncreaseStreamRetentionPeriod
            | ControlOperation::ListStreamConsumers
            | ControlOperation::ListTagsForResource
            | ControlOperation::ListTagsForStream
            | ControlOperation::MergeShards
            | ControlOperation::RegisterStreamConsumer
            | ControlOperation::RemoveTagsFromStream
            | ControlOperation::SplitShard => (5, Scope::Stream),
            ControlOperation::ListShards => (1000, Scope::Stream),
        }
    }
}
