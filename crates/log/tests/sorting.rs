//! Sorting: entries move out of the write-ahead log into chunks, and nobody who reads sees it.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use tidemill_log::{
    Batch, Disk, LocalLog, LocalOptions, Log, PartitionId, Position, ReadError, Retention,
    ServiceTag, SortError,
};
use tidemill_model::{Clock, Timestamp};
use tidemill_testkit::{DiskFailure, SimClock, SimDisk, SimEntropy};

fn partition(number: u64) -> PartitionId {
    PartitionId::new(ServiceTag::Streams, number)
}

fn options() -> LocalOptions {
    LocalOptions {
        file_bytes: 16 * 1024,
        sort_after_files: 1,
        sorts_by_itself: false,
        scrubs_by_itself: false,
        cache_bytes: 0,
        ..LocalOptions::default()
    }
}

fn open_with(disk: &SimDisk, clock: &SimClock, options: LocalOptions) -> LocalLog {
    let entropy = Arc::new(SimEntropy::new(clock.now().as_millis()));
    let (disk, clock) = (Arc::new(disk.clone()), Arc::new(clock.clone()));
    LocalLog::open(disk, clock, entropy, options).unwrap()
}

fn open(disk: &SimDisk, clock: &SimClock) -> LocalLog {
    open_with(disk, clock, options())
}

fn payload(number: u64, position: Position) -> Bytes {
    format!("{number}/{position} {}", "grain ".repeat(150)).into()
}

/// Puts `count` entries into each of the first partitions, one after the other, a second apart.
async fn put(log: &LocalLog, clock: &SimClock, partitions: u64, count: u64) {
    for _ in 0..count {
        clock.advance(Duration::from_secs(1));
        for number in 1..=partitions {
            let end = log.partition(partition(number)).end;
            let entries = vec![(partition(number), payload(number, end))];
            log.append(Batch::of(entries)).await.unwrap();
        }
    }
}

/// Everything from `start` on is what was put.
async fn check(log: &LocalLog, number: u64, start: Position, end: Position) {
    for (entries_max, bytes_max) in [(1, 1), (3, 100_000), (1000, 2500), (1000, 10_000_000)] {
        let mut next = start;
        while next < end {
            let read = log
                .read(partition(number), next, entries_max, bytes_max)
                .await
                .unwrap();
            assert!(!read.entries.is_empty() && read.entries.len() <= entries_max);
            for entry in read.entries {
                assert_eq!(entry.position, next);
                assert_eq!(entry.payload, payload(number, next));
                next += 1;
            }
        }
        assert_eq!(next, end);
    }
}

fn count(disk: &SimDisk, ending: &str) -> usize {
    let files = disk.files();
    files
        .iter()
        .filter(|(path, _)| path.ends_with(ending))
        .count()
}

#[tokio::test]
async fn sorted_entries_read_as_before_and_leave_the_write_ahead_log() {
    let (disk, clock) = (SimDisk::new(), SimClock::default());
    let log = open(&disk, &clock);
    put(&log, &clock, 3, 60).await;
    let before = count(&disk, ".wal");
    assert!(before > 10);
    assert!(log.sort().unwrap() > 0);
    assert_eq!(count(&disk, ".wal"), 1);
    assert!(count(&disk, ".chk") > 0);
    for number in 1..=3 {
        check(&log, number, 0, 60).await;
    }
    put(&log, &clock, 3, 5).await;
    drop(log);
    let log = open(&disk, &clock);
    for number in 1..=3 {
        check(&log, number, 0, 65).await;
        check(&log, number, 33, 65).await;
    }
}

