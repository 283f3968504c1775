//! How much of views is measured, and where: [`Options`]. Pure.

use std::path::PathBuf;
use std::time::Duration;

/// A part of the benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Records into a view, beside reading them and adding them up by hand.
    Ingest,
    /// From the acknowledgement of a record to the first answer that has it.
    Freshness,
    /// Queries over both layers, beside the same over the batch layer alone.
    Merged,
    /// Looking up one group, beside a bare HTTP server.
    Lookup,
    /// A view over records that are there already, beside `DuckDB`.
    Recompute,
    /// The first answer after a kill.
    Rebuild,
}

impl Part {
    /// All, in the order they are measured in.
    pub const ALL: [Part; 6] = [
        Part::Ingest,
        Part::Freshness,
        Part::Merged,
        Part::Lookup,
        Part::Recompute,
        Part::Rebuild,
    ];
}

/// A view whose queries are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Its groups.
    pub groups: u64,
    /// Its records, of which one in twenty is in the speed layer.
    pub records: u64,
}

impl Size {
    /// Records in the speed layer.
    pub fn behind(&self) -> u64 {
        self.records / 20
    }
}

/// How much to measure, and where.
#[derive(Clone, Debug)]
pub struct Options {
    /// Directory on the disk under test; a temporary one is made in it.
    pub directory: PathBuf,
    /// The command that starts a server, but for its options.
    pub program: Vec<PathBuf>,
    /// A Python that may have `DuckDB`.
    pub python: PathBuf,
    /// Rounds per figure.
    pub rounds: usize,
    /// Time of each turn in a round of queries.
    pub turn: Duration,
    /// What is measured.
    pub parts: Vec<Part>,
    /// Records of a round of [`Part::Ingest`].
    pub ingest_records: u64,
    /// Records that are looked for in a round of [`Part::Freshness`], each way.
    pub probes: usize,
    /// Records per second that are put meanwhile.
    pub put_rate: u64,
    /// The views of [`Part::Merged`] and [`Part::Lookup`].
    pub sizes: Vec<Size>,
    /// Records of [`Part::Recompute`].
    pub recompute_records: u64,
    /// Records of [`Part::Rebuild`].
    pub rebuild_records: u64,
}

impl Options {
    /// A run whose figures mean something.
    pub fn full(directory: PathBuf) -> Options {
        let size = |groups, records| Size { groups, records };
        Options {
            directory,
            program: Vec::new(),
            python: PathBuf::from("python3"),
            rounds: 3,
            turn: Duration::from_millis(500),
            parts: Part::ALL.to_vec(),
            ingest_records: 200_000,
            probes: 150,
            put_rate: 1000,
            sizes: vec![size(1400, 200_000), size(400_000, 800_000)],
            recompute_records: 1_000_000,
            rebuild_records: 300_000,
        }
    }

    /// A run that only shows that everything works.
    pub fn quick(directory: PathBuf) -> Options {
        let size = |groups, records| Size { groups, records };
        Options {
            rounds: 1,
            turn: Duration::from_millis(50),
            ingest_records: 5000,
            probes: 10,
            sizes: vec![size(1400, 6000)],
            recompute_records: 5000,
            rebuild_records: 5000,
            ..Options::full(directory)
        }
    }

    /// Whether `part` is measured.
    pub fn has(&self, part: Part) -> bool {
        self.parts.contains(&part)
    }
}
