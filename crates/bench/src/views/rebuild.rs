//! The first answer after a kill: [`measure`].
//!
//! What must hold: all records are behind the batch view, because no epoch ends before they are put; the
//! answer has every one of them. Time begins when the process is started.

use std::path::Path;
use std::time::Duration;

use crate::statistics::Figure;
use crate::stopwatch::Stopwatch;
use crate::views::options::Options;
use crate::views::records::Records;
use crate::views::report::RebuildMeasured;
use crate::views::subject::{Start, Subject, ViewsBenchError, wrong};

const GROUPS: u64 = 1400;
const STREAM: &str = "killed";
const VIEW: &str = "rebuilt";

/// Measures.
pub async fn measure(
    options: &Options,
    directory: &Path,
) -> Result<RebuildMeasured, ViewsBenchError> {
    let start = Start {
        program: options.program.clone(),
        directory: directory.to_owned(),
        epoch: Duration::from_secs(3600),
    };
    let records = Records::over(GROUPS);
    let count = options.rebuild_records;
    let mut subject = Subject::start(&start).await?;
    subject.create_stream(STREAM).await?;
    subject.create_view(VIEW, STREAM, "1 hour").await?;
    subject.fill(records, STREAM, 0..count).await?;
    subject.wait_for(VIEW, count).await?;
    let totals = records.totals(0..count);
    let (mut ready, mut answer) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        subject.kill().await?;
        let watch = Stopwatch::start();
        subject = Subject::start(&start).await?;
        ready.push(watch.elapsed().as_secs_f64());
        subject.wait_for(VIEW, count).await?;
        subject.check(VIEW, totals).await?;
        answer.push(watch.elapsed().as_secs_f64());
        if subject.absorbed(VIEW)? != 0 {
            return Err(wrong(
                "the batch view has records, and nothing is to be rebuilt",
            ));
        }
    }
    subject.kill().await?;
    let figure = |rounds: &[f64]| Figure::of(rounds).ok_or_else(|| wrong("there is no round"));
    let answer_seconds = figure(&answer)?;
    Ok(RebuildMeasured {
        records: count,
        groups: GROUPS,
        ready_seconds: figure(&ready)?,
        records_per_second: count as f64 / answer_seconds.median.max(1e-9),
        answer_seconds,
    })
}
