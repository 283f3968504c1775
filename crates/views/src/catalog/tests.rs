//! The catalog: what is refused, what a snapshot keeps, and how commands look.

use super::*;
use crate::limits::{TABLE_VERSIONS_MAX, TABLES_MAX};
use crate::schema::{Column, Format};

use tidemill_model::ShardId;

fn arn() -> StreamArn {
    "arn:aws:kinesis:us-east-1:000000000000:stream/orders"
        .parse()
        .expect("an ARN")
}

fn schema(names: &[&str]) -> Schema {
    let column = |name: &&str| Column {
        name: (*name).to_owned(),
        format: Format::Text,
        path: vec![(*name).to_owned()],
    };
    Schema::new(names.iter().map(column).collect()).expect("a schema")
}

fn declared(names: &[&str], incarnation: u64) -> Command {
    let schema = StreamSchema {
        stream: arn(),
        incarnation,
        schema: schema(names),
        inferred: false,
    };
    Command::DeclareSchema { schema }
}

fn created(name: &str) -> Command {
    let view = NewView {
        name: name.to_owned(),
        stream: arn(),
        incarnation: 1,
        statement: format!("CREATE VIEW {name} AS SELECT count(*) AS n FROM STREAM orders"),
        schema: schema(&["store"]),
        tables: Vec::new(),
    };
    Command::CreateView { view }
}

fn version(name: &str, number: u32) -> TableVersion {
    TableVersion {
        name: name.to_owned(),
        number,
        schema: schema(&["code"]),
        rows: 3,
        digest: format!("d{number}"),
    }
}

fn put_table(name: &str, number: u32) -> Command {
    let version = version(name, number);
    Command::PutTable { version }
}

fn dropped_table(name: &str) -> Command {
    let name = name.to_owned();
    Command::DropTable { name }
}

/// A view over a version of a table.
fn joined(name: &str, table: &str, number: u32) -> Command {
    match created(name) {
        Command::CreateView { mut view } => {
            view.tables = vec![version(table, number)];
            Command::CreateView { view }
        }
        other => other,
    }
}

fn dropped(name: &str) -> Command {
    let name = name.to_owned();
    Command::DropView { name }
}

fn applied(catalog: &mut Catalog, command: Command) -> Result<(), Refused> {
    catalog.apply(Timestamp::from_millis(5), 0, command)
}

#[test]
fn a_name_is_had_once_and_another_view_of_it_is_another_view() {
    let mut catalog = Catalog::default();
    applied(&mut catalog, created("sales")).expect("made");
    let first = catalog.view("sales").expect("there").id;
    let name = || "sales".to_owned();
    let again = applied(&mut catalog, created("sales"));
    assert_eq!(again, Err(Refused::ViewExists { name: name() }));
    applied(&mut catalog, dropped("sales")).expect("dropped");
    let again = applied(&mut catalog, dropped("sales"));
    assert_eq!(again, Err(Refused::NoView { name: name() }));
    applied(&mut catalog, created("sales")).expect("made anew");
    assert_ne!(catalog.view("sales").expect("there").id, first);
}

fn altered(name: &str) -> Command {
    let Command::CreateView { view } = created(name) else {
        unreachable!("it makes a view");
    };
    Command::AlterView { view }
}

fn promoted(name: &str, version: u32) -> Command {
    let name = name.to_owned();
    Command::PromoteView { name, version }
}

fn rolled_back(name: &str, version: u32) -> Command {
    let name = name.to_owned();
    Command::RollBackView { name, version }
}

fn dropped_beside(name: &str, place: Beside) -> Command {
    let name = name.to_owned();
    Command::DropVersion { name, place }
}

/// What versions of `sales` there are: the served one, the next, the previous.
fn numbers(catalog: &Catalog) -> (u32, Option<u32>, Option<u32>) {
    let served = catalog.view("sales").expect("there").version;
    let versions = catalog.versions("sales").expect("there");
    let number = |view: Option<&View>| view.map(|view| view.version);
    (
        served,
        number(versions.next.as_ref()),
        number(versions.previous.as_ref()),
    )
}

