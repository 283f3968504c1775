//! Looking at a data directory that no server uses: what stands in it, and whether it is what was
//! written.
//!
//! What must hold: nothing is changed; what is called clean is what a start would accept, and each
//! checksum in it fits. Decoding is the log's own, so that the two cannot disagree. A tail that a power
//! cut explains is told and is no damage. What only the owners of partitions know, such as whether the
//! code that a command names is among the blobs, is not looked at.
//!
//! `held` takes the directory, `walk` goes through its files, `verify` and `dump` tell of it.

mod finding;
mod held;
mod met;
mod chunks;
mod walk;
mod verify;
mod dump;

use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::recovery::LocalError;

pub use dump::{Command, Line, Summary, Wanted};
pub use finding::{Damage, PartitionName, Torn};
pub use verify::{Counts, Report, Verdict};

pub(crate) use chunks::walk_chunks;
pub(crate) use met::{Met, Stop};

use held::HeldDisk;

/// Why a data directory cannot be looked at.
#[derive(Debug, Error)]
pub enum InspectError {
    /// A server has it.
    #[error("the data directory {} is in use by another process", path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// It is not there, or holds no log.
    #[error("{} is no data directory: it has neither SUPER nor wal", path.display())]
    NoData {
        /// The directory.
        path: PathBuf,
    },
    /// The system refuses it.
    #[error("the data directory {} cannot be read", path.display())]
    Unreadable {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file in it cannot be read, or was written by a newer version.
    #[error(transparent)]
    Log(#[from] LocalError),
}

/// A data directory that no server uses, until this is dropped.
#[derive(Debug)]
pub struct DataDirectory {
    disk: HeldDisk,
}

impl DataDirectory {
    /// Takes the data directory `root`.
    pub fn open(root: &Path) -> Result<DataDirectory, InspectError> {
        let disk = HeldDisk::open(root)?;
        Ok(DataDirectory { disk })
    }

    /// Checks everything in it. Reads all of it, one file at a time. Blocks.
    pub fn verify(&self) -> Result<Report, InspectError> {
        Ok(verify::verify(&self.disk)?)
    }

    /// Tells what stands in its write-ahead log and in its chunks, in this order, until `tell` breaks it off. Blocks.
    pub fn dump(
        &self,
        wanted: Wanted,
        tell: impl FnMut(Line) -> ControlFlow<()>,
    ) -> Result<Summary, InspectError> {
        Ok(dump::dump(&self.disk, wanted, tell)?)
    }
}

#[cfg(test)]
mod tests;
