//! Enhanced monitoring: which shard-level metrics of a stream are on.
//!
//! Pure. The names are AWS's and stand in the catalog's snapshots: never change one. Source:
//! <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_EnableEnhancedMonitoring.html>.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use tidemill_shapes::kinesis::MetricsName;

/// A metric of single shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ShardLevelMetric {
    IncomingBytes,
    IncomingRecords,
    OutgoingBytes,
    OutgoingRecords,
    WriteProvisionedThroughputExceeded,
    ReadProvisionedThroughputExceeded,
    IteratorAgeMilliseconds,
}

impl ShardLevelMetric {
    /// All of them, in AWS's order.
    pub const ALL: [ShardLevelMetric; 7] = [
        ShardLevelMetric::IncomingBytes,
        ShardLevelMetric::IncomingRecords,
        ShardLevelMetric::OutgoingBytes,
        ShardLevelMetric::OutgoingRecords,
        ShardLevelMetric::WriteProvisionedThroughputExceeded,
        ShardLevelMetric::ReadProvisionedThroughputExceeded,
        ShardLevelMetric::IteratorAgeMilliseconds,
    ];

    fn in_shape(self) -> MetricsName {
        match self {
            ShardLevelMetric::IncomingBytes => MetricsName::IncomingBytes,
            ShardLevelMetric::IncomingRecords => MetricsName::IncomingRecords,
            ShardLevelMetric::OutgoingBytes => MetricsName::OutgoingBytes,
            ShardLevelMetric::OutgoingRecords => MetricsName::OutgoingRecords,
            ShardLevelMetric::WriteProvisionedThroughputExceeded => {
                MetricsName::WriteProvisionedThroughputExceeded
            }
            ShardLevelMetric::ReadProvisionedThroughputExceeded => {
                MetricsName::ReadProvisionedThroughputExceeded
            }
            ShardLevelMetric::IteratorAgeMilliseconds => MetricsName::IteratorAgeMilliseconds,
        }
    }
}

/// The metrics that are on.
pub type Monitored = BTreeSet<ShardLevelMetric>;

/// The metrics that `names` name; `ALL` is each of them.
pub fn read(names: &[MetricsName]) -> Monitored {
    let named = ShardLevelMetric::ALL
        .into_iter()
        .filter(|metric| names.contains(&metric.in_shape()) || names.contains(&MetricsName::All));
    named.collect()
}

/// The metrics in AWS's shape.
pub fn show(monitored: &Monitored) -> Vec<MetricsName> {
    monitored.iter().map(|metric| metric.in_shape()).collect()
}

/// Which of the two operations was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Monitoring {
    /// EnableEnhancedMonitoring.
    Enable,
    /// DisableEnhancedMonitoring.
    Disable,
}

impl Monitoring {
    /// What is on when `metrics` have been switched.
    pub fn apply(self, monitored: &Monitored, metrics: &Monitored) -> Monitored {
        match self {
            Monitoring::Enable => monitored | metrics,
            Monitoring::Disable => monitored - metrics,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_names_each_metric_and_what_is_shown_reads_back() {
        let all = read(&[MetricsName::All]);
        assert_eq!(all.len(), 7);
        assert_eq!(read(&show(&all)), all);
        let some = read(&[MetricsName::OutgoingBytes, MetricsName::IncomingBytes]);
        assert_eq!(
            show(&some),
            [MetricsName::IncomingBytes, MetricsName::OutgoingBytes]
        );
        assert_eq!(Monitoring::Disable.apply(&all, &some).len(), 5);
        assert_eq!(Monitoring::Enable.apply(&some, &all), all);
    }
}
