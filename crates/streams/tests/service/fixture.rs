//! The service under test: [`Fixture`], and a log that can be made to fail.
//!
//! The helpers panic with the service's answer when it is not the expected kind, so that a test says
//! only what matters to it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;

use tidemill_log::{
    AppendError, Appended, Batch, Log, MemoryLog, Partition, PartitionId, Position, Read,
    ReadError, ServiceTag, Snapshot, StateLog,
};
use tidemill_model::{BoxFuture, Caller, Clock, Region, StreamArn, Timestamp};
use tidemill_shapes::OperationError;
use tidemill_shapes::arena::{BlobSlot, TextSlot};
use tidemill_shapes::kinesis::*;
use tidemill_shapes::packed::Packed;
use tidemill_streams::{Catalog, Limits, Settings, Streams, StreamsParts};
use tidemill_testkit::{SimClock, SimEntropy};

pub const HALF: &str = "170141183460469231731687303715884105728";

/// An entry of PutRecords that has what it is made of.
pub type Entry = PutRecordsRequestEntry<Bytes, String>;

/// `entries` as a request has them.
pub fn packed(entries: &[Entry]) -> Packed<PutRecordsRequestEntry<BlobSlot, TextSlot>> {
    let borrowed = entries.iter().map(|entry| PutRecordsRequestEntry {
        data: &entry.data[..],
        explicit_hash_key: entry.explicit_hash_key.as_deref(),
        partition_key: entry.partition_key.as_deref(),
    });
    borrowed.collect()
}

/// What goes wrong next in a [`ShakyLog`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Commands cannot be appended.
    Commands,
    /// Commands cannot be appended from the next seal on.
    CommandsAfterSeal,
    /// Records cannot be appended, and surely are not.
    RecordsFull,
    /// Records may or may not have been appended.
    RecordsPoisoned,
    /// Partitions cannot be sealed.
    Seals,
}

/// A log in memory with troubles.
pub struct ShakyLog {
    inner: MemoryLog,
    trouble: Mutex<Option<Trouble>>,
}

impl ShakyLog {
    pub fn set(&self, trouble: impl Into<Option<Trouble>>) {
        *self.trouble.lock().expect("no holder panics") = trouble.into();
    }

    fn trouble(&self) -> Option<Trouble> {
        *self.trouble.lock().expect("no holder panics")
    }

    fn refusal(&self, batch: &Batch) -> Option<AppendError> {
        let commands = batch
            .entries()
            .iter()
            .any(|entry| entry.partition.owner() == Some(ServiceTag::Control));
        let full = || AppendError::Full {
            detail: "no space left".into(),
        };
        match self.trouble()? {
            Trouble::Commands => commands.then(full),
            Trouble::RecordsFull => (!commands).then(full),
            Trouble::RecordsPoisoned => (!commands).then(|| AppendError::Poisoned {
                detail: "input/output error".into(),
            }),
            Trouble::CommandsAfterSeal | Trouble::Seals => None,
        }
    }
}

impl Log for ShakyLog {
    fn batch(&self, entries: usize, bytes: usize) -> Batch {
        self.inner.batch(entries, bytes)
    }

