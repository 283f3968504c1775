//! The layers of one view against a map of plain numbers: whatever is put, archived, closed, absorbed, asked,
//! cut off and damaged, in any order, each answer is what a recompute over the records before its head gives.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};

use tidemill_log::Disk;
use tidemill_model::source::{Fetched, ReadLimit, SourceError, SourceShard, StartingPoint};
use tidemill_model::{
    BoxFuture, Entropy, Record, SequenceNumber, ShardId, Source, StreamArn, Timestamp,
};
use tidemill_testkit::{DiskFailure, SimClock, SimDisk, SimEntropy};

use crate::batch_view::{BatchView, Folder};
use crate::groups::GroupsError;
use crate::master::{Sealed, Subject, Table};
use crate::positions::{Positions, Span};
use crate::record_map::{MapError, Mapped, MappedCall, RecordMap};
use crate::schema::Schema;
use crate::state::{Aggregate, Function};
use crate::value::{Place, Type, Value};
use crate::view_reader::KeyFilter;
use crate::{DiskStore, Store};

use super::driver::Driver;
use super::held::Held;
use super::history::History;
use super::pin::{NoAnswer, Pin};
use super::serving::answer_at;
use super::settings::Settings;

const TABLE: &str = "master";
const VIEW: &str = "batch";

/// Counts records and adds up their positions by partition key; each seventh is left out by the filter.
struct Map {
    aggregates: Vec<Aggregate>,
}

impl RecordMap for Map {
    fn keys(&self) -> &[Type] {
        &[Type::Text]
    }

    fn aggregates(&self) -> &[Aggregate] {
        &self.aggregates
    }

    fn map(&self, rows: &RecordBatch) -> Result<Mapped, MapError> {
        let shards = rows
            .column(0)
            .as_primitive::<arrow_array::types::Int32Type>();
        let positions = rows.column(1).as_primitive::<Int64Type>();
        let keys = rows.column(4).as_string::<i32>();
        let kept: Vec<usize> = (0..rows.num_rows())
            .filter(|row| !is_filtered(positions.value(*row) as u64))
            .collect();
        let places = kept.iter().map(|row| Place {
            shard: ShardId(shards.value(*row) as u32),
            position: positions.value(*row) as u64,
        });
        let numbers = kept.iter().map(|row| positions.value(*row));
        let numbers: ArrayRef = Arc::new(numbers.collect::<Int64Array>());
        let keys = kept.iter().map(|row| Some(keys.value(*row)));
        let keys: ArrayRef = Arc::new(keys.collect::<StringArray>());
        let call = |argument| MappedCall {
            argument,
            order: None,
            counts: None,
        };
        Ok(Mapped {
            records: kept.len() as u64,
            places: places.collect(),
            keys: vec![keys],
            calls: vec![call(None), call(Some(numbers))],
            filtered: (rows.num_rows() - kept.len()) as u64,
            poisoned: 0,
            excluded: 0,
        })
    }
}

fn is_filtered(position: u64) -> bool {
    position % 7 == 3
}

/// The layers are fed by the tests.
struct Fed;

impl Source for Fed {
    fn incarnation(&self, _: &StreamArn) -> Result<u64, SourceError> {
        Ok(1)
    }

    fn shards(&self, _: &StreamArn) -> Result<Vec<SourceShard>, SourceError> {
        Ok(Vec::new())
    }

    fn locate<'a>(
        &'a self,
        _: &'a StreamArn,
        _: ShardId,
        _: StartingPoint,
    ) -> BoxFuture<'a, Result<u64, SourceError>> {
        unreachable!("the layers begin at positions")
    }

    fn read<'a>(
        &'a self,
        _: &'a StreamArn,
        _: ShardId,
        _: u64,
        _: ReadLimit,
    ) -> BoxFuture<'a, Result<Fetched, SourceError>> {
        unreachable!("the layers are fed by the test")
    }

    fn wait<'a>(&'a self, _: &'a StreamArn, _: ShardId, _: u64) -> BoxFuture<'a, ()> {
        unreachable!("the layers are fed by the test")
    }

    fn wait_for_shard<'a>(&'a self, _: &'a StreamArn, _: ShardId) -> BoxFuture<'a, ()> {
        unreachable!("the layers are fed by the test")
    }
}

