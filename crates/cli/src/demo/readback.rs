//! Reads the whole stream back over the wire: [`read_all`].
//!
//! What must hold: every open and closed shard is read from its oldest record to its end, so that what
//! was acknowledged and is not there cannot hide behind what is there twice.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::demo::flights::Flight;
use crate::demo::stored::Stored;
use crate::demo::wire::{Call, Wire};

/// Records in one answer: about 1 MiB of flights, half a second of what a shard may give.
const RECORDS_MAX: u32 = 3000;
/// Answers from one shard; a shard of the demo has some ten thousand records.
const READS_MAX: u32 = 1000;

/// Which row has which data.
type RowOf = BTreeMap<Bytes, usize>;

/// Reads all records of `stream` and recognises `flights` by their data.
pub async fn read_all(wire: &Wire, stream: &str, flights: &[Flight]) -> Result<Stored> {
    let rows = flights
        .iter()
        .enumerate()
        .map(|(row, flight)| (flight.data.clone(), row));
    let row_of: Arc<RowOf> = Arc::new(rows.collect());
    let listed = wire
        .ask(&Call::Kinesis(
            "ListShards",
            json!({ "StreamName": stream }),
        ))
        .await?;
    let shards = listed["Shards"]
        .as_array()
        .context("ListShards gave no shards")?;
    let mut readers = JoinSet::new();
    for shard in shards {
        let id = shard["ShardId"]
            .as_str()
            .context("a shard without id")?
            .to_owned();
        readers.spawn(read_shard(
            wire.clone(),
            stream.to_owned(),
            id,
            Arc::clone(&row_of),
        ));
    }
    let mut stored = Stored::default();
    while let Some(ended) = readers.join_next().await {
        stored.extend(ended.context("a reader stopped")??);
    }
    Ok(stored)
}

async fn read_shard(
    wire: Wire,
    stream: String,
    shard: String,
    row_of: Arc<RowOf>,
) -> Result<Stored> {
    let input = json!({
        "StreamName": stream,
        "ShardId": shard,
        "ShardIteratorType": "TRIM_HORIZON",
    });
    let mut answer = wire.ask(&Call::Kinesis("GetShardIterator", input)).await?;
    let mut iterator = answer["ShardIterator"].take();
    let mut stored = Stored::default();
    for _ in 0..READS_MAX {
        let input = json!({ "ShardIterator": iterator, "Limit": RECORDS_MAX });
        let mut answer = wire.ask(&Call::Kinesis("GetRecords", input)).await?;
        let records = answer["Records"]
            .as_array()
            .context("GetRecords gave no records")?;
        for record in records {
            let number = record["SequenceNumber"]
                .as_str()
                .context("a record without number")?;
            stored.add(&shard, number, row_of.get(&data_of(record)?[..]).copied());
        }
        let is_at_the_end = records.is_empty() && answer["MillisBehindLatest"] == 0;
        iterator = answer["NextShardIterator"].take();
        if is_at_the_end || iterator.is_null() {
            return Ok(stored);
        }
    }
    bail!("the end of {shard} was not reached with {READS_MAX} reads")
}

fn data_of(record: &Value) -> Result<Vec<u8>> {
    let data = record["Data"].as_str().context("a record without data")?;
    base64_simd::STANDARD
        .decode_to_vec(data)
        .context("a record's data is not base64")
}
