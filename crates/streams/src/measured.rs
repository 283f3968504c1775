//! What has been measured of streams and shards: [`Measured`].
//!
//! Pure: told what each call did and when. What must hold: each call adds one sample to each metric it
//! concerns; a shard that is idle and not monitored costs nothing after [`Measured::forget`]. The
//! shard-level metrics of AWS are counted while monitoring is on; what the scaling of on-demand streams
//! and our utilization need is counted always.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tidemill_model::Timestamp;

use crate::metrics::{ConsumerMetric, Line, Shown, StreamMetric};
use crate::monitoring::ShardLevelMetric;
use crate::series::Series;

/// Bytes and records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    pub bytes: u64,
    pub records: u64,
}

impl Amount {
    /// Adds one record of `bytes`.
    pub fn add_record(&mut self, bytes: u64) {
        self.bytes += bytes;
        self.records += 1;
    }
}

/// The stream that a call was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Its incarnation.
    pub stream: u64,
    /// Whether shard-level metrics are on.
    pub is_monitored: bool,
}

/// Which operation stored records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutOperation {
    PutRecord,
    PutRecords,
}

/// What became of one call that stores records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PutOutcome {
    /// What each shard stored, by the numbers of their partitions.
    pub stored: BTreeMap<u64, Amount>,
    /// How many records each shard throttled.
    pub throttled: BTreeMap<u64, u64>,
    /// How many records failed inside.
    pub failed: u64,
}

/// What became of one GetRecords call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GetOutcome {
    /// It was answered.
    Answered { given: Amount, age: Duration },
    /// It was throttled.
    Throttled,
    /// It failed inside.
    Failed,
}

/// An event of a subscription that the connection took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// The incarnation of the consumer.
    pub consumer: u64,
    /// The partition of the shard.
    pub partition: u64,
    /// What the event held.
    pub given: Amount,
    /// The age of its last record.
    pub age: Duration,
    /// How far it is behind the tip.
    pub behind: Duration,
}

type ShardLevel = [Series; ShardLevelMetric::ALL.len()];

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct ShardSeries {
    bytes: Series,
    records: Series,
    monitored: Option<Box<ShardLevel>>,
}

impl ShardSeries {
    fn is_idle(&self, now: Timestamp) -> bool {
        self.monitored.is_none() && self.bytes.is_idle(now) && self.records.is_idle(now)
    }
}

/// What a stream stored in each minute of the last hour that had anything stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Minutes(VecDeque<(u64, Amount)>);

impl Minutes {
    fn add(&mut self, stored: Amount, now: Timestamp) {
        let minute = now.as_secs() / 60;
        self.0
            .retain(|(past, _)| *past <= minute && minute - past <= MINUTES_KEPT);
        if self.0.back().is_none_or(|(last, _)| *last < minute) {
            self.0.push_back((minute, Amount::default()));
        }
        let (_, amount) = self.0.back_mut().expect("one was just pushed");
        amount.bytes += stored.bytes;
        amount.records += stored.records;
    }

    /// The highest minute, of bytes and of records each for themselves.
    fn highest(&self, now: Timestamp) -> Amount {
        let minute = now.as_secs() / 60;
        let recent = self
            .0
            .iter()
            .filter(|(past, _)| minute.saturating_sub(*past) <= MINUTES_KEPT);
        recent.fold(Amount::default(), |highest, (_, amount)| Amount {
            bytes: highest.bytes.max(amount.bytes),
            records: highest.records.max(amount.records),
        })
    }
}

/// Minutes that are looked back on besides the current one.
const MINUTES_KEPT: u64 = 60;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct StreamSeries {
    series: [Series; StreamMetric::COUNT],
    minutes: Minutes,
}

/// All that has been measured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    /// By incarnation.
    streams: BTreeMap<u64, Box<StreamSeries>>,
    /// By the incarnation of the consumer.
    consumers: BTreeMap<u64, Box<[Series; ConsumerMetric::COUNT]>>,
    /// By the number of the partition.
    shards: BTreeMap<u64, ShardSeries>,
}