fn subject() -> Subject {
    let stream = "arn:aws:kinesis:us-east-1:000000000000:stream/flights";
    Subject {
        stream: stream.parse().expect("it is an ARN"),
        incarnation: 1,
    }
}

fn record(shard: u32, position: u64, key: String) -> Record {
    Record {
        position,
        sequence_number: SequenceNumber::of_record(ShardId(shard), 1_000, position, 2_000),
        arrival: Timestamp::from_millis(1_000_000 + position),
        partition_key: key,
        data: b"{}".to_vec().into(),
    }
}

type Answer = BTreeMap<String, (i64, i64)>;

/// A stream, and the layers of one view over it.
struct World {
    disk: SimDisk,
    stream: BTreeMap<u32, Vec<Record>>,
    driver: Driver,
}

fn store(disk: &SimDisk) -> Arc<dyn Store> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    Arc::new(DiskStore::new(disk))
}

fn driver(disk: &SimDisk) -> Driver {
    let of = |function, argument| Aggregate::new(function, argument).expect("it is defined");
    let map = Arc::new(Map {
        aggregates: vec![
            of(Function::CountRecords, None),
            of(Function::Sum, Some(Type::Integer)),
        ],
    });
    let store = store(disk);
    Driver {
        source: Arc::new(Fed),
        history: Arc::new(History {
            store: Arc::clone(&store),
            folder: TABLE.to_owned(),
            subject: subject(),
            schema: Schema::default(),
            map,
            clock: Arc::new(SimClock::default()),
        }),
        // Few, so that there are several pages.
        held: Arc::new(Held::new(4)),
        folder: Some(Folder::new(store, VIEW.to_owned(), "plan")),
        settings: Settings {
            // Few, so that views have several files.
            file_groups: 8,
            ..Settings::default()
        },
    }
}

impl World {
    fn new() -> World {
        let disk = SimDisk::new();
        let driver = driver(&disk);
        driver.open().expect("nothing is there");
        let world = World {
            disk,
            stream: BTreeMap::new(),
            driver,
        };
        world.aim();
        world
    }

    /// Says what there is to be read again.
    fn aim(&self) {
        let ends = self
            .stream
            .iter()
            .map(|(shard, records)| (ShardId(*shard), records.len() as u64));
        let held = &self.driver.held;
        held.aim(held.pass(), ends.collect());
    }

    /// A start of the process over what is on `disk`, and everything behind the batch view read again.
    fn start(&mut self, disk: SimDisk) {
        self.disk = disk;
        self.driver = driver(&self.disk);
        self.driver.open().expect("it opens");
        self.aim();
        self.feed();
    }

    fn put(&mut self, chance: &SimEntropy, shard: u32, count: u64) {
        let records = self.stream.entry(shard).or_default();
        for _ in 0..count {
            let key = format!("k{:02}", chance.below(40));
            records.push(record(shard, records.len() as u64, key));
        }
    }

    /// Reads what came.
    fn feed(&self) {
        let held = &self.driver.held;
        for (shard, records) in &self.stream {
            let shard = ShardId(*shard);
            let from = held.contents().head.get(&shard).copied().unwrap_or(0);
            if from < records.len() as u64 {
                let added = self
                    .driver
                    .add(held.pass(), shard, from, &records[from as usize..]);
                added.expect("added");
            }
        }
    }

    /// Archives up to some more positions of each shard.
    fn archive(&self, more: impl Fn(u32) -> u64) {
        let mut table = self.table();
        let sealed = self.stream.iter().filter_map(|(shard, records)| {
            let from = table.snapshot().position(ShardId(*shard));
            let to = (from + more(*shard)).min(records.len() as u64);
            let records = records[from as usize..to as usize].to_vec();
            let shard = ShardId(*shard);
            let span = Span { shard, from, to };
            (from < to).then_some(Sealed { span, records })
        });
        let sealed: Vec<Sealed> = sealed.collect();
        if !sealed.is_empty() {
            table
                .append(sealed, Timestamp::from_secs(1))
                .expect("archived");
        }
    }

    fn table(&self) -> Table {
        self.driver.history.table().expect("it opens")
    }

