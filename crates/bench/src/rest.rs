//! Waiting until this process has nothing left to do: [`come_to_rest`].
//!
//! What must hold: who is measured next does not pay for what another in this process left to be done
//! behind its answers, as a log that sorts does. The wait is bounded; a process that never rests is
//! measured as it is. Processes of others are not looked at.

use std::time::Duration;

use tidemill_model::Clock;
use tidemill_server::clock::SystemClock;

use crate::machine::processor_time;

/// The process is looked at so often.
const LOOK: Duration = Duration::from_millis(200);
/// It is at rest when it has taken no more of a processor meanwhile.
const REST: Duration = Duration::from_millis(20);
/// Longest wait.
const WAIT_MAX: Duration = Duration::from_secs(20);

/// Waits until this process does nothing.
pub async fn come_to_rest() {
    let deadline = SystemClock.now().plus(WAIT_MAX);
    let mut before = processor_time();
    while SystemClock.now() < deadline {
        SystemClock.sleep_until(SystemClock.now().plus(LOOK)).await;
        let now = processor_time();
        match (before, now) {
            (Some(before), Some(now)) if now - before > REST => {}
            // Where the system does not say, there is nothing to wait for.
            _ => return,
        }
        before = now;
    }
}
