//! The durable state of one queue: [`Queue`], the machine whose commands stand in the queue's partition.
//!
//! What must hold: a message that was sent is there until it is deleted, purged or expired, and a
//! message is never there twice. A second delivery under the same id is dropped. Keys grow and are
//! never used again. Who has received what is not durable and stands in `visibility`.
//!
//! A command is JSON. A snapshot is JSON, with every message and every remembered id in it, so that the
//! log before it can be trimmed and its space freed:
//!
//! ```text
//! {"retention_secs":u32,"next_key":u64,"purged_at":ms|null,
//!  "messages":[[key,message],..],"delivered":[[ms,id],..]}
//! ```

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use tidemill_log::replicated::{RestoreError, StateMachine};
use tidemill_log::{Position, ServiceTag};
use tidemill_model::Timestamp;

use crate::delivered::Delivered;
use crate::limits;
use crate::message::{Content, Message};

/// Names a message within its queue.
pub type Key = u64;

/// The messages of a queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queue {
    /// Set when the queue is created, for good.
    retention_secs: u32,
    next_key: Key,
    purged_at: Option<Timestamp>,
    #[serde(with = "pairs")]
    messages: BTreeMap<Key, Message>,
    delivered: Delivered,
}

/// What is done to a queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Adds a message.
    Send {
        /// The message's id.
        id: String,
        /// Whether a second message with this id is dropped.
        once: bool,
        /// Who sends it.
        sender: String,
        /// Seconds until it is shown.
        delay_secs: u32,
        /// What is sent.
        content: Content,
    },
    /// Removes a message, if it is there.
    Delete {
        /// Which.
        key: Key,
    },
    /// Removes all messages.
    Purge,
    /// Removes the messages that are too old, as every command does.
    Expire,
}

/// What became of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The message is in the queue.
    Sent,
    /// A message was delivered under this id before; nothing changed.
    SecondCopy,
    /// The message is not in the queue (any more).
    Deleted,
    /// No message is in the queue.
    Purged,
    /// The last purge is too recent; nothing changed.
    PurgedRecently,
    /// No message that is too old is in the queue.
    Expired,
}

impl Queue {
    /// An empty queue that keeps messages for `retention_secs`.
    pub fn new(retention_secs: u32) -> Queue {
        Queue {
            retention_secs,
            next_key: 0,
            purged_at: None,
            messages: BTreeMap::new(),
            delivered: Delivered::default(),
        }
    }

    /// The message called `key`, unless it is gone or too old.
    pub fn get(&self, key: Key, now: Timestamp) -> Option<&Message> {
        self.messages
            .get(&key)
            .filter(|message| !self.is_expired(message, now))
    }

    /// The messages from `key` on, in the order they came in.
    pub fn from(&self, key: Key) -> impl Iterator<Item = (Key, &Message)> {
        self.messages
            .range(key..)
            .map(|(key, message)| (*key, message))
    }

    /// Whether messages that are too old still take space.
    pub fn has_expired(&self, now: Timestamp) -> bool {
        // Messages come in with timestamps that never go back, so the first is the oldest.
        self.messages
            .values()
            .next()
            .is_some_and(|message| self.is_expired(message, now))
    }

    fn is_expired(&self, message: &Message, now: Timestamp) -> bool {
        message.sent_at.plus(self.retention()) <= now
    }

    fn retention(&self) -> Duration {
        Duration::from_secs(self.retention_secs.into())
    }

    fn expire(&mut self, now: Timestamp) {
        while let Some(oldest) = self.messages.first_entry()
            && oldest
                .get()
                .sent_at
                .plus(Duration::from_secs(self.retention_secs.into()))
                <= now
        {
            oldest.remove();
        }
        // Before the retention has passed once since the epoch, nothing can be too old.
        if now.as_millis() >= self.retention().as_millis() as u64 {
            self.delivered.forget_until(now.minus(self.retention()));
        }
    }

    fn add(&mut self, message: Message) {
        let before = self.messages.insert(self.next_key, message);
        assert!(before.is_none(), "key {} is used twice", self.next_key);
        self.next_key += 1;
    }

    fn purge(&mut self, at: Timestamp) -> Outcome {
        if self
            .purged_at
            .is_some_and(|before| at.since(before) < limits::PURGE_INTERVAL)
        {
            return Outcome::PurgedRecently;
        }
        self.purged_at = Some(at);
        self.messages.clear();
        Outcome::Purged
    }
}

impl StateMachine for Queue {
    type Command = Command;
    type Outcome = Outcome;
    const SERVICE: ServiceTag = ServiceTag::Destinations;
    const VERSION: u16 = 1;

    fn apply(&mut self, at: Timestamp, _: Position, command: Command) -> Outcome {
        self.expire(at);
        match command {
            Command::Send { id, once: true, .. } if !self.delivered.remember(at, &id) => {
                Outcome::SecondCopy
            }
            Command::Send {
                id,
                once: _,
                sender,
                delay_secs,
                content,
            } => {
                self.add(Message {
                    id,
                    sender,
                    sent_at: at,
                    delay_secs,
                    content,
                });
                Outcome::Sent
            }
            Command::Delete { key } => {
                self.messages.remove(&key);
                Outcome::Deleted
            }
            Command::Purge => self.purge(at),
            Command::Expire => Outcome::Expired,
        }
    }

    fn snapshot(&self) -> Bytes {
        serde_json::to_vec(self)
            .expect("texts, numbers and lists always serialize")
            .into()
    }

    fn restore(snapshot: &[u8]) -> Result<Queue, RestoreError> {
        Ok(serde_json::from_slice(snapshot)?)
    }
}

/// Messages as a list of pairs: JSON's own keys are texts.
mod pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serializer};

    use super::{Key, Message};

    pub fn serialize<S: Serializer>(
        messages: &BTreeMap<Key, Message>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(messages)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<Key, Message>, D::Error> {
        Ok(Vec::<(Key, Message)>::deserialize(deserializer)?
            .into_iter()
            .collect())
    }
}

#[cfg(test)]
mod tests;
