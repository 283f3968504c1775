//! Simulated weeks of traffic on one on-demand stream: the real service and driver over the log in
//! memory, a simulated clock, and traffic that is measured without being sent.
//!
//! Traffic is given in KiB a second: some is spread over all hash keys, some is on single keys. What a
//! shard is offered beyond its rate is throttled, as the rates of shards do it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tidemill_log::{Log, MemoryLog, PartitionId, StateLog};
use tidemill_model::{Clock, Entropy, HashKey, HashKeyRange, Region};
use tidemill_testkit::{SimClock, SimEntropy};

use crate::command::{NewStream, Quotas};
use crate::distribution::Distribution;
use crate::limits::{DAY, ON_DEMAND_SHARDS};
use crate::measured::{PutOperation, PutOutcome, Subject};
use crate::stream::Shard;
use crate::streams::{Settings, StreamsParts};

use super::*;

const RATE_KIB: u64 = 1024;
const MINUTE: Duration = Duration::from_secs(60);

/// What is offered in one minute.
#[derive(Clone, Debug, Default)]
struct Offered {
    spread: u64,
    keys: Vec<(HashKey, u64)>,
}

impl Offered {
    fn spread(spread: u64) -> Offered {
        Offered {
            spread,
            keys: Vec::new(),
        }
    }

    /// What `shard` is offered of it.
    fn to(&self, shard: &OpenShard) -> u64 {
        let width = (shard.range.end.0 - shard.range.start.0) >> 64;
        let share = (u128::from(self.spread) * width) >> 64;
        let keys = self
            .keys
            .iter()
            .filter(|(key, _)| shard.range.contains(*key));
        u64::try_from(share).expect("less than all") + keys.map(|(_, rate)| rate).sum::<u64>()
    }
}

struct World {
    clock: SimClock,
    streams: Streams,
    scaler: Scaler,
    arn: StreamArn,
    /// When the open shards have changed, and how many they were then.
    history: Vec<(Timestamp, u32)>,
}

impl World {
    async fn new() -> World {
        let clock = SimClock::new(Timestamp::from_secs(1_767_225_600));
        let log: Arc<dyn Log> = Arc::new(MemoryLog::new(Arc::new(clock.clone())));
        let mut state_log = StateLog::new(Arc::clone(&log), PartitionId::CONTROL);
        let catalog = state_log.register(Catalog::default());
        state_log.open().await.expect("opens");
        let streams = Streams::new(StreamsParts {
            log,
            catalog,
            clock: Arc::new(clock.clone()),
            entropy: Arc::new(SimEntropy::new(1)),
            settings: Settings::default(),
        });
        let arn = StreamArn {
            region: Region::new("eu-central-1"),
            account: "000000000000".parse().expect("an account"),
            name: "s".into(),
        };
        let new = NewStream {
            arn: arn.clone(),
            mode: Mode::OnDemand,
            shard_count: ON_DEMAND_SHARDS,
            record_kib_max: 1024,
            distribution: Distribution::UserPartitionKey,
            tags: BTreeMap::new(),
            warm_mibps: None,
        };
        let create = Command::CreateStream {
            new,
            quotas: Quotas::default(),
            delay: Duration::ZERO,
        };
        streams.submit(create).await.expect("created");
        World {
            history: vec![(clock.now(), ON_DEMAND_SHARDS)],
            scaler: Scaler::new(streams.clone()),
            clock,
            streams,
            arn,
        }
    }

    fn look<R>(&self, look: impl FnOnce(&Stream, Timestamp) -> R) -> R {
        let found = self
            .streams
            .stream(&self.arn, |stream, now| Ok(look(stream, now)));
        found.expect("the stream is there")
    }

    fn open(&self) -> u32 {
        self.look(|stream, _| stream.open_shards())
    }

