//! How a local log is read: what lies in memory at once, the rest from the disk on a blocking thread.
//!
//! What must hold: the lock is held to look up where entries lie, never while they are read. So a file
//! may be gone when its turn comes; whether that is because its entries are not needed any more, or lie
//! in a chunk now, is looked up again before it is called a failure.

use std::sync::Arc;

use tokio::task::spawn_blocking;

use tidemill_model::Timestamp;

use crate::files::Files;
use crate::partition_id::PartitionId;
use crate::place::Extent;
use crate::port::{Position, Read, ReadError, Snapshot};
use crate::reader::{Asked, Collected, position_in};
use crate::run::SnapshotPointer;
use crate::shared::Shared;
use crate::snapshot_file;

/// How many extents are looked up under one hold of the lock.
const EXTENTS_AT_ONCE: usize = 64;

/// The entries that are asked for.
pub async fn read(shared: Arc<Shared>, files: Arc<Files>, asked: Asked) -> Result<Read, ReadError> {
    let mut collected = Collected::new(asked);
    while !collected.is_full() {
        let from = collected.next();
        let extents = match extents(&shared, asked.partition, from) {
            Ok(extents) => extents,
            // Trimmed while this read was going on: what has been read is still good.
            Err(_) if from > asked.from => break,
            Err(error) => return Err(error),
        };
        let in_memory = extents
            .iter()
            .take_while(|extent| !collected.is_full() && collected.add_from_memory(extent))
            .count();
        if extents.is_empty() || collected.is_full() {
            break;
        }
        let rest = extents[in_memory..].to_vec();
        if rest.is_empty() {
            continue;
        }
        let read = {
            let (files, rest) = (Arc::clone(&files), rest.clone());
            spawn_blocking(move || add_from_disk(collected, &files, &rest))
        };
        collected = match read.await.expect("reading does not panic") {
            Ok(collected) => collected,
            Err(error) if lie_still(&shared, asked.partition, &rest) => return Err(error),
            // Trimmed, deleted or moved meanwhile: look again.
            Err(_) => Collected::new(asked),
        };
    }
    let entries = collected.into_entries();
    Ok(Read { entries })
}

fn add_from_disk(
    mut collected: Collected,
    files: &Files,
    extents: &[Extent],
) -> Result<Collected, ReadError> {
    for extent in extents {
        if collected.is_full() {
            break;
        }
        if !collected.add_from_memory(extent) {
            collected.add_from_disk(files, extent)?;
        }
    }
    Ok(collected)
}

/// Whether all of `extents` lie where they lay.
fn lie_still(shared: &Shared, partition: PartitionId, extents: &[Extent]) -> bool {
    let state = shared.lock();
    let Some(kept) = state.table.partition(partition) else {
        return false;
    };
    extents.iter().all(|extent| {
        let mut behind = kept.extents.behind(|other| other.end() <= extent.first);
        let found = behind.next();
        found.is_some_and(|found| found.home == extent.home && found.offset == extent.offset)
    })
}

/// The extents that hold `from` and what follows, a limited number.
fn extents(
    shared: &Shared,
    partition: PartitionId,
    from: Position,
) -> Result<Vec<Extent>, ReadError> {
    let state = shared.lock();
    let Some(kept) = state.table.partition(partition) else {
        return Ok(Vec::new());
    };
    let start = kept.row.start;
    if from < start {
        let position = from;
        return Err(ReadError::Trimmed {
            partition,
            position,
            start,
        });
    }
    let found = kept.extents.behind(|extent| extent.end() <= from);
    let found = found.take(EXTENTS_AT_ONCE);
    Ok(found.cloned().collect())
}

/// Where to look for a time.
enum Search {
    /// At this position, without a look.
    Found(Position),
    /// In this extent.
    In(Extent),
}

fn search(shared: &Shared, partition: PartitionId, at: Timestamp) -> Search {
    let state = shared.lock();
    let Some(kept) = state.table.partition(partition) else {
        return Search::Found(0);
    };
    let mut behind = kept.extents.behind(|extent| extent.last_at < at);
    match behind.next() {
        None => Search::Found(kept.row.end),
        Some(extent) if extent.first_at >= at => Search::Found(extent.first.max(kept.row.start)),
        Some(extent) => Search::In(extent.clone()),
    }
}

/// The first position of `partition` whose entry arrived at or after `at`; the end without one.
pub async fn position_at(
    shared: Arc<Shared>,
    files: Arc<Files>,
    partition: PartitionId,
    at: Timestamp,
) -> Result<Position, ReadError> {
    loop {
        let extent = match search(&shared, partition, at) {
            Search::Found(position) => return Ok(position),
            Search::In(extent) => extent,
        };
        let (first, home) = (extent.first, extent.home);
        let files = Arc::clone(&files);
        let found = spawn_blocking(move || position_in(&files, partition, &extent, at));
        let found = found.await.expect("reading does not panic");
        match search(&shared, partition, at) {
            // Still there: that is what it says, or it is not readable.
            Search::In(extent) if extent.first == first && extent.home == home => {
                let start = shared
                    .lock()
                    .table
                    .partition(partition)
                    .map_or(0, |kept| kept.row.start);
                return found.map(|position| position.max(start));
            }
            // Trimmed or moved meanwhile, and its file may hold something else by now: look again.
            Search::In(_) | Search::Found(_) => {}
        }
    }
}

/// The newest snapshot of `partition`.
pub async fn restore(
    shared: Arc<Shared>,
    files: Arc<Files>,
    partition: PartitionId,
) -> Result<Option<Snapshot>, ReadError> {
    loop {
        let newest = || {
            shared
                .lock()
                .table
                .partition(partition)
                .and_then(|kept| kept.row.snapshot)
        };
        let Some(pointer) = newest() else {
            return Ok(None);
        };
        let files = Arc::clone(&files);
        let read =
            spawn_blocking(move || snapshot_file::read(&**files.disk(), partition, &pointer));
        match read.await.expect("reading does not panic") {
            Ok(snapshot) => return Ok(Some(snapshot)),
            Err(error) if newest() == Some(pointer) => {
                return Err(unreadable(partition, &pointer, &error));
            }
            // Replaced meanwhile, and its file removed: look again.
            Err(_) => {}
        }
    }
}

fn unreadable(
    partition: PartitionId,
    pointer: &SnapshotPointer,
    error: &std::io::Error,
) -> ReadError {
    let name = snapshot_file::file_name(pointer.number);
    let place = format!("{}/{name}", snapshot_file::DIRECTORY);
    if error.kind() == std::io::ErrorKind::InvalidData {
        return ReadError::Corrupt {
            partition,
            place,
            detail: error.to_string(),
        };
    }
    ReadError::Disk {
        partition,
        detail: format!("{place}: {error}"),
    }
}
