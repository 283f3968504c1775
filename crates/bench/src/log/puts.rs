//! The latency of puts over that of the disk: [`measure`].

use std::path::Path;
use std::time::Duration;

use tokio::runtime::Runtime;

use crate::log::device::Device;
use crate::log::options::Options;
use crate::log::report::{Latency, PutsMeasured};
use crate::log::subject::{LogBenchError, Puts, Subject, Way, put_for};
use crate::statistics::Figure;

/// The smallest frame.
const BLOCK_BYTES: usize = 4096;
/// Zeros that go ahead of frames are written in pieces of at least this size, and are no frames.
const ZEROS_BYTES: usize = 1 << 20;

/// What the rounds of one number in flight gave.
#[derive(Default)]
struct Rounds {
    puts: Vec<Puts>,
    frame_bytes: Vec<f64>,
    floor: Vec<Vec<f64>>,
    floor_4_kib: Vec<Vec<f64>>,
}

/// Measures puts of `entries` records with each number of `in_flight`, a log in `directory`, and the
/// floors beside it.
pub fn measure(
    options: &Options,
    runtime: &Runtime,
    directory: &Path,
    way: &Way,
    in_flight: &[usize],
    entries: usize,
) -> Result<Vec<PutsMeasured>, LogBenchError> {
    let subject = Subject::open(&directory.join("log"), way)?;
    let device = Device::open(&directory.join("floor"), way)?;
    let mut rounds: Vec<Rounds> = in_flight.iter().map(|_| Rounds::default()).collect();
    for (in_flight, _) in in_flight.iter().zip(&rounds) {
        put_for(runtime, &subject.log, *in_flight, entries, options.turn / 5)?;
    }
    for _ in 0..options.rounds {
        for (in_flight, rounds) in in_flight.iter().zip(&mut rounds) {
            one_round(
                options, runtime, &subject, &device, *in_flight, entries, rounds,
            )?;
        }
    }
    let log = subject.log.description();
    let measured = in_flight.iter().zip(&rounds).map(|(in_flight, rounds)| {
        let what = format!("{} in flight", in_flight);
        let sum = sum_up(rounds, way, &log, *in_flight, entries);
        sum.ok_or(LogBenchError::Nothing { what })
    });
    let measured = measured.collect();
    drop(subject);
    std::fs::remove_dir_all(directory)?;
    measured
}

fn one_round(
    options: &Options,
    runtime: &Runtime,
    subject: &Subject,
    device: &Device,
    in_flight: usize,
    entries: usize,
    rounds: &mut Rounds,
) -> Result<(), LogBenchError> {
    subject.disk.take();
    let puts = put_for(runtime, &subject.log, in_flight, entries, options.turn)?;
    let frame_bytes = median_frame(subject.disk.take().wal_writes);
    rounds.puts.push(puts);
    rounds.frame_bytes.push(frame_bytes as f64);
    let turn: Duration = options.turn / 2;
    rounds.floor.push(device.sync_for(frame_bytes, turn)?);
    rounds.floor_4_kib.push(device.sync_for(BLOCK_BYTES, turn)?);
    Ok(())
}

/// The median size of the frames among `writes`.
fn median_frame(mut writes: Vec<usize>) -> usize {
    writes.retain(|bytes| *bytes < ZEROS_BYTES);
    writes.sort_unstable();
    writes.get(writes.len() / 2).copied().unwrap_or(BLOCK_BYTES)
}

fn sum_up(
    rounds: &Rounds,
    way: &Way,
    log: &str,
    in_flight: usize,
    entries: usize,
) -> Option<PutsMeasured> {
    let latencies = rounds.puts.iter().map(|puts| puts.latencies_us.clone());
    let put = Latency::of(&latencies.collect::<Vec<_>>())?;
    let rates: Vec<f64> = rounds.puts.iter().map(Puts::per_second).collect();
    let floor = Latency::of(&rounds.floor)?;
    let floor_4_kib = Latency::of(&rounds.floor_4_kib)?;
    Some(PutsMeasured {
        way: way.name.to_owned(),
        log: log.to_owned(),
        in_flight,
        entries,
        puts_per_second: Figure::of(&rates)?,
        frame_bytes: Figure::of(&rounds.frame_bytes)?,
        over_floor: put.over(&floor),
        over_floor_4_kib: put.over(&floor_4_kib),
        put,
        floor,
        floor_4_kib,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_ahead_are_no_frames() {
        assert_eq!(median_frame(vec![8192, 4096, 2 << 20, 8192]), 8192);
        assert_eq!(median_frame(vec![]), BLOCK_BYTES);
    }
}
