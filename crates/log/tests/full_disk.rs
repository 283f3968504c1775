//! A full disk: what was acknowledged stays, what can free room is taken, and all is taken again once
//! there is room.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::sync::Arc;

use tidemill_log::{
    AppendError, Appended, Batch, LocalLog, LocalOptions, Log, PartitionId, ServiceTag, Snapshot,
};
use tidemill_model::{Clock, Determinacy, Entropy};
use tidemill_testkit::{SimClock, SimDisk, SimEntropy};

const BALLAST_BYTES: u64 = 1024 * 1024;

fn options() -> LocalOptions {
    LocalOptions {
        file_bytes: 64 * 1024,
        ballast_bytes: BALLAST_BYTES,
        sort_after_files: 2,
        sorts_by_itself: false,
        scrubs_by_itself: false,
        cache_bytes: 0,
        ..LocalOptions::default()
    }
}

fn open(disk: &SimDisk, clock: &SimClock) -> LocalLog {
    let entropy = Arc::new(SimEntropy::new(clock.now().as_millis()));
    let (disk, clock) = (Arc::new(disk.clone()), Arc::new(clock.clone()));
    LocalLog::open(disk, clock, entropy, options()).unwrap()
}

fn shard(number: u64) -> PartitionId {
    PartitionId::new(ServiceTag::Streams, number)
}

async fn append(
    log: &LocalLog,
    partition: PartitionId,
    bytes: usize,
) -> Result<Appended, AppendError> {
    let entries = vec![(partition, vec![7; bytes])];
    Ok(log.append(Batch::of(entries)).await?[0])
}

fn has_ballast(disk: &SimDisk) -> bool {
    let files = disk.files();
    files
        .iter()
        .any(|(path, size)| path == "BALLAST" && *size == BALLAST_BYTES as usize)
}

/// Puts into two shards until the disk is full; gives how many entries each has got.
async fn fill(log: &LocalLog) -> u64 {
    for count in 0.. {
        for number in [1, 2] {
            if let Err(error) = append(log, shard(number), 5000).await {
                assert!(matches!(error, AppendError::Full { .. }), "{error}");
                assert_eq!(error.determinacy(), Determinacy::Determinate);
                return count;
            }
        }
    }
    unreachable!("the disk has an end")
}

#[tokio::test]
async fn a_full_disk_drops_its_ballast_and_takes_what_can_free_room() {
    for disk in [SimDisk::new(), SimDisk::written_through()] {
        disk.set_capacity(Some(8 << 20));
        let clock = SimClock::default();
        let log = open(&disk, &clock);
        assert!(has_ballast(&disk));
        let count = fill(&log).await;
        assert!(count > 300, "{count}");
        assert!(!has_ballast(&disk));
        let read = log.read(shard(2), 0, 10_000, 100 << 20).await.unwrap();
        assert_eq!(read.entries.len() as u64, log.partition(shard(2)).end);
        // Commands and checkpoints are taken, records and messages are not.
        let mapping = PartitionId::new(ServiceTag::Mapping, 1);
        append(&log, PartitionId::CONTROL, 100).await.unwrap();
        append(&log, mapping, 100).await.unwrap();
        for owner in [ServiceTag::Streams, ServiceTag::Destinations] {
            let refused = append(&log, PartitionId::new(owner, 9), 1).await;
            assert!(matches!(refused, Err(AppendError::Full { .. })));
        }
        let snapshot = Snapshot {
            position: 1,
            bytes: vec![1; 1000].into(),
        };
        log.snapshot(PartitionId::CONTROL, snapshot).await.unwrap();
        log.delete(shard(1)).await.unwrap();
        // Its entries stood between others: only sorting gives their room back.
        log.sort().unwrap();
        assert!(has_ballast(&disk), "{:?}", disk.files());
        let end = log.partition(shard(2)).end;
        let appended = append(&log, shard(2), 5000).await.unwrap();
        assert_eq!(appended.position, end);
        drop(log);
        let log = open(&disk, &clock);
        assert_eq!(log.partition(shard(2)).end, end + 1);
        let read = log.read(shard(2), 0, 10_000, 100 << 20).await.unwrap();
        assert_eq!(read.entries.len() as u64, end + 1);
    }
}

#[tokio::test]
async fn who_is_refused_has_the_disk_looked_at_again() {
    let disk = SimDisk::new();
    disk.set_capacity(Some(4 << 20));
    let log = open(&disk, &SimClock::default());
    fill(&log).await;
    let end = log.partition(shard(1)).end;
    let refused = append(&log, shard(1), 10).await;
    assert!(matches!(refused, Err(AppendError::Full { .. })));
    // Somebody else has made room.
    disk.set_capacity(Some(16 << 20));
    while let Err(error) = append(&log, shard(1), 10).await {
        assert!(matches!(error, AppendError::Full { .. }), "{error}");
        tokio::task::yield_now().await;
    }
    assert!(has_ballast(&disk));
    assert_eq!(log.partition(shard(1)).end, end + 1);
}

#[tokio::test]
async fn a_start_on_a_full_disk_takes_nothing_but_what_can_free_room() {
    let disk = SimDisk::new();
    disk.set_capacity(Some(4 << 20));
    let clock = SimClock::default();
    let log = open(&disk, &clock);
    fill(&log).await;
    drop(log);
    let log = open(&disk, &clock);
    assert!(!has_ballast(&disk));
    let refused = append(&log, shard(1), 10).await;
    assert!(matches!(refused, Err(AppendError::Full { .. })));
    log.delete(shard(1)).await.unwrap();
    log.delete(shard(2)).await.unwrap();
    // The answer comes before the files go: the next change waits behind them.
    log.seal(shard(3)).await.unwrap();
    append(&log, shard(4), 10).await.unwrap();
    assert!(has_ballast(&disk));
}

/// A power cut anywhere around the moment when the disk is full: nothing that was acknowledged is
/// missing, nothing that was refused is there.
#[tokio::test]
async fn a_power_cut_on_a_full_disk_loses_nothing() {
    for seed in 0..12 {
        let disk = match seed % 2 {
            0 => SimDisk::new(),
            _ => SimDisk::written_through(),
        };
        disk.set_capacity(Some(3 << 20));
        let clock = SimClock::default();
        let log = open(&disk, &clock);
        let chance = SimEntropy::new(seed);
        fill(&log).await;
        let mut ends = [1, 2].map(|number| log.partition(shard(number)).end);
        disk.crash_at(disk.io_count() + 1 + chance.below(40));
        let mut unknown = [0, 0];
        for turn in 0..20 {
            append(&log, PartitionId::CONTROL, 3000).await.ok();
            let which = turn % 2;
            match append(&log, shard(which as u64 + 1), 2000).await {
                Ok(_) => ends[which] += 1,
                Err(error) if error.determinacy() == Determinacy::Determinate => {}
                Err(_) => unknown[which] += 1,
            }
            if turn == 10 {
                disk.set_capacity(Some(6 << 20));
            }
        }
        drop(log);
        disk.crash(seed);
        let log = open(&disk, &clock);
        for which in 0..2 {
            let found = log.partition(shard(which as u64 + 1)).end;
            let most = ends[which] + unknown[which];
            assert!(
                (ends[which]..=most).contains(&found),
                "seed {seed}: {found}"
            );
            let read = log
                .read(shard(which as u64 + 1), 0, 10_000, 100 << 20)
                .await;
            assert_eq!(read.unwrap().entries.len() as u64, found, "seed {seed}");
        }
    }
}
