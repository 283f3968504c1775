//! What the callers of a local log share with the threads that write it: [`Shared`].
//!
//! What must hold: one lock guards the line, the table and what waits to be written, and nobody holds
//! it while the disk works. A change gets its place when it is put in line; it is seen by readers when
//! a writer has published it, which is when it is as durable as was chosen. When the log has
//! failed, everything that waits and everything that comes is answered so.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::{Deref, DerefMut, Range};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::watch;

use tidemill_model::Clock;

use crate::batch::Batch;
use crate::bell::{self, Backoff};
use crate::cache::Cache;
use crate::chunk::ChunkRow;
use crate::frame::FRAME_HEADER_BYTES;
use crate::limits::{
    FRAME_BYTES_SOFT, HELD_BYTES_MAX, HELD_CHANGES_MAX, PENDING_BYTES_MAX, QUIET_BYTES_MAX,
};
use crate::line::Line;
use crate::partition_id::PartitionId;
use crate::place::{CachedFrame, FramePlace, Home};
use crate::port::{AppendError, Retention};
use crate::run::{Change, Command, NO_PARTITION, runs};
use crate::scheduling::{Undisturbed, undisturbed};
use crate::status::Status;
use crate::table::Table;
use crate::turns::{Turn, Turns};
use crate::waiters::Waiters;
use crate::waiting::{Answer, PlacedBatch, Waiting};

/// What the lock guards.
#[derive(Debug)]
pub struct State {
    /// What is durable.
    pub table: Table,
    /// What has been given a place.
    pub line: Line,
    /// Who waits for changes of partitions.
    pub waiters: Waiters,
    /// Frames in memory.
    pub cache: Cache,
    /// Whether changes are taken.
    pub status: Status,
    /// Number of the next snapshot file.
    pub next_snapshot: u64,
    /// The chunks that the log names.
    pub chunks: Vec<ChunkRow>,
    /// The files of the write-ahead log behind which another has been begun, oldest first.
    pub sealed: Vec<u64>,
    /// The files of the write-ahead log that are needed and have frames, and where in them these stand.
    pub spans: BTreeMap<u64, Range<u64>>,
    /// About how long the entries of partitions are kept, where that was said.
    pub retentions: BTreeMap<PartitionId, Retention>,
    /// Chunks that are named and whose entries are just being taken over.
    adopting: BTreeSet<u64>,
    next_chunk: u64,
    /// Whether the sorter should look again.
    is_sorter_wanted: bool,
    /// Bytes of frames since somebody last looked whether the log has come to rest.
    published_bytes: usize,
    /// Whether somebody was refused for lack of room, so that it is worth a look at the disk.
    is_room_wanted: bool,
    waiting: VecDeque<Waiting>,
    /// Bytes of these.
    line_bytes: usize,
    /// Bytes in line and on their way to the disk.
    waiting_bytes: usize,
    /// Whether what waits is held until a bell rings, see [`crate::bell`].
    is_bell_due: bool,
    /// Whether it may be.
    bell_backoff: Backoff,
    /// The order of the frames that are on their way.
    turns: Turns,
    /// What was on its way behind a frame that has fallen.
    fallen: Vec<Waiting>,
    /// How many of those whose changes stand in `fallen` have come back.
    fallen_turns: u64,
    /// That one of them left nobody knows what on the disk.
    fallen_unknown: Option<String>,
    /// How many writers wait for their turn.
    turns_awaited: usize,
    /// How many writers sleep.
    writers_asleep: usize,
    /// Whether one of them has been woken, and has not looked yet.
    is_writer_called: bool,
}

/// The lock, held by a thread that stands back.
pub struct Held<'a> {
    // Given back before the processor.
    state: MutexGuard<'a, State>,
    _undisturbed: Undisturbed,
}

impl Deref for Held<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.state
    }
}

impl DerefMut for Held<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.state
    }
}

/// Why the sorter stops waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// There may be something to sort.
    Work,
    /// Next to nothing has been written for a while.
    Quiet,
    /// The log takes no more changes.
    End,
}

