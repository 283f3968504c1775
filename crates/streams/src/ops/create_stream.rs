//! CreateStream: <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_CreateStream.html>.

use tidemill_model::Caller;
use tidemill_shapes::kinesis::{
    CreateStreamError, CreateStreamInput, CreateStreamOutput, RecordDistributionStrategy,
    StreamMode,
};

use crate::command::{Command, NewStream};
use crate::control::warm_mibps;
use crate::distribution::Distribution;
use crate::limits::{ControlOperation, ON_DEMAND_SHARDS, RECORD_KIB_DEFAULT, WARM_MIBPS_MAX};
use crate::refused::Refused;
use crate::stream::Mode;
use crate::streams::{Streams, own_stream};
use crate::tags::check_stream_tags;

/// Creates a stream.
pub async fn create_stream(
    streams: &Streams,
    caller: &Caller,
    input: CreateStreamInput,
) -> Result<CreateStreamOutput, CreateStreamError> {
    let arn = own_stream(caller, &input.stream_name);
    streams.admit(ControlOperation::CreateStream, &arn)?;
    let warm_mibps = warm_mibps(input.warm_throughput_mibps);
    let (mode, shard_count) = capacity(&input)?;
    let shard_count = match mode {
        Mode::Provisioned => shard_count,
        // What is above the most that can be kept ready is refused, and must not cost anything before.
        Mode::OnDemand => shard_count.max(warm_mibps.unwrap_or_default().min(WARM_MIBPS_MAX)),
    };
    let record_kib_max = input
        .max_record_size_in_kib
        .and_then(|kib| u32::try_from(kib).ok());
    let tags = input.tags.unwrap_or_default();
    let texts = tags.iter().flat_map(|(key, value)| [key, value]);
    check_stream_tags(texts, &arn, "add tags to")?;
    let quotas = streams.quotas(&arn);
    let new = NewStream {
        arn,
        mode,
        shard_count,
        record_kib_max: record_kib_max.unwrap_or(RECORD_KIB_DEFAULT),
        distribution: distribution(input.record_distribution_strategy),
        tags,
        warm_mibps,
    };
    let delay = streams.settings().state_delay;
    streams
        .submit(Command::CreateStream { new, quotas, delay })
        .await?;
    Ok(CreateStreamOutput {})
}

fn distribution(strategy: Option<RecordDistributionStrategy>) -> Distribution {
    match strategy {
        None | Some(RecordDistributionStrategy::UserPartitionKey) => Distribution::UserPartitionKey,
        Some(RecordDistributionStrategy::Auto) => Distribution::Auto,
    }
}

/// The mode and the first shards: who says neither gets an on-demand stream.
fn capacity(input: &CreateStreamInput) -> Result<(Mode, u32), Refused> {
    let mode = input
        .stream_mode_details
        .as_ref()
        .map(|details| &details.stream_mode);
    let shard_count = input
        .shard_count
        .and_then(|count| u32::try_from(count).ok());
    match (mode, shard_count) {
        (None | Some(StreamMode::OnDemand), None) => Ok((Mode::OnDemand, ON_DEMAND_SHARDS)),
        (Some(StreamMode::OnDemand), Some(_)) => Err(Refused::ShardCountOnDemand),
        (None | Some(StreamMode::Provisioned), Some(count)) => Ok((Mode::Provisioned, count)),
        (Some(StreamMode::Provisioned), None) => Err(Refused::NoShardCount),
    }
}
