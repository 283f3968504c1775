//! The rates of shards and of the control plane, as token buckets: [`Throttle`].
//!
//! Pure: `now` comes in, and the arithmetic is on integers (thousandths of a token, so that a
//! millisecond gives back a whole number of them). What must hold: over any stretch of time a bucket
//! gives out no more than its capacity and what came back meanwhile; a refused request takes nothing.
//!
//! A clock that steps back starts the refill anew at the earlier time instead of stopping it until
//! the old time is reached again: each step can cost or give one stretch of refill, never more than a
//! full bucket. Tokens are not given back when storage fails afterwards, as AWS counts attempts.
//!
//! A mapping shares the reads of a shard with all who call GetRecords. It is woken by records where
//! AWS's poller looks once a second, so one call pays for what it reads within a second: records that
//! trickle in cost it as many calls as at AWS, and a backlog is held to the bytes. It is not refused
//! but told when to ask again: when a page's worth is there, so that who polls meanwhile finds the shard
//! open; and having waited for that, when there is anything, so that who polls greedily does not keep
//! it waiting. It has no turn: whoever asks first is served first.

use std::collections::BTreeMap;
use std::time::Duration;

use tidemill_model::{ShardId, StreamArn, Timestamp};

use crate::limits::{
    Allowance, CONTROL_BUCKETS_MAX, ControlOperation, ITERATOR_CALLS, MAPPING_CALL_LASTS,
    MAPPING_PAGE_BYTES, READ_BYTES, READ_CALLS, SUBSCRIBE_CALLS, Scope, WRITE_RECORDS,
    WRITTEN_BYTES_FULL_AFTER, write_bytes,
};

const PARTS: i64 = 1000;

/// A bucket of tokens; full when it is new.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Bucket {
    /// Thousandths of a token; negative after an overdraft.
    level: i64,
    refilled: Timestamp,
}

impl Bucket {
    /// Full, whatever its capacity: the first refill cuts it.
    fn full(now: Timestamp) -> Bucket {
        Bucket {
            level: i64::MAX,
            refilled: now,
        }
    }

    fn refill(&mut self, allowance: Allowance, now: Timestamp) {
        let millis = now.since(self.refilled).as_millis();
        let gained = millis.saturating_mul(u128::from(allowance.per_second));
        let gained = i64::try_from(gained).unwrap_or(i64::MAX);
        self.level = self
            .level
            .saturating_add(gained)
            .min(parts(allowance.capacity));
        self.refilled = now;
    }

    fn holds(&self, tokens: u64) -> bool {
        self.level >= parts(tokens)
    }

    /// How long until it is at `level`, if nothing is taken meanwhile.
    fn time_until(&self, level: i64, allowance: Allowance) -> Duration {
        let missing = u64::try_from(level.saturating_sub(self.level)).unwrap_or(0);
        Duration::from_millis(missing.div_ceil(allowance.per_second))
    }

    fn take(&mut self, tokens: u64) {
        self.level -= parts(tokens);
    }

    /// Takes more than one request may have been promised. Who overdraws loses what was saved, so
    /// that a page of n seconds' worth shuts the shard for n seconds, as AWS documents it.
    fn overdraw(&mut self, tokens: u64) {
        let left = self.level - parts(tokens);
        self.level = if left < 0 {
            left.min(-parts(tokens))
        } else {
            left
        };
    }
}

