//! Two frames on their way at once: each is seen in its order and answered behind that, and when the first falls, so
//! does the second, whether a power cut, a broken disk or a full one is the cause.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use tidemill_log::{
    AppendError, Appended, Batch, LocalLog, LocalOptions, Log, PartitionId, ServiceTag,
};
use tidemill_model::BoxFuture;
use tidemill_testkit::{DiskFailure, SimClock, SimDisk, SimEntropy};

type Append = BoxFuture<'static, Result<Vec<Appended>, AppendError>>;

fn open(disk: &SimDisk, seed: u64) -> LocalLog {
    let options = LocalOptions {
        file_bytes: 8 * 1024 * 1024,
        sorts_by_itself: false,
        scrubs_by_itself: false,
        ..LocalOptions::default()
    };
    let (clock, entropy) = (SimClock::default(), SimEntropy::new(seed));
    let disk = Arc::new(disk.clone());
    LocalLog::open(disk, Arc::new(clock), Arc::new(entropy), options).unwrap()
}

fn shard(number: u64) -> PartitionId {
    PartitionId::new(ServiceTag::Streams, number)
}

/// Appends an entry of several sectors to each of `shards`; it is in line when this returns.
fn append(log: &LocalLog, shards: &[u64], byte: u8) -> Append {
    let entry = |number: &u64| (shard(*number), vec![byte; 5000]);
    log.append(Batch::of(shards.iter().map(entry)))
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.build().unwrap().block_on(future)
}

fn is_answered(append: &mut Append) -> bool {
    block_on(poll_fn(|context| {
        Poll::Ready(append.as_mut().poll(context).is_ready())
    }))
}

/// A log, and two appends on their way beside each other: the write of the first is held, that of the
/// second is done; each fails as `failures` say.
fn two_on_their_way(disk: &SimDisk, log: &LocalLog, failures: &[DiskFailure]) -> [Append; 2] {
    // Zeros go ahead of it, so that what follows is written over zeros.
    block_on(append(log, &[1, 2], 1)).unwrap();
    let io = disk.io_count() + 1;
    disk.hold_at(io);
    for (io, failure) in (io..).zip(failures) {
        disk.fail_at(io, *failure);
    }
    let first = append(log, &[1, 2], 2);
    disk.wait_until_held();
    let second = append(log, &[2, 3], 3);
    disk.wait_for_ios(io + 1);
    [first, second]
}

/// How many entries shards 1 to 3 have.
fn ends(log: &LocalLog) -> [u64; 3] {
    [1, 2, 3].map(|number| log.partition(shard(number)).end)
}

/// The first byte of each entry of shards 1 to 3.
fn content(log: &LocalLog) -> [Vec<u8>; 3] {
    [1, 2, 3].map(|number| {
        let read = block_on(log.read(shard(number), 0, 100, 1 << 20)).unwrap();
        read.entries.iter().map(|entry| entry.payload[0]).collect()
    })
}

#[test]
fn the_second_is_seen_and_answered_behind_the_first() {
    let disk = SimDisk::written_through();
    let log = open(&disk, 1);
    let [mut first, mut second] = two_on_their_way(&disk, &log, &[]);
    assert!(!is_answered(&mut first) && !is_answered(&mut second));
    assert_eq!(ends(&log), [1, 1, 0], "neither is seen");
    disk.release();
    let places = [block_on(first).unwrap(), block_on(second).unwrap()];
    let positions: [Vec<u64>; 2] =
        places.map(|places| places.iter().map(|place| place.position).collect());
    assert_eq!(positions, [vec![1, 1], vec![2, 0]]);
    assert_eq!(content(&log), [vec![1, 2], vec![1, 2, 3], vec![3]]);
    drop(log);
    assert_eq!(
        content(&open(&disk, 2)),
        [vec![1, 2], vec![1, 2, 3], vec![3]]
    );
}

