//! `tidemill bench log`: the report, as tables and as JSON.

use std::path::PathBuf;

use anyhow::Context;

use tidemill_bench::log::report::{Held, LogReport, PutsMeasured, Throughput};
use tidemill_bench::log::{self, Options, Part, held};
use tidemill_bench::statistics::Figure;

use crate::args::{BenchLog, LogPart};
use crate::output::{self, Ending, Failed, OrTry, grouped};

/// Measures and reports under `name`.
pub async fn run(name: &str, options: BenchLog) -> Result<Ending, Failed> {
    let next = format!("{} bench log --dir /tmp", output::program());
    let json = options.json;
    if let Some(directory) = &options.hold {
        let (partitions, entries) = (options.partitions.unwrap_or(1), options.hold_entries);
        let directory = directory.clone();
        let holding = move || held::hold(&directory, partitions, entries);
        let held = tokio::task::spawn_blocking(holding).await;
        held.context("the log could not be held")
            .or_try(next.clone())?
            .context("the log could not be held")
            .or_try(next)?;
        return Ok(Ending::Ok);
    }
    let measured = measured(&options).or_try(next.clone())?;
    let running = tokio::task::spawn_blocking(move || {
        log::run(&measured, |step| eprintln!("Measuring {step}"))
    });
    let report = running.await.context("the benchmark broke off");
    let report = report.or_try(next.clone())?;
    let report = report.context("the benchmark could not run").or_try(next)?;
    let warnings = &report.warnings;
    Ok(output::report(name, json, &report, warnings, text))
}

/// What is to be measured.
fn measured(options: &BenchLog) -> anyhow::Result<Options> {
    let directory = options.dir.clone();
    let mut measured = match options.quick {
        true => Options::quick(directory),
        false => Options::full(directory),
    };
    measured.rounds = options.rounds.unwrap_or(measured.rounds);
    measured.turn = options.turn.unwrap_or(measured.turn);
    measured.busy = options.busy;
    measured.every_way = options.every_way;
    if !options.in_flight.is_empty() {
        measured.in_flight.clone_from(&options.in_flight);
    }
    if !options.only.is_empty() {
        measured.parts = options.only.iter().map(|part| part_of(*part)).collect();
    }
    measured.partitions = options.partitions.unwrap_or(measured.partitions);
    measured.restart_entries = options.retained_records.unwrap_or(measured.restart_entries);
    let fits = measured.rounds > 0
        && measured.partitions > 0
        && measured.in_flight.iter().all(|number| *number > 0);
    anyhow::ensure!(fits, "rounds, partitions and puts in flight begin at 1");
    let program = std::env::current_exe().context("this program cannot be started again")?;
    measured.holder = [program, "bench".into(), "log".into()]
        .map(PathBuf::from)
        .to_vec();
    Ok(measured)
}

fn part_of(part: LogPart) -> Part {
    match part {
        LogPart::Put => Part::Put,
        LogPart::Batch => Part::Batch,
        LogPart::Read => Part::Read,
        LogPart::Memory => Part::Memory,
        LogPart::Restart => Part::Restart,
    }
}

fn text(report: &LogReport) -> String {
    let mut text = format!(
        "tidemill {}, {} rounds of {} ms, puts and floors in turn; median over the rounds\n",
        report.version, report.rounds, report.turn_millis,
    );
    if let Some(machine) = &report.machine {
        let load = machine.load_average;
        text += &format!(
            "{} build, {} cores{}, load average {}, {} on {}\n",
            machine.build,
            machine.cores,
            if report.busy { ", all kept busy" } else { "" },
            load.map_or("unknown".to_owned(), |load| load.to_string()),
            machine.directory,
            machine
                .file_system
                .as_deref()
                .unwrap_or("an unknown file system"),
        );
    }
    for way in report
        .puts
        .chunk_by(|left, right| left.way == right.way && left.entries == right.entries)
    {
        text += &format!("\n{}\n", puts_text(way));
    }
    if let Some(read) = &report.tail_read {
        text += &format!("\nread back from memory: {}\n", throughput_text(read));
    }
    if let Some(held) = &report.held {
        text += &held_text(held);
    }
    text.trim_end().to_owned()
}