#[test]
fn a_version_is_made_beside_the_served_one_and_promoted_and_rolled_back() {
    let mut catalog = Catalog::default();
    let name = || "sales".to_owned();
    let none = Err(Refused::NoView { name: name() });
    assert_eq!(applied(&mut catalog, altered("sales")), none);
    applied(&mut catalog, created("sales")).expect("made");
    let none = Err(Refused::NoNext { name: name() });
    assert_eq!(applied(&mut catalog, promoted("sales", 2)), none);
    let none = Err(Refused::NoPrevious { name: name() });
    assert_eq!(applied(&mut catalog, rolled_back("sales", 1)), none);
    applied(&mut catalog, altered("sales")).expect("altered");
    assert_eq!(numbers(&catalog), (1, Some(2), None));
    let again = Err(Refused::NextExists { name: name() });
    assert_eq!(applied(&mut catalog, altered("sales")), again);
    let other = Err(Refused::OtherVersion {
        name: name(),
        found: 2,
    });
    assert_eq!(applied(&mut catalog, promoted("sales", 3)), other);
    applied(&mut catalog, promoted("sales", 2)).expect("promoted");
    assert_eq!(numbers(&catalog), (2, None, Some(1)));
    applied(&mut catalog, rolled_back("sales", 1)).expect("rolled back");
    assert_eq!(numbers(&catalog), (1, None, Some(2)));
    applied(&mut catalog, rolled_back("sales", 2)).expect("and back again");
    applied(&mut catalog, altered("sales")).expect("altered again");
    let called: Vec<String> = catalog.called().map(|(name, _)| name).collect();
    assert_eq!(called, ["sales", "sales@3", "sales@1"]);
    let mut ids: Vec<u64> = catalog.called().map(|(_, view)| view.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 3, "each version has layers of its own");
    applied(&mut catalog, promoted("sales", 3)).expect("promoted");
    assert_eq!(numbers(&catalog), (3, None, Some(2)), "the one before goes");
}

#[test]
fn a_number_is_given_to_one_version_only() {
    let mut catalog = Catalog::default();
    applied(&mut catalog, created("sales")).expect("made");
    applied(&mut catalog, altered("sales")).expect("altered");
    applied(&mut catalog, dropped_beside("sales", Beside::Next)).expect("dropped");
    assert!(applied(&mut catalog, dropped_beside("sales", Beside::Next)).is_err());
    assert!(applied(&mut catalog, dropped_beside("sales", Beside::Previous)).is_err());
    applied(&mut catalog, altered("sales")).expect("altered again");
    assert_eq!(numbers(&catalog), (1, Some(3), None));
    applied(&mut catalog, dropped("sales")).expect("dropped with all versions");
    assert_eq!(catalog.called().count(), 0);
    applied(&mut catalog, created("sales")).expect("made anew");
    assert_eq!(numbers(&catalog), (1, None, None));
}

#[test]
fn a_version_is_over_the_stream_of_its_view() {
    let mut catalog = Catalog::default();
    applied(&mut catalog, created("sales")).expect("made");
    let Command::AlterView { mut view } = altered("sales") else {
        unreachable!("it alters a view");
    };
    view.incarnation = 2;
    let refused = applied(&mut catalog, Command::AlterView { view }).expect_err("refused");
    let (name, stream) = ("sales".to_owned(), "orders".to_owned());
    assert_eq!(refused, Refused::OtherStream { name, stream });
}

fn excluded(shard: u32, from: u64, to: u64) -> Command {
    let exclusion = NewExclusion {
        stream: arn(),
        incarnation: 1,
        shard: ShardId(shard),
        from,
        to,
        reason: "the till was broken".to_owned(),
    };
    Command::Exclude { exclusion }
}

fn undone(id: u64) -> Command {
    let reason = "it was not".to_owned();
    Command::UndoExclusion { id, reason }
}

#[test]
fn what_is_excluded_is_a_fact_and_that_it_counts_again_is_another() {
    let mut catalog = Catalog::default();
    applied(&mut catalog, excluded(3, 5, 9)).expect("excluded");
    applied(&mut catalog, excluded(3, 9, 12)).expect("neighbours do not overlap");
    applied(&mut catalog, excluded(4, 5, 9)).expect("it is another shard");
    let (id, from, to) = (2, 9, 12);
    let twice = Err(Refused::ExcludedAlready { id, from, to });
    assert_eq!(applied(&mut catalog, excluded(3, 11, 20)), twice);
    let empty = Err(Refused::NoPositions { from: 7, to: 7 });
    assert_eq!(applied(&mut catalog, excluded(3, 7, 7)), empty);
    let spans = |catalog: &Catalog| crate::positions::written(&catalog.exclusions().of(&arn(), 1));
    assert_eq!(spans(&catalog), "3:5-12,4:5-9");
    applied(&mut catalog, undone(2)).expect("undone");
    assert_eq!(
        applied(&mut catalog, undone(2)),
        Err(Refused::UndoneAlready { id: 2 })
    );
    assert_eq!(
        applied(&mut catalog, undone(9)),
        Err(Refused::NoExclusion { id: 9 })
    );
    assert_eq!(spans(&catalog), "3:5-9,4:5-9");
    assert_eq!(catalog.exclusions().all().len(), 3, "facts stay");
    applied(&mut catalog, excluded(3, 11, 20)).expect("nothing is in the way any more");
    assert_eq!(
        catalog.exclusions().of(&arn(), 2),
        [],
        "it is another stream of the name"
    );
    let Command::Exclude { mut exclusion } = excluded(9, 0, 1) else {
        unreachable!("it excludes");
    };
    exclusion.reason = "  ".to_owned();
    assert!(applied(&mut catalog, Command::Exclude { exclusion }).is_err());
}

