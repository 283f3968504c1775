//! The whole benchmark: [`run`].
//!
//! What must hold: ours and the floors take turns within each round, in one process, so that a busy
//! minute of the machine hits all of them. The server is durable and has its limits lifted; it is
//! started anew for each workload, so that no workload pays for another's data.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use thiserror::Error;

use tidemill_model::{Clock, Timestamp};
use tidemill_server::clock::SystemClock;
use tidemill_server::{Config, Durability, LimitsMode, PaceMode, Running, StartError, Storage};

use crate::bodies;
use crate::client::{Client, Credentials, EndpointMalformed, Failure, Prepared};
use crate::floors::{DiskFloor, HttpFloor};
use crate::load::{self, Load, LoadError, Sample};
use crate::machine::Machine;
use crate::report::{self, Floor, FloorKind, Measurement, Report, Unit, Workload};
use crate::statistics::{Figure, percentile};

const STREAM: &str = "bench";
const SHARDS: usize = 4;
/// Different bodies that a load sends in turn.
const BODIES: u64 = 8;
/// Longest wait for the stream.
const STREAM_TIMEOUT: Duration = Duration::from_secs(10);

/// How much to measure, and where.
#[derive(Clone, Debug)]
pub struct Options {
    /// Directory on the disk under test; a temporary one is made in it.
    pub directory: PathBuf,
    /// Rounds per figure.
    pub rounds: usize,
    /// Time of each of ours and each floor in a round.
    pub turn: Duration,
    /// Bytes of records one turn may store, so that the use of the disk has a bound.
    pub turn_bytes_max: u64,
}

impl Options {
    /// A run whose figures mean something: five rounds.
    pub fn full(directory: PathBuf) -> Options {
        Options {
            directory,
            rounds: 5,
            turn: Duration::from_millis(1500),
            turn_bytes_max: 256 << 20,
        }
    }

    /// A run that only shows that everything works.
    pub fn quick(directory: PathBuf) -> Options {
        Options {
            directory,
            rounds: 3,
            turn: Duration::from_millis(100),
            turn_bytes_max: 16 << 20,
        }
    }

    /// Steps that the progress of [`run`] counts.
    pub fn steps(&self) -> usize {
        CASES.len() * self.rounds
    }
}