impl Measured {
    /// Counts a call of `operation`.
    pub fn put(
        &mut self,
        subject: Subject,
        operation: PutOperation,
        outcome: &PutOutcome,
        latency: Duration,
        now: Timestamp,
    ) {
        let mut stored = Amount::default();
        for (partition, amount) in &outcome.stored {
            stored.bytes += amount.bytes;
            stored.records += amount.records;
            self.shard_put(subject, *partition, *amount, now);
        }
        if subject.is_monitored {
            self.shards_throttled(subject, outcome, now);
        }
        let throttled = outcome.throttled.values().sum::<u64>();
        let stream = self.streams.entry(subject.stream).or_default();
        stream.minutes.add(stored, now);
        let mut add = |metric: StreamMetric, value| {
            let series = &mut stream.series[metric as usize];
            sample(series, &metric.line(), value, now);
        };
        if stored.records > 0 {
            add(StreamMetric::IncomingBytes, stored.bytes);
            add(StreamMetric::IncomingRecords, stored.records);
        }
        add(StreamMetric::WriteProvisionedThroughputExceeded, throttled);
        let success = u64::from(stored.records > 0);
        match operation {
            PutOperation::PutRecord => {
                add(StreamMetric::PutRecordSuccess, success);
                add(StreamMetric::PutRecordLatency, millis(latency));
                if success == 1 {
                    add(StreamMetric::PutRecordBytes, stored.bytes);
                }
            }
            PutOperation::PutRecords => {
                add(StreamMetric::PutRecordsSuccess, success);
                add(StreamMetric::PutRecordsLatency, millis(latency));
                if success == 1 {
                    add(StreamMetric::PutRecordsBytes, stored.bytes);
                }
                let total = stored.records + throttled + outcome.failed;
                add(StreamMetric::PutRecordsTotalRecords, total);
                add(StreamMetric::PutRecordsSuccessfulRecords, stored.records);
                add(StreamMetric::PutRecordsRecords, stored.records);
                add(StreamMetric::PutRecordsThrottledRecords, throttled);
                add(StreamMetric::PutRecordsFailedRecords, outcome.failed);
            }
        }
    }

    fn shard_put(&mut self, subject: Subject, partition: u64, amount: Amount, now: Timestamp) {
        let shard = self.shards.entry(partition).or_default();
        shard.bytes.add(amount.bytes, now);
        shard.records.add(amount.records, now);
        let pairs = [
            (ShardLevelMetric::IncomingBytes, amount.bytes),
            (ShardLevelMetric::IncomingRecords, amount.records),
        ];
        for (metric, value) in pairs {
            self.monitor(subject, partition, metric, value, now);
        }
    }

    /// One sample for each shard that the call concerned, also when the shard took some records and throttled others.
    fn shards_throttled(&mut self, subject: Subject, outcome: &PutOutcome, now: Timestamp) {
        let metric = ShardLevelMetric::WriteProvisionedThroughputExceeded;
        let mut samples: BTreeMap<u64, u64> = outcome
            .stored
            .keys()
            .map(|partition| (*partition, 0))
            .collect();
        samples.extend(&outcome.throttled);
        for (partition, throttled) in samples {
            self.monitor(subject, partition, metric, throttled, now);
        }
    }

    /// Counts a GetRecords call.
    pub fn get(
        &mut self,
        subject: Subject,
        partition: u64,
        outcome: GetOutcome,
        latency: Duration,
        now: Timestamp,
    ) {
        let stream = self.streams.entry(subject.stream).or_default();
        let mut add = |metric: StreamMetric, value| {
            let series = &mut stream.series[metric as usize];
            sample(series, &metric.line(), value, now);
        };
        let throttled = u64::from(outcome == GetOutcome::Throttled);
        add(StreamMetric::ReadProvisionedThroughputExceeded, throttled);
        add(StreamMetric::GetRecordsLatency, millis(latency));
        let answered = matches!(outcome, GetOutcome::Answered { .. });
        add(StreamMetric::GetRecordsSuccess, u64::from(answered));
        if let GetOutcome::Answered { given, age } = outcome {
            add(StreamMetric::GetRecordsBytes, given.bytes);
            add(StreamMetric::GetRecordsRecords, given.records);
            let metric = StreamMetric::GetRecordsIteratorAgeMilliseconds;
            add(metric, millis(age));
            add(StreamMetric::GetRecordsIteratorAge, millis(age));
            self.shard_gave(subject, partition, given, age, now);
        }
        let metric = ShardLevelMetric::ReadProvisionedThroughputExceeded;
        self.monitor(subject, partition, metric, throttled, now);
    }