fn puts_text(puts: &[PutsMeasured]) -> String {
    let mut table = output::table(&[
        "in flight",
        "put p50 us",
        "p99 us",
        "puts/s",
        "frame B",
        "floor p50",
        "p99",
        "over it p50",
        "p99",
        "4 KiB p50",
        "p99",
        "over it p50",
        "p99",
    ]);
    let whole = |figure: &Figure| grouped(figure.median.round() as u64);
    let times = |ratio: f64| format!("{ratio:.2}");
    for one in puts {
        table.add_row(vec![
            one.in_flight.to_string(),
            whole(&one.put.p50_us),
            whole(&one.put.p99_us),
            whole(&one.puts_per_second),
            whole(&one.frame_bytes),
            whole(&one.floor.p50_us),
            whole(&one.floor.p99_us),
            times(one.over_floor[0]),
            times(one.over_floor[1]),
            whole(&one.floor_4_kib.p50_us),
            whole(&one.floor_4_kib.p99_us),
            times(one.over_floor_4_kib[0]),
            times(one.over_floor_4_kib[1]),
        ]);
    }
    let (entries, log) = puts
        .first()
        .map_or((1, ""), |one| (one.entries, one.log.as_str()));
    format!(
        "puts of {entries} x 1 KiB, each to a partition of its own; {log}\n\
         the floor is a bare durable write of the size of the frames, and one of 4 KiB\n{table}"
    )
}

fn throughput_text(read: &Throughput) -> String {
    format!(
        "{} records/s, {} MB/s",
        grouped(read.records_per_second.median.round() as u64),
        grouped(read.megabytes_per_second.median.round() as u64),
    )
}

fn held_text(held: &Held) -> String {
    let megabytes = |bytes: i64| format!("{:.1} MB", bytes as f64 / 1e6);
    let mut text = String::new();
    if let Some(memory) = &held.memory {
        let filled = &memory.filled;
        text += &format!(
            "\n{} partitions with {} records of 1 KiB each, then idle: resident {} (with the empty log {}), \
             {} beyond the tail ring of {}; {:.2} bytes written for each put\n",
            grouped(filled.partitions),
            grouped(filled.entries),
            megabytes(filled.resident_idle_bytes as i64),
            megabytes(filled.resident_before_bytes as i64),
            megabytes(memory.beyond_tail_ring_bytes),
            megabytes(memory.tail_ring_bytes as i64),
            memory.write_amplification,
        );
    }
    if let Some(restart) = &held.restart {
        let filled = &restart.filled;
        text += &format!(
            "\n{} partitions with {:.2} GB retained, put in {:.1} s, {:.2} bytes written for each: killed under \
             load, open after {:.3} s, the first put durable after {:.3} s\n\
             read back cold: {}\n",
            grouped(filled.partitions),
            filled.payload_bytes as f64 / 1e9,
            filled.seconds,
            restart.write_amplification,
            restart.open_seconds,
            restart.first_put_seconds,
            throughput_text(&restart.cold_read),
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use tidemill_bench::log::report::Latency;

    use super::*;

    #[test]
    fn the_table_has_put_and_floor_beside_each_other() {
        let figure = |value: f64| Figure::of(&[value]).expect("one round");
        let latency = |p50, p99| Latency {
            p50_us: figure(p50),
            p99_us: figure(p99),
        };
        let (put, floor) = (latency(300.0, 900.0), latency(150.0, 300.0));
        let report = LogReport {
            version: "0.1.0",
            rounds: 5,
            turn_millis: 1000,
            puts: vec![PutsMeasured {
                way: "direct_real_time".to_owned(),
                log: "committer SCHED_FIFO 1".to_owned(),
                in_flight: 128,
                entries: 1,
                puts_per_second: figure(123_456.0),
                frame_bytes: figure(135_168.0),
                over_floor: put.over(&floor),
                over_floor_4_kib: put.over(&floor),
                put,
                floor_4_kib: floor.clone(),
                floor,
            }],
            ..LogReport::default()
        };
        let text = text(&report);
        for part in [
            "SCHED_FIFO 1",
            "123,456",
            "135,168",
            "2.00",
            "3.00",
            "5 rounds",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}