#[test]
fn beside_a_frame_of_many_changes_one_is_begun_for_a_single_one_that_is_much() {
    let disk = SimDisk::written_through();
    let log = open(&disk, 1);
    let mut appends = Vec::from(two_on_their_way(&disk, &log, &[]));
    appends.extend([4, 5, 6].map(|byte| append(&log, &[1], byte)));
    // The first comes to its end; the three go together, and are on their way from now on.
    let io = disk.io_count();
    disk.hold_at(io + 1);
    disk.wait_until_held();
    appends.push(append(&log, &[1], 7));
    appends.push(log.append(Batch::of([(shard(1), vec![8; 128 * 1024])])));
    disk.wait_for_ios(io + 2);
    assert_eq!(ends(&log), [2, 3, 1], "neither frame is seen");
    disk.release();
    for append in appends {
        block_on(append).unwrap();
    }
    assert_eq!(content(&log)[0], [1, 2, 4, 5, 6, 7, 8]);
    assert_eq!(disk.io_count(), io + 2);
}

#[test]
fn what_ready_tasks_append_goes_with_one_write_unless_it_is_much() {
    let disk = SimDisk::written_through();
    let log = Arc::new(open(&disk, 1));
    block_on(append(&log, &[1], 0)).unwrap();
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(1).build().unwrap();
    let before = disk.io_count();
    let appending = Arc::clone(&log);
    let appended = runtime.spawn(async move {
        let one = |_| {
            let log = Arc::clone(&appending);
            tokio::spawn(async move { append(&log, &[1], 1).await })
        };
        let tasks: Vec<_> = (0..20).map(one).collect();
        for task in tasks {
            task.await.unwrap().unwrap();
        }
    });
    runtime.block_on(appended).unwrap();
    assert_eq!((ends(&log)[0], disk.io_count() - before), (21, 1));

    // The only worker waits for the disk, so that no bell would ring.
    let blocked = disk.clone();
    let written = runtime.spawn(async move {
        let before = blocked.io_count();
        let large = (shard(1), vec![2; 100 * 1024]);
        let appended = log.append(Batch::of([large]));
        blocked.wait_for_ios(before + 1);
        appended.await
    });
    runtime.block_on(written).unwrap().unwrap();
}

#[test]
fn what_is_held_is_written_when_the_log_is_closed_by_who_would_have_to_ring() {
    let disk = SimDisk::written_through();
    let log = open(&disk, 1);
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(1).build().unwrap();
    let appended = runtime.spawn(async move {
        let appended = append(&log, &[1], 1);
        drop(log);
        appended.await
    });
    assert_eq!(runtime.block_on(appended).unwrap().unwrap().len(), 1);
    assert_eq!(ends(&open(&disk, 2))[0], 1);
}

#[test]
fn a_command_waits_for_no_bell_and_takes_along_what_is_held() {
    let disk = SimDisk::written_through();
    let log = open(&disk, 1);
    block_on(append(&log, &[1], 0)).unwrap();
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(1).build().unwrap();
    let blocked = disk.clone();
    let sealed = runtime.spawn(async move {
        let before = blocked.io_count();
        let (appended, sealed) = (append(&log, &[1], 1), log.seal(shard(1)));
        // The only worker waits for the disk, so that no bell would ring.
        blocked.wait_for_ios(before + 1);
        appended.await.unwrap();
        sealed.await
    });
    assert_eq!(runtime.block_on(sealed).unwrap(), Ok(2));
}

#[test]
fn a_power_cut_leaves_both_or_neither_when_the_second_was_written() {
    let mut seen = BTreeSet::new();
    for seed in 0..200 {
        let disk = SimDisk::written_through();
        let log = open(&disk, seed);
        let [mut first, mut second] = two_on_their_way(&disk, &log, &[]);
        assert!(!is_answered(&mut first) && !is_answered(&mut second));
        disk.crash(seed);
        assert!(block_on(first).is_err() && block_on(second).is_err());
        drop(log);
        let log = open(&disk, seed + 1);
        let found = content(&log);
        let both = [vec![1, 2], vec![1, 2, 3], vec![3]];
        let neither = [vec![1], vec![1], vec![]];
        assert!(found == both || found == neither, "seed {seed}: {found:?}");
        // What was torn is gone for good, and the log goes on behind what is left.
        block_on(append(&log, &[1, 3], 4)).unwrap();
        drop(log);
        let mut expected = found.clone();
        expected[0].push(4);
        expected[2].push(4);
        assert_eq!(content(&open(&disk, seed + 2)), expected, "seed {seed}");
        seen.insert(found);
    }
    assert_eq!(
        seen.len(),
        2,
        "the power is cut before and behind the last sector"
    );
}