/// What one writer has taken to write.
#[derive(Debug)]
pub struct Group {
    /// The changes, in the order in which they got their places.
    pub changes: Vec<Waiting>,
    /// When they are to be settled.
    pub turn: Turn,
    /// Whether the disk was full.
    pub is_full: bool,
    /// How many files waited to be sorted.
    pub sealed_files: usize,
}

/// A frame that is on the disk, for readers to see.
#[derive(Debug)]
pub struct Published {
    /// Its turn.
    pub turn: Turn,
    /// Where it stands.
    pub place: FramePlace,
    /// The frame.
    pub frame: Arc<CachedFrame>,
    /// Size of its runs.
    pub payload_bytes: usize,
    /// How much of the room in line its changes had.
    pub waiting_bytes: usize,
}

/// What recovery found, for those who work with it.
#[derive(Debug)]
pub struct Found {
    /// The partitions.
    pub table: Table,
    /// The chunks that the log names.
    pub chunks: Vec<ChunkRow>,
    /// The files of the write-ahead log, all but the newest, oldest first, and where they end.
    pub sealed: BTreeMap<u64, u64>,
    /// Number of the next snapshot file.
    pub next_snapshot: u64,
    /// Number of the next chunk.
    pub next_chunk: u64,
}

/// See the module.
#[derive(Debug)]
pub struct Shared {
    state: Mutex<State>,
    /// For writers without work.
    work: Condvar,
    /// For writers whose turn has not come.
    turned: Condvar,
    /// For the sorter.
    sorting: Condvar,
    /// So much is sorted at a time.
    portion_bytes: u64,
    poisoned: watch::Sender<Option<String>>,
}

impl Shared {
    /// With what recovery found.
    pub fn new(found: Found, cache_bytes_max: usize, portion_bytes: u64) -> Shared {
        let Found {
            table,
            chunks,
            sealed,
            next_snapshot,
            next_chunk,
        } = found;
        let mut line = Line::default();
        line.rewind(&table);
        let state = State {
            table,
            line,
            waiters: Waiters::default(),
            cache: Cache::new(cache_bytes_max),
            status: Status::Running,
            next_snapshot,
            chunks,
            sealed: sealed.keys().copied().collect(),
            spans: sealed
                .into_iter()
                .map(|(file, end)| (file, 0..end))
                .collect(),
            retentions: BTreeMap::new(),
            adopting: BTreeSet::new(),
            next_chunk,
            is_sorter_wanted: true,
            // Not at rest yet.
            published_bytes: QUIET_BYTES_MAX,
            is_room_wanted: false,
            waiting: VecDeque::new(),
            line_bytes: 0,
            waiting_bytes: 0,
            is_bell_due: false,
            bell_backoff: Backoff::default(),
            turns: Turns::default(),
            fallen: Vec::new(),
            fallen_turns: 0,
            fallen_unknown: None,
            turns_awaited: 0,
            writers_asleep: 0,
            is_writer_called: false,
        };
        let (poisoned, _) = watch::channel(None);
        Shared {
            state: Mutex::new(state),
            work: Condvar::new(),
            turned: Condvar::new(),
            sorting: Condvar::new(),
            portion_bytes,
            poisoned,
        }
    }

