//! AddTagsToStream: <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_AddTagsToStream.html>.

use tidemill_model::Caller;
use tidemill_shapes::kinesis::{AddTagsToStreamError, AddTagsToStreamInput, AddTagsToStreamOutput};

use crate::command::Command;
use crate::limits::ControlOperation;
use crate::streams::{Streams, named_stream};
use crate::tags::check_stream_tags;

/// Sets tags, in place of those of the same key.
pub async fn add_tags_to_stream(
    streams: &Streams,
    caller: &Caller,
    input: AddTagsToStreamInput,
) -> Result<AddTagsToStreamOutput, AddTagsToStreamError> {
    let (name, arn) = (input.stream_name.as_deref(), input.stream_arn.as_deref());
    let stream = named_stream(caller, "AddTagsToStream", name, arn)?;
    streams.admit(ControlOperation::AddTagsToStream, &stream)?;
    streams.stream(&stream, |_, _| Ok(()))?;
    let texts = input.tags.iter().flat_map(|(key, value)| [key, value]);
    check_stream_tags(texts, &stream, "add tags to")?;
    streams
        .submit(Command::AddTags {
            stream,
            tags: input.tags,
        })
        .await?;
    Ok(AddTagsToStreamOutput {})
}
