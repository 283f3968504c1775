//! Queries over views, in `tests/queries`: their answers, what these are as of, and what is refused.

mod support;

use std::future::pending;
use std::sync::Arc;

use datafusion::arrow::util::pretty::pretty_format_batches_with_schema;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;

use tidemill_model::ShardId;
use tidemill_testkit::SimClock;
use tidemill_views::definition::Definition;
use tidemill_views::sql::{Answered, Queries, QueryError};
use tidemill_views::view_reader::{
    Denied, Done, KeyFilter, MinPosition, QueryOptions, ReadError, Reading, ViewReader, ViewSource,
};
use tidemill_views::{Aggregate, Type};

use support::sales::{Held, Shelf, shelf};

fn runtime() -> Runtime {
    let mut builder = Builder::new_current_thread();
    builder.build().expect("a runtime can be built")
}

fn queries(shelf: &Arc<Shelf>) -> Arc<Queries> {
    let shelf = Arc::clone(shelf);
    Arc::new(Queries::new(shelf, Arc::new(SimClock::default())))
}

fn ask(queries: &Arc<Queries>, text: &str) -> Result<Answered, QueryError> {
    runtime().block_on(queries.query(text, QueryOptions::default()))
}

fn told(answered: &Result<Answered, QueryError>) -> String {
    match answered {
        Err(error) if error.hint.is_empty() => format!("{:?}: {}", error.kind, error.what),
        Err(error) => format!("{:?}: {}\nhint: {}", error.kind, error.what, error.hint),
        Ok(Answered {
            columns,
            rows,
            as_of,
            ..
        }) => {
            let table = pretty_format_batches_with_schema(Arc::clone(columns), rows);
            let table = table.expect("it can be printed");
            let as_of = as_of.iter().map(|one| {
                let positions = one.positions.iter();
                let positions = positions.map(|(shard, end)| format!("{}:{end}", shard.0));
                let positions = positions.collect::<Vec<_>>().join(",");
                let lag = one.lag.as_millis();
                format!(
                    "\n{} as of {positions}, epoch {}, lag {lag} ms",
                    one.view, one.epoch
                )
            });
            format!("{table}{}", as_of.collect::<String>())
        }
    }
}

#[test]
fn every_query_is_answered_as_is_written() {
    let scripts = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/queries");
    tidemill_testkit::script::run_all(scripts, || {
        let queries = queries(&shelf());
        move |query: &str| told(&ask(&queries, query))
    });
}

#[test]
fn conditions_on_keys_are_told_to_the_reader() {
    let shelf = shelf();
    let queries = queries(&shelf);
    let asked = |text: &str| {
        let answered = ask(&queries, text);
        assert!(answered.is_ok(), "{answered:?}");
        let views = shelf.views.lock().expect("nothing panics");
        let asked = std::mem::take(&mut *views[0].asked.lock().expect("nothing panics"));
        let asked = asked.iter().map(|filters| {
            let filters = filters.iter().map(|filter| {
                let range = format!("{:?} to {:?}", filter.from, filter.to);
                let equal = filter.equals().map(|value| format!("{value:?}"));
                format!("_k{} {}", filter.key, equal.unwrap_or(range))
            });
            filters.collect::<Vec<_>>().join(", ")
        });
        asked.collect::<Vec<_>>()
    };
    assert_eq!(
        asked("SELECT n FROM by_hour WHERE store = 'BLR' AND n > 1"),
        ["_k0 Text(\"BLR\")"]
    );
    let since = asked("SELECT n FROM by_hour WHERE hour >= TIMESTAMP '2026-03-01T11:00:00Z'");
    assert_eq!(
        since,
        ["_k1 Included(Timestamp(1772362800000000)) to Unbounded"]
    );
    // A view that is named twice is read once, so that both are as of the same positions.
    let both = "SELECT a.n FROM by_hour a JOIN by_hour b ON a.hour = b.hour WHERE a.store = 'BLR'";
    assert_eq!(asked(both), [""]);
}

#[test]
fn a_record_that_is_demanded_and_not_there_yet_is_an_error() {
    let queries = queries(&shelf());
    let demand = |position| QueryOptions {
        min_positions: vec![MinPosition {
            stream: "sales".into(),
            shard: ShardId(1),
            position,
        }],
        as_of: None,
    };
    let query =
        |position| runtime().block_on(queries.query("SELECT * FROM everything", demand(position)));
    assert!(query(5).is_ok(), "{:?}", query(5));
    let refused = told(&query(6));
    assert_eq!(
        refused,
        "Unanswerable: everything cannot be answered as demanded: position 6 is not there yet"
    );
}

#[test]
fn views_that_are_dropped_are_gone_for_the_next_query() {
    let shelf = shelf();
    let queries = queries(&shelf);
    assert!(ask(&queries, "SELECT * FROM top").is_ok());
    shelf.views.lock().expect("nothing panics").pop();
    let gone = told(&ask(&queries, "SELECT * FROM top"));
    assert_eq!(
        gone,
        "NoView: there is no view `top`\nhint: there are by_hour, everything"
    );
}

/// A view whose reader never answers.
struct Stuck {
    view: Arc<Held>,
    asked: mpsc::Sender<()>,
}

impl ViewReader for Stuck {
    fn definition(&self) -> &Definition {
        self.view.definition()
    }

    fn keys(&self) -> &[Type] {
        self.view.keys()
    }

    fn aggregates(&self) -> &[Aggregate] {
        self.view.aggregates()
    }

    fn read<'a>(
        &'a self,
        _filters: &'a [KeyFilter],
        _options: &'a QueryOptions,
    ) -> BoxFuture<'a, Result<Reading, ReadError>> {
        async {
            self.asked.send(()).await.expect("the test waits for it");
            pending().await
        }
        .boxed()
    }
}

struct OnlyStuck(Arc<Stuck>);

impl ViewSource for OnlyStuck {
    fn views(&self) -> Vec<Arc<dyn ViewReader>> {
        vec![Arc::clone(&self.0) as Arc<dyn ViewReader>]
    }

    fn carry_out<'a>(&'a self, _statement: &'a str) -> BoxFuture<'a, Result<Done, Denied>> {
        panic!("only queries are asked here")
    }
}

#[test]
fn a_query_that_nobody_waits_for_any_more_makes_room_for_others() {
    let (asked, mut readings) = mpsc::channel(1);
    let view = Held::view("CREATE VIEW stuck AS SELECT count(*) AS n FROM STREAM sales");
    let source = Arc::new(OnlyStuck(Arc::new(Stuck { view, asked })));
    let queries = Arc::new(Queries::new(source, Arc::new(SimClock::default())));
    runtime().block_on(async {
        // Three times as many as are computed at once.
        for _ in 0..48 {
            let queries = Arc::clone(&queries);
            let query = tokio::spawn(async move {
                let query = queries.query("SELECT * FROM stuck", QueryOptions::default());
                query.await.is_ok()
            });
            readings.recv().await.expect("the view is read");
            query.abort();
            assert!(query.await.is_err_and(|stopped| stopped.is_cancelled()));
        }
        let answered = queries.query("SELECT 1 AS one", QueryOptions::default());
        assert!(answered.await.is_ok());
    });
}