    /// Takes the lock.
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock panics")
    }

    /// Takes the lock for a thread that stands back, which keeps its processor as long as it has it.
    pub fn lock_from_behind(&self) -> Held<'_> {
        let undisturbed = undisturbed();
        Held {
            state: self.lock(),
            _undisturbed: undisturbed,
        }
    }

    /// Puts `waiting` in line, under the lock under which it also got its places, for a writer to take: nothing
    /// that waits is held any longer.
    pub fn put_in_line(&self, mut state: MutexGuard<'_, State>, waiting: Waiting) {
        state.is_bell_due = false;
        self.push(state, waiting);
    }

    /// As [`Shared::put_in_line`], but the tasks that are ready have their turn before a writer looks, unless
    /// much waits already.
    pub fn put_among_others(
        self: &Arc<Shared>,
        mut state: MutexGuard<'_, State>,
        waiting: Waiting,
        clock: &Arc<dyn Clock>,
    ) {
        let goes_at_once = state.is_bell_due || state.is_much(1, waiting.bytes);
        let place = match !goes_at_once && state.bell_backoff.is_over() {
            true => bell::place(),
            false => None,
        };
        state.is_bell_due |= place.is_some();
        self.push(state, waiting);
        if let Some(runtime) = place {
            let (shared, clock) = (Arc::clone(self), Arc::clone(clock));
            let hung_up = clock.now();
            bell::hang_up(&runtime, move || shared.ring(clock.now().since(hung_up)));
        }
    }

    /// A writer is woken only if it sleeps, and only behind the lock: it may run at once, and would wait for it.
    fn push(&self, mut state: MutexGuard<'_, State>, waiting: Waiting) {
        state.waiting_bytes += waiting.bytes;
        state.line_bytes += waiting.bytes;
        state.waiting.push_back(waiting);
        let is_called = state.call_writer();
        drop(state);
        if is_called {
            self.work.notify_one();
        }
    }

    /// Holds what waits no longer: the bell has rung, `waited` after it was hung up.
    fn ring(&self, waited: Duration) {
        let mut state = self.lock();
        state.is_bell_due = false;
        state.bell_backoff.rang_after(waited);
        let is_called = state.call_writer();
        drop(state);
        if is_called {
            self.work.notify_one();
        }
    }

    /// Sleeps until there is something that a writer should take; gives false when the log is closed and all
    /// has been taken.
    pub fn wait_for_work(&self) -> bool {
        let mut state = self.lock();
        loop {
            if matches!(state.status, Status::Poisoned(_)) {
                return false;
            }
            if state.is_worth_taking() {
                return true;
            }
            if state.status == Status::Closing && state.waiting.is_empty() {
                // Another one may sleep since there was something that was not worth taking.
                self.work.notify_all();
                return false;
            }
            state.is_writer_called = false;
            state.writers_asleep += 1;
            state = self
                .work
                .wait(state)
                .expect("no holder of this lock panics");
            state.writers_asleep -= 1;
        }
    }

    /// The changes of the next frame: all that wait, up to the soft size of a frame. None when there is
    /// nothing that should be taken now; no changes when somebody wants room. For the one that has the
    /// committer.
    pub fn take_group(&self) -> Option<Group> {
        let mut state = self.lock();
        state.is_writer_called = false;
        if !state.is_worth_taking() {
            return None;
        }
        state.is_room_wanted = false;
        let mut bytes = 0;
        let count = state
            .waiting
            .iter()
            .take_while(|waiting| {
                let is_first_or_fits = bytes == 0 || bytes + waiting.bytes <= FRAME_BYTES_SOFT;
                bytes += waiting.bytes;
                is_first_or_fits
            })
            .count();
        let changes: Vec<Waiting> = state.waiting.drain(..count).collect();
        state.line_bytes -= changes.iter().map(|waiting| waiting.bytes).sum::<usize>();
        let turn = state.turns.take(count);
        let is_called = state.call_writer();
        let is_full = matches!(state.status, Status::Full(_));
        let sealed_files = state.sealed.len();
        drop(state);
        if is_called {
            self.work.notify_one();
        }
        Some(Group {
            changes,
            turn,
            is_full,
            sealed_files,
        })
    }

    /// Waits until everything before `turn` is settled. Gives false when that will not be: a frame before
    /// it has fallen, or the log has failed. Blocks.
    pub fn wait_for_turn(&self, turn: Turn) -> bool {
        self.lock_in_turn(turn).is_some()
    }

    /// As [`Shared::wait_for_turn`], with the lock.
    fn lock_in_turn(&self, turn: Turn) -> Option<MutexGuard<'_, State>> {
        let mut state = self.lock();
        loop {
            if state.turns.is_due(turn) {
                return Some(state);
            }
            if state.turns.is_fallen() || matches!(state.status, Status::Poisoned(_)) {
                return None;
            }
            state.turns_awaited += 1;
            state = self
                .turned
                .wait(state)
                .expect("no holder of this lock panics");
            state.turns_awaited -= 1;
        }
    }

    /// Gives up `changes`, whose turn will not come: they are answered with the frame that has fallen.
    /// `unknown` says why nobody knows what their own write left on the disk, if that is so.
    pub fn fall_behind(&self, changes: Vec<Waiting>, unknown: Option<String>) {
        let mut state = self.lock();
        if let Status::Poisoned(detail) = &state.status {
            let detail = detail.clone();
            drop(state);
            refuse_all(changes, &AppendError::Poisoned { detail });
            return;
        }
        assert!(state.turns.is_fallen(), "else their turn comes");
        state.fallen.extend(changes);
        state.fallen_turns += 1;
        state.fallen_unknown = state.fallen_unknown.take().or(unknown);
        self.turned.notify_all();
    }

    /// Notes that the frame of `turn`, which was due, is not on the disk: nothing more is taken.
    pub fn fall(&self, turn: Turn) {
        self.lock().turns.fall(turn);
        self.turned.notify_all();
    }

    /// Waits until everything that was taken behind the frame that has fallen has come back; gives it, and
    /// whether it left nobody knows what on the disk. None when the log has failed meanwhile. The caller has
    /// the committer, so nobody takes more. Blocks.
    pub fn wait_for_fallen(&self) -> Option<(Vec<Waiting>, Option<String>)> {
        let are_out = |state: &mut State| {
            let has_failed = matches!(state.status, Status::Poisoned(_));
            !has_failed && state.fallen_turns < state.turns.behind_fallen()
        };
        let waited = self.turned.wait_while(self.lock(), are_out);
        let mut state = waited.expect("no holder of this lock panics");
        if matches!(state.status, Status::Poisoned(_)) {
            return None;
        }
        state.fallen_turns = 0;
        Some((
            std::mem::take(&mut state.fallen),
            state.fallen_unknown.take(),
        ))
    }

    /// Has writers take again, behind what has been settled.
    pub fn go_back(&self) {
        self.lock().turns.go_back();
        self.work.notify_all();
    }

    /// Ends `turn`, if it is not settled: that of what changed nothing that readers see, or was refused. With
    /// nothing on its way behind it.
    pub fn end(&self, turn: Turn) {
        let mut state = self.lock();
        if state.turns.is_due(turn) {
            state.turns.settle(turn);
        }
    }

    /// Settles the turn of `published` when it has come: lets readers see what the frame says, and frees
    /// its room in line. Gives false, and does nothing, where [`Shared::wait_for_turn`] does. Blocks.
    pub fn publish(&self, published: Published) -> bool {
        let Published {
            turn,
            place,
            frame,
            payload_bytes,
            waiting_bytes,
        } = published;
        let payload = FRAME_HEADER_BYTES..FRAME_HEADER_BYTES + payload_bytes;
        let Some(mut state) = self.lock_in_turn(turn) else {
            return false;
        };
        let State {
            table,
            waiters,
            cache,
            chunks,
            adopting,
            spans,
            published_bytes,
            ..
        } = &mut *state;
        *published_bytes += frame.bytes.len();
        for run in runs(&frame.bytes[payload]) {
            let (partition, change) = run.expect("the frame has just been made");
            if let Change::Chunks(rows) = &change {
                adopting.extend(rows.iter().map(|row| row.number));
                chunks.extend(rows);
            }
            table
                .apply(partition, change, &place)
                .expect("places are given in this order");
            waiters.wake(partition);
        }
        let span = spans
            .entry(frame.file)
            .or_insert(frame.offset..frame.offset);
        let portions = |span: &Range<u64>| (span.end - span.start) / self.portion_bytes;
        let before = portions(span);
        span.end = frame.end();
        let is_portion_full = portions(span) > before;
        cache.keep(frame);
        // Zero when the log was poisoned from elsewhere meanwhile.
        state.waiting_bytes = state.waiting_bytes.saturating_sub(waiting_bytes);
        state.turns.settle(turn);
        let is_awaited = state.turns_awaited > 0;
        // Another writer writes what waits while this one answers.
        let is_called = !state.waiting.is_empty() && state.call_writer();
        drop(state);
        if is_awaited {
            self.turned.notify_all();
        }
        if is_called {
            self.work.notify_one();
        }
        if is_portion_full {
            self.want_sorter();
        }
        true
    }

    /// Takes no more changes because of `detail`, and answers so to `group` and all that wait.
    pub fn poison(&self, detail: String, group: Vec<Waiting>) {
        let status = Status::Poisoned(detail.clone());
        self.refuse(
            status,
            group,
            &AppendError::Poisoned {
                detail: detail.clone(),
            },
        );
        self.poisoned.send_replace(Some(detail));
    }

    /// Notes that the disk is full, and refuses `group` and all that wait, so that the places they were
    /// given are free again. They may try again, and those that can free room will be taken. For the
    /// committer, with nothing on its way.
    pub fn fill(&self, detail: String, group: Vec<Waiting>) {
        let status = Status::Full(detail.clone());
        self.refuse(status, group, &AppendError::Full { detail });
    }

    fn refuse(&self, status: Status, group: Vec<Waiting>, error: &AppendError) {
        let waiting = {
            let mut state = self.lock();
            let is_over = match (&state.status, &status) {
                (Status::Poisoned(_), _) | (Status::Closing, Status::Full(_)) => true,
                (Status::Closing | Status::Running | Status::Full(_), _) => false,
            };
            if !is_over {
                state.status = status;
            }
            state.waiting_bytes = 0;
            state.line_bytes = 0;
            state.is_sorter_wanted = true;
            let State { line, table, .. } = &mut *state;
            line.rewind(table);
            let fallen = std::mem::take(&mut state.fallen);
            fallen.into_iter().chain(std::mem::take(&mut state.waiting))
        };
        refuse_all(group.into_iter().chain(waiting), error);
        self.work.notify_all();
        self.turned.notify_all();
        self.sorting.notify_all();
    }

    /// Takes all changes again: there is room.
    pub fn empty(&self) {
        let mut state = self.lock();
        if matches!(state.status, Status::Full(_)) {
            state.status = Status::Running;
        }
    }

    /// Whether the disk is full.
    pub fn is_full(&self) -> bool {
        matches!(self.lock().status, Status::Full(_))
    }

    /// Refuses `batch` when the log does not take it. Who is refused for lack of room has the committer
    /// look whether there is some now.
    pub fn check_batch(&self, state: &mut State, batch: &Batch) -> Result<(), AppendError> {
        let checked = state.status.check_batch(batch);
        if matches!(checked, Err(AppendError::Full { .. })) {
            state.is_room_wanted = true;
            self.work.notify_one();
        }
        checked
    }

    /// Takes no more changes; the writers end when what waits has been written.
    pub fn close(&self) {
        let mut state = self.lock();
        if matches!(state.status, Status::Running | Status::Full(_)) {
            state.status = Status::Closing;
        }
        self.work.notify_all();
        self.sorting.notify_all();
    }

    /// Whether changes are taken.
    pub fn takes_changes(&self) -> bool {
        self.lock().status.check().is_ok()
    }

    /// Number for the next chunk; no file ever had it.
    pub fn next_chunk(&self) -> u64 {
        let mut state = self.lock();
        state.next_chunk += 1;
        state.next_chunk - 1
    }

    /// Has the log name `chunks`, durably. Waits, and blocks meanwhile.
    pub fn name_chunks(&self, chunks: Vec<ChunkRow>) -> Result<(), AppendError> {
        self.tell(Some((NO_PARTITION, Command::Chunks(chunks))))
    }

    /// Notes that all that chunk `number` holds has been taken over.
    pub fn adopted(&self, number: u64) {
        self.lock().adopting.remove(&number);
    }

    /// Has what is not needed any more removed. Waits, and blocks meanwhile.
    pub fn clean(&self) -> Result<(), AppendError> {
        self.tell(None)
    }

    fn tell(&self, command: Option<(PartitionId, Command)>) -> Result<(), AppendError> {
        let (sender, told) = sync_channel(1);
        let bytes = command.as_ref().map_or(0, |_| FRAME_HEADER_BYTES);
        let state = self.lock();
        state.status.check()?;
        self.put_in_line(
            state,
            Waiting {
                batch: PlacedBatch::default(),
                command,
                bytes,
                answer: Answer::Told(sender),
            },
        );
        told.recv().map_err(|_| AppendError::Closed)?
    }

    /// Has the sorter look again.
    pub fn want_sorter(&self) {
        self.lock().is_sorter_wanted = true;
        self.sorting.notify_all();
    }

    /// Waits until the sorter is wanted. Comes back, too, when next to nothing was published for `quiet_after`,
    /// or up to twice as long. Blocks.
    pub fn wait_for_sorter(&self, quiet_after: Duration) -> Occasion {
        let mut state = self.lock();
        loop {
            if state.status.check().is_err() {
                return Occasion::End;
            }
            if std::mem::take(&mut state.is_sorter_wanted) {
                return Occasion::Work;
            }
            let waited = self.sorting.wait_timeout(state, quiet_after);
            let (waited, timeout) = waited.expect("no holder of this lock panics");
            state = waited;
            if timeout.timed_out() && std::mem::take(&mut state.published_bytes) < QUIET_BYTES_MAX {
                return Occasion::Quiet;
            }
        }
    }

    /// Keeps no frames in memory for readers but the newest.
    pub fn forget_frames(&self) {
        let forgotten = self.lock().cache.forget();
        drop(forgotten);
    }

    /// Waits for `duration`, or until the log takes no more changes. Blocks.
    pub fn rest(&self, duration: Duration) {
        let state = self.lock();
        let is_open = |state: &mut State| state.status.check().is_ok();
        let rested = self.sorting.wait_timeout_while(state, duration, is_open);
        drop(rested.expect("no holder of this lock panics"));
    }

    /// Says why the log is poisoned, once it is.
    pub fn poisoned(&self) -> watch::Receiver<Option<String>> {
        self.poisoned.subscribe()
    }
}

