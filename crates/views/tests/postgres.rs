//! Views as clients of Postgres see them: rows, errors, settings, the catalogue, and what they survive.

mod support;

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use futures_util::FutureExt;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use tidemill_model::{SequenceNumber, ShardId};
use tidemill_testkit::SimClock;
use tidemill_views::sql::{Queries, listen};

use support::postgres::{Client, Told};
use support::sales::shelf;

/// A server that is there as long as this is.
struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    stopped: Option<tokio::task::JoinHandle<()>>,
    runtime: Runtime,
}

impl Server {
    fn start(connections_max: usize) -> Server {
        let mut builder = Builder::new_multi_thread();
        let runtime = builder.worker_threads(2).enable_io().enable_time().build();
        let runtime = runtime.expect("a runtime can be built");
        let queries = Arc::new(Queries::new(shelf(), Arc::new(SimClock::default())));
        let (stop, stopping) = oneshot::channel();
        let shutdown = stopping.map(|_| ()).boxed();
        let anywhere = "127.0.0.1:0".parse().expect("it is an address");
        let listening = listen(queries, anywhere, connections_max, shutdown);
        let listening = runtime.block_on(listening).expect("a port is free");
        Server {
            address: listening.address,
            stop: Some(stop),
            stopped: Some(listening.stopped),
            runtime,
        }
    }

    fn client(&self) -> Client {
        let parameters = [("user", "me"), ("database", "tidemill")];
        Client::connect(self.address, &parameters).expect("it lets everybody in")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        let stopped = self.stopped.take().expect("it is stopped once");
        self.runtime.block_on(stopped).expect("it does not panic");
    }
}

fn texts(told: &Told) -> Vec<Vec<&str>> {
    assert_eq!(told.error, None);
    let rows = told.rows.iter();
    rows.map(|row| {
        row.iter()
            .map(|value| value.as_deref().unwrap_or("∅"))
            .collect()
    })
    .collect()
}

fn refusal(told: &Told) -> (&str, &str, &str) {
    let (code, what, hint) = told.error.as_ref().expect("it is refused");
    (code, what, hint)
}

#[test]
fn rows_go_out_after_a_notice_of_what_they_are_as_of() {
    let server = Server::start(4);
    let mut client = server.client();
    let told = client
        .simple("SELECT store, hour, n, total FROM by_hour WHERE store >= 'BLR' ORDER BY hour");
    assert_eq!(told.columns, ["store", "hour", "n", "total"]);
    let expected = [
        ["BLR", "2026-03-01 10:00:00.000000+00", "3", "10.75"],
        ["ZRH", "2026-03-01 11:00:00.000000+00", "1", "3.00"],
        ["ZRH", "2026-03-02 00:00:00.000000+00", "1", "7.75"],
        [
            "ZRH",
            "2026-04-01 00:00:00.000000+00",
            "1",
            "99999999999999999999.99",
        ],
    ];
    assert_eq!(texts(&told), expected);
    assert_eq!(told.tags, ["SELECT 4"]);
    let as_of = "view=by_hour as_of={0:6,1:6} epoch=3 lag=42ms class=exact";
    assert_eq!(told.notices, [as_of]);
    assert_eq!(client.simple("SHOW tidemill.last_as_of").value(), as_of);
    client.simple("SET tidemill.notices = off");
    assert!(client.simple("SELECT * FROM top").notices.is_empty());
}

#[test]
fn parameters_have_the_types_of_what_they_are_compared_with() {
    let server = Server::start(4);
    let mut client = server.client();
    let by_store =
        "SELECT n FROM by_hour WHERE store = $1 AND hour >= $2 AND n < $3 AND total > $4";
    let parameters = [
        Some("ZRH"),
        Some("2026-03-02 00:00:00+00"),
        Some("5"),
        Some("7.5"),
    ];
    let told = client.extended(by_store, &parameters);
    assert_eq!(texts(&told), [["1"], ["1"]]);
    let none = client.extended(by_store, &[None, None, None, None]);
    assert_eq!(texts(&none), Vec::<Vec<&str>>::new());
    assert_eq!(
        texts(&client.extended("SELECT $1::bigint + 1", &[Some("41")])),
        [["42"]]
    );
    let wrong = client.extended(by_store, &[Some("ZRH"), Some("soon"), Some("5"), Some("7")]);
    assert!(wrong.error.is_some());
    assert_eq!(wrong.status, 'I');
    assert_eq!(client.extended("SELECT 1", &[]).value(), "1");
}

