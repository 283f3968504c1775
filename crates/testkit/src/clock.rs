//! The simulated clock: [`SimClock`].
//!
//! What must hold: time moves only when the test moves it. When it moves forward past several
//! deadlines, the sleepers are woken in the order of their deadlines, and of two with the same
//! deadline the one that lay down first. It can be set back, as real clocks are; a sleeper whose
//! deadline has passed once stays woken.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::oneshot;

use tidemill_model::{BoxFuture, Clock, Timestamp};

/// A clock that a test moves; cheap to clone, all clones are the same clock.
#[derive(Clone, Debug)]
pub struct SimClock {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    now: Timestamp,
    /// Sleepers by deadline and by the order they lay down in.
    sleepers: BTreeMap<(Timestamp, u64), oneshot::Sender<()>>,
    slept: u64,
}

impl SimClock {
    /// A clock that stands at `now`.
    pub fn new(now: Timestamp) -> SimClock {
        SimClock {
            state: Arc::new(Mutex::new(State {
                now,
                sleepers: BTreeMap::new(),
                slept: 0,
            })),
        }
    }

    /// Moves `duration` (whole milliseconds) forward and wakes whom it passes.
    pub fn advance(&self, duration: Duration) {
        let now = self.lock().now.plus(duration);
        self.set(now);
    }

    /// Sets the clock, forward or back, and wakes whom it passes.
    pub fn set(&self, now: Timestamp) {
        let mut state = self.lock();
        state.now = now;
        state.sleepers.retain(|_, sleeper| !sleeper.is_closed());
        let awake = state.sleepers.split_off(&(now, u64::MAX));
        let woken = std::mem::replace(&mut state.sleepers, awake);
        drop(state);
        for (_, sleeper) in woken {
            // A sleeper that has been dropped meanwhile needs no waking.
            let _ = sleeper.send(());
        }
    }

    /// The deadline of the next sleeper, so that a test can jump to where something happens.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let mut state = self.lock();
        state.sleepers.retain(|_, sleeper| !sleeper.is_closed());
        state
            .sleepers
            .first_key_value()
            .map(|((deadline, _), _)| *deadline)
    }

    /// How many sleepers there are.
    pub fn sleepers(&self) -> usize {
        let mut state = self.lock();
        state.sleepers.retain(|_, sleeper| !sleeper.is_closed());
        state.sleepers.len()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock panics")
    }
}

impl Default for SimClock {
    /// Stands at 2026-01-01T00:00:00Z.
    fn default() -> SimClock {
        SimClock::new(Timestamp::from_secs(1_767_225_600))
    }
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        self.lock().now
    }

    fn sleep_until(&self, deadline: Timestamp) -> BoxFuture<'static, ()> {
        let mut state = self.lock();
        if state.now >= deadline {
            return Box::pin(std::future::ready(()));
        }
        let (sender, receiver) = oneshot::channel();
        state.slept += 1;
        let key = (deadline, state.slept);
        state.sleepers.insert(key, sender);
        let clock = Arc::clone(&self.state);
        Box::pin(async move {
            if receiver.await.is_err() {
                unreachable!("the clock keeps a sleeper until it wakes it: {clock:?}");
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn sleepers_are_woken_in_the_order_of_their_deadlines() {
        let clock = SimClock::default();
        let start = clock.now();
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = Vec::new();
        for millis in [30_u64, 10, 20, 40] {
            let sleep = clock.sleep_until(start.plus(Duration::from_millis(millis)));
            let order = Arc::clone(&order);
            tasks.push(tokio::spawn(async move {
                sleep.await;
                order.lock().unwrap().push(millis);
            }));
        }
        tokio::task::yield_now().await;
        clock.advance(Duration::from_millis(30));
        tokio::task::yield_now().await;
        assert_eq!(*order.lock().unwrap(), [10, 20, 30]);
        assert_eq!(
            clock.next_deadline(),
            Some(start.plus(Duration::from_millis(40)))
        );
        tasks[3].abort();
        let _ = (&mut tasks[3]).await;
        assert_eq!(clock.sleepers(), 0);
    }

    #[tokio::test]
    async fn a_clock_that_is_set_back_keeps_its_sleepers() {
        let clock = SimClock::default();
        let start = clock.now();
        let sleep = clock.sleep_until(start.plus(Duration::from_millis(5)));
        clock.set(start.minus(Duration::from_secs(60)));
        assert_eq!(clock.sleepers(), 1);
        clock.set(start.plus(Duration::from_millis(5)));
        sleep.await;
    }
}