#[tokio::test]
async fn files_that_were_sorted_become_the_next_ones_while_there_is_room() {
    let (disk, clock) = (SimDisk::written_through(), SimClock::default());
    let log = open(&disk, &clock);
    put(&log, &clock, 3, 60).await;
    assert_eq!(count(&disk, ".spare"), 0);
    log.sort().unwrap();
    let spares = count(&disk, ".spare");
    assert!((2..=16).contains(&spares), "{spares}");
    let mut left = vec![spares];
    for _ in 0..30 {
        // The next file is asked for, made, and taken when the one before it is full.
        put(&log, &clock, 3, 1).await;
        log.work_ahead().unwrap();
        left.push(count(&disk, ".spare"));
    }
    assert!(
        left.is_sorted_by(|before, after| before >= after),
        "{left:?}"
    );
    assert_eq!(left.last(), Some(&0), "all are used: {left:?}");
    for number in 1..=3 {
        check(&log, number, 0, 90).await;
    }
    // Spares take room only where there is more of it.
    let used: usize = disk.files().iter().map(|(_, size)| size).sum();
    disk.set_capacity(Some(used + 3 * 4 * 16 * 1024));
    log.sort().unwrap();
    let spares = count(&disk, ".spare") as u64;
    let free_bytes = disk.room().unwrap().unwrap().free_bytes;
    let fitting = free_bytes / (4 * 16 * 1024);
    assert!(
        (1..=fitting).contains(&spares) && spares < 16,
        "{spares} of {fitting}"
    );
    disk.crash(1);
    drop(log);
    let log = open(&disk, &clock);
    assert_eq!((count(&disk, ".spare"), count(&disk, "wal/next")), (0, 0));
    for number in 1..=3 {
        check(&log, number, 0, 90).await;
    }
}

/// Much is kept in memory, and little is sorted at a time.
fn in_memory() -> LocalOptions {
    LocalOptions {
        file_bytes: 64 * 1024,
        sort_after_files: 3,
        sort_portion_bytes: 8 * 1024,
        cache_bytes: 1 << 20,
        ..options()
    }
}

#[tokio::test]
async fn what_is_in_memory_is_sorted_from_there_and_named_when_it_is_enough() {
    let (disk, clock) = (SimDisk::new(), SimClock::default());
    let log = open_with(&disk, &clock, in_memory());
    put(&log, &clock, 2, 3).await;
    assert_eq!(log.sort(), Ok(0));
    assert_eq!(count(&disk, ".chk"), 1, "it has been begun");
    // What stands on the disk does not matter as long as it is in memory.
    for (path, size) in disk.files() {
        if path.ends_with(".wal") {
            (8192..size).for_each(|byte| disk.flip_bit(&path, byte * 8));
        }
    }
    put(&log, &clock, 2, 30).await;
    assert!(log.sort().unwrap() > 0);
    assert!(count(&disk, ".wal") < 3);
    for number in 1..=2 {
        check(&log, number, 0, 33).await;
    }
}

#[tokio::test]
async fn a_start_takes_up_what_was_begun_again() {
    let (disk, clock) = (SimDisk::new(), SimClock::default());
    for run in 1..=3 {
        let log = open_with(&disk, &clock, in_memory());
        assert_eq!(count(&disk, ".chk"), 0, "what was begun is removed");
        put(&log, &clock, 2, 1).await;
        assert_eq!(log.sort(), Ok(0));
        // What an earlier run wrote comes first, and is not in memory.
        assert_eq!(count(&disk, ".chk"), usize::from(run == 1));
    }
    let log = open_with(&disk, &clock, in_memory());
    assert!(log.sort().unwrap() > 0);
    assert_eq!(count(&disk, ".wal"), 1);
    for number in 1..=2 {
        check(&log, number, 0, 3).await;
    }
}

#[tokio::test]
async fn what_goes_while_its_chunk_is_in_the_making_does_not_come_back() {
    let (disk, clock) = (SimDisk::new(), SimClock::default());
    let log = open_with(&disk, &clock, in_memory());
    put(&log, &clock, 4, 4).await;
    log.sort().unwrap();
    assert_eq!(count(&disk, ".chk"), 1);
    log.trim(partition(1), 3).await.unwrap();
    log.delete(partition(2)).await.unwrap();
    log.delete(partition(3)).await.unwrap();
    put(&log, &clock, 1, 60).await;
    assert!(log.sort().unwrap() > 0);
    let state = async |log: &LocalLog| {
        check(log, 1, 3, 64).await;
        check(log, 4, 0, 4).await;
        assert_eq!(log.partition(partition(1)).start, 3);
        assert_eq!(log.partitions(), [1, 4].map(partition));
    };
    state(&log).await;
    drop(log);
    state(&open(&disk, &clock)).await;
}

