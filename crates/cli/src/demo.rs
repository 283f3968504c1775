//! `tidemill demo`: a month of real flights through a stream, one function and two mappings, with a
//! verdict on every record; then a day of flights in the order of landing, and a view of them.
//!
//! What must hold: everything goes over the wire, also to the embedded server, so that the same job
//! runs against any server; the numbers of the verdict are counted, never assumed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use tokio::signal::unix::{SignalKind, signal};

use tidemill_bench::client::{Client, Endpoint};
use tidemill_ledger::{MappingReport, Report as LedgerReport};
use tidemill_model::Timestamp;
use tidemill_server::{Config, Running, Storage};

use crate::args;
use crate::connection;
use crate::output::{self, Ending, Failed, OrTry};
use crate::progress::Progress;

mod flights;
mod entries;
mod letters;
mod stored;
mod wire;
mod pipeline;
mod producer;
mod readback;
mod drain;
mod verdict;
mod landings;
mod boundary;
mod oracle;
mod questions;
mod landing_act;
mod report;

use flights::Flight;
use landing_act::{LandingReport, Plan};
use pipeline::Pipeline;
use producer::Puts;
use report::{FileCounts, ProducerCounts, QueueCounts, Report, StreamCounts};
use verdict::{Acknowledgements, Collected};
use wire::{Call, Wire};

/// Longest time without any progress of the mappings.
const STANDSTILL_MAX: Duration = Duration::from_secs(90);
const POLL_PAUSE: Duration = Duration::from_millis(250);

/// Shards for a file of landings: with AWS's limits, three million take some minutes.
const FILE_SHARDS: u32 = 16;
/// What the embedded server is configured with: batch views are to absorb while the demo looks on.
const SETTINGS: &str = "[views]\nepoch_millis = 250\n";
/// Where that stands, in the data directory.
const SETTINGS_FILE: &str = "demo.toml";
/// Answers to questions about a file of landings, at least.
const FILE_ANSWERS: usize = 10_000;

/// Runs the demo.
pub async fn run(options: args::Demo) -> Result<Ending, Failed> {
    if let Some(file) = options.landings.clone() {
        return run_file(&options, &file).await;
    }
    let host = Host::prepare(&options).await?;
    let again = format!("{} demo", output::program());
    let result = interruptible(job(&host)).await;
    let next = host.next_commands();
    host.stop().await;
    let mut report = result.or_try(again)?;
    report.next = next;
    let ending = match report.findings().next() {
        None => Ending::Ok,
        Some(_) => Ending::Finding,
    };
    if options.json {
        output::print(&output::envelope("demo", ending, &report, &[]));
    } else {
        output::print(&report.text());
    }
    Ok(ending)
}

/// Runs the second act alone, on the landings of a file.
async fn run_file(options: &args::Demo, file: &Path) -> Result<Ending, Failed> {
    let again = format!("{} demo --landings {}", output::program(), file.display());
    let host = Host::prepare(options).await?;
    let result = interruptible(file_job(&host, file)).await;
    host.stop().await;
    let report = result.or_try(again)?;
    let ending = match report.checks().iter().all(|check| check.holds) {
        true => Ending::Ok,
        false => Ending::Finding,
    };
    if options.json {
        output::print(&output::envelope("demo", ending, &report, &[]));
    } else {
        output::print(&report.text());
    }
    Ok(ending)
}

async fn file_job(host: &Host, file: &Path) -> Result<LandingReport> {
    let text = std::fs::read_to_string(file);
    let text = text.with_context(|| format!("{} cannot be read", file.display()))?;
    let landings = landings::read(&text)?;
    let wire = host.wire();
    let plan = Plan {
        suffix: &host.suffix,
        shards: FILE_SHARDS,
        answers_min: FILE_ANSWERS,
    };
    let report = landing_act::run(&wire, plan, &landings).await?;
    report.context("the server has no views")
}

/// The server that the demo runs against.
struct Host {
    endpoint: Endpoint,
    suffix: String,
    embedded: Option<Embedded>,
}

struct Embedded {
    server: Running,
    /// Removed when it is dropped.
    temporary: Option<tempfile::TempDir>,
    kept: Option<PathBuf>,
}

impl Host {
    async fn prepare(options: &args::Demo) -> Result<Host, Failed> {
        let drawn = || connection::entropy().uuid()[..8].to_owned();
        if let Some(endpoint) = &options.endpoint {
            connection::check_server(endpoint).await?;
            let suffix = options.suffix.clone().unwrap_or_else(drawn);
            return Ok(Host {
                endpoint: endpoint.clone(),
                suffix,
                embedded: None,
            });
        }
        check_python()?;
        let (directory, temporary, kept) = directories(options).or_try(format!(
            "{} demo --data-dir ./tidemill-demo",
            output::program()
        ))?;
        let suffix = match &options.suffix {
            Some(suffix) => suffix.clone(),
            // A directory that is given may hold an earlier run.
            None if options.data_dir.is_some() => drawn(),
            None => String::new(),
        };
        let config_file = directory.join(SETTINGS_FILE);
        let written = std::fs::create_dir_all(&directory)
            .and_then(|()| std::fs::write(&config_file, SETTINGS));
        written.or_try(format!(
            "{} demo --data-dir ./tidemill-demo",
            output::program()
        ))?;
        let config = Config {
            storage: Storage::Directory(directory),
            port: 0,
            config_file: Some(config_file),
            ..Config::default()
        };
        let server = tidemill_server::start(config).await;
        let server = server
            .context("the embedded server did not start")
            .or_try(format!(
                "{} demo --data-dir ./tidemill-demo",
                output::program()
            ))?;
        let endpoint = server
            .endpoint()
            .parse()
            .or_try(format!("{} demo", output::program()))?;
        Ok(Host {
            endpoint,
            suffix,
            embedded: Some(Embedded {
                server,
                temporary,
                kept,
            }),
        })
    }

