//! Which entries of a PutRecords call to put again, and when. Pure.
//!
//! What must hold: exactly the failed entries are put again, in their order; an answer that does not
//! fit its request is an error and not a guess. A partial failure comes with HTTP 200, so nothing but
//! this code notices it.

use std::time::Duration;

use serde_json::Value;
use thiserror::Error;

use tidemill_model::Entropy;

const BACKOFF_BASE: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// A row that the server has acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    /// The row.
    pub row: usize,
    /// The shard it went to.
    pub shard: String,
    /// Its sequence number.
    pub sequence_number: String,
}

/// What one answer says of the rows of its request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sorted {
    /// Rows that are stored.
    pub acknowledged: Vec<Acknowledged>,
    /// Rows to put again, in the order of the request.
    pub failed: Vec<usize>,
    /// How many of the failed met a shard's limit; the others met some trouble of the server.
    pub throttled: usize,
}

/// An answer that does not fit its request.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("PutRecords was answered with {0}")]
pub struct Misfit(String);

/// Sorts `rows`, the rows of one request in order, by what `answer` says.
pub fn sort(rows: &[usize], answer: &Value) -> Result<Sorted, Misfit> {
    let records = answer["Records"]
        .as_array()
        .ok_or_else(|| Misfit("no list of records".to_owned()))?;
    if records.len() != rows.len() {
        return Err(Misfit(format!(
            "{} results for {} entries",
            records.len(),
            rows.len()
        )));
    }
    let mut sorted = Sorted::default();
    for (row, record) in rows.iter().zip(records) {
        match (
            record["ErrorCode"].as_str(),
            record["SequenceNumber"].as_str(),
            record["ShardId"].as_str(),
        ) {
            (Some(code), None, None) => {
                sorted.failed.push(*row);
                sorted.throttled += usize::from(code == "ProvisionedThroughputExceededException");
            }
            (None, Some(sequence_number), Some(shard)) => sorted.acknowledged.push(Acknowledged {
                row: *row,
                shard: shard.to_owned(),
                sequence_number: sequence_number.to_owned(),
            }),
            _ => {
                return Err(Misfit(format!(
                    "a result that is neither success nor failure: {record}"
                )));
            }
        }
    }
    if answer["FailedRecordCount"].as_u64() != Some(sorted.failed.len() as u64) {
        let (said, counted) = (&answer["FailedRecordCount"], sorted.failed.len());
        return Err(Misfit(format!(
            "FailedRecordCount {said}, yet {counted} results are failures"
        )));
    }
    Ok(sorted)
}

/// How long to wait before the next attempt: anything from nothing to a bound that doubles with each
/// `attempt` (from 1), so that producers that failed together do not come back together.
pub fn backoff(attempt: u32, entropy: &dyn Entropy) -> Duration {
    let doublings = attempt.saturating_sub(1).min(16);
    let bound = BACKOFF_BASE.saturating_mul(1 << doublings).min(BACKOFF_MAX);
    Duration::from_millis(entropy.below(bound.as_millis() as u64 + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn stored(number: u32) -> Value {
        json!({ "SequenceNumber": number.to_string(), "ShardId": "shardId-000000000000" })
    }

    fn refused(code: &str) -> Value {
        json!({ "ErrorCode": code, "ErrorMessage": "m" })
    }

    #[test]
    fn only_failed_entries_are_put_again_and_keep_their_order() {
        let throttled = || refused("ProvisionedThroughputExceededException");
        let answer = json!({
            "FailedRecordCount": 3,
            "Records": [throttled(), stored(1), refused("InternalFailure"), stored(2), throttled()],
        });
        let sorted = sort(&[30, 31, 7, 33, 9], &answer).expect("fits");
        assert_eq!(sorted.failed, [30, 7, 9]);
        assert_eq!(sorted.throttled, 2);
        let rows: Vec<(usize, &str)> = sorted
            .acknowledged
            .iter()
            .map(|one| (one.row, one.sequence_number.as_str()))
            .collect();
        assert_eq!(rows, [(31, "1"), (33, "2")]);
    }

    #[test]
    fn an_answer_that_does_not_fit_its_request_is_refused() {
        let cases = [
            json!({}),
            json!({ "FailedRecordCount": 0, "Records": [stored(1)] }),
            json!({ "FailedRecordCount": 1, "Records": [stored(1), stored(2)] }),
            json!({ "FailedRecordCount": 0, "Records": [stored(1), refused("InternalFailure")] }),
            json!({ "Records": [stored(1), stored(2)] }),
            json!({ "FailedRecordCount": 0, "Records": [stored(1), {}] }),
        ];
        for answer in cases {
            assert!(sort(&[0, 1], &answer).is_err(), "{answer}");
        }
    }

    /// Always draws the greatest number.
    struct Greatest;

    impl Entropy for Greatest {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0xff);
        }
    }

    /// Always draws zero.
    struct Least;

    impl Entropy for Least {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0);
        }
    }

    #[test]
    fn the_bound_of_the_backoff_doubles_up_to_its_maximum() {
        for (attempt, millis) in [
            (1, 100),
            (2, 200),
            (3, 400),
            (6, 3200),
            (7, 5000),
            (u32::MAX, 5000),
        ] {
            assert_eq!(
                backoff(attempt, &Greatest),
                Duration::from_millis(millis),
                "{attempt}"
            );
            assert_eq!(backoff(attempt, &Least), Duration::ZERO, "{attempt}");
        }
    }
}
