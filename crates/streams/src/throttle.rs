//! The rates of shards and of the control plane, as token buckets: [`Throttle`].
//!
//! Pure: `now` comes in, and the arithmetic is on integers (thousandths of a token, so that a
//! millisecond gives back a whole number of them). What must hold: over any stretch of time a bucket
//! gives out no more than its capacity and what came back meanwhile; a refused request takes nothing.
//!
//! A clock that steps back starts the refill anew at the earlier time instead of stopping it until
//! the old time is reached again: each step can cost or give one stretch of refill, never more than a
//! full bucket. Tokens are not given back when storage fails afterwards, as AWS counts attempts.

use std::collections::BTreeMap;

use tidemill_model::{ShardId, StreamArn, Timestamp};

use crate::limits::{
    Allowance, CONTROL_BUCKETS_MAX, ControlOperation, ITERATOR_CALLS, READ_BYTES, READ_CALLS,
    SUBSCRIBE_CALLS, Scope, WRITE_RECORDS, WRITTEN_BYTES_FULL_AFTER, write_bytes,
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
}

impl ShardBuckets {
    /// Whether every bucket is full again. What a bucket of bytes written holds depends on the stream;
    /// one that has been left alone for long enough is full whatever that is.
    fn is_full(&mut self, now: Timestamp) -> bool {
        let buckets = [
            (&mut self.written_records, WRITE_RECORDS),
            (&mut self.read_calls, READ_CALLS),
            (&mut self.read_bytes, READ_BYTES),
            (&mut self.iterator_calls, ITERATOR_CALLS),
        ];
        let mut full = now.since(self.written_bytes.refilled) >= WRITTEN_BYTES_FULL_AFTER;
        for (bucket, allowance) in buckets {
            bucket.refill(allowance, now);
            full &= bucket.holds(allowance.capacity);
        }
        full
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

    /// Charges a GetRecords answer of `bytes` to the shard.
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
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + millis)
    }

    fn stream(name: &str) -> StreamArn {
        format!("arn:aws:kinesis:us-east-1:000000000000:stream/{name}")
            .parse()
            .expect("an ARN")
    }

    fn admitted(throttle: &mut Throttle, count: u32, bytes: u64, now: Timestamp) -> u32 {
        (0..count)
            .map(|_| u32::from(throttle.admit_write(0, bytes, MIB, now)))
            .sum()
    }

    #[test]
    fn a_shard_takes_a_thousand_records_and_one_more_each_millisecond() {
        let mut throttle = Throttle::default();
        assert_eq!(admitted(&mut throttle, 1500, 1, at(0)), 1000);
        assert_eq!(admitted(&mut throttle, 10, 1, at(1)), 1);
        assert_eq!(admitted(&mut throttle, 1500, 1, at(501)), 500);
        assert_eq!(admitted(&mut throttle, 1500, 1, at(60_000)), 1000);
    }

    #[test]
    fn a_shard_takes_a_mebibyte_and_a_smaller_record_may_pass_a_refused_one() {
        let mut throttle = Throttle::default();
        let sizes = [900_000, 200_000, 100_000, 100_000, 48_576, 1];
        let answers = sizes.map(|bytes| throttle.admit_write(0, bytes, MIB, at(0)));
        assert_eq!(answers, [true, false, true, false, true, false]);
        assert!(
            throttle.admit_write(1, MIB, MIB, at(0)),
            "each shard has its own"
        );
    }

    #[test]
    fn a_record_larger_than_a_second_of_the_rate_is_paid_off_afterwards() {
        let mut throttle = Throttle::default();
        let record_max = 10 * MIB;
        assert!(throttle.admit_write(0, record_max, record_max, at(0)));
        assert!(!throttle.admit_write(0, 1100, record_max, at(1)));
        assert!(throttle.admit_write(0, MIB, record_max, at(1000)));
        assert!(!throttle.admit_write(0, record_max, record_max, at(10_000)));
        assert!(throttle.admit_write(0, record_max, record_max, at(11_000)));
    }

    #[test]
    fn a_shard_that_was_read_first_still_has_room_for_its_largest_record() {
        let mut throttle = Throttle::default();
        assert!(throttle.admit_read(0, at(0)));
        assert!(throttle.admit_write(0, 10 * MIB, 10 * MIB, at(0)));
    }

    #[test]
    fn a_refused_record_takes_nothing() {
        let mut throttle = Throttle::default();
        assert!(throttle.admit_write(0, 10, MIB, at(0)));
        let before = throttle.clone();
        assert!(!throttle.admit_write(0, MIB, MIB, at(0)));
        assert_eq!(throttle, before);
    }

    #[test]
    fn a_shard_is_read_five_times_a_second() {
        let mut throttle = Throttle::default();
        let answers = [0, 0, 0, 0, 0, 0, 199, 200, 200].map(|t| throttle.admit_read(0, at(t)));
        assert_eq!(
            answers,
            [true, true, true, true, true, false, false, true, false]
        );
        let answers = [0, 0, 0, 0, 0, 0, 200].map(|t| throttle.admit_iterator(0, at(t)));
        assert_eq!(answers, [true, true, true, true, true, false, true]);
    }

    #[test]
    fn a_consumer_subscribes_to_each_shard_once_a_second() {
        let mut throttle = Throttle::default();
        let mut subscribe = |consumer, shard, millis| {
            throttle.admit_subscribe(consumer, ShardId(shard), at(millis))
        };
        let answers = [0, 0, 999, 1000, 1001, 1999, 5000, 5001].map(|t| subscribe(1, 0, t));
        assert_eq!(
            answers,
            [true, false, false, true, false, false, true, false]
        );
        assert!(subscribe(1, 1, 5001), "another shard");
        assert!(subscribe(2, 0, 5001), "another consumer");
    }

    #[test]
    fn a_page_of_ten_mebibytes_shuts_the_shard_for_five_seconds() {
        let mut throttle = Throttle::default();
        assert!(throttle.admit_read(0, at(0)));
        throttle.charge_read(0, 10 * MIB, at(0));
        assert!(!throttle.admit_read(0, at(1)));
        assert!(!throttle.admit_read(0, at(4999)));
        assert!(throttle.admit_read(0, at(5001)));
    }

    #[test]
    fn pages_within_the_rate_do_not_shut_the_shard() {
        let mut throttle = Throttle::default();
        for call in 0..100 {
            assert!(throttle.admit_read(0, at(call * 250)), "call {call}");
            throttle.charge_read(0, MIB / 2, at(call * 250));
        }
    }

    #[test]
    fn a_clock_that_steps_back_neither_stops_nor_overfills_a_bucket() {
        let mut throttle = Throttle::default();
        assert_eq!(admitted(&mut throttle, 2000, 1, at(100_000)), 1000);
        assert_eq!(admitted(&mut throttle, 10, 1, at(0)), 0);
        assert_eq!(admitted(&mut throttle, 1000, 1, at(100)), 100);
        assert_eq!(admitted(&mut throttle, 2000, 1, at(200_000)), 1000);
    }

    #[test]
    fn control_rates_count_per_account_or_per_stream() {
        let mut throttle = Throttle::default();
        let mut calls = |operation, names: &[&str]| {
            let answers = names
                .iter()
                .map(|name| u32::from(throttle.admit_control(operation, &stream(name), at(0))));
            answers.sum::<u32>()
        };
        let names = ["a", "b", "a", "b", "a", "b", "a", "b", "a", "b", "a", "b"];
        assert_eq!(calls(ControlOperation::CreateStream, &names), 5);
        assert_eq!(calls(ControlOperation::SplitShard, &names), 10);
        assert_eq!(calls(ControlOperation::DescribeStream, &names), 10);
    }

    #[test]
    fn what_is_gone_or_full_again_is_forgotten() {
        let mut throttle = Throttle::default();
        assert!(throttle.admit_read(0, at(0)) && throttle.admit_read(1, at(0)));
        assert!(throttle.admit_control(ControlOperation::ListStreams, &stream("s"), at(0)));
        assert!(throttle.admit_subscribe(1, ShardId(0), at(0)));
        let kept = |throttle: &Throttle| {
            let (shards, subscribes) = (&throttle.shards, &throttle.subscribes);
            (shards.len(), subscribes.len(), throttle.control.len())
        };
        throttle.forget(at(10), |partition| partition == 1);
        assert_eq!(kept(&throttle), (1, 1, 1));
        throttle.forget(at(1000), |_| true);
        assert_eq!(kept(&throttle), (1, 0, 0));
        throttle.forget(at(30_000), |_| true);
        assert_eq!(
            throttle.shards.len(),
            0,
            "a shard that is idle costs nothing"
        );
    }

    #[test]
    fn a_shard_that_is_not_full_again_is_not_forgotten() {
        let mut throttle = Throttle::default();
        assert!(throttle.admit_read(0, at(0)));
        for _ in 0..10 {
            throttle.charge_read(0, 10 * MIB, at(0));
        }
        throttle.forget(at(30_000), |_| true);
        assert!(
            !throttle.admit_read(0, at(30_000)),
            "50 seconds are to be paid off"
        );
        throttle.forget(at(60_001), |_| true);
        assert!(throttle.admit_read(0, at(60_001)));
    }
}
