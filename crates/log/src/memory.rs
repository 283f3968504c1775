//! The log that keeps nothing: [`MemoryLog`], for `--ephemeral` and for tests.
//!
//! What must hold: it behaves as the durable log does (the conformance suite runs on both), but an
//! entry is "durable" as soon as it stands in memory, and everything is gone with the process.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;

use tidemill_model::{BoxFuture, Clock, Timestamp};

use crate::batch::Batch;
use crate::partition_id::PartitionId;
use crate::port::{
    AppendError, Appended, Entry, Log, Partition, Position, Read, ReadError, Snapshot,
};
use crate::sizes::checked_bytes;
use crate::waiters::Waiters;

/// Partitions in memory.
pub struct MemoryLog {
    clock: Arc<dyn Clock>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    partitions: BTreeMap<PartitionId, Kept>,
    deleted: BTreeSet<PartitionId>,
    waiters: Waiters,
}

#[derive(Default)]
struct Kept {
    /// Position of the first of `entries`.
    start: Position,
    entries: VecDeque<(Timestamp, Bytes)>,
    last_at: Timestamp,
    sealed: bool,
    snapshot: Option<Snapshot>,
}

impl MemoryLog {
    /// An empty log that takes its timestamps from `clock`.
    pub fn new(clock: Arc<dyn Clock>) -> MemoryLog {
        MemoryLog {
            clock,
            state: Arc::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().expect("no holder of this lock panics")
}

impl Kept {
    fn end(&self) -> Position {
        self.start + self.entries.len() as u64
    }

    fn push(&mut self, now: Timestamp, payload: Bytes) -> Appended {
        let at = now.max(self.last_at);
        let position = self.end();
        self.last_at = at;
        self.entries.push_back((at, payload));
        Appended { position, at }
    }

    fn read(&self, from: Position, entries_max: usize, bytes_max: usize) -> Vec<Entry> {
        let skip = usize::try_from(from - self.start).unwrap_or(usize::MAX);
        let mut entries = Vec::new();
        let mut bytes = 0_usize;
        for (index, (at, payload)) in self.entries.iter().enumerate().skip(skip).take(entries_max) {
            bytes = bytes.saturating_add(payload.len());
            if bytes > bytes_max && !entries.is_empty() {
                break;
            }
            let position = self.start + index as u64;
            entries.push(Entry {
                position,
                at: *at,
                payload: payload.clone(),
            });
        }
        entries
    }

    fn trim(&mut self, before: Position) {
        while self.start < before && self.entries.pop_front().is_some() {
            self.start += 1;
        }
    }
}

impl State {
    fn append(
        &mut self,
        now: Timestamp,
        entries: Vec<(PartitionId, Bytes)>,
    ) -> Result<Vec<Appended>, AppendError> {
        for (partition, _) in &entries {
            self.checked_open(*partition)?;
        }
        let mut appended = Vec::with_capacity(entries.len());
        for (partition, payload) in entries {
            appended.push(
                self.partitions
                    .entry(partition)
                    .or_default()
                    .push(now, payload),
            );
            self.waiters.wake(partition);
        }
        Ok(appended)
    }

    fn checked_open(&self, partition: PartitionId) -> Result<(), AppendError> {
        let sealed = self
            .partitions
            .get(&partition)
            .is_some_and(|kept| kept.sealed);
        if sealed || self.deleted.contains(&partition) {
            return Err(AppendError::Sealed(partition));
        }
        Ok(())
    }

    fn read(
        &self,
        partition: PartitionId,
        from: Position,
        entries_max: usize,
        bytes_max: usize,
    ) -> Result<Read, ReadError> {
        let Some(kept) = self.partitions.get(&partition) else {
            return Ok(Read::default());
        };
        if from < kept.start {
            return Err(ReadError::Trimmed {
                partition,
                position: from,
                start: kept.start,
            });
        }
        Ok(Read {
            entries: kept.read(from, entries_max, bytes_max),
        })
    }

    fn is_worth_waking(&self, partition: PartitionId, from: Position) -> bool {
        self.partitions
            .get(&partition)
            .is_some_and(|kept| kept.end() > from || kept.sealed || kept.start > from)
    }
}

fn ready<T: Send + 'static>(value: T) -> BoxFuture<'static, T> {
    Box::pin(std::future::ready(value))
}

impl Log for MemoryLog {
    fn append(&self, batch: Batch) -> BoxFuture<'static, Result<Vec<Appended>, AppendError>> {
        let now = self.clock.now();
        let entries = checked_bytes(&batch).map(|_| {
            // Copied before the lock is taken: each is trimmed by itself.
            let entries = batch.runs().flat_map(|run| {
                let payloads = run.payloads().map(Bytes::copy_from_slice);
                payloads.map(move |payload| (run.partition, payload))
            });
            entries.collect()
        });
        ready(entries.and_then(|entries| self.lock().append(now, entries)))
    }

    fn read(
        &self,
        partition: PartitionId,
        from: Position,
        entries_max: usize,
        bytes_max: usize,
    ) -> BoxFuture<'static, Result<Read, ReadError>> {
        ready(self.lock().read(partition, from, entries_max, bytes_max))
    }

