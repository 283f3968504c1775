//! How much of the log is measured, and where: [`Options`]. Pure.

use std::path::PathBuf;
use std::time::Duration;

use crate::log::subject::{WAYS, Way};

/// A part of the benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Puts of one record, by number in flight.
    Put,
    /// Puts of many records, each to a partition of its own.
    Batch,
    /// Reading what is in memory.
    Read,
    /// Resident memory of many idle partitions.
    Memory,
    /// The start after a kill, and reading what is in no memory.
    Restart,
}

impl Part {
    /// All, in the order they are measured in.
    pub const ALL: [Part; 5] = [
        Part::Put,
        Part::Batch,
        Part::Read,
        Part::Memory,
        Part::Restart,
    ];
}

/// How much to measure, and where.
#[derive(Clone, Debug)]
pub struct Options {
    /// Directory on the disk under test; a temporary one is made in it.
    pub directory: PathBuf,
    /// Rounds per figure.
    pub rounds: usize,
    /// Time of each turn in a round.
    pub turn: Duration,
    /// Whether as many threads as there are cores spin beside it.
    pub busy: bool,
    /// Whether every way of writing is measured, and not only the best.
    pub every_way: bool,
    /// Puts in flight.
    pub in_flight: Vec<usize>,
    /// Records of a batch, each to a partition of its own.
    pub batch_entries: usize,
    /// What is measured.
    pub parts: Vec<Part>,
    /// Partitions of the logs that a process holds.
    pub partitions: u64,
    /// Records on each partition where memory is measured.
    pub memory_entries: u64,
    /// Records on each partition where the start is measured.
    pub restart_entries: u64,
    /// The command that calls [`hold`](crate::log::held::hold); without it memory and start are not measured.
    pub holder: Vec<PathBuf>,
}

impl Options {
    /// A run whose figures mean something.
    pub fn full(directory: PathBuf) -> Options {
        Options {
            directory,
            rounds: 5,
            turn: Duration::from_secs(1),
            busy: false,
            every_way: false,
            in_flight: vec![1, 16, 128, 512],
            batch_entries: 128,
            parts: Part::ALL.to_vec(),
            partitions: 10_000,
            memory_entries: 100,
            restart_entries: 1000,
            holder: Vec::new(),
        }
    }

    /// A run that only shows that everything works.
    pub fn quick(directory: PathBuf) -> Options {
        Options {
            rounds: 2,
            turn: Duration::from_millis(50),
            in_flight: vec![1, 16],
            partitions: 100,
            memory_entries: 10,
            restart_entries: 20,
            ..Options::full(directory)
        }
    }

    /// The ways of writing that are measured.
    pub fn ways(&self) -> &'static [Way] {
        if self.every_way { &WAYS } else { &WAYS[..1] }
    }

    /// Whether `part` is measured.
    pub fn has(&self, part: Part) -> bool {
        self.parts.contains(&part)
    }
}
