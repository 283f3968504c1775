//! Replicated state: applied in order once durable, the same after a start, refused when it is newer.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use tidemill_log::replicated::OpenError;
use tidemill_log::{
    AppendError, Batch, LocalLog, LocalOptions, Log, MemoryLog, PartitionId, Position,
    RestoreError, ServiceTag, StateLog, StateMachine,
};
use tidemill_model::{Clock, Timestamp};
use tidemill_testkit::{SimClock, SimDisk, SimEntropy};

/// Takes names, each once.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Names<const VERSION: u16> {
    taken: Vec<(String, Position, Timestamp)>,
}

#[derive(Debug, PartialEq)]
struct Taken;

#[derive(Serialize, Deserialize)]
struct Take {
    name: String,
}

impl<const VERSION: u16> StateMachine for Names<VERSION> {
    type Command = Take;
    type Outcome = Result<Position, Taken>;
    const SERVICE: ServiceTag = ServiceTag::Streams;
    const VERSION: u16 = VERSION;

    fn apply(&mut self, at: Timestamp, position: Position, command: Take) -> Self::Outcome {
        if self.taken.iter().any(|(name, ..)| *name == command.name) {
            return Err(Taken);
        }
        self.taken.push((command.name, position, at));
        Ok(position)
    }

    fn snapshot(&self) -> Bytes {
        serde_json::to_vec(self)
            .expect("names can be written as JSON")
            .into()
    }

    fn restore(snapshot: &[u8]) -> Result<Self, RestoreError> {
        Ok(serde_json::from_slice(snapshot)?)
    }
}

/// Adds up.
#[derive(Debug, Default)]
struct Sum(u64);

impl StateMachine for Sum {
    type Command = u64;
    type Outcome = u64;
    const SERVICE: ServiceTag = ServiceTag::Mapping;
    const VERSION: u16 = 1;

    fn apply(&mut self, _: Timestamp, _: Position, command: u64) -> u64 {
        self.0 += command;
        self.0
    }

    fn snapshot(&self) -> Bytes {
        Bytes::copy_from_slice(&self.0.to_le_bytes())
    }

    fn restore(snapshot: &[u8]) -> Result<Sum, RestoreError> {
        let bytes = snapshot.try_into().map_err(RestoreError::new)?;
        Ok(Sum(u64::from_le_bytes(bytes)))
    }
}

fn memory() -> Arc<dyn Log> {
    Arc::new(MemoryLog::new(Arc::new(SimClock::default())))
}

fn take(name: &str) -> Take {
    Take {
        name: name.to_owned(),
    }
}

fn state_log(log: &Arc<dyn Log>) -> StateLog {
    StateLog::new(Arc::clone(log), PartitionId::CONTROL)
}

#[tokio::test]
async fn of_two_commands_that_exclude_each_other_one_succeeds() {
    let log = memory();
    let mut state = state_log(&log);
    let names = state.register(Names::<1>::default());
    state.open().await.unwrap();
    let (left, right) = tokio::join!(names.submit(take("a")), names.submit(take("a")));
    assert_eq!((left.unwrap(), right.unwrap()), (Ok(0), Err(Taken)));
    assert_eq!(log.partition(PartitionId::CONTROL).end, 2);
}