    fn append(&self, batch: Batch) -> BoxFuture<'static, Result<Vec<Appended>, AppendError>> {
        match self.refusal(&batch) {
            Some(error) => Box::pin(std::future::ready(Err(error))),
            None => self.inner.append(batch),
        }
    }

    fn read(
        &self,
        partition: PartitionId,
        from: Position,
        entries_max: usize,
        bytes_max: usize,
    ) -> BoxFuture<'static, Result<Read, ReadError>> {
        self.inner.read(partition, from, entries_max, bytes_max)
    }

    fn partition(&self, partition: PartitionId) -> Partition {
        self.inner.partition(partition)
    }

    fn partitions(&self) -> Vec<PartitionId> {
        self.inner.partitions()
    }

    fn wait(&self, partition: PartitionId, from: Position) -> BoxFuture<'static, ()> {
        self.inner.wait(partition, from)
    }

    fn position_at(
        &self,
        partition: PartitionId,
        at: Timestamp,
    ) -> BoxFuture<'static, Result<Position, ReadError>> {
        self.inner.position_at(partition, at)
    }

    fn seal(&self, partition: PartitionId) -> BoxFuture<'static, Result<Position, AppendError>> {
        match self.trouble() {
            Some(Trouble::Seals) => {
                let error = AppendError::Full {
                    detail: "no space left".into(),
                };
                return Box::pin(std::future::ready(Err(error)));
            }
            Some(Trouble::CommandsAfterSeal) => self.set(Trouble::Commands),
            _ => {}
        }
        self.inner.seal(partition)
    }

    fn trim(
        &self,
        partition: PartitionId,
        before: Position,
    ) -> BoxFuture<'static, Result<(), AppendError>> {
        self.inner.trim(partition, before)
    }

    fn delete(&self, partition: PartitionId) -> BoxFuture<'static, Result<(), AppendError>> {
        self.inner.delete(partition)
    }

    fn snapshot(
        &self,
        partition: PartitionId,
        snapshot: Snapshot,
    ) -> BoxFuture<'static, Result<(), AppendError>> {
        self.inner.snapshot(partition, snapshot)
    }

    fn restore(
        &self,
        partition: PartitionId,
    ) -> BoxFuture<'static, Result<Option<Snapshot>, ReadError>> {
        self.inner.restore(partition)
    }
}

/// Code and message of a failure, as they go over the wire.
pub fn answer(error: &dyn OperationError) -> (&'static str, String) {
    let failure = error.failure();
    (failure.code, failure.message)
}

/// The service, its caller and its world.
pub struct Fixture {
    pub clock: SimClock,
    pub log: Arc<ShakyLog>,
    pub streams: Streams,
    pub caller: Caller,
    settings: Settings,
}

/// An operation's call on the fixture's service, as `f.call(ops::x, input)` cannot be typed.
#[macro_export]
macro_rules! call {
    ($fixture:expr, $operation:ident, $input:expr) => {
        tidemill_streams::ops::$operation(&$fixture.streams, &$fixture.caller, $input).await
    };
}

/// Asserts that an operation is refused with a code and a message.
#[macro_export]
macro_rules! assert_refused {
    ($result:expr, $code:expr, $message:expr) => {{
        let error = $result.expect_err("refused");
        let (code, message) = $crate::fixture::answer(&error);
        assert_eq!((code, message.as_str()), ($code, &*$message));
    }};
}

impl Fixture {
    pub async fn new() -> Fixture {
        Fixture::with(Settings::default()).await
    }

    pub async fn unlimited() -> Fixture {
        Fixture::with(Settings {
            limits: Limits::None,
            ..Settings::default()
        })
        .await
    }

    pub async fn with(settings: Settings) -> Fixture {
        let clock = SimClock::default();
        let inner = MemoryLog::new(Arc::new(clock.clone()));
        let log = Arc::new(ShakyLog {
            inner,
            trouble: Mutex::default(),
        });
        let caller = Caller {
            account: "000000000000".parse().expect("an account"),
            region: Region::new("us-east-1"),
            request_id: "r".into(),
        };
        let streams = open(&log, &clock, settings.clone(), 1).await;
        streams.recover().await.expect("recovers");
        Fixture {
            clock,
            log,
            streams,
            caller,
            settings,
        }
    }

