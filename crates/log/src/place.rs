//! Where frames and entries stand: [`FramePlace`], [`Home`], [`Extent`]. Pure.

use std::fmt;
use std::sync::Weak;

use bytes::Bytes;

use tidemill_model::Timestamp;

use crate::chunk::{ExtentRow, chunk_path};
use crate::frame::file_path;
use crate::port::Position;
use crate::run::EntriesRun;

/// A frame that is still in memory.
#[derive(Debug)]
pub struct CachedFrame {
    /// Number of its file.
    pub file: u64,
    /// Where it stands there.
    pub offset: u64,
    /// The whole frame.
    pub bytes: Bytes,
}

/// Where a frame stands.
#[derive(Clone, Debug)]
pub struct FramePlace {
    /// Its sequence number.
    pub lsn: u64,
    /// Number of the file.
    pub file: u64,
    /// Offset of the frame's payload in the file.
    pub payload_offset: u64,
    /// The frame, as long as it is in memory.
    pub cached: Weak<CachedFrame>,
}

/// The file that entries stand in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Home {
    /// A file of the write-ahead log, by its number.
    Wal(u64),
    /// A chunk, by its number.
    Chunk(u64),
}

impl fmt::Display for Home {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&match self {
            Home::Wal(number) => file_path(*number),
            Home::Chunk(number) => chunk_path(*number),
        })
    }
}

/// Where entries of one partition lie, one behind the other.
#[derive(Clone, Debug)]
pub struct Extent {
    /// Position of the first entry.
    pub first: Position,
    /// How many entries; at least one.
    pub count: u32,
    /// Timestamp of the first entry.
    pub first_at: Timestamp,
    /// Timestamp of the last entry.
    pub last_at: Timestamp,
    /// The file.
    pub home: Home,
    /// Offset in the file: of the run's body, in a chunk of the rows of the blocks.
    pub offset: u64,
    /// Size of what stands there.
    pub bytes: u32,
    /// The frame, as long as it is in memory.
    pub cached: Weak<CachedFrame>,
}

impl Extent {
    /// One past the position of the last entry.
    pub fn end(&self) -> Position {
        self.first + u64::from(self.count)
    }

    /// Where `run` of the frame at `place` stands.
    pub fn new(run: &EntriesRun, place: &FramePlace) -> Extent {
        Extent {
            first: run.first,
            count: run.count,
            first_at: run.first_at,
            last_at: run.last_at,
            home: Home::Wal(place.file),
            offset: place.payload_offset + run.body.start as u64,
            bytes: u32::try_from(run.body.len()).expect("the limits keep a run small"),
            cached: place.cached.clone(),
        }
    }

    /// Where what `row` tells of stands in `chunk`.
    pub fn in_chunk(row: &ExtentRow, chunk: u64) -> Extent {
        Extent {
            first: row.first,
            count: row.count,
            first_at: row.first_at,
            last_at: row.last_at,
            home: Home::Chunk(chunk),
            offset: row.rows_offset,
            bytes: row.rows_bytes,
            cached: Weak::new(),
        }
    }

    /// Whether it lies before `offset` of file `file` of the write-ahead log. Those of a partition stand in
    /// this order: what is in chunks was written before what is not.
    pub fn is_before(&self, file: u64, offset: u64) -> bool {
        match self.home {
            Home::Chunk(_) => true,
            Home::Wal(home) => (home, self.offset) < (file, offset),
        }
    }
}

impl CachedFrame {
    /// Offset behind it.
    pub fn end(&self) -> u64 {
        self.offset + self.bytes.len() as u64
    }
}
