//! How answers get away from a connection: [`Sending`], one for each.
//!
//! What must hold: a connection that gets rid of no part of any answer for [`SEND_TIME_MAX`] while some of one waits
//! is closed, and the memory of its answers is free again; one whose client takes its time, part after part, is not. A
//! part is sent when the connection lets go of it, behind all buffers but the system's. Answers that are still being
//! made do not count, nor do the events of a subscription, of which only a few wait and which have bounds of their own;
//! that some were sent does. Why here: over HTTP/2 a client that reads nothing may go on to say that it is there.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;

use tidemill_model::Clock;

/// How long an answer may lie unsent; nginx's `send_timeout`. It is looked at once in such a time, so that it is noticed
/// after twice as long at most. The system lets a third of its own buffer run empty, more than a megabyte, before it
/// takes on: who reads a few kilobytes a second still takes some in time.
pub const SEND_TIME_MAX: Duration = Duration::from_secs(300);
/// What is handed over at once, so that it can be seen whether sending goes on.
pub const PART_BYTES_MAX: usize = 1024 * 1024;

/// How much waits to be sent on a connection, and how often some was.
#[derive(Debug, Default)]
pub struct Sending {
    waiting: AtomicUsize,
    sent: AtomicU64,
}

/// The part of an answer that has not been handed over yet.
#[derive(Debug)]
pub struct Unsent {
    left: Bytes,
    waiting: Waiting,
}

/// Something that waits to be sent, until it is dropped.
#[derive(Debug)]
struct Waiting(Arc<Sending>);

/// A part that was handed over.
struct Part {
    bytes: Bytes,
    _waiting: Waiting,
}

impl AsRef<[u8]> for Part {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Waiting {
    fn new(sending: &Arc<Sending>) -> Waiting {
        sending.waiting.fetch_add(1, Ordering::Relaxed);
        Waiting(sending.clone())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
        self.0.sent();
    }
}

impl Sending {
    /// An answer for the client.
    pub fn answer(self: &Arc<Self>, bytes: Bytes) -> Unsent {
        Unsent {
            left: bytes,
            waiting: Waiting::new(self),
        }
    }

    /// Something was sent.
    pub fn sent(&self) {
        self.sent.fetch_add(1, Ordering::Relaxed);
    }

    /// Completes when answers have lain unsent for too long.
    pub async fn stalled(&self, clock: &dyn Clock) {
        let mut seen = None;
        loop {
            let is_waiting = self.waiting.load(Ordering::Relaxed) > 0;
            let sent = is_waiting.then(|| self.sent.load(Ordering::Relaxed));
            if sent.is_some() && sent == seen {
                return;
            }
            seen = sent;
            clock.sleep_until(clock.now().plus(SEND_TIME_MAX)).await;
        }
    }
}

impl Unsent {
    /// How many bytes are left to hand over.
    pub fn bytes_left(&self) -> usize {
        self.left.len()
    }

    /// The next part to hand over; `None` at the end.
    pub fn next_part(&mut self) -> Option<Bytes> {
        if self.left.is_empty() {
            return None;
        }
        let bytes = self.left.len().min(PART_BYTES_MAX);
        Some(Bytes::from_owner(Part {
            bytes: self.left.split_to(bytes),
            _waiting: Waiting::new(&self.waiting.0),
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;
    use crate::gateway::hand::Hand;

    #[test]
    fn only_a_connection_that_sends_nothing_of_what_waits_is_stalled() {
        let (hand, sending) = (Hand::new(), Arc::new(Sending::default()));
        let mut stalled = pin!(sending.stalled(&hand));
        let mut is_stalled_after = |times: usize| {
            let mut context = Context::from_waker(Waker::noop());
            (0..times).any(|_| {
                let polled = stalled.as_mut().poll(&mut context);
                hand.advance(SEND_TIME_MAX);
                polled == Poll::Ready(())
            })
        };
        // Nothing waits.
        assert!(!is_stalled_after(5));
        let bytes = Bytes::from(vec![7; 3 * PART_BYTES_MAX + 1]);
        let mut answer = sending.answer(bytes.clone());
        let mut parts = Vec::new();
        while let Some(part) = answer.next_part() {
            parts.push(part.to_vec());
            drop(part);
            assert!(!is_stalled_after(1), "a part was sent");
        }
        assert_eq!((parts.len(), parts.concat()), (4, bytes.to_vec()));
        drop(answer);
        assert!(!is_stalled_after(5), "all of it was sent");
        // Of many answers one is enough, also when it is of a subscription.
        let mut others = [1, 2].map(|size| sending.answer(vec![0; size].into()));
        assert!(!is_stalled_after(1));
        let part = others[0].next_part();
        drop(part);
        assert!(!is_stalled_after(1));
        sending.sent();
        assert!(!is_stalled_after(1));
        // What was handed over waits as well, when the answer is gone.
        let last = others[1].next_part();
        drop(others);
        assert!(!is_stalled_after(1));
        assert!(is_stalled_after(1));
        drop(last);
    }
}
