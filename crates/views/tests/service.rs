//! Views from their statements to their answers, over a stream in memory: made, asked, dropped, and taken up
//! again after a start.

mod support;

use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

use tidemill_log::{Disk, Log, MemoryLog, PartitionId, StateLog};
use tidemill_model::source::{Fetched, ReadLimit, SourceError, SourceShard, StartingPoint};
use tidemill_model::{BoxFuture, Clock, Record, Region, ShardId, Source, StreamArn};
use tidemill_testkit::{SimClock, SimDisk};
use tidemill_views::catalog::{Catalog, Refused};
use tidemill_views::layers::{LayersParts, Running};
use tidemill_views::master::Subject;
use tidemill_views::service::{
    Archiving, ArchivingFailure, Failure, Home, Views, ViewsParts, rows_of,
};
use tidemill_views::view_reader::{MinPosition, QueryOptions};
use tidemill_views::{DiskStore, Schema};

use support::{FOLDER, record, sealed, subject};

const VIEW: &str = "CREATE VIEW delays AS SELECT origin, count(*) AS n, sum(delay) AS delay \
                    FROM STREAM flights GROUP BY origin";

/// The stream `flights`, which has one shard.
#[derive(Default)]
struct Flights {
    /// The first readable position, and all records.
    shard: Mutex<(u64, Vec<Record>)>,
    put: Notify,
}

impl Flights {
    fn put(&self, count: u64) {
        let mut shard = self.shard.lock().expect("no test panics here");
        let from = shard.1.len() as u64;
        shard
            .1
            .extend((from..from + count).map(|position| record(0, position)));
        drop(shard);
        self.put.notify_waiters();
    }

    fn free(&self, before: u64) {
        self.shard.lock().expect("no test panics here").0 = before;
    }

    fn end(&self) -> u64 {
        self.shard.lock().expect("no test panics here").1.len() as u64
    }
}

impl Source for Flights {
    fn incarnation(&self, stream: &StreamArn) -> Result<u64, SourceError> {
        match stream.name.as_str() {
            "flights" => Ok(1),
            _ => Err(SourceError::NoStream {
                stream: stream.clone(),
            }),
        }
    }

    fn shards(&self, _: &StreamArn) -> Result<Vec<SourceShard>, SourceError> {
        let (first_readable, end) = (0, self.end());
        let parents = Vec::new();
        let id = ShardId(0);
        let closed = false;
        Ok(vec![SourceShard {
            id,
            parents,
            closed,
            first_readable,
            end,
        }])
    }

    fn locate<'a>(
        &'a self,
        _: &'a StreamArn,
        _: ShardId,
        _: StartingPoint,
    ) -> BoxFuture<'a, Result<u64, SourceError>> {
        Box::pin(async { Ok(self.shard.lock().expect("no test panics here").0) })
    }

    fn read<'a>(
        &'a self,
        _: &'a StreamArn,
        _: ShardId,
        from: u64,
        limit: ReadLimit,
    ) -> BoxFuture<'a, Result<Fetched, SourceError>> {
        let shard = self.shard.lock().expect("no test panics here");
        let records = shard.1.iter().skip(from.max(shard.0) as usize);
        let fetched = Fetched {
            records: records.take(limit.records).cloned().collect(),
            first_readable: shard.0,
            end: shard.1.len() as u64,
            closed: false,
        };
        Box::pin(async { Ok(fetched) })
    }

    fn wait<'a>(&'a self, _: &'a StreamArn, _: ShardId, from: u64) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            loop {
                let put = self.put.notified();
                if self.end() > from {
                    return;
                }
                put.await;
            }
        })
    }

    fn wait_for_shard<'a>(&'a self, _: &'a StreamArn, _: ShardId) -> BoxFuture<'a, ()> {
        Box::pin(std::future::pending())
    }
}

/// Notes what it is asked to archive.
#[derive(Default)]
struct Archived(Mutex<Vec<(String, usize)>>);

impl Archiving for Archived {
    fn begin<'a>(
        &'a self,
        stream: &'a StreamArn,
        schema: &'a Schema,
    ) -> BoxFuture<'a, Result<(), ArchivingFailure>> {
        let mut archived = self.0.lock().expect("no test panics here");
        archived.push((stream.name.clone(), schema.columns().len()));
        Box::pin(async { Ok(()) })
    }
}

fn folder(_: &Subject) -> String {
    FOLDER.to_owned()
}

struct World {
    flights: Arc<Flights>,
    archived: Arc<Archived>,
    disk: SimDisk,
    log: Arc<dyn Log>,
    clock: SimClock,
}

impl World {
    fn new() -> World {
        let clock = SimClock::default();
        World {
            flights: Arc::default(),
            archived: Arc::default(),
            disk: SimDisk::new(),
            log: Arc::new(MemoryLog::new(Arc::new(clock.clone()))),
            clock,
        }
    }

    /// Views as a start makes them.
    async fn views(&self) -> Views {
        let mut control = StateLog::new(self.log.clone(), PartitionId::CONTROL);
        let catalog = control.register(Catalog::default());
        control.open().await.expect("the log can be read");
        let clock: Arc<dyn Clock> = Arc::new(self.clock.clone());
        let disk: Arc<dyn Disk> = Arc::new(self.disk.clone());
        let layers = Running::new(LayersParts {
            clock: clock.clone(),
            source: self.flights.clone(),
            store: Arc::new(DiskStore::new(disk)),
            folder,
        });
        let views = Views::new(ViewsParts {
            catalog,
            source: self.flights.clone(),
            archiving: self.archived.clone(),
            layers: Arc::new(layers),
            clock,
            home: home(),
        });
        views.recover().await;
        views
    }
}

