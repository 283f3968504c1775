//! Making one chunk of several, for the sorter.
//!
//! What must hold: what is gone of them is left out, and the rest lies together again by partition.

use std::collections::{BTreeMap, BTreeSet};

use crate::chunk::chunk_path;
use crate::chunk_writer::Written;
use crate::partition_id::PartitionId;
use crate::place::{Extent, Home};
use crate::port::Retention;
use crate::rounds::Merge;

use super::taking::{Moved, owner};
use super::{PARTITIONS_AT_ONCE, Pace, SortError, Sorter, numbers_of};

impl Sorter {
    pub(super) fn merge(&self, merge: &Merge, pace: &Pace<'_>) -> Result<(), SortError> {
        let sources: BTreeSet<Home> = merge.chunks.iter().copied().map(Home::Chunk).collect();
        let written = self.partitions_in(&sources, merge.retention);
        let written = written.into_iter().map(|(retention, partitions)| {
            self.write_merged(&sources, retention, &partitions, pace)
        });
        let (mut chunks, mut failed) = (Vec::new(), None);
        for chunk in written {
            match chunk {
                Ok(chunk) => chunks.extend(chunk),
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        if let Some(error) = failed {
            self.discard(&numbers_of(&chunks));
            return Err(error);
        }
        self.put_to_use(chunks)
    }

    /// The partitions with entries in `sources`, by how long these are kept.
    fn partitions_in(
        &self,
        sources: &BTreeSet<Home>,
        otherwise: Retention,
    ) -> BTreeMap<Retention, Vec<PartitionId>> {
        let mut found: BTreeMap<Retention, Vec<PartitionId>> = BTreeMap::new();
        let mut behind = None;
        loop {
            let state = self.shared.lock_from_behind();
            let last = behind;
            for (partition, kept) in state.table.partitions_behind(last, PARTITIONS_AT_ONCE) {
                behind = Some(partition);
                let is_in = |extent: &Extent| sources.contains(&extent.home);
                if kept.extents.iter().any(is_in) {
                    let hinted = state.retentions.get(&partition).copied();
                    let retention = hinted.unwrap_or(otherwise);
                    found.entry(retention).or_default().push(partition);
                }
            }
            if behind == last {
                return found;
            }
        }
    }

    /// Writes what `partitions` have in the chunks `sources`; none when that is gone.
    fn write_merged(
        &self,
        sources: &BTreeSet<Home>,
        retention: Retention,
        partitions: &[PartitionId],
        pace: &Pace<'_>,
    ) -> Result<Option<Written>, SortError> {
        let mut writer = self.begin_chunk(retention)?;
        let number = writer.number();
        let moved = partitions.iter().try_for_each(|partition| {
            let Some(moved) = self.extents_in(sources, *partition, retention) else {
                return Ok(());
            };
            let mut extents = moved.extents.iter();
            extents
                .try_for_each(|extent| self.move_entries(&moved, extent, None, &mut writer, pace))
        });
        let written = match moved {
            Ok(()) if writer.entries() == 0 => Ok(None),
            Ok(()) => {
                let finished = writer.finish(&|bytes| pace.take(bytes));
                finished
                    .map(Some)
                    .map_err(|error| self.failed(&chunk_path(number), &error))
            }
            Err(error) => Err(error),
        };
        if !matches!(written, Ok(Some(_))) {
            self.discard(&[number]);
        }
        written
    }

    /// What `partition` has in the chunks `sources`.
    fn extents_in(
        &self,
        sources: &BTreeSet<Home>,
        partition: PartitionId,
        retention: Retention,
    ) -> Option<Moved> {
        let state = self.shared.lock_from_behind();
        let kept = state.table.partition(partition)?;
        let is_in = |extent: &&Extent| sources.contains(&extent.home);
        Some(Moved {
            owner: owner(partition, kept),
            start: kept.row.start,
            retention,
            extents: kept.extents.iter().filter(is_in).cloned().collect(),
        })
    }
}
