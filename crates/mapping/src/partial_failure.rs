//! Reads the answer of a function that reports which records it failed on.
//!
//! What must hold: what is not clearly a success or a report of records *of this batch* fails the whole
//! batch, so that a confused answer repeats work and never loses it. The cases are those of
//! <https://docs.aws.amazon.com/lambda/latest/dg/kinesis-batchfailurereporting.html> and of recorded
//! answers; each stands in the table of the tests.

use std::sync::Arc;

use serde_json::Value;

use tidemill_model::{Record, SequenceNumber};

/// What the answer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// Every record was taken.
    NoFailures,
    /// The records before the index were taken; that one is the first that was not.
    FailedFrom(usize),
    /// The answer cannot be trusted: nothing counts as taken.
    Malformed,
}

/// What `payload`, answered to `records`, says.
pub fn read(payload: &[u8], records: &[Arc<Record>]) -> Report {
    if payload.iter().all(u8::is_ascii_whitespace) {
        return Report::NoFailures;
    }
    let Ok(answer) = serde_json::from_slice::<Value>(payload) else {
        return Report::Malformed;
    };
    let items = match answer.get("batchItemFailures") {
        None | Some(Value::Null) => return Report::NoFailures,
        Some(Value::Array(items)) => items,
        Some(_) => return Report::Malformed,
    };
    let indexes: Option<Vec<usize>> = items.iter().map(|item| index_of(item, records)).collect();
    match indexes.map(|indexes| indexes.into_iter().min()) {
        None => Report::Malformed,
        Some(None) => Report::NoFailures,
        Some(Some(lowest)) => Report::FailedFrom(lowest),
    }
}

/// Whether `payload` looks like a report of failures: a function that reports them to a mapping that
/// does not read them loses records, and nobody else will say so.
pub fn looks_like_report(payload: &[u8]) -> bool {
    let has_items = |answer: Value| match answer.get("batchItemFailures") {
        Some(Value::Array(items)) => !items.is_empty(),
        Some(_) | None => false,
    };
    serde_json::from_slice(payload).is_ok_and(has_items)
}

fn index_of(item: &Value, records: &[Arc<Record>]) -> Option<usize> {
    let number: SequenceNumber = item.get("itemIdentifier")?.as_str()?.parse().ok()?;
    records
        .binary_search_by(|record| record.sequence_number.cmp(&number))
        .ok()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tidemill_model::{ShardId, Timestamp};

    use super::*;

    fn records() -> Vec<Arc<Record>> {
        (7..10)
            .map(|position| {
                Arc::new(Record {
                    position,
                    sequence_number: SequenceNumber::of_record(ShardId(1), 1000, position, 1001),
                    arrival: Timestamp::from_secs(1001),
                    partition_key: "k".to_owned(),
                    data: Bytes::new(),
                })
            })
            .collect()
    }

    #[test]
    fn only_an_answer_that_names_failures_looks_like_a_report() {
        for (payload, expected) in [
            (r#"{"batchItemFailures":[{"itemIdentifier":"1"}]}"#, true),
            (r#"{"batchItemFailures":[]}"#, false),
            (r#"{"ok":1}"#, false),
            ("", false),
        ] {
            assert_eq!(looks_like_report(payload.as_bytes()), expected, "{payload}");
        }
    }

    #[test]
    fn every_answer_of_the_table_is_read_as_aws_reads_it() {
        let records = records();
        let [first, second, third] = [0, 1, 2].map(|index| records[index].sequence_number);
        let foreign = SequenceNumber::of_record(ShardId(1), 1000, 10, 1001);
        let one = |id: &str| format!(r#"{{"batchItemFailures":[{{"itemIdentifier":{id}}}]}}"#);
        let several = |ids: &[String]| {
            let items: Vec<_> = ids
                .iter()
                .map(|id| format!(r#"{{"itemIdentifier":"{id}"}}"#))
                .collect();
            format!(r#"{{"batchItemFailures":[{}]}}"#, items.join(","))
        };
        let cases = [
            (r#"{"batchItemFailures":[]}"#.to_owned(), Report::NoFailures),
            (
                r#"{"batchItemFailures":null}"#.to_owned(),
                Report::NoFailures,
            ),
            ("{}".to_owned(), Report::NoFailures),
            ("null".to_owned(), Report::NoFailures),
            (r#""""#.to_owned(), Report::NoFailures),
            ("[]".to_owned(), Report::NoFailures),
            (String::new(), Report::NoFailures),
            (" \n".to_owned(), Report::NoFailures),
            (r#""done""#.to_owned(), Report::NoFailures),
            ("17".to_owned(), Report::NoFailures),
            (r#"{"foo":1}"#.to_owned(), Report::NoFailures),
            (one(r#""123""#), Report::Malformed),
            (one(r#""""#), Report::Malformed),
            (one("null"), Report::Malformed),
            (
                r#"{"batchItemFailures":[{"foo":123}]}"#.to_owned(),
                Report::Malformed,
            ),
            (
                r#"{"batchItemFailures":[{"foo":null}]}"#.to_owned(),
                Report::Malformed,
            ),
            (one(&format!("{second}")), Report::Malformed),
            (one(&format!(r#""{foreign}""#)), Report::Malformed),
            (r#"{"batchItemFailures":"x"}"#.to_owned(), Report::Malformed),
            (r#"{"batchItemFailures":{}}"#.to_owned(), Report::Malformed),
            (
                r#"{"batchItemFailures":["x"]}"#.to_owned(),
                Report::Malformed,
            ),
            ("not JSON".to_owned(), Report::Malformed),
            (one(&format!(r#""{first}""#)), Report::FailedFrom(0)),
            (one(&format!(r#""{third}""#)), Report::FailedFrom(2)),
            (
                several(&[third.to_string(), second.to_string()]),
                Report::FailedFrom(1),
            ),
            (
                several(&[second.to_string(), "123".to_owned()]),
                Report::Malformed,
            ),
        ];
        for (answer, expected) in cases {
            assert_eq!(read(answer.as_bytes(), &records), expected, "{answer}");
        }
    }
}