/// Why there is no report.
#[derive(Debug, Error)]
pub enum RunError {
    /// The embedded server did not start.
    #[error("the server to measure did not start")]
    Start(#[source] Box<StartError>),
    /// The server's address is not an endpoint.
    #[error(transparent)]
    Endpoint(#[from] EndpointMalformed),
    /// The stream could not be made.
    #[error("the stream to measure could not be made")]
    Stream(#[from] Failure),
    /// The stream did not become active.
    #[error("the stream to measure was not active after {STREAM_TIMEOUT:?}")]
    StreamNotActive,
    /// A run of the load failed.
    #[error("the load failed")]
    Load(#[from] LoadError),
    /// A floor could not be measured.
    #[error("{} could not be used for the benchmark", .directory.display())]
    Disk {
        /// The directory.
        directory: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A turn was over before it had one answer.
    #[error("a turn of {what} had no answer at all")]
    Nothing {
        /// What was measured.
        what: &'static str,
    },
}

/// One workload and the figures taken from it.
struct Case {
    name: &'static str,
    operation: &'static str,
    entries: usize,
    record_bytes: usize,
    connections: usize,
    figures: &'static [(&'static str, Reading)],
}

/// Which number of a sample becomes a figure.
#[derive(Clone, Copy)]
enum Reading {
    Rate,
    LatencyPercentile(u32),
}

impl Reading {
    fn unit(self) -> Unit {
        match self {
            Reading::Rate => Unit::RequestsPerSecond,
            Reading::LatencyPercentile(_) => Unit::Microseconds,
        }
    }

    fn of(self, sample: &Sample) -> Option<f64> {
        match self {
            Reading::Rate => (sample.requests > 0).then(|| sample.per_second()),
            Reading::LatencyPercentile(percent) => {
                percentile(&sample.latencies_us, percent).map(|micros| micros as f64)
            }
        }
    }
}

const CASES: [Case; 3] = [
    Case {
        name: "put_records_1_kib",
        operation: "PutRecords",
        entries: bodies::ENTRIES,
        record_bytes: 1024,
        connections: 4,
        figures: &[("rate", Reading::Rate)],
    },
    Case {
        name: "put_records_100_b",
        operation: "PutRecords",
        entries: bodies::ENTRIES,
        record_bytes: 100,
        connections: 4,
        figures: &[("rate", Reading::Rate)],
    },
    Case {
        name: "put_record_1_kib",
        operation: "PutRecord",
        entries: 1,
        record_bytes: 1024,
        connections: 1,
        figures: &[
            ("p50", Reading::LatencyPercentile(50)),
            ("p99", Reading::LatencyPercentile(99)),
        ],
    },
];

impl Case {
    fn body(&self, seed: u64) -> bytes::Bytes {
        match self.entries {
            1 => bodies::put_record(STREAM, self.record_bytes, seed),
            _ => bodies::put_records(STREAM, self.record_bytes, seed),
        }
    }

    fn workload(&self) -> Workload {
        Workload {
            operation: self.operation,
            entries: self.entries,
            record_bytes: self.record_bytes,
            body_bytes: self.body(0).len(),
            connections: self.connections,
            shards: SHARDS,
        }
    }

    /// Bytes of records in one request.
    fn stored_bytes(&self) -> usize {
        self.entries * self.record_bytes
    }
}

/// Ours and each floor over the rounds of one case, in the same order.
#[derive(Default)]
struct Rounds {
    /// How the server's log writes.
    log: String,
    tidemill: Vec<Sample>,
    http: Vec<Sample>,
    disk: Vec<Sample>,
}

/// Runs everything; `on_step` is told what has been measured after each of [`Options::steps`].
pub async fn run(options: &Options, mut on_step: impl FnMut(&str)) -> Result<Report, RunError> {
    let scratch = disk(
        &options.directory,
        tempfile::Builder::new()
            .prefix("tidemill-bench-")
            .tempdir_in(&options.directory),
    )?;
    let mut report = Report {
        version: env!("CARGO_PKG_VERSION"),
        machine: Machine::observe(scratch.path()),
        rounds: options.rounds,
        log: String::new(),
        server: "embedded, durable: an answer comes after the sync; limits lifted".to_owned(),
        measurements: Vec::new(),
        warnings: Vec::new(),
    };
    for case in &CASES {
        let rounds = run_case(options, case, scratch.path(), &mut on_step).await?;
        report.log.clone_from(&rounds.log);
        for (suffix, reading) in case.figures {
            report
                .measurements
                .push(measurement(case, suffix, *reading, &rounds)?);
        }
    }
    report.judge();
    Ok(report)
}

async fn run_case(
    options: &Options,
    case: &Case,
    scratch: &Path,
    on_step: &mut impl FnMut(&str),
) -> Result<Rounds, RunError> {
    let directory = scratch.join(case.name);
    let server = start(&directory).await?;
    let ours = client(&server.endpoint())?;
    create_stream(&ours).await?;
    let http = disk(scratch, HttpFloor::start().await)?;
    let bare = client(&http.endpoint())?;
    let mut floor = disk(scratch, DiskFloor::create(scratch))?;
    let (to_ours, to_bare) = (load_of(options, case, &ours), load_of(options, case, &bare));

    load::run(&ours, &warm_up(&to_ours)).await?;
    load::run(&bare, &warm_up(&to_bare)).await?;
    let mut rounds = Rounds {
        log: server.log_description().unwrap_or_default(),
        ..Rounds::default()
    };
    for round in 1..=options.rounds {
        rounds.tidemill.push(load::run(&ours, &to_ours).await?);
        let unbounded = Load {
            requests_max: u64::MAX,
            ..to_bare.clone()
        };
        rounds.http.push(load::run(&bare, &unbounded).await?);
        let (bytes, group, turn) = (case.stored_bytes(), case.connections as u64, options.turn);
        let sample = tokio::task::block_in_place(|| floor.run(bytes, group, turn));
        rounds.disk.push(disk(scratch, sample)?);
        on_step(&format!(
            "{} round {round} of {}",
            case.name, options.rounds
        ));
    }
    server.shutdown().await;
    disk(&directory, std::fs::remove_dir_all(&directory))?;
    Ok(rounds)
}

fn measurement(
    case: &Case,
    suffix: &str,
    reading: Reading,
    rounds: &Rounds,
) -> Result<Measurement, RunError> {
    let figure = |what, samples: &[Sample]| {
        let values: Option<Vec<f64>> = samples.iter().map(|sample| reading.of(sample)).collect();
        values
            .and_then(|values| Figure::of(&values))
            .ok_or(RunError::Nothing { what })
    };
    let tidemill = figure("tidemill", &rounds.tidemill)?;
    let floor = |kind, what, samples| {
        let figure = figure(what, samples)?;
        let ratio = report::ratio(reading.unit(), tidemill.median, figure.median);
        Ok::<Floor, RunError>(Floor {
            floor: kind,
            figure,
            ratio,
        })
    };
    let floors = vec![
        floor(FloorKind::Http, "the HTTP floor", &rounds.http)?,
        floor(FloorKind::Disk, "the disk floor", &rounds.disk)?,
    ];
    let name = format!("{}_{suffix}", case.name);
    Ok(Measurement {
        name,
        unit: reading.unit(),
        workload: case.workload(),
        tidemill,
        floors,
    })
}

async fn start(directory: &Path) -> Result<Running, RunError> {
    let config = Config {
        storage: Storage::Directory(directory.to_path_buf()),
        port: 0,
        limits: LimitsMode::None,
        pace: PaceMode::Fast,
        durability: Durability::Sync,
        ..Config::default()
    };
    let started = tidemill_server::start(config).await;
    started.map_err(|error| RunError::Start(Box::new(error)))
}

fn client(endpoint: &str) -> Result<Client, RunError> {
    Ok(Client::new(
        endpoint.parse()?,
        Credentials::default(),
        Arc::new(SystemClock),
    ))
}

async fn create_stream(client: &Client) -> Result<(), RunError> {
    client
        .kinesis(
            "CreateStream",
            &json!({ "StreamName": STREAM, "ShardCount": SHARDS }),
        )
        .await?;
    let deadline = SystemClock.now().plus(STREAM_TIMEOUT);
    loop {
        let summary = client
            .kinesis("DescribeStreamSummary", &json!({ "StreamName": STREAM }))
            .await?;
        if summary["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE" {
            return Ok(());
        }
        let now: Timestamp = SystemClock.now();
        if now >= deadline {
            return Err(RunError::StreamNotActive);
        }
        SystemClock
            .sleep_until(now.plus(Duration::from_millis(10)))
            .await;
    }
}

fn load_of(options: &Options, case: &Case, client: &Client) -> Load {
    let prepare = |seed| client.prepare_kinesis(case.operation, case.body(seed));
    let requests: Vec<Prepared> = (0..BODIES).map(prepare).collect();
    Load {
        requests: requests.into(),
        connections: case.connections,
        duration: options.turn,
        requests_max: (options.turn_bytes_max / case.stored_bytes() as u64).max(1),
    }
}

/// A short run, for connections to be open and memory to be there.
fn warm_up(load: &Load) -> Load {
    Load {
        duration: load.duration / 5,
        requests_max: load.requests_max.div_ceil(10),
        ..load.clone()
    }
}

fn disk<T>(directory: &Path, result: std::io::Result<T>) -> Result<T, RunError> {
    result.map_err(|source| RunError::Disk {
        directory: directory.to_path_buf(),
        source,
    })
}
