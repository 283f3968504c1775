//! RemoveTagsFromStream:
//! <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_RemoveTagsFromStream.html>.

use tidemill_model::Caller;
use tidemill_shapes::kinesis::{
    RemoveTagsFromStreamError, RemoveTagsFromStreamInput, RemoveTagsFromStreamOutput,
};

use crate::command::Command;
use crate::limits::ControlOperation;
use crate::streams::{Streams, named_stream};
use crate::tags::check_stream_tags;

/// Removes tags; unknown keys are no matter.
pub async fn remove_tags_from_stream(
    streams: &Streams,
    caller: &Caller,
    input: RemoveTagsFromStreamInput,
) -> Result<RemoveTagsFromStreamOutput, RemoveTagsFromStreamError> {
    let (name, arn) = (input.stream_name.as_deref(), input.stream_arn.as_deref());
    let stream = named_stream(caller, "RemoveTagsFromStream", name, arn)?;
    streams.admit(ControlOperation::RemoveTagsFromStream, &stream)?;
    streams.stream(&stream, |_, _| Ok(()))?;
    check_stream_tags(&input.tag_keys, &stream, "remove tags from")?;
    streams
        .submit(Command::RemoveTags {
            stream,
            keys: input.tag_keys,
        })
        .await?;
    Ok(RemoveTagsFromStreamOutput {})
}
