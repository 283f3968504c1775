//! DeleteMessage: a message that was received is not received again.
//!
//! Each receipt of a message deletes it, an older one too. Deleting what is not there succeeds.

use tidemill_model::Caller;
use tidemill_shapes::sqs::{
    DeleteMessageError, DeleteMessageInput, DeleteMessageOutput, ReceiptHandleIsInvalid,
};

use crate::queues::{Queues, refused};
use crate::receipt::Receipt;

/// Deletes the message that a receipt handle names.
///
/// # Errors
/// When the queue does not exist, the handle is none of its own, or the storage fails.
pub async fn delete_message(
    queues: &Queues,
    caller: &Caller,
    input: DeleteMessageInput,
) -> Result<DeleteMessageOutput, DeleteMessageError> {
    let queue = queues
        .at::<DeleteMessageError>(caller, &input.queue_url)
        .await?;
    let receipt = match input.receipt_handle.parse::<Receipt>() {
        Ok(receipt) if receipt.queue == queue.listed().number => receipt,
        _ => return Err(invalid(&input.receipt_handle).into()),
    };
    queue
        .delete(receipt.key, queues.now())
        .await
        .map_err(refused::<DeleteMessageError>)?;
    Ok(DeleteMessageOutput {})
}

fn invalid(handle: &str) -> ReceiptHandleIsInvalid {
    let message = format!("The input receipt handle \"{handle}\" is not a valid receipt handle.");
    ReceiptHandleIsInvalid::new(message)
}
