//! A service's durable state: [`StateMachine`], and [`StateLog`], which carries its commands.
//!
//! What must hold: a machine changes through its commands only, in the order they stand in the
//! partition, and a command is applied when it is durable and not before. The command that is applied
//! is the one that reads back from its bytes, so that a start gives the same state as the run did.
//! Whether a command may happen is decided where it is applied: two that were submitted at once cannot
//! both pass a check.
//!
//! One task for each [`StateLog`] appends what waits as one group, applies it, and answers the
//! callers; a caller that has gone changes nothing. Every so many commands the task takes a snapshot
//! of all machines and trims the commands before it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

use tidemill_model::Timestamp;

use crate::envelope::{Envelope, EnvelopeError, Section, decode_sections, encode_sections};
use crate::limits::{COMMANDS_GROUP_BYTES, COMMANDS_GROUP_MAX, COMMANDS_WAITING_MAX};
use crate::partition_id::{PartitionId, ServiceTag};
use crate::port::{AppendError, Appended, Entry, Log, Position, ReadError, Snapshot};
use crate::sizes::checked_entry;

const SNAPSHOT_EVERY_DEFAULT: u64 = 10_000;
const REPLAY_ENTRIES: usize = 4096;
const REPLAY_BYTES: usize = 4 * 1024 * 1024;

/// A service's durable state: pure and deterministic; its commands stand in the log.
pub trait StateMachine: Send + 'static {
    /// What changes the state. Must read back from its JSON as it was written.
    type Command: Serialize + DeserializeOwned + Send + 'static;
    /// What a command came to; a `Result` where it can be refused.
    type Outcome: Send + 'static;
    /// The service; at most one machine of a state log carries it.
    const SERVICE: ServiceTag;
    /// Raised when commands or snapshots change so that an older program would misread them.
    const VERSION: u16;

    /// Applies `command`, whose entry stands at `position` and arrived at `at`. Reads no clock and
    /// draws no chance.
    fn apply(&mut self, at: Timestamp, position: Position, command: Self::Command)
    -> Self::Outcome;

    /// The whole state, as [`StateMachine::restore`] reads it.
    fn snapshot(&self) -> Bytes;

    /// The state that `snapshot` holds; it may be of an older version.
    fn restore(snapshot: &[u8]) -> Result<Self, RestoreError>
    where
        Self: Sized;
}

/// Why a machine cannot read a snapshot or a command.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{detail}")]
pub struct RestoreError {
    /// What does not fit.
    pub detail: String,
}

impl RestoreError {
    /// With `detail` in the machine's words.
    pub fn new(detail: impl fmt::Display) -> RestoreError {
        RestoreError {
            detail: detail.to_string(),
        }
    }
}

impl From<serde_json::Error> for RestoreError {
    fn from(error: serde_json::Error) -> RestoreError {
        RestoreError::new(error)
    }
}

/// Why a state log could not be opened. Nothing has been changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OpenError {
    /// The log could not be read.
    #[error("the state could not be read from the log")]
    Read(#[from] ReadError),
    /// An entry or a snapshot is not in a layout that this program knows.
    #[error("partition {partition:?} at {position} cannot be read: {reason}")]
    Envelope {
        /// The partition.
        partition: PartitionId,
        /// Position of the entry, or of the snapshot.
        position: Position,
        /// What is wrong.
        reason: EnvelopeError,
    },
    /// Written for a service that has no machine here.
    #[error("partition {partition:?} at {position} is for {service:?}, which has no state here")]
    NoMachine {
        /// The partition.
        partition: PartitionId,
        /// Position of the entry, or of the snapshot.
        position: Position,
        /// The service.
        service: ServiceTag,
    },
    /// Written by a newer program.
    #[error(
        "partition {partition:?} at {position} was written by version {version} of {service:?}; \
         this program knows up to {version_max}: start a newer one"
    )]
    Newer {
        /// The partition.
        partition: PartitionId,
        /// Position of the entry, or of the snapshot.
        position: Position,
        /// The service.
        service: ServiceTag,
        /// What it was written by.
        version: u16,
        /// The newest this program reads.
        version_max: u16,
    },
    /// The machine does not understand its own bytes.
    #[error("partition {partition:?} at {position}: {service:?} cannot read it: {reason}")]
    Restore {
        /// The partition.
        partition: PartitionId,
        /// Position of the entry, or of the snapshot.
        position: Position,
        /// The service.
        service: ServiceTag,
        /// What it says.
        reason: RestoreError,
    },
    /// Commands that no snapshot covers are gone.
    #[error("partition {partition:?} has lost its commands from {from} to {to}")]
    Lost {
        /// The partition.
        partition: PartitionId,
        /// First position that is gone.
        from: Position,
        /// One past the last position that is gone.
        to: Position,
    },
}

