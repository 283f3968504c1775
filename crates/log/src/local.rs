//! The durable log of one machine: [`LocalLog`].
//!
//! What must hold: all partitions share one write-ahead log under `wal/`, so that any number of them
//! costs one sync; what [`Log::append`] has acknowledged survives as [`LocalOptions::durability`] says;
//! readers see what is durable and nothing else. A failed write or sync poisons the log: a second sync
//! would succeed with the data gone, so it is never tried. A full disk leaves the log readable; it takes
//! what can free room, and all else when there is room again.
//!
//! Below it stand the frames (`frame`, `run`) and the chunks (`chunk`), what is durable (`table`), what
//! is in line (`line`), the threads that write (`log_writer`, `committer`), the one that sorts what
//! was written (`sorter`), and the start (`recovery`).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;

use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

use tidemill_model::{BoxFuture, Clock, Entropy, Timestamp};

use crate::ahead::Ahead;
use crate::ballast;
use crate::batch::Batch;
use crate::buffers::Buffers;
use crate::chunk;
use crate::committer::{Committer, Durability, World, Writing};
use crate::disk::{Disk, is_full, remove};
use crate::files::Files;
use crate::frame::{BLOCK_BYTES, DIRECTORY, file_path};
use crate::limits::{BATCH_BUFFERS_BYTES_MAX, BUFFERS_BYTES_MAX};
use crate::log_writer::LogWriter;
use crate::partition_id::PartitionId;
use crate::place::Home;
use crate::port::{
    AppendError, Appended, Log, Partition, Position, Read, ReadError, Retention, Snapshot,
};
use crate::reader::Asked;
use crate::reading;
use crate::recovery::{LocalError, Recovered, recover};
use crate::run::{
    Command, ENTRIES_HEADER_BYTES, ENTRY_ROW_BYTES, RUN_HEADER_BYTES, SnapshotPointer,
};
use crate::scheduling::{Scheduling, prefer_this_thread, yield_this_thread};
use crate::scrubber::{Scrubbed, Scrubber};
use crate::shared::{Found, Shared, State};
use crate::sizes::checked_bytes;
use crate::snapshot_file;
use crate::sorter::{SortError, Sorter, Sorting};
use crate::waiting::{Answer, PlacedBatch, Waiting};

/// What is said when a thread that writes has ended in the middle of its work.
const PANICKED: &str = "a thread that writes panicked";

/// What an entry adds to a frame beside its payload, at most.
const ENTRY_OVERHEAD_BYTES: usize = RUN_HEADER_BYTES + ENTRIES_HEADER_BYTES + ENTRY_ROW_BYTES;

/// What any other change adds to a frame, at most.
const COMMAND_BYTES: usize = RUN_HEADER_BYTES + 32;

/// The smallest file of the write-ahead log that the size of a disk leads to.
const FILE_BYTES_MIN: u64 = 1024 * 1024;

/// The largest.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The memory of smaller batches is left to the allocator.
const POOLED_BATCH_BYTES_MIN: usize = 64 * 1024;

/// How a local log works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalOptions {
    /// What an acknowledgement means.
    pub durability: Durability,
    /// A file of the write-ahead log that has this many bytes is followed by another. A file is
    /// removed when everything in it has been sorted, trimmed or deleted.
    pub file_bytes: u64,
    /// So many sealed files of the write-ahead log go into one set of chunks; with 0 nothing is ever
    /// sorted.
    pub sort_after_files: usize,
    /// Whether a thread in the background sorts. Without, it is done by [`LocalLog::sort`] only.
    pub sorts_by_itself: bool,
    /// Whether a thread in the background checks what was sorted, slowly. Without, it is done by
    /// [`LocalLog::scrub`] only.
    pub scrubs_by_itself: bool,
    /// About so many bytes are sorted at a time: they are read into memory unless they are still there.
    pub sort_portion_bytes: u64,
    /// How many bytes are sorted in a second at most, unless the write-ahead log has got four times as
    /// long as it should be.
    pub sort_bytes_per_second: u64,
    /// Whether what is kept for a week or longer is compressed when it is sorted.
    pub compress: bool,
    /// So much room is held for the time when the disk is full; none with 0.
    pub ballast_bytes: u64,
    /// How many bytes of recent frames are kept in memory for readers.
    pub cache_bytes: usize,
    /// How the thread that writes should be scheduled. It takes the next best when the system does
    /// not grant it, or when acknowledgements do not wait for the disk: the waiting is what leaves
    /// the processor to others.
    pub scheduling: Scheduling,
    /// Starts even when something that was acknowledged is lost, without what is lost.
    pub accept_data_loss: bool,
}

