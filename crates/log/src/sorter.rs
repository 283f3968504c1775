//! The sorter: moves entries out of the write-ahead log into chunks, and merges chunks.
//!
//! What must hold: a chunk is whole and durable before the log names it, and what it replaces is removed
//! only when the command that names it is durable; so a crash at any step leaves every entry where the
//! log says. An entry is checked against the checksum it was acknowledged with before it is written
//! again; one that does not fit ends the round, and nothing is removed. The lock is held for few
//! partitions at a time, so that nobody waits for a round. What to do is decided in `rounds`.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex};

use thiserror::Error;

use tidemill_model::{Clock, Timestamp};

use crate::chunk::{ChunkHeader, DIRECTORY, ExtentRow, chunk_path};
use crate::chunk_writer::{ChunkWriter, Owner, Written};
use crate::disk::remove;
use crate::files::Files;
use crate::limits::SEALED_EXTENTS_MAX;
use crate::port::{PartitionId, Position, Retention, ServiceTag};
use crate::reader::for_each_entry;
use crate::rounds::{Measure, Round, is_behind, next_round};
use crate::shared::Shared;
use crate::status::Status;
use crate::table::{Extent, Home};

/// How many partitions are looked at under one hold of the lock.
const PARTITIONS_AT_ONCE: usize = 256;

/// How files are read ahead of a round: what a frame may have to wait for on its way to the disk.
const AHEAD_BYTES: usize = 128 * 1024;

/// How a log sorts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sorting {
    /// So many sealed files of the write-ahead log are sorted together; never with none.
    pub after_files: usize,
    /// About the size of such a file.
    pub file_bytes: u64,
    /// Whether blocks that are kept for a week or longer are compressed.
    pub compress: bool,
    /// How much is written in a second, unless the write-ahead log has got long.
    pub bytes_per_second: u64,
}

/// Why a round was not finished. Nothing has been changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SortError {
    /// The log takes no changes any more.
    #[error("the log takes no changes")]
    Stopped,
    /// An entry could not be read, or a chunk not be written.
    #[error("{0}")]
    Failed(String),
}

/// See the module.
pub struct Sorter {
    shared: Arc<Shared>,
    files: Arc<Files>,
    clock: Arc<dyn Clock>,
    sorting: Sorting,
    /// Held during a round: there is one at a time.
    round: Mutex<()>,
}

impl Sorter {
    /// Of the log behind `shared`.
    pub fn new(
        shared: Arc<Shared>,
        files: Arc<Files>,
        clock: Arc<dyn Clock>,
        sorting: Sorting,
    ) -> Sorter {
        Sorter {
            shared,
            files,
            clock,
            sorting,
            round: Mutex::new(()),
        }
    }

    /// Sorts whenever there is something to sort, until the log takes no more changes.
    pub fn run(&self) {
        while self.shared.wait_for_sealed() {
            match self.sort(true) {
                Ok(_) => {}
                Err(SortError::Stopped) => return,
                // The write-ahead log keeps everything; the next sealed file is the next occasion.
                Err(error @ SortError::Failed(_)) => {
                    tracing::warn!(%error, "entries could not be sorted");
                }
            }
        }
    }

    /// Carries out the rounds that there should be; gives how many there were. At the pace that was
    /// configured, or at once.
    pub fn sort(&self, is_paced: bool) -> Result<usize, SortError> {
        let _round = self.round.lock().expect("no holder of this lock panics");
        let mut count = 0;
        let mut before = None;
        while let Some(round) = self.next_round() {
            assert_ne!(
                Some(&round),
                before.as_ref(),
                "a round leaves nothing to itself"
            );
            let pace = Pace {
                sorter: self,
                is_paced,
                started: self.clock.now(),
                written: Mutex::new(0),
            };
            self.carry_out(&round, &pace)?;
            before = Some(round);
            count += 1;
        }
        Ok(count)
    }

    fn next_round(&self) -> Option<Round> {
        let files_max = self.files_that_fit();
        let state = self.shared.lock();
        let chunks: Vec<_> = state
            .chunks
            .iter()
            .map(|row| (*row, state.table.needed(Home::Chunk(row.number))))
            .collect();
        // On a full disk, what can be freed is freed at once, a file at a time.
        let measure = match state.status {
            Status::Full(_) => Measure {
                after_files: 1,
                files_max: 1,
            },
            Status::Running | Status::Closing | Status::Poisoned(_) => Measure {
                after_files: self.sorting.after_files,
                files_max,
            },
        };
        if self.sorting.after_files == 0 {
            return None;
        }
        // Where each run stands is in memory until it is sorted.
        let needed = |file: &u64| state.table.needed(Home::Wal(*file)).extents;
        let extents: u64 = state.sealed.iter().map(needed).sum();
        let measure = match extents >= SEALED_EXTENTS_MAX {
            true => Measure {
                after_files: 1,
                ..measure
            },
            false => measure,
        };
        next_round(&state.sealed, measure, &chunks)
    }

