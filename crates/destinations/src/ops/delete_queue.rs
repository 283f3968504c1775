//! DeleteQueue: a queue and all its messages. Its name is free at once.

use tidemill_model::Caller;
use tidemill_shapes::sqs::{DeleteQueueError, DeleteQueueInput, DeleteQueueOutput};

use crate::queues::{Queues, arn_at, no_such_queue, refused};

/// Deletes a queue.
///
/// # Errors
/// When the queue does not exist or the storage fails.
pub async fn delete_queue(
    queues: &Queues,
    caller: &Caller,
    input: DeleteQueueInput,
) -> Result<DeleteQueueOutput, DeleteQueueError> {
    let arn = arn_at(&caller.region, &input.queue_url)?;
    if arn.account != caller.account {
        return Err(no_such_queue().into());
    }
    queues
        .delete(arn)
        .await
        .map_err(refused::<DeleteQueueError>)?;
    Ok(DeleteQueueOutput {})
}
