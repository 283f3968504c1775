//! The messages in the queue for failures, and which rows of the file they stand for. Pure.
//!
//! What must hold: a message stands for exactly the records of its range; a range is found row by row
//! among the acknowledged sequence numbers, and one that is not found whole is read from the stream.
//! Nothing is taken on trust from the ledger.

use std::collections::BTreeMap;

use serde_json::Value;
use thiserror::Error;

use crate::demo::entries::Acknowledged;

/// A message to the queue: a batch that was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// The shard.
    pub shard: String,
    /// Sequence number of the first record.
    pub first: String,
    /// Sequence number of the last record, included.
    pub last: String,
    /// Records in between, both included.
    pub records: u64,
    /// Why it was given up, in AWS's words.
    pub condition: String,
}

/// A message that is not what AWS sends about a failed batch.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("a message in the queue lacks {missing}: {body}")]
pub struct Unreadable {
    missing: &'static str,
    body: String,
}

/// Reads a message's body.
pub fn read(body: &str) -> Result<Letter, Unreadable> {
    let parsed: Value = serde_json::from_str(body).unwrap_or(Value::Null);
    let missing = |missing| Unreadable {
        missing,
        body: body.chars().take(400).collect(),
    };
    let text = |pointer: &'static str| {
        let found = parsed.pointer(pointer).and_then(Value::as_str);
        found.map(str::to_owned).ok_or_else(|| missing(pointer))
    };
    let size = "/KinesisBatchInfo/batchSize";
    Ok(Letter {
        shard: text("/KinesisBatchInfo/shardId")?,
        first: text("/KinesisBatchInfo/startSequenceNumber")?,
        last: text("/KinesisBatchInfo/endSequenceNumber")?,
        records: parsed
            .pointer(size)
            .and_then(Value::as_u64)
            .ok_or_else(|| missing(size))?,
        condition: text("/requestContext/condition")?,
    })
}

/// Which row each acknowledged sequence number holds.
#[derive(Clone, Debug, Default)]
pub struct Index {
    /// By shard and number; numbers have the same length, so their order as text is their order.
    rows: BTreeMap<(String, String), usize>,
}

impl Index {
    /// The index of `acknowledged`.
    pub fn of(acknowledged: &[Acknowledged]) -> Index {
        let entry =
            |one: &Acknowledged| ((one.shard.clone(), one.sequence_number.clone()), one.row);
        Index {
            rows: acknowledged.iter().map(entry).collect(),
        }
    }

    /// The rows of `letter`; none when its range holds records that were not acknowledged to us.
    pub fn rows_of(&self, letter: &Letter) -> Option<Vec<usize>> {
        let key = |number: &String| (letter.shard.clone(), number.clone());
        let (first, last) = (key(&letter.first), key(&letter.last));
        if first > last {
            return None;
        }
        let rows: Vec<usize> = self.rows.range(first..=last).map(|(_, row)| *row).collect();
        (rows.len() as u64 == letter.records).then_some(rows)
    }

    /// By shard: the sequence number of the first row that `is_poison`, and how many acknowledged
    /// rows stand before it.
    pub fn first_poison(&self, is_poison: impl Fn(usize) -> bool) -> BTreeMap<String, Poison> {
        let mut before: BTreeMap<&str, u64> = BTreeMap::new();
        let mut found = BTreeMap::new();
        for ((shard, number), row) in &self.rows {
            let rows_before = before.entry(shard).or_default();
            if is_poison(*row) && !found.contains_key(shard) {
                let poison = Poison {
                    sequence_number: number.clone(),
                    rows_before: *rows_before,
                };
                found.insert(shard.clone(), poison);
            }
            *rows_before += 1;
        }
        found
    }
}

/// The first record of a shard that the function cannot take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poison {
    /// Its sequence number.
    pub sequence_number: String,
    /// Acknowledged rows before it in its shard.
    pub rows_before: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index() -> Index {
        let one = |shard: &str, number: u32, row| Acknowledged {
            row,
            shard: shard.to_owned(),
            sequence_number: format!("{number:04}"),
        };
        Index::of(&[
            one("s0", 7, 3),
            one("s0", 5, 1),
            one("s1", 6, 2),
            one("s0", 9, 4),
            one("s1", 1, 9),
        ])
    }

    fn letter(shard: &str, first: u32, last: u32, records: u64) -> Letter {
        Letter {
            shard: shard.to_owned(),
            first: format!("{first:04}"),
            last: format!("{last:04}"),
            records,
            condition: "RetryAttemptsExhausted".to_owned(),
        }
    }

    #[test]
    fn a_message_is_read_as_aws_writes_it() {
        let body = r#"{"requestContext":{"requestId":"r","functionArn":"f",
            "condition":"RetryAttemptsExhausted","approximateInvokeCount":3},"version":"1.0",
            "KinesisBatchInfo":{"shardId":"s0","startSequenceNumber":"0005",
            "endSequenceNumber":"0007","batchSize":2,"streamArn":"a"}}"#;
        assert_eq!(read(body), Ok(letter("s0", 5, 7, 2)));
        for broken in ["", "{}", r#"{"KinesisBatchInfo":{"shardId":"s0"}}"#] {
            assert!(read(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn a_range_is_found_row_by_row_within_its_shard() {
        let cases = [
            (letter("s0", 7, 7, 1), Some(vec![3])),
            (letter("s0", 5, 9, 3), Some(vec![1, 3, 4])),
            (letter("s1", 1, 6, 2), Some(vec![9, 2])),
            (letter("s0", 5, 9, 4), None),
            (letter("s0", 6, 6, 1), None),
            (letter("s2", 5, 5, 1), None),
            (letter("s0", 9, 5, 3), None),
        ];
        for (letter, rows) in cases {
            assert_eq!(index().rows_of(&letter), rows, "{letter:?}");
        }
    }

    #[test]
    fn the_first_poison_of_each_shard_is_found_in_the_order_of_the_stream() {
        let poison = |number: u32, rows_before| Poison {
            sequence_number: format!("{number:04}"),
            rows_before,
        };
        let found = index().first_poison(|row| [3, 4, 9].contains(&row));
        let expected = [
            ("s0".to_owned(), poison(7, 1)),
            ("s1".to_owned(), poison(1, 0)),
        ];
        assert_eq!(found, BTreeMap::from(expected));
        assert!(index().first_poison(|_| false).is_empty());
    }
}