    fn wire(&self) -> Wire {
        let (credentials, clock) = (connection::credentials(), connection::clock());
        let client = Client::new(self.endpoint.clone(), credentials, clock);
        Wire::new(client, connection::clock(), connection::entropy())
    }

    fn next_commands(&self) -> Vec<String> {
        let program = output::program();
        let start = match &self.embedded {
            None => {
                let endpoint = &self.endpoint;
                return vec![
                    format!("{program} ledger --endpoint {endpoint}"),
                    format!("curl {endpoint}/_tidemill/ledger"),
                    format!("{program} bench"),
                ];
            }
            Some(Embedded {
                kept: Some(directory),
                ..
            }) => {
                format!("{program} start --data-dir {}", directory.display())
            }
            Some(_) => format!("{program} start"),
        };
        vec![
            start,
            format!("{program} demo --endpoint http://127.0.0.1:4566"),
            format!("{program} ledger"),
        ]
    }

    async fn stop(self) {
        if let Some(Embedded {
            server, temporary, ..
        }) = self.embedded
        {
            server.shutdown().await;
            drop(temporary);
        }
    }
}

/// Where the embedded server keeps its data: the directory, what removes it, and whether it stays.
fn directories(
    options: &args::Demo,
) -> Result<(PathBuf, Option<tempfile::TempDir>, Option<PathBuf>)> {
    if let Some(directory) = &options.data_dir {
        return Ok((directory.clone(), None, Some(directory.clone())));
    }
    let temporary = tempfile::Builder::new().prefix("tidemill-demo-").tempdir();
    let temporary = temporary.context("no temporary directory could be made")?;
    if options.keep {
        let kept = temporary.keep();
        return Ok((kept.clone(), None, Some(kept)));
    }
    Ok((temporary.path().to_path_buf(), Some(temporary), None))
}

/// The demo's function is Python; without it every invocation would fail, and so would the story.
fn check_python() -> Result<(), Failed> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|directory| directory.join("python3").is_file());
    match found {
        true => Ok(()),
        false => Err(anyhow!("python3 was not found on PATH"))
            .or_try(format!("install python3, then: {} demo", output::program())),
    }
}

/// Gives up at SIGINT and SIGTERM, so that the embedded server is stopped and its directory removed.
async fn interruptible<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be caught")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT cannot be caught")?;
    tokio::select! {
        result = work => result,
        _ = terminate.recv() => bail!("the demo was told to stop"),
        _ = interrupt.recv() => bail!("the demo was interrupted"),
    }
}

/// The whole job, from the file to the verdict.
async fn job(host: &Host) -> Result<Report> {
    let flights: Arc<[Flight]> = flights::read(flights::JANUARY_2013)?.into();
    let incomplete = flights::incomplete_rows(&flights);
    let wire = host.wire();

    eprintln!("Server: {}", host.endpoint);
    let setup = Progress::begin("Setting up", 0);
    let pipeline = pipeline::set_up(&wire, &host.suffix).await?;
    setup.finish(&format!(
        "a stream of {} shards, two mappings, a queue",
        pipeline::SHARDS
    ));

    let puts = put(&wire, &pipeline, &flights).await?;
    let (defaults, careful) = watch(&wire, &pipeline, &puts, &incomplete).await?;
    let mut progress = Progress::begin("Emptying the failure queue", careful.totals.dead_lettered);
    let letters = drain::letters(&wire, &pipeline.queue_url, |messages| {
        progress.reach(messages)
    })
    .await?;
    progress.finish(&format!(
        "{} messages",
        output::grouped(letters.len() as u64)
    ));

    let progress = Progress::begin("Reading the stream back", 0);
    let stored = readback::read_all(&wire, &pipeline.stream, &flights).await?;
    progress.finish(&format!("{} records", output::grouped(stored.len() as u64)));
    let rows: BTreeSet<usize> = puts.acknowledged.iter().map(|one| one.row).collect();
    let collected = Collected {
        rows: flights.len() as u64,
        acknowledged: Acknowledgements {
            count: puts.acknowledged.len() as u64,
            rows: rows.len() as u64,
            doubtful: puts.doubtful,
        },
        stored: stored.totals(&puts.acknowledged, &incomplete),
        told: stored.told(letters.values(), &incomplete),
        poison: stored.first_poison(&incomplete),
        incomplete,
        defaults,
        careful,
    };
    let mut report = compose(host, &pipeline, &puts, collected);
    let landings = landings::read(landings::FIRST_OF_JANUARY_2001)?;
    let plan = Plan {
        suffix: &host.suffix,
        shards: pipeline::SHARDS,
        answers_min: 0,
    };
    report.landings = landing_act::run(&wire, plan, &landings).await?;
    let checks = report.landings.iter().flat_map(LandingReport::checks);
    let checks: Vec<_> = checks.collect();
    report.checks.extend(checks);
    Ok(report)
}

