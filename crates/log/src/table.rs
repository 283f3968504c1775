//! What is durable: [`Table`], the partitions and where in the files their entries lie.
//!
//! What must hold: the table is what the frames say, applied in order, in a start as in a run; a
//! position from a partition's start to its end lies in exactly one extent. An *extent* is where one
//! run of entries lies, or all that a chunk holds of a partition in one piece. Pure: the files
//! themselves are read elsewhere.

use std::collections::{BTreeMap, VecDeque};
use std::ops::{Bound, Range};

use crate::chunk::ExtentRow;
use crate::extents::Extents;
use crate::partition_id::PartitionId;
use crate::place::{Extent, FramePlace, Home};
use crate::port::Position;
use crate::run::{Change, EntriesRun, PartitionRow, SnapshotPointer};

/// A partition as it is durable.
#[derive(Debug, Default)]
pub struct Kept {
    /// How far it reaches.
    pub row: PartitionRow,
    /// Where its entries lie, in order.
    pub extents: Extents,
}

/// A change that does not follow from what is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// What does not fit.
    pub detail: String,
}

/// What of a file is still needed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needed {
    /// How many extents lie in it.
    pub extents: u64,
    /// How many entries these have.
    pub entries: u64,
}

/// The partitions, and what in the files is still needed.
#[derive(Debug, Default)]
pub struct Table {
    partitions: BTreeMap<PartitionId, Kept>,
    needed: BTreeMap<Home, Needed>,
    /// Numbers of the snapshot files that nothing names any more.
    snapshots_unused: Vec<u64>,
}

/// The partition, which comes to be with the frame at `place` if there is none.
fn kept<'a>(
    partitions: &'a mut BTreeMap<PartitionId, Kept>,
    partition: PartitionId,
    place: &FramePlace,
) -> &'a mut Kept {
    partitions.entry(partition).or_insert_with(|| Kept {
        row: PartitionRow {
            created_lsn: place.lsn,
            ..PartitionRow::default()
        },
        extents: Extents::default(),
    })
}

impl Kept {
    /// Goes on with `extent`.
    fn push(&mut self, extent: Extent, needed: &mut BTreeMap<Home, Needed>) {
        self.row.end = extent.end();
        self.row.last_at = self.row.last_at.max(extent.last_at);
        if extent.end() > self.row.start {
            need(needed, &extent);
            self.extents.push(extent);
        }
    }

    /// The extents that begin within `span` of file `file` of the write-ahead log.
    pub fn extents_in(&self, file: u64, span: Range<u64>) -> impl Iterator<Item = &Extent> {
        self.extents
            .behind(move |extent| extent.is_before(file, span.start))
            .take_while(move |extent| extent.is_before(file, span.end))
    }
}

impl Table {
    /// The partitions, in order.
    pub fn partitions(&self) -> impl Iterator<Item = (PartitionId, &Kept)> {
        self.partitions
            .iter()
            .map(|(partition, kept)| (*partition, kept))
    }

    /// One partition.
    pub fn partition(&self, partition: PartitionId) -> Option<&Kept> {
        self.partitions.get(&partition)
    }

    /// Up to `count` partitions behind `behind`, in order.
    pub fn partitions_behind(
        &self,
        behind: Option<PartitionId>,
        count: usize,
    ) -> impl Iterator<Item = (PartitionId, &Kept)> {
        let from = behind.map_or(Bound::Unbounded, Bound::Excluded);
        self.partitions
            .range((from, Bound::Unbounded))
            .take(count)
            .map(|(partition, kept)| (*partition, kept))
    }

    /// Whether nothing in `home` is needed.
    pub fn is_unused(&self, home: Home) -> bool {
        !self.needed.contains_key(&home)
    }

    /// What of `home` is needed.
    pub fn needed(&self, home: Home) -> Needed {
        self.needed.get(&home).copied().unwrap_or_default()
    }

