//! Every counter of this crate and its meaning: [`Counted`], [`Counters`].
//!
//! Counted since the start of the process; whoever shows them reads them all through [`Counters::all`].

use std::sync::atomic::{AtomicU64, Ordering};

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// Attempts to run a function, of every kind.
    Invocations,
    /// Invocations that the function failed.
    Errors,
    /// Invocations refused because the ceiling was reached.
    Throttles,
    /// Invocations that failed through us.
    ServiceFailures,
    /// Environments that were made.
    EnvironmentsStarted,
    /// Asynchronous invocations that were queued.
    AsyncQueued,
    /// Asynchronous invocations that were given up.
    AsyncDiscarded,
}

impl Counted {
    /// All of them.
    pub const ALL: [Counted; 7] = [
        Counted::Invocations,
        Counted::Errors,
        Counted::Throttles,
        Counted::ServiceFailures,
        Counted::EnvironmentsStarted,
        Counted::AsyncQueued,
        Counted::AsyncDiscarded,
    ];

    /// The counter's name, as a metric.
    pub fn name(self) -> &'static str {
        match self {
            Counted::Invocations => "tidemill_functions_invocations_total",
            Counted::Errors => "tidemill_functions_errors_total",
            Counted::Throttles => "tidemill_functions_throttles_total",
            Counted::ServiceFailures => "tidemill_functions_service_failures_total",
            Counted::EnvironmentsStarted => "tidemill_functions_environments_started_total",
            Counted::AsyncQueued => "tidemill_functions_async_queued_total",
            Counted::AsyncDiscarded => "tidemill_functions_async_discarded_total",
        }
    }
}

/// The counters.
#[derive(Debug, Default)]
pub struct Counters {
    counts: [AtomicU64; Counted::ALL.len()],
}

impl Counters {
    pub(crate) fn add(&self, counted: Counted) {
        self.counts[counted as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// How often `counted` has happened.
    pub fn get(&self, counted: Counted) -> u64 {
        self.counts[counted as usize].load(Ordering::Relaxed)
    }

    /// Name and value of each.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        Counted::ALL
            .into_iter()
            .map(|counted| (counted.name(), self.get(counted)))
    }
}
