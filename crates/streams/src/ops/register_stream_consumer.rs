//! RegisterStreamConsumer:
//! <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_RegisterStreamConsumer.html>.

use tidemill_model::{Caller, ConsumerArn};
use tidemill_shapes::kinesis::{
    RegisterStreamConsumerError, RegisterStreamConsumerInput, RegisterStreamConsumerOutput,
};

use crate::command::{Command, ConsumerChange};
use crate::consumer::ConsumerStatus;
use crate::limits::ControlOperation;
use crate::named_consumer::{listed, stream_of_consumers};
use crate::streams::Streams;
use crate::tags::check_characters;

/// Registers a consumer of a stream. The answer says CREATING, as AWS's does even when the consumer
/// is active a moment later: those who wait for ACTIVE ask DescribeStreamConsumer.
pub async fn register_stream_consumer(
    streams: &Streams,
    caller: &Caller,
    input: RegisterStreamConsumerInput,
) -> Result<RegisterStreamConsumerOutput, RegisterStreamConsumerError> {
    let stream = stream_of_consumers(caller, "RegisterStreamConsumer", &input.stream_arn)?;
    streams.admit(ControlOperation::RegisterStreamConsumer, &stream)?;
    let tags = input.tags.unwrap_or_default();
    check_characters(tags.iter().flat_map(|(key, value)| [key, value]))?;
    let change = ConsumerChange::Register {
        tags,
        quotas: streams.consumer_quotas(&stream),
        delay: streams.settings().state_delay,
    };
    let name = input.consumer_name;
    let command = Command::Consumer {
        stream: stream.clone(),
        name: name.clone(),
        change,
    };
    let created_at = streams.submit(command).await?;
    let created_secs = created_at.as_secs();
    let arn = ConsumerArn {
        stream,
        name,
        created_secs,
    };
    Ok(RegisterStreamConsumerOutput {
        consumer: listed(&arn, created_at, ConsumerStatus::Creating),
    })
}
