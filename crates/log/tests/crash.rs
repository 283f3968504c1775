//! Power cuts, failing disks and flipped bits: what was acknowledged is there, or the start is refused.
//!
//! A seeded run of changes goes over a simulated disk, and the power is cut in the middle of each of
//! its I/Os in turn. What is recovered must be the state before or after the change that was cut short:
//! no acknowledged change is missing, and none is there in part. `SEED=n` in the environment runs one
//! seed; every failure names the seed and the I/O.

#[path = "crash/story.rs"]
mod story;

use bytes::Bytes;

use tidemill_log::{
    AppendError, Batch, Disk, Durability, LocalError, LocalLog, LocalOptions, Log, PartitionId,
    ReadError, ServiceTag,
};
use tidemill_model::{Clock, Determinacy, Entropy};
use tidemill_testkit::{DiskFailure, SimClock, SimDisk, SimEntropy};

use story::{
    CHANGES, Model, Run, Workload, carry_out, check_goes_on, check_recovered, cuts, observe, open,
    open_with, options, run, runtime, sim_disk, visible,
};

const SEEDS: u64 = 24;
/// How often the power is cut at least, over as many seeds as that takes.
const POINTS: u64 = 100_000;
/// A run into a power cut takes longer than looking at what one would have left.
const SEEDS_RUN_INTO: u64 = 2;

fn seeds(count: u64) -> Vec<u64> {
    match std::env::var("SEED") {
        Ok(seed) => vec![seed.parse().expect("SEED is a number")],
        Err(_) => (1..=count).collect(),
    }
}

async fn io_count(seed: u64) -> u64 {
    let disk = sim_disk(seed);
    let run = run(&disk, seed).await;
    assert_eq!(run.error, None, "seed {seed} without a power cut");
    disk.io_count()
}

async fn crash_everywhere(seed: u64) {
    let ios = io_count(seed).await;
    for io in 1..=ios {
        let place = format!("SEED={seed}, power cut at I/O {io}");
        let disk = sim_disk(seed);
        disk.crash_at(io);
        let mut run = run(&disk, seed).await;
        disk.crash(seed << 32 | io);
        // The power may fail again while it recovers.
        if io % 3 == 0 {
            disk.crash_at(disk.io_count() + 1 + io % 11);
            drop(open(&disk, &run.workload.clock, io));
            disk.crash(seed << 32 | io << 16);
        }
        let log = open(&disk, &run.workload.clock, io + 1)
            .unwrap_or_else(|error| panic!("{place}: {error}"));
        check_recovered(&log, &mut run, &place).await;
        check_goes_on(&disk, log, run, &place).await;
    }
}

#[test]
fn a_log_that_runs_into_a_power_cut_loses_nothing_that_was_acknowledged() {
    for seed in seeds(SEEDS_RUN_INTO) {
        runtime().block_on(crash_everywhere(seed));
    }
}

#[test]
fn a_hundred_thousand_power_cuts_lose_nothing_that_was_acknowledged() {
    let count = match std::env::var("SEED") {
        Ok(seed) => cut_everywhere(seed.parse().expect("SEED is a number")),
        Err(_) => std::thread::scope(|scope| {
            let halves = [1, 2].map(|first| {
                scope.spawn(move || {
                    let mut count = 0;
                    for seed in (first..).step_by(2) {
                        count += cut_everywhere(seed);
                        if count >= POINTS / 2 {
                            break;
                        }
                    }
                    count
                })
            });
            let counts = halves.map(|half| half.join().expect("its panic has been told"));
            counts.iter().sum()
        }),
    };
    println!("{count} power cuts");
}

/// Cuts the power at each I/O of one run; gives at how many.
fn cut_everywhere(seed: u64) -> u64 {
    runtime().block_on(async {
        let mut count = 0;
        for (io, (disk, mut run)) in (1_u64..).zip(cuts(seed).await) {
            count += 1;
            let place = format!("SEED={seed}, power cut at I/O {io}");
            disk.crash(seed << 32 | io);
            let log = open(&disk, &run.workload.clock, io)
                .unwrap_or_else(|error| panic!("{place}: {error}"));
            check_recovered(&log, &mut run, &place).await;
            if io % 4 == 0 {
                check_goes_on(&disk, log, run, &place).await;
            }
        }
        count
    })
}

