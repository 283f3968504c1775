//! Writes a few sales as Parquet, and views over them as Spark SQL with the answers that they have here, for
//! the test with Spark.
//!
//! ```sh
//! cargo run --example write_spark -- FOLDER
//! ```

#[path = "../tests/support/mod.rs"]
mod support;

use std::fs;
use std::path::Path;

use arrow_array::ArrayRef;
use arrow_schema::DataType;
use futures_util::FutureExt;

use tidemill_model::Timestamp;
use tidemill_views::Value;
use tidemill_views::definition::split;
use tidemill_views::master::rows;
use tidemill_views::record_map::RecordMap;
use tidemill_views::sql::{Answering, compile, spark_sql};

use support::groups::{Groups, add, finals, value};
use support::sales::{batch, sales, schema};

type Failure = Box<dyn std::error::Error>;

const STORIES: &str = include_str!("../tests/spark/written.txt");

fn main() -> Result<(), Failure> {
    let folder = std::env::args().nth(1).ok_or("usage: write_spark FOLDER")?;
    let folder = Path::new(&folder);
    fs::create_dir_all(folder)?;
    let sales = batch(&sales());
    fs::write(folder.join("sales.parquet"), rows::encode(&sales)?.bytes)?;
    let selects = STORIES
        .lines()
        .filter(|line| line.starts_with("SELECT") && line.contains(" FROM STREAM "));
    for (index, select) in selects.enumerate() {
        let view = split(&format!("CREATE VIEW v AS {select}"))?;
        let program = compile(&view, &schema(), &[])?;
        let mapped = program.map(&sales)?;
        assert_eq!(
            mapped.poisoned, 0,
            "Spark fails where a record is poisoned: {select}"
        );
        let mut groups = Groups::new();
        add(&mut groups, &program, &mapped);
        let answering = Answering::new(&view, program.keys(), program.aggregates())?;
        let answer = answering.answer(vec![finals(&groups, &program)], Timestamp::from_secs(0));
        let answer = answer
            .now_or_never()
            .ok_or("what is in memory is answered at once")??;
        let mut text = String::new();
        for batch in &answer {
            for row in 0..batch.num_rows() {
                let values = batch.columns().iter().map(|column| written(column, row));
                text += &values.collect::<Vec<_>>().join("\t");
                text.push('\n');
            }
        }
        fs::write(
            folder.join(format!("{index}.sql")),
            spark_sql(&view, &schema(), "sales", &[])?,
        )?;
        fs::write(folder.join(format!("{index}.tsv")), text)?;
    }
    Ok(())
}

fn written(column: &ArrayRef, row: usize) -> String {
    match value(column, row) {
        None => "null".to_owned(),
        Some(Value::Boolean(truth)) => truth.to_string(),
        Some(Value::Integer(number)) => number.to_string(),
        Some(Value::Float(number)) => format!("{:?}", number.get()),
        Some(Value::Text(text)) => text,
        Some(Value::Timestamp(micros)) => {
            Timestamp::from_millis((micros / 1000).unsigned_abs()).to_string()
        }
        Some(Value::Decimal(units)) => match column.data_type() {
            DataType::Decimal128(_, scale) => decimal(units, scale.unsigned_abs().into()),
            other => unreachable!("a decimal is in no column of {other}"),
        },
    }
}

fn decimal(units: i128, scale: usize) -> String {
    let sign = if units < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", units.unsigned_abs(), width = scale + 1);
    let (whole, behind) = digits.split_at(digits.len() - scale);
    let point = if scale == 0 { "" } else { "." };
    format!("{sign}{whole}{point}{behind}")
}
