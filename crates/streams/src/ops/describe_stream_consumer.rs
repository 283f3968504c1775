//! DescribeStreamConsumer:
//! <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_DescribeStreamConsumer.html>.

use tidemill_model::Caller;
use tidemill_shapes::kinesis::{
    ConsumerDescription, DescribeStreamConsumerError, DescribeStreamConsumerInput,
    DescribeStreamConsumerOutput,
};

use crate::limits::ControlOperation;
use crate::named_consumer::{consumer_status, named_consumer};
use crate::streams::Streams;

/// Describes a consumer.
pub async fn describe_stream_consumer(
    streams: &Streams,
    caller: &Caller,
    input: DescribeStreamConsumerInput,
) -> Result<DescribeStreamConsumerOutput, DescribeStreamConsumerError> {
    let named = named_consumer(
        caller,
        "DescribeStreamConsumer",
        input.consumer_arn.as_deref(),
        input.stream_arn.as_deref(),
        input.consumer_name.as_deref(),
    )?;
    streams.admit(ControlOperation::DescribeStreamConsumer, &named.stream)?;
    let found = streams.consumer(&named)?;
    let consumer_description = ConsumerDescription {
        consumer_arn: found.arn.to_string(),
        consumer_name: found.arn.name,
        consumer_status: consumer_status(found.status),
        consumer_creation_timestamp: found.created_at,
        stream_arn: found.arn.stream.to_string(),
    };
    Ok(DescribeStreamConsumerOutput {
        consumer_description,
    })
}
