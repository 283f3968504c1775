//! The rules of the machine, one at a time; the whole is told in the simulated weeks of the driver.

use super::*;

const MIB: u64 = 1024 * 1024;

/// A machine and its world: equal shards, and what they are told to take.
struct World {
    machine: OnDemand,
    now: Timestamp,
    ranges: Vec<(u32, HashKeyRange)>,
    capacity: Capacity,
    shards_max: u32,
}

impl World {
    fn new(shards: u32) -> World {
        let now = Timestamp::from_secs(1_767_225_600);
        World {
            machine: OnDemand::new(Eagerness::default(), now),
            now,
            ranges: (0..).zip(HashKeyRange::divide(shards)).collect(),
            capacity: Capacity::default(),
            shards_max: 200,
        }
    }

    /// A minute in which the shards take these many KiB a second.
    fn minute(&mut self, rates: &[u64]) -> Vec<Effect> {
        let bytes = |rate: u64| Amount {
            bytes: rate * 1024 * 60,
            records: 60,
        };
        self.now = self.now.plus(SCALING_INTERVAL);
        assert_eq!(rates.len(), self.ranges.len());
        let shards = self
            .ranges
            .iter()
            .zip(rates)
            .map(|((id, range), rate)| OpenShard {
                id: ShardId(*id),
                range: *range,
                minute: bytes(*rate),
            });
        let measured = MinuteMeasured {
            shards: shards.collect(),
            total: bytes(rates.iter().sum()),
            capacity: self.capacity.clone(),
            shards_max: self.shards_max,
        };
        let effects = self.machine.step(self.now, &measured);
        for effect in &effects {
            if let Effect::RecordDemand { shards } = effect {
                self.capacity.asked(*shards, self.now);
            }
        }
        effects
    }

    /// The first effects within `minutes` minutes of these rates, and after how many.
    fn until(&mut self, minutes: u64, rates: &[u64]) -> Option<(u64, Vec<Effect>)> {
        (1..=minutes).find_map(|minute| {
            let effects = self.minute(rates);
            let changes = effects
                .into_iter()
                .filter(|effect| !matches!(effect, Effect::RecordDemand { .. }));
            let changes: Vec<Effect> = changes.collect();
            (!changes.is_empty()).then_some((minute, changes))
        })
    }
}

fn split_shards(effects: &[Effect]) -> Vec<u32> {
    let splits = effects.iter().map(|effect| match effect {
        Effect::Split { shard, .. } => shard.0,
        Effect::Merge { .. } | Effect::RecordDemand { .. } => panic!("{effect:?}"),
    });
    splits.collect()
}

#[test]
fn twice_the_peak_is_asked_for_in_bytes_or_in_records() {
    let minute = |bytes: u64, records: u64| Amount {
        bytes: bytes * 60,
        records: records * 60,
    };
    let cases = [
        (minute(0, 0), 0),
        (minute(1, 1), 1),
        (minute(2 * MIB, 0), 4),
        (minute(2 * MIB + 1, 0), 5),
        (minute(0, 2000), 4),
        (minute(MIB, 2600), 6),
        (minute(u64::MAX / 60, 0), u32::MAX),
    ];
    for (minute, shards) in cases {
        assert_eq!(demand(minute), shards, "{minute:?}");
    }
}

#[test]
fn a_shard_that_stays_hot_is_split_in_the_middle_within_fifteen_minutes() {
    let mut world = World::new(4);
    let (minutes, effects) = world.until(15, &[100, 600, 100, 100]).expect("split");
    assert_eq!(minutes, 11, "it has been hot for ten minutes");
    let range = world.ranges[1].1;
    let at = HashKey(range.start.0 + (range.end.0 - range.start.0) / 2 + 1);
    let shard = ShardId(1);
    assert_eq!(effects, [Effect::Split { shard, at }]);
}

