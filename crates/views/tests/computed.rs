//! What definitions come to over records, in `tests/computed`: compiled, mapped and added up.

mod support;

use proptest::prelude::*;

use arrow_array::RecordBatch;
use datafusion::arrow::util::pretty::pretty_format_batches;

use tidemill_model::{Record, SequenceNumber, ShardId, Timestamp};
use tidemill_views::Schema;
use tidemill_views::definition::{Refusal, split};
use tidemill_views::master::rows;
use tidemill_views::record_map::RecordMap;
use tidemill_views::schema::{Column, Format};
use tidemill_views::sql::{Program, compile};

use support::groups::{Groups, add, finals, merge};

/// The sales of the stories: the last three are not as they should be.
const SALES: [&str; 12] = [
    r#"{"store":"BLR","status":"paid","amount":"10.50","n":1,"weight":0.1,"at":"2026-03-01T10:05:00Z","Tags":["a","b"]}"#,
    r#"{"store":"BLR","status":"paid","amount":"0.25","n":2,"weight":0.2,"at":"2026-03-01T10:59:59Z","Tags":[]}"#,
    r#"{"store":"ZRH","status":"open","amount":"3.00","n":0,"weight":0.3,"at":"2026-03-01T11:00:00Z"}"#,
    r#"{"store":"ZRH","status":"paid","amount":"7.75","n":5,"weight":-1e300,"at":"2026-03-02T00:00:00Z","Tags":["c"]}"#,
    r#"{"store":"BLR","status":"paid","amount":null,"n":9223372036854775807,"weight":1e300,"at":"2026-03-01T10:00:00Z"}"#,
    r#"{"store":null,"status":"paid","amount":"1","n":-3,"at":"2026-03-01T10:30:00Z","customer":{"id":7,"name":"Zoë"}}"#,
    r#"{"status":"paid","amount":"-1","n":4,"at":"2026-03-01T12:30:00Z","customer":{"id":"8"}}"#,
    r#"{"store":"ZRH","status":"open","amount":"99999999999999999999.99","n":7,"at":"2026-04-01T00:00:00Z"}"#,
    r#"{"store":"17","status":"paid","amount":"2.00","n":-9223372036854775808,"at":"2026-03-01T10:30:00Z"}"#,
    r#"{"store":"ZRH","status":"paid","amount":"many","n":1,"at":"2026-03-01T10:30:00Z"}"#,
    r#"["no","object"]"#,
    r#"{"store":"#,
];

fn schema() -> Schema {
    let column = |name: &str, format| Column {
        name: name.into(),
        format,
        path: vec![name.into()],
    };
    let columns = vec![
        column("store", Format::Text),
        column("status", Format::Text),
        column("amount", Format::Decimal { scale: 2 }),
        column("n", Format::Integer),
        column("weight", Format::Float),
        column("at", Format::TimeText),
    ];
    Schema::new(columns).expect("the columns are different")
}

/// Every other sale is in shard 1.
fn sales() -> Vec<(ShardId, Record)> {
    let sales = SALES.iter().enumerate().map(|(index, payload)| {
        let shard = ShardId(index as u32 % 2);
        let position = index as u64 / 2;
        let record = Record {
            position,
            sequence_number: SequenceNumber::of_record(shard, 1_000, position, 2_000),
            arrival: Timestamp::from_millis(1_772_000_000_000 + index as u64),
            partition_key: format!("key-{index}"),
            data: payload.as_bytes().into(),
        };
        (shard, record)
    });
    let mut sales: Vec<_> = sales.collect();
    sales.sort_by_key(|(shard, record)| (*shard, record.position));
    sales
}

fn batch(sales: &[(ShardId, Record)]) -> RecordBatch {
    let records: Vec<_> = sales
        .iter()
        .map(|(shard, record)| (*shard, record))
        .collect();
    rows::batch(&schema(), &records).expect("they are rows")
}

fn compiled(definition: &str) -> Result<Program, Refusal> {
    let definition = split(&format!("CREATE VIEW v AS {definition}"))?;
    compile(&definition, &schema())
}

fn told(definition: &str) -> String {
    let program = match compiled(definition) {
        Ok(program) => program,
        Err(refusal) => return refusal.to_string(),
    };
    let mapped = program.map(&batch(&sales())).expect("the engine works");
    let mut groups = Groups::new();
    add(&mut groups, &program, &mapped);
    let counted = format!("{} filtered, {} poisoned", mapped.filtered, mapped.poisoned);
    let table = pretty_format_batches(&[finals(&groups, &program)]);
    format!("{counted}\n{}", table.expect("it can be printed"))
}

#[test]
fn every_definition_comes_to_what_is_written() {
    let scripts = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/computed");
    tidemill_testkit::script::run_all(scripts, || told);
}

const DEFINITIONS: [&str; 4] = [
    "SELECT store, date_bin(INTERVAL '1 hour', at) AS hour, count(*) AS c, sum(amount) AS s, avg(n) AS a FROM STREAM sales WHERE status = 'paid' GROUP BY store, hour",
    "SELECT payload ->> 'store' AS k, sum(10 / n) AS q, max(n + 1) FILTER (WHERE n > 0) AS m FROM STREAM sales GROUP BY payload ->> 'store'",
    "SELECT CASE WHEN n <> 0 AND 10 / n > 1 THEN 'few' ELSE 'many' END AS k, min_by(store, at) AS a, last_value(n) AS b, count(DISTINCT status) AS d FROM STREAM sales GROUP BY 1",
    "SELECT sum(weight) AS w, approx_quantile(weight, 0.5) AS p, bool_and(n > 0) AS all_, sum(CAST(store AS BIGINT)) FILTER (WHERE n < 0) AS x FROM STREAM sales",
];

proptest! {
    /// What a record comes to does not depend on which others it is computed with.
    #[test]
    fn any_parts_come_to_what_one_pass_comes_to(
        which in 0..DEFINITIONS.len(),
        cuts in prop::collection::vec(0..SALES.len(), 0..6),
        is_backwards in any::<bool>(),
    ) {
        let program = compiled(DEFINITIONS[which]).expect("it can be compiled");
        let sales = sales();
        let whole = program.map(&batch(&sales)).expect("the engine works");
        let mut expected = Groups::new();
        add(&mut expected, &program, &whole);
        let mut cuts = cuts;
        cuts.extend([0, sales.len()]);
        cuts.sort();
        let mut groups = Groups::new();
        let (mut filtered, mut poisoned) = (0, 0);
        let mut parts: Vec<_> = cuts.windows(2).map(|cut| cut[0]..cut[1]).collect();
        if is_backwards {
            parts.reverse();
        }
        for part in parts {
            let mapped = program.map(&batch(&sales[part])).expect("the engine works");
            filtered += mapped.filtered;
            poisoned += mapped.poisoned;
            let mut one = Groups::new();
            add(&mut one, &program, &mapped);
            merge(&mut groups, &one);
        }
        prop_assert_eq!(groups, expected);
        prop_assert_eq!((filtered, poisoned), (whole.filtered, whole.poisoned));
    }
}

#[test]
fn rows_with_other_columns_are_refused() {
    let program = compiled("SELECT store, sum(n) AS s FROM STREAM sales GROUP BY store");
    let program = program.expect("it can be compiled");
    let columns = vec![Column {
        name: "store".into(),
        format: Format::Integer,
        path: vec!["store".into()],
    }];
    let other = Schema::new(columns).expect("it is a schema");
    let rows = rows::batch(&other, &[]).expect("they are rows");
    assert!(program.map(&rows).is_err());
}
