//! [`Resume`]: where a machine begins.
//!
//! What must hold: it is what the last checkpoint says and nothing else, so that a start, a restart and
//! a change of settings take one path.

use crate::checkpoint::{Blocked, GivingUp};

/// Where a machine begins: what the last checkpoint says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resume {
    /// First position that is not closed.
    pub next: u64,
    /// Records before it may have reached the function.
    pub delivered_to: u64,
    /// What the shard stood still behind.
    pub blocked: Option<Blocked>,
    /// What was being given up.
    pub giving_up: Option<GivingUp>,
}

impl Resume {
    /// A shard on which nothing has been done: its first record is the one at `next`.
    pub fn fresh(next: u64) -> Resume {
        Resume {
            next,
            delivered_to: next,
            blocked: None,
            giving_up: None,
        }
    }
}
