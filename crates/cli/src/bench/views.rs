//! `tidemill bench views`: the report, as tables and as JSON.

use std::path::PathBuf;

use anyhow::Context;

use tidemill_bench::statistics::Figure;
use tidemill_bench::views::report::{
    FreshnessMeasured, IngestMeasured, LookupMeasured, MergedMeasured, RebuildMeasured,
    RecomputeMeasured, ViewsReport,
};
use tidemill_bench::views::{self, Options, Part};

use crate::args::{BenchViews, ViewsPart};
use crate::output::{self, Ending, Failed, OrTry, grouped};

/// Measures and reports under `name`.
pub async fn run(name: &str, options: BenchViews) -> Result<Ending, Failed> {
    let next = format!("{} bench views --dir /tmp", output::program());
    let measured = measured(&options).or_try(next.clone())?;
    let report = views::run(&measured, |step| eprintln!("Measuring {step}")).await;
    let report = report.context("the benchmark could not run").or_try(next)?;
    let warnings = &report.warnings;
    Ok(output::report(name, options.json, &report, warnings, text))
}

/// What is to be measured.
fn measured(options: &BenchViews) -> anyhow::Result<Options> {
    let directory = options.dir.clone();
    let mut measured = match options.quick {
        true => Options::quick(directory),
        false => Options::full(directory),
    };
    measured.rounds = options.rounds.unwrap_or(measured.rounds);
    measured.turn = options.turn.unwrap_or(measured.turn);
    measured.python.clone_from(&options.python);
    if !options.only.is_empty() {
        measured.parts = options.only.iter().map(|part| part_of(*part)).collect();
    }
    anyhow::ensure!(measured.rounds > 0, "rounds begin at 1");
    let program = std::env::current_exe().context("this program cannot be started again")?;
    measured.program = [program, "start".into()].map(PathBuf::from).to_vec();
    Ok(measured)
}

fn part_of(part: ViewsPart) -> Part {
    match part {
        ViewsPart::Ingest => Part::Ingest,
        ViewsPart::Freshness => Part::Freshness,
        ViewsPart::Merged => Part::Merged,
        ViewsPart::Lookup => Part::Lookup,
        ViewsPart::Recompute => Part::Recompute,
        ViewsPart::Rebuild => Part::Rebuild,
    }
}

fn text(report: &ViewsReport) -> String {
    let mut text = format!(
        "tidemill {}, {}\nrecords of {} B; {} rounds, turns of {} ms, all in turn; median over the rounds\n",
        report.version, report.server, report.record_bytes, report.rounds, report.turn_millis,
    );
    if let Some(machine) = &report.machine {
        let load = machine.load_average;
        text += &format!(
            "{} build, {} cores, load average {}, {} on {}\n",
            machine.build,
            machine.cores,
            load.map_or("unknown".to_owned(), |load| load.to_string()),
            machine.directory,
            machine
                .file_system
                .as_deref()
                .unwrap_or("an unknown file system"),
        );
    }
    if let Some(ingest) = &report.ingest {
        text += &ingest_text(ingest);
    }
    if !report.freshness.is_empty() {
        text += &freshness_text(&report.freshness);
    }
    if !report.lookups.is_empty() {
        text += &lookups_text(&report.lookups);
    }
    if !report.merged.is_empty() {
        text += &merged_text(&report.merged);
    }
    if let Some(recompute) = &report.recompute {
        text += &recompute_text(recompute);
    }
    if let Some(rebuild) = &report.rebuild {
        text += &rebuild_text(rebuild);
    }
    text.trim_end().to_owned()
}

fn whole(figure: &Figure) -> String {
    grouped(figure.median.round() as u64)
}

fn spread(figure: &Figure) -> String {
    format!("{:.0} %", figure.spread_percent)
}

fn times(ratio: f64) -> String {
    format!("{ratio:.2}")
}

fn is_met(is_met: Option<bool>) -> String {
    let word = match is_met {
        Some(true) => "met",
        Some(false) => "missed",
        None => "",
    };
    word.to_owned()
}

fn ingest_text(ingest: &IngestMeasured) -> String {
    let mut table = output::table(&["", "records/s", "spread"]);
    let mut row = |name: &str, rate: &Figure| {
        table.add_row(vec![name.to_owned(), whole(rate), spread(rate)]);
    };
    row("until answers have them", &ingest.records_per_second);
    row(
        "floor: parsing the JSON, one thread",
        &ingest.floors.parsing,
    );
    row("floor: and adding up by hand", &ingest.floors.adding);
    let rate = |rate: f64| grouped(rate.round() as u64);
    format!(
        "\n{} records into a view of 5 aggregates and {} groups\n{table}\n\
         CPU for a record {:.2} us, into a stream without a view {:.2} us: {} records/s per core with all \
         that putting costs, {} of archiving and both layers alone\n\
         adding up by hand is {} times as fast as these\n",
        grouped(ingest.records),
        grouped(ingest.groups),
        ingest.cpu_us.median,
        ingest.cpu_without_view_us.median,
        rate(ingest.records_per_core),
        rate(ingest.records_per_core_of_views),
        times(ingest.adding_over_views),
    )
}

