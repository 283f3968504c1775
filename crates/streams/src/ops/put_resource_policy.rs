//! PutResourcePolicy:
//! <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutResourcePolicy.html>.
//!
//! Policies are kept and given back; nothing is allowed or refused by them.

use tidemill_model::Caller;
use tidemill_shapes::kinesis::{
    PutResourcePolicyError, PutResourcePolicyInput, PutResourcePolicyOutput,
};

use crate::command::{Command, ResourceChange};
use crate::limits::ControlOperation;
use crate::named_resource::named_resource;
use crate::policy;
use crate::refused::Refused;
use crate::streams::Streams;

/// Attaches a policy to a stream or a consumer, in place of the one that is there.
pub async fn put_resource_policy(
    streams: &Streams,
    caller: &Caller,
    input: PutResourcePolicyInput,
) -> Result<PutResourcePolicyOutput, PutResourcePolicyError> {
    let resource = named_resource(caller, "PutResourcePolicy", &input.resource_arn)?;
    streams.admit(ControlOperation::PutResourcePolicy, resource.stream())?;
    policy::check(&input.policy).map_err(|reason| Refused::NotAPolicy { reason })?;
    let change = ResourceChange::PutPolicy {
        policy: input.policy,
    };
    streams
        .submit(Command::Resource { resource, change })
        .await?;
    Ok(PutResourcePolicyOutput {})
}
