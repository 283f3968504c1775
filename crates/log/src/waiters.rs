//! Who waits for a partition: [`Waiters`].
//!
//! What must hold: a wake that comes after a wait was registered is never lost, so whoever registers
//! does it under the same lock as its look at the partition. Only partitions that somebody waits for
//! take room.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

use crate::partition_id::PartitionId;

/// The waiters of all partitions.
#[derive(Debug, Default)]
pub struct Waiters {
    by_partition: BTreeMap<PartitionId, Arc<Notify>>,
}

impl Waiters {
    /// Completes at the next [`Waiters::wake`] of `partition` after this call.
    pub fn register(&mut self, partition: PartitionId) -> OwnedNotified {
        Arc::clone(self.by_partition.entry(partition).or_default()).notified_owned()
    }

    /// Wakes all that wait for `partition`; they look again.
    pub fn wake(&mut self, partition: PartitionId) {
        if let Some(notify) = self.by_partition.remove(&partition) {
            notify.notify_waiters();
        }
    }
}
