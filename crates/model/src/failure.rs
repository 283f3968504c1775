//! Whether a failed action surely did not happen: [`Determinacy`].
//!
//! Retrying, checkpointing and the counting of duplicates all hang on this one bit, so it is a type.

use serde::{Deserialize, Serialize};

/// What is known of an action that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Determinacy {
    /// It surely did not happen: trying again cannot duplicate it.
    Determinate,
    /// It may have happened: trying again may duplicate it.
    Indeterminate,
}
