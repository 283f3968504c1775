//! Adds up all records of a stream and keeps on: [`Replay`].
//!
//! What must hold: the master dataset first, then the stream from where that ends; nothing of the stream
//! is freed before the master dataset has it, so when a record is not in the stream any more it is in the
//! dataset, and everything begins anew from there. Nothing is answered before everything is there that was
//! there when it began, so no answer is older than one that was given before a crash. A failure is tried
//! again after a pause.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type, TimestampMicrosecondType};
use thiserror::Error;
use tokio::sync::watch;
use tokio::task::{JoinSet, spawn_blocking};

use tidemill_model::source::{ReadLimit, SourceError};
use tidemill_model::{Record, SequenceNumber, ShardId, StreamArn, Timestamp};

use crate::catalog::View;
use crate::master::{Subject, Table, TableError, rows};
use crate::positions::Span;
use crate::record_map::{MapError, RecordMap};

use super::KappaParts;
use super::held::Held;

/// How much of a shard is read at once.
const LIMIT: ReadLimit = ReadLimit {
    records: 10_000,
    bytes: 4 * 1024 * 1024,
};
/// The pause after a failure.
const PAUSE: Duration = Duration::from_secs(1);

/// Adds up the records of one stream for one view; cheap to clone.
#[derive(Clone)]
pub struct Replay {
    parts: KappaParts,
    view: Arc<View>,
    map: Arc<dyn RecordMap>,
    held: Arc<Held>,
}