    /// One minute of traffic and one round of the driver; gives what was throttled, in KiB a second.
    async fn minute(&mut self, offered: &Offered) -> u64 {
        let shards = self.look(|stream, _| {
            let scaled = stand(stream, u32::MAX);
            scaled
                .measured
                .shards
                .into_iter()
                .zip(scaled.open)
                .collect::<Vec<_>>()
        });
        let mut throttled = 0;
        let mut outcome = PutOutcome::default();
        for (shard, partition) in shards {
            let rate = offered.to(&shard);
            throttled += rate.saturating_sub(RATE_KIB);
            let bytes = rate.min(RATE_KIB) * 1024 * 60;
            let records = u64::from(bytes > 0);
            outcome.stored.insert(partition, Amount { bytes, records });
        }
        let (stream, is_monitored) = (0, false);
        let subject = Subject {
            stream,
            is_monitored,
        };
        self.clock.advance(MINUTE - Duration::from_secs(1));
        self.streams.measured(|measured, now| {
            let operation = PutOperation::PutRecords;
            measured.put(subject, operation, &outcome, Duration::ZERO, now);
        });
        self.clock.advance(Duration::from_secs(1));
        let before = self.look(|stream, _| stream.next_shard);
        self.scaler.round().await;
        if self.look(|stream, _| stream.next_shard) != before {
            self.history.push((self.clock.now(), self.open()));
            self.check();
        }
        if self.clock.now().as_secs().is_multiple_of(DAY.as_secs()) {
            self.streams.sweep().await.expect("swept");
        }
        throttled
    }

    /// So many minutes of the same; gives how many of them had something throttled.
    async fn minutes(&mut self, minutes: u64, offered: &Offered) -> u64 {
        let mut throttled = 0;
        for _ in 0..minutes {
            throttled += u64::from(self.minute(offered).await > 0);
        }
        throttled
    }

    /// Whatever happened: the open shards tile the space, also those of any earlier moment, and a
    /// child takes over when and where its parents end.
    fn check(&self) {
        let checked = self
            .history
            .iter()
            .rev()
            .nth(1)
            .map_or(Timestamp::EPOCH, |(at, _)| *at);
        self.look(|stream, now| {
            tiles(stream.in_order().map(|(_, shard)| shard.range));
            assert_eq!(stream.status(now), Some(Status::Active));
            for (id, shard) in &stream.shards {
                for parent in shard.parents.iter().filter_map(|id| stream.shards.get(id)) {
                    let closing = parent.closed.as_ref().expect("a parent is closed");
                    assert_eq!(closing.at, shard.created_at);
                    assert!(closing.children.contains(id));
                }
                let age = |parent: &Shard| shard.created_at.since(parent.created_at);
                let least = if shard.parents.len() == 2 {
                    DAY
                } else {
                    10 * MINUTE
                };
                let mut parents = shard.parents.iter().filter_map(|id| stream.shards.get(id));
                assert!(parents.all(|parent| age(parent) >= least));
                if shard.created_at > checked {
                    tiles_at(stream, shard.created_at);
                }
            }
        });
    }

    /// How often the shards have changed since `since`.
    fn changes_since(&self, since: Timestamp) -> usize {
        let recent = self.history.iter().filter(|(at, _)| *at > since);
        recent.count()
    }
}

fn tiles(ranges: impl Iterator<Item = HashKeyRange>) {
    let mut next = Some(0);
    for range in ranges {
        assert_eq!(Some(range.start.0), next);
        next = range.end.0.checked_add(1);
    }
    assert_eq!(next, None, "the last range ends the space");
}

fn tiles_at(stream: &Stream, at: Timestamp) {
    let open = stream.shards.values().filter(|shard| {
        shard.created_at <= at && shard.closed.as_ref().is_none_or(|closing| at < closing.at)
    });
    let mut ranges: Vec<_> = open.map(|shard| shard.range).collect();
    ranges.sort_by_key(|range| range.start);
    tiles(ranges.into_iter());
}

/// Something around `rate`, give or take a tenth.
fn around(rate: u64, chance: &SimEntropy) -> u64 {
    rate * (90 + chance.next_u64() % 21) / 100
}

#[tokio::test]
async fn what_more_than_doubles_is_throttled_until_the_shards_have_doubled() {
    let mut world = World::new().await;
    assert_eq!(world.minutes(60, &Offered::spread(2000)).await, 0);
    assert_eq!(world.open(), 4, "twice the peak is there");
    let jump = Offered::spread(10_000);
    let beyond = world.minute(&jump).await;
    assert!((5900..=5904).contains(&beyond), "{beyond}");
    assert_eq!(world.minutes(14, &jump).await, 14);
    assert_eq!(world.open(), 8, "within fifteen minutes");
    assert_eq!(world.minutes(15, &jump).await, 7);
    assert_eq!(world.open(), 16);
    assert_eq!(world.minutes(60, &jump).await, 0);
    assert_eq!(world.open(), 32, "625 KiB a second are still hot");
    assert_eq!(world.minutes(24 * 60, &jump).await, 0);
    assert_eq!(world.open(), 32);
}

