//! What the callers of a local log share with its committer: [`Shared`].
//!
//! What must hold: one lock guards the line, the table and what waits to be written, and nobody holds
//! it while the disk works. A change gets its place when it is put in line; it is seen by readers when
//! the committer has published it, which is when it is as durable as was chosen. When the log has
//! failed, everything that waits and everything that comes is answered so.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use tokio::sync::{oneshot, watch};

use crate::frame::FRAME_HEADER_BYTES;
use crate::limits::{FRAME_BYTES_SOFT, PENDING_BYTES_MAX};
use crate::line::Line;
use crate::port::{AppendError, Appended, PartitionId, Position};
use crate::run::{Command, PlacedEntry, runs};
use crate::table::{CachedFrame, FramePlace, Table};
use crate::waiters::Waiters;

/// What a change that waits holds, so that the answer can be given when it is durable.
#[derive(Debug)]
pub enum Answer {
    /// The places of appended entries.
    Appended(
        oneshot::Sender<Result<Vec<Appended>, AppendError>>,
        Vec<Appended>,
    ),
    /// The end of a sealed partition.
    Sealed(oneshot::Sender<Result<Position, AppendError>>, Position),
    /// That it is done.
    Done(oneshot::Sender<Result<(), AppendError>>),
}

impl Answer {
    /// Gives the answer; a caller that has gone misses it.
    pub fn give(self, result: Result<(), AppendError>) {
        match self {
            Answer::Appended(sender, places) => drop(sender.send(result.map(|()| places))),
            Answer::Sealed(sender, end) => drop(sender.send(result.map(|()| end))),
            Answer::Done(sender) => drop(sender.send(result)),
        }
    }
}

/// A change that has its place and waits to be written. It is never divided over two frames.
#[derive(Debug)]
pub struct Waiting {
    /// The entries of an append.
    pub entries: Vec<PlacedEntry>,
    /// Any other change.
    pub command: Option<(PartitionId, Command)>,
    /// How many bytes it adds to a frame, about.
    pub bytes: usize,
    /// Who waits.
    pub answer: Answer,
}

/// Whether the log takes changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// It does.
    Running,
    /// It is shutting down: what is in line is written, nothing new is taken.
    Closing,
    /// The disk is full: reads go on.
    Full(String),
    /// A write or a sync failed: nobody knows what is on the disk.
    Poisoned(String),
}

impl Status {
    /// Refuses a change when the log takes none.
    pub fn check(&self) -> Result<(), AppendError> {
        match self {
            Status::Running => Ok(()),
            Status::Closing => Err(AppendError::Closed),
            Status::Full(detail) => Err(AppendError::Full {
                detail: detail.clone(),
            }),
            Status::Poisoned(detail) => Err(AppendError::Poisoned {
                detail: detail.clone(),
            }),
        }
    }
}

/// Frames that are still in memory, within a budget of bytes.
#[derive(Debug)]
pub struct Cache {
    frames: VecDeque<Arc<CachedFrame>>,
    bytes: usize,
    bytes_max: usize,
}

impl Cache {
    /// Keeps at most `bytes_max`, but always the newest frame.
    pub fn new(bytes_max: usize) -> Cache {
        Cache {
            frames: VecDeque::new(),
            bytes: 0,
            bytes_max,
        }
    }

    fn keep(&mut self, frame: Arc<CachedFrame>) {
        self.bytes += frame.bytes.len();
        self.frames.push_back(frame);
        while self.bytes > self.bytes_max && self.frames.len() > 1 {
            if let Some(oldest) = self.frames.pop_front() {
                self.bytes -= oldest.bytes.len();
            }
        }
    }
}

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
    waiting: VecDeque<Waiting>,
    /// Bytes in line and on their way to the disk.
    waiting_bytes: usize,
    is_committer_asleep: bool,
}

/// See the module.
#[derive(Debug)]
pub struct Shared {
    state: Mutex<State>,
    work: Condvar,
    poisoned: watch::Sender<Option<String>>,
}

