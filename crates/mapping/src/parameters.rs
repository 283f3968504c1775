//! What a mapping is set to: [`Parameters`], and [`Changes`] to it.
//!
//! What must hold: values are kept as AWS spells them (-1 for no limit), within AWS's bounds; a change
//! that names nothing changes nothing. The field names are persisted.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use tidemill_model::FunctionArn;

use crate::limits::BATCH_SIZE_DEFAULT;
use crate::retry::Policy;

/// What a mapping is set to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameters {
    /// `BatchSize`, 1 to 10,000.
    pub batch_size: u32,
    /// `MaximumBatchingWindowInSeconds`, 0 to 300.
    pub batching_window_secs: u32,
    /// `MaximumRecordAgeInSeconds`; -1 for no limit.
    pub record_age_secs_max: i32,
    /// `MaximumRetryAttempts`; -1 for no limit.
    pub retries_max: i32,
    /// `BisectBatchOnFunctionError`.
    pub bisect: bool,
    /// Whether `FunctionResponseTypes` has `ReportBatchItemFailures`.
    pub report_item_failures: bool,
    /// `DestinationConfig.OnFailure.Destination`; empty for none.
    pub destination: String,
}

impl Default for Parameters {
    fn default() -> Parameters {
        Parameters {
            batch_size: BATCH_SIZE_DEFAULT,
            batching_window_secs: 0,
            record_age_secs_max: -1,
            retries_max: -1,
            bisect: false,
            report_item_failures: false,
            destination: String::new(),
        }
    }
}

impl Parameters {
    /// How failures are treated.
    pub fn policy(&self) -> Policy {
        Policy {
            retries_max: u32::try_from(self.retries_max).ok(),
            bisect: self.bisect,
        }
    }

    /// Greatest age of a record; none for no limit.
    pub fn record_age_max(&self) -> Option<Duration> {
        u64::try_from(self.record_age_secs_max)
            .ok()
            .map(Duration::from_secs)
    }

    /// What is told of a batch that was given up.
    pub fn destination(&self) -> Option<&str> {
        (!self.destination.is_empty()).then_some(self.destination.as_str())
    }
}

/// What an update changes; none where it leaves things as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// The function, and the role it runs as.
    pub function: Option<(FunctionArn, String)>,
    /// Whether the mapping works.
    pub enabled: Option<bool>,
    /// See [`Parameters`], as are the others.
    pub batch_size: Option<u32>,
    /// `MaximumBatchingWindowInSeconds`.
    pub batching_window_secs: Option<u32>,
    /// `MaximumRecordAgeInSeconds`.
    pub record_age_secs_max: Option<i32>,
    /// `MaximumRetryAttempts`.
    pub retries_max: Option<i32>,
    /// `BisectBatchOnFunctionError`.
    pub bisect: Option<bool>,
    /// Whether `FunctionResponseTypes` has `ReportBatchItemFailures`.
    pub report_item_failures: Option<bool>,
    /// The destination; empty to have none any more.
    pub destination: Option<String>,
}

impl Changes {
    /// Makes the changes that concern `parameters`.
    pub fn apply_to(&self, parameters: &mut Parameters) {
        fn set<T: Clone>(target: &mut T, change: &Option<T>) {
            if let Some(value) = change {
                *target = value.clone();
            }
        }
        set(&mut parameters.batch_size, &self.batch_size);
        set(
            &mut parameters.batching_window_secs,
            &self.batching_window_secs,
        );
        set(
            &mut parameters.record_age_secs_max,
            &self.record_age_secs_max,
        );
        set(&mut parameters.retries_max, &self.retries_max);
        set(&mut parameters.bisect, &self.bisect);
        set(
            &mut parameters.report_item_failures,
            &self.report_item_failures,
        );
        set(&mut parameters.destination, &self.destination);
    }
}
