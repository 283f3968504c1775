//! What can be seen of a machine that runs: [`Status`].
//!
//! What must hold: it is for showing; nothing is decided by it.

use crate::checkpoint::Blocked;

/// What the last invocation came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LastResult {
    /// Every record was taken.
    Ok,
    /// The function ran, and some were not.
    Failed,
    /// The function did not run, or nothing is known of it.
    NotRun {
        /// Why.
        reason: String,
    },
}

/// What can be seen of a machine that runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// What the last invocation came to, if there was one.
    pub last_result: Option<LastResult>,
    /// What the shard stands still behind.
    pub blocked: Option<Blocked>,
    /// Duplicates that no checkpoint holds yet.
    pub unsaved_duplicates: u64,
}
