//! What a run of the benchmark says: [`Report`]. Pure.
//!
//! What must hold: each of our figures stands beside the floors of the same rounds; a ratio is how
//! many times the floor's cost ours is, so 1 is the best there can be; a ratio to a floor that is
//! itself too slow is not given.

use serde::Serialize;

use crate::floors::HTTP_FLOOR_MIN;
use crate::machine::Machine;
use crate::statistics::Figure;

/// A whole run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Version of the server that ran.
    pub version: &'static str,
    /// The circumstances.
    pub machine: Machine,
    /// Rounds that each figure is the median of; in each, ours and the floors took turns.
    pub rounds: usize,
    /// How the embedded server was started.
    pub server: String,
    /// How the server's log is scheduled and writes.
    pub log: String,
    /// What was measured.
    pub measurements: Vec<Measurement>,
    /// Why a figure should not be trusted.
    pub warnings: Vec<String>,
}

/// One figure of ours and its floors.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measurement {
    /// Stable name.
    pub name: String,
    /// What the figures count.
    pub unit: Unit,
    /// What was sent.
    pub workload: Workload,
    /// Ours.
    pub tidemill: Figure,
    /// The floors.
    pub floors: Vec<Floor>,
}

/// What a figure counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Requests per second; more is better.
    RequestsPerSecond,
    /// Microseconds to the answer; less is better.
    Microseconds,
}

/// What was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Workload {
    /// The operation.
    pub operation: &'static str,
    /// Records in a request.
    pub entries: usize,
    /// Data of a record, before base64.
    pub record_bytes: usize,
    /// Body of a request.
    pub body_bytes: usize,
    /// Requests in flight.
    pub connections: usize,
    /// Shards of the stream.
    pub shards: usize,
}

/// A floor's figure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Floor {
    /// Which floor.
    pub floor: FloorKind,
    /// Its figure, in the unit of the measurement.
    pub figure: Figure,
    /// How many times the floor's cost ours is; none when the floor does not count.
    pub ratio: Option<f64>,
}

/// The floors there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FloorKind {
    /// A bare HTTP server that drops the same bodies.
    Http,
    /// The records' bytes written in place, one sync per group of what can be in flight.
    Disk,
}

impl FloorKind {
    /// As a table says it.
    pub fn title(self) -> &'static str {
        match self {
            FloorKind::Http => "bare HTTP server, same bodies",
            FloorKind::Disk => "write and sync, same bytes",
        }
    }
}

/// How many times the cost of `floor` the cost of `ours` is; none when either is nothing.
pub fn ratio(unit: Unit, ours: f64, floor: f64) -> Option<f64> {
    if ours <= 0.0 || floor <= 0.0 {
        return None;
    }
    Some(match unit {
        Unit::RequestsPerSecond => floor / ours,
        Unit::Microseconds => ours / floor,
    })
}

impl Report {
    /// Takes back the ratios to an HTTP floor that is too slow, and says why figures may be off.
    ///
    /// The floor is judged by the load of 700 KB bodies and stands or falls for all loads.
    pub fn judge(&mut self) {
        const BODY_BYTES_JUDGED: usize = 600_000;
        let large = |measurement: &&Measurement| {
            measurement.workload.body_bytes >= BODY_BYTES_JUDGED
                && measurement.unit == Unit::RequestsPerSecond
        };
        let floors = self
            .measurements
            .iter()
            .filter(large)
            .flat_map(|large| &large.floors);
        let slow = floors
            .filter(|floor| floor.floor == FloorKind::Http && floor.figure.median < HTTP_FLOOR_MIN)
            .map(|floor| floor.figure.median)
            .reduce(f64::min);
        if let Some(rate) = slow {
            for measurement in &mut self.measurements {
                let http = measurement
                    .floors
                    .iter_mut()
                    .filter(|floor| floor.floor == FloorKind::Http);
                http.for_each(|floor| floor.ratio = None);
            }
            self.warnings.push(format!(
                "the HTTP floor is too slow to count: {rate:.0} requests/s of 700 KB, {HTTP_FLOOR_MIN} are needed"
            ));
        }
        if self.machine.build == "debug" {
            self.warnings
                .push("this is a debug build; run `cargo run --release -- bench`".to_owned());
        }
        if self.machine.file_system.as_deref() == Some("tmpfs") {
            let directory = &self.machine.directory;
            self.warnings.push(format!(
                "{directory} is in memory, a sync costs nothing; use --dir"
            ));
        }
        let cores = self.machine.cores as f64;
        if let Some(load) = self.machine.load_average.filter(|load| *load > cores / 2.0) {
            self.warnings.push(format!(
                "the machine was busy before the run: load average {load}"
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(http_rate: f64) -> Report {
        let figure = |value: f64| Figure::of(&[value]).expect("one round");
        let workload = Workload {
            operation: "PutRecords",
            entries: 500,
            record_bytes: 1024,
            body_bytes: 700_000,
            connections: 8,
            shards: 4,
        };
        let floor = |floor, value| Floor {
            floor,
            figure: figure(value),
            ratio: Some(value / 1000.0),
        };
        let measurement = Measurement {
            name: "put_records_1_kib".to_owned(),
            unit: Unit::RequestsPerSecond,
            workload,
            tidemill: figure(1000.0),
            floors: vec![
                floor(FloorKind::Http, http_rate),
                floor(FloorKind::Disk, 2000.0),
            ],
        };
        let machine = Machine {
            cores: 2,
            load_average: Some(0.1),
            scheduling: Some("SCHED_OTHER"),
            directory: "/d".to_owned(),
            file_system: Some("ext4".to_owned()),
            build: "release",
        };
        Report {
            version: "0",
            machine,
            rounds: 1,
            server: String::new(),
            log: String::new(),
            measurements: vec![measurement],
            warnings: vec![],
        }
    }

    #[test]
    fn a_ratio_is_how_many_times_the_cost_of_the_floor_ours_is() {
        assert_eq!(ratio(Unit::RequestsPerSecond, 1000.0, 3000.0), Some(3.0));
        assert_eq!(ratio(Unit::Microseconds, 300.0, 100.0), Some(3.0));
        assert_eq!(ratio(Unit::Microseconds, 300.0, 0.0), None);
    }

    #[test]
    fn a_slow_http_floor_does_not_count_and_a_fast_one_does() {
        for (rate, counts) in [(2999.0, false), (3000.0, true)] {
            let mut report = report(rate);
            report.judge();
            let ratios: Vec<bool> = report.measurements[0]
                .floors
                .iter()
                .map(|floor| floor.ratio.is_some())
                .collect();
            assert_eq!(ratios, [counts, true], "{rate}");
            assert_eq!(report.warnings.is_empty(), counts, "{:?}", report.warnings);
        }
    }

    #[test]
    fn what_spoils_a_figure_is_said() {
        let mut report = report(4000.0);
        report.machine.build = "debug";
        report.machine.file_system = Some("tmpfs".to_owned());
        report.machine.load_average = Some(1.5);
        report.judge();
        assert_eq!(report.warnings.len(), 3, "{:?}", report.warnings);
    }
}
