//! The port: [`Log`], and the words it is spoken with.
//!
//! A *partition* is one append-only sequence of *entries*; a *position* is a dense place in it, from 0.
//! A partition comes to be with its first append and is identified by the service that owns it and a
//! number that the service gives out. Partition 0 of [`ServiceTag::Control`] carries the control
//! commands of all services.
//!
//! An entry's timestamp is taken when it is put in line and clamped so that it never goes back within
//! its partition.

use bytes::Bytes;
use thiserror::Error;

use tidemill_model::{BoxFuture, Determinacy, Timestamp};

use crate::batch::Batch;
use crate::partition_id::PartitionId;

/// A dense place in a partition, from 0.
pub type Position = u64;

/// About how long the entries of a partition are kept. What is kept about as long lies in the same
/// files, so that a file can be removed whole. The numbers are persisted: never change or reuse one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u32)]
pub enum Retention {
    /// Until a snapshot makes them unneeded.
    #[default]
    State = 0,
    /// A day.
    Day = 1,
    /// Two days.
    TwoDays = 2,
    /// A week.
    Week = 3,
    /// A month.
    Month = 4,
    /// A year.
    Year = 5,
}

impl Retention {
    /// All of them, shortest first.
    pub const ALL: [Retention; 6] = [
        Retention::State,
        Retention::Day,
        Retention::TwoDays,
        Retention::Week,
        Retention::Month,
        Retention::Year,
    ];

    /// The retention persisted as `number`.
    pub fn from_number(number: u32) -> Option<Retention> {
        Retention::ALL
            .into_iter()
            .find(|retention| *retention as u32 == number)
    }

    /// The shortest that lasts for `hours`; a year for longer ones.
    pub fn of_hours(hours: u64) -> Retention {
        match hours {
            0..=24 => Retention::Day,
            25..=48 => Retention::TwoDays,
            49..=168 => Retention::Week,
            169..=744 => Retention::Month,
            _ => Retention::Year,
        }
    }
}

/// Where an appended entry came to stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Its position in its partition.
    pub position: Position,
    /// Its timestamp.
    pub at: Timestamp,
}

/// One entry as read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its position in its partition.
    pub position: Position,
    /// Its timestamp.
    pub at: Timestamp,
    /// Its payload.
    pub payload: Bytes,
}

/// What one read gave: entries from the asked position on, dense.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// The entries. Empty when `from` is at the end.
    pub entries: Vec<Entry>,
}

/// How far a partition reaches; durable entries only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Partition {
    /// First position that has not been trimmed.
    pub start: Position,
    /// One past the last durable position.
    pub end: Position,
    /// Whether nothing can be appended any more.
    pub sealed: bool,
}

/// A state as of a position, so that what lies before it can be trimmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The state holds the effect of every entry before this position.
    pub position: Position,
    /// The state, in its owner's encoding.
    pub bytes: Bytes,
}

/// Why an append, a seal, a trim, a delete or a snapshot failed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AppendError {
    /// A partition of the batch is sealed, or has been deleted; nothing of the batch happened.
    #[error("partition {0:?} is sealed")]
    Sealed(PartitionId),
    /// One entry, or the batch as a whole, is larger than the log takes; nothing of the batch
    /// happened. The sizes stand in the table of limits.
    #[error("{bytes} bytes are more than the {bytes_max} that can be appended at once")]
    TooLarge {
        /// Size of the entry or the batch.
        bytes: usize,
        /// Size of the largest.
        bytes_max: usize,
    },
    /// Too much waits to be written; nothing of the batch happened.
    #[error("the log has {bytes} bytes waiting to be written; try again")]
    Overloaded {
        /// Bytes that wait.
        bytes: usize,
    },
    /// The disk is full; nothing of the batch happened. Reads go on.
    #[error("the disk is full: {detail}")]
    Full {
        /// What the system said.
        detail: String,
    },
    /// Writing or syncing failed; the batch may or may not be there after a restart. The log is
    /// poisoned: nothing can be appended any more.
    #[error("the log could not be written and takes no more writes: {detail}")]
    Poisoned {
        /// What the system said.
        detail: String,
    },
    /// The log is shutting down; nothing of the batch happened.
    #[error("the log is closed")]
    Closed,
}

impl AppendError {
    /// Whether the action surely did not happen.
    pub fn determinacy(&self) -> Determinacy {
        match self {
            AppendError::Poisoned { .. } => Determinacy::Indeterminate,
            AppendError::Sealed(_)
            | AppendError::TooLarge { .. }
            | AppendError::Overloaded { .. }
            | AppendError::Full { .. }
            | AppendError::Closed => Determinacy::Determinate,
        }
    }
}