    /// Takes the numbers of the snapshot files that can be removed.
    pub fn take_unused_snapshots(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.snapshots_unused)
    }

    /// Applies what a frame says of `partition`. Refuses what does not follow from what is there;
    /// nothing has changed then.
    pub fn apply(
        &mut self,
        partition: PartitionId,
        change: Change,
        place: &FramePlace,
    ) -> Result<(), Misfit> {
        match change {
            Change::Entries(run) => self.append(partition, &run, place),
            Change::Snapshot(pointer) => {
                self.point(partition, pointer, place);
                Ok(())
            }
            Change::Trim(before) => {
                self.trim(partition, before);
                Ok(())
            }
            Change::Seal(end) => self.seal(partition, end, place),
            Change::Delete => {
                self.delete(partition);
                Ok(())
            }
            Change::Partition(row) => self.begin(partition, row),
            // Which files there are is not the table's matter; what is in a chunk comes by `adopt`.
            Change::Files(_) | Change::Chunks(_) => Ok(()),
        }
    }

    /// The partition, which comes to be with the frame at `place` if there is none.
    fn kept(&mut self, partition: PartitionId, place: &FramePlace) -> &mut Kept {
        kept(&mut self.partitions, partition, place)
    }

    fn begin(&mut self, partition: PartitionId, row: PartitionRow) -> Result<(), Misfit> {
        let before = self.partitions.insert(
            partition,
            Kept {
                row,
                extents: Extents::default(),
            },
        );
        if before.is_some() {
            return Err(Misfit {
                detail: format!("{partition:?} stands twice in a checkpoint"),
            });
        }
        Ok(())
    }

    fn append(
        &mut self,
        partition: PartitionId,
        run: &EntriesRun,
        place: &FramePlace,
    ) -> Result<(), Misfit> {
        let kept = kept(&mut self.partitions, partition, place);
        if run.first != kept.row.end || kept.row.sealed {
            let detail = format!(
                "{partition:?} goes on at {} where its end is {}",
                run.first, kept.row.end
            );
            return Err(Misfit { detail });
        }
        kept.push(Extent::new(run, place), &mut self.needed);
        Ok(())
    }

    /// As [`Table::apply`] for entries, where frames before these are known to be lost: leaves out the
    /// lost ones and does not look for order.
    pub fn apply_behind_loss(
        &mut self,
        partition: PartitionId,
        run: &EntriesRun,
        place: &FramePlace,
    ) {
        let kept = kept(&mut self.partitions, partition, place);
        if kept.row.end <= run.first {
            kept.push(Extent::new(run, place), &mut self.needed);
        }
    }

    /// Enters what chunk `chunk` holds of a partition, in place of where these entries lay until now; gives
    /// the places it took, which may be many. What has been trimmed or deleted meanwhile is left out.
    pub fn adopt(&mut self, chunk: u64, row: &ExtentRow) -> Result<Vec<VecDeque<Extent>>, Misfit> {
        let Some(kept) = self.partitions.get_mut(&row.partition) else {
            return Ok(Vec::new());
        };
        let extent = Extent::in_chunk(row, chunk);
        if kept.row.created_lsn != row.created_lsn || extent.end() <= kept.row.start {
            return Ok(Vec::new());
        }
        if extent.end() > kept.row.end {
            return Err(misfit(row, "reach behind its end"));
        }
        let Range {
            start: from,
            end: to,
        } = extent.first..extent.end();
        let start = kept.row.start;
        let is_within = |old: &Extent| old.first.max(start) >= from && old.end() <= to;
        let concerned = kept.extents.behind(|old| old.end() <= from);
        let are_within = concerned.take_while(|old| old.first < to).all(is_within);
        if !are_within {
            return Err(misfit(row, "lie across the borders of others"));
        }
        need(&mut self.needed, &extent);
        let replaced = kept
            .extents
            .replace(|old| old.end() <= from, |old| old.first >= to, extent);
        forget(&mut self.needed, replaced.iter().flatten());
        Ok(replaced)
    }

    /// Enters where entries lie that a checkpoint already counts.
    pub fn locate(&mut self, partition: PartitionId, run: &EntriesRun, place: &FramePlace) {
        let Some(kept) = self.partitions.get_mut(&partition) else {
            return;
        };
        let extent = Extent::new(run, place);
        let behind = kept.extents.back().map_or(0, Extent::end);
        let is_needed = place.lsn >= kept.row.created_lsn
            && extent.end() > kept.row.start
            && extent.end() <= kept.row.end;
        if is_needed && extent.first >= behind {
            need(&mut self.needed, &extent);
            kept.extents.push(extent);
        }
    }

    fn point(&mut self, partition: PartitionId, pointer: SnapshotPointer, place: &FramePlace) {
        let kept = self.kept(partition, place);
        let before = kept.row.snapshot.replace(pointer);
        self.snapshots_unused
            .extend(before.map(|before| before.number));
    }

    /// Forgets the snapshot of `partition`, whose file is lost.
    pub fn lose_snapshot(&mut self, partition: PartitionId) {
        if let Some(kept) = self.partitions.get_mut(&partition) {
            kept.row.snapshot = None;
        }
    }

    fn trim(&mut self, partition: PartitionId, before: Position) {
        let Some(kept) = self.partitions.get_mut(&partition) else {
            return;
        };
        kept.row.start = kept.row.start.max(before.min(kept.row.end));
        while kept
            .extents
            .front()
            .is_some_and(|extent| extent.end() <= kept.row.start)
        {
            let extent = kept.extents.pop_front();
            forget(&mut self.needed, extent.iter());
        }
    }

    fn seal(
        &mut self,
        partition: PartitionId,
        end: Position,
        place: &FramePlace,
    ) -> Result<(), Misfit> {
        let row = &mut self.kept(partition, place).row;
        if row.end != end {
            let detail = format!(
                "{partition:?} is sealed at {end} where its end is {}",
                row.end
            );
            return Err(Misfit { detail });
        }
        row.sealed = true;
        Ok(())
    }

    fn delete(&mut self, partition: PartitionId) {
        let Some(kept) = self.partitions.remove(&partition) else {
            return;
        };
        forget(&mut self.needed, kept.extents.iter());
        self.snapshots_unused
            .extend(kept.row.snapshot.map(|pointer| pointer.number));
    }

    /// The first positions that should be there and are not, if any.
    pub fn first_gap(&self) -> Option<(PartitionId, Range<Position>)> {
        self.partitions().find_map(|(partition, kept)| {
            let mut expected = kept.row.start;
            for extent in kept.extents.iter() {
                if extent.first > expected {
                    return Some((partition, expected..extent.first));
                }
                expected = extent.end();
            }
            (expected < kept.row.end).then_some((partition, expected..kept.row.end))
        })
    }

    /// Moves the start of each partition behind its last gap.
    pub fn skip_gaps(&mut self) {
        let partitions: Vec<PartitionId> = self.partitions.keys().copied().collect();
        for partition in partitions {
            let kept = &self.partitions[&partition];
            let mut start = kept.row.end;
            for extent in kept.extents.iter().rev() {
                if extent.end() < start {
                    break;
                }
                start = extent.first;
            }
            self.trim(partition, start);
        }
    }
}

fn need(needed: &mut BTreeMap<Home, Needed>, extent: &Extent) {
    let needed = needed.entry(extent.home).or_default();
    needed.extents += 1;
    needed.entries += u64::from(extent.count);
}

fn forget<'a>(needed: &mut BTreeMap<Home, Needed>, extents: impl Iterator<Item = &'a Extent>) {
    // Many of one file stand together.
    let mut extents = extents.peekable();
    while let Some(first) = extents.next() {
        let (mut count, mut entries) = (1, u64::from(first.count));
        while let Some(extent) = extents.next_if(|extent| extent.home == first.home) {
            count += 1;
            entries += u64::from(extent.count);
        }
        if let Some(left) = needed.get_mut(&first.home) {
            left.extents -= count;
            left.entries -= entries;
            if left.extents == 0 {
                needed.remove(&first.home);
            }
        }
    }
}

fn misfit(row: &ExtentRow, what: &str) -> Misfit {
    let end = row.first + u64::from(row.count);
    Misfit {
        detail: format!(
            "the entries of {:?} from {} to {end} {what}",
            row.partition, row.first
        ),
    }
}