impl Shared {
    /// With what recovery found.
    pub fn new(table: Table, next_snapshot: u64, cache_bytes_max: usize) -> Shared {
        let mut line = Line::default();
        for (partition, kept) in table.partitions() {
            line.enter(partition, &kept.row);
        }
        let state = State {
            table,
            line,
            waiters: Waiters::default(),
            cache: Cache::new(cache_bytes_max),
            status: Status::Running,
            next_snapshot,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            is_committer_asleep: false,
        };
        let (poisoned, _) = watch::channel(None);
        Shared {
            state: Mutex::new(state),
            work: Condvar::new(),
            poisoned,
        }
    }

    /// Takes the lock.
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock panics")
    }

    /// Puts `waiting` in line, under the lock under which it also got its places. The committer is woken
    /// only if it sleeps, and only behind the lock: it may run at once, and would wait for it.
    pub fn put_in_line(&self, mut state: MutexGuard<'_, State>, waiting: Waiting) {
        state.waiting_bytes += waiting.bytes;
        state.waiting.push_back(waiting);
        let was_asleep = std::mem::take(&mut state.is_committer_asleep);
        drop(state);
        if was_asleep {
            self.work.notify_one();
        }
    }

    /// The changes of the next frame: all that wait, up to the soft size of a frame. Sleeps until there
    /// are some; none when the log is closed and all has been written.
    pub fn next_group(&self) -> Option<Vec<Waiting>> {
        let mut state = self.lock();
        while state.waiting.is_empty() {
            if state.status != Status::Running {
                return None;
            }
            state.is_committer_asleep = true;
            state = self
                .work
                .wait(state)
                .expect("no holder of this lock panics");
        }
        state.is_committer_asleep = false;
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
        Some(state.waiting.drain(..count).collect())
    }

    /// Lets readers see what the frame at `place` says, and frees its room in line.
    pub fn publish(&self, place: FramePlace, frame: Arc<CachedFrame>, payload_bytes: usize) {
        let payload = FRAME_HEADER_BYTES..FRAME_HEADER_BYTES + payload_bytes;
        let mut state = self.lock();
        let State {
            table,
            waiters,
            cache,
            ..
        } = &mut *state;
        for run in runs(&frame.bytes[payload]) {
            let (partition, change) = run.expect("the frame has just been made");
            table
                .apply(partition, change, &place)
                .expect("places are given in this order");
            waiters.wake(partition);
        }
        cache.keep(frame);
    }

    /// Answers a group that has happened.
    pub fn answer(&self, group: Vec<Waiting>) {
        let bytes: usize = group.iter().map(|waiting| waiting.bytes).sum();
        {
            let mut state = self.lock();
            // Zero when the log was poisoned from elsewhere meanwhile.
            state.waiting_bytes = state.waiting_bytes.saturating_sub(bytes);
        }
        for waiting in group {
            waiting.answer.give(Ok(()));
        }
    }

    /// Takes no more changes because of `status`, and answers so to `group` and all that wait.
    pub fn fail(&self, status: Status, group: Vec<Waiting>) {
        let waiting = {
            let mut state = self.lock();
            state.status = status.clone();
            state.waiting_bytes = 0;
            std::mem::take(&mut state.waiting)
        };
        for waiting in group.into_iter().chain(waiting) {
            waiting.answer.give(status.check());
        }
        if let Status::Poisoned(detail) = status {
            self.poisoned.send_replace(Some(detail));
        }
        self.work.notify_one();
    }

    /// Takes no more changes; the committer ends when what waits has been written.
    pub fn close(&self) {
        let mut state = self.lock();
        if state.status == Status::Running {
            state.status = Status::Closing;
        }
        self.work.notify_one();
    }

    /// Says why the log is poisoned, once it is.
    pub fn poisoned(&self) -> watch::Receiver<Option<String>> {
        self.poisoned.subscribe()
    }
}

impl State {
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
