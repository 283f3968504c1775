//! In-memory streams, functions and destinations, and a service over them that can be restarted.
//!
//! What must hold: they behave as the ports say and no better: what they forget, the service has to
//! have written down.

#![expect(
    clippy::unwrap_used,
    reason = "a lock is poisoned only by a test that has failed"
)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use tidemill_log::{Log, MemoryLog, PartitionId, StateLog};
use tidemill_mapping::{
    Catalog, Checkpoints, DeliveryError, Destination, FunctionFacts, Invoked, Invoker, Mappings,
    MappingsParts, NoFunction, Pace, Settings, Unsupported, checkpoints,
};
use tidemill_model::given_up::GivenUp;
use tidemill_model::source::{Fetched, ReadLimit, SourceError, SourceShard, StartingPoint};
use tidemill_model::{
    AccountId, BoxFuture, Caller, Clock, Determinacy, FunctionArn, Record, Region, SequenceNumber,
    ShardId, Source, StreamArn,
};
use tidemill_testkit::{SimClock, SimEntropy};
use tokio::sync::Notify;

pub const STREAM: &str = "arn:aws:kinesis:us-east-1:000000000000:stream/s";
pub const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:failures";

#[derive(Debug, Default)]
struct Shard {
    records: Vec<Record>,
    first_readable: u64,
    parents: Vec<ShardId>,
    closed: bool,
}

#[derive(Debug, Default)]
struct Stream {
    incarnation: u64,
    shards: BTreeMap<ShardId, Shard>,
}

/// Streams in memory; one of them, `s`.
pub struct Streams {
    clock: SimClock,
    stream: Mutex<Option<Stream>>,
    changed: Notify,
    reads: Mutex<u64>,
    /// Whether the rates let nobody read.
    shut: Mutex<bool>,
}

impl Streams {
    pub fn new(clock: SimClock) -> Streams {
        let streams = Streams {
            clock,
            stream: Mutex::default(),
            changed: Notify::new(),
            reads: Mutex::default(),
            shut: Mutex::default(),
        };
        streams.create(1, 1);
        streams
    }

    pub fn create(&self, incarnation: u64, shards: u32) {
        let shards = (0..shards)
            .map(|id| (ShardId(id), Shard::default()))
            .collect();
        *self.stream.lock().unwrap() = Some(Stream {
            incarnation,
            shards,
        });
        self.changed.notify_waiters();
    }

    pub fn delete(&self) {
        *self.stream.lock().unwrap() = None;
        self.changed.notify_waiters();
    }

    pub fn set_shut(&self, is_shut: bool) {
        *self.shut.lock().unwrap() = is_shut;
        self.changed.notify_waiters();
    }

    pub fn reads(&self) -> u64 {
        *self.reads.lock().unwrap()
    }

    fn with<R>(&self, shard: u32, change: impl FnOnce(&mut Shard) -> R) -> R {
        let mut stream = self.stream.lock().unwrap();
        let stream = stream.as_mut().expect("the stream exists");
        let changed = change(
            stream
                .shards
                .get_mut(&ShardId(shard))
                .expect("the shard exists"),
        );
        self.changed.notify_waiters();
        changed
    }

    pub fn put(&self, shard: u32, key: &str) {
        let arrival = self.clock.now();
        self.with(shard, |found| {
            let position = found.records.len() as u64;
            let secs = arrival.as_secs();
            found.records.push(Record {
                position,
                sequence_number: SequenceNumber::of_record(ShardId(shard), 1_000, position, secs),
                arrival,
                partition_key: key.to_owned(),
                data: Bytes::from_static(b"x"),
            });
        });
    }

    pub fn expire_before(&self, shard: u32, position: u64) {
        self.with(shard, |found| found.first_readable = position);
    }

    /// Removes a shard that is closed and whose records have expired.
    pub fn remove(&self, shard: u32) {
        let mut stream = self.stream.lock().unwrap();
        stream
            .as_mut()
            .expect("the stream exists")
            .shards
            .remove(&ShardId(shard));
        self.changed.notify_waiters();
    }

    /// Closes shard `parent` and opens `child`.
    pub fn reshard(&self, parent: u32, child: u32) {
        self.with(parent, |found| found.closed = true);
        let mut stream = self.stream.lock().unwrap();
        let shards = &mut stream.as_mut().expect("the stream exists").shards;
        let parents = vec![ShardId(parent)];
        shards.insert(
            ShardId(child),
            Shard {
                parents,
                ..Shard::default()
            },
        );
        self.changed.notify_waiters();
    }

    fn look<R>(
        &self,
        arn: &StreamArn,
        look: impl FnOnce(&Stream) -> Result<R, SourceError>,
    ) -> Result<R, SourceError> {
        match &*self.stream.lock().unwrap() {
            Some(stream) if arn.to_string() == STREAM => look(stream),
            _ => Err(SourceError::NoStream {
                stream: arn.clone(),
            }),
        }
    }

