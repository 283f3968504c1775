//! Which shard a record goes to when the service decides: the record distribution strategy AUTO.
//!
//! Pure. The shards take turns, in the order of their ranges, so each gets as many records as any other
//! whatever the sizes of the ranges. What must hold: every key that is given out lies in an open shard.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use tidemill_model::{HashKey, HashKeyRange};

/// Who decides on the shard of a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Distribution {
    /// The producer, by the partition key or the explicit hash key.
    #[default]
    UserPartitionKey,
    /// The service.
    Auto,
}

impl Distribution {
    /// Whether the producer decides.
    pub fn is_user_partition_key(&self) -> bool {
        *self == Distribution::UserPartitionKey
    }
}

/// Whose turn it is in each stream, by its incarnation. It is not persisted: after a restart the first
/// shard begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rotation {
    next: BTreeMap<u64, HashKey>,
}

impl Rotation {
    /// A key of the shard whose turn it is. `range_of` gives the range of the open shard that takes a
    /// key.
    pub fn next(
        &mut self,
        incarnation: u64,
        range_of: impl FnOnce(HashKey) -> HashKeyRange,
    ) -> HashKey {
        let next = self.next.entry(incarnation).or_insert(HashKey(0));
        let range = range_of(*next);
        *next = HashKey(range.end.0.wrapping_add(1));
        range.start
    }

    /// Forgets the streams that `exists` denies.
    pub fn forget(&mut self, exists: impl Fn(u64) -> bool) {
        self.next.retain(|incarnation, _| exists(*incarnation));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range_of(ranges: &[HashKeyRange]) -> impl Fn(HashKey) -> HashKeyRange {
        |key| {
            let found = ranges
                .iter()
                .find(|range| range.start <= key && key <= range.end);
            *found.expect("the ranges tile the space")
        }
    }

    #[test]
    fn the_shards_take_turns() {
        let mut rotation = Rotation::default();
        let ranges = HashKeyRange::divide(3);
        let turns: Vec<HashKey> = (0..7)
            .map(|_| rotation.next(1, range_of(&ranges)))
            .collect();
        let starts: Vec<HashKey> = ranges.iter().map(|range| range.start).collect();
        assert_eq!(turns, [0, 1, 2, 0, 1, 2, 0].map(|shard| starts[shard]));
        assert_eq!(
            rotation.next(2, range_of(&ranges)),
            HashKey(0),
            "another stream"
        );
    }

    #[test]
    fn a_reshard_between_two_turns_leaves_no_shard_out() {
        let mut rotation = Rotation::default();
        rotation.next(1, range_of(&HashKeyRange::divide(2)));
        let ranges = HashKeyRange::divide(4);
        let turns = [2, 3, 0, 1];
        for shard in turns {
            assert_eq!(rotation.next(1, range_of(&ranges)), ranges[shard].start);
        }
    }

    #[test]
    fn what_is_gone_is_forgotten() {
        let mut rotation = Rotation::default();
        for incarnation in [1, 2] {
            rotation.next(incarnation, range_of(&HashKeyRange::divide(2)));
        }
        rotation.forget(|incarnation| incarnation == 2);
        assert_eq!(rotation.next.keys().collect::<Vec<_>>(), [&2]);
    }
}
