//! What a split or a merge makes of hash-key ranges.
//!
//! Pure. What must hold: the ranges that come out cover exactly the ranges that went in, and none is
//! empty, so that the open shards of a stream always tile the whole space.

use tidemill_model::{HashKey, HashKeyRange};

/// The two children of a shard over `range` when the upper begins at `upper_start`; none unless
/// `start + 1 < upper_start < end`, the rule AWS has (it keeps two keys for the lower child).
pub fn split(range: HashKeyRange, upper_start: HashKey) -> Option<[HashKeyRange; 2]> {
    let least = range.start.0.checked_add(1)?;
    if upper_start.0 <= least || upper_start >= range.end {
        return None;
    }
    let lower = HashKeyRange {
        start: range.start,
        end: HashKey(upper_start.0 - 1),
    };
    Some([
        lower,
        HashKeyRange {
            start: upper_start,
            end: range.end,
        },
    ])
}

/// The child of two shards; none unless `upper` begins where `lower` ends.
pub fn merge(lower: HashKeyRange, upper: HashKeyRange) -> Option<HashKeyRange> {
    let adjacent = lower.end.0.checked_add(1) == Some(upper.start.0);
    adjacent.then_some(HashKeyRange {
        start: lower.start,
        end: upper.end,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn range(start: u128, end: u128) -> HashKeyRange {
        HashKeyRange {
            start: HashKey(start),
            end: HashKey(end),
        }
    }

    #[test]
    fn a_split_point_lies_two_above_the_start_and_below_the_end() {
        let cases = [
            (range(10, 20), 11, None),
            (range(10, 20), 12, Some([range(10, 11), range(12, 20)])),
            (range(10, 20), 19, Some([range(10, 18), range(19, 20)])),
            (range(10, 20), 20, None),
            (range(10, 20), 9, None),
            (range(10, 12), 11, None),
            (range(10, 10), 10, None),
            (range(u128::MAX, u128::MAX), u128::MAX, None),
        ];
        for (parent, key, children) in cases {
            assert_eq!(split(parent, HashKey(key)), children, "{parent:?} at {key}");
        }
    }

    #[test]
    fn only_neighbours_in_order_are_merged() {
        let cases = [
            (range(0, 9), range(10, 20), Some(range(0, 20))),
            (range(10, 20), range(0, 9), None),
            (range(0, 9), range(11, 20), None),
            (range(0, 9), range(0, 9), None),
            (range(0, u128::MAX), range(0, u128::MAX), None),
        ];
        for (lower, upper, child) in cases {
            assert_eq!(merge(lower, upper), child);
        }
    }

    proptest! {
        #[test]
        fn ranges_tile_the_space_after_any_reshards(
            count in 1u32..20,
            steps in proptest::collection::vec((any::<bool>(), any::<usize>(), any::<u128>()), 0..60),
        ) {
            let mut ranges = HashKeyRange::divide(count);
            for (is_split, place, key) in steps {
                let place = place % ranges.len();
                if is_split {
                    if let Some(children) = split(ranges[place], HashKey(key)) {
                        ranges.splice(place..=place, children);
                    }
                } else if let Some(upper) = ranges.get(place + 1).copied() {
                    let child = merge(ranges[place], upper).expect("neighbours");
                    ranges.splice(place..=place + 1, [child]);
                }
            }
            prop_assert_eq!(ranges[0].start, HashKey(0));
            prop_assert_eq!(ranges[ranges.len() - 1].end, HashKey::MAX);
            prop_assert!(ranges.windows(2).all(|pair| pair[0].end.0 + 1 == pair[1].start.0));
            prop_assert!(ranges.iter().all(|range| range.start <= range.end));
        }
    }
}