fn freshness_text(freshness: &[FreshnessMeasured]) -> String {
    let mut table = output::table(&[
        "asked",
        "puts/s beside",
        "p50 us",
        "spread",
        "p99 us",
        "spread",
        "p99 <= 250 ms",
    ]);
    for one in freshness {
        table.add_row(vec![
            one.way.to_owned(),
            grouped(one.put_rate),
            whole(&one.latency.p50_us),
            spread(&one.latency.p50_us),
            whole(&one.latency.p99_us),
            spread(&one.latency.p99_us),
            is_met(Some(one.is_met)),
        ]);
    }
    let probes = freshness.first().map_or(0, |one| one.probes);
    format!(
        "\nfrom the acknowledgement of a record to the first answer with it, {probes} a round\n{table}\n"
    )
}

fn lookups_text(lookups: &[LookupMeasured]) -> String {
    let mut table = output::table(&[
        "groups",
        "asked",
        "p50 us",
        "p99 us",
        "spread",
        "floor p50",
        "p99",
        "over it p50",
        "p99",
        "p99 <= 2 ms",
    ]);
    for one in lookups {
        table.add_row(vec![
            grouped(one.groups),
            one.way.to_owned(),
            whole(&one.latency.p50_us),
            whole(&one.latency.p99_us),
            spread(&one.latency.p99_us),
            whole(&one.floor.p50_us),
            whole(&one.floor.p99_us),
            times(one.over_floor[0]),
            times(one.over_floor[1]),
            is_met(Some(one.is_met)),
        ]);
    }
    format!(
        "\none group by its whole key, one connection; the floor is a bare HTTP server asked the same\n{table}\n"
    )
}

fn merged_text(merged: &[MergedMeasured]) -> String {
    let mut text = String::new();
    for of_one_size in merged.chunk_by(|left, right| left.groups == right.groups) {
        let mut table = output::table(&[
            "asked",
            "behind a record",
            "batch p50 us",
            "p99",
            "merged p50 us",
            "p99",
            "spread",
            "over it p50",
            "p99",
            "p50 <= 1.2",
        ]);
        for one in of_one_size {
            table.add_row(vec![
                one.query.clone(),
                if one.is_after_a_record { "yes" } else { "no" }.to_owned(),
                whole(&one.batch.p50_us),
                whole(&one.batch.p99_us),
                whole(&one.merged.p50_us),
                whole(&one.merged.p99_us),
                spread(&one.merged.p50_us),
                times(one.over_batch[0]),
                times(one.over_batch[1]),
                is_met(one.is_met),
            ]);
        }
        if let Some(one) = of_one_size.first() {
            text += &format!(
                "\n{} records in {} groups, {} of them in the speed layer, beside all of them in the batch layer\n{table}\n",
                grouped(one.records),
                grouped(one.groups),
                grouped(one.behind),
            );
        }
    }
    text
}

fn recompute_text(recompute: &RecomputeMeasured) -> String {
    let mut table = output::table(&["", "rows/s", "spread"]);
    let mut row = |name: &str, rate: &Figure| {
        table.add_row(vec![name.to_owned(), whole(rate), spread(rate)]);
    };
    row(
        "answered, out of the stream",
        &recompute.answered_per_second,
    );
    row(
        "absorbed, out of Parquet, compared and kept",
        &recompute.absorbed_per_second,
    );
    row(
        "recomputed (AUDIT VIEW), out of Parquet",
        &recompute.recomputed_per_second,
    );
    let mut version = String::new();
    if let Some(duckdb) = &recompute.duckdb {
        row("DuckDB, columns, 1 thread", &duckdb.columns_one_thread);
        row("DuckDB, columns, all cores", &duckdb.columns_all_threads);
        if let Some(payloads) = &duckdb.payloads_one_thread {
            row("DuckDB, JSON of payloads, 1 thread", payloads);
        }
        version = format!("; DuckDB {} over the same files", duckdb.version);
    }
    format!(
        "\na view of {} groups made over {} archived records{version}\n{table}\n\
         CPU for a record {:.2} us, both layers; {:.2} us to recompute it\n",
        grouped(recompute.groups),
        grouped(recompute.records),
        recompute.cpu_us.median,
        recompute.recompute_cpu_us.median,
    )
}

fn rebuild_text(rebuild: &RebuildMeasured) -> String {
    format!(
        "\nkilled with {} records of {} groups behind the batch view: serves after {:.3} s, the first answer, \
         with all of them, after {:.3} s (spread {}): {} records/s\n",
        grouped(rebuild.records),
        grouped(rebuild.groups),
        rebuild.ready_seconds.median,
        rebuild.answer_seconds.median,
        spread(&rebuild.answer_seconds),
        grouped(rebuild.records_per_second.round() as u64),
    )
}

#[cfg(test)]
mod tests {
    use tidemill_bench::log::report::Latency;

    use super::*;

    #[test]
    fn tables_say_what_is_met_and_what_is_missed() {
        let latency = |us: f64| Latency::of(&[vec![us]]).expect("one round");
        let merged = MergedMeasured {
            groups: 1400,
            records: 200_000,
            behind: 10_000,
            query: "SELECT sum(n) FROM v".to_owned(),
            is_after_a_record: true,
            batch: latency(1000.0),
            merged: latency(1300.0),
            over_batch: [0.0; 2],
            is_met: None,
        };
        let fresh = FreshnessMeasured::of("polled", 1000, &[vec![1234.0, 5678.0]]);
        let report = ViewsReport {
            rounds: 5,
            freshness: vec![fresh.expect("one round")],
            merged: vec![merged.judged()],
            ..ViewsReport::default()
        };
        let text = text(&report);
        for part in [
            "5 rounds",
            "5,678",
            " met ",
            "1.30",
            "missed",
            "10,000 of them in the speed layer",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}
