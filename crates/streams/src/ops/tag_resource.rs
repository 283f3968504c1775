//! TagResource:
//! <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_TagResource.html>.

use tidemill_model::Caller;
use tidemill_shapes::kinesis::{TagResourceError, TagResourceInput, TagResourceOutput};

use crate::command::{Command, ResourceChange};
use crate::limits::ControlOperation;
use crate::named_resource::named_resource;
use crate::streams::Streams;
use crate::tags::check_resource_characters;

/// Sets tags of a stream or a consumer, in place of those of the same key.
pub async fn tag_resource(
    streams: &Streams,
    caller: &Caller,
    input: TagResourceInput,
) -> Result<TagResourceOutput, TagResourceError> {
    let resource = named_resource(caller, "TagResource", &input.resource_arn)?;
    streams.admit(ControlOperation::TagResource, resource.stream())?;
    check_resource_characters(input.tags.iter().flat_map(|(key, value)| [key, value]))?;
    let change = ResourceChange::AddTags { tags: input.tags };
    streams
        .submit(Command::Resource { resource, change })
        .await?;
    Ok(TagResourceOutput {})
}