    fn oracle(&self, head: &Positions) -> Answer {
        let mut answer = Answer::new();
        for (shard, end) in head {
            let records = self.stream.get(&shard.0).map_or(&[][..], Vec::as_slice);
            for record in &records[..*end as usize] {
                if !is_filtered(record.position) {
                    let group = answer.entry(record.partition_key.clone()).or_default();
                    group.0 += 1;
                    group.1 += record.position as i64;
                }
            }
        }
        answer
    }

    fn answer(&self, filters: &[KeyFilter]) -> (Pin, Result<Vec<RecordBatch>, GroupsError>) {
        let Driver { held, history, .. } = &self.driver;
        let answer = held.answer(&*history.map, filters);
        answer.expect("all is there")
    }

    /// Asks for everything and for one group, and compares; gives the head of the answer.
    fn check(&self, key: u64) -> Positions {
        let (pin, rows) = self.answer(&[]);
        pin.check().expect("it adds up");
        let expected = self.oracle(&pin.head);
        assert_eq!(answer(&rows.expect("answered")), expected);
        self.driver.held.remember(pin.clone());
        let key = format!("k{key:02}");
        let (_, rows) = self.answer(&[equals(&key)]);
        let found = answer(&rows.expect("answered"));
        assert_eq!(found.get(&key), expected.get(&key));
        pin.head
    }

    fn check_at(&self, head: &Positions) -> bool {
        let Driver { held, history, .. } = &self.driver;
        let Some(pin) = held.contents().pin_at(head) else {
            return false;
        };
        pin.check().expect("it adds up");
        let rows = answer_at(&pin, &*history.map, &[]);
        assert_eq!(answer(&rows.expect("answered")), self.oracle(head));
        true
    }
}

fn equals(key: &str) -> KeyFilter {
    let bound = || Bound::Included(Value::Text(key.to_owned()));
    KeyFilter {
        key: 0,
        from: bound(),
        to: bound(),
    }
}

fn answer(rows: &[RecordBatch]) -> Answer {
    let mut answer = Answer::new();
    let mut last = String::new();
    for batch in rows {
        let keys = batch.column(0).as_string::<i32>();
        let counts = batch.column(1).as_primitive::<Int64Type>();
        let sums = batch.column(2).as_primitive::<Int64Type>();
        for row in 0..batch.num_rows() {
            let key = keys.value(row).to_owned();
            assert!(last < key, "groups are in the order of their keys");
            last.clone_from(&key);
            answer.insert(key, (counts.value(row), sums.value(row)));
        }
    }
    answer
}

#[test]
fn whatever_happens_each_answer_is_what_a_recompute_gives() {
    let (mut answers, mut again, mut epochs) = (0, 0, 0);
    for seed in 0..120 {
        let chance = SimEntropy::new(seed);
        let mut world = World::new();
        let mut heads: Vec<Positions> = Vec::new();
        for _ in 0..120 {
            match chance.below(12) {
                0..=3 => {
                    let count = 1 + chance.below(25);
                    world.put(&chance, chance.below(3) as u32, count);
                    world.feed();
                }
                4 | 5 => world.archive(|_| chance.below(40)),
                6 => {
                    world.driver.close().expect("closed");
                }
                7 | 8 => {
                    world.driver.absorb().expect("absorbed");
                }
                9 if chance.below(4) == 0 => {
                    let disk = world.disk.fork();
                    world.start(disk);
                    heads.clear();
                }
                _ => {
                    heads.push(world.check(chance.below(45)));
                    answers += 1;
                    let old = &heads[chance.below(heads.len() as u64) as usize];
                    again += u64::from(world.check_at(old));
                }
            }
        }
        epochs += world.driver.held.contents().batch.epoch;
    }
    assert!(
        answers > 3_000 && again > 1_500 && epochs > 300,
        "{answers} {again} {epochs}"
    );
}

/// Puts, archives, closes and absorbs a few times.
fn lived() -> World {
    let chance = SimEntropy::new(7);
    let mut world = World::new();
    world.disk.record_cuts();
    for round in 0..4 {
        world.put(&chance, round % 2, 30);
        world.feed();
        world.driver.close().expect("closed");
        world.archive(|_| 25);
        world.put(&chance, 2, 3);
        world.feed();
        world.driver.absorb().expect("absorbed");
    }
    assert!(world.driver.held.contents().batch.epoch > 1);
    world
}

