//! The sorter: moves entries out of the write-ahead log into chunks, and merges chunks.
//!
//! What must hold: a chunk is whole and durable before the log names it, and what it replaces is removed
//! only when the command that names it is durable; so a crash at any step leaves every entry where the
//! log says. An entry is checked against the checksum it was acknowledged with before it is written
//! again; one that does not fit undoes what was begun, and nothing is removed. The lock is held for few
//! partitions and extents at a time, so that nobody waits for the sorter. What to do is decided in
//! `rounds`.

mod taking;
mod merging;

use std::collections::btree_map::Entry;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use thiserror::Error;

use tidemill_model::{Clock, Timestamp};

use crate::aligned::Aligned;
use crate::buffers::Buffers;
use crate::chunk::{ChunkHeader, DIRECTORY, ExtentRow, chunk_path};
use crate::chunk_writer::{ChunkWriter, Written};
use crate::disk::remove;
use crate::files::Files;
use crate::gathering::Gathering;
use crate::idle::give_back_memory;
use crate::limits::{BEHIND_PIECE_BYTES, CHUNK_PIECE_BYTES, SEALED_EXTENTS_MAX};
use crate::place::Home;
use crate::port::Retention;
use crate::portion::Portion;
use crate::rounds::{Measure, Progress, Step, is_behind, next_step};
use crate::scheduling::{stand_with_others, yield_this_thread};
use crate::shared::{Occasion, Shared, State};
use crate::status::Status;

/// How many partitions are looked at under one hold of the lock.
const PARTITIONS_AT_ONCE: usize = 256;

/// Memory is kept for the next burst until next to nothing was written for so long, or up to twice as long.
const QUIET: Duration = Duration::from_secs(5);

/// Frames are kept for readers until next to nothing was written for so long, or up to twice as long: who reads
/// along has read them by then.
const REST: Duration = Duration::from_secs(30);

/// How a log sorts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sorting {
    /// So many sealed files of the write-ahead log go into a set of chunks; never with none.
    pub after_files: usize,
    /// About the size of such a file.
    pub file_bytes: u64,
    /// About so many bytes are taken at a time.
    pub portion_bytes: u64,
    /// Whether blocks that are kept for a week or longer are compressed.
    pub compress: bool,
    /// How much is written in a second, unless the write-ahead log has got long.
    pub bytes_per_second: u64,
}

/// Why something was not sorted. Nothing has been changed.
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
    buffers: Vec<Arc<Buffers>>,
    clock: Arc<dyn Clock>,
    sorting: Sorting,
    /// Whether the thread that sorts runs like all others.
    stands_forward: AtomicBool,
    /// Held by who sorts: there is one at a time.
    work: Mutex<Work>,
}

/// What the one who sorts works with.
#[derive(Default)]
struct Work {
    gathering: Gathering,
    /// Where portions are read into.
    buffer: Aligned,
}

impl Sorter {
    /// Of the log behind `shared`.
    pub fn new(
        shared: Arc<Shared>,
        files: Arc<Files>,
        buffers: Vec<Arc<Buffers>>,
        clock: Arc<dyn Clock>,
        sorting: Sorting,
    ) -> Sorter {
        Sorter {
            shared,
            files,
            buffers,
            clock,
            sorting,
            stands_forward: AtomicBool::new(false),
            work: Mutex::default(),
        }
    }

    /// Sorts whenever there is something to sort, until the log takes no more changes.
    pub fn run(&self) {
        let mut quiet_after = QUIET;
        loop {
            match self.shared.wait_for_sorter(quiet_after) {
                Occasion::Work => quiet_after = QUIET,
                Occasion::Quiet => {
                    self.come_to_rest(quiet_after);
                    // Again and again: others free memory at rest, too.
                    quiet_after = REST;
                    continue;
                }
                Occasion::End => break,
            }
            match self.sort(true) {
                Ok(_) => {}
                Err(SortError::Stopped) => break,
                // The write-ahead log keeps everything; the next sealed file is the next occasion.
                Err(error @ SortError::Failed(_)) => {
                    tracing::warn!(%error, "entries could not be sorted");
                }
            }
        }
        self.give_up(&mut self.lock().gathering);
    }

