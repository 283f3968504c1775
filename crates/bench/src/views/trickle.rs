//! Records that come in beside a measurement: [`Trickle`].
//!
//! What must hold: they come at a steady rate, a few at a time, however fast they are taken; when they
//! stop coming by themselves, the measurement fails with why.

use std::time::Duration;

use tokio::task::JoinHandle;

use tidemill_model::Clock;
use tidemill_server::clock::SystemClock;

use crate::client::{Client, Failure};
use crate::views::records::Records;
use crate::views::subject::{ViewsBenchError, wrong};

/// Between two puts.
const TICK: Duration = Duration::from_millis(10);
/// Puts of a second.
const TICKS: u64 = 100;

/// Puts on until it is ended or dropped.
pub struct Trickle(JoinHandle<Failure>);

impl Trickle {
    /// Begins to put `rate` records of `records` per second into `stream`, from number `first` on.
    pub fn start(
        client: &Client,
        records: Records,
        stream: &'static str,
        first: u64,
        rate: u64,
    ) -> Trickle {
        let client = client.clone();
        let each = (rate / TICKS).max(1);
        Trickle(tokio::spawn(async move {
            let mut next = first;
            let mut at = SystemClock.now();
            loop {
                let body = records.body(stream, next..next + each);
                let call = client.prepare_kinesis("PutRecords", body);
                if let Err(failure) = client.send(&call).await {
                    return failure;
                }
                next += each;
                at = at.plus(TICK);
                SystemClock.sleep_until(at).await;
            }
        }))
    }

    /// Ends it.
    pub async fn end(mut self) -> Result<(), ViewsBenchError> {
        if self.0.is_finished() {
            let failure = (&mut self.0).await;
            return Err(failure.map_or_else(
                |stopped| wrong(format!("records stopped coming: {stopped}")),
                ViewsBenchError::from,
            ));
        }
        Ok(())
    }
}

impl Drop for Trickle {
    fn drop(&mut self) {
        self.0.abort();
    }
}