#[test]
fn without_syncs_a_power_cut_leaves_the_state_of_an_earlier_moment() {
    for durability in [Durability::Os, Durability::Memory] {
        for seed in seeds(SEEDS / 6) {
            runtime().block_on(cut_unsynced(seed, durability));
        }
    }
}

async fn cut_unsynced(seed: u64, durability: Durability) {
    let disk = sim_disk(seed);
    let mut workload = Workload::new(seed);
    disk.record_cuts();
    let options = LocalOptions {
        durability,
        ..options()
    };
    let log = open_with(&disk, &workload.clock, seed, options).expect("the disk is empty");
    let mut models = vec![Model::default()];
    for _ in 0..CHANGES {
        let mut model = models[models.len() - 1].clone();
        let change = workload.next(&model);
        model.apply(workload.clock.now(), &change);
        carry_out(&log, &change)
            .await
            .unwrap_or_else(|error| panic!("SEED={seed}: {error}"));
        models.push(model);
    }
    drop(log);
    let models: Vec<Model> = models.iter().map(visible).collect();
    for (io, cut) in (1_u64..).zip(disk.take_cuts()) {
        let place = format!("SEED={seed}, {durability:?}, power cut at I/O {io}");
        cut.crash(seed << 32 | io);
        let log =
            open(&cut, &workload.clock, io).unwrap_or_else(|error| panic!("{place}: {error}"));
        let found = observe(&log)
            .await
            .unwrap_or_else(|error| panic!("{place}: {error}"));
        assert!(models.contains(&found), "{place}");
    }
    let log = open(&disk, &workload.clock, seed).expect("the process ended in peace");
    assert!(
        observe(&log).await.expect("nothing is damaged") == models[models.len() - 1],
        "SEED={seed}, {durability:?}"
    );
}

#[test]
fn what_many_callers_were_told_survives_a_power_cut() {
    for seed in seeds(SEEDS / 3) {
        for io in 1..=30 {
            runtime().block_on(crash_among_many(seed, io));
        }
    }
}

/// Many appends at once, so that they share frames. Each partition must be a gap-free prefix of its
/// append order that holds everything acknowledged, and a batch over two partitions is in both or none.
async fn crash_among_many(seed: u64, io: u64) {
    let place = format!("SEED={seed}, many callers, power cut at I/O {io}");
    let disk = sim_disk(seed);
    let clock = SimClock::default();
    let log = open(&disk, &clock, seed).expect("the disk is empty");
    let chance = SimEntropy::new(seed);
    let partitions = [1, 2].map(|number| PartitionId::new(ServiceTag::Streams, number));
    disk.crash_at(disk.io_count() + io);
    let appends: Vec<_> = (0..60_u32)
        .map(|number| {
            let mut payload = vec![0; 4 + chance.below(2000) as usize];
            payload[..4].copy_from_slice(&number.to_le_bytes());
            let payload = Bytes::from(payload);
            log.append(Batch::of(partitions.map(|p| (p, payload.clone()))))
        })
        .collect();
    let mut acknowledged = 0;
    for append in appends {
        if append.await.is_ok() {
            acknowledged += 1;
        }
    }
    drop(log);
    disk.crash(seed << 32 | io);
    let log = open(&disk, &clock, io).unwrap_or_else(|error| panic!("{place}: {error}"));
    let found = observe(&log)
        .await
        .unwrap_or_else(|error| panic!("{place}: {error}"));
    let [left, right] = partitions.map(|partition| {
        found
            .partitions
            .get(&partition)
            .map_or(Vec::new(), |found| found.entries.clone())
    });
    assert!(left == right, "{place}: a batch is there in part");
    assert!(
        left.len() >= acknowledged,
        "{place}: {} of {acknowledged} are there",
        left.len()
    );
    for (number, (_, payload)) in left.iter().enumerate() {
        assert_eq!(
            payload[..4],
            (number as u32).to_le_bytes(),
            "{place}: the order changed"
        );
    }
}

