//! Views as Spark SQL, in `tests/spark`: what is written, and what is refused.

mod support;

use tidemill_views::definition::split;
use tidemill_views::sql::spark_sql;

use support::sales::schema;

#[test]
fn every_definition_is_written_for_spark_or_refused() {
    let scripts = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/spark");
    tidemill_testkit::script::run_all(scripts, || {
        |select: &str| {
            let definition = split(&format!("CREATE VIEW v AS {select}"));
            let written = definition.and_then(|view| spark_sql(&view, &schema(), "`sales`", &[]));
            written.map_or_else(
                |refusal| refusal.to_string(),
                |text| text.trim_end().to_owned(),
            )
        }
    });
}