    fn shard_gave(
        &mut self,
        subject: Subject,
        partition: u64,
        given: Amount,
        age: Duration,
        now: Timestamp,
    ) {
        let pairs = [
            (ShardLevelMetric::OutgoingBytes, given.bytes),
            (ShardLevelMetric::OutgoingRecords, given.records),
            (ShardLevelMetric::IteratorAgeMilliseconds, millis(age)),
        ];
        for (metric, value) in pairs {
            self.monitor(subject, partition, metric, value, now);
        }
    }

    /// Counts a SubscribeToShard call: one that began a subscription, or one that found another active
    /// or came too soon.
    pub fn subscribed(&mut self, consumer: u64, has_begun: bool, now: Timestamp) {
        let series = self.consumers.entry(consumer).or_default();
        let pairs = [
            (ConsumerMetric::SubscribeToShardSuccess, has_begun),
            (ConsumerMetric::SubscribeToShardRateExceeded, !has_begun),
        ];
        for (metric, is_so) in pairs {
            let series = &mut series[metric as usize];
            sample(series, &metric.line(), u64::from(is_so), now);
        }
    }

    /// Counts an event of a subscription.
    pub fn pushed(&mut self, subject: Subject, pushed: Pushed, now: Timestamp) {
        let series = self.consumers.entry(pushed.consumer).or_default();
        let behind = millis(pushed.behind);
        let pairs = [
            (ConsumerMetric::EventBytes, pushed.given.bytes),
            (ConsumerMetric::EventRecords, pushed.given.records),
            (ConsumerMetric::EventMillisBehindLatest, behind),
            (ConsumerMetric::EventSuccess, 1),
        ];
        for (metric, value) in pairs {
            sample(&mut series[metric as usize], &metric.line(), value, now);
        }
        let (given, age) = (pushed.given, pushed.age);
        self.shard_gave(subject, pushed.partition, given, age, now);
    }

    fn monitor(
        &mut self,
        subject: Subject,
        partition: u64,
        metric: ShardLevelMetric,
        value: u64,
        now: Timestamp,
    ) {
        if !subject.is_monitored {
            return;
        }
        let shard = self.shards.entry(partition).or_default();
        let series = &mut shard.monitored.get_or_insert_default()[metric as usize];
        match metric {
            ShardLevelMetric::IteratorAgeMilliseconds => series.observe(value, now),
            ShardLevelMetric::IncomingBytes
            | ShardLevelMetric::IncomingRecords
            | ShardLevelMetric::OutgoingBytes
            | ShardLevelMetric::OutgoingRecords
            | ShardLevelMetric::WriteProvisionedThroughputExceeded
            | ShardLevelMetric::ReadProvisionedThroughputExceeded => series.add(value, now),
        }
    }

    /// A metric of a stream.
    pub fn stream(&self, stream: u64, metric: StreamMetric) -> Option<&Series> {
        Some(&self.streams.get(&stream)?.series[metric as usize])
    }

    /// A metric of a consumer.
    pub fn consumer(&self, consumer: u64, metric: ConsumerMetric) -> Option<&Series> {
        Some(&self.consumers.get(&consumer)?[metric as usize])
    }

    /// A shard-level metric.
    pub fn shard(&self, partition: u64, metric: ShardLevelMetric) -> Option<&Series> {
        let monitored = self.shards.get(&partition)?.monitored.as_ref()?;
        Some(&monitored[metric as usize])
    }

    /// What a stream stored in the highest minute of the last hour.
    pub fn highest_minute(&self, stream: u64, now: Timestamp) -> Amount {
        let stream = self.streams.get(&stream);
        stream.map_or(Amount::default(), |stream| stream.minutes.highest(now))
    }

    /// What a shard stored in the last minute.
    pub fn last_minute(&self, partition: u64, now: Timestamp) -> Amount {
        let shard = self.shards.get(&partition);
        shard.map_or(Amount::default(), |shard| Amount {
            bytes: shard.bytes.last_minute(now),
            records: shard.records.last_minute(now),
        })
    }

    /// What a shard stored in the highest second of the last minute, bytes and records each for
    /// themselves; none for a shard that stored nothing.
    pub fn highest_second(&self, partition: u64, now: Timestamp) -> Option<Amount> {
        let shard = self.shards.get(&partition)?;
        let highest = Amount {
            bytes: shard.bytes.highest_second(now),
            records: shard.records.highest_second(now),
        };
        (highest.records > 0).then_some(highest)
    }