impl Default for LocalOptions {
    fn default() -> LocalOptions {
        LocalOptions {
            durability: Durability::Sync,
            file_bytes: FILE_BYTES_MAX,
            sort_after_files: 4,
            sorts_by_itself: true,
            scrubs_by_itself: true,
            sort_portion_bytes: 32 * 1024 * 1024,
            sort_bytes_per_second: 512 * 1024 * 1024,
            compress: false,
            ballast_bytes: 0,
            cache_bytes: 64 * 1024 * 1024,
            scheduling: Scheduling::RealTime,
            accept_data_loss: false,
        }
    }
}

impl LocalOptions {
    /// With sizes that suit `disk`: on a small one, smaller files and less ballast.
    pub fn scaled_to(self, disk: &dyn Disk) -> std::io::Result<LocalOptions> {
        let Some(room) = disk.room()? else {
            return Ok(self);
        };
        let file_bytes = (room.total_bytes / 256).clamp(FILE_BYTES_MIN, FILE_BYTES_MAX);
        Ok(LocalOptions {
            file_bytes: file_bytes.next_multiple_of(FILE_BYTES_MIN),
            ballast_bytes: ballast::bytes_for(room.total_bytes),
            ..self
        })
    }
}

/// The durable log of one machine. Dropping it writes what is in line, then ends the threads.
pub struct LocalLog {
    files: Arc<Files>,
    batch_buffers: Arc<Buffers>,
    clock: Arc<dyn Clock>,
    shared: Arc<Shared>,
    sorter: Arc<Sorter>,
    scrubber: Arc<Scrubber>,
    scheduling: Scheduling,
    ahead: Arc<Ahead>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Ends behind the others, which give it work.
    working_ahead: Mutex<Option<JoinHandle<()>>>,
}

impl LocalLog {
    /// Recovers what stands on `disk` and begins a new file behind it. Blocks.
    pub fn open(
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        options: LocalOptions,
    ) -> Result<LocalLog, LocalError> {
        for directory in [DIRECTORY, snapshot_file::DIRECTORY, chunk::DIRECTORY] {
            disk.create_directory(directory)
                .map_err(|error| failure(directory, &error))?;
        }
        let recovered = recover(&*disk, options.accept_data_loss)?;
        if let Some(newest) = recovered.files.last() {
            // What was read is served from now on, so it must not be lost to a power cut.
            let path = file_path(newest.tail.file);
            let synced = settle(&*disk, &path, newest.tail.end, options.accept_data_loss);
            synced.map_err(|error| failure(&path, &error))?;
        }
        for leftover in &recovered.leftovers {
            remove(&*disk, leftover);
        }
        let files = Arc::new(Files::new(disk));
        let file_bytes = options.file_bytes.next_multiple_of(BLOCK_BYTES as u64);
        let world = World {
            ahead: Arc::new(Ahead::new(Arc::clone(&files), file_bytes)),
            files: Arc::clone(&files),
            buffers: Arc::new(Buffers::new(BUFFERS_BYTES_MAX)),
            clock: Arc::clone(&clock),
            entropy,
        };
        LocalLog::run(world, recovered, &options)
    }

