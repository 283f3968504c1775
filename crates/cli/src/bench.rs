//! `tidemill bench`: the benchmark's report, as a table and as JSON.

use anyhow::Context;

use tidemill_bench::report::{Measurement, Report, Unit};
use tidemill_bench::run::{self, Options};
use tidemill_bench::statistics::Figure;

use crate::args;
use crate::output::{self, Ending, Failed, OrTry, grouped};
use crate::progress::Progress;

/// Measures and reports.
pub async fn run(options: args::Bench) -> Result<Ending, Failed> {
    let directory = options.dir.clone();
    let measured = match options.quick {
        true => Options::quick(directory),
        false => Options::full(directory),
    };
    let mut progress = Progress::begin("Measuring", measured.steps() as u64);
    let mut done = 0;
    let report = run::run(&measured, |_| {
        done += 1;
        progress.reach(done);
    });
    let report = report.await.context("the benchmark could not run");
    let report = report.or_try(format!("{} bench --dir /tmp", output::program()))?;
    progress.finish("done");
    if options.json {
        output::print(&output::envelope(
            "bench",
            Ending::Ok,
            &report,
            &report.warnings,
        ));
        return Ok(Ending::Ok);
    }
    output::print(&text(&report));
    for warning in &report.warnings {
        eprintln!("warning: {warning}");
    }
    Ok(Ending::Ok)
}

fn text(report: &Report) -> String {
    let machine = &report.machine;
    let mut text = format!(
        "tidemill {} ({} build), {}; {}\n{} cores, load average {}, client {}, {} on {}\n\
         {} rounds, ours and the floors in turn; median, and spread over the rounds\n",
        report.version,
        machine.build,
        report.server,
        report.log,
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
    );
    for measurement in &report.measurements {
        text += &format!("\n{}\n", measurement_text(measurement));
    }
    text + "\nA ratio is how many times the floor's cost ours is."
}

fn measurement_text(measurement: &Measurement) -> String {
    let load = &measurement.workload;
    let header = match measurement.unit {
        Unit::RequestsPerSecond => {
            ["", "requests/s", "records/s", "MB/s", "spread", "ratio"].as_slice()
        }
        Unit::Microseconds => &["", "microseconds", "spread", "ratio"],
    };
    let mut table = output::table(header);
    let mut add = |name: &str, figure: &Figure, ratio: &str| {
        let mut row = vec![name.to_owned(), grouped(figure.median.round() as u64)];
        if measurement.unit == Unit::RequestsPerSecond {
            let records = figure.median * load.entries as f64;
            row.push(grouped(records.round() as u64));
            row.push(format!("{:.1}", records * load.record_bytes as f64 / 1e6));
        }
        row.extend([format!("{:.0} %", figure.spread_percent), ratio.to_owned()]);
        table.add_row(row);
    };
    add("tidemill", &measurement.tidemill, "");
    for floor in &measurement.floors {
        let ratio = floor
            .ratio
            .map_or("does not count".to_owned(), |ratio| format!("{ratio:.1}"));
        add(floor.floor.title(), &floor.figure, &ratio);
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

#[cfg(test)]
mod tests {
    use tidemill_bench::machine::Machine;
    use tidemill_bench::report::{Floor, FloorKind, Workload};

    use super::*;

    #[test]
    fn the_table_names_its_conditions_and_a_floor_that_does_not_count() {
        let figure = |value: f64| Figure::of(&[value]).expect("one round");
        let workload = Workload {
            operation: "PutRecords",
            entries: 500,
            record_bytes: 1024,
            body_bytes: 700_000,
            connections: 8,
            shards: 4,
        };
        let floor = |floor, value, ratio| Floor {
            floor,
            figure: figure(value),
            ratio,
        };
        let measurement = Measurement {
            name: "put_records_1_kib_rate".to_owned(),
            unit: Unit::RequestsPerSecond,
            workload,
            tidemill: figure(1000.0),
            floors: vec![
                floor(FloorKind::Http, 2000.0, None),
                floor(FloorKind::Disk, 1500.0, Some(1.5)),
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
            server: "embedded".to_owned(),
            log: "committer SCHED_FIFO 1, O_DIRECT|O_DSYNC".to_owned(),
            measurements: vec![measurement],
            warnings: vec![],
        };
        let text = text(&report);
        for part in [
            "embedded; committer SCHED_FIFO 1, O_DIRECT|O_DSYNC",
            "2 cores, load average 0.25, client SCHED_OTHER, /disk on ext4",
            "5 rounds",
            "8 connections, 4 shards",
            "500,000",
            "512.0",
            "does not count",
            "1.5",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}
