//! [`Queues`]: the handle through which the rest of the program uses queues; cheap to clone.
//!
//! What must hold: the catalog says what exists. A partition of ours that the catalog does not list is
//! what a crash left of a deleted queue, and is removed at the start. A queue is opened once, and its
//! messages come from the log.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use thiserror::Error;

use tidemill_log::{AppendError, Log, OpenError, Replicated, ServiceTag};
use tidemill_model::{Caller, Clock, Determinacy, Entropy, QueueArn, Region, Timestamp};
use tidemill_shapes::StorageFailure;
use tidemill_shapes::sqs::{InvalidAddress, QueueDoesNotExist};

use crate::catalog::{Catalog, Command, Listed, Outcome};
use crate::content::{self, ContentError};
use crate::limits;
use crate::message::Content;
use crate::open_queue::{OpenQueue, QueueError, storage_failure};
use crate::queue;
use crate::url;

/// What [`Queues`] is made of.
pub struct QueuesParts {
    /// Where the messages are.
    pub log: Arc<dyn Log>,
    /// What queues exist; registered with the state log of the control commands.
    pub catalog: Replicated<Catalog>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Message ids and receipt handles.
    pub entropy: Arc<dyn Entropy>,
}

/// All queues.
#[derive(Clone)]
pub struct Queues {
    shared: Arc<Shared>,
}

struct Shared {
    parts: QueuesParts,
    opened: Mutex<BTreeMap<u64, Arc<OpenQueue>>>,
    /// Held while a queue is opened or deleted, so that neither happens twice or across the other.
    changing: tokio::sync::Mutex<()>,
}

/// Why queues could not be opened at the start.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RecoverError {
    /// The messages of a queue cannot be read.
    #[error("the messages of queue {queue} cannot be read")]
    Open {
        /// The queue.
        queue: QueueArn,
        /// Why not.
        source: OpenError,
    },
    /// What is left of a deleted queue cannot be removed.
    #[error("what is left of a deleted queue cannot be removed")]
    Remove(#[source] AppendError),
}

/// Why a message was not delivered.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DeliverError {
    /// The queue does not exist (any more).
    #[error("queue {queue} does not exist")]
    NoQueue {
        /// The queue.
        queue: QueueArn,
    },
    /// The queue does not take such a message.
    #[error("queue {queue} does not take the message")]
    Refused {
        /// The queue.
        queue: QueueArn,
        /// Why not.
        source: ContentError,
    },
    /// The message's id is empty or too long to be remembered.
    #[error("a message id has 1 to {max} bytes, not {bytes}", max = limits::DELIVERED_ID_CHARS_MAX)]
    MessageId {
        /// Its length.
        bytes: usize,
    },
    /// The storage below failed.
    #[error(transparent)]
    Storage(#[from] StorageFailure),
}

impl DeliverError {
    /// Whether the message surely is not in the queue.
    pub fn determinacy(&self) -> Determinacy {
        match self {
            DeliverError::NoQueue { .. }
            | DeliverError::Refused { .. }
            | DeliverError::MessageId { .. } => Determinacy::Determinate,
            DeliverError::Storage(failure) => failure.determinacy,
        }
    }
}

impl Queues {
    /// The queues that `parts` hold. Call [`Queues::recover`] once the catalog has been opened.
    pub fn new(parts: QueuesParts) -> Queues {
        let opened = Mutex::default();
        let changing = tokio::sync::Mutex::default();
        Queues {
            shared: Arc::new(Shared {
                parts,
                opened,
                changing,
            }),
        }
    }

    /// Reads the messages of all queues, and removes what a crash left of deleted ones.
    ///
    /// # Errors
    /// When messages cannot be read or a partition cannot be removed.
    pub async fn recover(&self) -> Result<(), RecoverError> {
        let listed: Vec<(QueueArn, Listed)> = self
            .catalog()
            .read(|catalog| catalog.iter().map(|(a, l)| (a.clone(), *l)).collect());
        let partitions: BTreeSet<_> = listed
            .iter()
            .map(|(_, listed)| listed.partition())
            .collect();
        let log = &self.shared.parts.log;
        for partition in log.partitions() {
            let is_ours = partition.owner() == Some(ServiceTag::Destinations);
            if is_ours && !partitions.contains(&partition) {
                log.delete(partition).await.map_err(RecoverError::Remove)?;
            }
        }
        for (queue, listed) in listed {
            let opened = self.open(&queue, listed).await;
            opened.map_err(|source| RecoverError::Open { queue, source })?;
        }
        Ok(())
    }

    /// Puts a message into `queue`; durable when it completes. A message that was delivered before under
    /// the same id is not delivered again, whether or not it has been received and deleted meanwhile.
    ///
    /// # Errors
    /// When the queue does not exist or does not take the message, or the storage fails.
    pub async fn deliver(
        &self,
        queue: &QueueArn,
        message_id: &str,
        body: String,
    ) -> Result<(), DeliverError> {
        if !(1..=limits::DELIVERED_ID_CHARS_MAX).contains(&message_id.len()) {
            return Err(DeliverError::MessageId {
                bytes: message_id.len(),
            });
        }
        let opened = self
            .find(queue)
            .await
            .map_err(|error| undelivered(queue, error))?;
        let content = Content {
            body,
            ..Content::default()
        };
        let settings = opened.listed().settings;
        content::check(&content, settings.message_bytes_max).map_err(|source| {
            DeliverError::Refused {
                queue: queue.clone(),
                source,
            }
        })?;
        let command = queue::Command::Send {
            id: message_id.to_owned(),
            once: true,
            sender: queue.account.to_string(),
            delay_secs: settings.delay_secs,
            content,
        };
        opened
            .send(command)
            .await
            .map_err(|error| undelivered(queue, error))?;
        Ok(())
    }

