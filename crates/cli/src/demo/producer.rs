//! Puts all flights on the stream against its real limits: [`put_all`].
//!
//! What must hold: a row is put again until it is acknowledged, and not once it is; rows of a call
//! whose answer was lost are put again and counted as doubtful, since they may now be there twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::demo::entries::{self, Acknowledged};
use crate::demo::flights::Flight;
use crate::demo::wire::{Call, Wire};

/// Entries in a call, the most AWS takes.
const ENTRIES_MAX: usize = 500;
/// Calls in flight.
const PRODUCERS: usize = 4;
/// Attempts after which an entry is stuck and not merely throttled.
const ATTEMPTS_MAX: u32 = 60;

/// What putting came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Puts {
    /// Every acknowledgement.
    pub acknowledged: Vec<Acknowledged>,
    /// Calls that were answered.
    pub calls: u64,
    /// Of these, calls that succeeded in part or not at all, with HTTP 200.
    pub partial_failures: u64,
    /// Entries refused for a shard's limit.
    pub throttled: u64,
    /// Entries refused for other reasons.
    pub failed: u64,
    /// Calls whose answer was lost.
    pub lost_answers: u64,
    /// Entries of these calls: each may be stored once more than it was acknowledged.
    pub doubtful: u64,
}

impl Puts {
    fn add(&mut self, other: Puts) {
        let Puts {
            acknowledged,
            calls,
            partial_failures,
            throttled,
            failed,
            lost_answers,
            doubtful,
        } = other;
        self.acknowledged.extend(acknowledged);
        self.calls += calls;
        self.partial_failures += partial_failures;
        self.throttled += throttled;
        self.failed += failed;
        self.lost_answers += lost_answers;
        self.doubtful += doubtful;
    }
}

/// Puts `flights` on `stream`; `on_progress` is told how many are acknowledged.
pub async fn put_all(
    wire: &Wire,
    stream: &str,
    flights: Arc<[Flight]>,
    mut on_progress: impl FnMut(u64),
) -> Result<Puts> {
    let next = Arc::new(AtomicUsize::new(0));
    let (report, mut reported) = mpsc::channel(PRODUCERS);
    let mut producers = JoinSet::new();
    for _ in 0..PRODUCERS {
        let producer = Producer {
            wire: wire.clone(),
            stream: stream.to_owned(),
            flights: Arc::clone(&flights),
            next: Arc::clone(&next),
            report: report.clone(),
        };
        producers.spawn(producer.run());
    }
    drop(report);
    let mut total = Puts::default();
    while let Some(puts) = reported.recv().await {
        total.add(puts);
        on_progress(total.acknowledged.len() as u64);
    }
    while let Some(ended) = producers.join_next().await {
        ended.context("a producer stopped")??;
    }
    Ok(total)
}

/// One of several that take the next rows until there are none.
struct Producer {
    wire: Wire,
    stream: String,
    flights: Arc<[Flight]>,
    next: Arc<AtomicUsize>,
    report: mpsc::Sender<Puts>,
}

impl Producer {
    async fn run(self) -> Result<()> {
        loop {
            let first = self.next.fetch_add(ENTRIES_MAX, Ordering::Relaxed);
            if first >= self.flights.len() {
                return Ok(());
            }
            let rows = (first..self.flights.len().min(first + ENTRIES_MAX)).collect();
            self.put(rows).await?;
        }
    }

    /// Puts `rows` until each is acknowledged.
    async fn put(&self, mut rows: Vec<usize>) -> Result<()> {
        for attempt in 1..=ATTEMPTS_MAX {
            let call = Call::Kinesis("PutRecords", self.input(&rows));
            let called = self.wire.call(&call).await;
            let answer = called.result.context("PutRecords failed as a whole")?;
            let sorted = entries::sort(&rows, &answer)?;
            let lost_answers = u64::from(called.lost_answers);
            let throttled = sorted.throttled as u64;
            let puts = Puts {
                acknowledged: sorted.acknowledged,
                calls: 1,
                partial_failures: u64::from(!sorted.failed.is_empty()),
                throttled,
                failed: sorted.failed.len() as u64 - throttled,
                lost_answers,
                doubtful: lost_answers * rows.len() as u64,
            };
            // The receiver is only gone when the demo is over.
            let _ = self.report.send(puts).await;
            if sorted.failed.is_empty() {
                return Ok(());
            }
            rows = sorted.failed;
            self.wire
                .pause(entries::backoff(attempt, self.wire.entropy()))
                .await;
        }
        bail!(
            "{} entries were still refused after {ATTEMPTS_MAX} attempts",
            rows.len()
        )
    }

    fn input(&self, rows: &[usize]) -> Value {
        let entry = |row: &usize| {
            let flight = &self.flights[*row];
            let data = base64_simd::STANDARD.encode_to_string(&flight.data);
            json!({ "Data": data, "PartitionKey": flight.key })
        };
        json!({ "StreamName": self.stream, "Records": rows.iter().map(entry).collect::<Vec<_>>() })
    }
}
