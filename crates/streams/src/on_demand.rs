//! The scaling of an on-demand stream: [`OnDemand`], a machine that is told every minute what each open
//! shard took, and answers with splits and merges.
//!
//! Its rules, from what AWS says of the mode: a stream has shards for twice its peak of the last thirty
//! days, and four at least; a shard that stays hot is split in the middle; shards are merged late, and
//! only while there are more than the peak asks for. Source:
//! <https://docs.aws.amazon.com/streams/latest/dev/how-do-i-size-a-stream.html>. What lies beyond is for
//! the rates of the shards to refuse: there is no other throttle.
//!
//! What must hold: a shard is in one change of a step at most; a step never merges below what is
//! wanted, nor splits above the ceiling or beyond twice what is wanted, which is the room that an uneven
//! load has; what a split brought counts as wanted for as long as a peak does, up to twice what the
//! traffic of that minute asks for, so that a load that comes and goes does not make shards come and go.
//! A machine that starts anew knows no temperatures: it splits and merges later, and never more.

use std::collections::BTreeMap;
use std::time::Duration;

use tidemill_model::{HashKey, HashKeyRange, ShardId, Timestamp};

use crate::capacity::Capacity;
use crate::limits::{
    COLD_BEFORE_MERGE, COLD_SHARE_OF_RATE, HOT_BEFORE_SPLIT, HOT_SHARE_OF_RATE, NARROW_SHARE,
    ON_DEMAND_SHARDS, PEAK_FACTOR, SCALING_INTERVAL, SKEW_FACTOR, WRITE_BYTES_PER_SECOND,
    WRITE_RECORDS,
};
use crate::measured::Amount;
use crate::reshard;

/// How eager the machine is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Eagerness {
    /// How long a shard is hot before it is split.
    pub hot_before_split: Duration,
    /// How long two shards are cold before they are merged.
    pub cold_before_merge: Duration,
}

impl Default for Eagerness {
    fn default() -> Eagerness {
        Eagerness {
            hot_before_split: HOT_BEFORE_SPLIT,
            cold_before_merge: COLD_BEFORE_MERGE,
        }
    }
}

/// An open shard and what it took in the last minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenShard {
    /// Its id.
    pub id: ShardId,
    /// What it takes.
    pub range: HashKeyRange,
    /// What it took.
    pub minute: Amount,
}

/// What is told to the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MinuteMeasured {
    /// The open shards in the order of their ranges, which tile the space.
    pub shards: Vec<OpenShard>,
    /// What the whole stream took in the last minute, by shards that are closed by now as well.
    pub total: Amount,
    /// What the stream remembers.
    pub capacity: Capacity,
    /// Most shards it may have.
    pub shards_max: u32,
}

/// What the machine wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Remember that this many shards are asked for.
    RecordDemand { shards: u32 },
    /// Split a shard.
    Split { shard: ShardId, at: HashKey },
    /// Merge two neighbours.
    Merge { lower: ShardId, upper: ShardId },
}

/// Since when a shard has been hot, and since when cold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Temperature {
    hot_since: Option<Timestamp>,
    cold_since: Option<Timestamp>,
}

/// The machine of one stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnDemand {
    eagerness: Eagerness,
    temperatures: BTreeMap<ShardId, Temperature>,
    /// Since when there have been fewer shards than are wanted.
    short_since: Option<Timestamp>,
    deadline: Timestamp,
}

impl OnDemand {
    /// A machine that knows nothing yet; it wants to be told at once.
    pub fn new(eagerness: Eagerness, now: Timestamp) -> OnDemand {
        OnDemand {
            eagerness,
            temperatures: BTreeMap::new(),
            short_since: None,
            deadline: now,
        }
    }

    /// When it wants to be told again.
    pub fn deadline(&self) -> Timestamp {
        self.deadline
    }

    /// Takes in what was measured, and says what to do.
    pub fn step(&mut self, now: Timestamp, measured: &MinuteMeasured) -> Vec<Effect> {
        self.deadline = now.plus(SCALING_INTERVAL);
        let shards = &measured.shards;
        self.feel(now, shards);
        let open = count(shards.len());
        let shards_max = measured.shards_max.max(measured.capacity.warm_mibps());
        let asked = demand(measured.total).min(shards_max);
        let wanted = measured.capacity.wanted(now).max(asked).min(shards_max);
        let most = wanted.saturating_mul(SKEW_FACTOR).min(shards_max);
        let room = most.saturating_sub(open);
        let splits = self.splits(now, shards, wanted, room);
        let merges = if splits.is_empty() {
            self.merges(now, shards, open.saturating_sub(wanted))
        } else {
            Vec::new()
        };
        let grown = if splits.is_empty() {
            0
        } else {
            // What has been done now takes effect before anything more is missing.
            self.short_since = None;
            open + count(splits.len())
        };
        let remembered = asked.max(ON_DEMAND_SHARDS).saturating_mul(SKEW_FACTOR);
        let demand = asked.max(grown.min(remembered));
        let news = measured.capacity.is_news(demand, now);
        let record = news.then_some(Effect::RecordDemand { shards: demand });
        record.into_iter().chain(splits).chain(merges).collect()
    }

