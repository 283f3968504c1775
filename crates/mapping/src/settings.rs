//! How mappings behave that AWS does not let its users set: [`Settings`].
//!
//! What must hold: the defaults are those of the pace. AWS documents no backoff between attempts; the
//! slower one fits the attempts that were counted against it within a minute.

use std::time::Duration;

use crate::limits::AWS_POLL_INTERVAL;
use crate::retry::Backoff;

/// Whether delays that AWS has and nobody wants are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// They are not: a shard is read as soon as it has a record.
    Fast,
    /// They are: an idle shard is read once in a second.
    Aws,
}

/// How mappings behave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How often an idle shard is read; none to be woken by the stream.
    pub poll_interval: Option<Duration>,
    /// The pauses between attempts on a batch, deliveries of a message, and reads that fail.
    pub backoff: Backoff,
    /// How long a mapping is `Creating`, `Updating` and so on.
    pub state_delay: Duration,
    /// How long a shutdown waits for invocations that run; what is abandoned is delivered again.
    pub shutdown_grace: Duration,
}

impl Settings {
    /// The defaults of `pace`.
    pub fn with_pace(pace: Pace) -> Settings {
        let millis = Duration::from_millis;
        let (poll_interval, backoff) = match pace {
            Pace::Fast => (
                None,
                Backoff {
                    base: millis(20),
                    cap: millis(1_000),
                },
            ),
            Pace::Aws => (
                Some(AWS_POLL_INTERVAL),
                Backoff {
                    base: millis(500),
                    cap: millis(60_000),
                },
            ),
        };
        Settings {
            poll_interval,
            backoff,
            state_delay: Duration::ZERO,
            shutdown_grace: Duration::from_secs(5),
        }
    }
}
