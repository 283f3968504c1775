//! The records that views are measured with, and what can be said of them without a view. Pure.
//!
//! What must hold: record number `n` is the same in every run, has [`RECORD_BYTES`] bytes and does not
//! compress; numbers that follow one another go to groups in all places, and as many as there are groups
//! reach every group once.

use std::ops::Range;

use bytes::Bytes;
use serde::Deserialize;

/// Size of a record.
pub const RECORD_BYTES: usize = 200;
/// Records of a request that puts.
pub const ENTRIES: u64 = 500;
/// The columns of a stream of such records, as they are declared.
pub const COLUMNS: &str = "origin TEXT, slot BIGINT, delay BIGINT, distance BIGINT, fare DOUBLE";
/// What a view of such records is: five aggregates over two keys.
pub const SELECT: &str = "SELECT origin, slot, count(*) AS n, sum(delay) AS delay, avg(distance) AS distance, \
                          min(fare) AS least, max(fare) AS most";
/// What it is grouped by.
pub const GROUPED: &str = "GROUP BY origin, slot";
/// A prime that no number of groups here is a multiple of.
const STRIDE: u64 = 2_654_435_761;

/// Records over a number of groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Records {
    groups: u64,
    slots: u64,
}

/// What some records add up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Records.
    pub n: i64,
    /// The sum of their delays.
    pub delay: i64,
}

/// A record as a reader of JSON has it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Parsed {
    /// The first key.
    pub origin: String,
    /// The second key.
    pub slot: i64,
    /// What is summed.
    pub delay: i64,
    /// What is averaged.
    pub distance: i64,
    /// What the least and the greatest is of.
    pub fare: f64,
}

impl Records {
    /// Over `groups`, a multiple of 20, and of 1,000 when there are 100,000 or more.
    pub fn over(groups: u64) -> Records {
        let slots = if groups >= 100_000 { 1000 } else { 20 };
        Records { groups, slots }
    }

    /// The keys of record `number`.
    pub fn key(&self, number: u64) -> (String, u64) {
        let group = number.wrapping_mul(STRIDE) % self.groups;
        (origin(group / self.slots), group % self.slots)
    }

    /// The data of record `number`.
    pub fn payload(&self, number: u64) -> String {
        let mut random = Random::of(number);
        let (origin, slot) = self.key(number);
        let delay = delay(&mut random);
        let distance = 50 + random.below(2950);
        let fare = 1900 + random.below(98_000);
        let mut text = format!(
            r#"{{"id":"r-{number:012}","origin":"{origin}","slot":{slot},"delay":{delay},"distance":{distance},"fare":{}.{:02},"note":""#,
            fare / 100,
            fare % 100,
        );
        while text.len() < RECORD_BYTES - 2 {
            text.push(char::from(b'a' + random.below(26) as u8));
        }
        text + "\"}"
    }

    /// The body of a `PutRecords` call with the records of `numbers`.
    pub fn body(&self, stream: &str, numbers: Range<u64>) -> Bytes {
        let entries = numbers.map(|number| {
            let data = base64_simd::STANDARD.encode_to_string(self.payload(number));
            format!(r#"{{"Data":"{data}","PartitionKey":"key-{number}"}}"#)
        });
        let entries: Vec<String> = entries.collect();
        let entries = entries.join(",");
        format!(r#"{{"StreamName":"{stream}","Records":[{entries}]}}"#).into()
    }

    /// What the records of `numbers` add up to.
    pub fn totals(&self, numbers: Range<u64>) -> Totals {
        numbers.fold(Totals::default(), |totals, number| Totals {
            n: totals.n + 1,
            delay: totals.delay + delay(&mut Random::of(number)),
        })
    }
}

/// The text of the first key.
pub fn origin(number: u64) -> String {
    format!("K{number:05}")
}

fn delay(random: &mut Random) -> i64 {
    random.below(330) as i64 - 30
}

/// Marsaglia's xorshift64*.
struct Random(u64);

impl Random {
    /// Any state but 0 will do.
    fn of(seed: u64) -> Random {
        let mut random = Random(seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        random.below(1);
        random
    }

    fn below(&mut self, bound: u64) -> u64 {
        let state = &mut self.0;
        *state ^= *state >> 12;
        *state ^= *state << 25;
        *state ^= *state >> 27;
        (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_record_is_the_same_each_time_and_as_large_as_it_is_said_to_be() {
        let records = Records::over(1400);
        assert_eq!(records.payload(3), records.payload(3));
        for number in [0, 1, 999_999, 123_456_789_012] {
            let payload = records.payload(number);
            assert_eq!(payload.len(), RECORD_BYTES, "{payload}");
            let parsed: Parsed = serde_json::from_str(&payload).expect("is JSON");
            let (origin, slot) = records.key(number);
            assert_eq!((parsed.origin, parsed.slot as u64), (origin, slot));
            let totals = records.totals(number..number + 1);
            assert_eq!((totals.n, totals.delay), (1, parsed.delay));
        }
    }

    #[test]
    fn as_many_records_as_there_are_groups_reach_each_once() {
        for groups in [1400, 100_000] {
            let records = Records::over(groups);
            let keys: BTreeSet<_> = (7..7 + groups).map(|number| records.key(number)).collect();
            assert_eq!(keys.len() as u64, groups);
        }
    }

    #[test]
    fn a_body_puts_its_records() {
        let body = Records::over(1400).body("s", 5..8);
        let parsed: serde_json::Value = serde_json::from_slice(&body).expect("is JSON");
        assert_eq!(parsed["StreamName"], "s");
        assert_eq!(parsed["Records"].as_array().map(Vec::len), Some(3));
    }
}