/// A disk after a whole run, closed, and what it holds.
async fn finished(seed: u64) -> (SimDisk, Run) {
    let disk = sim_disk(seed);
    let run = run(&disk, seed).await;
    (disk, run)
}

#[test]
fn a_flipped_bit_is_refused_or_does_not_matter() {
    let mut refused = 0;
    for seed in seeds(SEEDS) {
        let (disk, run) = runtime().block_on(finished(seed));
        for attempt in 0..100 {
            let flip = flip_then_open(disk.fork(), &run, seed, attempt);
            refused += u32::from(runtime().block_on(flip));
        }
    }
    println!("{refused} starts or reads were refused");
    assert!(refused > 0);
}

/// Flips one bit of a finished run; whether the start or a read was refused.
async fn flip_then_open(disk: SimDisk, run: &Run, seed: u64, attempt: u64) -> bool {
    let (path, bit) = flip_somewhere(&disk, seed << 32 | attempt);
    let place = format!("SEED={seed}, bit {bit} of {path} flipped");
    match open(&disk, &run.workload.clock, 5) {
        Ok(log) => match observe(&log).await {
            Ok(found) => {
                let is_right = found == visible(&run.before);
                assert!(is_right, "{place}: something else is served");
                false
            }
            // A start reads what a chunk says of itself, and no entry in it.
            Err(ReadError::Corrupt { .. }) => true,
            Err(error) => panic!("{place}: {error}"),
        },
        Err(LocalError::Damaged { .. } | LocalError::Missing { .. } | LocalError::Newer { .. }) => {
            let accepting = LocalOptions {
                accept_data_loss: true,
                ..options()
            };
            let opened = open_with(&disk, &run.workload.clock, 6, accepting);
            let log = opened.unwrap_or_else(|error| panic!("{place}, accepted: {error}"));
            check_only_what_was_written(&log, &run.before, &place).await;
            true
        }
        Err(error) => panic!("{place}: {error}"),
    }
}

fn flip_somewhere(disk: &SimDisk, seed: u64) -> (String, usize) {
    let chance = SimEntropy::new(seed);
    let files: Vec<(String, usize)> = disk
        .files()
        .into_iter()
        .filter(|(_, size)| *size > 0)
        .collect();
    let (path, size) = files[chance.below(files.len() as u64) as usize].clone();
    let bit = chance.below(size as u64 * 8) as usize;
    disk.flip_bit(&path, bit);
    (path, bit)
}

/// With losses accepted, entries may be missing; those that are there are the right ones.
async fn check_only_what_was_written(log: &LocalLog, written: &Model, place: &str) {
    let found = observe(log)
        .await
        .unwrap_or_else(|error| panic!("{place}, accepted: {error}"));
    for (partition, found) in &found.partitions {
        let Some(written) = written.partitions.get(partition) else {
            // Its delete is among what was lost.
            continue;
        };
        for (index, entry) in found.entries.iter().enumerate() {
            let position = found.start + index as u64;
            let Some(index) = position.checked_sub(written.start) else {
                // Its trim is among what was lost.
                continue;
            };
            let expected = written.entries.get(index as usize);
            assert_eq!(
                Some(entry),
                expected,
                "{place}, accepted: {partition:?} {position}"
            );
        }
    }
}

#[test]
fn a_bit_that_flips_under_a_running_log_is_never_served() {
    for seed in seeds(SEEDS) {
        let (disk, run) = runtime().block_on(finished(seed));
        for attempt in 0..30 {
            runtime().block_on(flip_then_read(disk.fork(), &run, seed, attempt));
        }
    }
}

async fn flip_then_read(disk: SimDisk, run: &Run, seed: u64, attempt: u64) {
    let log = open(&disk, &run.workload.clock, 5).expect("nothing is damaged");
    let (path, bit) = flip_somewhere(&disk, seed << 32 | attempt);
    match observe(&log).await {
        Ok(found) => {
            assert!(
                found == visible(&run.before),
                "SEED={seed}, bit {bit} of {path} is served"
            );
        }
        Err(ReadError::Corrupt { .. }) => {}
        Err(error) => panic!("SEED={seed}, bit {bit} of {path}: {error}"),
    }
}

