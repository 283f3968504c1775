//! The real clock: the door through which the machine's time comes in.
//!
//! What must hold: nothing else in the program asks the system for the time or sleeps. A sleeper
//! looks at the clock again when its time has passed, so a clock that was set back makes it sleep on.

#![expect(
    clippy::disallowed_methods,
    reason = "this file is the door that the rest of the program is sent to"
)]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tidemill_model::{BoxFuture, Clock, Timestamp};

/// Longest uninterrupted sleep: how late a sleeper notices that the clock was set forward.
const SLEEP_MAX: Duration = Duration::from_secs(60);

/// The clock of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        // A clock before 1970 reads as the epoch; the log clamps what goes backwards.
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    fn sleep_until(&self, deadline: Timestamp) -> BoxFuture<'static, ()> {
        let clock = *self;
        Box::pin(async move {
            loop {
                let left = deadline.since(clock.now());
                if left.is_zero() {
                    return;
                }
                tokio::time::sleep(left.min(SLEEP_MAX)).await;
            }
        })
    }
}
