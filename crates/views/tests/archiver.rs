//! The archiver over the simulated disk: whatever fails and whenever the power is cut, each record is in
//! the table exactly once, and nothing is freed that the table does not have.

mod support;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tidemill_log::Disk;
use tidemill_model::{Entropy, Timestamp};
use tidemill_testkit::{DiskFailure, SimDisk, SimEntropy};
use tidemill_views::DiskStore;
use tidemill_views::archiver::{Effect, Input, Machine, Settings};
use tidemill_views::master::{Aim, Table, TableError};
use tidemill_views::positions::Positions;

use support::source::Stream;
use support::*;

fn settings() -> Settings {
    Settings {
        epoch_bytes: 2_000,
        epoch_age: Duration::from_secs(10),
        fetch_bytes: 500,
        fetch_records: 5,
        pause: Duration::from_secs(1),
        pause_max: Duration::from_secs(4),
        checkpoint_commits: 3,
        compaction: Aim {
            file_bytes: u64::MAX,
            files_min: 3,
        },
        keep_replaced: Duration::ZERO,
    }
}

/// One process: a machine, what it has asked for, and the table it has open.
struct Process {
    disk: SimDisk,
    store: Arc<DiskStore>,
    stream: Stream,
    machine: Machine,
    table: Option<Table>,
    asked: VecDeque<Effect>,
    now: Timestamp,
    /// What the stream was told that it may free, and after which I/O.
    released: Vec<(u64, Positions)>,
    failures: u32,
}

impl Process {
    fn start(disk: &SimDisk, mut stream: Stream, now: Timestamp) -> Process {
        stream.forget_waiters();
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        let mut process = Process {
            disk: disk.clone(),
            store: Arc::new(DiskStore::new(shared)),
            stream,
            machine: Machine::new(settings()),
            table: None,
            asked: VecDeque::new(),
            now,
            released: Vec::new(),
            failures: 0,
        };
        process.step(Input::Started);
        process
    }

    fn step(&mut self, input: Input) {
        let effects = self.machine.step(self.now, input);
        self.asked.extend(effects);
    }

    /// Carries out what is asked for until there is nothing, the oldest first.
    fn settle(&mut self) {
        loop {
            let input = match self.asked.pop_front() {
                Some(effect) => self.carry_out(&effect),
                None => self.stream.woken(),
            };
            match input {
                Some(input) => self.step(input),
                None if self.asked.is_empty() => return,
                None => {}
            }
        }
    }

    fn carry_out(&mut self, effect: &Effect) -> Option<Input> {
        if let Some(answer) = self.stream.answer(effect) {
            return answer;
        }
        let done = match effect {
            Effect::Release(ends) => {
                self.released.push((self.disk.io_count(), ends.clone()));
                return None;
            }
            Effect::OpenTable => self.open_table(),
            Effect::CommitEpoch(sealed) => {
                let table = self.table.as_mut().expect("it was opened");
                let appended = table.append(sealed.clone(), self.now);
                appended.map(|()| Input::EpochCommitted)
            }
            Effect::TendTable => self.tend(),
            other => unreachable!("{other:?} is answered by the stream"),
        };
        Some(done.unwrap_or_else(|_| {
            self.failures += 1;
            Input::TableFailed
        }))
    }

    fn open_table(&mut self) -> Result<Input, TableError> {
        let store = Arc::clone(&self.store);
        let table = Table::open(store, FOLDER, &subject(), &schema(), self.now)?;
        let ends = table.snapshot().positions.clone();
        self.table = Some(table);
        Ok(Input::TableOpened(ends))
    }

    fn tend(&mut self) -> Result<Input, TableError> {
        let settings = settings();
        let table = self.table.as_mut().expect("it was opened");
        table.compact(settings.compaction, self.now)?;
        table.checkpoint(settings.checkpoint_commits)?;
        table.sweep(settings.keep_replaced, self.now)?;
        Ok(Input::TableTended)
    }

    fn wait(&mut self, secs: u64) {
        let until = self.now.plus(Duration::from_secs(secs));
        self.settle();
        while let Some(deadline) = self.machine.deadline().filter(|at| *at <= until) {
            self.now = self.now.max(deadline);
            self.step(Input::TimerFired);
            self.settle();
        }
        self.now = until;
    }
}

/// What becomes of the stream, step by step.
const STEPS: [fn(&mut Stream); 6] = [
    |stream| {
        stream.put(0, 7);
        stream.put(1, 3);
    },
    |stream| stream.put(1, 30),
    |stream| {
        stream.shard(0).closed = true;
        stream.put(2, 4);
    },
    |stream| {
        stream.put(1, 1);
        stream.put(2, 1);
    },
    |stream| stream.put(2, 12),
    |stream| {
        stream.shard(2).closed = true;
        stream.put(1, 2);
    },
];

fn final_stream() -> Stream {
    let mut stream = Stream::default();
    for step in STEPS {
        step(&mut stream);
    }
    stream
}

fn check(process: &Process, what: &str) {
    let spans: Vec<_> = process
        .stream
        .shards
        .iter()
        .map(|(id, shard)| span(id.0, 0, shard.records.len() as u64))
        .collect();
    let table = open(&process.disk).unwrap_or_else(|error| panic!("{what}: {error}"));
    let found = rows(&table).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(
        found == expected_rows(&spans),
        "{what}: {} rows",
        found.len()
    );
}