    /// What a crash and a start leave: everything but the log is built anew.
    pub async fn restart(&mut self) {
        self.streams = open(&self.log, &self.clock, self.settings.clone(), 2).await;
        self.streams.recover().await.expect("recovers");
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// How many partitions of shards the log holds.
    pub fn log_partitions(&self) -> usize {
        let partitions = self.log.partitions().into_iter();
        partitions
            .filter(|id| id.owner() == Some(ServiceTag::Streams))
            .count()
    }

    pub fn advance_secs(&self, secs: u64) {
        self.clock.advance(Duration::from_secs(secs));
    }

    pub fn arn(&self, name: &str) -> StreamArn {
        StreamArn {
            region: self.caller.region.clone(),
            account: self.caller.account.clone(),
            name: name.into(),
        }
    }

    pub async fn create(&self, name: &str, shard_count: i32) {
        call!(self, create_stream, new_stream(name, shard_count)).expect("created");
    }

    /// Puts a record on the shard that takes `hash`.
    pub async fn put_at(&self, name: &str, hash: &str, data: &'static str) -> PutRecordOutput {
        let input = PutRecordInput {
            explicit_hash_key: Some(hash.into()),
            ..record(name, "k", data.as_bytes())
        };
        call!(self, put_record, input).expect("put")
    }

    pub async fn iterator(&self, name: &str, shard: &str, kind: ShardIteratorType) -> String {
        let input = iterator(name, shard, kind);
        let output = call!(self, get_shard_iterator, input).expect("an iterator");
        output.shard_iterator.expect("always given")
    }

    pub async fn read(&self, iterator: &str) -> GetRecordsOutput {
        call!(self, get_records, from(iterator)).expect("read")
    }

    /// The data of all records of a shard that can be read now.
    pub async fn all(&self, name: &str, shard: &str) -> Vec<String> {
        let iterator = self
            .iterator(name, shard, ShardIteratorType::TrimHorizon)
            .await;
        texts(&self.read(&iterator).await)
    }

    pub async fn describe(&self, name: &str) -> StreamDescription {
        let input = DescribeStreamInput {
            stream_name: Some(name.into()),
            ..DescribeStreamInput::default()
        };
        call!(self, describe_stream, input)
            .expect("described")
            .stream_description
    }

    pub async fn split(&self, name: &str, shard: &str, at: &str) {
        call!(self, split_shard, split(name, shard, at)).expect("split");
    }

    /// Ids of the shards that ListShards gives for a filter.
    pub async fn shard_ids(&self, name: &str, shard_filter: Option<ShardFilter>) -> Vec<String> {
        let input = ListShardsInput {
            stream_name: Some(name.into()),
            shard_filter,
            ..ListShardsInput::default()
        };
        let shards = call!(self, list_shards, input)
            .expect("listed")
            .shards
            .expect("given");
        shards.into_iter().map(|shard| shard.shard_id).collect()
    }
}

async fn open(log: &Arc<ShakyLog>, clock: &SimClock, settings: Settings, seed: u64) -> Streams {
    let shared: Arc<dyn Log> = log.clone();
    let mut state_log = StateLog::new(Arc::clone(&shared), PartitionId::CONTROL);
    let catalog = state_log.register(Catalog::default());
    state_log.open().await.expect("opens");
    Streams::new(StreamsParts {
        log: shared,
        catalog,
        clock: Arc::new(clock.clone()),
        entropy: Arc::new(SimEntropy::new(seed)),
        settings,
    })
}

pub fn shard(number: u32) -> String {
    format!("shardId-{number:012}")
}

pub fn new_stream(name: &str, shard_count: i32) -> CreateStreamInput {
    CreateStreamInput {
        stream_name: name.into(),
        shard_count: Some(shard_count),
        ..CreateStreamInput::default()
    }
}

pub fn record(name: &str, key: &str, data: &'static [u8]) -> PutRecordInput {
    PutRecordInput {
        stream_name: Some(name.into()),
        partition_key: Some(key.into()),
        data: Bytes::from_static(data),
        ..PutRecordInput::default()
    }
}

pub fn iterator(name: &str, shard: &str, kind: ShardIteratorType) -> GetShardIteratorInput {
    GetShardIteratorInput {
        stream_name: Some(name.into()),
        shard_id: shard.into(),
        shard_iterator_type: kind,
        dry_run: None,
        starting_sequence_number: None,
        stream_arn: None,
        stream_id: None,
        timestamp: None,
    }
}

pub fn from(iterator: &str) -> GetRecordsInput {
    GetRecordsInput {
        shard_iterator: iterator.into(),
        ..GetRecordsInput::default()
    }
}

pub fn split(name: &str, shard: &str, at: &str) -> SplitShardInput {
    SplitShardInput {
        stream_name: Some(name.into()),
        shard_to_split: shard.into(),
        new_starting_hash_key: at.into(),
        ..SplitShardInput::default()
    }
}

pub fn merge(name: &str, lower: &str, upper: &str) -> MergeShardsInput {
    MergeShardsInput {
        stream_name: Some(name.into()),
        shard_to_merge: lower.into(),
        adjacent_shard_to_merge: upper.into(),
        ..MergeShardsInput::default()
    }
}

pub fn texts(output: &GetRecordsOutput) -> Vec<String> {
    let texts = output
        .records
        .iter()
        .map(|record| String::from_utf8_lossy(&record.data));
    texts.map(|text| text.into_owned()).collect()
}
