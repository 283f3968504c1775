//! PurgeQueue: all messages of a queue at once, hidden ones too; at most once a minute.

use tidemill_model::Caller;
use tidemill_shapes::sqs::{
    PurgeQueueError, PurgeQueueInProgress, PurgeQueueInput, PurgeQueueOutput,
};

use crate::queue::Outcome;
use crate::queues::{Queues, arn_at, refused};

/// Deletes all messages of a queue.
///
/// # Errors
/// When the queue does not exist, the last purge is too recent, or the storage fails.
pub async fn purge_queue(
    queues: &Queues,
    caller: &Caller,
    input: PurgeQueueInput,
) -> Result<PurgeQueueOutput, PurgeQueueError> {
    let queue = queues
        .at::<PurgeQueueError>(caller, &input.queue_url)
        .await?;
    match queue
        .purge(queues.now())
        .await
        .map_err(refused::<PurgeQueueError>)?
    {
        Outcome::PurgedRecently => {
            let name = arn_at(&caller.region, &input.queue_url)?.name;
            Err(PurgeQueueInProgress::new(format!(
                "Only one PurgeQueue operation on {name} is allowed every 60 seconds."
            ))
            .into())
        }
        Outcome::Purged => Ok(PurgeQueueOutput {}),
        outcome @ (Outcome::Sent | Outcome::SecondCopy | Outcome::Deleted | Outcome::Expired) => {
            unreachable!("purging came to {outcome:?}")
        }
    }
}