    fn lock(&self) -> MutexGuard<'_, Work> {
        self.work.lock().expect("no holder of this lock panics")
    }

    /// Gives up memory that nobody needs when next to nothing was written for so long as `quiet`.
    fn come_to_rest(&self, quiet: Duration) {
        if quiet >= REST {
            self.shared.forget_frames();
        }
        self.lock().buffer = Aligned::default();
        self.buffers.iter().for_each(|buffers| buffers.give_back());
        give_back_memory();
    }

    /// Where sorting is behind, puts will soon wait for it, so it does not stand back for them any longer.
    fn stand(&self, is_behind: bool) {
        if self.stands_forward.swap(is_behind, Ordering::Relaxed) == is_behind {
            return;
        }
        if is_behind {
            let is_granted = stand_with_others();
            tracing::debug!(is_granted, "sorting is behind");
        } else {
            yield_this_thread();
        }
    }

    /// Does what there is to be done; gives how many sets of chunks the log has got. At the pace that was
    /// configured, or at once.
    pub fn sort(&self, is_paced: bool) -> Result<usize, SortError> {
        let mut work = self.lock();
        let mut count = 0;
        let mut merged = None;
        let mut finished = Vec::new();
        while let Some((step, portion)) = self.next_step(&mut work.gathering) {
            let pace = Pace {
                sorter: self,
                is_paced,
                started: self.clock.now(),
                written: Mutex::new(0),
            };
            match (step, portion) {
                (Step::Gather, portion) => {
                    let portion = portion.expect("there is something to gather");
                    let is_new = !finished.contains(&portion.file);
                    assert!(is_new, "what was named leaves nothing behind");
                    self.gather(&mut work, &portion, &pace)?;
                }
                (Step::Finish, _) => {
                    finished = self.finish(&mut work.gathering, &pace)?;
                    count += 1;
                }
                (Step::Merge(merge), _) => {
                    assert_ne!(
                        Some(&merge),
                        merged.as_ref(),
                        "a merge leaves nothing behind"
                    );
                    self.merge(&merge, &pace)?;
                    merged = Some(merge);
                    count += 1;
                }
            }
        }
        if !is_paced {
            // Nobody may come to rest behind whoever asked for this.
            work.buffer = Aligned::default();
        }
        Ok(count)
    }

    /// What to do, and what to gather, if that is it.
    fn next_step(&self, gathering: &mut Gathering) -> Option<(Step, Option<Portion>)> {
        if self.sorting.after_files == 0 {
            return None;
        }
        let files_max = self.files_that_fit();
        let state = self.shared.lock_from_behind();
        let next = gathering.next(&state, self.sorting.portion_bytes);
        let progress = Progress {
            sealed: state.sealed.len(),
            gathered: gathering.files.len(),
            next: next.as_ref().map(|(next, _)| *next),
        };
        let chunks: Vec<_> = state
            .chunks
            .iter()
            .map(|row| (*row, state.table.needed(Home::Chunk(row.number))))
            .collect();
        let step = next_step(progress, self.measure(&state, files_max), &chunks)?;
        Some((step, next.map(|(_, portion)| portion)))
    }

    fn measure(&self, state: &State, files_max: usize) -> Measure {
        // On a full disk, what can be freed is freed at once, a file at a time.
        let measure = match state.status {
            Status::Full(_) => Measure {
                after_files: 1,
                files_max: 0,
            },
            Status::Running | Status::Closing | Status::Poisoned(_) => Measure {
                after_files: self.sorting.after_files,
                files_max,
            },
        };
        // Where each run stands is in memory until it is sorted.
        let needed = |file: &u64| state.table.needed(Home::Wal(*file)).extents;
        let extents: u64 = state.sealed.iter().map(needed).sum();
        match extents >= SEALED_EXTENTS_MAX {
            true => Measure {
                after_files: 1,
                ..measure
            },
            false => measure,
        }
    }

    /// How many files fit on the disk once more, and leave half of what is free.
    fn files_that_fit(&self) -> usize {
        match self.files.disk().room() {
            Ok(Some(room)) => (room.free_bytes / 2 / self.sorting.file_bytes.max(1)) as usize,
            Ok(None) | Err(_) => usize::MAX,
        }
    }

    /// The chunk in the making for what is kept as long as `retention` says.
    fn writer<'a>(
        &self,
        gathering: &'a mut Gathering,
        retention: Retention,
    ) -> Result<&'a mut ChunkWriter, SortError> {
        match gathering.writers.entry(retention) {
            Entry::Occupied(writer) => Ok(writer.into_mut()),
            Entry::Vacant(vacant) => Ok(vacant.insert(self.begin_chunk(retention)?)),
        }
    }

    fn begin_chunk(&self, retention: Retention) -> Result<ChunkWriter, SortError> {
        let header = ChunkHeader {
            number: self.shared.next_chunk(),
            retention,
            created: self.clock.now(),
        };
        let is_compressed = self.sorting.compress && retention >= Retention::Week;
        let disk = &**self.files.disk();
        ChunkWriter::create(disk, header, is_compressed).map_err(|error| {
            let path = chunk_path(header.number);
            // It may be there, and empty.
            if error.kind() != io::ErrorKind::AlreadyExists {
                let _ = disk.remove(&path);
            }
            self.failed(&path, &error)
        })
    }

    /// Finishes the chunks in the making and has the log name them; gives the files that they replace.
    fn finish(&self, gathering: &mut Gathering, pace: &Pace<'_>) -> Result<Vec<u64>, SortError> {
        let Gathering { writers, files, .. } = std::mem::take(gathering);
        let numbers: Vec<u64> = writers.values().map(ChunkWriter::number).collect();
        let mut written = Vec::new();
        for writer in writers.into_values() {
            let path = chunk_path(writer.number());
            match writer.finish(&|bytes| pace.take(bytes)) {
                Ok(chunk) => written.push(chunk),
                Err(error) => {
                    self.discard(&numbers);
                    return Err(self.failed(&path, &error));
                }
            }
        }
        self.put_to_use(written)?;
        Ok(files)
    }

    /// Undoes what was begun: the files of the write-ahead log have it all.
    fn give_up(&self, gathering: &mut Gathering) {
        let begun = std::mem::take(gathering).writers;
        let numbers: Vec<u64> = begun.values().map(ChunkWriter::number).collect();
        self.discard(&numbers);
    }

    /// Has the log name the chunks, and then removes what they replace.
    fn put_to_use(&self, written: Vec<Written>) -> Result<(), SortError> {
        if let Err(error) = self.files.disk().sync_directory(DIRECTORY) {
            self.discard(&numbers_of(&written));
            return Err(self.failed(DIRECTORY, &error));
        }
        let rows: Vec<_> = written.iter().map(|chunk| chunk.row).collect();
        let named = match rows.is_empty() {
            true => Ok(()),
            false => self.shared.name_chunks(rows),
        };
        if let Err(error) = named {
            // Not there unless nobody knows: then the next start decides.
            if error.determinacy() == tidemill_model::Determinacy::Determinate {
                self.discard(&numbers_of(&written));
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
        let replaced = self.shared.lock_from_behind().table.adopt(chunk, extent);
        // Freed behind the lock: they may be many.
        drop(replaced.expect("a chunk holds what the table said"));
    }

    fn discard(&self, chunks: &[u64]) {
        for number in chunks {
            remove(&**self.files.disk(), &chunk_path(*number));
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

fn numbers_of(written: &[Written]) -> Vec<u64> {
    written.iter().map(|chunk| chunk.row.number).collect()
}

/// How fast a step goes.
struct Pace<'a> {
    sorter: &'a Sorter,
    is_paced: bool,
    started: Timestamp,
    written: Mutex<u64>,
}

impl Pace<'_> {
    /// Called when `bytes` have been written; gives how many are written at once next, an error when the
    /// log takes no changes any more.
    fn take(&self, bytes: usize) -> io::Result<usize> {
        let shared = &self.sorter.shared;
        let written = {
            let mut written = self.written.lock().expect("no holder of this lock panics");
            *written += bytes as u64;
            *written
        };
        let is_behind = self.is_behind();
        if self.is_paced {
            self.sorter.stand(is_behind);
        }
        if self.is_paced && !is_behind {
            let rate = self.sorter.sorting.bytes_per_second.max(1);
            let due = self
                .started
                .plus(Duration::from_millis(written.saturating_mul(1000) / rate));
            shared.rest(due.since(self.sorter.clock.now()));
        }
        match (shared.takes_changes(), is_behind) {
            (false, _) => Err(io::Error::other("the log takes no changes")),
            (true, true) => Ok(BEHIND_PIECE_BYTES),
            (true, false) => Ok(CHUNK_PIECE_BYTES),
        }
    }

    /// Whether the write-ahead log has got long, so that sorting has to catch up.
    fn is_behind(&self) -> bool {
        if !self.is_paced {
            return false;
        }
        let sealed = self.sorter.shared.lock_from_behind().sealed.len();
        is_behind(sealed, self.sorter.sorting.after_files)
    }
}
