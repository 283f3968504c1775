//! The benchmark of views: [`run`], over a durable server in a process of its own.
//!
//! What must hold: the server is asked over HTTP, as anybody asks it; every view that is measured comes to
//! the sums of its records, or the run fails. What a figure is held against, a floor, a peer or the same
//! without a speed layer, takes turns with it.

pub mod options;
pub mod records;
pub mod report;
pub mod subject;
pub mod by_hand;
pub mod ingest;
pub mod trickle;
pub mod freshness;
pub mod standing;
pub mod merged;
pub mod lookup;
pub mod duckdb;
pub mod recompute;
pub mod rebuild;

use std::path::Path;

use crate::machine::Machine;
use crate::views::records::RECORD_BYTES;
use crate::views::report::ViewsReport;
use crate::views::standing::Standing;
use crate::views::subject::ViewsBenchError;

pub use options::{Options, Part, Size};

/// Runs everything; `on_step` is told what comes next.
pub async fn run(
    options: &Options,
    mut on_step: impl FnMut(&str),
) -> Result<ViewsReport, ViewsBenchError> {
    let scratch = tempfile::Builder::new()
        .prefix("tidemill-bench-views-")
        .tempdir_in(&options.directory)?;
    let machine = Machine::observe(scratch.path());
    let mut report = ViewsReport {
        version: env!("CARGO_PKG_VERSION"),
        rounds: options.rounds,
        turn_millis: u64::try_from(options.turn.as_millis()).unwrap_or(u64::MAX),
        server: "durable: an answer to a put comes after the sync; limits lifted; a process of its own",
        record_bytes: RECORD_BYTES,
        warnings: machine.warnings(),
        machine: Some(machine),
        ..ViewsReport::default()
    };
    measure(options, scratch.path(), &mut report, &mut on_step).await?;
    Ok(report)
}

async fn measure(
    options: &Options,
    scratch: &Path,
    report: &mut ViewsReport,
    on_step: &mut impl FnMut(&str),
) -> Result<(), ViewsBenchError> {
    if options.has(Part::Ingest) {
        on_step("records into a view");
        report.ingest = Some(ingest::measure(options, &scratch.join("ingest")).await?);
    }
    if options.has(Part::Freshness) {
        on_step("how soon a record is in an answer");
        report.freshness = freshness::measure(options, &scratch.join("freshness")).await?;
    }
    for size in &options.sizes {
        if options.has(Part::Merged) || options.has(Part::Lookup) {
            on_step(&format!("queries over {} groups", size.groups));
            let directory = scratch.join(format!("groups-{}", size.groups));
            let standing = Standing::set_up(options, &directory, *size).await?;
            if options.has(Part::Lookup) {
                let lookups = lookup::measure(options, &standing).await?;
                report.lookups.extend(lookups);
            }
            if options.has(Part::Merged) {
                let merged = merged::measure(options, &standing).await?;
                report.merged.extend(merged);
            }
            standing.end().await?;
            std::fs::remove_dir_all(&directory)?;
        }
    }
    if options.has(Part::Recompute) {
        on_step("a view over what is there");
        let directory = scratch.join("recompute");
        let recompute = recompute::measure(options, &directory, &mut report.warnings);
        report.recompute = Some(recompute.await?);
    }
    if options.has(Part::Rebuild) {
        on_step("the start after a kill");
        report.rebuild = Some(rebuild::measure(options, &scratch.join("rebuild")).await?);
    }
    Ok(())
}
