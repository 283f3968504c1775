//! What a run of the stream benchmark says: [`Report`]. Pure.
//!
//! What must hold: each of our figures stands beside those of the floors and the peers from the same
//! rounds; a ratio is our rate over theirs; a ratio to a floor that is itself too slow is not given.

use serde::Serialize;

use crate::floors::HTTP_FLOOR_MIN;
use crate::load::Sample;
use crate::machine::Machine;
use crate::statistics::{Figure, percentile};

/// A whole run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Version of the server that ran.
    pub version: &'static str,
    /// The circumstances.
    pub machine: Machine,
    /// Rounds that each figure is the median of; in each, all took turns.
    pub rounds: usize,
    /// Length of a turn.
    pub turn_millis: u64,
    /// How our server was started.
    pub server: String,
    /// How our log's committer is scheduled and how it writes.
    pub log: String,
    /// How the committer of the necessary-work server is scheduled.
    pub floor_committer: String,
    /// The peers that took part, with their versions.
    pub peers: Vec<String>,
    /// What was measured.
    pub measurements: Vec<Measurement>,
    /// Why a figure should not be trusted.
    pub warnings: Vec<String>,
}

/// One workload and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measurement {
    /// Stable name.
    pub name: String,
    /// What was sent.
    pub workload: Workload,
    /// What each server made of it; ours first.
    pub results: Vec<Measured>,
}

/// What was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Workload {
    /// The operation.
    pub operation: &'static str,
    /// Records in a request; for GetRecords the most in a page.
    pub entries: usize,
    /// Data of a record, before base64.
    pub record_bytes: usize,
    /// Body of a request; of an answer's page for GetRecords.
    pub body_bytes: usize,
    /// Requests in flight.
    pub connections: usize,
    /// Shards of the stream.
    pub shards: usize,
}

/// What a server is to the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Ours.
    Tidemill,
    /// A bare HTTP server that drops the same bodies.
    HttpFloor,
    /// A server that does what is necessary with them.
    NecessaryFloor,
    /// A server of others.
    Peer,
}

/// What one server made of a workload.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measured {
    /// Who it is.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Requests answered per second.
    pub requests_per_second: Figure,
    /// Records carried per second.
    pub records_per_second: Figure,
    /// Half the answers took no longer, in microseconds.
    pub p50_us: Figure,
    /// 99 of 100 answers took no longer, in microseconds.
    pub p99_us: Figure,
    /// Our records per second over its; none for ourselves, and when it does not count.
    pub ours_over_it: Option<f64>,
}

impl Measured {
    /// Sums up `rounds`; none when one of them has no answer.
    pub fn of(name: &str, kind: Kind, rounds: &[Sample]) -> Option<Measured> {
        if rounds.iter().any(|sample| sample.requests == 0) {
            return None;
        }
        let figure = |reading: fn(&Sample) -> f64| {
            Figure::of(&rounds.iter().map(reading).collect::<Vec<_>>())
        };
        Some(Measured {
            name: name.to_owned(),
            kind,
            requests_per_second: figure(Sample::requests_per_second)?,
            records_per_second: figure(Sample::records_per_second)?,
            p50_us: figure(|sample| latency(sample, 50))?,
            p99_us: figure(|sample| latency(sample, 99))?,
            ours_over_it: None,
        })
    }
}

fn latency(sample: &Sample, percent: u32) -> f64 {
    percentile(&sample.latencies_us, percent).unwrap_or(0) as f64
}

impl Measurement {
    /// Gives each but ours its ratio.
    pub fn compare(&mut self) {
        let ours = self
            .results
            .iter()
            .find(|result| result.kind == Kind::Tidemill);
        let Some(ours) = ours.map(|ours| ours.records_per_second.median) else {
            return;
        };
        for result in &mut self.results {
            let theirs = result.records_per_second.median;
            result.ours_over_it =
                (result.kind != Kind::Tidemill && theirs > 0.0).then(|| ours / theirs);
        }
    }
}