    /// Begins the first file of this run, and starts the threads.
    fn run(
        world: World,
        recovered: Recovered,
        options: &LocalOptions,
    ) -> Result<LocalLog, LocalError> {
        let World {
            files,
            ahead,
            clock,
            buffers: frame_buffers,
            ..
        } = world.clone();
        let batch_buffers = Arc::new(Buffers::new(BATCH_BUFFERS_BYTES_MAX));
        let writing = Writing {
            durability: options.durability,
            file_bytes: options.file_bytes,
            ballast_bytes: options.ballast_bytes,
            sorted_after_files: sorts_by_itself(options).then_some(options.sort_after_files),
        };
        let (next_file, next_lsn) = (recovered.next_file, recovered.next_lsn);
        let older = recovered
            .files
            .iter()
            .map(|row| (row.tail.file, row.tail.end));
        let is_needed = |(file, _): &(u64, u64)| !recovered.table.is_unused(Home::Wal(*file));
        let sealed = older.filter(is_needed).collect();
        let mut committer = Committer::new(world, writing, recovered.files, next_file, next_lsn);
        let has_room = committer
            .begin(&recovered.table, &recovered.chunks)
            .map_err(|error| failure(&file_path(next_file), &error))?;
        let found = Found {
            table: recovered.table,
            chunks: recovered.chunks,
            sealed,
            next_snapshot: recovered.next_snapshot,
            next_chunk: recovered.next_chunk,
        };
        let portion_bytes = portion_bytes(options);
        let shared = Arc::new(Shared::new(found, options.cache_bytes, portion_bytes));
        if !has_room {
            shared.fill("there is no room for the ballast".to_owned(), Vec::new());
        }
        let sorter = Arc::new(Sorter::new(
            Arc::clone(&shared),
            Arc::clone(&files),
            vec![frame_buffers, Arc::clone(&batch_buffers)],
            Arc::clone(&clock),
            sorting(options),
        ));
        let started = start(committer, &shared, wanted_scheduling(options));
        let (mut threads, scheduling) =
            started.map_err(|error| failure("a thread that writes", &error))?;
        let scrubber = Scrubber::new(Arc::clone(&shared), Arc::clone(&files), Arc::clone(&clock));
        let scrubber = Arc::new(scrubber);
        threads.extend(start_behind(options, &sorter, &scrubber)?);
        let works_ahead = options.sorts_by_itself;
        let working_ahead = works_ahead.then(|| start_working_ahead(&ahead, &shared));
        let working_ahead = working_ahead
            .transpose()
            .map_err(|error| failure("the thread that works ahead", &error))?;
        let writing = files.disk().way_of_writing();
        tracing::info!(%scheduling, writing, "the log is open");
        Ok(LocalLog {
            files,
            batch_buffers,
            clock,
            shared,
            sorter,
            scrubber,
            scheduling,
            ahead,
            threads: Mutex::new(threads),
            working_ahead: Mutex::new(working_ahead),
        })
    }

    /// Sorts what there is to be sorted, without a pace; gives how many sets of chunks there are more. Blocks.
    pub fn sort(&self) -> Result<usize, SortError> {
        self.sorter.sort(false)
    }

    /// Checks every entry of every chunk; [`LocalLog::scrubbed`] tells what came of it. Blocks.
    pub fn scrub(&self) {
        self.scrubber.check_all();
    }

    /// What checking chunks has come to since the start: the damage of those that are needed too.
    pub fn scrubbed(&self) -> Scrubbed {
        self.scrubber.scrubbed()
    }

    /// Does one thing that the committer has asked for, where no thread does: makes the next file, for
    /// one. A disk that fails is not trusted further. Blocks.
    pub fn work_ahead(&self) -> Result<(), AppendError> {
        self.ahead.step().map_err(|error| {
            let detail = ahead_failure(&error);
            self.shared.poison(detail.clone(), Vec::new());
            AppendError::Poisoned { detail }
        })
    }

