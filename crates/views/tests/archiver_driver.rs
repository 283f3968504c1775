//! The archiver's task, over a source with tasks that wait and a clock that the test moves.

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::{JoinHandle, yield_now};

use tidemill_log::Disk;
use tidemill_model::source::{Fetched, ReadLimit, SourceError, SourceShard, StartingPoint};
use tidemill_model::{BoxFuture, Clock, ShardId, Source, StreamArn};
use tidemill_testkit::{SimClock, SimDisk};
use tidemill_views::DiskStore;
use tidemill_views::archiver::{
    Archiver, ArchiverParts, Effect, Ended, Input, Retention, Settings,
};
use tidemill_views::positions::Positions;

use support::source::Stream;
use support::*;

/// A stream whose readers wait.
#[derive(Default)]
struct Streams {
    stream: Mutex<Stream>,
    changed: Notify,
}

impl Streams {
    fn change(&self, change: impl FnOnce(&mut Stream)) {
        change(&mut self.stream.lock().expect("no holder of this lock panics"));
        self.changed.notify_waiters();
    }

    fn ask(&self, effect: &Effect) -> Input {
        let mut stream = self.stream.lock().expect("no holder of this lock panics");
        let answer = stream.answer(effect).flatten();
        answer.expect("reads and lists are answered at once")
    }

    async fn wait_until(&self, is_over: impl Fn(&Stream) -> bool) {
        loop {
            let mut change = std::pin::pin!(self.changed.notified());
            change.as_mut().enable();
            if is_over(&self.stream.lock().expect("no holder of this lock panics")) {
                return;
            }
            change.await;
        }
    }
}

fn no_stream(stream: &StreamArn) -> SourceError {
    SourceError::NoStream {
        stream: stream.clone(),
    }
}

impl Source for Streams {
    fn incarnation(&self, stream: &StreamArn) -> Result<u64, SourceError> {
        match self.ask(&Effect::ListShards) {
            Input::ShardsListed(_) => Ok(1),
            _ => Err(no_stream(stream)),
        }
    }

    fn shards(&self, stream: &StreamArn) -> Result<Vec<SourceShard>, SourceError> {
        match self.ask(&Effect::ListShards) {
            Input::ShardsListed(shards) => Ok(shards),
            _ => Err(no_stream(stream)),
        }
    }

    fn locate<'a>(
        &'a self,
        _: &'a StreamArn,
        _: ShardId,
        _: StartingPoint,
    ) -> BoxFuture<'a, Result<u64, SourceError>> {
        unreachable!("an archiver begins where its table ends")
    }

    fn read<'a>(
        &'a self,
        stream: &'a StreamArn,
        shard: ShardId,
        from: u64,
        limit: ReadLimit,
    ) -> BoxFuture<'a, Result<Fetched, SourceError>> {
        let answer = match self.ask(&Effect::Fetch { shard, from, limit }) {
            Input::RecordsFetched { fetched, .. } => Ok(fetched),
            _ => Err(no_stream(stream)),
        };
        Box::pin(std::future::ready(answer))
    }

    fn wait<'a>(&'a self, _: &'a StreamArn, shard: ShardId, from: u64) -> BoxFuture<'a, ()> {
        Box::pin(self.wait_until(move |stream| {
            let shard = &stream.shards[&shard];
            stream.is_gone || shard.closed || shard.records.len() as u64 > from
        }))
    }

    fn wait_for_shard<'a>(&'a self, _: &'a StreamArn, from: ShardId) -> BoxFuture<'a, ()> {
        Box::pin(self.wait_until(move |stream| {
            stream.is_gone || stream.shards.range(from..).next().is_some()
        }))
    }
}

/// Remembers what may be freed.
struct Freed(watch::Sender<Positions>);

impl Retention for Freed {
    fn release(&self, _: &StreamArn, _: u64, archived: &Positions) {
        self.0.send_replace(archived.clone());
    }
}

struct World {
    disk: SimDisk,
    clock: SimClock,
    streams: Arc<Streams>,
    freed: Arc<Freed>,
}

impl World {
    fn new() -> World {
        World {
            disk: SimDisk::new(),
            clock: SimClock::default(),
            streams: Arc::default(),
            freed: Arc::new(Freed(watch::channel(Positions::new()).0)),
        }
    }

    fn start(&self) -> (JoinHandle<Ended>, watch::Sender<bool>) {
        let disk: Arc<dyn Disk> = Arc::new(self.disk.clone());
        let parts = ArchiverParts {
            clock: Arc::new(self.clock.clone()),
            source: self.streams.clone(),
            retention: self.freed.clone(),
            store: Arc::new(DiskStore::new(disk)),
        };
        let settings = Settings::default();
        let archiver = Archiver::new(parts, subject(), FOLDER, schema(), settings);
        let (stop, stopped) = watch::channel(false);
        (tokio::spawn(archiver.run(stopped)), stop)
    }

    /// Lets an epoch's age pass, again and again, until the stream may free these records.
    async fn archived(&self, ends: &[(u32, u64)]) {
        let wanted: Positions = ends
            .iter()
            .map(|(shard, end)| (ShardId(*shard), *end))
            .collect();
        while *self.freed.0.borrow() != wanted {
            if self.clock.sleepers() > 0 {
                self.clock.advance(Duration::from_secs(60));
            }
            yield_now().await;
        }
    }
}

#[tokio::test]
async fn records_are_archived_as_time_passes_and_over_restarts() {
    let world = World::new();
    world.streams.change(|stream| stream.put(0, 20));
    let (task, stop) = world.start();
    world.archived(&[(0, 20)]).await;
    world.streams.change(|stream| {
        stream.put(0, 5);
        stream.shard(0).closed = true;
        stream.put(1, 3);
    });
    world.archived(&[(0, 25), (1, 3)]).await;
    stop.send_replace(true);
    assert_eq!(task.await.unwrap(), Ended::Stopped);
    world.streams.change(|stream| stream.put(1, 1));
    world.freed.0.send_replace(Positions::new());
    let (task, _stop) = world.start();
    world.archived(&[(0, 25), (1, 4)]).await;
    world.streams.change(|stream| stream.is_gone = true);
    assert_eq!(task.await.unwrap(), Ended::Finished);
    let table = open(&world.disk).unwrap();
    assert_eq!(
        rows(&table).unwrap(),
        expected_rows(&[span(0, 0, 25), span(1, 0, 4)])
    );
}

#[tokio::test]
async fn a_table_that_cannot_be_used_is_tried_again_after_a_pause() {
    let world = World::new();
    world.streams.change(|stream| stream.put(0, 20));
    world.disk.set_capacity(Some(100));
    let (task, stop) = world.start();
    let mut pauses = 0;
    while pauses < 3 {
        if let Some(deadline) = world.clock.next_deadline() {
            world.clock.set(deadline);
            pauses += 1;
        }
        yield_now().await;
    }
    assert!(world.freed.0.borrow().is_empty());
    world.disk.set_capacity(None);
    world.archived(&[(0, 20)]).await;
    drop(stop);
    assert_eq!(task.await.unwrap(), Ended::Stopped);
    assert!(world.clock.now() > SimClock::default().now());
}
