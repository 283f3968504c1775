//! The list of metrics: every one of this crate with its unit and its meaning.
//!
//! Names and definitions are those of CloudWatch's namespace AWS/Kinesis:
//! <https://docs.aws.amazon.com/streams/latest/dev/monitoring-with-cloudwatch.html>. Where the page
//! does not say what a sample is, (ours) says what it is here. Shown, a name is written the way
//! Prometheus wants it, behind `aws_kinesis_`; ours begin with `tidemill_streams_`. The metrics of queues that the page
//! lists are not here, since queues are not supported.

/// How the samples of a metric are shown besides their sum and their number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// With the highest total of one second within the last minute: limits are per second.
    Amount,
    /// With the highest sample within the last minute.
    Level,
    /// With nothing: a share of calls.
    Share,
}

/// One line of the list.
pub struct Line {
    /// CloudWatch's name.
    pub name: &'static str,
    /// CloudWatch's unit.
    pub unit: &'static str,
    /// What a sample is.
    pub meaning: &'static str,
    /// How it is shown.
    pub shown: Shown,
}

const fn line(name: &'static str, unit: &'static str, shown: Shown, meaning: &'static str) -> Line {
    Line {
        name,
        unit,
        meaning,
        shown,
    }
}

/// The metrics of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamMetric {
    IncomingBytes,
    IncomingRecords,
    PutRecordBytes,
    PutRecordLatency,
    PutRecordSuccess,
    PutRecordsBytes,
    PutRecordsLatency,
    PutRecordsSuccess,
    PutRecordsTotalRecords,
    PutRecordsSuccessfulRecords,
    PutRecordsFailedRecords,
    PutRecordsThrottledRecords,
    PutRecordsRecords,
    GetRecordsBytes,
    GetRecordsRecords,
    GetRecordsLatency,
    GetRecordsSuccess,
    GetRecordsIteratorAgeMilliseconds,
    GetRecordsIteratorAge,
    ReadProvisionedThroughputExceeded,
    WriteProvisionedThroughputExceeded,
}

use StreamMetric as M;

impl StreamMetric {
    /// How many there are.
    pub const COUNT: usize = StreamMetric::ALL.len();

    /// All of them, in the order of their numbers.
    pub const ALL: [StreamMetric; 21] = [
        M::IncomingBytes,
        M::IncomingRecords,
        M::PutRecordBytes,
        M::PutRecordLatency,
        M::PutRecordSuccess,
        M::PutRecordsBytes,
        M::PutRecordsLatency,
        M::PutRecordsSuccess,
        M::PutRecordsTotalRecords,
        M::PutRecordsSuccessfulRecords,
        M::PutRecordsFailedRecords,
        M::PutRecordsThrottledRecords,
        M::PutRecordsRecords,
        M::GetRecordsBytes,
        M::GetRecordsRecords,
        M::GetRecordsLatency,
        M::GetRecordsSuccess,
        M::GetRecordsIteratorAgeMilliseconds,
        M::GetRecordsIteratorAge,
        M::ReadProvisionedThroughputExceeded,
        M::WriteProvisionedThroughputExceeded,
    ];

