//! Views from their statements to their answers, over a stream in memory: made, asked, altered, dropped, and
//! taken up again after a start.

mod support;
#[path = "service/tables.rs"]
mod tables;

use std::sync::atomic::{AtomicBool, Ordering};
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
    Archiving, ArchivingFailure, Failure, Home, Views, ViewsParts, columns_of, rows_of,
};
use tidemill_views::sql::Answered;
use tidemill_views::view_reader::{MinPosition, QueryOptions};
use tidemill_views::{DiskStore, Schema, Store};

use support::{FOLDER, record, sealed, subject};

const VIEW: &str = "CREATE VIEW delays AS SELECT origin, count(*) AS n, sum(delay) AS delay \
                    FROM STREAM flights GROUP BY origin";

/// The stream `flights`, which has one shard.
#[derive(Default)]
struct Flights {
    /// The first readable position, and all records.
    shard: Mutex<(u64, Vec<Record>)>,
    /// Who wants to read has to wait.
    is_stalled: AtomicBool,
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

    fn stall(&self, is_stalled: bool) {
        self.is_stalled.store(is_stalled, Ordering::SeqCst);
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
        Box::pin(async move {
            loop {
                let changed = self.put.notified();
                if !self.is_stalled.load(Ordering::SeqCst) {
                    break;
                }
                changed.await;
            }
            let shard = self.shard.lock().expect("no test panics here");
            let records = shard.1.iter().skip(from.max(shard.0) as usize);
            Ok(Fetched {
                records: records.take(limit.records).cloned().collect(),
                first_readable: shard.0,
                end: shard.1.len() as u64,
                closed: false,
            })
        })
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
            store: Arc::new(DiskStore::new(disk.clone())),
            folder,
        });
        let views = Views::new(ViewsParts {
            catalog,
            source: self.flights.clone(),
            archiving: self.archived.clone(),
            layers: Arc::new(layers),
            tables: Arc::new(DiskStore::new(disk)),
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
async fn a_group_is_looked_up_as_a_query_answers_it() {
    let world = World::new();
    world.flights.put(100);
    let views = world.views().await;
    let declared = "CREATE SCHEMA FOR STREAM flights (origin TEXT, delay BIGINT)";
    views.carry_out(&home(), declared).await.expect("declared");
    let selects = [
        (
            "plain",
            "SELECT origin, count(*) AS n, sum(delay) AS delay",
            "",
        ),
        (
            "computed",
            "SELECT avg(delay) * 2 + 1 AS twice, origin, origin || '!' AS loud, \
             CASE WHEN sum(delay) > 400 THEN 'late' ELSE 'early' END AS how",
            "",
        ),
        (
            "some",
            "SELECT origin, sum(delay) AS delay",
            "HAVING sum(delay) > 400",
        ),
        ("failing", "SELECT origin, 1 / (sum(delay) - 406) AS x", ""),
        (
            "few",
            "SELECT origin, sum(delay) AS delay",
            "ORDER BY delay DESC LIMIT 2",
        ),
        ("timed", "SELECT origin, now() AS at", ""),
    ];
    for (name, select, more) in selects {
        let view =
            format!("CREATE VIEW {name} AS {select} FROM STREAM flights GROUP BY origin {more}");
        views.carry_out(&home(), &view).await.expect("made");
        let all = rows(&views, &format!("SELECT * FROM {name}"), 100).await;
        assert_eq!(all.is_err(), name == "failing", "{all:?}");
        for origin in ["A0", "A1", "A2", "A3", "A4", "A5", "A6", "nowhere", "A'"] {
            let conditions = [("origin".to_owned(), origin.to_owned())];
            let found = views
                .lookup(name, &conditions, QueryOptions::default())
                .await;
            let quoted = origin.replace('\'', "''");
            let sql = format!("SELECT * FROM {name} WHERE origin = '{quoted}'");
            let asked = views.query(&sql, QueryOptions::default()).await;
            let told = |answered: Result<Answered, Failure>| {
                answered.map(|answered| {
                    let rows = rows_of(&answered.rows).expect("they can be written");
                    (columns_of(&answered.columns), rows, answered.as_of)
                })
            };
            assert_eq!(told(found), told(asked), "{name} {origin}");
        }
    }
    let one = "CREATE VIEW one AS SELECT count(*) AS n FROM STREAM flights WHERE delay > 1000";
    views.carry_out(&home(), one).await.expect("made");
    rows(&views, "SELECT * FROM one", 100)
        .await
        .expect("answered");
    let found = views.lookup("one", &[], QueryOptions::default()).await;
    let found = rows_of(&found.expect("answered").rows);
    assert_eq!(found.expect("they can be written"), [r#"{"n":0}"#]);
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
        ("SELECT 1", "this is no statement about views"),
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

/// What a statement that is carried out tells.
async fn told(views: &Views, statement: &str) -> Vec<String> {
    let done = views.carry_out(&home(), statement).await;
    done.unwrap_or_else(|failure| panic!("{statement}: {failure}"))
        .notices
}

async fn refusal(views: &Views, statement: &str) -> Failure {
    let done = views.carry_out(&home(), statement).await;
    done.expect_err(statement)
}

/// A view over declared columns, with everything before `end` in it.
async fn viewed(world: &World, end: u64) -> Views {
    world.flights.put(end);
    let views = world.views().await;
    let declared = "CREATE SCHEMA FOR STREAM flights (origin TEXT, delay BIGINT)";
    told(&views, declared).await;
    told(&views, VIEW).await;
    check(&views, end).await;
    views
}

const ALL: &str = "SELECT sum(n) AS n, sum(delay) AS delay FROM delays";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_excluded_is_in_no_answer_until_it_is_undone() {
    let world = World::new();
    let views = viewed(&world, 30).await;
    // Ten of them in all, one of which has no delay.
    let exclude = "EXCLUDE FROM STREAM flights SHARD 0 [5, 15) REASON 'the clock was wrong'";
    let notices = told(&views, exclude).await;
    assert!(
        notices[0].starts_with("exclusion 1: 10 positions"),
        "{notices:?}"
    );
    assert_eq!(notices[1], "computed anew: delays");
    let (_, delay) = expected(30);
    let kept = delay
        - (5..15)
            .filter(|at| at % 10 != 9)
            .map(|at| at - 20)
            .sum::<i64>();
    let without = [format!(r#"{{"n":20,"delay":{kept}}}"#)];
    assert_eq!(rows(&views, ALL, 30).await.expect("answered"), without);
    views.shutdown().await;
    let views = world.views().await;
    assert_eq!(rows(&views, ALL, 30).await.expect("answered"), without);
    world.flights.put(10);
    let later = rows(&views, "SELECT sum(n) AS n FROM delays", 40).await;
    assert_eq!(later.expect("answered"), [r#"{"n":30}"#]);
    told(&views, "UNDO EXCLUSION 1 REASON 'it was right'").await;
    check(&views, 40).await;
    let [fact] = &views.exclusions()[..] else {
        panic!("one fact");
    };
    assert_eq!(fact.reason, "the clock was wrong");
    let undone = fact.undone.as_ref().expect("undone");
    assert_eq!(undone.reason, "it was right");
    views.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_records_that_are_there_are_excluded_and_each_once() {
    let world = World::new();
    let views = viewed(&world, 30).await;
    told(
        &views,
        "EXCLUDE FROM STREAM flights SHARD 0 [5, 15) REASON 'x'",
    )
    .await;
    let wrong = [
        (
            "flights SHARD 0 [29, 31) REASON 'x'",
            "only what is there can be excluded",
        ),
        (
            "flights SHARD 1 [0, 1) REASON 'x'",
            "has no shardId-000000000001",
        ),
        (
            "flights SHARD 0 [14, 16) REASON 'x'",
            "exclusion 1 has [5, 15)",
        ),
        ("flights SHARD 0 [20, 20) REASON 'x'", "has no positions"),
        ("flights SHARD 0 [20, 21) REASON ''", "a reason is needed"),
        (
            "nobody SHARD 0 [20, 21) REASON 'x'",
            "there is no stream nobody",
        ),
    ];
    for (records, text) in wrong {
        let statement = format!("EXCLUDE FROM STREAM {records}");
        let failure = refusal(&views, &statement).await.to_string();
        assert!(failure.contains(text), "{statement}: {failure}");
    }
    let none = refusal(&views, "UNDO EXCLUSION 2 REASON 'x'").await;
    assert!(none.is_not_found());
    assert_eq!(views.exclusions().len(), 1);
    views.shutdown().await;
}

/// The view without one origin and with another sum.
const ALTERED: &str = "ALTER VIEW delays AS SELECT origin, count(*) AS n, sum(delay) + 1 AS delay \
                       FROM STREAM flights WHERE origin <> 'A1' GROUP BY origin";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_view_is_altered_compared_promoted_and_rolled_back() {
    let world = World::new();
    let views = viewed(&world, 30).await;
    let before = rows(&views, ALL, 30).await.expect("answered");
    let notices = told(&views, ALTERED).await;
    assert!(notices[0].starts_with("delays@2 is exact"), "{notices:?}");
    assert_eq!(
        rows(&views, ALL, 30).await.expect("answered"),
        before,
        "it is served as ever"
    );
    let sql = r#"SELECT count(*) AS groups FROM "delays@2""#;
    assert_eq!(
        rows(&views, sql, 30).await.expect("answered"),
        [r#"{"groups":6}"#]
    );
    let diff = views.diff("delays").await.expect("compared");
    // Seven origins, and the group of those without one, which the filter leaves out.
    assert_eq!((diff.equal, diff.differ), (0, 6));
    assert_eq!((diff.only_in_served, diff.only_in_other), (2, 0));
    assert_eq!(diff.positions[&ShardId(0)], 30);
    assert_eq!(diff.compared, ["origin", "n", "delay"]);
    let nobody = &diff.first[0];
    assert_eq!(
        nobody.served.as_deref(),
        Some(r#"{"origin":null,"n":3,"delay":null}"#)
    );
    assert_eq!(nobody.other, None);
    told(&views, "PROMOTE VIEW delays").await;
    let sql = "SELECT sum(n) AS n, count(*) AS groups FROM delays";
    let promoted = [r#"{"n":23,"groups":6}"#];
    assert_eq!(rows(&views, sql, 30).await.expect("answered"), promoted);
    let previous = ALL.replace("delays", "\"delays@1\"");
    assert_eq!(rows(&views, &previous, 30).await.expect("answered"), before);
    world.flights.put(10);
    let names = |views: &Views| -> Vec<String> {
        views.list().into_iter().map(|status| status.name).collect()
    };
    views.shutdown().await;
    let views = world.views().await;
    assert_eq!(names(&views), ["delays", "delays@1"]);
    rows(&views, &previous, 40)
        .await
        .expect("it is there again");
    told(&views, "ROLLBACK VIEW delays").await;
    check(&views, 40).await;
    assert_eq!(names(&views), ["delays", "delays@2"]);
    told(&views, "ROLLBACK VIEW delays").await;
    assert_eq!(
        rows(&views, sql, 40).await.expect("answered"),
        [r#"{"n":31,"groups":6}"#]
    );
    told(&views, "DROP VIEW delays PREVIOUS").await;
    assert_eq!(names(&views), ["delays"]);
    let none = refusal(&views, "ROLLBACK VIEW delays").await;
    let name = "delays".to_owned();
    assert_eq!(none, Refused::NoPrevious { name }.into());
    told(&views, "DROP VIEW delays").await;
    assert!(views.list().is_empty());
    views.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_that_has_not_caught_up_is_not_promoted() {
    let world = World::new();
    let views = viewed(&world, 30).await;
    world.flights.stall(true);
    told(&views, ALTERED).await;
    let behind = refusal(&views, "PROMOTE VIEW delays").await;
    assert!(
        behind.to_string().starts_with("delays@2 has not caught up"),
        "{behind}"
    );
    assert_eq!(views.status("delays").expect("there").view.version, 1);
    check(&views, 30).await;
    let again = refusal(&views, ALTERED).await;
    assert!(
        again
            .to_string()
            .contains("a next version of delays already"),
        "{again}"
    );
    world.flights.stall(false);
    let sql = r#"SELECT sum(n) AS n FROM "delays@2""#;
    rows(&views, sql, 30).await.expect("it has caught up");
    told(&views, "PROMOTE VIEW delays").await;
    assert_eq!(views.status("delays").expect("there").view.version, 2);
    told(&views, VIEW.replace("CREATE", "ALTER").as_str()).await;
    told(&views, "DROP VIEW delays NEXT").await;
    let none = refusal(&views, "PROMOTE VIEW delays").await;
    let name = "delays".to_owned();
    assert_eq!(none, Refused::NoNext { name }.into());
    views.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn versions_of_the_same_statement_are_equal_and_other_groups_are_not_compared() {
    let world = World::new();
    let views = viewed(&world, 30).await;
    told(&views, VIEW.replace("CREATE", "ALTER").as_str()).await;
    rows(&views, r#"SELECT * FROM "delays@2""#, 30)
        .await
        .expect("it has caught up");
    let diff = views.diff("delays").await.expect("compared");
    assert!(diff.is_empty() && diff.equal == 8, "{:?}", diff.lines());
    told(&views, "DROP VIEW delays NEXT").await;
    let by_delay =
        "ALTER VIEW delays AS SELECT delay, count(*) AS n FROM STREAM flights GROUP BY delay";
    told(&views, by_delay).await;
    rows(&views, r#"SELECT * FROM "delays@3""#, 30)
        .await
        .expect("it has caught up");
    let failure = views.diff("delays").await.expect_err("refused").to_string();
    assert!(
        failure.contains("delays groups by (TEXT) and delays@3 by (BIGINT)"),
        "{failure}"
    );
    let elsewhere = "ALTER VIEW delays AS SELECT count(*) AS n FROM STREAM nobody";
    told(&views, "DROP VIEW delays NEXT").await;
    let failure = refusal(&views, elsewhere).await.to_string();
    assert!(failure.contains("is over stream flights"), "{failure}");
    views.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_may_say_itself_what_it_is_as_of() {
    let world = World::new();
    let views = viewed(&world, 30).await;
    let at = |vector: &str| {
        format!("SELECT sum(n) AS n FROM delays AS OF POSITION '{vector}' WHERE n > 0")
    };
    let there = rows(&views, &at("0:30"), 30).await.expect("answered");
    assert_eq!(there, [r#"{"n":30}"#]);
    let failure = rows(&views, &at("0:31"), 30).await.expect_err("refused");
    assert!(failure.to_string().contains("as demanded"), "{failure}");
    views.shutdown().await;
}

const AIRPORTS: &[u8] =
    b"{\"code\":\"A1\",\"country\":\"IN\"}\n{\"code\":\"A2\",\"country\":\"CH\"}\n";

const BY_COUNTRY: &str = "AS SELECT a.country, count(*) AS n FROM STREAM flights f \
                          LEFT JOIN airports a ON a.code = f.origin GROUP BY a.country";
