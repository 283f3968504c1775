//! [`Subject`]: a log under test on a counted disk, and the tasks that put into it.
//!
//! What must hold: callers are tasks of threads of the usual scheduling class, as a server's are; a
//! failed append ends the run.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use thiserror::Error;
use tokio::runtime::Runtime;

use tidemill_log::{
    AppendError, Batch, Durability, FileDisk, FileDiskError, LocalError, LocalLog, LocalOptions,
    Log, PartitionId, ReadError, Scheduling, ServiceTag,
};
use tidemill_server::clock::SystemClock;
use tidemill_server::entropy::SystemEntropy;

use crate::log::counted_disk::CountedDisk;
use crate::stopwatch::Stopwatch;

/// More than a log takes of one caller or of many: how much room their notes get.
const PUTS_PER_SECOND_MAX: f64 = 1e6;

/// Data of a record.
pub const ENTRY_BYTES: usize = 1024;

/// Why there is no figure.
#[derive(Debug, Error)]
pub enum LogBenchError {
    /// The directory cannot be used.
    #[error(transparent)]
    Directory(#[from] FileDiskError),
    /// The log cannot be opened.
    #[error(transparent)]
    Open(#[from] LocalError),
    /// An append failed.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// A read failed.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A file, a thread or a process could not be had.
    #[error("the system refused: {0}")]
    System(#[from] std::io::Error),
    /// A turn was over before it had one put.
    #[error("a turn of {what} had no put at all")]
    Nothing {
        /// What was measured.
        what: String,
    },
    /// The process that holds a log said something else than expected.
    #[error("the process that holds the log said {said:?}")]
    Holder {
        /// What it said.
        said: String,
    },
}

/// A way of writing: past the cache or through it, and how the committer is scheduled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    /// Stable name.
    pub name: &'static str,
    /// Past the system's cache, where that works.
    pub is_direct: bool,
    /// What is asked for.
    pub scheduling: Scheduling,
}

/// What a server uses: the first of [`WAYS`].
pub const BEST: Way = WAYS[0];

/// All ways.
pub const WAYS: [Way; 4] = [
    way("direct_real_time", true, Scheduling::RealTime),
    way("buffered_real_time", false, Scheduling::RealTime),
    way("direct_short_slice", true, Scheduling::ShortSlice),
    way("direct_usual", true, Scheduling::Usual),
];

const fn way(name: &'static str, is_direct: bool, scheduling: Scheduling) -> Way {
    Way {
        name,
        is_direct,
        scheduling,
    }
}

impl Way {
    /// The disk in `directory`, used this way.
    pub fn disk(&self, directory: &Path) -> Result<FileDisk, FileDiskError> {
        match self.is_direct {
            true => FileDisk::open(directory),
            false => FileDisk::open_buffered(directory),
        }
    }
}

/// A log under test.
pub struct Subject {
    /// The log.
    pub log: Arc<LocalLog>,
    /// What it writes to.
    pub disk: Arc<CountedDisk>,
}

impl Subject {
    /// Opens the log in `directory`.
    pub fn open(directory: &Path, way: &Way) -> Result<Subject, LogBenchError> {
        let disk = Arc::new(CountedDisk::new(way.disk(directory)?));
        let options = LocalOptions {
            durability: Durability::Sync,
            scheduling: way.scheduling,
            ..LocalOptions::default()
        };
        let log = LocalLog::open(
            disk.clone(),
            Arc::new(SystemClock),
            Arc::new(SystemEntropy),
            options,
        )?;
        Ok(Subject {
            log: Arc::new(log),
            disk,
        })
    }
}

/// What a turn of puts came to.
#[derive(Clone, Debug, Default)]
pub struct Puts {
    /// Microseconds of each put, ascending.
    pub latencies_us: Vec<f64>,
    /// From the first to the last.
    pub elapsed: Duration,
}

impl Puts {
    /// Puts per second.
    pub fn per_second(&self) -> f64 {
        self.latencies_us.len() as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }
}

/// Partition `number` of the benchmark.
pub fn partition(number: u64) -> PartitionId {
    PartitionId::new(ServiceTag::Streams, number)
}

/// Room for what one of `in_flight` callers measures, in memory that has been touched: the first touch may
/// stop a processor for milliseconds, and those it would stop are what is measured.
fn room_for_notes(in_flight: usize, duration: Duration) -> Vec<f64> {
    let puts = duration.as_secs_f64() * PUTS_PER_SECOND_MAX / in_flight as f64;
    let mut notes = vec![f64::NAN; puts as usize];
    notes.clear();
    notes
}

/// Puts batches of `entries` records, each to a partition of its own, `in_flight` at once, for
/// `duration`.
pub fn put_for(
    runtime: &Runtime,
    log: &Arc<LocalLog>,
    in_flight: usize,
    entries: usize,
    duration: Duration,
) -> Result<Puts, LogBenchError> {
    let payload = Bytes::from(vec![7; ENTRY_BYTES]);
    let notes: Vec<Vec<f64>> = (0..in_flight)
        .map(|_| room_for_notes(in_flight, duration))
        .collect();
    let watch = Stopwatch::start();
    let callers: Vec<_> = notes
        .into_iter()
        .enumerate()
        .map(|(caller, mut latencies_us)| {
            let (log, payload) = (Arc::clone(log), payload.clone());
            let first = (caller * entries) as u64;
            let partitions = first..first + entries as u64;
            runtime.spawn(async move {
                let batch = partitions.map(|number| (partition(number), payload.clone()));
                let entries: Vec<_> = batch.collect();
                while watch.elapsed() < duration {
                    let entries = entries.clone();
                    let put = Stopwatch::start();
                    log.append(Batch::of(entries)).await?;
                    latencies_us.push(put.elapsed().as_nanos() as f64 / 1000.0);
                }
                Ok::<_, AppendError>(latencies_us)
            })
        })
        .collect();
    let mut puts = Puts::default();
    for caller in callers {
        let latencies_us = runtime.block_on(caller).expect("putting does not panic")?;
        puts.latencies_us.extend(latencies_us);
    }
    puts.elapsed = watch.elapsed();
    puts.latencies_us.sort_unstable_by(f64::total_cmp);
    Ok(puts)
}