    fn shard<R>(
        &self,
        arn: &StreamArn,
        id: ShardId,
        look: impl FnOnce(&Shard) -> R,
    ) -> Result<R, SourceError> {
        self.look(arn, |stream| match stream.shards.get(&id) {
            Some(shard) => Ok(look(shard)),
            None => Err(SourceError::NoShard {
                stream: arn.clone(),
                shard: id,
            }),
        })
    }

    async fn until(&self, is_so: impl Fn() -> bool) {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if is_so() {
                return;
            }
            changed.await;
        }
    }
}

impl Source for Streams {
    fn incarnation(&self, stream: &StreamArn) -> Result<u64, SourceError> {
        self.look(stream, |stream| Ok(stream.incarnation))
    }

    fn shards(&self, stream: &StreamArn) -> Result<Vec<SourceShard>, SourceError> {
        self.look(stream, |stream| {
            let shards = stream.shards.iter().map(|(id, shard)| SourceShard {
                id: *id,
                parents: shard.parents.clone(),
                closed: shard.closed,
                first_readable: shard.first_readable,
                end: shard.records.len() as u64,
            });
            Ok(shards.collect())
        })
    }

    fn locate<'a>(
        &'a self,
        stream: &'a StreamArn,
        shard: ShardId,
        start: StartingPoint,
    ) -> BoxFuture<'a, Result<u64, SourceError>> {
        Box::pin(async move {
            self.shard(stream, shard, |shard| {
                let end = shard.records.len() as u64;
                match start {
                    StartingPoint::TrimHorizon => shard.first_readable,
                    StartingPoint::Latest => end,
                    StartingPoint::AtTimestamp(at) => {
                        let found = shard.records.iter().find(|record| record.arrival >= at);
                        found.map_or(end, |record| record.position)
                    }
                }
            })
        })
    }

    fn read<'a>(
        &'a self,
        stream: &'a StreamArn,
        shard: ShardId,
        from: u64,
        limit: ReadLimit,
    ) -> BoxFuture<'a, Result<Fetched, SourceError>> {
        *self.reads.lock().unwrap() += 1;
        Box::pin(async move {
            self.shard(stream, shard, |shard| {
                let from = from.max(shard.first_readable) as usize;
                let records = shard.records.iter().skip(from).take(limit.records);
                Fetched {
                    records: records.cloned().collect(),
                    first_readable: shard.first_readable,
                    end: shard.records.len() as u64,
                    closed: shard.closed,
                }
            })
        })
    }

    fn wait_for_rate<'a>(&'a self, _: &'a StreamArn, _: ShardId, _: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(self.until(|| !*self.shut.lock().unwrap()))
    }

    fn wait<'a>(&'a self, stream: &'a StreamArn, shard: ShardId, from: u64) -> BoxFuture<'a, ()> {
        Box::pin(self.until(move || {
            let has_more = |shard: &Shard| shard.records.len() as u64 > from || shard.closed;
            self.shard(stream, shard, has_more).unwrap_or(true)
        }))
    }

    fn wait_for_shard<'a>(&'a self, stream: &'a StreamArn, from: ShardId) -> BoxFuture<'a, ()> {
        Box::pin(self.until(move || {
            let has_shard = |stream: &Stream| Ok(stream.shards.keys().any(|id| *id >= from));
            self.look(stream, has_shard).unwrap_or(true)
        }))
    }
}

/// Functions in memory: `f` exists; it notes the partition keys it is given, and fails on those that
/// begin with `bad`.
#[derive(Default)]
pub struct Functions {
    state: Mutex<FunctionsState>,
}

#[derive(Default)]
struct FunctionsState {
    is_gone: bool,
    hangs: bool,
    taken: Vec<String>,
    events: Vec<serde_json::Value>,
}

impl Functions {
    fn lock(&self) -> MutexGuard<'_, FunctionsState> {
        self.state.lock().unwrap()
    }

    /// Partition keys of the records taken, in order.
    pub fn taken(&self) -> Vec<String> {
        self.lock().taken.clone()
    }

    pub fn events(&self) -> Vec<serde_json::Value> {
        self.lock().events.clone()
    }

    pub fn set_gone(&self, is_gone: bool) {
        self.lock().is_gone = is_gone;
    }

    pub fn set_hanging(&self, hangs: bool) {
        self.lock().hangs = hangs;
    }
}

impl Invoker for Functions {
    fn resolve(
        &self,
        account: &AccountId,
        region: &Region,
        name: &str,
    ) -> Result<FunctionFacts, NoFunction> {
        let arn = name.parse().unwrap_or_else(|_| FunctionArn {
            region: region.clone(),
            account: account.clone(),
            name: name.to_owned(),
            qualifier: None,
        });
        if arn.name == "missing" || self.lock().is_gone {
            return Err(NoFunction {
                name: name.to_owned(),
            });
        }
        Ok(FunctionFacts {
            arn,
            role: "arn:aws:iam::000000000000:role/r".to_owned(),
        })
    }

