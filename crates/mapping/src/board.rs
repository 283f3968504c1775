//! [`Board`]: what can be seen of a mapping's machines while they run.
//!
//! What must hold: it is for showing only; nothing is decided by it and nothing of it is durable.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tidemill_model::ShardId;

use crate::status::{LastResult, Status};

/// What can be seen of a mapping's machines.
#[derive(Debug, Default)]
pub struct Board {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    shards: BTreeMap<ShardId, Status>,
    last_result: Option<LastResult>,
}

impl Board {
    /// Shows `status` for `shard`; `invoked` says that an invocation has just come back.
    pub fn show(&self, shard: ShardId, status: Status, invoked: bool) {
        let mut state = self.lock();
        if invoked {
            state.last_result.clone_from(&status.last_result);
        }
        state.shards.insert(shard, status);
    }

    /// Shows nothing for `shard` any more.
    pub fn clear(&self, shard: ShardId) {
        self.lock().shards.remove(&shard);
    }

    /// What is shown for `shard`.
    pub fn shard(&self, shard: ShardId) -> Option<Status> {
        self.lock().shards.get(&shard).cloned()
    }

    /// What the last invocation of any shard came to.
    pub fn last_result(&self) -> Option<LastResult> {
        self.lock().last_result.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // What is shown is whole after every statement that changes it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