/// One partition that carries the commands of one or more machines, before it is opened.
pub struct StateLog {
    log: Arc<dyn Log>,
    partition: PartitionId,
    machines: BTreeMap<ServiceTag, Box<dyn Machine>>,
    sender: mpsc::Sender<Submitted>,
    receiver: mpsc::Receiver<Submitted>,
    snapshot_every: u64,
}

impl StateLog {
    /// The commands in `partition` of `log`.
    pub fn new(log: Arc<dyn Log>, partition: PartitionId) -> StateLog {
        let (sender, receiver) = mpsc::channel(COMMANDS_WAITING_MAX);
        let snapshot_every = SNAPSHOT_EVERY_DEFAULT;
        StateLog {
            log,
            partition,
            machines: BTreeMap::new(),
            sender,
            receiver,
            snapshot_every,
        }
    }

    /// Takes a snapshot after every `commands` commands instead of every 10,000.
    ///
    /// # Panics
    /// When `commands` is 0.
    pub fn snapshot_every(mut self, commands: u64) -> StateLog {
        assert!(commands > 0, "a snapshot follows at least one command");
        self.snapshot_every = commands;
        self
    }

    /// Adds a machine in its initial state.
    ///
    /// # Panics
    /// When the service has a machine here already.
    pub fn register<M: StateMachine>(&mut self, machine: M) -> Replicated<M> {
        let state = Arc::new(Mutex::new(machine));
        let before = self
            .machines
            .insert(M::SERVICE, Box::new(Shared(Arc::clone(&state))));
        assert!(
            before.is_none(),
            "{:?} has a machine in this state log already",
            M::SERVICE
        );
        Replicated {
            state,
            sender: self.sender.clone(),
        }
    }

    /// Restores the machines from the newest snapshot and the commands behind it, then starts the
    /// task that appends and applies. The task ends when every [`Replicated`] is gone.
    pub async fn open(self) -> Result<(), OpenError> {
        let mut position = self.restore().await?;
        let snapshot_position = position;
        loop {
            let read = self
                .log
                .read(self.partition, position, REPLAY_ENTRIES, REPLAY_BYTES)
                .await?;
            if read.entries.is_empty() {
                break;
            }
            for entry in read.entries {
                position = entry.position + 1;
                self.replay(&entry)?;
            }
        }
        let carrier = Carrier {
            log: self.log,
            partition: self.partition,
            machines: self.machines,
            incarnation: position,
            commands: 0,
            since_snapshot: position - snapshot_position,
            snapshot_every: self.snapshot_every,
        };
        tokio::spawn(carrier.run(self.receiver));
        Ok(())
    }

    /// Restores the newest snapshot; gives the position behind it.
    async fn restore(&self) -> Result<Position, OpenError> {
        let snapshot = self.log.restore(self.partition).await?;
        let position = snapshot.as_ref().map_or(0, |snapshot| snapshot.position);
        let partition = self.log.partition(self.partition);
        if position < partition.start {
            return Err(OpenError::Lost {
                partition: self.partition,
                from: position,
                to: partition.start,
            });
        }
        if position > partition.end {
            return Err(OpenError::Lost {
                partition: self.partition,
                from: partition.end,
                to: position,
            });
        }
        let Some(snapshot) = snapshot else {
            return Ok(0);
        };
        let sections = decode_sections(&snapshot.bytes).map_err(|reason| OpenError::Envelope {
            partition: self.partition,
            position,
            reason,
        })?;
        for section in sections {
            let machine = self.machine(position, section.service, section.version)?;
            machine
                .restore(&section.state)
                .map_err(|reason| OpenError::Restore {
                    partition: self.partition,
                    position,
                    service: section.service,
                    reason,
                })?;
        }
        Ok(position)
    }

