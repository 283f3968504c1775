//! What is done with each record of a view: [`RecordMap`], the seam between the SQL engine and the layers.
//!
//! The layers add up what a map gives and know no SQL; the engine that makes maps knows no layers. What
//! must hold: what a map gives for a record depends on that record alone, never on the others in the same
//! batch, so that parts that were mapped in different batches come to the same answer. A record whose
//! expressions fail (an overflow, a division by zero, a text that is no number) is counted and left out,
//! and does not take others with it.

use arrow_array::{ArrayRef, BooleanArray, RecordBatch};
use thiserror::Error;

use crate::state::Aggregate;
use crate::value::{Place, Type};

/// What is done with each record, compiled from a definition and a schema.
pub trait RecordMap: Send + Sync {
    /// The types of `_k0` and so on.
    fn keys(&self) -> &[Type];

    /// What `_a0` and so on are.
    fn aggregates(&self) -> &[Aggregate];

    /// What `rows`, which are as the master dataset has them, come to. Rows whose expressions fail are
    /// counted in [`Mapped::poisoned`]; an error is one of the whole.
    fn map(&self, rows: &RecordBatch) -> Result<Mapped, MapError>;
}

/// What rows come to. Places, keys and calls have one row for each record that passed the filter, in the
/// order of the rows; their columns are of [`arrow_type`](crate::columns::arrow_type).
#[derive(Clone, Debug, PartialEq)]
pub struct Mapped {
    /// Where the records stand.
    pub places: Vec<Place>,
    /// `_k0` and so on.
    pub keys: Vec<ArrayRef>,
    /// What `_a0` and so on look at.
    pub calls: Vec<MappedCall>,
    /// How many records the filter left out.
    pub filtered: u64,
    /// How many records were left out because an expression failed.
    pub poisoned: u64,
}

/// What one aggregate looks at.
#[derive(Clone, Debug, PartialEq)]
pub struct MappedCall {
    /// The argument; none for `count(*)`.
    pub argument: Option<ArrayRef>,
    /// What `min_by` and `max_by` order by; none for the others.
    pub order: Option<ArrayRef>,
    /// Which records count, without nulls; none when all do.
    pub counts: Option<BooleanArray>,
}

/// Why rows cannot be mapped at all.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MapError {
    /// They have other columns than the view was compiled for.
    #[error("the rows have not the columns that the view was compiled for: {what}")]
    Columns {
        /// Which.
        what: String,
    },
    /// The engine could not do its work, whatever the records are.
    #[error("the SQL engine failed: {what}")]
    Engine {
        /// What it says.
        what: String,
    },
}
