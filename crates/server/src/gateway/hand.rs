//! A clock that stands until it is moved, for tests: [`Hand`].

use std::time::Duration;

use tidemill_model::{BoxFuture, Clock, Timestamp};
use tokio::sync::watch;

/// Begins at the epoch.
#[derive(Clone)]
pub struct Hand {
    now: watch::Sender<Timestamp>,
    /// The latest time that anybody has wanted to sleep until.
    awaited: watch::Sender<Timestamp>,
}

impl Hand {
    pub fn new() -> Hand {
        Hand {
            now: watch::Sender::default(),
            awaited: watch::Sender::default(),
        }
    }

    pub fn advance(&self, duration: Duration) {
        self.now.send_modify(|now| *now = now.plus(duration));
    }

    /// Completes when somebody sleeps until `deadline` or longer.
    pub async fn awaited(&self, deadline: Timestamp) {
        let mut awaited = self.awaited.subscribe();
        let found = awaited.wait_for(|awaited| *awaited >= deadline).await;
        found.expect("self holds the sender");
    }

    /// How many sleep now.
    pub fn sleepers(&self) -> usize {
        self.now.receiver_count()
    }
}

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        *self.now.borrow()
    }

    fn sleep_until(&self, deadline: Timestamp) -> BoxFuture<'static, ()> {
        self.awaited.send_if_modified(|awaited| {
            let later = deadline > *awaited;
            *awaited = deadline.max(*awaited);
            later
        });
        let hand = self.clone();
        let mut now = self.now.subscribe();
        Box::pin(async move {
            let passed = now.wait_for(|now| *now >= deadline).await;
            passed.expect("the hand below holds the sender");
            drop(hand);
        })
    }
}
