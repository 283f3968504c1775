//! Plans of uniform scaling, and what holds for any.

use proptest::prelude::*;

use super::*;
use crate::reshard;

const STEPS_MAX: usize = 1000;

/// The ranges after each round, until there is no other.
fn scaled(ranges: &[HashKeyRange], target: u32, steps_max: usize) -> Vec<Vec<HashKeyRange>> {
    let mut rounds = vec![ranges.to_vec()];
    loop {
        let ranges = &rounds[rounds.len() - 1];
        let steps = round(ranges, target, steps_max);
        if steps.is_empty() {
            return rounds;
        }
        assert!(rounds.len() < 100, "the rounds come to an end");
        rounds.push(after(ranges, &steps));
    }
}

#[test]
fn doubling_splits_each_shard_and_halving_merges_each_pair() {
    for count in [1, 2, 3, 5, 6, 7, 12, 100, 333] {
        let ranges = HashKeyRange::divide(count);
        let doubling = round(&ranges, count * 2, STEPS_MAX);
        assert_eq!(doubling.len(), count as usize);
        assert!(
            doubling
                .iter()
                .all(|step| matches!(step, Step::Split { .. })),
            "{count}"
        );
        assert_eq!(rounds(&ranges, count * 2, STEPS_MAX), 1);
        let doubled = HashKeyRange::divide(count * 2);
        let halving = round(&doubled, count, STEPS_MAX);
        assert_eq!(halving.len(), count as usize);
        assert!(
            halving
                .iter()
                .all(|step| matches!(step, Step::Merge { .. })),
            "{count}"
        );
        assert_eq!(rounds(&doubled, count, STEPS_MAX), 1);
    }
}

#[test]
fn four_become_three_by_two_splits_and_then_three_merges() {
    let ranges = HashKeyRange::divide(4);
    let third = HashKeyRange::divide(3);
    let steps = round(&ranges, 3, STEPS_MAX);
    let (first, second) = (third[1].start, third[2].start);
    assert_eq!(
        steps,
        [
            Step::Split {
                index: 1,
                upper_start: first
            },
            Step::Split {
                index: 2,
                upper_start: second
            },
        ]
    );
    let ranges = after(&ranges, &steps);
    let steps = round(&ranges, 3, STEPS_MAX);
    let merges = [0, 2, 4].map(|index| Step::Merge { index });
    assert_eq!(steps, merges);
    assert_eq!(after(&ranges, &steps), third);
    assert_eq!(rounds(&HashKeyRange::divide(4), 3, STEPS_MAX), 2);
}

#[test]
fn what_is_uniform_already_is_left_alone() {
    for count in [1, 3, 10] {
        assert_eq!(round(&HashKeyRange::divide(count), count, STEPS_MAX), []);
    }
}

#[test]
fn a_round_has_a_bound() {
    let ranges = HashKeyRange::divide(10);
    assert_eq!(round(&ranges, 20, 4).len(), 4);
    assert_eq!(rounds(&ranges, 20, 4), 3);
    assert_eq!(scaled(&ranges, 20, 4)[3], scaled(&ranges, 20, STEPS_MAX)[1]);
}

proptest! {
    #[test]
    fn any_shards_become_as_many_as_are_wanted(
        count in 1u32..40,
        cuts in proptest::collection::vec((any::<usize>(), any::<u128>()), 0..20),
        target in 1u32..80,
        steps_max in prop_oneof![Just(3_usize), Just(STEPS_MAX)],
    ) {
        let mut ranges = HashKeyRange::divide(count);
        for (place, key) in cuts {
            let place = place % ranges.len();
            if let Some(children) = reshard::split(ranges[place], HashKey(key)) {
                ranges.splice(place..=place, children);
            }
        }
        let rounds = scaled(&ranges, target, steps_max);
        for ranges in &rounds {
            prop_assert_eq!(ranges[0].start, HashKey(0));
            prop_assert_eq!(ranges[ranges.len() - 1].end, HashKey::MAX);
            prop_assert!(ranges.windows(2).all(|pair| pair[0].end.0 + 1 == pair[1].start.0));
            prop_assert!(ranges.iter().all(|range| range.start <= range.end));
        }
        let last = &rounds[rounds.len() - 1];
        prop_assert_eq!(last.len(), target as usize);
        for (range, wanted) in last.iter().zip(HashKeyRange::divide(target)) {
            prop_assert!(range.start.0.abs_diff(wanted.start.0) < ROUNDING_KEYS);
        }
        prop_assert_eq!(self::rounds(&ranges, target, steps_max) as usize, rounds.len() - 1);
    }

    #[test]
    fn every_split_of_a_round_is_one_that_a_user_could_ask_for(
        count in 1u32..50,
        target in 1u32..100,
    ) {
        for ranges in scaled(&HashKeyRange::divide(count), target, STEPS_MAX) {
            for step in round(&ranges, target, STEPS_MAX) {
                if let Step::Split { index, upper_start } = step {
                    prop_assert!(reshard::split(ranges[index], upper_start).is_some());
                }
            }
        }
    }
}