#[tokio::test]
async fn a_run_that_reaches_out_of_what_was_read_is_read_by_itself() {
    let (disk, clock) = (SimDisk::new(), SimClock::default());
    let options = LocalOptions {
        sort_portion_bytes: 4096,
        ..options()
    };
    let log = open_with(&disk, &clock, options);
    for position in 0..30 {
        let entries = (1..=5).map(|number| (partition(number), payload(number, position)));
        log.append(Batch::of(entries)).await.unwrap();
    }
    assert!(log.sort().unwrap() > 0);
    assert_eq!(count(&disk, ".wal"), 1);
    for number in 1..=5 {
        check(&log, number, 0, 30).await;
    }
}

#[tokio::test]
async fn a_time_is_found_in_a_chunk() {
    let (disk, clock) = (SimDisk::new(), SimClock::default());
    let log = open(&disk, &clock);
    let started = clock.now();
    put(&log, &clock, 2, 200).await;
    let find = async |log: &LocalLog| {
        let mut found = Vec::new();
        for seconds in [0, 1, 2, 77, 199, 200, 201] {
            let at = started.plus(Duration::from_secs(seconds));
            found.push(log.position_at(partition(1), at).await.unwrap());
            let between = started.plus(Duration::from_millis(seconds * 1000 + 500));
            found.push(log.position_at(partition(1), between).await.unwrap());
        }
        found
    };
    let before = find(&log).await;
    assert_eq!(
        before,
        [0, 0, 0, 1, 1, 2, 76, 77, 198, 199, 199, 200, 200, 200]
    );
    log.sort().unwrap();
    assert_eq!(find(&log).await, before);
    log.trim(partition(1), 80).await.unwrap();
    let long_ago = Timestamp::EPOCH;
    let found = log.position_at(partition(1), long_ago).await;
    assert_eq!(found, Ok(80));
}

#[tokio::test]
async fn what_is_kept_as_long_lies_together_and_goes_as_a_whole() {
    let (disk, clock) = (SimDisk::new(), SimClock::default());
    let log = open(&disk, &clock);
    for number in 1..=4 {
        log.retain(
            partition(number),
            match number % 2 {
                0 => Retention::Day,
                _ => Retention::Week,
            },
        );
    }
    put(&log, &clock, 4, 40).await;
    assert!(log.sort().unwrap() > 0);
    let chunks = count(&disk, ".chk");
    log.trim(partition(2), 40).await.unwrap();
    log.delete(partition(4)).await.unwrap();
    // The answer comes before the files go: the next change waits behind them.
    log.seal(partition(1)).await.unwrap();
    assert_eq!(2 * count(&disk, ".chk"), chunks);
    for number in [1, 3] {
        check(&log, number, 0, 40).await;
    }
    drop(log);
    let log = open(&disk, &clock);
    assert_eq!(log.partitions(), [1, 2, 3].map(partition));
    assert_eq!(log.partition(partition(2)).start, 40);
    check(&log, 3, 0, 40).await;
}

#[tokio::test]
async fn chunks_that_are_mostly_trimmed_are_written_again_without_what_is_gone() {
    let (disk, clock) = (SimDisk::new(), SimClock::default());
    let log = open(&disk, &clock);
    put(&log, &clock, 4, 40).await;
    log.sort().unwrap();
    let size = |disk: &SimDisk| -> usize {
        let files = disk.files();
        let chunks = files.iter().filter(|(path, _)| path.ends_with(".chk"));
        chunks.map(|(_, size)| size).sum()
    };
    let before = size(&disk);
    for number in 1..=3 {
        log.trim(partition(number), 40).await.unwrap();
    }
    assert!(log.sort().unwrap() > 0);
    assert_eq!(log.sort(), Ok(0));
    assert!(size(&disk) < before / 3, "{} of {before}", size(&disk));
    check(&log, 4, 0, 40).await;
    drop(log);
    check(&open(&disk, &clock), 4, 0, 40).await;
}