    fn invoke<'a>(
        &'a self,
        _: &'a FunctionArn,
        payload: Bytes,
        _: String,
    ) -> BoxFuture<'a, Invoked> {
        Box::pin(async move {
            let event: serde_json::Value = serde_json::from_slice(&payload).expect("JSON");
            let records = event["Records"].as_array().expect("records");
            let keys = records
                .iter()
                .map(|record| &record["kinesis"]["partitionKey"]);
            let keys: Vec<String> = keys
                .map(|key| key.as_str().expect("a text").to_owned())
                .collect();
            if self.lock().hangs {
                std::future::pending::<()>().await;
            }
            self.lock().events.push(event);
            let failed = keys.iter().any(|key| key.starts_with("bad"));
            if !failed {
                self.lock().taken.extend(keys);
            }
            Invoked::Answered {
                status: 200,
                executed_version: "$LATEST".to_owned(),
                function_error: failed.then(|| "Unhandled".to_owned()),
                payload: Bytes::from_static(b"null"),
            }
        })
    }
}

/// A queue in memory that drops copies.
#[derive(Default)]
pub struct Queue {
    messages: Mutex<BTreeMap<String, GivenUp>>,
}

impl Queue {
    pub fn messages(&self) -> Vec<GivenUp> {
        self.messages.lock().unwrap().values().cloned().collect()
    }
}

impl Destination for Queue {
    fn supports(&self, arn: &str) -> Result<(), Unsupported> {
        match arn.ends_with(".fifo") {
            true => Err(Unsupported {
                reason: "no FIFO queue here".to_owned(),
            }),
            false => Ok(()),
        }
    }

    fn deliver<'a>(
        &'a self,
        arn: &'a str,
        message: &'a GivenUp,
    ) -> BoxFuture<'a, Result<(), DeliveryError>> {
        Box::pin(async move {
            if arn != QUEUE {
                let detail = "no such queue".to_owned();
                return Err(DeliveryError {
                    determinacy: Determinacy::Determinate,
                    detail,
                });
            }
            let id = message.message_id.clone();
            self.messages.lock().unwrap().insert(id, message.clone());
            Ok(())
        })
    }
}

/// The service and all around it.
pub struct Service {
    pub clock: SimClock,
    pub streams: Arc<Streams>,
    pub functions: Arc<Functions>,
    pub queue: Arc<Queue>,
    pub mappings: Mappings,
    pub settings: Settings,
    log: Arc<dyn Log>,
    starts: u64,
}

impl Service {
    pub async fn start(settings: Settings) -> Service {
        let clock = SimClock::default();
        let log: Arc<dyn Log> = Arc::new(MemoryLog::new(Arc::new(clock.clone())));
        let streams = Arc::new(Streams::new(clock.clone()));
        let functions: Arc<Functions> = Arc::default();
        let queue: Arc<Queue> = Arc::default();
        let parts = parts(&log, &clock, &streams, &functions, &queue, &settings, 0).await;
        let mappings = Mappings::new(parts);
        mappings.recover().await;
        Service {
            clock,
            streams,
            functions,
            queue,
            mappings,
            settings,
            log,
            starts: 1,
        }
    }

    pub async fn fast() -> Service {
        Service::start(Settings::with_pace(Pace::Fast)).await
    }

    /// Leaves the service as it stands and starts another over the same log.
    pub async fn restart(&mut self) {
        let Service {
            log,
            clock,
            streams,
            functions,
            queue,
            settings,
            starts,
            ..
        } = &*self;
        let parts = parts(log, clock, streams, functions, queue, settings, *starts).await;
        self.mappings = Mappings::new(parts);
        self.starts += 1;
        self.mappings.recover().await;
    }

    pub fn caller(&self) -> Caller {
        Caller {
            account: "000000000000".parse().unwrap(),
            region: Region::new("us-east-1"),
            request_id: "r".to_owned(),
        }
    }

    /// Lets tasks run, and time pass, until it is so.
    pub async fn until(&self, what: &str, is_so: impl Fn(&Service) -> bool) {
        for _ in 0..2_000 {
            if is_so(self) {
                return;
            }
            self.settle().await;
            self.clock.advance(Duration::from_millis(10));
        }
        panic!("in 20 seconds it has not come to be that {what}");
    }

    /// Lets tasks run until they all wait.
    pub async fn settle(&self) {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }
}

async fn parts(
    log: &Arc<dyn Log>,
    clock: &SimClock,
    streams: &Arc<Streams>,
    functions: &Arc<Functions>,
    queue: &Arc<Queue>,
    settings: &Settings,
    seed: u64,
) -> MappingsParts {
    let mut control = StateLog::new(Arc::clone(log), PartitionId::CONTROL);
    let catalog = control.register(Catalog::default());
    control.open().await.expect("the log can be read");
    let mut state = StateLog::new(Arc::clone(log), checkpoints::partition());
    let checkpoints = state.register(Checkpoints::default());
    state.open().await.expect("the log can be read");
    MappingsParts {
        catalog,
        checkpoints,
        source: Arc::clone(streams) as Arc<dyn Source>,
        invoker: Arc::clone(functions) as Arc<dyn Invoker>,
        destination: Arc::clone(queue) as Arc<dyn Destination>,
        clock: Arc::new(clock.clone()),
        entropy: Arc::new(SimEntropy::new(seed)),
        settings: settings.clone(),
    }
}