    fn replay(&self, entry: &Entry) -> Result<(), OpenError> {
        let Entry {
            position,
            at,
            payload,
        } = entry;
        let envelope = Envelope::decode(payload).map_err(|reason| OpenError::Envelope {
            partition: self.partition,
            position: *position,
            reason,
        })?;
        let machine = self.machine(*position, envelope.service, envelope.version)?;
        machine
            .replay(*at, *position, &envelope.command)
            .map_err(|reason| OpenError::Restore {
                partition: self.partition,
                position: *position,
                service: envelope.service,
                reason,
            })
    }

    fn machine(
        &self,
        position: Position,
        service: ServiceTag,
        version: u16,
    ) -> Result<&dyn Machine, OpenError> {
        let partition = self.partition;
        let Some(machine) = self.machines.get(&service) else {
            return Err(OpenError::NoMachine {
                partition,
                position,
                service,
            });
        };
        let version_max = machine.version();
        if version > version_max {
            return Err(OpenError::Newer {
                partition,
                position,
                service,
                version,
                version_max,
            });
        }
        Ok(machine.as_ref())
    }
}

/// A machine whose commands go through the log; cheap to clone.
pub struct Replicated<M: StateMachine> {
    state: Arc<Mutex<M>>,
    sender: mpsc::Sender<Submitted>,
}

impl<M: StateMachine> Clone for Replicated<M> {
    fn clone(&self) -> Replicated<M> {
        Replicated {
            state: Arc::clone(&self.state),
            sender: self.sender.clone(),
        }
    }
}

impl<M: StateMachine> fmt::Debug for Replicated<M> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Replicated")
            .field("service", &M::SERVICE)
            .finish_non_exhaustive()
    }
}

impl<M: StateMachine> Replicated<M> {
    /// Appends `command` and applies it; durable and applied when it completes. Commands that one
    /// caller submits one after the other are applied in that order. Dropping the future does not
    /// take the command back.
    ///
    /// # Panics
    /// When the command does not read back from its own JSON: a mistake in its type.
    pub async fn submit(&self, command: M::Command) -> Result<M::Outcome, AppendError> {
        let bytes = serde_json::to_vec(&command).expect("a command can be written as JSON");
        // What is applied is what a restart will read.
        let command: M::Command =
            serde_json::from_slice(&bytes).expect("a command reads back from its own JSON");
        let command_bytes = Bytes::from(bytes);
        checked_entry(command_bytes.len())?;
        let (sender, receiver) = oneshot::channel();
        let state = Arc::clone(&self.state);
        let answer = move |result: Result<Appended, AppendError>| {
            let outcome =
                result.map(|place| locked(&state).apply(place.at, place.position, command));
            // The caller may have gone; the command has happened all the same.
            drop(sender.send(outcome));
        };
        let submitted = Submitted {
            service: M::SERVICE,
            version: M::VERSION,
            command: command_bytes,
            answer: Box::new(answer),
        };
        self.sender
            .send(submitted)
            .await
            .map_err(|_| AppendError::Closed)?;
        receiver.await.map_err(|_| AppendError::Closed)?
    }

    /// Looks at the state under a lock that also stops the machine: be short, and never call the
    /// log or another machine in `look`.
    ///
    /// # Panics
    /// When the machine panicked while it applied a command: its state cannot be trusted.
    pub fn read<R>(&self, look: impl FnOnce(&M) -> R) -> R {
        look(&locked(&self.state))
    }
}

fn locked<M>(state: &Mutex<M>) -> MutexGuard<'_, M> {
    state
        .lock()
        .expect("no machine panics while it applies a command")
}

struct Submitted {
    service: ServiceTag,
    version: u16,
    command: Bytes,
    /// Applies the command where it came to stand, or passes on why it did not; answers the caller.
    answer: Box<dyn FnOnce(Result<Appended, AppendError>) + Send>,
}