    /// Forgets what is gone, what is idle, and the shard-level metrics of shards that are not monitored
    /// any more. `is_kept` says it of the incarnations of streams and consumers; `shard` of a partition,
    /// and then whether it is monitored.
    pub fn forget(
        &mut self,
        now: Timestamp,
        is_kept: impl Fn(u64) -> bool,
        shard: impl Fn(u64) -> Option<bool>,
    ) {
        self.streams.retain(|stream, _| is_kept(*stream));
        self.consumers.retain(|consumer, _| is_kept(*consumer));
        for series in self.consumers.values_mut().flat_map(|one| one.iter_mut()) {
            series.forget(now);
        }
        for series in self
            .streams
            .values_mut()
            .flat_map(|stream| stream.series.iter_mut())
        {
            series.forget(now);
        }
        self.shards.retain(|partition, series| {
            let Some(is_monitored) = shard(*partition) else {
                return false;
            };
            if !is_monitored {
                series.monitored = None;
            }
            for series in series
                .monitored
                .iter_mut()
                .flat_map(|series| series.iter_mut())
            {
                series.forget(now);
            }
            series.bytes.forget(now);
            series.records.forget(now);
            !series.is_idle(now)
        });
    }
}

fn sample(series: &mut Series, line: &Line, value: u64, now: Timestamp) {
    match line.shown {
        Shown::Amount => series.add(value, now),
        Shown::Level => series.observe(value, now),
        Shown::Share => series.count(value),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_secs(1_000_000 + secs)
    }

    fn subject(is_monitored: bool) -> Subject {
        Subject {
            stream: 7,
            is_monitored,
        }
    }

    fn stored(partition: u64, bytes: u64, records: u64) -> PutOutcome {
        PutOutcome {
            stored: BTreeMap::from([(partition, Amount { bytes, records })]),
            ..PutOutcome::default()
        }
    }

    fn sums(measured: &Measured, metric: StreamMetric) -> (u64, u64) {
        let series = measured.stream(7, metric).expect("measured");
        (series.sum(), series.samples())
    }

    #[test]
    fn a_call_is_one_sample_and_what_failed_is_no_success() {
        let mut measured = Measured::default();
        let latency = Duration::from_millis(4);
        let partly = PutOutcome {
            throttled: BTreeMap::from([(0, 2), (1, 1)]),
            failed: 0,
            ..stored(0, 300, 3)
        };
        let failed = PutOutcome {
            failed: 5,
            ..PutOutcome::default()
        };
        for outcome in [&partly, &failed] {
            let operation = PutOperation::PutRecords;
            measured.put(subject(false), operation, outcome, latency, at(0));
        }
        let cases = [
            (StreamMetric::IncomingBytes, (300, 1)),
            (StreamMetric::IncomingRecords, (3, 1)),
            (StreamMetric::PutRecordsBytes, (300, 1)),
            (StreamMetric::PutRecordsSuccess, (1, 2)),
            (StreamMetric::PutRecordsLatency, (8, 2)),
            (StreamMetric::PutRecordsTotalRecords, (11, 2)),
            (StreamMetric::PutRecordsSuccessfulRecords, (3, 2)),
            (StreamMetric::PutRecordsRecords, (3, 2)),
            (StreamMetric::PutRecordsThrottledRecords, (3, 2)),
            (StreamMetric::PutRecordsFailedRecords, (5, 2)),
            (StreamMetric::WriteProvisionedThroughputExceeded, (3, 2)),
            (StreamMetric::PutRecordSuccess, (0, 0)),
        ];
        for (metric, expected) in cases {
            assert_eq!(sums(&measured, metric), expected, "{metric:?}");
        }
    }

    #[test]
    fn a_throttled_read_is_counted_and_no_success() {
        let mut measured = Measured::default();
        let given = Amount {
            bytes: 10,
            records: 2,
        };
        let age = Duration::from_millis(1500);
        let outcomes = [
            GetOutcome::Answered { given, age },
            GetOutcome::Throttled,
            GetOutcome::Failed,
        ];
        for outcome in outcomes {
            measured.get(subject(true), 3, outcome, Duration::ZERO, at(0));
        }
        let cases = [
            (StreamMetric::GetRecordsBytes, (10, 1)),
            (StreamMetric::GetRecordsRecords, (2, 1)),
            (StreamMetric::GetRecordsSuccess, (1, 3)),
            (StreamMetric::GetRecordsIteratorAgeMilliseconds, (1500, 1)),
            (StreamMetric::ReadProvisionedThroughputExceeded, (1, 3)),
        ];
        for (metric, expected) in cases {
            assert_eq!(sums(&measured, metric), expected, "{metric:?}");
        }
        let metric = ShardLevelMetric::OutgoingRecords;
        assert_eq!(measured.shard(3, metric).map(Series::sum), Some(2));
    }

    #[test]
    fn shard_level_metrics_are_counted_while_they_are_on() {
        let mut measured = Measured::default();
        let metric = ShardLevelMetric::IncomingBytes;
        for is_monitored in [false, true, false] {
            let operation = PutOperation::PutRecord;
            let outcome = stored(3, 100, 1);
            measured.put(
                subject(is_monitored),
                operation,
                &outcome,
                Duration::ZERO,
                at(0),
            );
        }
        assert_eq!(measured.shard(3, metric).map(Series::sum), Some(100));
        measured.forget(at(0), |_| true, |_| Some(false));
        assert_eq!(measured.shard(3, metric), None);
        assert_eq!(measured.last_minute(3, at(1)).bytes, 300);
    }

    #[test]
    fn a_call_is_one_sample_of_a_shard_that_takes_it_in_part() {
        let mut measured = Measured::default();
        let partly = PutOutcome {
            throttled: BTreeMap::from([(3, 2), (4, 1)]),
            ..stored(3, 300, 3)
        };
        for outcome in [partly, stored(3, 100, 1)] {
            let operation = PutOperation::PutRecords;
            measured.put(subject(true), operation, &outcome, Duration::ZERO, at(0));
        }
        let metric = ShardLevelMetric::WriteProvisionedThroughputExceeded;
        let counted = |partition| {
            let series = measured.shard(partition, metric).expect("monitored");
            (series.sum(), series.samples())
        };
        assert_eq!((counted(3), counted(4)), ((2, 2), (1, 1)));
    }

    #[test]
    fn what_is_pushed_is_counted_for_the_consumer_and_the_shard() {
        let mut measured = Measured::default();
        measured.subscribed(9, true, at(0));
        measured.subscribed(9, false, at(0));
        let pushed = Pushed {
            consumer: 9,
            partition: 3,
            given: Amount {
                bytes: 10,
                records: 2,
            },
            age: Duration::from_millis(7),
            behind: Duration::from_millis(70),
        };
        measured.pushed(subject(true), pushed, at(0));
        let cases = [
            (ConsumerMetric::SubscribeToShardSuccess, (1, 2)),
            (ConsumerMetric::SubscribeToShardRateExceeded, (1, 2)),
            (ConsumerMetric::EventBytes, (10, 1)),
            (ConsumerMetric::EventRecords, (2, 1)),
            (ConsumerMetric::EventMillisBehindLatest, (70, 1)),
            (ConsumerMetric::EventSuccess, (1, 1)),
        ];
        for (metric, expected) in cases {
            let series = measured.consumer(9, metric).expect("measured");
            assert_eq!((series.sum(), series.samples()), expected, "{metric:?}");
        }
        let metric = ShardLevelMetric::IteratorAgeMilliseconds;
        assert_eq!(measured.shard(3, metric).map(Series::sum), Some(7));
    }

    #[test]
    fn what_is_idle_or_gone_is_forgotten() {
        let mut measured = Measured::default();
        for partition in [1, 2, 3] {
            let operation = PutOperation::PutRecord;
            let outcome = stored(partition, 10, 1);
            let monitored = subject(partition == 3);
            measured.put(monitored, operation, &outcome, Duration::ZERO, at(0));
        }
        let monitored = |partition: u64| (partition != 1).then_some(partition == 3);
        measured.forget(at(30), |_| true, monitored);
        assert_eq!(measured.shards.keys().copied().collect::<Vec<_>>(), [2, 3]);
        measured.forget(at(61), |_| true, monitored);
        assert_eq!(measured.shards.keys().copied().collect::<Vec<_>>(), [3]);
        assert_eq!(sums(&measured, StreamMetric::IncomingBytes), (30, 3));
        measured.forget(at(61), |_| false, |_| None);
        assert_eq!(measured, Measured::default());
    }
}