#[test]
fn a_file_that_is_gone_is_missed() {
    for seed in seeds(SEEDS) {
        runtime().block_on(async {
            let (disk, run) = finished(seed).await;
            let names = disk.files();
            for (path, _) in names {
                let disk = disk.fork();
                tidemill_log::Disk::remove(&disk, &path).unwrap();
                match open(&disk, &run.workload.clock, 5) {
                    Ok(log) => {
                        let found = observe(&log).await.unwrap();
                        assert!(found == visible(&run.before), "SEED={seed} without {path}");
                    }
                    Err(LocalError::Missing { .. }) => {}
                    Err(error) => panic!("SEED={seed} without {path}: {error}"),
                }
            }
        });
    }
}

/// A disk may hand out blocks that hold frames of the past.
#[test]
fn old_valid_frames_behind_the_end_are_never_taken_for_the_log() {
    let mut refused = 0;
    for seed in seeds(SEEDS) {
        let (disk, run) = runtime().block_on(finished(seed));
        let files = disk.files();
        let logs = || files.iter().filter(|(path, _)| path.ends_with(".wal"));
        let (newest, size) = logs().next_back().expect("there is a file");
        for (older, older_bytes) in logs().filter(|(path, _)| path != newest) {
            let disk = disk.fork();
            let mut frames = vec![0; older_bytes - 4096];
            Disk::open(&disk, older)
                .and_then(|file| file.read_at(4096, &mut frames))
                .expect("it is there");
            Disk::open(&disk, newest)
                .and_then(|file| file.write_at(size.next_multiple_of(4096) as u64, &frames))
                .expect("it is there");
            let place = format!("SEED={seed}, frames of {older} behind {newest}");
            match open(&disk, &run.workload.clock, 5) {
                // Zeros that go ahead stand between them and the end.
                Ok(log) => {
                    let found = runtime().block_on(observe(&log));
                    assert!(found == Ok(visible(&run.before)), "{place}");
                }
                Err(LocalError::Damaged { .. }) => refused += 1,
                Err(error) => panic!("{place}: {error}"),
            }
            let accepting = LocalOptions {
                accept_data_loss: true,
                ..options()
            };
            let log = open_with(&disk, &run.workload.clock, 6, accepting)
                .unwrap_or_else(|error| panic!("{place}, accepted: {error}"));
            let found = runtime().block_on(observe(&log));
            assert!(found == Ok(visible(&run.before)), "{place}, accepted");
        }
    }
    assert!(refused > 0);
}

#[tokio::test]
async fn a_failed_write_through_poisons_the_log() {
    let disk = SimDisk::written_through();
    let clock = SimClock::default();
    let log = open(&disk, &clock, 1).unwrap();
    let partition = PartitionId::new(ServiceTag::Streams, 1);
    let entry =
        |text: &'static str| Batch::of(vec![(partition, Bytes::from_static(text.as_bytes()))]);
    log.append(entry("kept")).await.unwrap();
    // One I/O for each append.
    disk.fail_at(disk.io_count() + 2, DiskFailure::Broken);
    log.append(entry("kept")).await.unwrap();
    let refused = log.append(entry("unknown")).await.unwrap_err();
    assert!(matches!(refused, AppendError::Poisoned { .. }), "{refused}");
    drop(log);
    disk.crash(1);
    let log = open(&disk, &clock, 2).unwrap();
    // Half of the write was done: whether the frame was whole is a matter of luck.
    assert!((2..=3).contains(&log.partition(partition).end));
}

