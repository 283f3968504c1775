//! Mappings to queues: what a mapping gives up goes to an SQS queue.

use std::sync::Arc;

use tidemill_destinations::{Queues, envelope};
use tidemill_mapping::ports::{DeliveryError, Destination, Unsupported};
use tidemill_model::fault::{Fault, Faults, Seam};
use tidemill_model::given_up::GivenUp;
use tidemill_model::{BoxFuture, Clock, Determinacy, QueueArn};

/// The destinations that a mapping can name.
pub struct QueueDestination {
    /// The queues.
    pub queues: Queues,
    /// The armed faults.
    pub faults: Faults,
    /// Time, for faults that delay.
    pub clock: Arc<dyn Clock>,
}

impl Destination for QueueDestination {
    fn supports(&self, arn: &str) -> Result<(), Unsupported> {
        let queue: QueueArn = arn.parse().map_err(|_| Unsupported {
            reason: format!(
                "Destination {arn} is not supported by this version of Tidemill: give the ARN of an \
                 SQS queue."
            ),
        })?;
        if queue.name.ends_with(".fifo") {
            let reason = format!("Destination {arn} is a FIFO queue: give a standard queue.");
            return Err(Unsupported { reason });
        }
        Ok(())
    }

    fn deliver<'a>(
        &'a self,
        arn: &'a str,
        message: &'a GivenUp,
    ) -> BoxFuture<'a, Result<(), DeliveryError>> {
        Box::pin(async move {
            let failed = |determinacy, detail: String| DeliveryError {
                determinacy,
                detail,
            };
            let queue: QueueArn = arn
                .parse()
                .map_err(|error| failed(Determinacy::Determinate, format!("{error}")))?;
            let fault = self.faults.at(Seam::DestinationDelivery);
            match &fault {
                Some(Fault::Fail) => {
                    let detail = "a fault is armed at the delivery".to_owned();
                    return Err(failed(Determinacy::Determinate, detail));
                }
                Some(Fault::Delay(duration)) => {
                    self.clock
                        .sleep_until(self.clock.now().plus(*duration))
                        .await;
                }
                Some(Fault::LoseAnswer) | None => {}
            }
            let body = envelope::of_given_up(message);
            let delivered = self.queues.deliver(&queue, &message.message_id, body).await;
            if fault == Some(Fault::LoseAnswer) {
                let detail = "a fault lost the answer of the delivery".to_owned();
                return Err(failed(Determinacy::Indeterminate, detail));
            }
            delivered.map_err(|error| failed(error.determinacy(), error.to_string()))
        })
    }
}