#[test]
fn a_power_cut_at_any_io_of_an_absorb_changes_no_answer() {
    let mut world = lived();
    let cuts = world.disk.take_cuts();
    assert!(cuts.len() > 60, "{}", cuts.len());
    for (io, cut) in cuts.iter().enumerate() {
        for seed in 0..3 {
            let disk = cut.fork();
            disk.crash(seed);
            world.start(disk);
            world.check(io as u64 % 40);
            world.archive(|_| 100);
            world.driver.close().expect("closed");
            world.driver.absorb().expect("absorbed");
            world.check(io as u64 % 40);
            let contents = world.driver.held.contents();
            assert!(
                contents.parts.is_empty() && contents.check().is_ok(),
                "I/O {io}"
            );
        }
    }
}

#[test]
fn an_absorb_that_fails_at_any_io_changes_no_answer() {
    let absorbing = || {
        let mut world = World::new();
        world.put(&SimEntropy::new(7), 0, 60);
        world.feed();
        world.archive(|_| 60);
        world.driver.close().expect("closed");
        world
    };
    let whole = absorbing();
    let before = whole.disk.io_count();
    whole.driver.absorb().expect("absorbed");
    let (mut failed, mut mended) = (0, 0);
    for io in before + 1..=whole.disk.io_count() {
        for failure in [DiskFailure::Full, DiskFailure::Broken] {
            let mut world = absorbing();
            world.disk.fail_at(io, failure);
            failed += u64::from(world.driver.absorb().is_err());
            world.check(1);
            // Where the disk did not leave open what has happened, the next try gets it done.
            mended += u64::from(world.driver.absorb().is_ok());
            world.check(1);
            let disk = world.disk.fork();
            world.start(disk);
            world.check(2);
        }
    }
    assert!(failed > 10 && mended > 10, "{failed} {mended}");
}

#[test]
fn a_batch_view_with_a_flipped_bit_is_refused_or_the_same() {
    let mut world = lived();
    world.disk.take_cuts();
    let sound = world.disk.fork();
    let mut recomputed = 0;
    for (path, size) in sound.files() {
        if !path.starts_with(VIEW) {
            continue;
        }
        for bit in (0..size * 8).step_by(13) {
            let disk = sound.fork();
            disk.flip_bit(&path, bit);
            world.start(disk);
            recomputed += u64::from(world.driver.held.contents().batch.positions.is_empty());
            world.check(bit as u64 % 40);
        }
    }
    assert!(recomputed > 500, "{recomputed}");
}

#[test]
fn a_batch_view_is_made_anew_out_of_the_master_dataset_alone() {
    let mut world = lived();
    world.disk.take_cuts();
    world.archive(|_| 1_000);
    let epoch = world.driver.held.contents().batch.epoch;
    for (path, _) in world.disk.files() {
        if path.starts_with(VIEW) && path.ends_with(".parquet") {
            world.disk.remove(&path).expect("removed");
        }
    }
    let disk = world.disk.fork();
    world.disk = disk;
    world.driver = driver(&world.disk);
    world
        .driver
        .open()
        .expect("it is refused, which is no failure");
    world.driver.catch_up().expect("recomputed");
    let contents = world.driver.held.contents();
    assert_eq!(contents.batch.epoch, epoch + 1);
    assert_eq!(contents.batch.positions, world.table().snapshot().positions);
    drop(contents);
    world.aim();
    world.check(3);
}

#[test]
fn what_is_read_again_is_added_once_and_nothing_is_answered_before_all_is_there_again() {
    let chance = SimEntropy::new(5);
    let mut world = World::new();
    world.put(&chance, 0, 50);
    world.feed();
    let held = Arc::clone(&world.driver.held);
    let again = |from: usize, to: usize| {
        let records = &world.stream[&0][from..to];
        let added = world
            .driver
            .add(held.pass(), ShardId(0), from as u64, records);
        added.expect("nothing is wrong with it");
    };
    again(0, 50);
    again(30, 50);
    world.check(1);
    held.begin(BatchView::empty(0));
    let none = |answer: Result<_, NoAnswer>| answer.err();
    let answer = || held.answer(&*world.driver.history.map, &[]);
    assert_eq!(none(answer().map(|_| ())), Some(NoAnswer::Beginning));
    world.aim();
    again(0, 20);
    assert_eq!(
        none(answer().map(|_| ())),
        Some(NoAnswer::Missing { missing: 30 })
    );
    again(20, 50);
    world.check(1);
}

