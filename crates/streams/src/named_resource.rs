//! How an operation names a stream or a consumer by one ARN.

use tidemill_model::Caller;

use crate::refused::Refused;
use crate::resource::Resource;
use crate::streams::check_owner;

/// The caller's resource with the ARN `text`. Queues and channels are not supported, so there is none
/// that could be found.
pub(crate) fn named_resource(
    caller: &Caller,
    operation: &'static str,
    text: &str,
) -> Result<Resource, Refused> {
    let arn = || text.to_owned();
    let resource = if let Ok(consumer) = text.parse() {
        Resource::Consumer(consumer)
    } else if let Ok(stream) = text.parse() {
        Resource::Stream(stream)
    } else if text.contains(":queue/") || text.contains(":channel/") {
        return Err(Refused::ResourceNotFound { arn: arn() });
    } else {
        return Err(Refused::NotAResourceArn { arn: arn() });
    };
    check_owner(caller, operation, resource.stream())?;
    if resource.stream().region != caller.region {
        let stream = resource.stream().clone();
        return Err(Refused::StreamNotFound { stream });
    }
    Ok(resource)
}
