//! A queue in use: [`OpenQueue`], which holds the durable machine and the visibility beside it.
//!
//! What must hold: the lock on the visibility is taken before the one inside the machine, and neither is
//! held over an await. Whoever waits for messages is told when one arrives and when the queue is gone.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use thiserror::Error;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use tidemill_log::{AppendError, Log, OpenError, Replicated, StateLog};
use tidemill_model::Timestamp;
use tidemill_shapes::StorageFailure;

use crate::catalog::Listed;
use crate::queue::{Command, Key, Outcome, Queue};
use crate::visibility::{Counts, Received, TooManyInFlight, Visibility};

/// Why a queue could not be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum QueueError {
    /// It does not exist (any more).
    #[error("the queue does not exist")]
    Gone,
    /// The storage below failed.
    #[error(transparent)]
    Storage(#[from] StorageFailure),
}

/// A queue whose messages have been read from the log.
pub struct OpenQueue {
    listed: Listed,
    machine: Replicated<Queue>,
    visibility: Mutex<Visibility>,
    changed: Notify,
    gone: AtomicBool,
}

impl OpenQueue {
    /// Reads the messages of `listed`.
    ///
    /// # Errors
    /// When they cannot be read; nothing has been changed.
    pub async fn open(log: Arc<dyn Log>, listed: Listed) -> Result<OpenQueue, OpenError> {
        let mut state_log = StateLog::new(log, listed.partition());
        let machine = state_log.register(Queue::new(listed.settings.retention_secs));
        state_log.open().await?;
        Ok(OpenQueue {
            listed,
            machine,
            visibility: Mutex::default(),
            changed: Notify::new(),
            gone: AtomicBool::new(false),
        })
    }

    /// The queue as the catalog lists it.
    pub fn listed(&self) -> &Listed {
        &self.listed
    }

    /// Adds a message; durable when it completes.
    ///
    /// # Errors
    /// When the queue is gone or the storage fails.
    pub async fn send(&self, command: Command) -> Result<Outcome, QueueError> {
        let outcome = self.submit(command).await?;
        self.changed.notify_waiters();
        Ok(outcome)
    }

    /// Deletes a message; durable when it completes. One that is not there costs nothing.
    ///
    /// # Errors
    /// When the queue is gone or the storage fails.
    pub async fn delete(&self, key: Key, now: Timestamp) -> Result<(), QueueError> {
        if self.machine.read(|queue| queue.get(key, now).is_some()) {
            self.submit(Command::Delete { key }).await?;
        }
        self.visibility().forget(key);
        Ok(())
    }

    /// Deletes all messages; durable when it completes. Says whether the last purge is long enough ago.
    ///
    /// # Errors
    /// When the queue is gone or the storage fails.
    pub async fn purge(&self, now: Timestamp) -> Result<Outcome, QueueError> {
        let outcome = self.submit(Command::Purge).await?;
        self.forget_missing(now);
        Ok(outcome)
    }

    /// Frees the space of messages that are too old. They are not given out in any case.
    pub async fn expire(&self, now: Timestamp) {
        if self.machine.read(|queue| queue.has_expired(now)) {
            // A failure loses nothing: the next receive tries again.
            if let Err(error) = self.submit(Command::Expire).await {
                tracing::warn!(partition = ?self.listed.partition(), %error, "space was not freed");
            }
            self.forget_missing(now);
        }
    }

    /// Gives out up to `count_max` messages and hides them for `hide_for`.
    ///
    /// # Errors
    /// When too many messages are in flight.
    pub fn receive(
        &self,
        now: Timestamp,
        count_max: usize,
        hide_for: Duration,
    ) -> Result<Vec<Received>, TooManyInFlight> {
        let mut visibility = self.visibility();
        self.machine
            .read(|queue| visibility.receive(queue, now, count_max, hide_for))
    }

    /// When the next message that is hidden becomes visible.
    pub fn next_visible_at(&self) -> Option<Timestamp> {
        self.visibility().next_visible_at()
    }

    /// Counts the messages.
    pub fn counts(&self, now: Timestamp) -> Counts {
        let mut visibility = self.visibility();
        self.machine.read(|queue| visibility.counts(queue, now))
    }

    /// Completes when a message arrives, or the queue is gone, after this call and the first poll (or
    /// `enable`) of what it gives.
    pub fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }

    /// Tells whoever waits that the queue has been deleted.
    pub fn close(&self) {
        self.gone.store(true, Ordering::SeqCst);
        self.changed.notify_waiters();
    }

    /// Whether the queue has been deleted.
    pub fn is_gone(&self) -> bool {
        self.gone.load(Ordering::SeqCst)
    }

    async fn submit(&self, command: Command) -> Result<Outcome, QueueError> {
        self.machine
            .submit(command)
            .await
            .map_err(|error| match error {
                // The partition takes no more entries because it has been deleted.
                AppendError::Sealed(_) => QueueError::Gone,
                error => storage_failure(&error).into(),
            })
    }

    fn forget_missing(&self, now: Timestamp) {
        let mut visibility = self.visibility();
        self.machine
            .read(|queue| visibility.forget_missing(queue, now));
    }

    fn visibility(&self) -> MutexGuard<'_, Visibility> {
        self.visibility
            .lock()
            .expect("no holder of this lock panics")
    }
}

/// An append that failed, as operations report it.
pub fn storage_failure(error: &AppendError) -> StorageFailure {
    StorageFailure {
        detail: error.to_string(),
        determinacy: error.determinacy(),
    }
}