#[test]
fn layers_that_come_to_different_answers_are_an_error_and_no_answer() {
    let chance = SimEntropy::new(1);
    let mut world = World::new();
    world.put(&chance, 0, 20);
    world.feed();
    world.driver.close().expect("closed");
    world.stream.get_mut(&0).expect("there")[4].partition_key = "k99".to_owned();
    world.archive(|_| 20);
    world.driver.absorb().expect("nothing failed");
    let broken = world.driver.held.contents().check();
    let is_said = |why: &String| why.contains("come to different answers");
    assert!(
        matches!(&broken, Err(NoAnswer::Broken(why)) if is_said(why)),
        "{broken:?}"
    );
}

#[test]
fn an_audit_finds_what_is_wrong_and_nothing_else() {
    let world = lived();
    let ranges = world.driver.held.contents().batch.files.len() as u64;
    for _ in 0..ranges {
        world.driver.audit().expect("audited");
    }
    let audits = world.driver.held.audits();
    let groups = world.driver.held.contents().batch.len() as u64;
    assert_eq!(
        (audits.ranges, audits.groups, audits.mismatches),
        (ranges, groups, 0)
    );
    assert!(ranges > 2);
    let whole = world.driver.audit_all().expect("nothing is wrong");
    let counts = world.driver.held.contents().batch.counts;
    assert_eq!((whole.records, whole.groups), (counts.sum(), groups));
    let mut wrong = BatchView::clone(&world.driver.held.contents().batch);
    wrong.files.swap(0, 1);
    wrong.files.truncate(1);
    world.driver.held.begin(wrong);
    world.driver.audit().expect("audited");
    assert_eq!(world.driver.held.audits().mismatches, 1);
    assert!(world.driver.audit_all().is_err());
    assert_eq!(world.driver.held.audits().mismatches, 2);
    let broken = world.driver.held.contents().check();
    let is_said = |why: &String| why.contains("differs from a recompute");
    assert!(
        matches!(&broken, Err(NoAnswer::Broken(why)) if is_said(why)),
        "{broken:?}"
    );
}

#[test]
fn a_count_never_goes_back_while_epochs_are_absorbed() {
    let chance = SimEntropy::new(3);
    let mut world = World::new();
    let mut seen = 0;
    for _ in 0..60 {
        world.put(&chance, chance.below(2) as u32, 10);
        world.feed();
        world.driver.close().expect("closed");
        world.archive(|_| chance.below(15));
        world.driver.absorb().expect("absorbed");
        let head = world.check(0);
        let counted: i64 = world.oracle(&head).values().map(|group| group.0).sum();
        assert!(counted > seen);
        seen = counted;
    }
}

#[test]
fn whoever_asks_and_whoever_puts_parts_together_do_not_wait_for_each_other() {
    let chance = SimEntropy::new(9);
    let mut world = World::new();
    world.put(&chance, 0, 4_000);
    let Driver { held, history, .. } = &world.driver;
    std::thread::scope(|scope| {
        let adding = scope.spawn(|| {
            for from in 0..4_000_usize {
                let record = &world.stream[&0][from..=from];
                let added = world
                    .driver
                    .add(held.pass(), ShardId(0), from as u64, record);
                added.expect("nothing is wrong with it");
                if from % 16 == 0 {
                    world.driver.close().expect("closed");
                }
            }
        });
        while !adding.is_finished() {
            let (pin, rows) = held.answer(&*history.map, &[]).expect("it is answered");
            pin.check().expect("it adds up");
            rows.expect("each group has an answer");
        }
    });
    world.check(1);
}

#[test]
fn what_is_ahead_of_its_archive_is_audited_when_that_has_caught_up() {
    let chance = SimEntropy::new(2);
    let mut world = World::new();
    world.driver.folder = None;
    world.put(&chance, 0, 20);
    world.feed();
    world.driver.close().expect("closed");
    world.driver.absorb().expect("absorbed");
    assert!(world.driver.audit_all().is_err());
    world
        .driver
        .audit()
        .expect("there is nothing to be said yet");
    world.check(1);
    world.archive(|_| 20);
    assert_eq!(
        world
            .driver
            .audit_all()
            .expect("it is as it should be")
            .records,
        20
    );
    assert_eq!(world.driver.held.audits().mismatches, 0);
}