    /// How the thread that writes is scheduled, and how it writes: the figures of a run mean nothing
    /// without it.
    pub fn description(&self) -> String {
        format!(
            "committer {}, {}",
            self.scheduling,
            self.files.disk().way_of_writing()
        )
    }

    /// Completes when a write or a sync has failed, with what the system said. The log takes no more
    /// changes then; what it holds is known after a restart.
    pub fn poisoned(&self) -> BoxFuture<'static, String> {
        let mut poisoned = self.shared.poisoned();
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            let found = poisoned.wait_for(Option::is_some).await;
            let detail = found
                .expect("the sender lives as long as this future")
                .clone();
            drop(shared);
            detail.unwrap_or_default()
        })
    }

    /// Takes no more changes, and waits until what is in line has been written. Blocks.
    pub fn close(&self) {
        self.shared.close();
        let threads = {
            let mut threads = self.threads.lock().expect("no holder of this lock panics");
            std::mem::take(&mut *threads)
        };
        let working_ahead = {
            let mut thread = self
                .working_ahead
                .lock()
                .expect("no holder of this lock panics");
            thread.take()
        };
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a thread of the log panicked");
            }
        }
        self.ahead.close();
        if working_ahead.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("a thread of the log panicked");
        }
    }

    fn put_command(
        &self,
        state: MutexGuard<'_, State>,
        partition: PartitionId,
        command: Command,
    ) -> oneshot::Receiver<Result<(), AppendError>> {
        let (sender, receiver) = oneshot::channel();
        let waiting = command_waiting(partition, command, Answer::Done(sender));
        self.shared.put_in_line(state, waiting);
        receiver
    }
}

impl Drop for LocalLog {
    fn drop(&mut self) {
        self.close();
    }
}

/// Makes what was recovered from the newest file durable, and frees what stands behind `end`: zeros, or
/// a write that was cut short. What may have been lost is left where it is.
fn settle(disk: &dyn Disk, path: &str, end: u64, may_be_lost: bool) -> std::io::Result<()> {
    let file = disk.open(path)?;
    if file.size()? > end && !may_be_lost {
        disk.truncate(path, end)?;
    }
    file.sync()
}

fn wanted_scheduling(options: &LocalOptions) -> Scheduling {
    match (options.durability, options.scheduling) {
        (Durability::Os | Durability::Memory, Scheduling::RealTime) => Scheduling::ShortSlice,
        (_, scheduling) => scheduling,
    }
}

fn sorts_by_itself(options: &LocalOptions) -> bool {
    options.sorts_by_itself && options.sort_after_files > 0
}

fn sorting(options: &LocalOptions) -> Sorting {
    Sorting {
        after_files: options.sort_after_files,
        file_bytes: options.file_bytes,
        portion_bytes: portion_bytes(options),
        compress: options.compress,
        bytes_per_second: options.sort_bytes_per_second,
    }
}

/// In whole blocks, so that what is read can be read past the system's cache.
fn portion_bytes(options: &LocalOptions) -> u64 {
    let bytes = options.sort_portion_bytes.max(1);
    bytes.next_multiple_of(BLOCK_BYTES as u64)
}

fn ahead_failure(error: &std::io::Error) -> String {
    format!("ahead of the log: {error}")
}

fn start_working_ahead(
    ahead: &Arc<Ahead>,
    shared: &Arc<Shared>,
) -> std::io::Result<JoinHandle<()>> {
    ahead.expect_thread();
    let (ahead, shared) = (Arc::clone(ahead), Arc::clone(shared));
    std::thread::Builder::new()
        .name("tidemill-ahead".to_owned())
        .spawn(move || {
            if let Err(error) = ahead.run() {
                shared.poison(ahead_failure(&error), Vec::new());
            }
        })
}

