//! Why a stream operation is refused: [`Refused`], one variant for each cause with its facts.
//!
//! What must hold: the text of a cause is what AWS answers, and a cause knows which of AWS's
//! exceptions it is. Texts that were observed in production are clients' to match on: never edit one.
//! Those that nobody has published are marked (ours).

use thiserror::Error;

use tidemill_model::{ConsumerArn, HashKeyRange, ShardId, StreamArn, Timestamp};

use crate::limits::{ITERATOR_AGE_MAX, RETENTION_HOURS_MIN, TAGS_MAX};

mod capacity;

pub use capacity::CapacityRefused;

/// AWS's exceptions that this crate answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exception {
    AccessDenied,
    DryRunOperation,
    ExpiredIterator,
    ExpiredNextToken,
    InternalFailure,
    InvalidArgument,
    LimitExceeded,
    ProvisionedThroughputExceeded,
    ResourceInUse,
    ResourceNotFound,
    Validation,
}

/// Why an operation is refused. Each variant's text says what it is, its fields what of.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    #[error("Stream {} not found.", under(.stream))]
    StreamNotFound { stream: StreamArn },
    #[error("Could not find shard {shard} in stream {}.", under(.stream))]
    ShardNotFound { stream: StreamArn, shard: String },
    #[error("Shard {shard} in stream {} does not exist", under(.stream))]
    ShardDoesNotExist { stream: StreamArn, shard: ShardId },

    /// (ours)
    #[error("Resource {arn} not found.")]
    ResourceNotFound { arn: String },
    /// (ours)
    #[error("Resource {arn} has no policy.")]
    NoPolicy { arn: String },
    /// (ours)
    #[error("Consumer {name} of stream {} not found.", under(.stream))]
    ConsumerNotFound { stream: StreamArn, name: String },

    #[error("Stream {} already exists.", under(.stream))]
    StreamExists { stream: StreamArn },
    #[error(
        "Another active subscription exists for this consumer: {}:{}:{shard}:{}",
        .consumer.stream.account, .consumer.stream.name, .consumer.name
    )]
    Subscribed {
        consumer: ConsumerArn,
        shard: ShardId,
    },
    #[error("Stream {} not ACTIVE, instead in state {status}", under(.stream))]
    NotActive {
        stream: StreamArn,
        status: &'static str,
    },

    #[error(
        "DeleteStream can't delete {account}:{name} because there are consumers associated with this \
         data stream. To delete {name} anyway, set the EnforceConsumerDeletion parameter to true to \
         force the deletion of all the consumers that are associated with it.",
        account = .stream.account, name = .stream.name
    )]
    ConsumersOfStream { stream: StreamArn },
    /// (ours)
    #[error(
        "Stream {} under account {} is archived for views: drop its views and end its archiving \
         first, with DELETE /_tidemill/views/archives/{}.",
        .stream.name, .stream.account, .stream.name
    )]
    Archived { stream: StreamArn },
    #[error(
        "Consumer {} with creation timestamp {} under stream: {} , account {} is not in ACTIVE status.",
        .consumer.name, .consumer.created_secs, .consumer.stream.name, .consumer.stream.account
    )]
    ConsumerInactive { consumer: ConsumerArn },
    /// What PutResourcePolicy says of it: <https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/2442>.
    #[error(
        "Consumer {} with creation timestamp {} under stream {} and account {} is not in ACTIVE status.",
        .consumer.name, .consumer.created_secs, .consumer.stream.name, .consumer.stream.account
    )]
    ResourceInactive { consumer: ConsumerArn },
    /// (ours)
    #[error("Consumer {name} of stream {} already exists.", under(.stream))]
    ConsumerExists { stream: StreamArn, name: String },

    #[error("Rate exceeded for shard {shard} in stream {}.", under(.stream))]
    ShardRate { stream: StreamArn, shard: ShardId },
    /// (ours)
    #[error(
        "Rate exceeded for consumer {} and shard {shard} in stream {}.",
        .consumer.name, under(&.consumer.stream)
    )]
    SubscribeRate {
        consumer: ConsumerArn,
        shard: ShardId,
    },
    #[error("Rate exceeded for stream {}.", under(.stream))]
    StreamRate { stream: StreamArn },
    /// (ours) For an operation that names no stream.
    #[error("Rate exceeded for account {account}.")]
    AccountRate { account: String },
    #[error(
        "This request would exceed the shard limit for the account {account} in {region}. Current \
         shard count for the account: {count}. Limit: {limit}. Number of additional shards that \
         would have resulted from this request: {additional}. Refer to the AWS Service Limits page \
         (http://docs.aws.amazon.com/general/latest/gr/aws_service_limits.html) for current limits \
         and how to request higher limits."
    )]
    ShardQuota {
        account: String,
        region: String,
        count: u32,
        limit: u32,
        additional: u32,
    },
    /// (ours)
    #[error("Account {account} has {limit} streams in CREATING state; wait until one is ACTIVE.")]
    TooManyCreating { account: String, limit: u32 },
    /// (ours)
    #[error("Account {account} has reached its limit of {limit} on-demand streams.")]
    OnDemandQuota { account: String, limit: u32 },

    #[error(
        "UpdateShardCount cannot scale up over double your current open shard count. Current open \
         shard count: {open} Target shard count: {target}"
    )]
    OverDouble { open: u32, target: u32 },
    #[error(
        "UpdateShardCount cannot scale down below half your current open shard count. Current open \
         shard count: {open} Target shard count: {target}"
    )]
    BelowHalf { open: u32, target: u32 },
    #[error(
        "Target shard count or number of open shards cannot be greater than {limit}. Current open \
         shard count: {open}, Target shard count: {target}"
    )]
    TargetShards { limit: u32, open: u32, target: u32 },
    /// (ours)
    #[error("UpdateShardCount was called {limit} times within 24 hours for stream {}.", under(.stream))]
    ShardCountUpdates { stream: StreamArn, limit: u32 },
    /// (ours)
    #[error("The encryption of stream {} was changed {limit} times within 24 hours.", under(.stream))]
    EncryptionCalls { stream: StreamArn, limit: u32 },
    /// (ours)
    #[error("Stream {} has reached its limit of {limit} consumers.", under(.stream))]
    ConsumerQuota { stream: StreamArn, limit: u32 },
    /// (ours)
    #[error(
        "Stream {} has {limit} consumers in CREATING state; wait until one is ACTIVE.",
        under(.stream)
    )]
    TooManyConsumersCreating { stream: StreamArn, limit: u32 },

    /// (ours)
    #[error("Either StreamName or StreamARN should be provided.")]
    NoStreamNamed,
    /// (ours)
    #[error("StreamName {name} and StreamARN {arn} name different streams.")]
    NamesDisagree { name: String, arn: String },
    /// (ours)
    #[error("{arn} is not the ARN of a stream.")]
    NotAStreamArn { arn: String },
    /// (ours)
    #[error("Either ConsumerARN or StreamARN and ConsumerName should be provided.")]
    NoConsumerNamed,
    /// (ours)
    #[error("{arn} is not the ARN of a stream or of a consumer.")]
    NotAResourceArn { arn: String },
    /// (ours)
    #[error("The policy cannot be attached: {reason}.")]
    NotAPolicy { reason: String },
    /// (ours)
    #[error("{arn} is not the ARN of a consumer.")]
    NotAConsumerArn { arn: String },
    /// (ours)
    #[error("ConsumerARN {arn} is not that of the {parameter} that was given with it.")]
    ConsumersDisagree {
        arn: String,
        parameter: &'static str,
    },
    /// (ours)
    #[error("ShardCount must be given for a stream in PROVISIONED mode.")]
    NoShardCount,
    /// (ours)
    #[error("ShardCount must not be given for a stream in ON_DEMAND mode.")]
    ShardCountOnDemand,
    /// (ours)
    #[error("EncryptionType must be KMS.")]
    NotKms,
    /// (ours)
    #[error("Stream {} is not encrypted.", under(.stream))]
    NotEncrypted { stream: StreamArn },
    /// (ours)
    #[error("Records of stream {} are not distributed by AUTO: it is in PROVISIONED mode.", under(.stream))]
    AutoProvisioned { stream: StreamArn },
    /// (ours)
    #[error(
        "SequenceNumberForOrdering is not supported for stream {}: its records are distributed by \
         AUTO.", under(.stream)
    )]
    OrderingUnderAuto { stream: StreamArn },
    /// (ours)
    #[error("{operation} is not supported for stream {}: it is in ON_DEMAND mode.", under(.stream))]
    OnDemand {
        stream: StreamArn,
        operation: &'static str,
    },

    #[error(transparent)]
    Capacity(#[from] CapacityRefused),

    #[error(
        "Some tags contain invalid characters. Valid characters: Unicode letters, digits, white \
         space, _ . / = + - % @."
    )]
    TagCharacters,
    /// A percent sign, which the other text allows.
    #[error(
        "Failed to {failed} stream {} because some tags contained illegal characters. The allowed \
         characters are Unicode letters, white-spaces, '_',',','/','=','+','-','@'.", under(.stream)
    )]
    TagPercent {
        stream: StreamArn,
        failed: &'static str,
    },
    /// The rule of TagResource; text (ours).
    #[error(
        "Some tags contain invalid characters. Valid characters: Unicode letters, digits, white \
         space, _ . : / = + - @."
    )]
    ResourceTagCharacters,
    #[error(
        "Failed to add tags to stream {} because a given stream cannot have more than {TAGS_MAX} \
         tags associated with it.", under(.stream)
    )]
    TooManyTags { stream: StreamArn },
    /// (ours)
    #[error("Consumer {name} cannot have more than {TAGS_MAX} tags.")]
    TooManyConsumerTags { name: String },

    #[error(
        "Minimum allowed retention period is {RETENTION_HOURS_MIN} hours. Requested retention \
         period ({hours} hours) is too short."
    )]
    RetentionTooShort { hours: i32 },
    #[error(
        "Requested retention period ({hours} hours) for stream {} can not be shorter than existing \
         retention period ({existing} hours). Use DecreaseRetentionPeriod API.", .stream.name
    )]
    RetentionWouldDecrease {
        stream: StreamArn,
        hours: i32,
        existing: u32,
    },
    #[error(
        "Requested retention period ({hours} hours) for stream {} can not be longer than existing \
         retention period ({existing} hours). Use IncreaseRetentionPeriod API.", .stream.name
    )]
    RetentionWouldIncrease {
        stream: StreamArn,
        hours: i32,
        existing: u32,
    },

    #[error(
        "Shard {shard} in stream {} has already been merged or split, and thus is not eligible for \
         merging or splitting.", under(.stream)
    )]
    ShardClosed { stream: StreamArn, shard: ShardId },
    #[error(
        "NewStartingHashKey {key} used in SplitShard() on shard {shard} in stream {} is not both \
         greater than one plus the shard's StartingHashKey {} and less than the shard's \
         EndingHashKey {}.", under(.stream), .range.start, .range.end
    )]
    SplitPoint {
        stream: StreamArn,
        shard: ShardId,
        key: String,
        range: Box<HashKeyRange>,
    },
    #[error(
        "Shards {lower} and {upper} in stream {} are not an adjacent pair of shards eligible for \
         merging", under(.stream)
    )]
    NotAdjacent {
        stream: StreamArn,
        lower: ShardId,
        upper: ShardId,
    },

    #[error(
        "Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. Specified \
         value was {key}"
    )]
    ExplicitHashKey { key: String },
    #[error(
        "ExclusiveMinimumSequenceNumber {number} used in PutRecord on stream {} is invalid.",
        under(.stream)
    )]
    OrderingNumber { stream: StreamArn, number: String },
    /// (ours) The text of 2025 with the limit of today.
    #[error("Records size exceeds 10 MB limit")]
    RecordsTooLarge,
    /// Violations of constraints that only the service knows, in the words of the model's.
    #[error("{}", validation_text(.0))]
    Violations(Vec<String>),

    #[error(
        "Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and \
         StartingSequenceNumber or (2) TRIM_HORIZON or LATEST and no StartingSequenceNumber. \
         Request specified {kind} and {given} StartingSequenceNumber."
    )]
    IteratorParameters {
        kind: &'static str,
        given: &'static str,
    },
    #[error(
        "Must specify timestampInMillis parameter for iterator of type AT_TIMESTAMP. Current \
         request has no timestamp parameter."
    )]
    NoTimestamp,
    #[error(
        "The timestampInMillis parameter cannot be greater than the currentTimestampInMillis. \
         timestampInMillis: {}, currentTimestampInMillis: {}", .asked.as_millis(), .now.as_millis()
    )]
    FutureTimestamp { asked: Timestamp, now: Timestamp },
    /// The shard of a number has a sign, as in production.
    #[error(
        "Invalid StartingSequenceNumber. It encodes shardId-{:012}, while it was used in a call to a \
         shard with {shard}", .encoded.0.cast_signed()
    )]
    NumberOfOtherShard { encoded: ShardId, shard: ShardId },
    #[error(
        "StartingSequenceNumber {number} used in GetShardIterator on shard {shard} in stream {} is \
         invalid.", under(.stream)
    )]
    StartingNumber {
        stream: StreamArn,
        shard: ShardId,
        number: String,
    },
    #[error(
        "StartingSequenceNumber {number} used in GetShardIterator on shard {shard} in stream {} is \
         invalid because it did not come from this stream.", under(.stream)
    )]
    NumberOfOtherStream {
        stream: StreamArn,
        shard: ShardId,
        number: String,
    },
    /// A number of layout 0, such as `0`, which production fails on inside: the text goes nowhere.
    #[error("{number} is a number of the first layout")]
    NumberOfLayoutZero { number: String },
    #[error("Invalid ShardIterator.")]
    InvalidIterator,
    /// (ours)
    #[error("StreamARN {arn} is not the stream of the shard iterator.")]
    IteratorOfOtherStream { arn: String },
    #[error(
        "Iterator expired. The iterator was created at time {} while right now it is {} which is \
         further in the future than the tolerated delay of {} milliseconds.",
        java_date(*.issued), java_date(*.now), ITERATOR_AGE_MAX.as_millis()
    )]
    ExpiredIterator { issued: Timestamp, now: Timestamp },

    #[error("Either NextToken or StreamName should be provided.")]
    NeitherTokenNorName,
    #[error("NextToken and {parameter} cannot be provided together.")]
    TokenAndParameter { parameter: &'static str },
    /// (ours)
    #[error("Invalid NextToken.")]
    InvalidNextToken,
    /// (ours)
    #[error("NextToken expired. Start the listing anew without a token.")]
    ExpiredNextToken,
    /// (ours)
    #[error("ShardFilter of type {kind} must {rule}.")]
    ShardFilter {
        kind: &'static str,
        rule: &'static str,
    },

    #[error(
        "User: arn:aws:iam::{caller}:root is not authorized to perform: kinesis:{operation} on \
         resource: {stream} because no resource-based policy allows the kinesis:{operation} action"
    )]
    OtherAccount {
        caller: String,
        operation: &'static str,
        stream: StreamArn,
    },
    /// (ours)
    #[error("Request would have succeeded, but DryRun flag is set.")]
    DryRun,
}

