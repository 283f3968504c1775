//! Who may see which message: [`Visibility`], kept in memory only.
//!
//! A message is *delayed* until it is shown for the first time, *in flight* between a receive and the
//! end of its visibility timeout, and *visible* otherwise.
//!
//! What must hold: a message of the queue is given out at most once in each visibility timeout, and
//! again after it for as long as it exists. None of this is durable, so that receiving costs no sync:
//! after a restart every message is visible (or delayed) again and its count of receives starts anew,
//! which at-least-once delivery allows.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tidemill_model::Timestamp;

use crate::limits;
use crate::message::Message;
use crate::queue::{Key, Queue};

/// The visibility of one queue's messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Visibility {
    /// Messages below this key have been taken in.
    taken_in: Key,
    tracked: BTreeMap<Key, Tracked>,
    /// Tracked messages that are delayed or in flight, by when they become visible.
    hidden: BTreeSet<(Timestamp, Key)>,
    /// All other tracked messages, by when they became visible.
    visible: BTreeSet<(Timestamp, Key)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tracked {
    visible_at: Timestamp,
    receive_count: u32,
    first_received_at: Option<Timestamp>,
}

/// A message that is given out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Its key in the queue.
    pub key: Key,
    /// The message.
    pub message: Message,
    /// How often it has been given out, this time included.
    pub receive_count: u32,
    /// When it was given out first.
    pub first_received_at: Timestamp,
}

/// How many messages there are of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Ready to be received.
    pub visible: usize,
    /// Received and not deleted.
    pub in_flight: usize,
    /// Not shown yet.
    pub delayed: usize,
}

/// More messages than a queue may have are in flight; none is given out until some are deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyInFlight;

impl Visibility {
    /// Gives out up to `count_max` messages, the longest visible first, and hides them for `hide_for`.
    ///
    /// # Errors
    /// When [`limits::IN_FLIGHT_MAX`] messages are in flight.
    pub fn receive(
        &mut self,
        queue: &Queue,
        now: Timestamp,
        count_max: usize,
        hide_for: Duration,
    ) -> Result<Vec<Received>, TooManyInFlight> {
        self.catch_up(queue, now);
        // Counting is slow, and the delayed messages are among the hidden ones too.
        if self.hidden.len() >= limits::IN_FLIGHT_MAX
            && self.counts(queue, now).in_flight >= limits::IN_FLIGHT_MAX
        {
            return Err(TooManyInFlight);
        }
        let mut received = Vec::new();
        while received.len() < count_max
            && let Some((_, key)) = self.visible.pop_first()
        {
            let tracked = self
                .tracked
                .remove(&key)
                .expect("a visible message is tracked");
            // One that the queue has lost meanwhile (purged, expired) is dropped here.
            if let Some(message) = queue.get(key, now) {
                let one = give_out(key, message, tracked, now);
                self.hide(key, hidden_again(&one, now.plus(hide_for)));
                received.push(one);
            }
        }
        Ok(received)
    }

    /// When the next message becomes visible, as of the last look at the queue.
    pub fn next_visible_at(&self) -> Option<Timestamp> {
        self.hidden.first().map(|(visible_at, _)| *visible_at)
    }

    /// Counts the messages of `queue`.
    pub fn counts(&mut self, queue: &Queue, now: Timestamp) -> Counts {
        self.catch_up(queue, now);
        let exists = |place: &(Timestamp, Key)| queue.get(place.1, now).is_some();
        let visible = self.visible.iter().filter(|place| exists(place)).count();
        let mut counts = Counts {
            visible,
            ..Counts::default()
        };
        for (_, key) in self.hidden.iter().filter(|place| exists(place)) {
            match self.tracked[key].receive_count {
                0 => counts.delayed += 1,
                _ => counts.in_flight += 1,
            }
        }
        counts
    }

    /// Drops what is known of a message that was deleted.
    pub fn forget(&mut self, key: Key) {
        if let Some(tracked) = self.tracked.remove(&key) {
            let place = (tracked.visible_at, key);
            let was_there = self.hidden.remove(&place) || self.visible.remove(&place);
            assert!(was_there, "message {key} is tracked and in no order");
        }
    }

    /// Drops what is known of messages that `queue` no longer has.
    pub fn forget_missing(&mut self, queue: &Queue, now: Timestamp) {
        self.tracked.retain(|key, _| queue.get(*key, now).is_some());
        self.hidden
            .retain(|(_, key)| self.tracked.contains_key(key));
        self.visible
            .retain(|(_, key)| self.tracked.contains_key(key));
    }

    /// Takes in the messages that came since the last call, and shows what is not hidden any more.
    fn catch_up(&mut self, queue: &Queue, now: Timestamp) {
        for (key, message) in queue.from(self.taken_in) {
            // A clock that stepped back must not hide what was sent "in the future".
            let visible_at = message.sent_at.min(now).plus(secs(message.delay_secs));
            self.hide(
                key,
                Tracked {
                    visible_at,
                    receive_count: 0,
                    first_received_at: None,
                },
            );
            self.taken_in = key + 1;
        }
        while let Some(place) = self.hidden.pop_first() {
            if place.0 > now {
                self.hidden.insert(place);
                break;
            }
            self.visible.insert(place);
        }
    }

    fn hide(&mut self, key: Key, tracked: Tracked) {
        self.hidden.insert((tracked.visible_at, key));
        let before = self.tracked.insert(key, tracked);
        assert!(
            before.is_none(),
            "message {key} is tracked twice: {before:?}, {tracked:?}"
        );
    }
}

fn give_out(key: Key, message: &Message, tracked: Tracked, now: Timestamp) -> Received {
    Received {
        key,
        message: message.clone(),
        receive_count: tracked.receive_count.saturating_add(1),
        first_received_at: tracked.first_received_at.unwrap_or(now),
    }
}

fn hidden_again(received: &Received, visible_at: Timestamp) -> Tracked {
    Tracked {
        visible_at,
        receive_count: received.receive_count,
        first_received_at: Some(received.first_received_at),
    }
}

fn secs(secs: u32) -> Duration {
    Duration::from_secs(secs.into())
}

#[cfg(test)]
mod tests;