#[tokio::test]
async fn many_small_chunks_become_fewer() {
    let (disk, clock) = (SimDisk::new(), SimClock::default());
    let log = open(&disk, &clock);
    for _ in 0..8 {
        put(&log, &clock, 2, 20).await;
        log.sort().unwrap();
    }
    assert!(count(&disk, ".chk") < 8, "each sort made one at least");
    for number in 1..=2 {
        check(&log, number, 0, 160).await;
    }
    drop(log);
    let log = open(&disk, &clock);
    for number in 1..=2 {
        check(&log, number, 0, 160).await;
    }
}

#[tokio::test]
async fn compressed_chunks_are_smaller_and_read_the_same() {
    let mut sizes = Vec::new();
    for compress in [false, true] {
        let (disk, clock) = (SimDisk::new(), SimClock::default());
        let log = open_with(
            &disk,
            &clock,
            LocalOptions {
                compress,
                ..options()
            },
        );
        log.retain(partition(1), Retention::Year);
        put(&log, &clock, 1, 100).await;
        log.sort().unwrap();
        check(&log, 1, 0, 100).await;
        let files = disk.files();
        let chunk = files.iter().find(|(path, _)| path.ends_with(".chk"));
        sizes.push(chunk.unwrap().1);
    }
    assert!(sizes[1] < sizes[0] / 5, "{sizes:?}");
}

#[tokio::test]
async fn an_entry_that_is_damaged_is_never_written_again() {
    let (disk, clock) = (SimDisk::new(), SimClock::default());
    let log = open(&disk, &clock);
    put(&log, &clock, 1, 40).await;
    let files = disk.files();
    let (path, _) = files
        .iter()
        .find(|(path, _)| path.ends_with(".wal"))
        .unwrap();
    // Somewhere in the payload of the first entry: behind header, checkpoint and the frame's own head.
    disk.flip_bit(path, (2 * 4096 + 500) * 8);
    let refused = log.sort().unwrap_err();
    assert!(matches!(refused, SortError::Failed(_)), "{refused}");
    assert_eq!(count(&disk, ".chk"), 0, "what was begun is removed");
    let read = log.read(partition(1), 0, 1, 1).await;
    assert!(matches!(read, Err(ReadError::Corrupt { .. })), "{read:?}");
    check(&log, 1, 10, 40).await;
}

#[tokio::test]
async fn a_chunk_that_cannot_be_written_leaves_everything_where_it_was() {
    for failure in [DiskFailure::Full, DiskFailure::Broken] {
        for io in 1..=4 {
            let (disk, clock) = (SimDisk::new(), SimClock::default());
            let log = open(&disk, &clock);
            put(&log, &clock, 2, 40).await;
            disk.fail_at(disk.io_count() + io, failure);
            let sorted = log.sort();
            assert!(
                matches!(sorted, Err(SortError::Failed(_))),
                "{io}: {sorted:?}"
            );
            assert_eq!(count(&disk, ".chk"), 0, "{io}");
            check(&log, 1, 0, 40).await;
            assert!(log.sort().unwrap() > 0, "{io}");
            check(&log, 2, 0, 40).await;
        }
    }
}

#[tokio::test]
async fn a_block_that_is_damaged_is_refused_and_its_neighbours_are_read() {
    let (disk, clock) = (SimDisk::new(), SimClock::default());
    let log = open(&disk, &clock);
    put(&log, &clock, 1, 200).await;
    log.sort().unwrap();
    let files = disk.files();
    let (path, _) = files
        .iter()
        .find(|(path, _)| path.ends_with(".chk"))
        .unwrap();
    disk.flip_bit(path, 1000 * 8);
    let read = log.read(partition(1), 0, 1, 1).await;
    assert!(matches!(read, Err(ReadError::Corrupt { .. })), "{read:?}");
    check(&log, 1, 80, 200).await;
}