#[test]
fn the_hottest_is_split_first_and_records_make_heat_as_well() {
    let mut world = World::new(4);
    let (_, effects) = world.until(15, &[600, 900, 100, 700]).expect("split");
    assert_eq!(split_shards(&effects), [1, 3, 0]);
    assert!(is_hot(Amount {
        bytes: 0,
        records: 501 * 60
    }));
    assert!(!is_hot(Amount {
        bytes: 512 * 1024 * 60,
        records: 500 * 60
    }));
}

#[test]
fn a_shard_that_cools_in_between_is_not_split() {
    let mut world = World::new(4);
    for _ in 0..5 {
        assert_eq!(world.until(10, &[600, 0, 0, 0]), None);
        assert_eq!(world.until(1, &[500, 0, 0, 0]), None);
    }
}

#[test]
fn a_stream_with_fewer_shards_than_wanted_splits_the_widest() {
    let mut world = World::new(2);
    world.ranges.truncate(1);
    let whole = HashKeyRange {
        start: HashKey(0),
        end: HashKey(99),
    };
    let rest = HashKeyRange {
        start: HashKey(100),
        end: HashKey::MAX,
    };
    world.ranges = vec![(0, whole), (1, rest)];
    let (minutes, effects) = world.until(30, &[0, 0]).expect("split");
    assert_eq!((minutes, split_shards(&effects)), (11, vec![1, 0]));
}

#[test]
fn nothing_is_split_beyond_the_ceiling() {
    let mut world = World::new(4);
    world.shards_max = 5;
    let (_, effects) = world.until(15, &[900, 1000, 900, 900]).expect("split");
    assert_eq!(split_shards(&effects), [1]);
    let mut world = World::new(4);
    world.shards_max = 4;
    assert_eq!(world.until(100, &[900; 4]), None);
}

#[test]
fn a_narrow_shard_stays_hot_because_of_one_key() {
    let mut world = World::new(64);
    world.capacity.asked(64, world.now);
    let mut rates = [10; 64];
    rates[5] = 1000;
    assert!(world.until(15, &rates).is_some());
    let narrow = HashKeyRange {
        start: world.ranges[5].1.start,
        end: HashKey(world.ranges[5].1.start.0 + u128::MAX / 64 / 17),
    };
    let rest = HashKeyRange {
        start: HashKey(narrow.end.0 + 1),
        end: world.ranges[5].1.end,
    };
    world.ranges.splice(5..=5, [(64, narrow), (65, rest)]);
    let mut rates = [10; 65];
    rates[5] = 1000;
    world.capacity.asked(65, world.now);
    assert_eq!(world.until(1000, &rates), None);
}

#[test]
fn cold_neighbours_are_merged_after_a_day_while_there_are_more_than_wanted() {
    let mut world = World::new(8);
    world.capacity.asked(8, world.now);
    assert_eq!(world.until(24 * 60 * 30, &[10; 8]), None, "a peak counts");
    let (_, effects) = world.until(3 * 24 * 60, &[10; 8]).expect("merged");
    let merges = [(0, 1), (2, 3), (4, 5), (6, 7)].map(|(lower, upper)| Effect::Merge {
        lower: ShardId(lower),
        upper: ShardId(upper),
    });
    assert_eq!(effects, merges);
}

#[test]
fn shards_that_are_not_cold_are_not_merged_and_never_below_what_is_wanted() {
    let mut world = World::new(6);
    let (_, effects) = world
        .until(2 * 24 * 60, &[10, 200, 10, 10, 10, 10])
        .expect("merged");
    let merge = |lower, upper| Effect::Merge {
        lower: ShardId(lower),
        upper: ShardId(upper),
    };
    assert_eq!(effects, [merge(2, 3), merge(4, 5)]);
    let mut world = World::new(4);
    assert_eq!(world.until(7 * 24 * 60, &[0; 4]), None);
}

#[test]
fn what_a_split_brought_counts_as_wanted() {
    let mut world = World::new(4);
    for _ in 0..11 {
        world.minute(&[600, 600, 600, 600]);
    }
    assert_eq!(world.capacity.wanted(world.now), 8);
}
