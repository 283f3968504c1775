//! The benchmark of streams: [`run`].
//!
//! What must hold: ours, the floors and the peers take turns within each round, so that a busy minute
//! of the machine hits all of them, and what ours has left to be done is done before the next turn. A
//! peer that fails is left out of that workload and named; a failure of ours, or of a floor, ends the run.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::cases::{self, Case, Operation, PAGE_RECORDS, STREAM};
use crate::client::{Client, Prepared};
use crate::contestants::{Contestant, RunError, disk};
use crate::drain::{self, Drain};
use crate::load::{self, Load, LoadError, Sample};
use crate::machine::Machine;
use crate::pages::Page;
use crate::peers::{self, Peer};
use crate::report::{Kind, Measured, Measurement, Report};
use crate::rest::come_to_rest;

/// Different bodies that a load sends in turn.
const BODIES: u64 = 8;
/// Connections that fill a stream before it is drained.
const FILL_CONNECTIONS: usize = 4;

/// How much to measure, and where.
#[derive(Clone, Debug)]
pub struct Options {
    /// Directory on the disk under test; a temporary one is made in it.
    pub directory: PathBuf,
    /// Rounds per figure.
    pub rounds: usize,
    /// Time of each turn in a round.
    pub turn: Duration,
    /// Bytes of records one turn may store, so that the use of the disk has a bound.
    pub turn_bytes_max: u64,
    /// Shards of the stream.
    pub shards: usize,
    /// The workloads.
    pub cases: Vec<Case>,
    /// Records that are put on each shard before it is drained.
    pub shard_records: u64,
    /// Longest time for putting them; a slow server is drained of what it has then.
    pub fill_time_max: Duration,
    /// Whether peers take part.
    pub with_peers: bool,
    /// Where peers are looked for besides the path.
    pub peers: Option<PathBuf>,
}

impl Options {
    /// A run whose figures mean something: five rounds of every workload, with the peers.
    pub fn full(directory: PathBuf) -> Options {
        Options {
            directory,
            rounds: 5,
            turn: Duration::from_millis(1500),
            turn_bytes_max: 1 << 30,
            shards: 32,
            cases: cases::all(&[1, 8, 32]),
            shard_records: PAGE_RECORDS,
            fill_time_max: Duration::from_secs(20),
            with_peers: true,
            peers: None,
        }
    }

    /// A run that only shows that everything works.
    pub fn quick(directory: PathBuf) -> Options {
        Options {
            rounds: 3,
            turn: Duration::from_millis(100),
            turn_bytes_max: 16 << 20,
            cases: cases::all(&[2]),
            shard_records: 100,
            fill_time_max: Duration::from_secs(5),
            with_peers: false,
            ..Options::full(directory)
        }
    }

    /// Steps that the progress of [`run`] counts.
    pub fn steps(&self) -> usize {
        self.cases.len() * self.rounds
    }
}

/// One who takes part, and what it has come to so far.
struct Running {
    contestant: Contestant,
    turn: Turn,
    samples: Vec<Sample>,
}

/// What is done in a turn.
enum Turn {
    Load(Load),
    Drain(Drain),
}

/// Runs everything; `on_step` is told what has been measured after each of [`Options::steps`].
pub async fn run(options: &Options, mut on_step: impl FnMut(&str)) -> Result<Report, RunError> {
    let scratch = tempfile::Builder::new()
        .prefix("tidemill-bench-")
        .tempdir_in(&options.directory);
    let scratch = disk(&options.directory, scratch)?;
    let peers = match options.with_peers {
        true => peers::installed(options.peers.as_deref()),
        false => Vec::new(),
    };
    let mut report = Report {
        version: env!("CARGO_PKG_VERSION"),
        machine: Machine::observe(scratch.path()),
        rounds: options.rounds,
        turn_millis: u64::try_from(options.turn.as_millis()).unwrap_or(u64::MAX),
        server: "durable: an answer comes after the sync; limits lifted".to_owned(),
        log: String::new(),
        floor_committer: String::new(),
        peers: Vec::new(),
        measurements: Vec::new(),
        warnings: Vec::new(),
    };
    for peer in &peers {
        let version = peer.version().await;
        report.peers.push(format!("{} {version}", peer.name()));
    }
    for case in &options.cases {
        let directory = scratch.path().join(case.name());
        run_case(options, case, &directory, &peers, &mut report, &mut on_step).await?;
        disk(&directory, std::fs::remove_dir_all(&directory))?;
    }
    report.judge();
    Ok(report)
}

