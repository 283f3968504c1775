//! What is met on a walk through a log: [`Met`], and why a walk may end early.

use crate::chunk::{ChunkHeader, ChunkRow};
use crate::frame::{FileHeader, FrameHeader};
use crate::partition_id::PartitionId;
use crate::port::Position;
use crate::recovery::LocalError;
use crate::run::{Change, EntryRow};

use super::finding::{Damage, Torn};

/// What is met on the way.
#[derive(Debug)]
pub enum Met<'a> {
    /// A file begins.
    File {
        /// Its path.
        path: &'a str,
        /// What it says of itself.
        header: &'a FileHeader,
        /// Its size.
        bytes: u64,
    },
    /// A chunk begins.
    Chunk {
        /// Its path.
        path: &'a str,
        /// What the log names it with.
        row: &'a ChunkRow,
        /// What it says of itself.
        header: &'a ChunkHeader,
        /// How many extents it has.
        extents: u64,
    },
    /// A frame begins.
    Frame {
        /// Where it stands.
        offset: u64,
        /// What it says of itself.
        header: &'a FrameHeader,
    },
    /// A change other than entries.
    Change {
        /// Whose.
        partition: PartitionId,
        /// Which.
        change: &'a Change,
    },
    /// An entry.
    Entry {
        /// Its partition.
        partition: PartitionId,
        /// Its position.
        position: Position,
        /// What its run says of it.
        row: EntryRow,
        /// Its payload; none when its run ends inside it.
        payload: Option<&'a [u8]>,
        /// Whether the payload is what was written at this place.
        is_whole: bool,
    },
    /// Something is not what was written.
    Damage(Damage),
    /// The log ends with a write that was cut short.
    Torn(Torn),
}

/// Why a walk ended early.
#[derive(Debug)]
pub enum Stop {
    /// It was broken off.
    Asked,
    /// It cannot go on.
    Failed(LocalError),
}