#[tokio::test]
async fn a_stream_doubles_and_doubles_while_its_load_grows() {
    let mut world = World::new().await;
    let mut throttled = 0;
    for hour in 0..48 {
        throttled += world.minutes(60, &Offered::spread(1000 + hour * 250)).await;
    }
    assert_eq!(throttled, 0, "a load that grows slowly is never throttled");
    let counts: Vec<u32> = world.history.iter().map(|(_, open)| *open).collect();
    assert_eq!(counts, [4, 8, 16, 32]);
}

#[tokio::test]
async fn weeks_of_days_and_nights_settle_and_nothing_flaps() {
    let mut world = World::new().await;
    let chance = SimEntropy::new(7);
    let mut throttled = 0;
    let start = world.clock.now();
    for minute in 0..4 * 7 * 24 * 60 {
        let hour = minute / 60 % 24;
        let day = if (8..20).contains(&hour) { 3500 } else { 100 };
        let offered = Offered::spread(around(day, &chance));
        let late = u64::from(world.minute(&offered).await > 0);
        throttled += if minute > 24 * 60 { late } else { 0 };
    }
    assert_eq!(throttled, 0);
    assert_eq!(world.open(), 8);
    assert_eq!(world.changes_since(start.plus(DAY)), 0);
}

#[tokio::test]
async fn thirty_days_after_a_peak_a_stream_gives_its_shards_back() {
    let mut world = World::new().await;
    world.minutes(120, &Offered::spread(12_000)).await;
    let grown = world.open();
    assert!((24..=32).contains(&grown), "{grown}");
    assert_eq!(world.minutes(60, &Offered::spread(12_000)).await, 0);
    let peak = world.clock.now();
    world.minutes(29 * 24 * 60, &Offered::spread(200)).await;
    assert_eq!(world.open(), grown, "the peak still counts");
    world.minutes(6 * 24 * 60, &Offered::spread(200)).await;
    assert_eq!(world.open(), ON_DEMAND_SHARDS);
    assert!(world.changes_since(peak) <= 4, "each merge halves them");
}

#[tokio::test]
async fn one_hot_key_is_throttled_for_ever_and_costs_few_shards() {
    let mut world = World::new().await;
    let offered = Offered {
        spread: 400,
        keys: vec![(HashKey(u128::MAX / 3), 3000)],
    };
    world.minutes(2 * 24 * 60, &offered).await;
    let settled = world.clock.now();
    assert_eq!(world.minutes(60, &offered).await, 60);
    world.minutes(12 * 24 * 60, &offered).await;
    assert_eq!(world.open(), 8);
    assert_eq!(world.changes_since(settled), 0);
}

/// Weeks of loads that come and go, on all keys and on some; gives when the shards changed.
async fn wild_weeks(seed: u64, days: u64) -> Vec<(Timestamp, u32)> {
    let mut world = World::new().await;
    let chance = SimEntropy::new(seed);
    let mut offered = Offered::default();
    for minute in 0..days * 24 * 60 {
        if chance.next_u64().is_multiple_of(600) {
            offered.spread = chance.next_u64() % 12_000;
            let keys = (0..chance.next_u64() % 4).map(|_| {
                let key = HashKey(u128::from(chance.next_u64()) << 64);
                (key, chance.next_u64() % 1500)
            });
            offered.keys = keys.collect();
        }
        world.minute(&offered).await;
        let (open, wanted) = world.look(|stream, now| {
            let wanted = stream.capacity.wanted(now);
            (stream.open_shards(), wanted)
        });
        assert!(open >= ON_DEMAND_SHARDS, "minute {minute}: {open}");
        assert!(
            open <= 2 * wanted,
            "minute {minute}: {open} shards, and {wanted} are wanted"
        );
        assert!(
            wanted <= 2 * 2 * 17,
            "minute {minute}: {wanted} for at most 17 MiB a second"
        );
    }
    world.history
}

#[tokio::test]
async fn wild_weeks_keep_the_shards_within_their_bounds() {
    for seed in [1, 2] {
        let history = wild_weeks(seed, 14).await;
        assert!(history.len() > 5, "the weeks are wild: {history:?}");
    }
}

#[tokio::test]
async fn the_same_days_are_scaled_alike() {
    assert_eq!(wild_weeks(3, 3).await, wild_weeks(3, 3).await);
}