    /// Takes the temperature of each shard.
    fn feel(&mut self, now: Timestamp, shards: &[OpenShard]) {
        let before = std::mem::take(&mut self.temperatures);
        for shard in shards {
            let mut temperature = before.get(&shard.id).copied().unwrap_or_default();
            keep_since(&mut temperature.hot_since, is_hot(shard.minute), now);
            keep_since(&mut temperature.cold_since, is_cold(shard.minute), now);
            self.temperatures.insert(shard.id, temperature);
        }
    }

    /// Splits of the shards that have been hot for long, the hottest first; then, when there have been
    /// too few shards for long, of the busiest and widest.
    fn splits(
        &mut self,
        now: Timestamp,
        shards: &[OpenShard],
        wanted: u32,
        room: u32,
    ) -> Vec<Effect> {
        let patience = self.eagerness.hot_before_split;
        let is_due =
            |since: Option<Timestamp>| since.is_some_and(|since| now.since(since) >= patience);
        let open = count(shards.len());
        let narrow = u128::MAX / u128::from(wanted.max(open)) / NARROW_SHARE;
        let mut order: Vec<&OpenShard> = shards.iter().collect();
        order.sort_by_key(|shard| {
            let heat = std::cmp::Reverse(heat(shard.minute));
            (
                heat,
                std::cmp::Reverse(width(shard.range)),
                shard.range.start,
            )
        });
        let (hot, others): (Vec<_>, Vec<_>) = order.into_iter().partition(|shard| {
            let temperature = self.temperatures[&shard.id];
            is_due(temperature.hot_since) && width(shard.range) > narrow
        });
        keep_since(&mut self.short_since, open < wanted, now);
        let missing = if is_due(self.short_since) {
            wanted.saturating_sub(open + count(hot.len()))
        } else {
            0
        };
        let others = others.into_iter().take(missing as usize);
        let splits = hot
            .into_iter()
            .chain(others)
            .filter_map(|shard: &OpenShard| {
                let at = middle(shard.range)?;
                let shard = shard.id;
                Some(Effect::Split { shard, at })
            });
        splits.take(room as usize).collect()
    }

    /// Merges of neighbours that have both been cold for long, at most `surplus`, the narrowest first.
    fn merges(&self, now: Timestamp, shards: &[OpenShard], surplus: u32) -> Vec<Effect> {
        let patience = self.eagerness.cold_before_merge;
        let is_due = |shard: &OpenShard| {
            let since = self.temperatures[&shard.id].cold_since;
            since.is_some_and(|since| now.since(since) >= patience)
        };
        let pairs = shards.windows(2).enumerate();
        let mut pairs: Vec<(u128, usize)> = pairs
            .filter(|(_, pair)| pair.iter().all(is_due))
            .map(|(index, pair)| (pair[1].range.end.0 - pair[0].range.start.0, index))
            .collect();
        pairs.sort_unstable();
        let mut taken = vec![false; shards.len()];
        let mut merges = Vec::new();
        for (_, index) in pairs {
            if merges.len() < surplus as usize && !taken[index] && !taken[index + 1] {
                (taken[index], taken[index + 1]) = (true, true);
                merges.push(Effect::Merge {
                    lower: shards[index].id,
                    upper: shards[index + 1].id,
                });
            }
        }
        merges
    }
}

/// Keeps since when something has been so.
fn keep_since(since: &mut Option<Timestamp>, is_so: bool, now: Timestamp) {
    if is_so {
        since.get_or_insert(now);
    } else {
        *since = None;
    }
}

fn count(shards: usize) -> u32 {
    u32::try_from(shards).expect("a stream has at most some thousand shards")
}

fn width(range: HashKeyRange) -> u128 {
    range.end.0 - range.start.0
}

/// Where a split in the middle is, if the range has room for one.
fn middle(range: HashKeyRange) -> Option<HashKey> {
    let at = HashKey(range.start.0 + width(range) / 2 + 1);
    reshard::split(range, at).map(|_| at)
}

/// What one shard may take in a minute.
fn minute_of_rate() -> Amount {
    let secs = SCALING_INTERVAL.as_secs();
    Amount {
        bytes: WRITE_BYTES_PER_SECOND * secs,
        records: WRITE_RECORDS.per_second * secs,
    }
}

/// How much of its rates a shard used, in parts of a million; of bytes or of records, whichever is more.
fn heat(minute: Amount) -> u64 {
    let rate = minute_of_rate();
    let bytes = minute.bytes.saturating_mul(1_000_000) / rate.bytes;
    bytes.max(minute.records.saturating_mul(1_000_000) / rate.records)
}

fn is_hot(minute: Amount) -> bool {
    heat(minute) > 1_000_000 / HOT_SHARE_OF_RATE
}

fn is_cold(minute: Amount) -> bool {
    heat(minute) < 1_000_000 / COLD_SHARE_OF_RATE
}

/// The shards that twice `minute` asks for.
pub fn demand(minute: Amount) -> u32 {
    let rate = minute_of_rate();
    let bytes = minute
        .bytes
        .saturating_mul(PEAK_FACTOR)
        .div_ceil(rate.bytes);
    let records = minute
        .records
        .saturating_mul(PEAK_FACTOR)
        .div_ceil(rate.records);
    u32::try_from(bytes.max(records)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