fn home() -> Home {
    Home {
        account: "000000000000".parse().expect("an account"),
        region: Region::new("us-east-1"),
    }
}

/// The rows of a query, once everything before `end` is in the answer.
async fn rows(views: &Views, sql: &str, end: u64) -> Result<Vec<String>, Failure> {
    let options = QueryOptions {
        min_positions: vec![MinPosition {
            stream: "flights".to_owned(),
            shard: ShardId(0),
            position: end - 1,
        }],
        as_of: None,
    };
    let answered = views.query(sql, options).await?;
    assert_eq!(answered.as_of[0].positions[&ShardId(0)], end);
    Ok(rows_of(&answered.rows).expect("they can be written"))
}

/// Records of which nine in ten are flights, and the sum of their delays.
fn expected(end: u64) -> (u64, i64) {
    let good = (0..end).filter(|position| position % 10 != 9);
    (end, good.map(|position| position as i64 - 20).sum())
}

async fn check(views: &Views, end: u64) {
    let (count, delay) = expected(end);
    let sql = "SELECT sum(n) AS n, sum(delay) AS delay FROM delays";
    let found = rows(views, sql, end).await.expect("answered");
    assert_eq!(found, [format!(r#"{{"n":{count},"delay":{delay}}}"#)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_view_over_inferred_columns_has_what_is_put_and_is_there_after_a_start() {
    let world = World::new();
    world.flights.put(9);
    let views = world.views().await;
    let created = views.carry_out(&home(), VIEW).await.expect("made");
    assert_eq!(
        created.inferred,
        ["delay", "departed", "distance", "fare", "origin"]
    );
    assert!(
        created.notices[0].contains("delays is exact"),
        "{:?}",
        created.notices
    );
    let archived = world
        .archived
        .0
        .lock()
        .expect("no test panics here")
        .clone();
    assert_eq!(archived, [("flights".to_owned(), 5)]);
    views.shutdown().await;
    let views = world.views().await;
    check(&views, 9).await;
    let status = views.status("delays").expect("there");
    assert_eq!(
        (status.class, status.columns[1].1.as_str()),
        ("exact", "BIGINT")
    );
    views.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_stream_has_freed_is_taken_from_the_master_dataset() {
    let world = World::new();
    world.flights.put(100);
    let mut table = support::open_as(&world.disk, &subject(), &Schema::default()).expect("opens");
    table
        .append(vec![sealed(0, 0, 40)], support::now())
        .expect("appended");
    table
        .append(vec![sealed(0, 40, 60)], support::now())
        .expect("appended");
    world.flights.free(60);
    let views = world.views().await;
    let declared = "CREATE SCHEMA FOR STREAM flights (origin TEXT, delay BIGINT)";
    views.carry_out(&home(), declared).await.expect("declared");
    views.carry_out(&home(), VIEW).await.expect("made");
    check(&views, 100).await;
    world.flights.put(30);
    check(&views, 130).await;
    views.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_view_is_made_once_and_dropped_once() {
    let world = World::new();
    world.flights.put(10);
    let views = world.views().await;
    let none = views.carry_out(&home(), "DROP VIEW delays").await;
    let name = || "delays".to_owned();
    assert_eq!(none, Err(Refused::NoView { name: name() }.into()));
    let declared = "CREATE SCHEMA FOR STREAM flights (origin TEXT, delay BIGINT)";
    views.carry_out(&home(), declared).await.expect("declared");
    views.carry_out(&home(), VIEW).await.expect("made");
    let twice = views.carry_out(&home(), VIEW).await;
    assert_eq!(twice, Err(Refused::ViewExists { name: name() }.into()));
    views
        .carry_out(&home(), "DROP VIEW delays")
        .await
        .expect("dropped");
    let gone = views
        .query("SELECT * FROM delays", QueryOptions::default())
        .await;
    assert!(gone.expect_err("gone").is_not_found());
    views.carry_out(&home(), VIEW).await.expect("made anew");
    check(&views, 10).await;
    views.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_is_found_before_anything_is_made() {
    let world = World::new();
    let views = world.views().await;
    let wrong = [
        (VIEW, "the columns of stream flights are not known"),
        (
            "CREATE VIEW v AS SELECT count(*) AS n FROM STREAM nobody",
            "there is no stream nobody",
        ),
        (
            "CREATE VIEW query AS SELECT count(*) AS n FROM STREAM flights",
            "cannot be a name",
        ),
        (
            "CREATE VIEW v AS SELECT median(x) AS n FROM STREAM flights",
            "batch-only",
        ),
        ("SELECT 1", "this is none of"),
    ];
    for (statement, text) in wrong {
        let failure = views
            .carry_out(&home(), statement)
            .await
            .expect_err("refused");
        assert!(failure.to_string().contains(text), "{statement}: {failure}");
    }
    assert!(views.list().is_empty());
    assert!(
        world
            .archived
            .0
            .lock()
            .expect("no test panics here")
            .is_empty()
    );
}