#[tokio::test]
async fn a_start_gives_the_state_the_run_had() {
    let log = memory();
    for snapshot_every in [1, 2, 3, 100] {
        let mut state = state_log(&log).snapshot_every(snapshot_every);
        let names = state.register(Names::<1>::default());
        let sum = state.register(Sum::default());
        state.open().await.unwrap();
        let before = (
            sum.read(|sum| sum.0),
            names.read(|names| names.taken.len() as u64),
        );
        for number in 1..=5_u64 {
            sum.submit(number).await.unwrap();
            names
                .submit(take(&format!("{snapshot_every}-{number}")))
                .await
                .unwrap()
                .unwrap();
        }
        let after = (
            sum.read(|sum| sum.0),
            names.read(|names| names.taken.len() as u64),
        );
        assert_eq!(after, (before.0 + 15, before.1 + 5));
    }
    let mut state = state_log(&log);
    let names = state.register(Names::<1>::default());
    let sum = state.register(Sum::default());
    state.open().await.unwrap();
    assert_eq!(sum.read(|sum| sum.0), 60);
    let positions: Vec<Position> = names.read(|names| {
        names
            .taken
            .iter()
            .map(|(_, position, _)| *position)
            .collect()
    });
    assert_eq!(
        positions,
        (0..20).map(|index| 2 * index + 1).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn a_snapshot_trims_the_commands_it_covers() {
    let log = memory();
    let mut state = state_log(&log).snapshot_every(10);
    let sum = state.register(Sum::default());
    state.open().await.unwrap();
    for _ in 0..25 {
        sum.submit(1).await.unwrap();
    }
    let partition = log.partition(PartitionId::CONTROL);
    assert_eq!((partition.start, partition.end), (20, 25));
}

#[tokio::test]
async fn a_caller_that_has_gone_changes_nothing() {
    let log = memory();
    let mut state = state_log(&log);
    let sum = state.register(Sum::default());
    state.open().await.unwrap();
    {
        let gone = sum.submit(7);
        tokio::pin!(gone);
        tokio::select! {
            biased;
            _ = &mut gone => panic!("the task has not run yet"),
            () = std::future::ready(()) => {}
        }
    }
    assert_eq!(sum.submit(1).await, Ok(8));
}

#[tokio::test]
async fn a_log_that_takes_no_more_answers_every_caller() {
    let log = memory();
    let mut state = state_log(&log);
    let sum = state.register(Sum::default());
    state.open().await.unwrap();
    log.seal(PartitionId::CONTROL).await.unwrap();
    let (left, right) = tokio::join!(sum.submit(1), sum.submit(2));
    let sealed = Err(AppendError::Sealed(PartitionId::CONTROL));
    assert_eq!((left, right), (sealed.clone(), sealed));
    assert_eq!(sum.read(|sum| sum.0), 0);
}

#[tokio::test]
async fn what_a_newer_program_wrote_stops_the_start() {
    let log = memory();
    let mut state = state_log(&log).snapshot_every(2);
    let names = state.register(Names::<2>::default());
    state.open().await.unwrap();
    names.submit(take("a")).await.unwrap().unwrap();

    let newer = |position| OpenError::Newer {
        partition: PartitionId::CONTROL,
        position,
        service: ServiceTag::Streams,
        version: 2,
        version_max: 1,
    };
    let mut older = state_log(&log);
    older.register(Names::<1>::default());
    assert_eq!(older.open().await, Err(newer(0)));

    names.submit(take("b")).await.unwrap().unwrap();
    names.submit(take("c")).await.unwrap().unwrap();
    let mut older = state_log(&log);
    older.register(Names::<1>::default());
    assert_eq!(
        older.open().await,
        Err(newer(2)),
        "the snapshot is refused as well"
    );
}

#[tokio::test]
async fn what_no_machine_here_understands_stops_the_start() {
    let log = memory();
    let mut state = state_log(&log);
    let sum = state.register(Sum::default());
    state.open().await.unwrap();
    sum.submit(1).await.unwrap();
    assert_eq!(
        state_log(&log).open().await,
        Err(OpenError::NoMachine {
            partition: PartitionId::CONTROL,
            position: 0,
            service: ServiceTag::Mapping,
        })
    );

    let entries = vec![(PartitionId::CONTROL, Bytes::from_static(b"?"))];
    log.append(Batch::of(entries)).await.unwrap();
    let mut state = state_log(&log);
    state.register(Sum::default());
    let refused = state.open().await.unwrap_err().to_string();
    assert!(
        refused.contains("at 1 cannot be read: 1 bytes are too few"),
        "{refused}"
    );
}

#[tokio::test]
async fn commands_that_no_snapshot_covers_are_missed() {
    let log = memory();
    let mut state = state_log(&log);
    let sum = state.register(Sum::default());
    state.open().await.unwrap();
    sum.submit(1).await.unwrap();
    sum.submit(1).await.unwrap();
    log.trim(PartitionId::CONTROL, 1).await.unwrap();
    let mut state = state_log(&log);
    state.register(Sum::default());
    let lost = OpenError::Lost {
        partition: PartitionId::CONTROL,
        from: 0,
        to: 1,
    };
    assert_eq!(state.open().await, Err(lost));
}

#[tokio::test]
async fn a_command_is_applied_with_the_timestamp_of_its_entry() {
    let clock = SimClock::default();
    let log: Arc<dyn Log> = Arc::new(MemoryLog::new(Arc::new(clock.clone())));
    let mut state = state_log(&log);
    let names = state.register(Names::<1>::default());
    state.open().await.unwrap();
    let first = clock.now();
    names.submit(take("a")).await.unwrap().unwrap();
    clock.set(Timestamp::EPOCH);
    names.submit(take("b")).await.unwrap().unwrap();
    let arrivals: Vec<Timestamp> =
        names.read(|names| names.taken.iter().map(|(.., at)| *at).collect());
    assert_eq!(arrivals, [first, first]);
}

#[test]
fn a_state_outlives_a_power_cut_with_every_command_that_was_answered() {
    for seed in 1..=40 {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let runtime = runtime.expect("a runtime can be built");
        runtime.block_on(outlive_a_power_cut(seed));
    }
}

async fn outlive_a_power_cut(seed: u64) {
    let disk = SimDisk::new();
    let mut answered = 0;
    // Three lives, each with its end in the middle of some I/O.
    for life in 1..=3 {
        let log = LocalLog::open(
            Arc::new(disk.clone()),
            Arc::new(SimClock::default()),
            Arc::new(SimEntropy::new(seed + life)),
            LocalOptions {
                file_bytes: 16 * 1024,
                ..LocalOptions::default()
            },
        );
        let local = Arc::new(log.unwrap_or_else(|error| panic!("{seed}: {error}")));
        let log: Arc<dyn Log> = local.clone();
        let mut state = state_log(&log).snapshot_every(4);
        let sum = state.register(Sum::default());
        state
            .open()
            .await
            .unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        let found = sum.read(|sum| sum.0);
        assert!(
            found == answered || found == answered + 1,
            "seed {seed}: {found} of {answered}"
        );
        answered = found;
        disk.crash_at(disk.io_count() + seed * life);
        while let Ok(outcome) = sum.submit(1).await {
            answered = outcome;
        }
        // A power cut ends the program too: no thread of it may see the disk come back.
        local.close();
        disk.crash(seed << 8 | life);
    }
}
