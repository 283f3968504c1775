//! Reading back, the memory of an idle log, and the start after a kill.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::Runtime;

use tidemill_log::{Batch, LocalLog, LocalOptions, Log};

use crate::log::held::Holder;
use crate::log::options::Options;
use crate::log::report::{Filled, MemoryMeasured, RestartMeasured, Throughput};
use crate::log::subject::{BEST, ENTRY_BYTES, LogBenchError, Subject, partition};
use crate::statistics::Figure;
use crate::stopwatch::Stopwatch;

/// A page, as a reader of a stream asks for it.
const PAGE_ENTRIES: usize = 10_000;
const PAGE_BYTES: usize = 10 << 20;
/// Records and partitions that are read from memory: well within the tail ring.
const TAIL_PARTITIONS: u64 = 32;
const TAIL_ENTRIES: u64 = 800;
/// Longest reading of what is in no memory.
const COLD_READ_MAX: Duration = Duration::from_secs(20);

/// What was read in some time.
#[derive(Clone, Copy, Default)]
struct ReadSoFar {
    records: u64,
    bytes: u64,
    elapsed: Duration,
}

fn throughput(rounds: &[ReadSoFar]) -> Option<Throughput> {
    let per_second = |count: fn(&ReadSoFar) -> u64, unit: f64| {
        let rates = rounds
            .iter()
            .map(|read| count(read) as f64 / unit / read.elapsed.as_secs_f64().max(1e-9));
        Figure::of(&rates.collect::<Vec<_>>())
    };
    Some(Throughput {
        records_per_second: per_second(|read| read.records, 1.0)?,
        megabytes_per_second: per_second(|read| read.bytes, 1e6)?,
    })
}

/// Reads partitions from front to end, one after the other, again and again for `duration`, or once.
async fn read_for(
    log: Arc<LocalLog>,
    partitions: u64,
    duration: Duration,
    once: bool,
) -> Result<ReadSoFar, LogBenchError> {
    let watch = Stopwatch::start();
    let mut read = ReadSoFar::default();
    'all: loop {
        for number in 0..partitions {
            let mut from = 0;
            loop {
                if watch.elapsed() >= duration {
                    break 'all;
                }
                let page = log
                    .read(partition(number), from, PAGE_ENTRIES, PAGE_BYTES)
                    .await?;
                let Some(last) = page.entries.last() else {
                    break;
                };
                from = last.position + 1;
                read.records += page.entries.len() as u64;
                let bytes = page.entries.iter().map(|entry| entry.payload.len() as u64);
                read.bytes += bytes.sum::<u64>();
            }
        }
        if once {
            break;
        }
    }
    read.elapsed = watch.elapsed();
    Ok(read)
}

/// Reads what was just put, while it is in the tail ring.
pub fn tail(
    options: &Options,
    runtime: &Runtime,
    directory: &Path,
) -> Result<Throughput, LogBenchError> {
    let subject = Subject::open(directory, &BEST)?;
    let payload = Bytes::from(vec![7; ENTRY_BYTES]);
    for _ in 0..TAIL_ENTRIES {
        let entries = (0..TAIL_PARTITIONS).map(|number| (partition(number), payload.clone()));
        runtime.block_on(subject.log.append(Batch::of(entries)))?;
    }
    let mut rounds = Vec::new();
    for _ in 0..options.rounds {
        let log = Arc::clone(&subject.log);
        let reading = runtime.spawn(read_for(log, TAIL_PARTITIONS, options.turn, false));
        rounds.push(runtime.block_on(reading).expect("reading does not panic")?);
    }
    drop(subject);
    std::fs::remove_dir_all(directory)?;
    throughput(&rounds).ok_or_else(|| LogBenchError::Nothing {
        what: "reading".to_owned(),
    })
}

fn amplification(filled: &Filled) -> f64 {
    filled.written_bytes as f64 / (filled.payload_bytes as f64).max(1.0)
}

/// The memory of a process that holds many partitions with few records each, and is idle.
pub fn memory(options: &Options, directory: &Path) -> Result<MemoryMeasured, LogBenchError> {
    let (partitions, entries) = (options.partitions, options.memory_entries);
    let (holder, filled) = Holder::start(&options.holder, directory, partitions, entries)?;
    drop(holder);
    std::fs::remove_dir_all(directory)?;
    let tail_ring_bytes = LocalOptions::default().cache_bytes as u64;
    let grown = filled.resident_idle_bytes as i64 - filled.resident_before_bytes as i64;
    Ok(MemoryMeasured {
        tail_ring_bytes,
        beyond_tail_ring_bytes: grown - tail_ring_bytes.min(filled.payload_bytes) as i64,
        write_amplification: amplification(&filled),
        filled,
    })
}

/// A log that was killed while it was written is opened, put into, and read.
pub fn restart(
    options: &Options,
    runtime: &Runtime,
    directory: &Path,
) -> Result<RestartMeasured, LogBenchError> {
    let (partitions, entries) = (options.partitions, options.restart_entries);
    let (holder, filled) = Holder::start(&options.holder, directory, partitions, entries)?;
    holder.kill_under_load()?;
    let watch = Stopwatch::start();
    let subject = Subject::open(directory, &BEST)?;
    let open_seconds = watch.elapsed().as_secs_f64();
    let entries = vec![(partition(0), Bytes::from(vec![7; ENTRY_BYTES]))];
    runtime.block_on(subject.log.append(Batch::of(entries)))?;
    let first_put_seconds = watch.elapsed().as_secs_f64();
    let log = Arc::clone(&subject.log);
    let reading = runtime.spawn(read_for(log, partitions, COLD_READ_MAX, true));
    let read = runtime.block_on(reading).expect("reading does not panic")?;
    drop(subject);
    std::fs::remove_dir_all(directory)?;
    Ok(RestartMeasured {
        write_amplification: amplification(&filled),
        filled,
        open_seconds,
        first_put_seconds,
        cold_read: throughput(&[read]).ok_or_else(|| LogBenchError::Nothing {
            what: "reading".to_owned(),
        })?,
    })
}