    /// How many files fit on the disk once more, and leave half of what is free.
    fn files_that_fit(&self) -> usize {
        match self.files.disk().room() {
            Ok(Some(room)) => (room.free_bytes / 2 / self.sorting.file_bytes.max(1)) as usize,
            Ok(None) | Err(_) => usize::MAX,
        }
    }

    fn carry_out(&self, round: &Round, pace: &Pace<'_>) -> Result<(), SortError> {
        let sources: BTreeSet<Home> = round.sources.iter().copied().collect();
        for source in &sources {
            self.read_ahead(*source);
        }
        let mut written = Vec::new();
        for (retention, partitions) in self.partitions_in(&sources, round.retention) {
            match self.write_chunk(&sources, retention, &partitions, pace) {
                Ok(chunk) => written.extend(chunk),
                Err(error) => {
                    self.discard(&written);
                    return Err(error);
                }
            }
        }
        if let Err(error) = self.files.disk().sync_directory(DIRECTORY) {
            self.discard(&written);
            return Err(SortError::Failed(format!("{DIRECTORY}: {error}")));
        }
        self.put_to_use(written)
    }

    /// Brings `source` into the system's cache in one go: its entries are read in another order than
    /// they stand in.
    fn read_ahead(&self, source: Home) {
        let Ok(file) = self.files.disk().open_beside(&source.to_string()) else {
            // Removed meanwhile, or not readable: reading its entries will tell.
            return;
        };
        let mut buffer = vec![0; AHEAD_BYTES];
        let mut offset = 0;
        while let Ok(count) = file.read_at(offset, &mut buffer)
            && count == buffer.len()
        {
            offset += count as u64;
        }
    }

    /// The partitions with entries in `sources`, by how long these are kept.
    fn partitions_in(
        &self,
        sources: &BTreeSet<Home>,
        otherwise: Option<Retention>,
    ) -> BTreeMap<Retention, Vec<PartitionId>> {
        let mut found: BTreeMap<Retention, Vec<PartitionId>> = BTreeMap::new();
        let mut behind = None;
        loop {
            let state = self.shared.lock();
            let last = behind;
            for (partition, kept) in state.table.partitions_behind(last, PARTITIONS_AT_ONCE) {
                behind = Some(partition);
                let is_in = |extent: &Extent| sources.contains(&extent.home);
                if kept.extents.iter().any(is_in) {
                    let hinted = state.retentions.get(&partition).copied();
                    let retention = hinted.or(otherwise);
                    let retention = retention.unwrap_or_else(|| usual(partition));
                    found.entry(retention).or_default().push(partition);
                }
            }
            if behind == last {
                return found;
            }
        }
    }

    /// Writes what `partitions` have in `sources`; none when that is gone.
    fn write_chunk(
        &self,
        sources: &BTreeSet<Home>,
        retention: Retention,
        partitions: &[PartitionId],
        pace: &Pace<'_>,
    ) -> Result<Option<Written>, SortError> {
        let header = ChunkHeader {
            number: self.shared.next_chunk(),
            retention,
            created: self.clock.now(),
        };
        let is_compressed = self.sorting.compress && retention >= Retention::Week;
        let path = chunk_path(header.number);
        let disk = &**self.files.disk();
        let between = |bytes| pace.take(bytes);
        let written = ChunkWriter::create(disk, header, is_compressed, &between)
            .map_err(|error| self.failed(&path, &error))
            .and_then(|mut writer| {
                for partition in partitions {
                    self.move_entries(sources, *partition, &mut writer, &path)?;
                }
                if writer.entries() == 0 {
                    return Ok(None);
                }
                let finished = writer.finish();
                finished
                    .map(Some)
                    .map_err(|error| self.failed(&path, &error))
            });
        if !matches!(written, Ok(Some(_))) {
            remove(disk, &path);
        }
        written
    }

