//! The metrics as they are shown: [`Streams::metrics`].
//!
//! What must hold: a stream that is there and has been called has a row in every stream-level metric;
//! a shard has rows in the shard-level metrics that are on for it; the number of rows has a bound, and
//! what it cuts off is told. The rows are made without any lock but for the copy.

use std::collections::BTreeMap;

use tidemill_model::metric::{Family, Kind};
use tidemill_model::{ShardId, StreamArn, Timestamp};

use crate::limits::{METRIC_SHARDS_MAX, METRIC_STREAMS_MAX, WRITE_BYTES_PER_SECOND, WRITE_RECORDS};
use crate::measured::{Amount, Measured};
use crate::metrics::{
    ConsumerMetric, HELD_RECORDS, Line, OLDEST_HELD, OPEN_SHARDS, ROWS_LEFT_OUT, SHARD_LINES,
    SHARD_WRITE_UTILIZATION, STREAM_WRITE_UTILIZATION, Shown, StreamMetric, snake_case,
};
use crate::monitoring::{Monitored, ShardLevelMetric};
use crate::series::Series;
use crate::stream::Stream;
use crate::streams::Streams;

type Labels = Vec<(&'static str, String)>;

/// A stream as the metrics need it.
struct Seen {
    labels: Labels,
    incarnation: u64,
    monitored: Monitored,
    open_shards: u32,
    /// Names and incarnations of its consumers.
    consumers: Vec<(String, u64)>,
    /// Shards that have not expired, by the numbers of their partitions.
    shards: BTreeMap<u64, ShardId>,
}

impl Seen {
    fn new(stream: &Stream, now: Timestamp) -> Seen {
        let shards = stream.listed(now).map(|(id, shard)| (shard.partition, id));
        let consumers = stream.consumers(now);
        let consumers = consumers.map(|found| (found.arn.name, found.incarnation));
        Seen {
            labels: labels(&stream.arn),
            incarnation: stream.incarnation,
            monitored: stream.monitored.clone(),
            open_shards: stream.open_shards(),
            consumers: consumers.collect(),
            shards: shards.collect(),
        }
    }

    fn shard_labels(&self, shard: ShardId) -> Labels {
        let mut labels = self.labels.clone();
        labels.push(("shard_id", shard.to_string()));
        labels
    }
}

fn labels(arn: &StreamArn) -> Labels {
    vec![
        ("account_id", arn.account.to_string()),
        ("region", arn.region.to_string()),
        ("stream_name", arn.name.clone()),
    ]
}

impl Streams {
    /// Every metric of this crate.
    pub fn metrics(&self) -> Vec<Family> {
        let (seen, left_out) = self.catalog(|catalog, now| {
            let mut streams = catalog.streams(now);
            let seen = streams.by_ref().take(METRIC_STREAMS_MAX);
            let seen: Vec<Seen> = seen.map(|stream| Seen::new(stream, now)).collect();
            (seen, streams.count())
        });
        let mut families = self.measured(|measured, now| show(measured, &seen, left_out, now));
        families.extend(self.held());
        families
    }
}

impl Streams {
    /// What archived streams hold back.
    fn held(&self) -> [Family; 2] {
        let (mut records, mut oldest) = (ours(HELD_RECORDS), ours(OLDEST_HELD));
        for archived in self.archived().iter().take(METRIC_STREAMS_MAX) {
            let labels = labels(&archived.stream);
            records.push(&labels, archived.held.records as f64);
            if let Some(arrived) = archived.held.oldest {
                oldest.push(&labels, arrived.as_secs_f64());
            }
        }
        [records, oldest]
    }
}

fn show(
    measured: &Measured,
    seen: &[Seen],
    streams_left_out: usize,
    now: Timestamp,
) -> Vec<Family> {
    let mut families = Vec::new();
    for metric in StreamMetric::ALL {
        let rows = seen.iter().filter_map(|stream| {
            let series = measured.stream(stream.incarnation, metric)?;
            Some((stream.labels.clone(), series))
        });
        push_line(&mut families, "aws_kinesis_", &metric.line(), rows, now);
    }
    for metric in ConsumerMetric::ALL {
        let consumers = seen.iter().flat_map(|stream| {
            let consumers = stream.consumers.iter();
            consumers.map(move |(name, incarnation)| (stream, name, *incarnation))
        });
        let rows = consumers.filter_map(|(stream, name, incarnation)| {
            let series = measured.consumer(incarnation, metric)?;
            let mut labels = stream.labels.clone();
            labels.push(("consumer_name", name.clone()));
            Some((labels, series))
        });
        push_line(&mut families, "aws_kinesis_", &metric.line(), rows, now);
    }
    let (monitored, mut left_out) = monitored(seen);
    for (metric, line) in ShardLevelMetric::ALL.into_iter().zip(&SHARD_LINES) {
        let on = monitored
            .iter()
            .filter(|(stream, ..)| stream.monitored.contains(&metric));
        let rows = on.filter_map(|(stream, shard, partition)| {
            let series = measured.shard(*partition, metric)?;
            Some((stream.shard_labels(*shard), series))
        });
        push_line(&mut families, "aws_kinesis_shard_", line, rows, now);
    }
    let mut open = ours(OPEN_SHARDS);
    for stream in seen {
        open.push(&stream.labels, f64::from(stream.open_shards));
    }
    families.push(open);
    left_out += push_utilization(&mut families, measured, seen, now);
    let mut cut = ours(ROWS_LEFT_OUT);
    for (what, count) in [("streams", streams_left_out), ("shards", left_out)] {
        cut.push(&[("of", what.to_owned())], count as f64);
    }
    families.push(cut);
    families
}

fn ours((name, meaning): (&str, &str)) -> Family {
    Family::new(name, Kind::Gauge, meaning)
}

/// The shards of monitored streams with their partitions, as many as are shown, and how many more.
fn monitored(seen: &[Seen]) -> (Vec<(&Seen, ShardId, u64)>, usize) {
    let streams = seen.iter().filter(|stream| !stream.monitored.is_empty());
    let mut shards = streams.flat_map(|stream| {
        let shards = stream.shards.iter();
        shards.map(move |(partition, id)| (stream, *id, *partition))
    });
    let shown = shards.by_ref().take(METRIC_SHARDS_MAX).collect();
    (shown, shards.count())
}

/// Adds a line of the list as a summary, and what is shown besides.
fn push_line<'a>(
    families: &mut Vec<Family>,
    prefix: &str,
    line: &Line,
    rows: impl Iterator<Item = (Labels, &'a Series)>,
    now: Timestamp,
) {
    let name = format!("{prefix}{}", snake_case(line.name));
    let what = format!("AWS/Kinesis {} ({})", line.name, line.unit);
    let meaning = format!("{what}: {}", line.meaning);
    let mut summary = Family::new(&*name, Kind::Summary, meaning);
    let (suffix, meaning) = match line.shown {
        Shown::Amount => (
            "second_max",
            "highest total of one second of the last minute",
        ),
        Shown::Level => ("max", "highest sample of the last minute"),
        Shown::Share => ("", ""),
    };
    let meaning = format!("{what}: {meaning}");
    let mut highest = Family::new(format!("{name}_{suffix}"), Kind::Gauge, meaning);
    for (labels, series) in rows {
        summary.push_summary(&labels, series.sum() as f64, series.samples() as f64);
        highest.push(&labels, series.highest_second(now) as f64);
    }
    families.push(summary);
    if line.shown != Shown::Share {
        families.push(highest);
    }
}

/// Adds how much of their write rates shards have used; gives how many shards are left out.
fn push_utilization(
    families: &mut Vec<Family>,
    measured: &Measured,
    seen: &[Seen],
    now: Timestamp,
) -> usize {
    let mut by_stream = ours(STREAM_WRITE_UTILIZATION);
    let mut used = Vec::new();
    for stream in seen {
        let mut highest = 0.0_f64;
        for (partition, id) in &stream.shards {
            if let Some(amount) = measured.highest_second(*partition, now) {
                let share = utilization(amount);
                highest = highest.max(share);
                used.push((share, stream, *id));
            }
        }
        by_stream.push(&stream.labels, highest);
    }
    used.sort_by(|(one, ..), (other, ..)| other.total_cmp(one));
    let mut by_shard = ours(SHARD_WRITE_UTILIZATION);
    for (share, stream, id) in used.iter().take(METRIC_SHARDS_MAX) {
        by_shard.push(&stream.shard_labels(*id), *share);
    }
    families.extend([by_stream, by_shard]);
    used.len().saturating_sub(METRIC_SHARDS_MAX)
}

fn utilization(amount: Amount) -> f64 {
    let bytes = amount.bytes as f64 / WRITE_BYTES_PER_SECOND as f64;
    let records = amount.records as f64 / WRITE_RECORDS.per_second as f64;
    bytes.max(records)
}
