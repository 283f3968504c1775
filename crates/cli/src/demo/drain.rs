//! Empties the queue for failures: [`letters`].
//!
//! What must hold: a message counts once however often it is received (by its id); the queue is empty
//! only when the server says that none is visible and none is in flight.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::json;
use tokio::task::JoinSet;

use crate::demo::letters::{self, Letter};
use crate::demo::wire::{Call, Wire};

/// Receivers at work.
const CONSUMERS: usize = 8;
/// Messages in one answer, the most AWS gives.
const MESSAGES_MAX: u32 = 10;
/// Longest time without a new message while the queue is not empty; a message that was received by a
/// call whose answer was lost comes back after 30 s.
const SILENCE_MAX: Duration = Duration::from_secs(90);
const PAUSE: Duration = Duration::from_millis(200);

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