fn compose(host: &Host, pipeline: &Pipeline, puts: &Puts, collected: Collected) -> Report {
    let checks = verdict::judge(&collected);
    let Collected {
        rows,
        incomplete,
        acknowledged,
        defaults,
        careful,
        stored,
        told,
        ..
    } = collected;
    Report {
        endpoint: host.endpoint.to_string(),
        stream: pipeline.stream.clone(),
        file: FileCounts {
            rows,
            incomplete: incomplete.len() as u64,
        },
        producer: ProducerCounts {
            acknowledged: acknowledged.count,
            calls: puts.calls,
            partial_failures: puts.partial_failures,
            throttled: puts.throttled,
            failed: puts.failed,
            lost_answers: puts.lost_answers,
            doubtful: puts.doubtful,
        },
        stream_holds: StreamCounts {
            records: stored.records,
            missing: stored.missing,
        },
        queue: QueueCounts {
            messages: told.messages,
            records: told.records,
            rows: told.rows,
        },
        defaults,
        careful,
        landings: None,
        checks,
        next: Vec::new(),
    }
}

async fn put(wire: &Wire, pipeline: &Pipeline, flights: &Arc<[Flight]>) -> Result<Puts> {
    let mut progress = Progress::begin("Putting flights on the stream", flights.len() as u64);
    let report = |acknowledged| progress.reach(acknowledged);
    let puts = producer::put_all(wire, &pipeline.stream, Arc::clone(flights), report).await?;
    let throttled = output::grouped(puts.throttled);
    let acknowledged = output::grouped(puts.acknowledged.len() as u64);
    progress.finish(&format!(
        "{acknowledged} acknowledged, {throttled} throttled on the way"
    ));
    Ok(puts)
}

/// Waits until the careful mapping is done and the other stands still behind its poison.
async fn watch(
    wire: &Wire,
    pipeline: &Pipeline,
    puts: &Puts,
    incomplete: &BTreeSet<usize>,
) -> Result<(MappingReport, MappingReport)> {
    let acknowledged = puts.acknowledged.len() as u64;
    let poisoned: BTreeSet<&str> = puts
        .acknowledged
        .iter()
        .filter(|one| incomplete.contains(&one.row))
        .map(|one| one.shard.as_str())
        .collect();
    let mut progress = Progress::begin("Processing", acknowledged);
    let mut latest: Option<(MappingReport, MappingReport)> = None;
    let mut moved_at: Timestamp = wire.clock().now();
    loop {
        let both = ledgers(wire, pipeline).await?;
        progress.reach(both.1.totals.acked.saturating_sub(both.1.totals.pending));
        if is_done(&both.1, acknowledged) && stands_still(&both.0, &poisoned) {
            progress.finish("done");
            return Ok(both);
        }
        if latest
            .as_ref()
            .is_none_or(|latest| latest.1.totals != both.1.totals)
        {
            moved_at = wire.clock().now();
        } else if wire.clock().now() > moved_at.plus(STANDSTILL_MAX) {
            progress.finish("nothing moves any more");
            return Ok(both);
        }
        latest = Some(both);
        wire.pause(POLL_PAUSE).await;
    }
}

fn is_done(careful: &MappingReport, acknowledged: u64) -> bool {
    careful.totals.pending == 0 && careful.totals.acked >= acknowledged
}

fn stands_still(defaults: &MappingReport, poisoned: &BTreeSet<&str>) -> bool {
    let blocked = defaults
        .shards
        .iter()
        .filter(|shard| shard.blocked.is_some());
    let blocked: BTreeSet<&str> = blocked.map(|shard| shard.shard_id.as_str()).collect();
    poisoned.is_subset(&blocked)
}

async fn ledgers(wire: &Wire, pipeline: &Pipeline) -> Result<(MappingReport, MappingReport)> {
    let answer = wire
        .ask(&Call::Own("/_tidemill/ledger"))
        .await
        .context("the ledger was not given")?;
    let mut ledger: LedgerReport =
        serde_json::from_value(answer).context("the ledger cannot be read")?;
    let mut take = |uuid: &str| match ledger.mappings.iter().position(|one| one.uuid == uuid) {
        Some(place) => Ok(ledger.mappings.swap_remove(place)),
        None => bail!("the ledger does not know mapping {uuid}"),
    };
    Ok((take(&pipeline.defaults)?, take(&pipeline.careful)?))
}