impl Report {
    /// Takes back the ratios to an HTTP floor that is too slow, and says why figures may be off.
    ///
    /// The floor is judged by the load of 700 KB bodies on several connections, and stands or falls for
    /// all loads.
    pub fn judge(&mut self) {
        const BODY_BYTES_JUDGED: usize = 600_000;
        let is_judged = |measurement: &&Measurement| {
            let load = measurement.workload;
            load.operation == "PutRecords"
                && load.body_bytes >= BODY_BYTES_JUDGED
                && load.connections > 1
        };
        let judged = self.measurements.iter().filter(is_judged);
        let floors = judged
            .flat_map(|large| &large.results)
            .filter(|result| result.kind == Kind::HttpFloor);
        let fastest = floors
            .map(|floor| floor.requests_per_second.median)
            .reduce(f64::max);
        if let Some(rate) = fastest.filter(|rate| *rate < HTTP_FLOOR_MIN) {
            let all = self.measurements.iter_mut();
            let http = all
                .flat_map(|measurement| &mut measurement.results)
                .filter(|result| result.kind == Kind::HttpFloor);
            http.for_each(|floor| floor.ours_over_it = None);
            self.warnings.push(format!(
                "the HTTP floor is too slow to count: {rate:.0} requests/s of 700 KB, {HTTP_FLOOR_MIN} are needed"
            ));
        }
        self.warnings.extend(self.machine.warnings());
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn sample(requests: u64) -> Sample {
        Sample {
            requests,
            records: requests * 500,
            elapsed: Duration::from_secs(1),
            latencies_us: vec![10, 20, 30],
        }
    }

    fn report(http_rate: u64) -> Report {
        let workload = Workload {
            operation: "PutRecords",
            entries: 500,
            record_bytes: 1024,
            body_bytes: 700_000,
            connections: 8,
            shards: 32,
        };
        let result =
            |name, kind, rate| Measured::of(name, kind, &[sample(rate)]).expect("it has answers");
        let mut measurement = Measurement {
            name: "put_records_1_kib_8".to_owned(),
            workload,
            results: vec![
                result("tidemill", Kind::Tidemill, 1000),
                result("http", Kind::HttpFloor, http_rate),
                result("necessary", Kind::NecessaryFloor, 1250),
                result("peer", Kind::Peer, 100),
            ],
        };
        measurement.compare();
        Report {
            version: "0",
            machine: Machine {
                cores: 2,
                load_average: Some(0.1),
                scheduling: Some("SCHED_OTHER"),
                directory: "/d".to_owned(),
                file_system: Some("ext4".to_owned()),
                build: "release",
            },
            rounds: 1,
            turn_millis: 1000,
            server: String::new(),
            log: String::new(),
            floor_committer: String::new(),
            peers: vec![],
            measurements: vec![measurement],
            warnings: vec![],
        }
    }

    #[test]
    fn a_ratio_is_our_rate_over_theirs() {
        let report = report(4000);
        let ratios = report.measurements[0]
            .results
            .iter()
            .map(|result| result.ours_over_it);
        assert_eq!(
            ratios.collect::<Vec<_>>(),
            [None, Some(0.25), Some(0.8), Some(10.0)]
        );
    }

    #[test]
    fn a_slow_http_floor_does_not_count_and_a_fast_one_does() {
        for (rate, counts) in [(2999, false), (3000, true)] {
            let mut report = report(rate);
            report.judge();
            let results = &report.measurements[0].results;
            assert_eq!(results[1].ours_over_it.is_some(), counts, "{rate}");
            assert!(results[2].ours_over_it.is_some());
            assert_eq!(report.warnings.is_empty(), counts, "{:?}", report.warnings);
        }
    }

    #[test]
    fn a_round_without_an_answer_gives_no_figure() {
        let empty = Sample {
            requests: 0,
            latencies_us: vec![],
            ..sample(0)
        };
        assert_eq!(Measured::of("x", Kind::Peer, &[sample(1), empty]), None);
    }
}
