//! What can go wrong with a state: [`StateError`].

use thiserror::Error;

use crate::value::Type;

/// Why a state cannot take something in, or has no answer. Never an excuse for a wrong number.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StateError {
    /// The answer does not fit into its type, or a count into 64 bits.
    #[error("{what} is out of range")]
    Overflow {
        /// What was to be computed.
        what: &'static str,
    },
    /// A value has another type than the column that was declared.
    #[error("a value is not of {expected:?}")]
    WrongType {
        /// The type of the column.
        expected: Type,
    },
    /// The aggregate cannot take a record back: recompute the group from the master dataset.
    #[error("{what} cannot take a record back; the group has to be recomputed")]
    NotRetractable {
        /// The aggregate.
        what: &'static str,
    },
    /// More was taken back than was ever put in.
    #[error("more records were taken back from {what} than it had")]
    Overdrawn {
        /// The aggregate.
        what: &'static str,
    },
    /// Two states of different aggregates.
    #[error("states of different aggregates cannot be merged")]
    Unlike,
}
