//! DeleteStream: <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_DeleteStream.html>.

use tidemill_model::Caller;
use tidemill_shapes::kinesis::{DeleteStreamError, DeleteStreamInput, DeleteStreamOutput};

use crate::command::Command;
use crate::limits::ControlOperation;
use crate::streams::{Streams, named_stream};

/// Deletes a stream and all its records.
pub async fn delete_stream(
    streams: &Streams,
    caller: &Caller,
    input: DeleteStreamInput,
) -> Result<DeleteStreamOutput, DeleteStreamError> {
    let (name, arn) = (input.stream_name.as_deref(), input.stream_arn.as_deref());
    let stream = named_stream(caller, "DeleteStream", name, arn)?;
    streams.admit(ControlOperation::DeleteStream, &stream)?;
    let shards = streams.stream(&stream, |stream, _| {
        Ok(stream
            .shards
            .values()
            .map(|shard| shard.partition_id())
            .collect::<Vec<_>>())
    })?;
    let delay = streams.settings().state_delay;
    streams
        .submit(Command::DeleteStream {
            stream,
            enforce_consumer_deletion: input.enforce_consumer_deletion == Some(true),
            delay,
        })
        .await?;
    streams.delete_unnamed(shards).await;
    Ok(DeleteStreamOutput {})
}