fn parts(tokens: u64) -> i64 {
    i64::try_from(tokens)
        .unwrap_or(i64::MAX / PARTS)
        .saturating_mul(PARTS)
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct ShardBuckets {
    written_records: Bucket,
    written_bytes: Bucket,
    read_calls: Bucket,
    read_bytes: Bucket,
    iterator_calls: Bucket,
    /// When each mapping took a call that still lasts.
    mapping_calls: BTreeMap<String, Timestamp>,
}

impl ShardBuckets {
    /// Whether every bucket is full again and no call lasts. What a bucket of bytes written holds depends
    /// on the stream; one that has been left alone for long enough is full whatever that is.
    fn is_full(&mut self, now: Timestamp) -> bool {
        self.drop_calls_that_are_over(now);
        let buckets = [
            (&mut self.written_records, WRITE_RECORDS),
            (&mut self.read_calls, READ_CALLS),
            (&mut self.read_bytes, READ_BYTES),
            (&mut self.iterator_calls, ITERATOR_CALLS),
        ];
        let mut full = self.mapping_calls.is_empty()
            && now.since(self.written_bytes.refilled) >= WRITTEN_BYTES_FULL_AFTER;
        for (bucket, allowance) in buckets {
            bucket.refill(allowance, now);
            full &= bucket.holds(allowance.capacity);
        }
        full
    }

    /// A clock that has stepped back ends them all.
    fn drop_calls_that_are_over(&mut self, now: Timestamp) {
        self.mapping_calls
            .retain(|_, taken| *taken <= now && now.since(*taken) < MAPPING_CALL_LASTS);
    }
}

/// Who a control-plane bucket belongs to: the operation, the account with its region, and the stream
/// when the rate is a stream's.
type ControlKey = (ControlOperation, StreamArn);

/// Who a bucket of SubscribeToShard calls belongs to: the incarnation of a consumer, and a shard.
type SubscribeKey = (u64, ShardId);

/// The buckets of all shards, subscribers and control-plane rates of this node. They are not persisted:
/// after a restart all are full.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Throttle {
    shards: BTreeMap<u64, ShardBuckets>,
    subscribes: BTreeMap<SubscribeKey, Bucket>,
    control: BTreeMap<ControlKey, Bucket>,
}

impl Throttle {
    /// Whether the shard with partition number `partition` takes a record of `bytes` now, in a stream
    /// whose records are at most `record_bytes_max`.
    pub fn admit_write(
        &mut self,
        partition: u64,
        bytes: u64,
        record_bytes_max: u64,
        now: Timestamp,
    ) -> bool {
        let allowance = write_bytes(record_bytes_max);
        let shard = self.shard(partition, now);
        shard.written_records.refill(WRITE_RECORDS, now);
        shard.written_bytes.refill(allowance, now);
        let admitted = shard.written_records.holds(1) && shard.written_bytes.holds(bytes);
        if admitted {
            shard.written_records.take(1);
            shard.written_bytes.take(bytes);
        }
        admitted
    }

    /// Whether the shard answers one more GetRecords now. What the answer weighs is charged by
    /// [`Throttle::charge_read`].
    pub fn admit_read(&mut self, partition: u64, now: Timestamp) -> bool {
        let shard = self.shard(partition, now);
        shard.read_calls.refill(READ_CALLS, now);
        shard.read_bytes.refill(READ_BYTES, now);
        let admitted = shard.read_calls.holds(1) && shard.read_bytes.level > 0;
        if admitted {
            shard.read_calls.take(1);
        }
        admitted
    }

    /// Lets `mapping` read a page of [`MAPPING_PAGE_BYTES`] of the shard now, or says when to ask again,
    /// having waited. What it reads is charged by [`Throttle::charge_read`].
    pub fn admit_mapping(
        &mut self,
        partition: u64,
        mapping: &str,
        has_waited: bool,
        now: Timestamp,
    ) -> Result<(), Timestamp> {
        let shard = self.shard(partition, now);
        shard.read_calls.refill(READ_CALLS, now);
        shard.read_bytes.refill(READ_BYTES, now);
        shard.drop_calls_that_are_over(now);
        let has_call = shard.mapping_calls.contains_key(mapping);
        let calls = u64::from(!has_call);
        let for_calls = shard.read_calls.time_until(parts(calls), READ_CALLS);
        let wanted = if has_waited {
            1
        } else {
            parts(MAPPING_PAGE_BYTES)
        };
        let for_bytes = shard.read_bytes.time_until(wanted, READ_BYTES);
        let wait = for_calls.max(for_bytes);
        if !wait.is_zero() {
            return Err(now.plus(wait));
        }
        if !has_call {
            shard.read_calls.take(calls);
            shard.mapping_calls.insert(mapping.to_owned(), now);
        }
        Ok(())
    }

