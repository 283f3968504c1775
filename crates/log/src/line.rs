//! The line: [`Line`] gives each entry its place before it is written.
//!
//! What must hold: places are given in the order of the calls, under one lock, and what is in line is
//! written in that order, or all of it is refused and the places are given anew; so the places that are
//! acknowledged are the places kept. Pure: the time comes in.

use std::collections::{BTreeMap, BTreeSet};

use tidemill_model::Timestamp;

use crate::partition_id::PartitionId;
use crate::port::{AppendError, Appended, Position};
use crate::run::PartitionRow;
use crate::table::Table;

/// What the next call sees of each partition.
#[derive(Debug, Default)]
pub struct Line {
    partitions: BTreeMap<PartitionId, Place>,
    /// Deleted since the start, so that a late append does not bring one back: 8 bytes each.
    deleted: BTreeSet<PartitionId>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Place {
    next: Position,
    last_at: Timestamp,
    sealed: bool,
}

impl Line {
    /// Sees each partition as it is durable: at the start, and when all that was in line was refused.
    pub fn rewind(&mut self, table: &Table) {
        let place = |row: &PartitionRow| Place {
            next: row.end,
            last_at: row.last_at,
            sealed: row.sealed,
        };
        let kept = table.partitions();
        self.partitions = kept
            .map(|(partition, kept)| (partition, place(&kept.row)))
            .collect();
        self.deleted
            .retain(|partition| table.partition(*partition).is_none());
    }

    /// Refuses a partition that takes no more entries.
    pub fn check_open(&self, partition: PartitionId) -> Result<(), AppendError> {
        match self.partitions.get(&partition) {
            None => self.check_exists(partition),
            Some(place) if place.sealed => Err(AppendError::Sealed(partition)),
            // A deleted one has no place.
            Some(_) => Ok(()),
        }
    }

    /// Refuses a partition that has been deleted.
    pub fn check_exists(&self, partition: PartitionId) -> Result<(), AppendError> {
        if self.deleted.contains(&partition) {
            return Err(AppendError::Sealed(partition));
        }
        Ok(())
    }

    /// The first of the next `count` places of `partition`, for entries that arrive at `now`.
    pub fn place(&mut self, partition: PartitionId, count: u64, now: Timestamp) -> Appended {
        let place = self.partitions.entry(partition).or_default();
        place.last_at = place.last_at.max(now);
        place.next += count;
        Appended {
            position: place.next - count,
            at: place.last_at,
        }
    }

    /// One past the last place given, and whether the partition exists.
    pub fn end(&self, partition: PartitionId) -> Option<Position> {
        self.partitions.get(&partition).map(|place| place.next)
    }

    /// Gives no more places; gives the end.
    pub fn seal(&mut self, partition: PartitionId) -> Position {
        let place = self.partitions.entry(partition).or_default();
        place.sealed = true;
        place.next
    }

    /// Brings a partition to be without an entry.
    pub fn create(&mut self, partition: PartitionId) -> Position {
        self.partitions.entry(partition).or_default().next
    }

    /// Forgets a partition; whether there was one.
    pub fn delete(&mut self, partition: PartitionId) -> bool {
        let existed = self.partitions.remove(&partition).is_some();
        if existed {
            self.deleted.insert(partition);
        }
        existed
    }

    /// Whether the partition has been deleted since the start.
    pub fn is_deleted(&self, partition: PartitionId) -> bool {
        self.deleted.contains(&partition)
    }
}
