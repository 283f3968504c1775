//! What became of records: [`Outcome`], and [`Closed`], a range of positions that met one.
//!
//! What must hold: a range is never empty, and a position is closed once. The names of the outcomes
//! are persisted with the checkpoints: never change one.

use serde::{Deserialize, Serialize};

/// What became of a record, finally.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The function took it.
    Processed,
    /// A filter kept it from the function.
    Filtered,
    /// It was given up, and the failure destination knows of it.
    DeadLettered,
    /// It was given up, and nobody was told.
    Discarded,
    /// Retention took it before the function did.
    Expired,
}

/// The records at `from..to`, and what became of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    /// First position of the range.
    pub from: u64,
    /// One past its last position.
    pub to: u64,
    /// What became of the records.
    pub outcome: Outcome,
}

impl Closed {
    /// How many records the range holds.
    pub fn count(&self) -> u64 {
        self.to - self.from
    }
}
