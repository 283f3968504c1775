//! Closed-loop reading: each connection drains one shard after the other, from its oldest record to an
//! empty page.
//!
//! What must hold: every page is asked for as large as the server gives it (10,000 records, 10 MB); a
//! page counts by the records in it; the server and the floors are read by this same code, which looks
//! for no more in a page than the next iterator and how many records there are.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use memchr::memmem;
use serde_json::json;
use tokio::task::JoinSet;

use crate::client::Client;
use crate::load::{LoadError, Sample};
use crate::stopwatch::Stopwatch;

/// Records that one page may have; AWS's most.
const PAGE_RECORDS_MAX: u64 = 10_000;

/// What to read, and for how long.
#[derive(Clone, Debug)]
pub struct Drain {
    /// The stream.
    pub stream: &'static str,
    /// Its shards; the first has index 0, none has ever been split.
    pub shards: usize,
    /// Shards that are drained at once.
    pub connections: usize,
    /// No page is asked for after this long.
    pub duration: Duration,
}

/// Reads as `drain` says from the server of `client`.
pub async fn run(client: &Client, drain: &Drain) -> Result<Sample, LoadError> {
    let next_shard = Arc::new(AtomicU64::new(0));
    let watch = Stopwatch::start();
    let mut connections = JoinSet::new();
    for _ in 0..drain.connections {
        let (client, drain) = (client.clone(), drain.clone());
        let next_shard = Arc::clone(&next_shard);
        connections.spawn(async move { one_connection(&client, &drain, watch, &next_shard).await });
    }
    let mut latencies_us = Vec::new();
    let mut records = 0;
    while let Some(ended) = connections.join_next().await {
        let read = ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
        latencies_us.extend(read.latencies_us);
        records += read.records;
    }
    let elapsed = watch.elapsed();
    latencies_us.sort_unstable();
    Ok(Sample {
        requests: latencies_us.len() as u64,
        records,
        elapsed,
        latencies_us,
    })
}

#[derive(Default)]
struct ReadSoFar {
    records: u64,
    latencies_us: Vec<u64>,
}

async fn one_connection(
    client: &Client,
    drain: &Drain,
    watch: Stopwatch,
    next_shard: &AtomicU64,
) -> Result<ReadSoFar, LoadError> {
    let mut read = ReadSoFar::default();
    while watch.elapsed() < drain.duration {
        let shard = next_shard.fetch_add(1, Ordering::Relaxed) % drain.shards as u64;
        let mut iterator = first_iterator(client, drain.stream, shard).await?;
        while watch.elapsed() < drain.duration {
            let asked = Stopwatch::start();
            let body = json!({ "ShardIterator": iterator, "Limit": PAGE_RECORDS_MAX });
            let call = client.prepare_kinesis("GetRecords", body.to_string().into());
            let page = client.send(&call).await?.body;
            let records = count_records(&page);
            if records == 0 {
                break;
            }
            let elapsed_us = u64::try_from(asked.elapsed().as_micros()).unwrap_or(u64::MAX);
            read.latencies_us.push(elapsed_us);
            read.records += records;
            iterator = next_iterator(&page)?;
        }
    }
    Ok(read)
}

async fn first_iterator(client: &Client, stream: &str, shard: u64) -> Result<String, LoadError> {
    let asked = json!({
        "StreamName": stream,
        "ShardId": format!("shardId-{shard:012}"),
        "ShardIteratorType": "TRIM_HORIZON",
    });
    let answer = client.kinesis("GetShardIterator", &asked).await?;
    let iterator = answer["ShardIterator"].as_str().map(str::to_owned);
    iterator.ok_or(LoadError::Lacking {
        operation: "GetShardIterator",
        member: "ShardIterator",
    })
}

/// How many records stand in `page`. Data is base64, so the name cannot stand in it.
fn count_records(page: &[u8]) -> u64 {
    memmem::find_iter(page, br#""SequenceNumber""#).count() as u64
}

/// The iterator behind `page`: at its end, at its beginning, or wherever the server puts it.
fn next_iterator(page: &[u8]) -> Result<String, LoadError> {
    const NAME: &[u8] = br#""NextShardIterator""#;
    const ENDS_BYTES: usize = 2000;
    let (begin, end) = (
        &page[..page.len().min(ENDS_BYTES)],
        &page[page.len().saturating_sub(ENDS_BYTES)..],
    );
    let text = [end, begin, page].into_iter().find_map(|part| {
        let behind = &part[memmem::find(part, NAME)? + NAME.len()..];
        let mut quotes = memchr::memchr_iter(b'"', behind);
        let text = &behind[quotes.next()? + 1..quotes.next()?];
        std::str::from_utf8(text).ok().map(str::to_owned)
    });
    text.ok_or(LoadError::Lacking {
        operation: "GetRecords",
        member: "NextShardIterator",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_understood_wherever_its_iterator_stands() {
        let record = r#"{"Data":"AAAA","SequenceNumber":"1"}"#;
        let records = vec![record; 500].join(", ");
        for page in [
            format!(r#"{{"NextShardIterator":"next","Records":[{records}]}}"#),
            format!(r#"{{"Records" : [{records}], "NextShardIterator" : "next"}}"#),
            format!(
                r#"{{"A":[],"Records":[{records}],"NextShardIterator":"next","Z":[{}]}}"#,
                vec!["0"; 5000].join(",")
            ),
        ] {
            assert_eq!(count_records(page.as_bytes()), 500);
            assert_eq!(next_iterator(page.as_bytes()).expect("is there"), "next");
        }
        assert!(next_iterator(br#"{"Records":[]}"#).is_err());
        assert_eq!(count_records(br#"{"Records":[]}"#), 0);
    }
}
