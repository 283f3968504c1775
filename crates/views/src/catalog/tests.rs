//! The catalog: what is refused, what a snapshot keeps, and how commands look.

use super::*;
use crate::schema::{Column, Format};

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
    };
    Command::CreateView { view }
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

#[test]
fn there_is_a_bound_on_views() {
    let mut catalog = Catalog::default();
    for number in 0..VIEWS_MAX {
        applied(&mut catalog, created(&format!("v{number}"))).expect("made");
    }
    let one_more = applied(&mut catalog, created("one_more"));
    assert_eq!(one_more, Err(Refused::TooManyViews { limit: VIEWS_MAX }));
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
    for command in [declared(&["a"], 1), created("sales"), endpoint] {
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
fn commands_are_written_as_they_were_first() {
    let golden = [
        (dropped("sales"), r#"{"DropView":{"name":"sales"}}"#),
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