async fn run_case(
    options: &Options,
    case: &Case,
    directory: &Path,
    peers: &[Peer],
    report: &mut Report,
    on_step: &mut impl FnMut(&str),
) -> Result<(), RunError> {
    let page = (case.operation == Operation::GetRecords)
        .then(|| Arc::new(Page::of(case.record_bytes, options.shard_records)));
    let body_bytes = match &page {
        Some(page) => page.whole().len(),
        None => case.body(0).len(),
    };
    let mut running = start(options, case, directory, page, peers, report).await?;
    for round in 1..=options.rounds {
        let mut failed = Vec::new();
        for (index, one) in running.iter_mut().enumerate() {
            come_to_rest().await;
            match one.turn.take(&one.contestant.client).await {
                Ok(sample) => one.samples.push(sample),
                Err(error) if one.contestant.kind == Kind::Peer => failed.push((index, error)),
                Err(error) => return Err(error.into()),
            }
        }
        for (index, error) in failed.into_iter().rev() {
            let one = running.remove(index);
            leave_out(report, case, &one.contestant.name, &error);
            one.contestant.stop().await;
        }
        on_step(&format!("{} round {round}", case.name()));
    }
    let mut results = Vec::new();
    for one in running {
        let Contestant { name, kind, .. } = &one.contestant;
        let measured = Measured::of(name, *kind, &one.samples);
        results.push(measured.ok_or_else(|| RunError::Nothing { what: name.clone() })?);
        one.contestant.stop().await;
    }
    let mut measurement = Measurement {
        name: case.name(),
        workload: case.workload(body_bytes, options.shards),
        results,
    };
    measurement.compare();
    report.measurements.push(measurement);
    Ok(())
}

/// Starts all who take part, warms them up, and says how the committers are scheduled.
async fn start(
    options: &Options,
    case: &Case,
    directory: &Path,
    page: Option<Arc<Page>>,
    peers: &[Peer],
    report: &mut Report,
) -> Result<Vec<Running>, RunError> {
    let ours = Contestant::ours(&directory.join("tidemill")).await?;
    let http = Contestant::http(directory, page.clone()).await?;
    let necessary = Contestant::necessary(&directory.join("floor"), page).await?;
    report.log = ours.committer().unwrap_or_default();
    report.floor_committer = necessary.committer().unwrap_or_default();
    let mut running = Vec::new();
    for contestant in [ours, http, necessary] {
        running.push(prepare(options, case, contestant).await?);
    }
    for peer in peers {
        let prepared = match Contestant::peer(directory, peer).await {
            Ok(contestant) => prepare(options, case, contestant).await,
            Err(error) => Err(error),
        };
        match prepared {
            Ok(one) => running.push(one),
            Err(error) => leave_out(report, case, peer.name(), &error),
        }
    }
    Ok(running)
}

fn leave_out(report: &mut Report, case: &Case, name: &str, error: &dyn std::error::Error) {
    let cause = error
        .source()
        .map_or_else(String::new, |cause| format!(": {cause}"));
    let case = case.name();
    report
        .warnings
        .push(format!("{name} is left out of {case}: {error}{cause}"));
}

/// Makes the stream, fills it where it will be drained, and warms up.
async fn prepare(
    options: &Options,
    case: &Case,
    contestant: Contestant,
) -> Result<Running, RunError> {
    contestant.create_stream(options.shards).await?;
    let client = &contestant.client;
    let turn = match case.operation {
        Operation::GetRecords => {
            let is_floor = matches!(contestant.kind, Kind::HttpFloor | Kind::NecessaryFloor);
            if !is_floor {
                load::run(client, &filling(options, case, client)).await?;
            }
            Turn::Drain(Drain {
                stream: STREAM,
                shards: options.shards,
                connections: case.connections,
                duration: options.turn,
            })
        }
        Operation::PutRecords | Operation::PutRecord => {
            let mut load = load_of(case, client);
            load.duration = options.turn;
            load.requests_max = (options.turn_bytes_max / case.stored_bytes()).max(1);
            if contestant.kind == Kind::HttpFloor {
                load.requests_max = u64::MAX;
            }
            Turn::Load(load)
        }
    };
    turn.warm_up().take(client).await?;
    Ok(Running {
        contestant,
        turn,
        samples: Vec::new(),
    })
}

fn load_of(case: &Case, client: &Client) -> Load {
    let operation = match case.operation {
        Operation::GetRecords => "PutRecords",
        Operation::PutRecords | Operation::PutRecord => case.operation_name(),
    };
    let entries = match case.operation {
        Operation::GetRecords => crate::bodies::ENTRIES,
        Operation::PutRecords | Operation::PutRecord => case.entries(),
    };
    let prepare = |seed| client.prepare_kinesis(operation, case.body(seed));
    let requests: Vec<Prepared> = (0..BODIES).map(prepare).collect();
    Load {
        requests: requests.into(),
        entries,
        connections: case.connections,
        duration: Duration::ZERO,
        requests_max: u64::MAX,
    }
}

/// The load that gives each shard its records, more or less: keys are spread by their hashes.
fn filling(options: &Options, case: &Case, client: &Client) -> Load {
    let records = options.shard_records * options.shards as u64;
    let mut load = load_of(case, client);
    load.connections = FILL_CONNECTIONS;
    load.duration = options.fill_time_max;
    load.requests_max = records.div_ceil(load.entries as u64);
    load
}

impl Turn {
    async fn take(&self, client: &Client) -> Result<Sample, LoadError> {
        match self {
            Turn::Load(load) => load::run(client, load).await,
            Turn::Drain(drain) => drain::run(client, drain).await,
        }
    }

    /// A shorter turn, for connections to be open and memory to be there.
    fn warm_up(&self) -> Turn {
        match self {
            Turn::Load(load) => Turn::Load(Load {
                duration: load.duration / 5,
                requests_max: (load.requests_max / 10).max(1),
                ..load.clone()
            }),
            Turn::Drain(drain) => Turn::Drain(Drain {
                duration: drain.duration / 5,
                ..drain.clone()
            }),
        }
    }
}