#[tokio::test]
async fn a_failed_sync_poisons_the_log() {
    let disk = SimDisk::new();
    let clock = SimClock::default();
    let log = open(&disk, &clock, 1).unwrap();
    let partition = PartitionId::new(ServiceTag::Streams, 1);
    let entry =
        |text: &'static str| Batch::of(vec![(partition, Bytes::from_static(text.as_bytes()))]);
    log.append(entry("kept")).await.unwrap();
    // Two I/Os for each append: the write, then the sync.
    disk.fail_at(disk.io_count() + 2, DiskFailure::Broken);
    let poisoned = log.poisoned();
    let first = log.append(entry("first"));
    let second = log.append(entry("second"));
    let expected = AppendError::Poisoned {
        detail: "simulated I/O error".to_owned(),
    };
    assert_eq!(first.await, Err(expected.clone()));
    assert_eq!(second.await, Err(expected.clone()));
    assert_eq!(log.seal(partition).await, Err(expected));
    assert_eq!(poisoned.await, "simulated I/O error");
    assert_eq!(
        log.read(partition, 0, 10, 100).await.unwrap().entries.len(),
        1,
        "reads go on"
    );
    drop(log);
    disk.crash(1);
    let log = open(&disk, &clock, 2).unwrap();
    assert_eq!(log.partition(partition).end, 1);
}

#[tokio::test]
async fn a_full_disk_is_said_to_be_full_and_can_be_read() {
    let disk = SimDisk::new();
    let clock = SimClock::default();
    let log = open(&disk, &clock, 1).unwrap();
    let partition = PartitionId::new(ServiceTag::Streams, 1);
    let entry = |bytes: usize| Batch::of(vec![(partition, vec![1; bytes])]);
    log.append(entry(10)).await.unwrap();
    let used: usize = disk.files().iter().map(|(_, size)| size).sum();
    disk.set_capacity(Some(used + 100));
    for _ in 0..2 {
        let refused = log.append(entry(20_000)).await.unwrap_err();
        assert!(matches!(refused, AppendError::Full { .. }), "{refused}");
        assert_eq!(refused.determinacy(), Determinacy::Determinate);
    }
    assert_eq!(
        log.read(partition, 0, 10, 100).await.unwrap().entries.len(),
        1
    );
    drop(log);
    disk.set_capacity(None);
    let log = open(&disk, &clock, 2).unwrap();
    assert_eq!(log.append(entry(10)).await.unwrap()[0].position, 1);
}

#[tokio::test]
async fn too_much_that_waits_is_refused() {
    let disk = SimDisk::new();
    let log = open(&disk, &SimClock::default(), 1).unwrap();
    let partition = PartitionId::new(ServiceTag::Streams, 1);
    let payload = Bytes::from(vec![1; 16 << 20]);
    let appends: Vec<_> = (0..12)
        .map(|_| log.append(Batch::of(vec![(partition, payload.clone())])))
        .collect();
    let mut overloaded = 0;
    for append in appends {
        match append.await {
            Ok(_) => {}
            Err(AppendError::Overloaded { .. }) => overloaded += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(overloaded > 0);
    assert_eq!(log.partition(partition).end, 12 - overloaded);
}

#[tokio::test]
async fn files_are_removed_when_nothing_in_them_is_needed() {
    let disk = SimDisk::new();
    let clock = SimClock::default();
    let log = open(&disk, &clock, 1).unwrap();
    let [left, right] = [1, 2].map(|number| PartitionId::new(ServiceTag::Streams, number));
    for _ in 0..20 {
        let entries = vec![(left, vec![1; 5000]), (right, vec![2; 5000])];
        log.append(Batch::of(entries)).await.unwrap();
    }
    let files = || {
        disk.files()
            .iter()
            .filter(|(path, _)| path.ends_with(".wal"))
            .count()
    };
    let before = files();
    assert!(before > 5);
    log.trim(left, 20).await.unwrap();
    assert!(files() >= before, "the other partition still needs them");
    log.delete(right).await.unwrap();
    // The answer comes before the files go: the next change waits behind them.
    log.seal(left).await.unwrap();
    assert_eq!(files(), 1);
    drop(log);
    let log = open(&disk, &clock, 2).unwrap();
    assert_eq!(log.partition(left).start, 20);
    assert_eq!(files(), 1);
}