#[test]
fn what_is_wrong_with_a_statement_is_said_with_what_there_is() {
    let server = Server::start(4);
    let mut client = server.client();
    let views = "there are by_hour, everything, top";
    let columns = "there are store, hour, n, total, mean";
    let cases = [
        (
            "SELECT * FROM by_huor",
            "42P01",
            "there is no view `by_huor`",
            views,
        ),
        (
            "SELECT stroe FROM by_hour",
            "42703",
            "there is no column `stroe`",
            columns,
        ),
        (
            "SELECT most + 1 FROM everything",
            "22000",
            "Arithmetic overflow: Overflow happened on: 9223372036854775807 + 1",
            "",
        ),
        (
            "SET tidemill.frobnicate = 1",
            "42704",
            "there is no setting `tidemill.frobnicate`; SHOW ALL lists them",
            "",
        ),
        (
            "SET client_encoding = 'LATIN1'",
            "22023",
            "client_encoding is always utf8 here, and not LATIN1",
            "",
        ),
        (
            "INSERT INTO top VALUES (1)",
            "0A000",
            "INSERT is not supported",
            "records come in by PutRecord; views follow from them",
        ),
        (
            "ALTER VIEW top RENAME TO t",
            "42804",
            "this is not done here: ALTER VIEW top RENAME TO t",
            "",
        ),
    ];
    for (statement, code, what, hint) in cases {
        let told = client.simple(statement);
        assert_eq!(refusal(&told), (code, what, hint), "{statement}");
        let told = client.extended(statement, &[]);
        assert_eq!(refusal(&told), (code, what, hint), "{statement}");
    }
    let told = client.simple("SELEC 1");
    assert_eq!(refusal(&told).0, "42601");
}

#[test]
fn nothing_that_is_sent_ends_the_connection_or_the_server() {
    let server = Server::start(4);
    let mut client = server.client();
    let deep = format!("SELECT {}1{}", "(".repeat(5_000), ")".repeat(5_000));
    let wide = format!("SELECT 1 {}", "+ 1".repeat(5_000));
    let long = format!("SELECT '{}'", "x".repeat(300 * 1024));
    let bad = [
        deep.as_str(),
        &wide,
        &long,
        ";;;",
        "",
        "'",
        "$$",
        "/*",
        "SELECT $1",
        "SELECT 1; SELECT 1 / 0; SELECT 2",
        "EXPLAIN ANALYZE SELECT * FROM top",
        "SELECT date_bin(INTERVAL '0 seconds', now())",
        "SELECT lpad('x', 2147483647)",
        "SELECT repeat('x', 2147483647)",
        "SELECT array_repeat(1, 2147483647)",
        "COPY top FROM STDIN",
        "SELECT * FROM pg_catalog.pg_class",
    ];
    for statement in bad {
        let shown: String = statement.chars().take(60).collect();
        let told = client.simple(statement);
        assert_eq!(told.status, 'I', "{shown}: {:?}", told.error);
        client.extended(statement, &[]);
        assert_eq!(client.simple("SELECT 1 AS one").value(), "1", "{shown}");
    }
    let told = client.simple("SELECT 1; SELECT 1 / 0; SELECT 2");
    assert_eq!(told.tags, ["SELECT 1"]);
    assert_eq!(refusal(&told), ("22000", "Divide by zero error", ""));
}

#[test]
fn a_client_that_breaks_the_protocol_breaks_its_own_connection_at_most() {
    let server = Server::start(4);
    let mut other = server.client();
    for kind in [b'?', b'B', b'E', b'D', b'd', b'p', 0] {
        let mut client = server.client();
        client.send(kind, &[0xff; 9]);
        client.send(b'S', b"");
        let _ = client.told();
        assert_eq!(other.simple("SELECT 1").value(), "1");
    }
}

#[test]
fn views_are_made_and_dropped_by_statements_and_told_about() {
    let server = Server::start(4);
    let mut client = server.client();
    let made = client.simple("CREATE VIEW by_status AS SELECT status, count(*) AS n FROM STREAM sales GROUP BY status; SELECT n FROM by_status WHERE status = 'open'");
    assert_eq!(texts(&made), [["2"]]);
    assert_eq!(made.tags, ["CREATE VIEW", "SELECT 1"]);
    assert_eq!(made.notices[0], "class: exact");
    let refused = client.extended(
        "CREATE VIEW bad AS SELECT median(n) AS m FROM STREAM sales",
        &[],
    );
    let (code, what, hint) = refusal(&refused);
    assert_eq!(code, "42804");
    assert!(what.starts_with("batch-only: median(n)"), "{what}");
    assert!(hint.starts_with("CREATE VIEW name"), "{hint}");
    assert_eq!(
        client.extended("DROP VIEW by_status", &[]).tags,
        ["DROP VIEW"]
    );
    assert_eq!(
        refusal(&client.simple("SELECT * FROM by_status")).0,
        "42P01"
    );
}

#[test]
fn a_record_can_be_demanded_by_its_sequence_number() {
    let server = Server::start(4);
    let mut client = server.client();
    let demand = |client: &mut Client, position| {
        let number = SequenceNumber::of_record(ShardId(1), 1_000, position, 2_000);
        let set = client.simple(&format!("SET tidemill.min_position = 'sales/{number}'"));
        assert_eq!(set.tags, ["SET"]);
        client.simple("SELECT n FROM everything")
    };
    assert_eq!(demand(&mut client, 5).value(), "12");
    let late = demand(&mut client, 6);
    let why = "everything cannot be answered as demanded: position 6 is not there yet";
    assert_eq!(refusal(&late), ("55000", why, ""));
    client.simple("RESET ALL");
    assert_eq!(client.simple("SELECT n FROM everything").value(), "12");
}

