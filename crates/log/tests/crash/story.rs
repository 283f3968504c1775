//! The story of the crash tests: changes drawn by a seed, what must be there after each, and the check.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use tidemill_log::{
    AppendError, Batch, LocalError, LocalLog, LocalOptions, Log, PartitionId, Position, ReadError,
    Retention, ServiceTag, Snapshot, SortError,
};
use tidemill_model::{Clock, Determinacy, Entropy, Timestamp};
use tidemill_testkit::{SimClock, SimDisk, SimEntropy};

pub const CHANGES: u64 = 40;

/// What a partition should hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expected {
    pub start: Position,
    pub entries: Vec<(Timestamp, Bytes)>,
    sealed: bool,
    pub snapshot: Option<Snapshot>,
    pub last_at: Timestamp,
}

/// What a log should hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Model {
    pub partitions: BTreeMap<PartitionId, Expected>,
}

#[derive(Clone, Debug)]
pub enum Change {
    Append(Vec<(PartitionId, Bytes)>),
    Trim(PartitionId, Position),
    Seal(PartitionId),
    Delete(PartitionId),
    Snapshot(PartitionId, Snapshot),
    /// Changes nothing that can be seen: entries move from the write-ahead log into chunks.
    Sort,
    WorkAhead,
}

impl Expected {
    pub fn end(&self) -> Position {
        self.start + self.entries.len() as u64
    }
}

impl Model {
    pub fn apply(&mut self, now: Timestamp, change: &Change) {
        match change {
            Change::Append(entries) => {
                for (partition, payload) in entries {
                    let expected = self.partitions.entry(*partition).or_default();
                    expected.last_at = expected.last_at.max(now);
                    expected.entries.push((expected.last_at, payload.clone()));
                }
            }
            Change::Trim(partition, before) => {
                if let Some(expected) = self.partitions.get_mut(partition) {
                    let start = expected.start.max((*before).min(expected.end()));
                    expected.entries.drain(..(start - expected.start) as usize);
                    expected.start = start;
                }
            }
            Change::Seal(partition) => {
                self.partitions.entry(*partition).or_default().sealed = true;
            }
            Change::Delete(partition) => {
                self.partitions.remove(partition);
            }
            Change::Snapshot(partition, snapshot) => {
                self.partitions.entry(*partition).or_default().snapshot = Some(snapshot.clone());
            }
            Change::Sort | Change::WorkAhead => {}
        }
    }
}

/// Draws changes that make sense for what is there.
pub struct Workload {
    chance: SimEntropy,
    pub clock: SimClock,
    /// Numbers of partitions in use; a deleted one is replaced by a new number.
    pub partitions: Vec<u64>,
    next_partition: u64,
}

impl Workload {
    pub fn new(seed: u64) -> Workload {
        let count = match seed % 256 {
            seed if seed % 8 == 1 => 1,
            seed if seed % 8 == 3 => 40,
            100 => 1000,
            _ => 3,
        };
        Workload::with_partitions(seed, count)
    }

    pub fn with_partitions(seed: u64, count: u64) -> Workload {
        Workload {
            chance: SimEntropy::new(seed),
            clock: SimClock::default(),
            partitions: (0..count).collect(),
            next_partition: count,
        }
    }

    fn slot(&self) -> usize {
        self.chance.below(self.partitions.len() as u64) as usize
    }

    fn partition(&self, slot: usize) -> PartitionId {
        PartitionId::new(ServiceTag::Streams, self.partitions[slot])
    }

    fn payload(&self) -> Bytes {
        let size = match self.chance.below(12) {
            0 => 0,
            1..=6 => self.chance.below(100),
            7..=10 => self.chance.below(3000),
            _ => self.chance.below(12_000),
        };
        let mut payload = vec![0; size as usize];
        if self.chance.below(4) > 0 {
            self.chance.fill(&mut payload);
        }
        payload.into()
    }

    fn append(&self, model: &Model) -> Change {
        let mut entries = Vec::new();
        for _ in 0..=self.chance.below(4) {
            let partition = self.partition(self.slot());
            if !model
                .partitions
                .get(&partition)
                .is_some_and(|expected| expected.sealed)
            {
                entries.push((partition, self.payload()));
            }
        }
        Change::Append(entries)
    }

