//! DeregisterStreamConsumer:
//! <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_DeregisterStreamConsumer.html>.

use tidemill_model::Caller;
use tidemill_shapes::kinesis::{
    DeregisterStreamConsumerError, DeregisterStreamConsumerInput, DeregisterStreamConsumerOutput,
};

use crate::command::{Command, ConsumerChange};
use crate::limits::ControlOperation;
use crate::named_consumer::named_consumer;
use crate::streams::Streams;

/// Deregisters a consumer.
pub async fn deregister_stream_consumer(
    streams: &Streams,
    caller: &Caller,
    input: DeregisterStreamConsumerInput,
) -> Result<DeregisterStreamConsumerOutput, DeregisterStreamConsumerError> {
    let named = named_consumer(
        caller,
        "DeregisterStreamConsumer",
        input.consumer_arn.as_deref(),
        input.stream_arn.as_deref(),
        input.consumer_name.as_deref(),
    )?;
    streams.admit(ControlOperation::DeregisterStreamConsumer, &named.stream)?;
    let change = ConsumerChange::Deregister {
        created_secs: named.created_secs,
        delay: streams.settings().state_delay,
    };
    streams
        .submit(Command::Consumer {
            stream: named.stream,
            name: named.name,
            change,
        })
        .await?;
    Ok(DeregisterStreamConsumerOutput {})
}