    /// Its line.
    #[rustfmt::skip]
    pub const fn line(self) -> Line {
        use Shown::{Amount, Level, Share};
        match self {
            M::IncomingBytes => line("IncomingBytes", "Bytes", Amount,
                "bytes stored by one PutRecord or PutRecords call, partition keys included (ours)"),
            M::IncomingRecords => line("IncomingRecords", "Count", Amount,
                "records stored by one PutRecord or PutRecords call"),
            M::PutRecordBytes => line("PutRecord.Bytes", "Bytes", Amount,
                "bytes stored by one PutRecord call"),
            M::PutRecordLatency => line("PutRecord.Latency", "Milliseconds", Level,
                "time one PutRecord call took"),
            M::PutRecordSuccess => line("PutRecord.Success", "Count", Share,
                "1 for a PutRecord call that stored its record, 0 for one that was throttled or failed inside"),
            M::PutRecordsBytes => line("PutRecords.Bytes", "Bytes", Amount,
                "bytes stored by one PutRecords call"),
            M::PutRecordsLatency => line("PutRecords.Latency", "Milliseconds", Level,
                "time one PutRecords call took"),
            M::PutRecordsSuccess => line("PutRecords.Success", "Count", Share,
                "1 for a PutRecords call that stored at least one record, else 0"),
            M::PutRecordsTotalRecords => line("PutRecords.TotalRecords", "Count", Amount,
                "records sent in one PutRecords call"),
            M::PutRecordsSuccessfulRecords => line("PutRecords.SuccessfulRecords", "Count", Amount,
                "records stored by one PutRecords call"),
            M::PutRecordsFailedRecords => line("PutRecords.FailedRecords", "Count", Amount,
                "records of one PutRecords call that failed inside"),
            M::PutRecordsThrottledRecords => line("PutRecords.ThrottledRecords", "Count", Amount,
                "records of one PutRecords call that were throttled"),
            M::PutRecordsRecords => line("PutRecords.Records", "Count", Amount,
                "records stored by one PutRecords call; deprecated by AWS for PutRecords.SuccessfulRecords"),
            M::GetRecordsBytes => line("GetRecords.Bytes", "Bytes", Amount,
                "bytes given out by one GetRecords call"),
            M::GetRecordsRecords => line("GetRecords.Records", "Count", Amount,
                "records given out by one GetRecords call"),
            M::GetRecordsLatency => line("GetRecords.Latency", "Milliseconds", Level,
                "time one GetRecords call took"),
            M::GetRecordsSuccess => line("GetRecords.Success", "Count", Share,
                "1 for a GetRecords call that was answered, 0 for one that was throttled or failed inside"),
            M::GetRecordsIteratorAgeMilliseconds => line("GetRecords.IteratorAgeMilliseconds", "Milliseconds", Level,
                "age of the last record given out by one GetRecords call, 0 when it gave out none (ours)"),
            M::GetRecordsIteratorAge => line("GetRecords.IteratorAge", "Milliseconds", Level,
                "deprecated by AWS for GetRecords.IteratorAgeMilliseconds"),
            M::ReadProvisionedThroughputExceeded => line("ReadProvisionedThroughputExceeded", "Count", Amount,
                "1 for a GetRecords call that was throttled, else 0"),
            M::WriteProvisionedThroughputExceeded => line("WriteProvisionedThroughputExceeded", "Count", Amount,
                "records of one PutRecord or PutRecords call that were throttled"),
        }
    }
}

/// The metrics of a consumer with enhanced fan-out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsumerMetric {
    SubscribeToShardSuccess,
    SubscribeToShardRateExceeded,
    EventBytes,
    EventRecords,
    EventMillisBehindLatest,
    EventSuccess,
}

use ConsumerMetric as C;

impl ConsumerMetric {
    /// How many there are.
    pub const COUNT: usize = ConsumerMetric::ALL.len();

    /// All of them, in the order of their numbers.
    pub const ALL: [ConsumerMetric; 6] = [
        C::SubscribeToShardSuccess,
        C::SubscribeToShardRateExceeded,
        C::EventBytes,
        C::EventRecords,
        C::EventMillisBehindLatest,
        C::EventSuccess,
    ];

    /// Its line.
    #[rustfmt::skip]
    pub const fn line(self) -> Line {
        use Shown::{Amount, Level, Share};
        match self {
            C::SubscribeToShardSuccess => line("SubscribeToShard.Success", "Count", Share,
                "1 for a SubscribeToShard call that began a subscription, 0 for one that found another active"),
            C::SubscribeToShardRateExceeded => line("SubscribeToShard.RateExceeded", "Count", Share,
                "1 for a SubscribeToShard call that found another subscription active or came too soon, else 0"),
            C::EventBytes => line("SubscribeToShardEvent.Bytes", "Bytes", Amount,
                "bytes pushed in one event"),
            C::EventRecords => line("SubscribeToShardEvent.Records", "Count", Amount,
                "records pushed in one event"),
            C::EventMillisBehindLatest => line("SubscribeToShardEvent.MillisBehindLatest", "Milliseconds", Level,
                "how far the records of one event are behind the tip of the shard"),
            C::EventSuccess => line("SubscribeToShardEvent.Success", "Count", Share,
                "1 for an event that the connection took"),
        }
    }
}

