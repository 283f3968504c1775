//! DeleteResourcePolicy:
//! <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_DeleteResourcePolicy.html>.

use tidemill_model::Caller;
use tidemill_shapes::kinesis::{
    DeleteResourcePolicyError, DeleteResourcePolicyInput, DeleteResourcePolicyOutput,
};

use crate::command::{Command, ResourceChange};
use crate::limits::ControlOperation;
use crate::named_resource::named_resource;
use crate::streams::Streams;

/// Removes the policy of a stream or a consumer.
pub async fn delete_resource_policy(
    streams: &Streams,
    caller: &Caller,
    input: DeleteResourcePolicyInput,
) -> Result<DeleteResourcePolicyOutput, DeleteResourcePolicyError> {
    let resource = named_resource(caller, "DeleteResourcePolicy", &input.resource_arn)?;
    streams.admit(ControlOperation::DeleteResourcePolicy, resource.stream())?;
    let change = ResourceChange::DeletePolicy;
    streams
        .submit(Command::Resource { resource, change })
        .await?;
    Ok(DeleteResourcePolicyOutput {})
}