    pub fn next(&mut self, model: &Model) -> Change {
        match self.chance.below(8) {
            0 => self
                .clock
                .set(self.clock.now().minus(Duration::from_millis(50))),
            1..=4 => self
                .clock
                .advance(Duration::from_millis(self.chance.below(30))),
            _ => {}
        }
        let slot = self.slot();
        let partition = self.partition(slot);
        let end = model.partitions.get(&partition).map_or(0, Expected::end);
        match self.chance.below(24) {
            0..=1 => Change::Trim(partition, self.chance.below(end + 3)),
            2 => Change::Trim(partition, end),
            3 => Change::Seal(partition),
            4 => {
                self.partitions[slot] = self.next_partition;
                self.next_partition += 1;
                Change::Delete(partition)
            }
            5..=6 => {
                let snapshot = Snapshot {
                    position: end,
                    bytes: self.payload(),
                };
                Change::Snapshot(partition, snapshot)
            }
            7..=8 => Change::Sort,
            9..=10 => Change::WorkAhead,
            _ => self.append(model),
        }
    }
}

pub async fn carry_out(log: &LocalLog, change: &Change) -> Result<(), AppendError> {
    if let Change::Append(entries) = change {
        for (partition, _) in entries {
            let kinds = Retention::ALL.len() as u64;
            log.retain(
                *partition,
                Retention::ALL[(partition.number() % kinds) as usize],
            );
        }
    }
    match change.clone() {
        Change::Append(entries) => log.append(Batch::of(entries)).await.map(|_| ()),
        Change::Trim(partition, before) => log.trim(partition, before).await,
        Change::Seal(partition) => log.seal(partition).await.map(|_| ()),
        Change::Delete(partition) => log.delete(partition).await,
        Change::Snapshot(partition, snapshot) => log.snapshot(partition, snapshot).await,
        Change::Sort => sort(log),
        Change::WorkAhead => log.work_ahead(),
    }
}

fn sort(log: &LocalLog) -> Result<(), AppendError> {
    match log.sort() {
        Ok(_) => Ok(()),
        Err(SortError::Stopped) => Err(AppendError::Closed),
        Err(SortError::Failed(detail)) => Err(AppendError::Poisoned { detail }),
    }
}

/// An empty disk; every other seed has one that can be written through.
pub fn sim_disk(seed: u64) -> SimDisk {
    if seed.is_multiple_of(2) {
        SimDisk::written_through()
    } else {
        SimDisk::new()
    }
}

pub fn options() -> LocalOptions {
    LocalOptions {
        file_bytes: 24 * 1024,
        sort_after_files: 1,
        sorts_by_itself: false,
        scrubs_by_itself: false,
        compress: true,
        cache_bytes: 0,
        ..LocalOptions::default()
    }
}

/// Half of the logs keep frames in memory, from where they are sorted in small portions, several files
/// into one set of chunks.
pub fn open(disk: &SimDisk, clock: &SimClock, seed: u64) -> Result<LocalLog, LocalError> {
    let options = match seed % 2 {
        0 => LocalOptions {
            sort_after_files: 2,
            sort_portion_bytes: 8 * 1024,
            cache_bytes: 40 * 1024,
            ..options()
        },
        _ => options(),
    };
    open_with(disk, clock, seed, options)
}

pub fn open_with(
    disk: &SimDisk,
    clock: &SimClock,
    seed: u64,
    options: LocalOptions,
) -> Result<LocalLog, LocalError> {
    let entropy = Arc::new(SimEntropy::new(seed));
    LocalLog::open(
        Arc::new(disk.clone()),
        Arc::new(clock.clone()),
        entropy,
        options,
    )
}

/// What the log gives out.
pub async fn observe(log: &LocalLog) -> Result<Model, ReadError> {
    let mut model = Model::default();
    for partition in log.partitions() {
        let reach = log.partition(partition);
        let mut expected = Expected {
            start: reach.start,
            sealed: reach.sealed,
            snapshot: log.restore(partition).await?,
            ..Expected::default()
        };
        while expected.end() < reach.end {
            let read = log.read(partition, expected.end(), 7, 5000).await?;
            assert!(!read.entries.is_empty(), "{partition:?} ends early");
            for entry in read.entries {
                assert_eq!(entry.position, expected.end(), "{partition:?} is dense");
                expected.entries.push((entry.at, entry.payload));
            }
        }
        model.partitions.insert(partition, expected);
    }
    Ok(model)
}