fn refuse_all(changes: impl IntoIterator<Item = Waiting>, error: &AppendError) {
    for waiting in changes {
        waiting.give(Err(error.clone()));
    }
}

impl State {
    /// Whether a writer should take what waits, or look for room.
    fn is_worth_taking(&self) -> bool {
        let looks_for_room = self.is_room_wanted && self.turns.are_settled();
        // Who closes the log may keep from its turn who would ring.
        let can_be_held = self.is_bell_due && self.status != Status::Closing;
        let is_held = can_be_held && !self.is_much(0, 0);
        let is_worth_taking = self
            .turns
            .is_worth_taking(self.waiting.len(), self.is_large(0));
        looks_for_room || (!is_held && is_worth_taking)
    }

    /// Whether what waits is worth a write whoever may be about to come, with `changes` of `bytes` more.
    fn is_much(&self, changes: usize, bytes: usize) -> bool {
        self.waiting.len() + changes > HELD_CHANGES_MAX || self.is_large(bytes)
    }

    /// Whether what waits is worth a write for its size alone, with `bytes` more.
    fn is_large(&self, bytes: usize) -> bool {
        self.line_bytes + bytes > HELD_BYTES_MAX
    }

    /// Whether a writer is to be woken: there is something for it, it sleeps, and none has been woken that
    /// has not looked yet.
    fn call_writer(&mut self) -> bool {
        let is_called = self.writers_asleep > 0 && !self.is_writer_called && self.is_worth_taking();
        self.is_writer_called |= is_called;
        is_called
    }

    /// The chunks that something needs.
    pub fn chunks_in_use(&self) -> Vec<ChunkRow> {
        let unused = self.unused_chunks();
        let rows = self.chunks.iter().copied();
        rows.filter(|row| !unused.contains(&row.number)).collect()
    }

    /// The chunks that nothing needs any more.
    pub fn unused_chunks(&self) -> Vec<u64> {
        let numbers = self.chunks.iter().map(|row| row.number);
        numbers
            .filter(|number| {
                !self.adopting.contains(number) && self.table.is_unused(Home::Chunk(*number))
            })
            .collect()
    }

    /// Refuses a change of `bytes` when too much waits already.
    pub fn check_room(&self, bytes: usize) -> Result<(), AppendError> {
        if self.waiting_bytes > 0 && self.waiting_bytes + bytes > PENDING_BYTES_MAX {
            return Err(AppendError::Overloaded {
                bytes: self.waiting_bytes,
            });
        }
        Ok(())
    }
}