impl Refused {
    /// The exception that AWS answers with.
    #[expect(
        clippy::too_many_lines,
        reason = "one line for each cause, and nothing else"
    )]
    pub fn exception(&self) -> Exception {
        match self {
            Refused::StreamNotFound { .. }
            | Refused::ShardNotFound { .. }
            | Refused::ResourceNotFound { .. }
            | Refused::NoPolicy { .. }
            | Refused::ConsumerNotFound { .. }
            | Refused::ShardDoesNotExist { .. } => Exception::ResourceNotFound,
            Refused::StreamExists { .. }
            | Refused::NotActive { .. }
            | Refused::ConsumersOfStream { .. }
            | Refused::Archived { .. }
            | Refused::ConsumerInactive { .. }
            | Refused::ResourceInactive { .. }
            | Refused::Subscribed { .. }
            | Refused::ConsumerExists { .. } => Exception::ResourceInUse,
            Refused::ShardRate { .. } => Exception::ProvisionedThroughputExceeded,
            Refused::SubscribeRate { .. }
            | Refused::StreamRate { .. }
            | Refused::AccountRate { .. }
            | Refused::ShardQuota { .. }
            | Refused::TooManyCreating { .. }
            | Refused::OnDemandQuota { .. }
            | Refused::OverDouble { .. }
            | Refused::BelowHalf { .. }
            | Refused::TargetShards { .. }
            | Refused::ShardCountUpdates { .. }
            | Refused::EncryptionCalls { .. }
            | Refused::ConsumerQuota { .. }
            | Refused::TooManyConsumersCreating { .. } => Exception::LimitExceeded,
            Refused::NoShardCount
            | Refused::ShardCountOnDemand
            | Refused::OnDemand { .. }
            | Refused::Violations(_) => Exception::Validation,
            Refused::Capacity(refused) => refused.exception(),
            Refused::NumberOfLayoutZero { .. } => Exception::InternalFailure,
            Refused::ExpiredIterator { .. } => Exception::ExpiredIterator,
            Refused::ExpiredNextToken => Exception::ExpiredNextToken,
            Refused::OtherAccount { .. } => Exception::AccessDenied,
            Refused::DryRun => Exception::DryRunOperation,
            Refused::NoStreamNamed
            | Refused::NamesDisagree { .. }
            | Refused::NotAStreamArn { .. }
            | Refused::NoConsumerNamed
            | Refused::NotAConsumerArn { .. }
            | Refused::NotAResourceArn { .. }
            | Refused::NotAPolicy { .. }
            | Refused::NotKms
            | Refused::NotEncrypted { .. }
            | Refused::AutoProvisioned { .. }
            | Refused::OrderingUnderAuto { .. }
            | Refused::ConsumersDisagree { .. }
            | Refused::TagCharacters
            | Refused::TagPercent { .. }
            | Refused::ResourceTagCharacters
            | Refused::TooManyTags { .. }
            | Refused::TooManyConsumerTags { .. }
            | Refused::RetentionTooShort { .. }
            | Refused::RetentionWouldDecrease { .. }
            | Refused::RetentionWouldIncrease { .. }
            | Refused::ShardClosed { .. }
            | Refused::SplitPoint { .. }
            | Refused::NotAdjacent { .. }
            | Refused::ExplicitHashKey { .. }
            | Refused::OrderingNumber { .. }
            | Refused::RecordsTooLarge
            | Refused::IteratorParameters { .. }
            | Refused::NoTimestamp
            | Refused::FutureTimestamp { .. }
            | Refused::NumberOfOtherShard { .. }
            | Refused::StartingNumber { .. }
            | Refused::NumberOfOtherStream { .. }
            | Refused::InvalidIterator
            | Refused::IteratorOfOtherStream { .. }
            | Refused::NeitherTokenNorName
            | Refused::TokenAndParameter { .. }
            | Refused::InvalidNextToken
            | Refused::ShardFilter { .. } => Exception::InvalidArgument,
        }
    }
}

