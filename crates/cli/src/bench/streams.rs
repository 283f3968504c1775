//! `tidemill bench streams`: the report, as tables and as JSON.

use anyhow::Context;

use tidemill_bench::cases;
use tidemill_bench::report::{Kind, Measured, Measurement, Report};
use tidemill_bench::statistics::Figure;
use tidemill_bench::streams::{self, Options};

use crate::args::BenchStreams;
use crate::output::{self, Ending, Failed, OrTry, grouped};
use crate::progress::Progress;

/// Measures and reports under `name`.
pub async fn run(name: &str, options: BenchStreams) -> Result<Ending, Failed> {
    let measured = measured(&options).or_try(format!(
        "{} bench streams --only put_records",
        output::program()
    ))?;
    let mut progress = Progress::begin("Measuring", measured.steps() as u64);
    let mut done = 0;
    let report = streams::run(&measured, |_| {
        done += 1;
        progress.reach(done);
    });
    let report = report.await.context("the benchmark could not run");
    let report = report.or_try(format!("{} bench --dir /tmp", output::program()))?;
    progress.finish("done");
    let warnings = &report.warnings;
    Ok(output::report(name, options.json, &report, warnings, text))
}

/// What is to be measured.
fn measured(options: &BenchStreams) -> anyhow::Result<Options> {
    let directory = options.dir.clone();
    let mut measured = match options.quick {
        true => Options::quick(directory),
        false => Options::full(directory),
    };
    measured.rounds = options.rounds.unwrap_or(measured.rounds);
    measured.turn = options.turn.unwrap_or(measured.turn);
    if let Some(gib) = options.turn_gib {
        measured.turn_bytes_max = gib << 30;
    }
    if !options.quick {
        measured.cases = cases::all(&options.connections);
        measured.with_peers = !options.without_peers;
        measured.peers.clone_from(&options.peers);
    }
    if !options.only.is_empty() {
        let is_asked = |name: &str| options.only.iter().any(|begin| name.starts_with(begin));
        measured.cases.retain(|case| is_asked(&case.name()));
    }
    let fits = measured.rounds > 0 && options.connections.iter().all(|number| *number > 0);
    anyhow::ensure!(fits, "rounds and connections begin at 1");
    anyhow::ensure!(!measured.cases.is_empty(), "no workload has such a name");
    Ok(measured)
}

fn text(report: &Report) -> String {
    let machine = &report.machine;
    let mut text = format!(
        "tidemill {} ({} build), {}; {}\nfloor of necessary work: committer {}\n\
         {} cores, load average {}, client {}, {} on {}\n\
         {} rounds of {} ms, all in turn; median, and spread over the rounds\n",
        report.version,
        machine.build,
        report.server,
        report.log,
        report.floor_committer,
        machine.cores,
        machine
            .load_average
            .map_or("unknown".to_owned(), |load| load.to_string()),
        machine.scheduling.unwrap_or("unknown scheduling class"),
        machine.directory,
        machine
            .file_system
            .as_deref()
            .unwrap_or("an unknown file system"),
        report.rounds,
        report.turn_millis,
    );
    if !report.peers.is_empty() {
        text += &format!("peers: {}\n", report.peers.join(", "));
    }
    for measurement in &report.measurements {
        text += &format!("\n{}\n", measurement_text(measurement));
    }
    text + "\nThe last column is our rate over the row's."
}

fn measurement_text(measurement: &Measurement) -> String {
    let load = &measurement.workload;
    let mut table = output::table(&[
        "",
        "requests/s",
        "records/s",
        "MB/s",
        "spread",
        "p50 us",
        "p99 us",
        "ours",
    ]);
    for result in &measurement.results {
        table.add_row(row(result, load.record_bytes));
    }
    format!(
        "{}: {} of {} x {} B, {} connections, {} shards, bodies of {} bytes\n{table}",
        measurement.name,
        load.operation,
        load.entries,
        grouped(load.record_bytes as u64),
        load.connections,
        load.shards,
        grouped(load.body_bytes as u64),
    )
}

fn row(result: &Measured, record_bytes: usize) -> Vec<String> {
    let whole = |figure: &Figure| grouped(figure.median.round() as u64);
    let ratio = match (result.kind, result.ours_over_it) {
        (Kind::Tidemill, _) => String::new(),
        (_, None) => "does not count".to_owned(),
        (_, Some(ratio)) => format!("{ratio:.2}"),
    };
    let megabytes = result.records_per_second.median * record_bytes as f64 / 1e6;
    vec![
        result.name.clone(),
        whole(&result.requests_per_second),
        whole(&result.records_per_second),
        format!("{megabytes:.1}"),
        format!("{:.0} %", result.records_per_second.spread_percent),
        whole(&result.p50_us),
        whole(&result.p99_us),
        ratio,
    ]
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tidemill_bench::load::Sample;
    use tidemill_bench::machine::Machine;
    use tidemill_bench::report::Workload;

    use super::*;

    fn result(name: &str, kind: Kind, requests: u64, ratio: Option<f64>) -> Measured {
        let sample = Sample {
            requests,
            records: requests * 500,
            elapsed: Duration::from_secs(1),
            latencies_us: vec![7_654],
        };
        let measured = Measured::of(name, kind, &[sample]).expect("it has answers");
        Measured {
            ours_over_it: ratio,
            ..measured
        }
    }

    #[test]
    fn the_table_names_its_conditions_and_a_floor_that_does_not_count() {
        let workload = Workload {
            operation: "PutRecords",
            entries: 500,
            record_bytes: 1024,
            body_bytes: 700_000,
            connections: 8,
            shards: 32,
        };
        let measurement = Measurement {
            name: "put_records_1_kib_8".to_owned(),
            workload,
            results: vec![
                result("tidemill", Kind::Tidemill, 1000, None),
                result("bare HTTP server", Kind::HttpFloor, 2000, None),
                result("necessary work", Kind::NecessaryFloor, 1250, Some(0.8)),
            ],
        };
        let machine = Machine {
            cores: 2,
            load_average: Some(0.25),
            scheduling: Some("SCHED_OTHER"),
            directory: "/disk".to_owned(),
            file_system: Some("ext4".to_owned()),
            build: "release",
        };
        let report = Report {
            version: "0.1.0",
            machine,
            rounds: 5,
            turn_millis: 1500,
            server: "durable".to_owned(),
            log: "committer SCHED_FIFO 1, O_DIRECT|O_DSYNC".to_owned(),
            floor_committer: "SCHED_FIFO 1".to_owned(),
            peers: vec!["kinesalite 1.2.3".to_owned()],
            measurements: vec![measurement],
            warnings: vec![],
        };
        let text = text(&report);
        for part in [
            "durable; committer SCHED_FIFO 1, O_DIRECT|O_DSYNC",
            "2 cores, load average 0.25, client SCHED_OTHER, /disk on ext4",
            "5 rounds of 1500 ms",
            "kinesalite 1.2.3",
            "8 connections, 32 shards",
            "500,000",
            "512.0",
            "7,654",
            "does not count",
            "0.80",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}