#[test]
fn a_snapshot_from_before_there_were_versions_is_read() {
    let text = r#"{"next_id":1,"views":[{"id":0,"name":"sales","stream":{"region":"us-east-1","account":"000000000000","name":"orders"},"incarnation":1,"statement":"CREATE VIEW sales AS SELECT count(*) AS n FROM STREAM orders","schema":[],"created_at":5}],"schemas":[],"endpoints":[]}"#;
    let catalog = Catalog::restore(text.as_bytes()).expect("read");
    assert_eq!(numbers(&catalog), (1, None, None));
    assert_eq!(catalog.exclusions().all(), []);
}

#[test]
fn there_is_a_bound_on_views() {
    let mut catalog = Catalog::default();
    for number in 0..VIEWS_MAX {
        applied(&mut catalog, created(&format!("v{number}"))).expect("made");
    }
    for one_more in [created("one_more"), altered("v0")] {
        let one_more = applied(&mut catalog, one_more);
        assert_eq!(one_more, Err(Refused::TooManyViews { limit: VIEWS_MAX }));
    }
}

#[test]
fn columns_are_only_added_behind_those_there_are() {
    let mut catalog = Catalog::default();
    applied(&mut catalog, declared(&["a"], 1)).expect("declared");
    applied(&mut catalog, declared(&["a", "b"], 1)).expect("added");
    for names in [&["b", "a"][..], &["a"], &[]] {
        let refused = applied(&mut catalog, declared(names, 1)).expect_err("refused");
        assert!(refused.to_string().contains("are a, b:"), "{refused}");
    }
    applied(&mut catalog, declared(&["c"], 2)).expect("it is another stream of the name");
    assert_eq!(catalog.schema(&arn(), 1), None);
}

#[test]
fn names_fit_into_sql_and_paths() {
    for name in ["a", "sales_by_hour", "v2", &"x".repeat(63)] {
        assert_eq!(check_name(name), Ok(()), "{name}");
    }
    for name in [
        "",
        "2a",
        "_a",
        "Sales",
        "a-b",
        "a b",
        "ä",
        "query",
        &"x".repeat(64),
    ] {
        assert!(check_name(name).is_err(), "{name}");
    }
}

#[test]
fn a_snapshot_keeps_everything() {
    let mut catalog = Catalog::default();
    let query = || "by_store".to_owned();
    let endpoint = Command::CreateEndpoint {
        name: query(),
        sql: "SELECT * FROM sales WHERE store = {{store}}".to_owned(),
    };
    let commands = [
        declared(&["a"], 1),
        created("sales"),
        altered("sales"),
        promoted("sales", 2),
        altered("sales"),
        excluded(0, 1, 2),
        excluded(0, 2, 3),
        undone(1),
        endpoint,
    ];
    for command in commands {
        applied(&mut catalog, command).expect("applied");
    }
    assert_eq!(Catalog::restore(&catalog.snapshot()), Ok(catalog.clone()));
    let twice = Command::CreateEndpoint {
        name: query(),
        sql: String::new(),
    };
    assert!(applied(&mut catalog, twice).is_err());
    applied(&mut catalog, Command::DropEndpoint { name: query() }).expect("dropped");
    assert!(catalog.endpoint("by_store").is_err());
}