/// Why a read failed. A read changes nothing, so it may always be tried again.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReadError {
    /// The position lies before the partition's start.
    #[error(
        "position {position} of partition {partition:?} has been trimmed; it starts at {start}"
    )]
    Trimmed {
        /// The partition.
        partition: PartitionId,
        /// The position asked for.
        position: Position,
        /// First position that can be read.
        start: Position,
    },
    /// The stored bytes are not what was written. They are never given out.
    #[error("partition {partition:?} is damaged at {place}: {detail}")]
    Corrupt {
        /// The partition.
        partition: PartitionId,
        /// File and offset.
        place: String,
        /// What does not validate.
        detail: String,
    },
    /// The disk failed the read.
    #[error("partition {partition:?} could not be read: {detail}")]
    Disk {
        /// The partition.
        partition: PartitionId,
        /// What the system said.
        detail: String,
    },
}

/// Durable append-only partitions.
///
/// The futures are `'static`, and dropping one does not undo the action: an append whose future is
/// dropped may still become durable.
pub trait Log: Send + Sync {
    /// An empty batch with room for `entries` of `bytes` together, in memory that others had before where
    /// there is some.
    fn batch(&self, entries: usize, bytes: usize) -> Batch {
        Batch::with_capacity(entries, bytes)
    }

    /// Appends `batch` atomically; durable when it completes. Gives the place of each entry, in the
    /// order of the batch. An empty batch is durable at once.
    fn append(&self, batch: Batch) -> BoxFuture<'static, Result<Vec<Appended>, AppendError>>;

    /// Entries of `partition` from position `from` on, dense: at most `entries_max`, and at most
    /// `bytes_max` of payload unless the first alone is larger. Empty at or behind the end, and for a
    /// partition that does not exist.
    fn read(
        &self,
        partition: PartitionId,
        from: Position,
        entries_max: usize,
        bytes_max: usize,
    ) -> BoxFuture<'static, Result<Read, ReadError>>;

    /// How far `partition` reaches; empty and open when it does not exist.
    fn partition(&self, partition: PartitionId) -> Partition;

    /// The partitions that exist, in order.
    fn partitions(&self) -> Vec<PartitionId>;

    /// Completes when `partition` has a durable entry at or after `from`, or is sealed, or its start
    /// lies behind `from`, or it has been deleted since the call.
    fn wait(&self, partition: PartitionId, from: Position) -> BoxFuture<'static, ()>;

    /// The first position whose entry arrived at or after `at`; the end when there is none.
    fn position_at(
        &self,
        partition: PartitionId,
        at: Timestamp,
    ) -> BoxFuture<'static, Result<Position, ReadError>>;

    /// Says about how long the entries of `partition` will be kept, so that they can be stored beside
    /// others like them. A hint: it is not kept over a restart, and whatever it says, entries go when
    /// they are trimmed. Without one, records are taken to be kept for a day, and all else as a state is.
    fn retain(&self, _partition: PartitionId, _retention: Retention) {}

    /// Takes no more entries for `partition`, durably; gives its final end. Sealing twice is the same
    /// as once. A partition that does not exist comes to be, empty and sealed.
    fn seal(&self, partition: PartitionId) -> BoxFuture<'static, Result<Position, AppendError>>;

    /// Makes the entries of `partition` before `before` unreadable, durably. Never moves backwards;
    /// stops at the end.
    fn trim(
        &self,
        partition: PartitionId,
        before: Position,
    ) -> BoxFuture<'static, Result<(), AppendError>>;

    /// Removes `partition`, durably. Its id must not be used again; an append that comes too late is
    /// refused as for a sealed partition, as long as the process runs.
    fn delete(&self, partition: PartitionId) -> BoxFuture<'static, Result<(), AppendError>>;

    /// Keeps `snapshot` as the newest of `partition`, durably, in place of the one before. Its position
    /// must not lie behind the end.
    fn snapshot(
        &self,
        partition: PartitionId,
        snapshot: Snapshot,
    ) -> BoxFuture<'static, Result<(), AppendError>>;

    /// The newest snapshot of `partition`, if there is one.
    fn restore(
        &self,
        partition: PartitionId,
    ) -> BoxFuture<'static, Result<Option<Snapshot>, ReadError>>;
}
