//! When an epoch is sealed, and the other limits of an archiver: [`Settings`].

use std::time::Duration;

use crate::master::Aim;

/// How an archiver works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// An epoch with so many bytes is sealed. What an archiver holds in memory is about twice this,
    /// because the next epoch fills while one is committed.
    pub epoch_bytes: usize,
    /// An epoch whose oldest record has waited so long is sealed. Shorter epochs make more files.
    pub epoch_age: Duration,
    /// Bytes of one read of a shard, at most.
    pub fetch_bytes: usize,
    /// Records of one read of a shard, at most.
    pub fetch_records: usize,
    /// The pause after the first failure of a kind; it doubles with each that follows.
    pub pause: Duration,
    /// The longest pause.
    pub pause_max: Duration,
    /// Commits from one checkpoint of the table to the next: what an open replays at most.
    pub checkpoint_commits: u64,
    /// What is worth compacting.
    pub compaction: Aim,
    /// How long replaced files are kept for those who have begun to read them.
    pub keep_replaced: Duration,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            epoch_bytes: 64 * 1024 * 1024,
            epoch_age: Duration::from_secs(60),
            fetch_bytes: 1024 * 1024,
            fetch_records: 10_000,
            pause: Duration::from_millis(100),
            pause_max: Duration::from_secs(30),
            checkpoint_commits: 100,
            compaction: Aim::default(),
            keep_replaced: Duration::from_secs(24 * 60 * 60),
        }
    }
}

impl Settings {
    /// The pause after `failures` in a row, the first being 1.
    pub fn pause_after(&self, failures: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
        self.pause.saturating_mul(doubled).min(self.pause_max)
    }
}
