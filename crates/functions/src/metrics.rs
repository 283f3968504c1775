//! Every metric of this crate and its meaning: [`Metric`], counted in [`Metrics`].
//!
//! Counted since the start of the process; whoever shows them reads them all through [`Metrics::all`].

use std::sync::atomic::{AtomicU64, Ordering};

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
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

impl Metric {
    /// All of them.
    pub const ALL: [Metric; 7] = [
        Metric::Invocations,
        Metric::Errors,
        Metric::Throttles,
        Metric::ServiceFailures,
        Metric::EnvironmentsStarted,
        Metric::AsyncQueued,
        Metric::AsyncDiscarded,
    ];

    /// The counter's name, as a metric.
    pub fn name(self) -> &'static str {
        match self {
            Metric::Invocations => "tidemill_functions_invocations_total",
            Metric::Errors => "tidemill_functions_errors_total",
            Metric::Throttles => "tidemill_functions_throttles_total",
            Metric::ServiceFailures => "tidemill_functions_service_failures_total",
            Metric::EnvironmentsStarted => "tidemill_functions_environments_started_total",
            Metric::AsyncQueued => "tidemill_functions_async_queued_total",
            Metric::AsyncDiscarded => "tidemill_functions_async_discarded_total",
        }
    }

    /// What it means.
    pub fn meaning(self) -> &'static str {
        match self {
            Metric::Invocations => "Attempts to run a function, of every kind",
            Metric::Errors => "Invocations that the function failed",
            Metric::Throttles => "Invocations refused because the ceiling was reached",
            Metric::ServiceFailures => "Invocations that failed through the service",
            Metric::EnvironmentsStarted => "Environments that were made",
            Metric::AsyncQueued => "Asynchronous invocations that were queued",
            Metric::AsyncDiscarded => "Asynchronous invocations that were given up",
        }
    }
}

/// The metrics.
#[derive(Debug, Default)]
pub struct Metrics {
    counts: [AtomicU64; Metric::ALL.len()],
}

impl Metrics {
    pub(crate) fn add(&self, counted: Metric) {
        self.counts[counted as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// How often `counted` has happened.
    pub fn get(&self, counted: Metric) -> u64 {
        self.counts[counted as usize].load(Ordering::Relaxed)
    }

    /// Name, meaning and value of each.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> + '_ {
        Metric::ALL
            .into_iter()
            .map(|counted| (counted.name(), counted.meaning(), self.get(counted)))
    }
}
