//! Statements: what each is read as, and what is said of those that go on otherwise.

use super::*;

#[test]
fn a_schema_says_columns_types_and_where_they_stand() {
    let text = "create schema for stream orders (store TEXT, \"Amount\" DOUBLE PRECISION,
        price DECIMAL(38, 2) FROM 'price.net', at TIMESTAMP_MILLIS, EventTime timestamp);";
    let Ok(Statement::CreateSchema { stream, schema }) = read(text) else {
        panic!("a schema");
    };
    assert_eq!(stream, "orders");
    let columns = schema.columns().iter();
    let columns: Vec<_> = columns
        .map(|column| (column.name.as_str(), column.format, column.path.join("/")))
        .collect();
    let expected = [
        ("store", Format::Text, "store".to_owned()),
        ("Amount", Format::Float, "Amount".to_owned()),
        (
            "price",
            Format::Decimal { scale: 2 },
            "price/net".to_owned(),
        ),
        ("at", Format::TimeMillis, "at".to_owned()),
        ("eventtime", Format::TimeText, "EventTime".to_owned()),
    ];
    assert_eq!(columns, expected);
}

#[test]
fn what_is_no_query_is_recognised() {
    let name = || "sales".to_owned();
    assert_eq!(
        read("DROP VIEW Sales"),
        Ok(Statement::DropView { name: name() })
    );
    let place = Beside::Next;
    let next = Statement::DropVersion {
        name: name(),
        place,
    };
    assert_eq!(read("drop view sales next"), Ok(next));
    let place = Beside::Previous;
    let previous = Statement::DropVersion {
        name: name(),
        place,
    };
    assert_eq!(read("DROP VIEW sales PREVIOUS"), Ok(previous));
    assert_eq!(
        read("DIFF VIEW sales"),
        Ok(Statement::DiffView { name: name() })
    );
    assert_eq!(
        read("audit view sales"),
        Ok(Statement::AuditView { name: name() })
    );
    assert_eq!(
        read("PROMOTE VIEW sales;"),
        Ok(Statement::PromoteView { name: name() })
    );
    assert_eq!(
        read("ROLLBACK VIEW sales"),
        Ok(Statement::RollBackView { name: name() })
    );
    assert_eq!(
        read("CREATE VIEW sales AS SELECT 1"),
        Ok(Statement::CreateView)
    );
    assert_eq!(
        read("CREATE OR REPLACE VIEW x AS SELECT 1"),
        Ok(Statement::CreateView)
    );
    assert_eq!(read("SELECT 1"), Ok(Statement::Other));
    assert_eq!(read("CREATE TABLE view (x INT)"), Ok(Statement::Other));
    assert_eq!(read(""), Ok(Statement::Other));
}

#[test]
fn a_next_version_is_made_by_what_would_make_a_view() {
    let text = "-- alter view\n /* é */ Alter\tVIEW v WITH (mode = 'kappa') AS\nSELECT 'é', 1";
    let statement = "CREATE\tVIEW v WITH (mode = 'kappa') AS\nSELECT 'é', 1".to_owned();
    assert_eq!(read(text), Ok(Statement::AlterView { statement }));
}

#[test]
fn records_are_named_by_positions_or_by_sequence_numbers() {
    let exclude = |shard, from, to| {
        Ok(Statement::Exclude {
            stream: "my-orders".to_owned(),
            shard: ShardId(shard),
            from,
            to,
            reason: "it's wrong".to_owned(),
        })
    };
    let text = |shard: &str, records: &str| {
        let text = "exclude from stream \"my-orders\" shard";
        read(&format!("{text} {shard} {records} reason 'it''s wrong';"))
    };
    assert_eq!(text("3", "[5, 9)"), exclude(3, 5, 9));
    assert_eq!(text("'shardId-000000000003'", "[5,9)"), exclude(3, 5, 9));
    let number = SequenceNumber::of_record(ShardId(3), 1_000, 17, 2_000);
    let records = format!("[{number}, '{number}')");
    assert_eq!(text("3", &records), exclude(3, 17, 17));
    let other = text("4", &records).expect_err("refused").to_string();
    assert!(other.contains("shardId-000000000003, not of"), "{other}");
    for wrong in [
        "[5, 9]",
        "(5, 9)",
        "[5, x)",
        "5 9",
        "[5, 9) REASON 'a'",
        "[-1, 5)",
    ] {
        assert!(text("3", wrong).is_err(), "{wrong}");
    }
    for wrong in [
        "EXCLUDE FROM STREAM s [5, 9) REASON 'a'",
        "EXCLUDE FROM STREAM s SHARD 3 [5, 9)",
    ] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
    let reason = "no".to_owned();
    let undo = Statement::UndoExclusion { id: 7, reason };
    assert_eq!(read("UNDO EXCLUSION 7 REASON 'no'"), Ok(undo));
    assert!(read("UNDO EXCLUSION x REASON 'no'").is_err());
    assert_eq!(read("show exclusions;"), Ok(Statement::ShowExclusions));
}

#[test]
fn a_statement_that_goes_on_otherwise_is_refused_with_what_belongs_there() {
    let cases = [
        (
            "DROP VIEW",
            "invalid: the end: the name of a view belongs here",
        ),
        ("DROP VIEW a, b", "invalid: ,: the statement ends before it"),
        (
            "CREATE SCHEMA FOR STREAM s",
            "invalid: the end: columns stand in (…)",
        ),
        (
            "CREATE SCHEMA FOR STREAM s ()",
            "invalid: ): the name of a column belongs here",
        ),
        (
            "CREATE SCHEMA FOR STREAM s (a)",
            "invalid: ): the type of a column belongs here",
        ),
        (
            "CREATE SCHEMA FOR STREAM s (a DECIMAL)",
            "invalid: decimal: a decimal says its digits: DECIMAL(38, 2)",
        ),
        (
            "CREATE SCHEMA FOR STREAM s (a INT, A TEXT)",
            "invalid: the schema: there are two columns `a`",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(
            read(text).expect_err("refused").to_string(),
            expected,
            "{text}"
        );
    }
    let unknown = read("CREATE SCHEMA FOR STREAM s (a BLOB)").expect_err("refused");
    assert!(unknown.nearest.contains("DECIMAL(38, scale)"));
}
