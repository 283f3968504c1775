//! Empties the queue for failures and finds the rows its messages stand for: [`letters`], [`rows`].
//!
//! What must hold: a message counts once however often it is received (by its id); the queue is empty
//! only when the server says that none is visible and none is in flight.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::demo::flights::Flight;
use crate::demo::letters::{self, Index, Letter};
use crate::demo::wire::{Call, Wire};

/// Receivers at work.
const CONSUMERS: usize = 8;
/// Messages in one answer, the most AWS gives.
const MESSAGES_MAX: u32 = 10;
/// Longest time without a new message while the queue is not empty; a message that was received by a
/// call whose answer was lost comes back after 30 s.
const SILENCE_MAX: Duration = Duration::from_secs(90);
const PAUSE: Duration = Duration::from_millis(200);
/// Calls that read one range from the stream.
const READS_MAX: u32 = 100;

/// Receives and deletes all messages; by message id.
pub async fn letters(
    wire: &Wire,
    queue_url: &str,
    mut on_progress: impl FnMut(u64),
) -> Result<BTreeMap<String, Letter>> {
    let mut received = BTreeMap::new();
    let mut silent_since = wire.clock().now();
    loop {
        let mut consumers = JoinSet::new();
        for _ in 0..CONSUMERS {
            consumers.spawn(consume(wire.clone(), queue_url.to_owned()));
        }
        let before = received.len();
        while let Some(ended) = consumers.join_next().await {
            received.extend(ended.context("a consumer stopped")??);
            on_progress(received.len() as u64);
        }
        if is_empty(wire, queue_url).await? {
            return Ok(received);
        }
        if received.len() > before {
            silent_since = wire.clock().now();
        } else if wire.clock().now() > silent_since.plus(SILENCE_MAX) {
            bail!("the queue is not empty, yet gave no new message for {SILENCE_MAX:?}");
        }
        wire.pause(PAUSE).await;
    }
}

/// Receives and deletes until an answer has no message.
async fn consume(wire: Wire, queue_url: String) -> Result<BTreeMap<String, Letter>> {
    let mut received = BTreeMap::new();
    loop {
        let input = json!({ "QueueUrl": queue_url, "MaxNumberOfMessages": MESSAGES_MAX });
        let answer = wire.ask(&Call::Sqs("ReceiveMessage", input)).await?;
        let messages = answer["Messages"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        if messages.is_empty() {
            return Ok(received);
        }
        for message in messages {
            let text = |name: &str| {
                message[name]
                    .as_str()
                    .with_context(|| format!("a message without {name}: {message}"))
            };
            received.insert(text("MessageId")?.to_owned(), letters::read(text("Body")?)?);
            let input = json!({ "QueueUrl": queue_url, "ReceiptHandle": text("ReceiptHandle")? });
            wire.ask(&Call::Sqs("DeleteMessage", input)).await?;
        }
    }
}

async fn is_empty(wire: &Wire, queue_url: &str) -> Result<bool> {
    let names = [
        "ApproximateNumberOfMessages",
        "ApproximateNumberOfMessagesNotVisible",
    ];
    let input = json!({ "QueueUrl": queue_url, "AttributeNames": names });
    let answer = wire.ask(&Call::Sqs("GetQueueAttributes", input)).await?;
    Ok(names.iter().all(|name| answer["Attributes"][*name] == "0"))
}

/// What the letters stand for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Messages, each counted once.
    pub messages: u64,
    /// Records they say they stand for.
    pub records: u64,
    /// How often each row was told.
    pub rows: BTreeMap<usize, u64>,
    /// Records that are no row of the file, or could not be found.
    pub strangers: u64,
}

/// Finds the rows of `letters`: by the numbers that were acknowledged, or else in the stream.
pub async fn rows(
    wire: &Wire,
    stream: &str,
    flights: &[Flight],
    index: &Index,
    letters: &BTreeMap<String, Letter>,
) -> Result<Told> {
    let mut told = Told {
        messages: letters.len() as u64,
        ..Told::default()
    };
    let mut by_data = BTreeMap::new();
    for letter in letters.values() {
        told.records += letter.records;
        let rows = match index.rows_of(letter) {
            Some(rows) => rows,
            None => {
                if by_data.is_empty() {
                    by_data = flights
                        .iter()
                        .enumerate()
                        .map(|(row, flight)| (&flight.data[..], row))
                        .collect();
                }
                let stored = read_range(wire, stream, letter).await?;
                let known = stored
                    .iter()
                    .filter_map(|data| by_data.get(&data[..]).copied());
                known.collect()
            }
        };
        told.strangers += letter.records.saturating_sub(rows.len() as u64);
        for row in rows {
            *told.rows.entry(row).or_default() += 1;
        }
    }
    Ok(told)
}

/// The data of the records of `letter`, as the stream has them.
async fn read_range(wire: &Wire, stream: &str, letter: &Letter) -> Result<Vec<Vec<u8>>> {
    let input = json!({
        "StreamName": stream,
        "ShardId": letter.shard,
        "ShardIteratorType": "AT_SEQUENCE_NUMBER",
        "StartingSequenceNumber": letter.first,
    });
    let mut answer = wire.ask(&Call::Kinesis("GetShardIterator", input)).await?;
    let mut iterator = answer["ShardIterator"].take();
    let mut found = Vec::new();
    for _ in 0..READS_MAX {
        let input = json!({ "ShardIterator": iterator, "Limit": letter.records });
        let mut answer = wire.ask(&Call::Kinesis("GetRecords", input)).await?;
        for record in answer["Records"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default()
        {
            let number = record["SequenceNumber"].as_str().unwrap_or_default();
            if number > letter.last.as_str() {
                return Ok(found);
            }
            found.push(data_of(record)?);
            if number == letter.last {
                return Ok(found);
            }
        }
        iterator = answer["NextShardIterator"].take();
        if iterator.is_null() {
            return Ok(found);
        }
    }
    bail!(
        "{} was not reached in {} within {READS_MAX} reads",
        letter.last,
        letter.shard
    )
}

fn data_of(record: &Value) -> Result<Vec<u8>> {
    let data = record["Data"]
        .as_str()
        .with_context(|| format!("a record without data: {record}"))?;
    base64_simd::STANDARD
        .decode_to_vec(data)
        .context("a record's data is not base64")
}