/// Why adding up stopped.
#[derive(Debug, Error)]
enum Stopped {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Table(#[from] TableError),
    #[error(transparent)]
    Map(#[from] MapError),
    #[error("rows cannot be made: {0}")]
    Rows(#[from] arrow_schema::ArrowError),
    /// What comes next is in the master dataset only.
    #[error("the stream goes on behind what was read of it")]
    Behind,
    #[error("another stream has the name")]
    Gone,
}

impl Replay {
    /// Of `view` into `held`.
    pub fn new(parts: KappaParts, view: View, map: Arc<dyn RecordMap>, held: Arc<Held>) -> Replay {
        Replay {
            parts,
            view: Arc::new(view),
            map,
            held,
        }
    }

    /// The stream.
    pub fn stream(&self) -> &StreamArn {
        &self.view.stream
    }

    /// Adds up until `stop` becomes true or is dropped.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let endless = async {
            loop {
                let pass = self.held.begin();
                let stopped = self.pass(pass).await;
                match stopped {
                    Err(Stopped::Behind) => continue,
                    Err(error) => {
                        tracing::warn!(view = self.view.name, %error, "a replay begins anew")
                    }
                    Ok(never) => match never {},
                }
                let clock = &self.parts.clock;
                clock.sleep_until(clock.now().plus(PAUSE)).await;
            }
        };
        tokio::select! {
            () = endless => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }

    /// From the first record on; ends only with a failure.
    async fn pass(&self, pass: u64) -> Result<std::convert::Infallible, Stopped> {
        let this = self.clone();
        let archived = spawn_blocking(move || this.add_archived(pass)).await;
        archived.expect("adding up does not panic")?;
        let shards = self.parts.source.shards(self.stream())?;
        self.held.aim(
            pass,
            shards.iter().map(|shard| (shard.id, shard.end)).collect(),
        );
        let mut feeders = JoinSet::new();
        let mut fed: BTreeSet<ShardId> = BTreeSet::new();
        loop {
            if self.parts.source.incarnation(self.stream())? != self.view.incarnation {
                return Err(Stopped::Gone);
            }
            for shard in self.parts.source.shards(self.stream())? {
                if fed.insert(shard.id) {
                    let this = self.clone();
                    feeders.spawn(async move { this.feed(pass, shard.id).await });
                }
            }
            let next = fed.last().map_or(0, |last| last.0 + 1);
            tokio::select! {
                () = self.parts.source.wait_for_shard(self.stream(), ShardId(next)) => {}
                Some(ended) = feeders.join_next() => {
                    ended.expect("feeding does not panic, and nobody cuts it off")?;
                }
            }
        }
    }

    /// Adds what the master dataset has.
    fn add_archived(&self, pass: u64) -> Result<(), Stopped> {
        let subject = Subject {
            stream: self.view.stream.clone(),
            incarnation: self.view.incarnation,
        };
        let folder = (self.parts.folder)(&subject);
        let (store, now) = (Arc::clone(&self.parts.store), self.parts.clock.now());
        let table = Table::open(store, &folder, &subject, &self.view.schema, now)?;
        for file in &table.snapshot().files {
            let rows = table.rows(file)?;
            // The columns are read out of the payloads again: the file may be older than some of them.
            let records = records_of(&rows);
            let records: Vec<(ShardId, &Record)> = records
                .iter()
                .map(|(shard, record)| (*shard, record))
                .collect();
            let rows = rows::batch(&self.view.schema, &records)?;
            let mapped = self.map.map(&rows)?;
            self.held
                .add(pass, file.spans().collect(), &file.gone, &mapped);
        }
        Ok(())
    }

    /// Adds what comes in one shard; ends when it is closed and done.
    async fn feed(&self, pass: u64, shard: ShardId) -> Result<(), Stopped> {
        let source = &self.parts.source;
        loop {
            let from = self
                .held
                .contents()
                .positions
                .get(&shard)
                .copied()
                .unwrap_or(0);
            let fetched = match source.read(self.stream(), shard, from, LIMIT).await {
                // Forgotten, because the master dataset has all of it, and so has the view.
                Err(SourceError::NoShard { .. }) => return Ok(()),
                fetched => fetched?,
            };
            if fetched.first_readable > from {
                return Err(Stopped::Behind);
            }
            if fetched.records.is_empty() {
                if fetched.closed && from >= fetched.end {
                    return Ok(());
                }
                self.note_complete();
                source.wait(self.stream(), shard, from).await;
                continue;
            }
            let this = self.clone();
            let added = spawn_blocking(move || this.add(pass, shard, from, &fetched.records)).await;
            added.expect("adding up does not panic")?;
        }
    }

    /// Notes that nothing is missing, if that is so in every shard.
    fn note_complete(&self) {
        let now = self.parts.clock.now();
        let shards = self.parts.source.shards(self.stream()).unwrap_or_default();
        let mut contents = self.held.contents();
        let end = |shard| contents.positions.get(&shard).copied().unwrap_or(0);
        if shards.iter().all(|shard| end(shard.id) >= shard.end) {
            contents.complete_at = now;
        }
    }

    fn add(&self, pass: u64, shard: ShardId, from: u64, records: &[Record]) -> Result<(), Stopped> {
        let rows: Vec<(ShardId, &Record)> = records.iter().map(|record| (shard, record)).collect();
        let mapped = self.map.map(&rows::batch(&self.view.schema, &rows)?)?;
        let to = from + records.len() as u64;
        self.held
            .add(pass, vec![Span { shard, from, to }], &[], &mapped);
        Ok(())
    }
}

/// The records in rows of a table.
fn records_of(rows: &RecordBatch) -> Vec<(ShardId, Record)> {
    let shards = rows.column(0).as_primitive::<Int32Type>().values();
    let positions = rows.column(1).as_primitive::<Int64Type>().values();
    let numbers = rows.column(2).as_string::<i32>();
    let arrivals = rows
        .column(3)
        .as_primitive::<TimestampMicrosecondType>()
        .values();
    let keys = rows.column(4).as_string::<i32>();
    let payloads = rows.column(5).as_binary::<i32>();
    let records = (0..rows.num_rows()).map(|row| {
        let number: Result<SequenceNumber, _> = numbers.value(row).parse();
        let record = Record {
            position: positions[row] as u64,
            sequence_number: number.expect("a table has the numbers that were put into it"),
            arrival: Timestamp::from_millis((arrivals[row] / 1000) as u64),
            partition_key: keys.value(row).to_owned(),
            data: payloads.value(row).to_vec().into(),
        };
        (ShardId(shards[row] as u32), record)
    });
    records.collect()
}
