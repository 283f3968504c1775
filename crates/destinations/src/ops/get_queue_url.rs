//! GetQueueUrl: from a queue's name to its URL.

use tidemill_model::{Caller, QueueArn};
use tidemill_shapes::sqs::{GetQueueUrlError, GetQueueUrlInput, GetQueueUrlOutput};

use crate::queues::{Queues, no_such_queue};
use crate::url;

/// The URL of a queue of the caller's own account.
///
/// # Errors
/// When the queue does not exist, or belongs to another account.
pub async fn get_queue_url(
    queues: &Queues,
    caller: &Caller,
    base_url: &str,
    input: GetQueueUrlInput,
) -> Result<GetQueueUrlOutput, GetQueueUrlError> {
    let owner = input.queue_owner_aws_account_id;
    let is_own = owner.is_none_or(|owner| owner == caller.account.as_str());
    let arn = QueueArn {
        region: caller.region.clone(),
        account: caller.account.clone(),
        name: input.queue_name,
    };
    if !is_own || !queues.exists(&arn) {
        return Err(no_such_queue().into());
    }
    Ok(GetQueueUrlOutput {
        queue_url: Some(url::of(base_url, &arn)),
    })
}