#[tokio::test]
async fn damage_is_found_before_anybody_reads_it_and_forgotten_with_its_chunk() {
    let (disk, clock) = (SimDisk::new(), SimClock::default());
    let log = open(&disk, &clock);
    put(&log, &clock, 2, 100).await;
    log.sort().unwrap();
    log.scrub();
    let clean = log.scrubbed();
    assert!(clean.chunks > 0 && clean.bytes > 100_000 && clean.damage.is_empty());
    let files = disk.files();
    let (path, size) = files
        .iter()
        .find(|(path, _)| path.ends_with(".chk"))
        .unwrap();
    disk.flip_bit(path, 1000 * 8);
    disk.flip_bit(path, (size - 30) * 8);
    log.scrub();
    let damaged = log.scrubbed();
    assert_eq!(damaged.chunks, 2 * clean.chunks);
    let damage: Vec<_> = damaged.damage.values().flatten().collect();
    assert_eq!(damage.len(), 1, "a footer that does not fit hides the rest");
    assert_eq!(damage[0].file, *path);
    disk.flip_bit(path, (size - 30) * 8);
    log.scrub();
    let damaged = log.scrubbed();
    let damage: Vec<_> = damaged.damage.values().flatten().collect();
    assert!(damage[0].what.contains("block"), "{damage:?}");
    for number in 1..=2 {
        log.delete(partition(number)).await.unwrap();
    }
    assert!(log.scrubbed().damage.is_empty());
}

#[tokio::test]
async fn readers_and_writers_go_on_while_a_thread_sorts() {
    let (disk, clock) = (SimDisk::new(), SimClock::default());
    let log = open_with(
        &disk,
        &clock,
        LocalOptions {
            sorts_by_itself: true,
            ..options()
        },
    );
    for _ in 0..40 {
        put(&log, &clock, 3, 5).await;
        check(&log, 2, 0, log.partition(partition(2)).end).await;
    }
    while count(&disk, ".wal") > 1 {
        tokio::task::yield_now().await;
    }
    for number in 1..=3 {
        check(&log, number, 0, 200).await;
    }
}

/// What a round asks of the committer may share a group with puts.
#[tokio::test]
async fn rounds_come_to_an_end_among_puts() {
    let (disk, clock) = (SimDisk::new(), SimClock::default());
    let log = Arc::new(open(&disk, &clock));
    for _ in 0..20 {
        let sorting = {
            let log = Arc::clone(&log);
            tokio::task::spawn_blocking(move || log.sort())
        };
        let puts: Vec<_> = (0..20)
            .map(|_| {
                let entries = vec![(partition(1), Bytes::from_static(&[7; 1500]))];
                log.append(Batch::of(entries))
            })
            .collect();
        for put in puts {
            put.await.unwrap();
        }
        sorting.await.unwrap().unwrap();
    }
    let read = log.read(partition(1), 0, 1000, 10 << 20).await.unwrap();
    assert_eq!(read.entries.len(), 400);
}

#[tokio::test]
async fn a_file_with_many_runs_is_followed_by_another_however_small_it_is() {
    let (disk, clock) = (SimDisk::new(), SimClock::default());
    let log = open_with(
        &disk,
        &clock,
        LocalOptions {
            file_bytes: 1 << 30,
            ..options()
        },
    );
    let entries: Vec<_> = (0..20_000)
        .map(|number| (partition(number), Bytes::from_static(b"x")))
        .collect();
    for _ in 0..8 {
        let entries = entries.clone();
        log.append(Batch::of(entries)).await.unwrap();
    }
    assert_eq!(count(&disk, ".wal"), 2);
    assert_eq!(log.sort(), Ok(1));
    assert!(Disk::list(&disk, "chunk").unwrap().len() == 1);
    let read = log.read(partition(17), 0, 100, 100).await.unwrap();
    assert_eq!(read.entries.len(), 8);
}
