//! DescribeStream: <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_DescribeStream.html>.

use tidemill_model::{Caller, ShardId, Timestamp};
use tidemill_shapes::kinesis::{
    DescribeStreamError, DescribeStreamInput, DescribeStreamOutput, StreamDescription,
};

use crate::describe::{count, encryption, mode, monitoring, page, shard, status};
use crate::limits::{ControlOperation, DESCRIBE_SHARDS_MAX};
use crate::refused::Refused;
use crate::stream::{Status, Stream};
use crate::streams::{Streams, named_stream};

/// Describes a stream and a page of its shards.
pub async fn describe_stream(
    streams: &Streams,
    caller: &Caller,
    input: DescribeStreamInput,
) -> Result<DescribeStreamOutput, DescribeStreamError> {
    let (name, arn) = (input.stream_name.as_deref(), input.stream_arn.as_deref());
    let arn = named_stream(caller, "DescribeStream", name, arn)?;
    streams.admit(ControlOperation::DescribeStream, &arn)?;
    let shards_max = page(input.limit, DESCRIBE_SHARDS_MAX);
    let stream_description = streams.stream(&arn, |stream, now| {
        let after = match input.exclusive_start_shard_id {
            None => None,
            Some(shard) => {
                let stream = arn.clone();
                let id: Result<ShardId, _> = shard.parse();
                Some(id.map_err(|_| Refused::ShardNotFound { stream, shard })?)
            }
        };
        Ok(description(stream, after, shards_max, now))
    })?;
    Ok(DescribeStreamOutput { stream_description })
}

fn description(
    stream: &Stream,
    after: Option<ShardId>,
    shards_max: usize,
    now: Timestamp,
) -> StreamDescription {
    let state = stream
        .status(now)
        .expect("a stream that is gone is not found");
    // While a stream is created, its shards cannot be seen.
    let visible = stream
        .listed(now)
        .filter(|(id, _)| state != Status::Creating && after.is_none_or(|after| *id > after));
    let mut shards: Vec<_> = visible.take(shards_max + 1).collect();
    let has_more_shards = shards.len() > shards_max;
    shards.truncate(shards_max);
    let (encryption_type, key_id) = encryption(stream);
    StreamDescription {
        stream_name: stream.arn.name.clone(),
        stream_arn: stream.arn.to_string(),
        stream_status: status(state),
        stream_mode_details: Some(mode(stream.mode)),
        shards: shards
            .into_iter()
            .map(|(id, state)| shard(id, state))
            .collect(),
        has_more_shards,
        retention_period_hours: count(stream.retention_hours),
        stream_creation_timestamp: stream.created_at,
        enhanced_monitoring: monitoring(&stream.monitored),
        encryption_type: Some(encryption_type),
        key_id,
    }
}