pub(crate) fn under(stream: &StreamArn) -> String {
    format!("{} under account {}", stream.name, stream.account)
}

/// As Java prints a date: `Thu Jan 22 01:22:02 UTC 2015`.
fn java_date(at: Timestamp) -> String {
    let civil = at.civil();
    format!(
        "{} {} {:02} {:02}:{:02}:{:02} UTC {}",
        civil.weekday_name(),
        civil.month_name(),
        civil.day,
        civil.hour,
        civil.minute,
        civil.second,
        civil.year
    )
}

/// AWS reports ten violations at most, and counts the ones it reports.
const VIOLATIONS_MAX: usize = 10;

fn validation_text(violations: &[String]) -> String {
    let reported = &violations[..violations.len().min(VIOLATIONS_MAX)];
    let plural = if reported.len() == 1 { "" } else { "s" };
    format!(
        "{} validation error{plural} detected: {}",
        reported.len(),
        reported.join("; ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expired_iterator_reads_as_in_production() {
        let refused = Refused::ExpiredIterator {
            issued: Timestamp::from_secs(1_421_889_722),
            now: Timestamp::from_secs(1_421_890_082),
        };
        assert_eq!(
            refused.to_string(),
            "Iterator expired. The iterator was created at time Thu Jan 22 01:22:02 UTC 2015 while \
             right now it is Thu Jan 22 01:28:02 UTC 2015 which is further in the future than the \
             tolerated delay of 300000 milliseconds."
        );
    }

    #[test]
    fn violations_are_counted_and_cut_at_ten() {
        let violations =
            |count: usize| Refused::Violations(vec!["v".to_owned(); count]).to_string();
        assert_eq!(violations(1), "1 validation error detected: v");
        assert_eq!(violations(2), "2 validation errors detected: v; v");
        assert!(violations(11).starts_with("10 validation errors detected: v; "));
    }
}