/// Starts the threads that work behind the log.
fn start_behind(
    options: &LocalOptions,
    sorter: &Arc<Sorter>,
    scrubber: &Arc<Scrubber>,
) -> Result<Vec<JoinHandle<()>>, LocalError> {
    let mut threads = Vec::new();
    if sorts_by_itself(options) {
        let sorter = Arc::clone(sorter);
        let thread = start_in_background("tidemill-sort", move || sorter.run());
        threads.push(thread.map_err(|error| failure("the sorter thread", &error))?);
    }
    if options.scrubs_by_itself {
        let scrubber = Arc::clone(scrubber);
        let thread = start_in_background("tidemill-scrub", move || scrubber.run());
        threads.push(thread.map_err(|error| failure("the thread that scrubs", &error))?);
    }
    Ok(threads)
}

/// Starts a thread that lets all others run before it.
fn start_in_background(
    name: &str,
    work: impl FnOnce() + Send + 'static,
) -> std::io::Result<JoinHandle<()>> {
    let thread = std::thread::Builder::new().name(name.to_owned());
    thread.spawn(move || {
        yield_this_thread();
        work();
    })
}

/// Starts the threads that write; gives how they are scheduled, too.
fn start(
    committer: Committer,
    shared: &Arc<Shared>,
    wanted: Scheduling,
) -> std::io::Result<(Vec<JoinHandle<()>>, Scheduling)> {
    let mut threads = Vec::new();
    let mut scheduling = wanted;
    for writer in LogWriter::all(committer, shared) {
        match start_writer(writer, shared, wanted) {
            Ok((thread, granted)) => {
                threads.push(thread);
                scheduling = granted;
            }
            Err(error) => {
                // Those that have been started end.
                shared.close();
                return Err(error);
            }
        }
    }
    Ok((threads, scheduling))
}

fn start_writer(
    writer: LogWriter,
    shared: &Arc<Shared>,
    wanted: Scheduling,
) -> std::io::Result<(JoinHandle<()>, Scheduling)> {
    let shared = Arc::clone(shared);
    let (sender, granted) = sync_channel(1);
    let thread = std::thread::Builder::new()
        .name("tidemill-log".to_owned())
        .spawn(move || {
            let is_heard = sender.send(prefer_this_thread(wanted)).is_ok();
            assert!(is_heard, "who started this thread waits for it");
            if catch_unwind(AssertUnwindSafe(|| writer.run())).is_err() {
                // Whoever waits must not wait for ever.
                shared.poison(PANICKED.to_owned(), Vec::new());
            }
        })?;
    let granted = granted.recv().map_err(std::io::Error::other)?;
    Ok((thread, granted))
}

fn failure(path: &str, error: &std::io::Error) -> LocalError {
    LocalError::Disk {
        path: path.to_owned(),
        detail: error.to_string(),
    }
}

fn command_waiting(partition: PartitionId, command: Command, answer: Answer) -> Waiting {
    let command = Some((partition, command));
    Waiting {
        batch: PlacedBatch::default(),
        command,
        bytes: COMMAND_BYTES,
        answer,
    }
}

/// Waits for the answer that the committer gives.
fn answered<T: Send + 'static>(
    put: Result<oneshot::Receiver<Result<T, AppendError>>, AppendError>,
) -> BoxFuture<'static, Result<T, AppendError>> {
    Box::pin(async move { put?.await.map_err(|_| vanished())? })
}

/// Nobody answers: the thread that writes has gone, with a change that may be on the disk.
fn vanished() -> AppendError {
    AppendError::Poisoned {
        detail: PANICKED.to_owned(),
    }
}

/// Gives each entry of `batch` its place, in its order.
fn place(state: &mut State, now: Timestamp, batch: &Batch) -> Vec<Appended> {
    let mut places = Vec::with_capacity(batch.entries().len());
    for run in batch.runs() {
        let count = run.entries.len() as u64;
        let Appended { position, at } = state.line.place(run.partition, count, now);
        let positions = position..position + count;
        places.extend(positions.map(|position| Appended { position, at }));
    }
    places
}