/// The metrics of a shard, in the order of [`crate::monitoring::ShardLevelMetric`].
#[rustfmt::skip]
pub const SHARD_LINES: [Line; 7] = [
    line("IncomingBytes", "Bytes", Shown::Amount,
        "bytes stored in the shard by one call, partition keys included (ours)"),
    line("IncomingRecords", "Count", Shown::Amount, "records stored in the shard by one call"),
    line("OutgoingBytes", "Bytes", Shown::Amount, "bytes given out of the shard by one call"),
    line("OutgoingRecords", "Count", Shown::Amount, "records given out of the shard by one call"),
    line("WriteProvisionedThroughputExceeded", "Count", Shown::Amount,
        "records of one call that the shard throttled"),
    line("ReadProvisionedThroughputExceeded", "Count", Shown::Amount,
        "1 for a GetRecords call that the shard throttled, else 0"),
    line("IteratorAgeMilliseconds", "Milliseconds", Shown::Level,
        "age of the last record given out of the shard by one call, 0 when it gave out none (ours)"),
];

/// Ours: how much of its rates a shard has used, in the highest second of the last minute.
pub const SHARD_WRITE_UTILIZATION: (&str, &str) = (
    "tidemill_streams_shard_write_utilization_second_max",
    "Share of a shard's write rate (1 MiB or 1,000 records a second, whichever is nearer) that was \
     stored in the highest second of the last minute; shards that took records in it, the highest first",
);
/// Ours: the same of the busiest shard of each stream.
pub const STREAM_WRITE_UTILIZATION: (&str, &str) = (
    "tidemill_streams_write_utilization_second_max",
    "The highest shard_write_utilization_second_max of the shards of a stream",
);
/// Ours: how many shards are open.
pub const OPEN_SHARDS: (&str, &str) = ("tidemill_streams_open_shards", "Open shards of a stream");
/// Ours: what archiving keeps from being freed.
pub const HELD_RECORDS: (&str, &str) = (
    "tidemill_streams_held_records",
    "Records of an archived stream that have expired and wait for its archiver, at the last sweep",
);
/// Ours: since when.
pub const OLDEST_HELD: (&str, &str) = (
    "tidemill_streams_oldest_held_timestamp_seconds",
    "When the oldest record arrived that has expired and waits for the archiver of its stream, at \
     the last sweep; no row when none does",
);
/// Ours: what the bounds on rows have cut off.
pub const ROWS_LEFT_OUT: (&str, &str) = (
    "tidemill_streams_metric_rows_left_out",
    "Streams and shards that have metrics and are not shown, because there are too many",
);

/// CloudWatch's `name` the way Prometheus writes names: `PutRecords.Bytes` is `put_records_bytes`.
pub fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 8);
    let mut follows_word = false;
    for letter in name.chars() {
        if letter == '.' {
            snake.push('_');
            follows_word = false;
            continue;
        }
        if letter.is_ascii_uppercase() && follows_word {
            snake.push('_');
        }
        follows_word = letter.is_ascii_lowercase();
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::monitoring::ShardLevelMetric;

    #[test]
    fn names_are_written_as_prometheus_wants_them() {
        let cases = [
            ("IncomingBytes", "incoming_bytes"),
            ("PutRecords.TotalRecords", "put_records_total_records"),
            (
                "GetRecords.IteratorAgeMilliseconds",
                "get_records_iterator_age_milliseconds",
            ),
        ];
        for (name, snake) in cases {
            assert_eq!(snake_case(name), snake);
        }
    }

    #[test]
    fn every_metric_has_its_place_and_a_name_of_its_own() {
        let names = StreamMetric::ALL.map(|metric| snake_case(metric.line().name));
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
        for (place, metric) in StreamMetric::ALL.into_iter().enumerate() {
            assert_eq!(metric as usize, place);
        }
        for (place, metric) in ConsumerMetric::ALL.into_iter().enumerate() {
            assert_eq!(metric as usize, place);
        }
        for (line, metric) in SHARD_LINES.iter().zip(ShardLevelMetric::ALL) {
            assert_eq!(line.name, format!("{metric:?}"));
        }
    }
}