/// Without what only the model knows.
pub fn visible(model: &Model) -> Model {
    let mut model = model.clone();
    for expected in model.partitions.values_mut() {
        expected.last_at = Timestamp::EPOCH;
    }
    model
}

/// A run of changes: what surely happened, and with the one that was cut short.
pub struct Run {
    pub before: Model,
    pub after: Model,
    /// Why it was cut short.
    pub error: Option<AppendError>,
    pub workload: Workload,
}

/// Carries out changes until the disk fails or all are done.
pub async fn run(disk: &SimDisk, seed: u64) -> Run {
    let mut workload = Workload::new(seed);
    let mut before = Model::default();
    let mut after = before.clone();
    let Ok(log) = open(disk, &workload.clock, seed) else {
        return Run {
            before,
            after,
            error: None,
            workload,
        };
    };
    for _ in 0..CHANGES {
        let change = workload.next(&before);
        after.apply(workload.clock.now(), &change);
        if let Err(error) = carry_out(&log, &change).await {
            return Run {
                before,
                after,
                error: Some(error),
                workload,
            };
        }
        before = after.clone();
    }
    Run {
        before,
        after,
        error: None,
        workload,
    }
}

pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime can be built")
}

/// What is recovered after a power cut is the state before or after the change that was cut short.
pub async fn check_recovered(log: &LocalLog, run: &mut Run, place: &str) {
    let found = observe(log)
        .await
        .unwrap_or_else(|error| panic!("{place}: {error}"));
    let surely_not = run
        .error
        .as_ref()
        .is_some_and(|error| error.determinacy() == Determinacy::Determinate);
    if found != visible(&run.before) {
        assert!(!surely_not, "{place}: what surely did not happen is there");
        assert!(
            found == visible(&run.after),
            "{place}: {:?}\nfound    {found:?}\nexpected {:?}\nor       {:?}",
            run.error,
            visible(&run.before),
            visible(&run.after)
        );
        run.before = run.after.clone();
    }
}

/// Goes on after a recovery, and through one clean start more.
pub async fn check_goes_on(disk: &SimDisk, log: LocalLog, mut run: Run, place: &str) {
    let mut model = run.before;
    for _ in 0..4 {
        let change = run.workload.next(&model);
        carry_out(&log, &change)
            .await
            .unwrap_or_else(|error| panic!("{place}: {error}"));
        model.apply(run.workload.clock.now(), &change);
    }
    drop(log);
    let log = open(disk, &run.workload.clock, 77)
        .unwrap_or_else(|error| panic!("{place}, opened again: {error}"));
    let found = observe(&log)
        .await
        .unwrap_or_else(|error| panic!("{place}: {error}"));
    assert!(found == visible(&model), "{place}, opened again");
}

/// What each power cut in a run would leave, with what surely happened before it.
pub async fn cuts(seed: u64) -> Vec<(SimDisk, Run)> {
    let disk = sim_disk(seed);
    let mut workload = Workload::new(seed);
    disk.record_cuts();
    let log = open(&disk, &workload.clock, seed).expect("the disk is empty");
    let mut model = Model::default();
    let mut steps = vec![(disk.io_count(), model.clone(), workload.clock.now())];
    for _ in 0..CHANGES {
        let change = workload.next(&model);
        model.apply(workload.clock.now(), &change);
        carry_out(&log, &change)
            .await
            .unwrap_or_else(|error| panic!("SEED={seed}: {error}"));
        steps.push((disk.io_count(), model.clone(), workload.clock.now()));
    }
    let cut = |(index, cut): (usize, SimDisk)| {
        let io = index as u64 + 1;
        // An I/O behind the answer may belong to either change: then both models allow the answered.
        let after = steps
            .partition_point(|(behind, ..)| *behind < io)
            .min(steps.len() - 1);
        let (_, after_model, now) = steps[after].clone();
        let before = steps[after.saturating_sub(1)].1.clone();
        let clock = SimClock::new(now);
        let workload = Workload {
            clock,
            ..Workload::new(seed ^ io)
        };
        (
            cut,
            Run {
                before,
                after: after_model,
                error: None,
                workload,
            },
        )
    };
    disk.take_cuts().into_iter().enumerate().map(cut).collect()
}