/// A machine without its types, for the start and for snapshots.
trait Machine: Send + Sync {
    fn version(&self) -> u16;
    fn snapshot(&self) -> Bytes;
    fn restore(&self, snapshot: &[u8]) -> Result<(), RestoreError>;
    fn replay(&self, at: Timestamp, position: Position, command: &[u8])
    -> Result<(), RestoreError>;
}

struct Shared<M>(Arc<Mutex<M>>);

impl<M: StateMachine> Machine for Shared<M> {
    fn version(&self) -> u16 {
        M::VERSION
    }

    fn snapshot(&self) -> Bytes {
        locked(&self.0).snapshot()
    }

    fn restore(&self, snapshot: &[u8]) -> Result<(), RestoreError> {
        *locked(&self.0) = M::restore(snapshot)?;
        Ok(())
    }

    fn replay(
        &self,
        at: Timestamp,
        position: Position,
        command: &[u8],
    ) -> Result<(), RestoreError> {
        let command = serde_json::from_slice(command)?;
        locked(&self.0).apply(at, position, command);
        Ok(())
    }
}

/// The task behind an open state log.
struct Carrier {
    log: Arc<dyn Log>,
    partition: PartitionId,
    machines: BTreeMap<ServiceTag, Box<dyn Machine>>,
    /// The partition's end when it was opened. Any incarnation that wrote a command moved it, so with
    /// the count of commands it makes an id that no other command of the partition has.
    incarnation: Position,
    commands: u64,
    since_snapshot: u64,
    snapshot_every: u64,
}

impl Carrier {
    async fn run(mut self, mut receiver: mpsc::Receiver<Submitted>) {
        while let Some(first) = receiver.recv().await {
            let mut group_bytes = first.command.len();
            let mut group = vec![first];
            while group.len() < COMMANDS_GROUP_MAX && group_bytes < COMMANDS_GROUP_BYTES {
                let Ok(next) = receiver.try_recv() else { break };
                group_bytes += next.command.len();
                group.push(next);
            }
            if let Some(position) = self.carry(group).await
                && self.since_snapshot >= self.snapshot_every
            {
                self.snapshot(position).await;
            }
        }
    }

    /// Appends and applies `group`; gives the position behind it when it has happened.
    async fn carry(&mut self, group: Vec<Submitted>) -> Option<Position> {
        let bytes = group.iter().map(|submitted| submitted.command.len()).sum();
        let mut batch = self.log.batch(group.len(), bytes);
        for submitted in &group {
            self.commands += 1;
            let envelope = Envelope {
                service: submitted.service,
                version: submitted.version,
                command_id: u128::from(self.incarnation) << 64 | u128::from(self.commands),
                command: submitted.command.clone(),
            };
            batch.push(self.partition, &[&envelope.encode()]);
        }
        let appended = match self.log.append(batch).await {
            Ok(appended) => appended,
            Err(error) => {
                for submitted in group {
                    (submitted.answer)(Err(error.clone()));
                }
                return None;
            }
        };
        assert_eq!(
            appended.len(),
            group.len(),
            "the log gives a place to each entry"
        );
        self.since_snapshot += group.len() as u64;
        let behind = appended.last().map(|place| place.position + 1);
        for (submitted, place) in group.into_iter().zip(appended) {
            (submitted.answer)(Ok(place));
        }
        behind
    }

    /// Takes a snapshot as of `position` and trims what it covers. A failure is no loss: the commands
    /// are still there, and the next attempt comes after as many commands again.
    async fn snapshot(&mut self, position: Position) {
        self.since_snapshot = 0;
        let sections: Vec<Section> = self
            .machines
            .iter()
            .map(|(service, machine)| Section {
                service: *service,
                version: machine.version(),
                state: machine.snapshot(),
            })
            .collect();
        let bytes = encode_sections(&sections);
        let kept = self
            .log
            .snapshot(self.partition, Snapshot { position, bytes })
            .await;
        let trimmed = match kept {
            Ok(()) => self.log.trim(self.partition, position).await,
            Err(error) => Err(error),
        };
        if let Err(error) = trimmed {
            tracing::warn!(partition = ?self.partition, position, %error, "no snapshot was taken");
        }
    }
}
