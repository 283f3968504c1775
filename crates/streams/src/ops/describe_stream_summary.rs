//! DescribeStreamSummary:
//! <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_DescribeStreamSummary.html>.

use tidemill_model::{Caller, Timestamp};
use tidemill_shapes::kinesis::{
    DescribeStreamSummaryError, DescribeStreamSummaryInput, DescribeStreamSummaryOutput,
    StreamDescriptionSummary,
};

use crate::describe::{count, distribution, encryption, mode, monitoring, status, warm_throughput};
use crate::limits::ControlOperation;
use crate::stream::{Status, Stream};
use crate::streams::{Streams, named_stream};

/// Describes a stream without its shards.
pub async fn describe_stream_summary(
    streams: &Streams,
    caller: &Caller,
    input: DescribeStreamSummaryInput,
) -> Result<DescribeStreamSummaryOutput, DescribeStreamSummaryError> {
    let (name, arn) = (input.stream_name.as_deref(), input.stream_arn.as_deref());
    let arn = named_stream(caller, "DescribeStreamSummary", name, arn)?;
    streams.admit(ControlOperation::DescribeStreamSummary, &arn)?;
    let stream_description_summary =
        streams.stream(&arn, |stream, now| Ok(summary(stream, now)))?;
    Ok(DescribeStreamSummaryOutput {
        stream_description_summary,
    })
}

fn summary(stream: &Stream, now: Timestamp) -> StreamDescriptionSummary {
    let state = stream
        .status(now)
        .expect("a stream that is gone is not found");
    let open_shards = if state == Status::Creating {
        0
    } else {
        stream.open_shards()
    };
    let consumers = stream.consumers(now).count();
    let consumers = i32::try_from(consumers).unwrap_or(i32::MAX);
    let (encryption_type, key_id) = encryption(stream);
    StreamDescriptionSummary {
        stream_name: stream.arn.name.clone(),
        stream_arn: stream.arn.to_string(),
        stream_id: None,
        stream_status: status(state),
        stream_mode_details: Some(mode(stream.mode)),
        retention_period_hours: count(stream.retention_hours),
        stream_creation_timestamp: stream.created_at,
        enhanced_monitoring: monitoring(&stream.monitored),
        encryption_type: Some(encryption_type),
        key_id,
        open_shard_count: count(open_shards),
        consumer_count: Some(consumers),
        channel_count: None,
        queue_count: None,
        warm_throughput: warm_throughput(stream),
        max_record_size_in_kib: Some(count(stream.record_kib_max)),
        record_distribution_strategy: distribution(stream),
    }
}
