//! UntagResource:
//! <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_UntagResource.html>.

use tidemill_model::Caller;
use tidemill_shapes::kinesis::{UntagResourceError, UntagResourceInput, UntagResourceOutput};

use crate::command::{Command, ResourceChange};
use crate::limits::ControlOperation;
use crate::named_resource::named_resource;
use crate::streams::Streams;

/// Removes tags of a stream or a consumer; unknown keys are no matter.
pub async fn untag_resource(
    streams: &Streams,
    caller: &Caller,
    input: UntagResourceInput,
) -> Result<UntagResourceOutput, UntagResourceError> {
    let resource = named_resource(caller, "UntagResource", &input.resource_arn)?;
    streams.admit(ControlOperation::UntagResource, resource.stream())?;
    let change = ResourceChange::RemoveTags {
        keys: input.tag_keys,
    };
    streams
        .submit(Command::Resource { resource, change })
        .await?;
    Ok(UntagResourceOutput {})
}
