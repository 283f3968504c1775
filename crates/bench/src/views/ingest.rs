//! Records into a view: [`measure`].
//!
//! What must hold: the clock stops when answers have every record, the CPU is counted until the batch view
//! has them; so what a view costs later than its answers is in the figure too. The same number of records
//! goes into a stream without a view in each round, and what that costs is said beside it.

use std::path::Path;
use std::time::Duration;

use crate::statistics::Figure;
use crate::stopwatch::Stopwatch;
use crate::views::by_hand;
use crate::views::options::Options;
use crate::views::records::Records;
use crate::views::report::IngestMeasured;
use crate::views::subject::{Start, Subject, ViewsBenchError, wrong};

/// Groups of the view.
const GROUPS: u64 = 1400;

/// What a round came to.
struct Round {
    seconds: f64,
    cpu: f64,
    cpu_without_view: f64,
}

/// Measures.
pub async fn measure(
    options: &Options,
    directory: &Path,
) -> Result<IngestMeasured, ViewsBenchError> {
    let subject = Subject::start(&Start {
        program: options.program.clone(),
        directory: directory.to_owned(),
        epoch: Duration::from_secs(1),
    })
    .await?;
    let records = Records::over(GROUPS);
    let count = options.ingest_records;
    // Not counted: connections open, memory is there, the SQL engine has planned once.
    round(&subject, records, count / 10, 0).await?;
    let mut rounds = Vec::new();
    for number in 1..=options.rounds {
        rounds.push(round(&subject, records, count, number).await?);
    }
    subject.kill().await?;
    let floors = by_hand::measure(records, count, options.rounds)?;
    let figure = |reading: fn(&Round) -> f64, scale: f64| {
        let rounds: Vec<f64> = rounds.iter().map(|round| reading(round) * scale).collect();
        Figure::of(&rounds).ok_or_else(|| wrong("there is no round"))
    };
    let each = 1e6 / count as f64;
    let cpu_us = figure(|round| round.cpu, each)?;
    let cpu_without_view_us = figure(|round| round.cpu_without_view, each)?;
    let of_views = (cpu_us.median - cpu_without_view_us.median).max(1e-9);
    Ok(IngestMeasured {
        records: count,
        groups: GROUPS,
        records_per_second: figure(|round| 1.0 / round.seconds, count as f64)?,
        records_per_core: 1e6 / cpu_us.median.max(1e-9),
        records_per_core_of_views: 1e6 / of_views,
        adding_over_views: floors.adding.median * of_views / 1e6,
        cpu_us,
        cpu_without_view_us,
        floors,
    })
}

async fn round(
    subject: &Subject,
    records: Records,
    count: u64,
    number: usize,
) -> Result<Round, ViewsBenchError> {
    let (bare, viewed, view) = (
        format!("bare_{number}"),
        format!("viewed_{number}"),
        format!("ingest_{number}"),
    );
    subject.create_stream(&bare).await?;
    subject.create_stream(&viewed).await?;
    subject.create_view(&view, &viewed, "1 second").await?;
    let requests = subject.puts(records, &bare, 0..count);
    let before = subject.cpu_seconds()?;
    subject.put(requests).await?;
    let cpu_without_view = subject.cpu_seconds()? - before;

    let requests = subject.puts(records, &viewed, 0..count);
    let before = subject.cpu_seconds()?;
    let watch = Stopwatch::start();
    subject.put(requests).await?;
    subject.wait_for(&view, count).await?;
    let seconds = watch.elapsed().as_secs_f64();
    subject.wait_until_absorbed(&view, count).await?;
    let cpu = subject.cpu_seconds()? - before;
    subject.check(&view, records.totals(0..count)).await?;
    subject.carry_out(&format!("DROP VIEW {view}")).await?;
    Ok(Round {
        seconds,
        cpu,
        cpu_without_view,
    })
}