#[test]
fn a_write_that_fails_takes_the_one_behind_it_along() {
    for seed in 0..20 {
        let disk = SimDisk::written_through();
        let log = open(&disk, seed);
        let [first, second] = two_on_their_way(&disk, &log, &[DiskFailure::Broken]);
        disk.release();
        for append in [first, second] {
            let error = block_on(append).unwrap_err();
            assert!(matches!(error, AppendError::Poisoned { .. }), "{error}");
        }
        assert_eq!(ends(&log), [1, 1, 0], "neither is seen");
        drop(log);
        disk.crash(seed);
        assert_eq!(content(&open(&disk, seed + 1)), [vec![1], vec![1], vec![]]);
    }
}

#[test]
fn where_there_is_no_room_for_the_first_the_log_goes_on_from_before_both() {
    let disk = SimDisk::written_through();
    let log = open(&disk, 1);
    let [first, second] = two_on_their_way(&disk, &log, &[DiskFailure::Full]);
    disk.release();
    for append in [first, second] {
        let error = block_on(append).unwrap_err();
        assert!(matches!(error, AppendError::Full { .. }), "{error}");
    }
    // Who is refused has the log look whether there is room again.
    let again = (0..1000).find_map(|_| block_on(append(&log, &[1, 2, 3], 4)).ok());
    let positions: Vec<u64> = again.unwrap().iter().map(|place| place.position).collect();
    assert_eq!(positions, [1, 1, 0], "the places are given anew");
    let expected = [vec![1, 4], vec![1, 4], vec![4]];
    assert_eq!(content(&log), expected);
    drop(log);
    disk.crash(1);
    assert_eq!(content(&open(&disk, 2)), expected);
}

#[test]
fn a_broken_disk_behind_a_full_one_ends_the_log() {
    let disk = SimDisk::written_through();
    let log = open(&disk, 1);
    let failures = [DiskFailure::Full, DiskFailure::Broken];
    let [first, second] = two_on_their_way(&disk, &log, &failures);
    disk.release();
    for append in [first, second] {
        let error = block_on(append).unwrap_err();
        assert!(matches!(error, AppendError::Poisoned { .. }), "{error}");
    }
    drop(log);
    disk.crash(1);
    assert_eq!(content(&open(&disk, 2)), [vec![1], vec![1], vec![]]);
}

#[test]
fn what_has_to_be_alone_waits_and_falls_with_what_it_waits_for() {
    let disk = SimDisk::written_through();
    let log = open(&disk, 1);
    block_on(append(&log, &[1, 2], 1)).unwrap();
    let io = disk.io_count() + 1;
    disk.hold_at(io);
    disk.fail_at(io, DiskFailure::Full);
    let first = append(&log, &[1], 2);
    disk.wait_until_held();
    let seal = log.seal(shard(2));
    assert_eq!(disk.io_count(), io, "it is not written beside another");
    disk.release();
    let full = |error| matches!(error, AppendError::Full { .. });
    assert!(full(block_on(first).unwrap_err()) && full(block_on(seal).unwrap_err()));
    assert_eq!(block_on(log.seal(shard(2))).unwrap(), 1);
    assert!(log.partition(shard(2)).sealed && !log.partition(shard(1)).sealed);
}

#[test]
fn a_log_that_is_closed_while_its_disk_is_full_comes_to_its_end() {
    let disk = SimDisk::written_through();
    let log = open(&disk, 1);
    let [first, second] = two_on_their_way(&disk, &log, &[DiskFailure::Full]);
    std::thread::scope(|scope| {
        scope.spawn(|| log.close());
        let is_closed = || {
            let nothing = log.append(Batch::default());
            matches!(block_on(nothing), Err(AppendError::Closed))
        };
        while !is_closed() {
            std::thread::yield_now();
        }
        disk.release();
    });
    assert!(block_on(first).is_err() && block_on(second).is_err());
    drop(log);
    assert_eq!(content(&open(&disk, 2)), [vec![1], vec![1], vec![]]);
}

#[test]
fn a_disk_that_is_not_written_through_has_one_frame_on_its_way() {
    let disk = SimDisk::new();
    let log = open(&disk, 1);
    let appends: Vec<Append> = (0..100).map(|n| append(&log, &[n % 3 + 1], 1)).collect();
    for append in appends {
        block_on(append).unwrap();
    }
    drop(log);
    disk.crash(1);
    assert_eq!(ends(&open(&disk, 2)), [34, 33, 33]);
}