impl Shared {
    fn append(
        self: &Arc<Shared>,
        clock: &Arc<dyn Clock>,
        batch: Batch,
    ) -> Result<oneshot::Receiver<Result<Vec<Appended>, AppendError>>, AppendError> {
        let bytes = checked_bytes(&batch)? + ENTRY_OVERHEAD_BYTES * batch.entries().len();
        let (sender, receiver) = oneshot::channel();
        if batch.entries().is_empty() {
            self.lock().status.check()?;
            // A caller that has gone misses it.
            drop(sender.send(Ok(Vec::new())));
            return Ok(receiver);
        }
        let now = clock.now();
        let mut state = self.lock();
        self.check_batch(&mut state, &batch)?;
        state.check_room(bytes)?;
        for run in batch.runs() {
            state.line.check_open(run.partition)?;
        }
        let places = place(&mut state, now, &batch);
        let answer = Answer::Appended(sender);
        let batch = PlacedBatch { batch, places };
        self.put_among_others(
            state,
            Waiting {
                batch,
                command: None,
                bytes,
                answer,
            },
            clock,
        );
        Ok(receiver)
    }

    fn is_worth_waking(&self, state: &State, partition: PartitionId, from: Position) -> bool {
        state
            .table
            .partition(partition)
            .is_some_and(|kept| kept.row.end > from || kept.row.sealed || kept.row.start > from)
    }
}

impl Log for LocalLog {
    fn batch(&self, entries: usize, bytes: usize) -> Batch {
        match bytes >= POOLED_BATCH_BYTES_MIN {
            true => Batch::within(&self.batch_buffers, entries, bytes),
            false => Batch::with_capacity(entries, bytes),
        }
    }

