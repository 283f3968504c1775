//! Time and chance for programs that stand outside a server: [`SystemClock`], [`SystemEntropy`] and
//! [`Stopwatch`].
//!
//! What must hold: only this file of the crate reads the machine's clocks. A stopwatch is monotonic
//! and is for measuring; the clock is the wall's and is for dates, waits and deadlines.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tidemill_model::{BoxFuture, Clock, Entropy, Timestamp};

/// The machine's wall clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the door to time of a client program"
    )]
    fn now(&self) -> Timestamp {
        let elapsed = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp::from_millis(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX))
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the door to time of a client program"
    )]
    fn sleep_until(&self, deadline: Timestamp) -> BoxFuture<'static, ()> {
        let clock = *self;
        Box::pin(async move {
            // Again, when the wall clock was set back meanwhile.
            while clock.now() < deadline {
                tokio::time::sleep(deadline.since(clock.now())).await;
            }
        })
    }
}

/// The machine's source of chance.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    #[expect(
        clippy::disallowed_methods,
        reason = "the door to chance of a client program"
    )]
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the system gives random bytes once it has booted");
    }
}

/// Measures how long something took.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts to measure.
    #[expect(
        clippy::disallowed_methods,
        reason = "a benchmark measures monotonic time"
    )]
    pub fn start() -> Stopwatch {
        Stopwatch(Instant::now())
    }

    /// Time since the start.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}