    /// Charges a GetRecords answer of `bytes`, or as much read by a mapping, to the shard.
    pub fn charge_read(&mut self, partition: u64, bytes: u64, now: Timestamp) {
        self.shard(partition, now).read_bytes.overdraw(bytes);
    }

    /// Whether the shard answers one more GetShardIterator now.
    pub fn admit_iterator(&mut self, partition: u64, now: Timestamp) -> bool {
        let shard = self.shard(partition, now);
        shard.iterator_calls.refill(ITERATOR_CALLS, now);
        let admitted = shard.iterator_calls.holds(1);
        if admitted {
            shard.iterator_calls.take(1);
        }
        admitted
    }

    /// Whether `shard` takes one more SubscribeToShard of the consumer with incarnation `consumer` now.
    pub fn admit_subscribe(&mut self, consumer: u64, shard: ShardId, now: Timestamp) -> bool {
        let key = (consumer, shard);
        let calls = self.subscribes.entry(key);
        let calls = calls.or_insert_with(|| Bucket::full(now));
        calls.refill(SUBSCRIBE_CALLS, now);
        let admitted = calls.holds(1);
        if admitted {
            calls.take(1);
        }
        admitted
    }

    /// Whether one more call of `operation` on `stream` is within its rate.
    pub fn admit_control(
        &mut self,
        operation: ControlOperation,
        stream: &StreamArn,
        now: Timestamp,
    ) -> bool {
        let (per_second, scope) = operation.rate();
        let allowance = Allowance {
            per_second,
            capacity: per_second,
        };
        let owner = match scope {
            Scope::Account => StreamArn {
                name: String::new(),
                ..stream.clone()
            },
            Scope::Stream => stream.clone(),
        };
        if self.control.len() >= CONTROL_BUCKETS_MAX {
            self.drop_full_control_buckets(now);
        }
        let key = (operation, owner);
        let bucket = self.control.entry(key).or_insert_with(|| Bucket::full(now));
        bucket.refill(allowance, now);
        let admitted = bucket.holds(1);
        if admitted {
            bucket.take(1);
        }
        admitted
    }

    /// Forgets the shards that `exists` denies and those whose buckets are full again, and the buckets
    /// of subscribers and of the control plane that are.
    pub fn forget(&mut self, now: Timestamp, exists: impl Fn(u64) -> bool) {
        self.shards
            .retain(|partition, shard| exists(*partition) && !shard.is_full(now));
        self.subscribes.retain(|_, calls| {
            calls.refill(SUBSCRIBE_CALLS, now);
            !calls.holds(SUBSCRIBE_CALLS.capacity)
        });
        self.drop_full_control_buckets(now);
    }

    fn drop_full_control_buckets(&mut self, now: Timestamp) {
        self.control.retain(|(operation, _), bucket| {
            let (per_second, _) = operation.rate();
            bucket.refill(
                Allowance {
                    per_second,
                    capacity: per_second,
                },
                now,
            );
            !bucket.holds(per_second)
        });
    }

    fn shard(&mut self, partition: u64, now: Timestamp) -> &mut ShardBuckets {
        self.shards
            .entry(partition)
            .or_insert_with(|| ShardBuckets {
                written_records: Bucket::full(now),
                written_bytes: Bucket::full(now),
                read_calls: Bucket::full(now),
                read_bytes: Bucket::full(now),
                iterator_calls: Bucket::full(now),
                mapping_calls: BTreeMap::new(),
            })
    }
}

#[cfg(test)]
mod tests;
