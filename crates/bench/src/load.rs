//! Closed-loop load: each connection sends its next request when the answer to the last has come.
//!
//! What must hold: an answer that is not a success, or a PutRecords answer with a failed entry, ends
//! the run with an error; a figure never contains refused work. The server and the floors are loaded
//! by this same code.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;
use thiserror::Error;
use tokio::task::JoinSet;

use crate::client::{Answer, Client, Failure, Prepared};
use crate::stopwatch::Stopwatch;

/// What to send, and how much of it.
#[derive(Clone, Debug)]
pub struct Load {
    /// Requests to send in turn; at least one.
    pub requests: Arc<[Prepared]>,
    /// Records in each.
    pub entries: usize,
    /// Requests in flight.
    pub connections: usize,
    /// No request is started after this long.
    pub duration: Duration,
    /// Nor more than this many, so that a run's use of the disk has a bound.
    pub requests_max: u64,
}

/// What one run of a load came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Requests answered.
    pub requests: u64,
    /// Records they carried, one way or the other.
    pub records: u64,
    /// From the first request to the last answer.
    pub elapsed: Duration,
    /// Microseconds to each answer, ascending.
    pub latencies_us: Vec<u64>,
}

impl Sample {
    /// Requests answered per second.
    pub fn requests_per_second(&self) -> f64 {
        self.requests as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }

    /// Records carried per second.
    pub fn records_per_second(&self) -> f64 {
        self.records as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }
}

/// Why a run gives no figure.
#[derive(Debug, Error)]
pub enum LoadError {
    /// A call failed.
    #[error(transparent)]
    Call(#[from] Failure),
    /// PutRecords succeeded in part.
    #[error(
        "{failed} entries of a PutRecords call were refused; the benchmark needs limits lifted"
    )]
    Partial {
        /// Entries that were refused.
        failed: u64,
    },
    /// GetRecords answered something that is not a page.
    #[error("an answer of {operation} lacks {member}")]
    Lacking {
        /// The operation.
        operation: &'static str,
        /// What is not there.
        member: &'static str,
    },
}

/// Runs `load` against the server of `client`.
pub async fn run(client: &Client, load: &Load) -> Result<Sample, LoadError> {
    let started = Arc::new(AtomicU64::new(0));
    let watch = Stopwatch::start();
    let mut connections = JoinSet::new();
    for _ in 0..load.connections {
        connections.spawn(one_connection(
            client.clone(),
            load.clone(),
            watch,
            Arc::clone(&started),
        ));
    }
    let mut latencies_us = Vec::new();
    while let Some(ended) = connections.join_next().await {
        latencies_us
            .extend(ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?);
    }
    let elapsed = watch.elapsed();
    latencies_us.sort_unstable();
    Ok(Sample {
        requests: latencies_us.len() as u64,
        records: latencies_us.len() as u64 * load.entries as u64,
        elapsed,
        latencies_us,
    })
}

async fn one_connection(
    client: Client,
    load: Load,
    watch: Stopwatch,
    started: Arc<AtomicU64>,
) -> Result<Vec<u64>, LoadError> {
    let mut latencies_us = Vec::new();
    while watch.elapsed() < load.duration {
        let number = started.fetch_add(1, Ordering::Relaxed);
        if number >= load.requests_max {
            break;
        }
        let request = &load.requests[(number % load.requests.len() as u64) as usize];
        let sent = Stopwatch::start();
        let answer = client.send(request).await?;
        latencies_us.push(u64::try_from(sent.elapsed().as_micros()).unwrap_or(u64::MAX));
        check(&answer)?;
    }
    Ok(latencies_us)
}

/// Refuses an answer with failed entries. The count stands at one end of the answer; only when it is
/// not found there is the whole of it parsed.
fn check(answer: &Answer) -> Result<(), LoadError> {
    const NONE_FAILED: &[u8] = br#""FailedRecordCount":0"#;
    let body = &answer.body;
    let ends = [
        &body[..body.len().min(80)],
        &body[body.len().saturating_sub(80)..],
    ];
    if ends.iter().any(|end| {
        end.windows(NONE_FAILED.len())
            .any(|window| window == NONE_FAILED)
    }) {
        return Ok(());
    }
    let parsed: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    match parsed["FailedRecordCount"].as_u64() {
        Some(failed) if failed > 0 => Err(LoadError::Partial { failed }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_with_failed_entries_is_no_success() {
        let padding = "x".repeat(200);
        let cases = [
            (r#"{"FailedRecordCount":0,"Records":[]}"#.to_owned(), true),
            (r#"{"SequenceNumber":"1","ShardId":"s"}"#.to_owned(), true),
            (
                format!(r#"{{"Records":["{padding}"],"FailedRecordCount":0}}"#),
                true,
            ),
            (
                format!(r#"{{"Records":["{padding}"],"FailedRecordCount":3}}"#),
                false,
            ),
            (
                format!(r#"{{"A":"{padding}","FailedRecordCount":2,"Z":"{padding}"}}"#),
                false,
            ),
        ];
        for (body, expected) in cases {
            let answer = Answer {
                status: 200,
                headers: http::HeaderMap::new(),
                body: body.clone().into(),
            };
            assert_eq!(check(&answer).is_ok(), expected, "{body}");
        }
    }
}