    fn move_entries(
        &self,
        sources: &BTreeSet<Home>,
        partition: PartitionId,
        writer: &mut ChunkWriter<'_>,
        path: &str,
    ) -> Result<(), SortError> {
        let Some((owner, start, extents)) = self.extents_in(sources, partition) else {
            return Ok(());
        };
        for extent in &extents {
            let mut failed = None;
            let read = for_each_entry(
                &self.files,
                partition,
                extent,
                start,
                &mut |position, row, payload| {
                    writer
                        .put(owner, position, row, payload)
                        .inspect_err(|error| failed = Some(self.failed(path, error)))
                },
            );
            if let Err(error) = read {
                // Trimmed or deleted meanwhile, so that its file has gone: it need not move.
                let is_gone = !self.is_still_there(partition, extent);
                match failed {
                    None if is_gone => continue,
                    None => return Err(SortError::Failed(error.to_string())),
                    Some(failed) => return Err(failed),
                }
            }
        }
        Ok(())
    }

    /// What `partition` has in `sources`, and where it starts.
    fn extents_in(
        &self,
        sources: &BTreeSet<Home>,
        partition: PartitionId,
    ) -> Option<(Owner, Position, Vec<Extent>)> {
        let state = self.shared.lock();
        let kept = state.table.partition(partition)?;
        let owner = Owner {
            partition,
            created_lsn: kept.row.created_lsn,
        };
        let is_in = |extent: &&Extent| sources.contains(&extent.home);
        let extents = kept.extents.iter().filter(is_in).cloned().collect();
        Some((owner, kept.row.start, extents))
    }

    fn is_still_there(&self, partition: PartitionId, extent: &Extent) -> bool {
        let state = self.shared.lock();
        let kept = state.table.partition(partition);
        kept.is_some_and(|kept| kept.row.start < extent.end())
    }

    /// Has the log name the chunks, and then removes what they replace.
    fn put_to_use(&self, written: Vec<Written>) -> Result<(), SortError> {
        let rows: Vec<_> = written.iter().map(|chunk| chunk.row).collect();
        let named = match rows.is_empty() {
            true => Ok(()),
            false => self.shared.name_chunks(rows),
        };
        if let Err(error) = named {
            // Not there unless nobody knows: then the next start decides.
            if error.determinacy() == tidemill_model::Determinacy::Determinate {
                self.discard(&written);
            }
            return Err(SortError::Stopped);
        }
        for Written { row, extents } in &written {
            for extent in extents {
                self.adopt(row.number, extent);
            }
            self.shared.adopted(row.number);
        }
        self.shared.clean().map_err(|_| SortError::Stopped)
    }

    fn adopt(&self, chunk: u64, extent: &ExtentRow) {
        let replaced = self.shared.lock().table.adopt(chunk, extent);
        // Freed behind the lock: they may be many.
        drop(replaced.expect("a chunk holds what the table said"));
    }

    fn discard(&self, written: &[Written]) {
        for chunk in written {
            remove(&**self.files.disk(), &chunk_path(chunk.row.number));
        }
    }

    fn failed(&self, path: &str, error: &io::Error) -> SortError {
        if self.shared.takes_changes() {
            SortError::Failed(format!("{path}: {error}"))
        } else {
            SortError::Stopped
        }
    }
}

/// About how long entries of `partition` are kept when nobody has said.
fn usual(partition: PartitionId) -> Retention {
    match partition.owner() {
        Some(ServiceTag::Streams) => Retention::Day,
        _ => Retention::State,
    }
}

/// How fast a round goes.
struct Pace<'a> {
    sorter: &'a Sorter,
    is_paced: bool,
    started: Timestamp,
    written: Mutex<u64>,
}

impl Pace<'_> {
    /// Called when `bytes` have been written; an error when the log takes no changes any more.
    fn take(&self, bytes: usize) -> io::Result<()> {
        let shared = &self.sorter.shared;
        let written = {
            let mut written = self.written.lock().expect("no holder of this lock panics");
            *written += bytes as u64;
            *written
        };
        if self.is_paced && !self.is_behind() {
            let rate = self.sorter.sorting.bytes_per_second.max(1);
            let due = self.started.plus(std::time::Duration::from_millis(
                written.saturating_mul(1000) / rate,
            ));
            shared.rest(due.since(self.sorter.clock.now()));
        }
        if shared.takes_changes() {
            return Ok(());
        }
        Err(io::Error::other("the log takes no changes"))
    }

    /// Whether the write-ahead log has got long, so that sorting has to catch up.
    fn is_behind(&self) -> bool {
        let sealed = self.sorter.shared.lock().sealed.len();
        is_behind(sealed, self.sorter.sorting.after_files)
    }
}
