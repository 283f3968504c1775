//! What definitions come to over records, in `tests/computed`: compiled, mapped and added up.

mod support;

use proptest::prelude::*;

use datafusion::arrow::util::pretty::pretty_format_batches;

use tidemill_views::Schema;
use tidemill_views::master::rows;
use tidemill_views::record_map::RecordMap;
use tidemill_views::schema::{Column, Format};

use support::groups::{Groups, add, finals, merge};
use support::sales::{SALES, batch, compiled, sales};

fn told(definition: &str) -> String {
    let (_, program) = match compiled(definition) {
        Ok(compiled) => compiled,
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

const DEFINITIONS: [&str; 6] = [
    "SELECT store, date_bin(INTERVAL '1 hour', at) AS hour, count(*) AS c, sum(amount) AS s, avg(n) AS a FROM STREAM sales WHERE status = 'paid' GROUP BY store, hour",
    "SELECT payload ->> 'store' AS k, sum(10 / n) AS q, max(n + 1) FILTER (WHERE n > 0) AS m FROM STREAM sales GROUP BY payload ->> 'store'",
    "SELECT CASE WHEN n <> 0 AND 10 / n > 1 THEN 'few' ELSE 'many' END AS k, min_by(store, at) AS a, last_value(n) AS b, count(DISTINCT status) AS d FROM STREAM sales GROUP BY 1",
    "SELECT hop(INTERVAL '6 hours', INTERVAL '1 day', at) AS w, store, count(*) AS c, sum(n) FILTER (WHERE n > 0) AS s, first_value(status) AS f FROM STREAM sales WHERE n <> 5 GROUP BY w, store",
    "SELECT s.region, count(*) AS c, sum(s.size) AS t, sum(10 / n) AS q FROM STREAM sales LEFT JOIN stores s ON s.code = coalesce(store, upper(status)) WHERE s.open IS NOT FALSE GROUP BY s.region",
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
        let (_, program) = compiled(DEFINITIONS[which]).expect("it can be compiled");
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
    let (_, program) = program.expect("it can be compiled");
    let columns = vec![Column {
        name: "store".into(),
        format: Format::Integer,
        path: vec!["store".into()],
    }];
    let other = Schema::new(columns).expect("it is a schema");
    let rows = rows::batch(&other, &[]).expect("they are rows");
    assert!(program.map(&rows).is_err());
}
