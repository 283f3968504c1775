//! How far the archivers of streams are, and what waits for them: [`Archives`].
//!
//! Pure. What must hold: of an archived stream nothing may be freed that its archiver has not said to
//! have durably. What it has said is not kept: after a start nothing is freed until it says so again,
//! which it does first.

use std::collections::BTreeMap;

use tidemill_log::Position;
use tidemill_model::{ShardId, Timestamp};

/// Records that have expired and are not freed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// How many.
    pub records: u64,
    /// When the oldest arrived.
    pub oldest: Option<Timestamp>,
}

impl Held {
    /// Counts `records` more, of which the oldest arrived at `oldest`.
    pub fn add(&mut self, records: u64, oldest: Option<Timestamp>) {
        self.records += records;
        self.oldest = [self.oldest, oldest].into_iter().flatten().min();
    }
}

/// What is known of the archivers, by the incarnations of their streams.
#[derive(Debug, Default)]
pub struct Archives {
    archived: BTreeMap<u64, BTreeMap<ShardId, Position>>,
    held: BTreeMap<u64, Held>,
}

impl Archives {
    /// The archiver has everything before `positions` durably; what it has it keeps.
    pub fn release(&mut self, incarnation: u64, positions: &BTreeMap<ShardId, Position>) {
        let archived = self.archived.entry(incarnation).or_default();
        for (shard, position) in positions {
            let known = archived.entry(*shard).or_default();
            *known = (*known).max(*position);
        }
    }

    /// Up to where a shard may be freed as far as its archiver is concerned.
    pub fn released(&self, incarnation: u64, shard: ShardId) -> Position {
        let archived = self.archived.get(&incarnation);
        archived
            .and_then(|shards| shards.get(&shard))
            .copied()
            .unwrap_or(0)
    }

    /// Up to where the shards may be freed that the archiver has told of.
    pub fn positions(&self, incarnation: u64) -> BTreeMap<ShardId, Position> {
        self.archived.get(&incarnation).cloned().unwrap_or_default()
    }

    /// What a stream holds back.
    pub fn held(&self, incarnation: u64) -> Held {
        self.held.get(&incarnation).copied().unwrap_or_default()
    }

    /// Notes what all archived streams hold back, and forgets the streams that are not archived.
    pub fn note(&mut self, held: BTreeMap<u64, Held>, is_archived: impl Fn(u64) -> bool) {
        self.archived
            .retain(|incarnation, _| is_archived(*incarnation));
        self.held = held;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARD: ShardId = ShardId(0);

    #[test]
    fn nothing_is_free_before_the_archiver_has_said_so_and_it_takes_nothing_back() {
        let mut archives = Archives::default();
        assert_eq!(archives.released(1, SHARD), 0);
        archives.release(1, &BTreeMap::from([(SHARD, 5)]));
        archives.release(1, &BTreeMap::from([(SHARD, 3)]));
        assert_eq!(archives.released(1, SHARD), 5);
        assert_eq!(archives.released(2, SHARD), 0, "another stream of the name");
    }

    #[test]
    fn a_stream_that_is_not_archived_any_more_is_forgotten() {
        let mut archives = Archives::default();
        archives.release(1, &BTreeMap::from([(SHARD, 5)]));
        archives.note(BTreeMap::new(), |_| false);
        assert_eq!(archives.released(1, SHARD), 0);
    }

    #[test]
    fn the_oldest_of_what_is_held_is_known() {
        let mut held = Held::default();
        held.add(0, None);
        held.add(2, Some(Timestamp::from_millis(20)));
        held.add(1, Some(Timestamp::from_millis(10)));
        let oldest = Some(Timestamp::from_millis(10));
        assert_eq!(held, Held { records: 3, oldest });
    }
}
