//! Taking entries out of portions of the write-ahead log into the chunks in the making, for the sorter.
//!
//! What must hold: an entry is checked before it is written again; the lock is held for few partitions
//! and extents at a time. What goes meanwhile, trimmed or deleted, need not move.

use crate::chunk::chunk_path;
use crate::chunk_writer::{ChunkWriter, Owner};
use crate::gathering::Gathering;
use crate::limits::{BEHIND_PIECE_BYTES, SORTED_PIECE_BYTES};
use crate::partition_id::{PartitionId, ServiceTag};
use crate::place::{Extent, Home};
use crate::port::{Position, ReadError, Retention};
use crate::portion::Portion;
use crate::reader::{for_each_entry, for_each_entry_of};
use crate::run::EntryRow;
use crate::shared::State;
use crate::table::Kept;

use super::{PARTITIONS_AT_ONCE, Pace, SortError, Sorter, Work};

/// How many extents are noted under one hold of the lock.
const EXTENTS_AT_ONCE: usize = 512;

impl Sorter {
    /// Takes the entries of `portion` that are needed into the chunks in the making.
    pub(super) fn gather(
        &self,
        work: &mut Work,
        portion: &Portion,
        pace: &Pace<'_>,
    ) -> Result<(), SortError> {
        let Work { gathering, buffer } = work;
        let piece_bytes = match pace.is_behind() {
            true => BEHIND_PIECE_BYTES,
            false => SORTED_PIECE_BYTES,
        };
        let gathered = match portion.read(&**self.files.disk(), buffer, piece_bytes) {
            Ok(()) => self.gather_all(gathering, portion, buffer, pace),
            // Trimmed or deleted meanwhile, so that the file has gone: nothing of it need move.
            Err(_) if !self.is_needed(portion.file) => Ok(()),
            Err(error) => Err(self.failed(&Home::Wal(portion.file).to_string(), &error)),
        };
        match gathered {
            Ok(()) => gathering.took(portion),
            Err(_) => self.give_up(gathering),
        }
        gathered
    }

    fn gather_all(
        &self,
        gathering: &mut Gathering,
        portion: &Portion,
        buffer: &[u8],
        pace: &Pace<'_>,
    ) -> Result<(), SortError> {
        let mut noted = Noted::default();
        while self.note_extents(portion, &mut noted) {
            for moved in noted.moved.drain(..) {
                let writer = self.writer(gathering, moved.retention)?;
                for extent in &moved.extents {
                    self.move_entries(&moved, extent, portion.body(buffer, extent), writer, pace)?;
                }
            }
        }
        Ok(())
    }

    /// Notes where a number of partitions have entries in `portion`; whether there may be more behind them.
    fn note_extents(&self, portion: &Portion, noted: &mut Noted) -> bool {
        let mut room = EXTENTS_AT_ONCE;
        let state = self.shared.lock_from_behind();
        let begun = noted.begun.take();
        if let Some((partition, offset)) = begun
            && let Some(kept) = state.table.partition(partition)
        {
            noted.note(&state, portion, (partition, kept), offset, &mut room);
        }
        let mut count = 0;
        let rest = state
            .table
            .partitions_behind(noted.behind, PARTITIONS_AT_ONCE);
        for (partition, kept) in rest {
            if room == 0 {
                break;
            }
            noted.behind = Some(partition);
            noted.note(
                &state,
                portion,
                (partition, kept),
                portion.span.start,
                &mut room,
            );
            count += 1;
        }
        count > 0 || begun.is_some()
    }

    /// Moves the needed entries of `extent`, whose body may be at hand.
    pub(super) fn move_entries(
        &self,
        moved: &Moved,
        extent: &Extent,
        body: Option<&[u8]>,
        writer: &mut ChunkWriter,
        pace: &Pace<'_>,
    ) -> Result<(), SortError> {
        let Owner { partition, .. } = moved.owner;
        let path = chunk_path(writer.number());
        let between = |bytes| pace.take(bytes);
        let mut failed = None;
        let mut take = |position: Position, row: &EntryRow, payload: &[u8]| {
            let put = writer.put(moved.owner, position, row, payload, &between);
            put.inspect_err(|error| failed = Some(self.failed(&path, error)))
        };
        let read: Result<(), ReadError> = match body {
            Some(body) => for_each_entry_of(partition, extent, body, moved.start, &mut take),
            None => for_each_entry(&self.files, partition, extent, moved.start, &mut take),
        };
        match (read, failed) {
            (Ok(()), _) => Ok(()),
            (Err(_), Some(failed)) => Err(failed),
            // Trimmed or deleted meanwhile, so that its file has gone: it need not move.
            (Err(_), None) if !self.is_still_there(partition, extent) => Ok(()),
            (Err(error), None) => Err(SortError::Failed(error.to_string())),
        }
    }

    fn is_still_there(&self, partition: PartitionId, extent: &Extent) -> bool {
        let state = self.shared.lock_from_behind();
        let kept = state.table.partition(partition);
        kept.is_some_and(|kept| kept.row.start < extent.end())
    }

    fn is_needed(&self, file: u64) -> bool {
        !self
            .shared
            .lock_from_behind()
            .table
            .is_unused(Home::Wal(file))
    }
}

pub(super) fn owner(partition: PartitionId, kept: &Kept) -> Owner {
    Owner {
        partition,
        created_lsn: kept.row.created_lsn,
    }
}

/// What of one partition moves.
pub(super) struct Moved {
    pub owner: Owner,
    /// Nothing before it is needed.
    pub start: Position,
    pub retention: Retention,
    pub extents: Vec<Extent>,
}

/// What is noted of a portion, a little at a time.
#[derive(Default)]
struct Noted {
    moved: Vec<Moved>,
    /// Everything of the partitions up to this one has been noted, unless one is begun.
    behind: Option<PartitionId>,
    /// The partition of which more is to be noted, from this offset on.
    begun: Option<(PartitionId, u64)>,
}

impl Noted {
    fn note(
        &mut self,
        state: &State,
        portion: &Portion,
        (partition, kept): (PartitionId, &Kept),
        from: u64,
        room: &mut usize,
    ) {
        let span = from..portion.span.end;
        let extents: Vec<Extent> = kept
            .extents_in(portion.file, span)
            .take(*room)
            .cloned()
            .collect();
        let Some(last) = extents.last() else {
            return;
        };
        *room -= extents.len();
        if *room == 0 {
            self.begun = Some((partition, last.offset + 1));
        }
        let hinted = state.retentions.get(&partition).copied();
        self.moved.push(Moved {
            owner: owner(partition, kept),
            start: kept.row.start,
            retention: hinted.unwrap_or_else(|| usual(partition)),
            extents,
        });
    }
}

/// About how long entries of `partition` are kept when nobody has said.
fn usual(partition: PartitionId) -> Retention {
    match partition.owner() {
        Some(ServiceTag::Streams) => Retention::Day,
        _ => Retention::State,
    }
}
