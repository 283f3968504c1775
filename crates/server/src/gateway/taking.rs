//! Whether a client takes its answers: [`Taking`], one for each connection.
//!
//! What must hold: a client that takes no part of any answer for [`TAKING_TIME_MAX`] while one waits for it loses its
//! connection, and the memory of the answers is free again; one that takes its time, part after part, keeps it. Answers
//! that are still being made do not count. Why here: over HTTP/2 such a client may go on to say that it is there.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;

use tidemill_model::Clock;

/// How long an answer may lie untaken; what is noticed at the end of such a time may be as long again in coming.
pub const TAKING_TIME_MAX: Duration = Duration::from_secs(60);
/// What is handed over at once, so that it can be seen whether the client goes on taking.
pub const PART_BYTES_MAX: usize = 256 * 1024;

/// What the client of a connection has still to take, and how often it took some.
#[derive(Debug, Default)]
pub struct Taking {
    answers: AtomicUsize,
    taken: AtomicU64,
}

/// The part of an answer that has not been taken yet.
#[derive(Debug)]
pub struct Untaken {
    left: Bytes,
    taking: Arc<Taking>,
}

impl Taking {
    /// An answer for the client.
    pub fn answer(self: &Arc<Self>, bytes: Bytes) -> Untaken {
        self.answers.fetch_add(1, Ordering::Relaxed);
        Untaken {
            left: bytes,
            taking: self.clone(),
        }
    }

    /// Completes when answers have lain untaken for too long.
    pub async fn stalled(&self, clock: &dyn Clock) {
        let mut seen = (0, 0);
        loop {
            let found = (
                self.answers.load(Ordering::Relaxed),
                self.taken.load(Ordering::Relaxed),
            );
            if found.0 > 0 && found == seen {
                return;
            }
            seen = found;
            clock.sleep_until(clock.now().plus(TAKING_TIME_MAX)).await;
        }
    }
}

impl Untaken {
    /// How many bytes are left.
    pub fn bytes_left(&self) -> usize {
        self.left.len()
    }

    /// Takes the next part; `None` at the end.
    pub fn take(&mut self) -> Option<Bytes> {
        if self.left.is_empty() {
            return None;
        }
        self.taking.taken.fetch_add(1, Ordering::Relaxed);
        let bytes = self.left.len().min(PART_BYTES_MAX);
        Some(self.left.split_to(bytes))
    }
}

impl Drop for Untaken {
    fn drop(&mut self) {
        self.taking.answers.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;
    use crate::gateway::hand::Hand;

    #[test]
    fn only_a_client_that_takes_nothing_of_what_waits_is_stalled() {
        let (hand, taking) = (Hand::new(), Arc::new(Taking::default()));
        let mut stalled = pin!(taking.stalled(&hand));
        let mut is_stalled_after = |times: usize| {
            let mut context = Context::from_waker(Waker::noop());
            (0..times).any(|_| {
                let polled = stalled.as_mut().poll(&mut context);
                hand.advance(TAKING_TIME_MAX);
                polled == Poll::Ready(())
            })
        };
        // Nothing waits.
        assert!(!is_stalled_after(5));
        let bytes = Bytes::from(vec![7; 3 * PART_BYTES_MAX + 1]);
        let mut answer = taking.answer(bytes.clone());
        let mut parts = Vec::new();
        while let Some(part) = answer.take() {
            assert!(!is_stalled_after(1), "a part was taken");
            parts.push(part);
        }
        assert_eq!((parts.len(), parts.concat()), (4, bytes.to_vec()));
        drop(answer);
        // Of many answers one is enough.
        let mut others = [1, 2].map(|size| taking.answer(vec![0; size].into()));
        assert!(!is_stalled_after(1));
        others[0].take();
        assert!(!is_stalled_after(1));
        assert!(is_stalled_after(2));
    }
}