#[test]
fn a_transaction_is_a_word_and_an_error_in_it_is_remembered() {
    let server = Server::start(4);
    let mut client = server.client();
    assert_eq!(client.simple("BEGIN READ ONLY").status, 'T');
    assert_eq!(client.simple("SELECT 1").status, 'T');
    assert_eq!(client.simple("SELECT 1 / 0").status, 'E');
    let ended = client.simple("ROLLBACK");
    assert_eq!(
        (ended.status, ended.tags),
        ('I', vec!["ROLLBACK".to_owned()])
    );
}

#[test]
fn one_connection_too_many_is_told_so() {
    let server = Server::start(2);
    let mut first = server.client();
    let second = server.client();
    let parameters = [("user", "me"), ("database", "tidemill")];
    let turned_away = Client::connect(server.address, &parameters)
        .err()
        .expect("it is too many");
    let what = "there are 2 connections already, which is the limit";
    assert_eq!(refusal(&turned_away), ("53300", what, ""));
    drop(second);
    // The place is free as soon as the server has seen that it was left.
    let again = (0..1_000).any(|_| Client::connect(server.address, &parameters).is_ok());
    assert!(again);
    assert_eq!(first.simple("SELECT 1").value(), "1");
}

#[test]
fn another_database_or_a_wrong_setting_is_refused_at_the_door() {
    // Places for all, because one that was refused is given up only when the server sees that.
    let server = Server::start(4);
    let other = Client::connect(server.address, &[("user", "me"), ("database", "postgres")]);
    let what = "there is no database `postgres`; the one here is tidemill";
    assert_eq!(
        refusal(&other.err().expect("it is refused")),
        ("3D000", what, "")
    );
    let parameters = [
        ("user", "me"),
        ("database", "tidemill"),
        ("client_encoding", "LATIN1"),
    ];
    let other = Client::connect(server.address, &parameters)
        .err()
        .expect("it is refused");
    assert_eq!(refusal(&other).0, "22023");
    let parameters = [
        ("user", "me"),
        ("database", "tidemill"),
        ("TimeZone", "Europe/Zurich"),
    ];
    let mut client = Client::connect(server.address, &parameters).expect("drivers say this");
    assert_eq!(client.simple("SHOW timezone").value(), "UTC");
}

#[test]
fn views_are_materialised_views_in_the_catalogue() {
    let server = Server::start(2);
    let mut client = server.client();
    let listed = "SELECT c.relname, c.relkind FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n \
        ON n.oid = c.relnamespace WHERE n.nspname = 'public' ORDER BY 1";
    let expected = [["by_hour", "m"], ["everything", "m"], ["top", "m"]];
    assert_eq!(texts(&client.simple(listed)), expected);
    let listed = "SELECT matviewname, ispopulated FROM pg_matviews WHERE schemaname = 'public'";
    let expected = [["by_hour", "t"], ["everything", "t"], ["top", "t"]];
    assert_eq!(texts(&client.simple(listed)), expected);
    let columns = "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute a JOIN pg_class c \
        ON a.attrelid = c.oid WHERE c.relname = 'by_hour' AND attnum > 0 ORDER BY attnum";
    let found = client.simple(columns);
    let names: Vec<&str> = texts(&found).iter().map(|row| row[0]).collect();
    assert_eq!(names, ["store", "hour", "n", "total", "mean"]);
    assert!(
        client
            .simple("SELECT version()")
            .value()
            .starts_with("PostgreSQL 16")
    );
    assert_eq!(
        client.simple("SELECT current_database()").value(),
        "tidemill"
    );
    assert_eq!(
        texts(&client.simple("SHOW VIEWS")),
        [["by_hour"], ["everything"], ["top"]]
    );
}

/// What programs ask when somebody connects with them; each query stands alone, between blank lines.
#[test]
fn what_programs_ask_of_the_catalogue_is_answered() {
    let server = Server::start(2);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/catalogue");
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("the folder is there")
        .map(|entry| entry.expect("it can be listed").path())
        .collect();
    files.sort();
    assert!(!files.is_empty());
    let mut failures = Vec::new();
    for file in files {
        let name = file.file_stem().expect("it has a name").to_string_lossy();
        let text = fs::read_to_string(&file).expect("it can be read");
        let mut client = server.client();
        for query in text
            .split("\n\n")
            .map(str::trim)
            .filter(|query| !query.is_empty())
        {
            let told = client.simple(query);
            if let Some(error) = told.error {
                failures.push(format!("{name}: {query}\n{error:?}"));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}
