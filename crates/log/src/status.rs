//! Whether the log takes changes: [`Status`].
//!
//! What must hold: once a write or a sync has failed, nothing is taken any more; while the disk is full,
//! what can free room is taken, and all else is refused. Pure.

use crate::batch::Batch;
use crate::partition_id::{PartitionId, ServiceTag};
use crate::port::AppendError;

/// Whether the log takes changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// It does.
    Running,
    /// It is shutting down: what is in line is written, nothing new is taken.
    Closing,
    /// The disk is full: reads go on, and so does what can free room. See [`Status::check_batch`].
    Full(String),
    /// A write or a sync failed: nobody knows what is on the disk.
    Poisoned(String),
}

impl Status {
    /// Refuses `batch` when the log does not take it. While the disk is full it takes control commands
    /// and checkpoints only: with them streams are deleted, retention ends and mappings go on, which
    /// frees room.
    pub fn check_batch(&self, batch: &Batch) -> Result<(), AppendError> {
        match self {
            Status::Full(detail)
                if !batch
                    .entries()
                    .iter()
                    .all(|entry| frees_room(entry.partition)) =>
            {
                Err(AppendError::Full {
                    detail: detail.clone(),
                })
            }
            _ => self.check(),
        }
    }

    /// Refuses a change other than entries when the log takes none.
    pub fn check(&self) -> Result<(), AppendError> {
        match self {
            Status::Running | Status::Full(_) => Ok(()),
            Status::Closing => Err(AppendError::Closed),
            Status::Poisoned(detail) => Err(AppendError::Poisoned {
                detail: detail.clone(),
            }),
        }
    }
}

/// Whether entries of `partition` may lead to others being trimmed or deleted.
fn frees_room(partition: PartitionId) -> bool {
    matches!(
        partition.owner(),
        Some(ServiceTag::Control | ServiceTag::Mapping)
    )
}