    /// Whether `queue` exists now.
    pub fn exists(&self, queue: &QueueArn) -> bool {
        self.catalog().read(|catalog| catalog.get(queue).is_some())
    }

    pub(crate) fn catalog(&self) -> &Replicated<Catalog> {
        &self.shared.parts.catalog
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.shared.parts.clock.now()
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        self.shared.parts.clock.as_ref()
    }

    pub(crate) fn entropy(&self) -> &dyn Entropy {
        self.shared.parts.entropy.as_ref()
    }

    /// The queue that `url` names to `caller`. Queues of other accounts are not to be seen.
    pub(crate) async fn at<E>(&self, caller: &Caller, url: &str) -> Result<Arc<OpenQueue>, E>
    where
        E: From<InvalidAddress> + From<QueueDoesNotExist> + From<StorageFailure>,
    {
        let arn = arn_at(&caller.region, url)?;
        if arn.account != caller.account {
            return Err(no_such_queue().into());
        }
        self.find(&arn).await.map_err(refused)
    }

    /// The queue called `arn`, opened if need be.
    pub(crate) async fn find(&self, arn: &QueueArn) -> Result<Arc<OpenQueue>, QueueError> {
        let listed = self
            .catalog()
            .read(|catalog| catalog.get(arn))
            .ok_or(QueueError::Gone)?;
        let opened = self
            .open(arn, listed)
            .await
            .map_err(|error| StorageFailure {
                detail: error.to_string(),
                determinacy: Determinacy::Determinate,
            })?;
        Ok(opened)
    }

    /// Opens a queue unless it is open.
    async fn open(&self, arn: &QueueArn, listed: Listed) -> Result<Arc<OpenQueue>, OpenError> {
        if let Some(opened) = self.opened().get(&listed.number) {
            return Ok(Arc::clone(opened));
        }
        let _changing = self.shared.changing.lock().await;
        if let Some(opened) = self.opened().get(&listed.number) {
            return Ok(Arc::clone(opened));
        }
        let log = Arc::clone(&self.shared.parts.log);
        let opened = Arc::new(OpenQueue::open(log, listed).await?);
        if self.catalog().read(|catalog| catalog.get(arn)) == Some(listed) {
            self.opened().insert(listed.number, Arc::clone(&opened));
        } else {
            opened.close();
        }
        Ok(opened)
    }

    /// Deletes a queue with its messages; durable when it completes. Once begun it is done whole, even
    /// when the caller is dropped meanwhile: the messages of a queue that the catalog does not list
    /// would take memory and space until the next start.
    pub(crate) async fn delete(&self, arn: QueueArn) -> Result<(), QueueError> {
        let queues = self.clone();
        let deleted = tokio::spawn(async move { queues.delete_whole(arn).await });
        deleted
            .await
            .expect("deleting does not panic, and nobody cuts it off")
    }

    async fn delete_whole(&self, arn: QueueArn) -> Result<(), QueueError> {
        let _changing = self.shared.changing.lock().await;
        let deleted = self.catalog().submit(Command::Delete { arn }).await;
        let listed = match deleted.map_err(|error| storage_failure(&error))? {
            Outcome::Deleted(listed) => listed,
            Outcome::Exists(_) | Outcome::Differs(_) | Outcome::Missing => {
                return Err(QueueError::Gone);
            }
        };
        if let Some(opened) = self.opened().remove(&listed.number) {
            opened.close();
        }
        // The queue is gone already: what cannot be removed now is removed at the next start.
        let partition = listed.partition();
        if let Err(error) = self.shared.parts.log.delete(partition).await {
            tracing::warn!(?partition, %error, "a deleted queue still takes space");
        }
        Ok(())
    }

    fn opened(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<OpenQueue>>> {
        self.shared
            .opened
            .lock()
            .expect("no holder of this lock panics")
    }
}

/// The queue that `url` names in `region`.
pub(crate) fn arn_at(region: &Region, url: &str) -> Result<QueueArn, InvalidAddress> {
    let (account, name) =
        url::parse(url).map_err(|error| InvalidAddress::new(error.to_string()))?;
    Ok(QueueArn {
        region: region.clone(),
        account,
        name,
    })
}

/// In AWS's words, which do not tell a queue that is missing from one that is another's.
pub(crate) fn no_such_queue() -> QueueDoesNotExist {
    QueueDoesNotExist::new("The specified queue does not exist or you do not have access to it.")
}

/// As an operation reports it.
pub(crate) fn refused<E>(error: QueueError) -> E
where
    E: From<QueueDoesNotExist> + From<StorageFailure>,
{
    match error {
        QueueError::Gone => no_such_queue().into(),
        QueueError::Storage(failure) => failure.into(),
    }
}

fn undelivered(queue: &QueueArn, error: QueueError) -> DeliverError {
    match error {
        QueueError::Gone => DeliverError::NoQueue {
            queue: queue.clone(),
        },
        QueueError::Storage(failure) => failure.into(),
    }
}

#[cfg(test)]
mod tests;