#[test]
fn every_record_is_archived_once() {
    let disk = SimDisk::new();
    let mut process = Process::start(&disk, Stream::default(), now());
    for step in STEPS {
        step(&mut process.stream);
        process.wait(15);
    }
    check(&process, "no failure");
    assert!(
        disk.files()
            .iter()
            .any(|(path, _)| path.ends_with("_last_checkpoint"))
    );
    let (_, released) = process.released.last().expect("something was");
    assert_eq!(released, process.machine.archived());
    let files = process
        .table
        .as_ref()
        .map(|table| table.snapshot().files.len());
    assert!(files.is_some_and(|files| files < 5), "{files:?}");
}

#[test]
fn a_power_cut_at_any_io_loses_nothing_though_all_that_may_be_is_freed() {
    let disk = SimDisk::new();
    disk.record_cuts();
    let mut process = Process::start(&disk, Stream::default(), now());
    for step in STEPS {
        step(&mut process.stream);
        process.wait(15);
    }
    let cuts = disk.take_cuts();
    assert!(cuts.len() > 80, "{}", cuts.len());
    for (index, cut) in cuts.iter().enumerate() {
        let io = index as u64 + 1;
        let released = process.released.iter().rfind(|(after, _)| *after < io);
        cut.crash(io);
        let mut stream = final_stream();
        for (shard, end) in released.iter().flat_map(|(_, ends)| ends) {
            stream.shard(shard.0).readable = *end;
        }
        let mut restarted = Process::start(cut, stream, process.now);
        restarted.wait(60);
        check(&restarted, &format!("cut in I/O {io}"));
    }
}

#[test]
fn an_io_that_fails_costs_a_pause_or_a_restart_and_nothing_else() {
    let run = |disk: &SimDisk, what: &str| {
        let mut process = Process::start(disk, Stream::default(), now());
        for step in STEPS {
            step(&mut process.stream);
            process.wait(15);
        }
        process.wait(60);
        if process.failures > 3 {
            // What is on the disk is not known any more: nothing works until a restart.
            let mut stream = process.stream.clone();
            if let Some((_, ends)) = process.released.last() {
                for (shard, end) in ends {
                    stream.shard(shard.0).readable = *end;
                }
            }
            process = Process::start(disk, stream, process.now);
            process.wait(60);
            assert_eq!(process.failures, 0, "{what}");
        }
        let ios = disk.io_count();
        check(&process, what);
        ios
    };
    let ios = run(&SimDisk::new(), "no failure");
    for io in 1..=ios {
        let failure = match io % 3 {
            0 => DiskFailure::Full,
            _ => DiskFailure::Broken,
        };
        let disk = SimDisk::new();
        disk.fail_at(io, failure);
        run(&disk, &format!("{failure:?} at I/O {io}"));
    }
}

/// A process that is killed and started again, over and over, by the chance of a seed.
fn live(seed: u64) {
    let what = format!("seed {seed}");
    let chance = SimEntropy::new(seed);
    let disk = SimDisk::new();
    let mut process = Process::start(&disk, Stream::default(), now());
    let mut released = Positions::new();
    for _ in 0..25 {
        let shard = chance.below(3) as u32;
        match chance.below(8) {
            0 => process.stream.shard(shard).closed = true,
            1 => disk.fail_at(disk.io_count() + 1 + chance.below(30), DiskFailure::Full),
            2 => disk.fail_at(disk.io_count() + 1 + chance.below(30), DiskFailure::Broken),
            3 => disk.crash_at(disk.io_count() + 1 + chance.below(30)),
            _ if process.stream.shard(shard).closed => {}
            _ => process.stream.put(shard, chance.below(25)),
        }
        process.wait(chance.below(20));
        released.extend(process.released.iter().flat_map(|(_, ends)| ends.clone()));
        if chance.below(4) == 0 {
            disk.crash(chance.below(1_000));
            let mut stream = process.stream.clone();
            for (shard, end) in &released {
                stream.shard(shard.0).readable = *end;
            }
            process = Process::start(&disk, stream, process.now);
        }
    }
    disk.crash(seed);
    process = Process::start(&disk, process.stream, process.now);
    process.wait(60);
    assert_eq!(process.failures, 0, "{what}");
    check(&process, &what);
}

#[test]
fn whatever_happens_one_after_the_other_each_record_is_archived_once() {
    for seed in 0..100 {
        live(seed);
    }
}

#[test]
fn a_full_disk_stops_the_archiver_and_room_lets_it_go_on() {
    let disk = SimDisk::new();
    let mut process = Process::start(&disk, Stream::default(), now());
    process.stream.put(0, 5);
    process.wait(15);
    let used = disk.files().iter().map(|(_, size)| size).sum::<usize>();
    disk.set_capacity(Some(used + 1_000));
    process.stream.put(0, 5);
    process.wait(60);
    assert!(process.failures > 3);
    let (_, released) = process.released.last().expect("something was");
    assert_eq!(released.values().sum::<u64>(), 5);
    disk.set_capacity(None);
    process.wait(60);
    check(&process, "there is room");
}