    fn append(&self, batch: Batch) -> BoxFuture<'static, Result<Vec<Appended>, AppendError>> {
        answered(self.shared.append(&self.clock, batch))
    }

    fn read(
        &self,
        partition: PartitionId,
        from: Position,
        entries_max: usize,
        bytes_max: usize,
    ) -> BoxFuture<'static, Result<Read, ReadError>> {
        let asked = Asked {
            partition,
            from,
            entries_max,
            bytes_max,
        };
        Box::pin(reading::read(
            Arc::clone(&self.shared),
            Arc::clone(&self.files),
            asked,
        ))
    }

    fn partition(&self, partition: PartitionId) -> Partition {
        let state = self.shared.lock();
        state
            .table
            .partition(partition)
            .map_or_else(Partition::default, |kept| Partition {
                start: kept.row.start,
                end: kept.row.end,
                sealed: kept.row.sealed,
            })
    }

    fn partitions(&self) -> Vec<PartitionId> {
        self.shared
            .lock()
            .table
            .partitions()
            .map(|(partition, _)| partition)
            .collect()
    }

    fn wait(&self, partition: PartitionId, from: Position) -> BoxFuture<'static, ()> {
        let shared = Arc::clone(&self.shared);
        let was_deleted = shared.lock().line.is_deleted(partition);
        Box::pin(async move {
            loop {
                let woken = {
                    let mut state = shared.lock();
                    // Deleted in line is not yet deleted: the table tells when it is.
                    let is_gone = state.table.partition(partition).is_none();
                    let deleted = is_gone && state.line.is_deleted(partition) && !was_deleted;
                    if deleted || shared.is_worth_waking(&state, partition, from) {
                        return;
                    }
                    state.waiters.register(partition)
                };
                woken.await;
            }
        })
    }

    fn position_at(
        &self,
        partition: PartitionId,
        at: Timestamp,
    ) -> BoxFuture<'static, Result<Position, ReadError>> {
        let (shared, files) = (Arc::clone(&self.shared), Arc::clone(&self.files));
        Box::pin(reading::position_at(shared, files, partition, at))
    }

    fn retain(&self, partition: PartitionId, retention: Retention) {
        self.shared.lock().retentions.insert(partition, retention);
    }

    fn seal(&self, partition: PartitionId) -> BoxFuture<'static, Result<Position, AppendError>> {
        let put = || {
            let mut state = self.shared.lock();
            state.status.check()?;
            state.check_room(COMMAND_BYTES)?;
            state.line.check_exists(partition)?;
            let end = state.line.seal(partition);
            let (sender, receiver) = oneshot::channel();
            let answer = Answer::Sealed(sender, end);
            let waiting = command_waiting(partition, Command::Seal(end), answer);
            self.shared.put_in_line(state, waiting);
            Ok(receiver)
        };
        answered(put())
    }

    fn trim(
        &self,
        partition: PartitionId,
        before: Position,
    ) -> BoxFuture<'static, Result<(), AppendError>> {
        let put = || {
            let state = self.shared.lock();
            state.status.check()?;
            state.check_room(COMMAND_BYTES)?;
            let before = before.min(state.line.end(partition).unwrap_or(0));
            if before == 0 {
                return Ok(done());
            }
            Ok(self.put_command(state, partition, Command::Trim(before)))
        };
        answered(put())
    }

    fn delete(&self, partition: PartitionId) -> BoxFuture<'static, Result<(), AppendError>> {
        let put = || {
            let mut state = self.shared.lock();
            state.status.check()?;
            state.check_room(COMMAND_BYTES)?;
            if !state.line.delete(partition) {
                return Ok(done());
            }
            state.retentions.remove(&partition);
            Ok(self.put_command(state, partition, Command::Delete))
        };
        answered(put())
    }

    fn snapshot(
        &self,
        partition: PartitionId,
        snapshot: Snapshot,
    ) -> BoxFuture<'static, Result<(), AppendError>> {
        let disk = Arc::clone(self.files.disk());
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            let number = {
                let mut state = shared.lock();
                state.status.check()?;
                state.line.check_exists(partition)?;
                state.next_snapshot += 1;
                state.next_snapshot - 1
            };
            let write = move || snapshot_file::write(&*disk, number, partition, &snapshot);
            let pointer = match spawn_blocking(write).await.expect("writing does not panic") {
                Ok(pointer) => pointer,
                Err(error) => return Err(snapshot_failure(&shared, &error)),
            };
            let receiver = put_pointer(&shared, partition, pointer)?;
            receiver.await.map_err(|_| vanished())?
        })
    }

    fn restore(
        &self,
        partition: PartitionId,
    ) -> BoxFuture<'static, Result<Option<Snapshot>, ReadError>> {
        let (shared, files) = (Arc::clone(&self.shared), Arc::clone(&self.files));
        Box::pin(reading::restore(shared, files, partition))
    }
}

/// The answer to what changes nothing.
fn done() -> oneshot::Receiver<Result<(), AppendError>> {
    let (sender, receiver) = oneshot::channel();
    // A caller that has gone misses it.
    drop(sender.send(Ok(())));
    receiver
}

fn put_pointer(
    shared: &Shared,
    partition: PartitionId,
    pointer: SnapshotPointer,
) -> Result<oneshot::Receiver<Result<(), AppendError>>, AppendError> {
    let mut state = shared.lock();
    state.status.check()?;
    state.check_room(COMMAND_BYTES)?;
    state.line.check_exists(partition)?;
    let end = state.line.create(partition);
    assert!(
        pointer.position <= end,
        "a snapshot of {partition:?} lies behind its end {end}"
    );
    let (sender, receiver) = oneshot::channel();
    let answer = Answer::Done(sender);
    let waiting = command_waiting(partition, Command::Snapshot(pointer), answer);
    shared.put_in_line(state, waiting);
    Ok(receiver)
}

/// A disk that fails anywhere is not trusted further: the log is poisoned, unless there was no room.
fn snapshot_failure(shared: &Shared, error: &std::io::Error) -> AppendError {
    let detail = format!("snapshot: {error}");
    if is_full(error) {
        return AppendError::Full { detail };
    }
    shared.poison(detail.clone(), Vec::new());
    AppendError::Poisoned { detail }
}