    fn partition(&self, partition: PartitionId) -> Partition {
        self.lock()
            .partitions
            .get(&partition)
            .map_or_else(Partition::default, |kept| Partition {
                start: kept.start,
                end: kept.end(),
                sealed: kept.sealed,
            })
    }

    fn partitions(&self) -> Vec<PartitionId> {
        self.lock().partitions.keys().copied().collect()
    }

    fn wait(&self, partition: PartitionId, from: Position) -> BoxFuture<'static, ()> {
        let state = Arc::clone(&self.state);
        let was_deleted = self.lock().deleted.contains(&partition);
        Box::pin(async move {
            loop {
                let woken = {
                    let mut state = lock(&state);
                    let deleted = state.deleted.contains(&partition) && !was_deleted;
                    if deleted || state.is_worth_waking(partition, from) {
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
        let position = self.lock().partitions.get(&partition).map_or(0, |kept| {
            kept.start + kept.entries.partition_point(|(arrived, _)| *arrived < at) as u64
        });
        ready(Ok(position))
    }

    fn seal(&self, partition: PartitionId) -> BoxFuture<'static, Result<Position, AppendError>> {
        let mut state = self.lock();
        if state.deleted.contains(&partition) {
            return ready(Err(AppendError::Sealed(partition)));
        }
        let kept = state.partitions.entry(partition).or_default();
        kept.sealed = true;
        let end = kept.end();
        state.waiters.wake(partition);
        ready(Ok(end))
    }

    fn trim(
        &self,
        partition: PartitionId,
        before: Position,
    ) -> BoxFuture<'static, Result<(), AppendError>> {
        let mut state = self.lock();
        if let Some(kept) = state.partitions.get_mut(&partition) {
            kept.trim(before);
            state.waiters.wake(partition);
        }
        ready(Ok(()))
    }

    fn delete(&self, partition: PartitionId) -> BoxFuture<'static, Result<(), AppendError>> {
        let mut state = self.lock();
        if state.partitions.remove(&partition).is_some() {
            state.deleted.insert(partition);
            state.waiters.wake(partition);
        }
        ready(Ok(()))
    }

    fn snapshot(
        &self,
        partition: PartitionId,
        snapshot: Snapshot,
    ) -> BoxFuture<'static, Result<(), AppendError>> {
        let mut state = self.lock();
        if state.deleted.contains(&partition) {
            return ready(Err(AppendError::Sealed(partition)));
        }
        state.partitions.entry(partition).or_default().snapshot = Some(snapshot);
        ready(Ok(()))
    }

    fn restore(
        &self,
        partition: PartitionId,
    ) -> BoxFuture<'static, Result<Option<Snapshot>, ReadError>> {
        let snapshot = self
            .lock()
            .partitions
            .get(&partition)
            .and_then(|kept| kept.snapshot.clone());
        ready(Ok(snapshot))
    }
}
