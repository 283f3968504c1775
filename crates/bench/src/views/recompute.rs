//! A view over records that are in the stream and in the master dataset already: [`measure`].
//!
//! What must hold: nothing else goes on, and every record is archived before the first view is made. The
//! speed layer reads the stream again; the batch layer computes the same out of the Parquet files and
//! compares. Then an audit computes all of it again, from the first record on: the full recompute by itself.

use std::path::Path;
use std::time::Duration;

use http::Method;

use crate::statistics::Figure;
use crate::stopwatch::Stopwatch;
use crate::views::duckdb;
use crate::views::options::Options;
use crate::views::records::Records;
use crate::views::report::RecomputeMeasured;
use crate::views::subject::{Start, Subject, ViewsBenchError, wrong};

const GROUPS: u64 = 1400;
const STREAM: &str = "past";

/// Measures; without `DuckDB` there is a warning.
pub async fn measure(
    options: &Options,
    directory: &Path,
    warnings: &mut Vec<String>,
) -> Result<RecomputeMeasured, ViewsBenchError> {
    let subject = Subject::start(&Start {
        program: options.program.clone(),
        directory: directory.to_owned(),
        epoch: Duration::from_secs(1),
    })
    .await?;
    let records = Records::over(GROUPS);
    let count = options.recompute_records;
    subject.create_stream(STREAM).await?;
    let archive = format!("/_tidemill/views/archives/{STREAM}");
    let begun = subject.client.own_call(Method::PUT, &archive, None);
    begun.await?;
    subject.fill(records, STREAM, 0..count).await?;
    let folder = subject.wait_until_archived(STREAM).await?;
    let totals = records.totals(0..count);
    let (mut answered, mut absorbed, mut cpu_us) = (Vec::new(), Vec::new(), Vec::new());
    let (mut recomputed, mut recompute_cpu_us) = (Vec::new(), Vec::new());
    for round in 0..options.rounds {
        let view = format!("recomputed_{round}");
        let rate = |watch: Stopwatch| count as f64 / watch.elapsed().as_secs_f64().max(1e-9);
        let before = subject.cpu_seconds()?;
        let watch = Stopwatch::start();
        subject.create_view(&view, STREAM, "1 second").await?;
        subject.wait_for(&view, count).await?;
        answered.push(rate(watch));
        subject.wait_until_absorbed(&view, count).await?;
        absorbed.push(rate(watch));
        cpu_us.push((subject.cpu_seconds()? - before) * 1e6 / count as f64);
        subject.check(&view, totals).await?;
        let before = subject.cpu_seconds()?;
        let watch = Stopwatch::start();
        subject.carry_out(&format!("AUDIT VIEW {view}")).await?;
        recomputed.push(rate(watch));
        recompute_cpu_us.push((subject.cpu_seconds()? - before) * 1e6 / count as f64);
        subject.carry_out(&format!("DROP VIEW {view}")).await?;
    }
    subject.kill().await?;
    let duckdb = duckdb::measure(&options.python, &folder, totals, options.rounds).await?;
    if duckdb.is_none() {
        let python = options.python.display();
        warnings.push(format!(
            "DuckDB was not measured: {python} has no module duckdb; name one that has with --python"
        ));
    }
    let figure = |rounds: &[f64]| Figure::of(rounds).ok_or_else(|| wrong("there is no round"));
    Ok(RecomputeMeasured {
        records: count,
        groups: GROUPS,
        answered_per_second: figure(&answered)?,
        absorbed_per_second: figure(&absorbed)?,
        cpu_us: figure(&cpu_us)?,
        recomputed_per_second: figure(&recomputed)?,
        recompute_cpu_us: figure(&recompute_cpu_us)?,
        duckdb,
    })
}
