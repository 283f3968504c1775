//! GetResourcePolicy:
//! <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetResourcePolicy.html>.

use tidemill_model::Caller;
use tidemill_shapes::kinesis::{
    GetResourcePolicyError, GetResourcePolicyInput, GetResourcePolicyOutput,
};

use crate::limits::ControlOperation;
use crate::named_resource::named_resource;
use crate::refused::Refused;
use crate::streams::Streams;

/// Gives the policy of a stream or a consumer; an empty object when it has none, as AWS does.
pub async fn get_resource_policy(
    streams: &Streams,
    caller: &Caller,
    input: GetResourcePolicyInput,
) -> Result<GetResourcePolicyOutput, GetResourcePolicyError> {
    let resource = named_resource(caller, "GetResourcePolicy", &input.resource_arn)?;
    streams.admit(ControlOperation::GetResourcePolicy, resource.stream())?;
    let policy = streams.catalog(|catalog, now| {
        let (_, policy) = catalog.attached(&resource, now)?;
        Ok::<_, Refused>(policy.unwrap_or("{}").to_owned())
    })?;
    Ok(GetResourcePolicyOutput { policy })
}