#[test]
fn versions_of_a_table_follow_one_another_and_stay_while_a_view_needs_them() {
    let mut catalog = Catalog::default();
    applied(&mut catalog, put_table("stores", 1)).expect("put");
    let name = || "stores".to_owned();
    let found = 1;
    let again = applied(&mut catalog, put_table("stores", 1));
    assert_eq!(
        again,
        Err(Refused::OtherTable {
            name: name(),
            found
        })
    );
    applied(&mut catalog, put_table("stores", 2)).expect("put");
    let newest = catalog.tables().newest("stores").expect("there");
    assert_eq!(newest.number, 2);
    let view = applied(&mut catalog, created("stores"));
    assert_eq!(view, Err(Refused::TableExists { name: name() }));
    applied(&mut catalog, joined("sales", "stores", 1)).expect("made");
    let table = applied(&mut catalog, put_table("sales", 1));
    let sales = "sales".to_owned();
    assert_eq!(
        table,
        Err(Refused::ViewExists {
            name: sales.clone()
        })
    );
    let needed = applied(&mut catalog, dropped_table("stores"));
    let (name, view) = (name(), sales);
    assert_eq!(needed, Err(Refused::TableJoined { name, view }));
    let kept = Catalog::restore(&catalog.snapshot()).expect("a snapshot");
    assert_eq!(kept, catalog);
    applied(&mut catalog, dropped("sales")).expect("dropped");
    applied(&mut catalog, dropped_table("stores")).expect("dropped");
    applied(&mut catalog, put_table("stores", 1)).expect("put anew");
}

#[test]
fn there_are_only_so_many_tables_and_versions() {
    let mut catalog = Catalog::default();
    for table in 0..TABLES_MAX {
        applied(&mut catalog, put_table(&format!("t{table}"), 1)).expect("put");
    }
    let limit = TABLES_MAX;
    let more = applied(&mut catalog, put_table("more", 1));
    assert_eq!(more, Err(Refused::TooManyTables { limit }));
    let limit = TABLE_VERSIONS_MAX;
    for number in 2..=limit as u32 {
        applied(&mut catalog, put_table("t0", number)).expect("put");
    }
    let more = applied(&mut catalog, put_table("t0", limit as u32 + 1));
    let name = "t0".to_owned();
    assert_eq!(more, Err(Refused::TooManyTableVersions { name, limit }));
}

#[test]
fn commands_are_written_as_they_were_first() {
    let golden = [
        (dropped("sales"), r#"{"DropView":{"name":"sales"}}"#),
        (
            promoted("sales", 2),
            r#"{"PromoteView":{"name":"sales","version":2}}"#,
        ),
        (
            rolled_back("sales", 1),
            r#"{"RollBackView":{"name":"sales","version":1}}"#,
        ),
        (
            dropped_beside("sales", Beside::Next),
            r#"{"DropVersion":{"name":"sales","place":"Next"}}"#,
        ),
        (
            excluded(3, 5, 9),
            r#"{"Exclude":{"exclusion":{"stream":{"region":"us-east-1","account":"000000000000","name":"orders"},"incarnation":1,"shard":3,"from":5,"to":9,"reason":"the till was broken"}}}"#,
        ),
        (
            put_table("stores", 2),
            r#"{"PutTable":{"version":{"name":"stores","number":2,"schema":[{"name":"code","format":"text","path":["code"]}],"rows":3,"digest":"d2"}}}"#,
        ),
        (
            dropped_table("stores"),
            r#"{"DropTable":{"name":"stores"}}"#,
        ),
        (
            joined("sales", "stores", 2),
            r#"{"CreateView":{"view":{"name":"sales","stream":{"region":"us-east-1","account":"000000000000","name":"orders"},"incarnation":1,"statement":"CREATE VIEW sales AS SELECT count(*) AS n FROM STREAM orders","schema":[{"name":"store","format":"text","path":["store"]}],"tables":[{"name":"stores","number":2,"schema":[{"name":"code","format":"text","path":["code"]}],"rows":3,"digest":"d2"}]}}}"#,
        ),
        (
            undone(7),
            r#"{"UndoExclusion":{"id":7,"reason":"it was not"}}"#,
        ),
        (
            declared(&["a"], 1),
            r#"{"DeclareSchema":{"schema":{"stream":{"region":"us-east-1","account":"000000000000","name":"orders"},"incarnation":1,"schema":[{"name":"a","format":"text","path":["a"]}],"inferred":false}}}"#,
        ),
        (
            created("sales"),
            r#"{"CreateView":{"view":{"name":"sales","stream":{"region":"us-east-1","account":"000000000000","name":"orders"},"incarnation":1,"statement":"CREATE VIEW sales AS SELECT count(*) AS n FROM STREAM orders","schema":[{"name":"store","format":"text","path":["store"]}]}}}"#,
        ),
    ];
    for (command, text) in golden {
        assert_eq!(serde_json::to_string(&command).expect("JSON"), text);
        assert_eq!(
            serde_json::from_str::<Command>(text).expect("a command"),
            command
        );
    }
}
