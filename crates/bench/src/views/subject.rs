//! The server under measurement: [`Subject`], a process of its own, durable, reached over HTTP.
//!
//! What must hold: its CPU time is that of the server and of nothing else; it is ended by a kill, so that
//! each start of it is one after a crash. What its views have and have absorbed is what it says and what
//! its manifests say.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use thiserror::Error;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};

use tidemill_model::Clock;
use tidemill_server::clock::SystemClock;

use crate::client::{Client, Credentials, EndpointMalformed, Failure, Prepared};
use crate::load::{self, Load, LoadError, Sample};
use crate::stopwatch::Stopwatch;
use crate::views::records::{COLUMNS, ENTRIES, GROUPED, Records, SELECT, Totals};

/// Shards of each stream.
pub const SHARDS: u64 = 4;
/// Connections that put.
const CONNECTIONS: usize = 4;
/// Requests that are prepared at once while a stream is filled.
const REQUESTS: u64 = 64;
/// Longest wait for what a view is to have.
const PATIENCE: Duration = Duration::from_secs(120);
/// Between two questions whether it has it.
const INTERVAL: Duration = Duration::from_millis(2);
/// Ticks of a second in `/proc`, the same on every Linux that this runs on.
const TICKS: f64 = 100.0;

/// Why views could not be measured.
#[derive(Debug, Error)]
pub enum ViewsBenchError {
    /// A file, a pipe or a process could not be used.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The server did not start.
    #[error("the server to measure did not start: {said}")]
    Start {
        /// The last it said.
        said: String,
    },
    /// Its address is not an endpoint.
    #[error(transparent)]
    Endpoint(#[from] EndpointMalformed),
    /// A call failed.
    #[error("a call of the benchmark failed")]
    Call(#[from] Failure),
    /// Putting or asking failed.
    #[error("the load failed")]
    Load(#[from] LoadError),
    /// Something did not happen in time.
    #[error("{what} after {PATIENCE:?}")]
    Late {
        /// What is missing.
        what: String,
    },
    /// An answer is not what it has to be, so its figures would mean nothing.
    #[error("{what}")]
    Wrong {
        /// What is wrong.
        what: String,
    },
}

/// The error that something is not what it has to be.
pub fn wrong(what: impl Into<String>) -> ViewsBenchError {
    ViewsBenchError::Wrong { what: what.into() }
}

/// How a server is started.
#[derive(Clone, Debug)]
pub struct Start {
    /// The command, but for its options.
    pub program: Vec<PathBuf>,
    /// Where it keeps its data.
    pub directory: PathBuf,
    /// After how long records reach the master dataset.
    pub epoch: Duration,
}

/// A server that runs.
pub struct Subject {
    /// Reaches it.
    pub client: Client,
    child: Child,
    directory: PathBuf,
}

impl Subject {
    /// Starts a server; it serves when this completes.
    pub async fn start(start: &Start) -> Result<Subject, ViewsBenchError> {
        let (first, rest) = start.program.split_first().ok_or_else(|| {
            let said = "no program was named".to_owned();
            ViewsBenchError::Start { said }
        })?;
        std::fs::create_dir_all(&start.directory)?;
        let config = start.directory.join("bench.toml");
        let text = format!("[views]\nepoch_millis = {}\n", start.epoch.as_millis());
        std::fs::write(&config, text)?;
        let mut command = Command::new(first);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("TIDEMILL_") {
                command.env_remove(name);
            }
        }
        let mut child = command
            .args(rest)
            .arg("--data-dir")
            .arg(start.directory.join("data"))
            .arg("--config")
            .arg(config)
            .args(["--port", "0", "--sql-port", "0", "--limits", "none"])
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let told = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        let endpoint = endpoint(told).await?;
        let mut ready = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        if ready.next_line().await?.as_deref() != Some("Ready.") {
            let said = "it did not say that it is ready".to_owned();
            return Err(ViewsBenchError::Start { said });
        }
        let client = Client::new(
            endpoint.parse()?,
            Credentials::default(),
            Arc::new(SystemClock),
        );
        Ok(Subject {
            client,
            child,
            directory: start.directory.join("data"),
        })
    }

    /// Kills it.
    pub async fn kill(mut self) -> Result<(), ViewsBenchError> {
        Ok(self.child.kill().await?)
    }

    /// Where it keeps its data.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Seconds of CPU that it has used, in all its threads.
    pub fn cpu_seconds(&self) -> Result<f64, ViewsBenchError> {
        let unknown = || wrong("the system does not say how much CPU a process has used");
        let id = self.child.id().ok_or_else(unknown)?;
        let text = std::fs::read_to_string(format!("/proc/{id}/stat"))?;
        cpu_seconds(&text).ok_or_else(unknown)
    }

    /// Makes a stream of the declared columns.
    pub async fn create_stream(&self, name: &str) -> Result<(), ViewsBenchError> {
        let create = json!({ "StreamName": name, "ShardCount": SHARDS });
        self.client.kinesis("CreateStream", &create).await?;
        let describe = json!({ "StreamName": name });
        self.wait_until(&format!("stream {name} is not active"), async || {
            let summary = self.client.kinesis("DescribeStreamSummary", &describe);
            Ok(summary.await?["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE")
        })
        .await?;
        let declare = format!("CREATE SCHEMA FOR STREAM {name} ({COLUMNS})");
        self.carry_out(&declare).await
    }

    /// Makes the view called `name` over `stream`.
    pub async fn create_view(
        &self,
        name: &str,
        stream: &str,
        absorb: &str,
    ) -> Result<(), ViewsBenchError> {
        self.carry_out(&format!(
            "CREATE VIEW {name} WITH (absorb = '{absorb}') AS {SELECT} FROM STREAM {stream} {GROUPED}"
        ))
        .await
    }

    /// Carries out a statement.
    pub async fn carry_out(&self, sql: &str) -> Result<(), ViewsBenchError> {
        let input = json!({ "sql": sql });
        let done = self
            .client
            .own_call(Method::POST, "/_tidemill/views", Some(&input));
        done.await?;
        Ok(())
    }

    /// A query, to be asked later.
    pub fn question(&self, sql: &str) -> Prepared {
        let input = json!({ "sql": sql });
        self.client
            .prepare_own(Method::POST, "/_tidemill/views/query", Some(&input))
    }

    /// The requests that put the records of `numbers`.
    pub fn puts(&self, records: Records, stream: &str, numbers: Range<u64>) -> Vec<Prepared> {
        let firsts = numbers.clone().step_by(ENTRIES as usize);
        let bodies =
            firsts.map(|first| records.body(stream, first..(first + ENTRIES).min(numbers.end)));
        bodies
            .map(|body| self.client.prepare_kinesis("PutRecords", body))
            .collect()
    }

    /// Sends each of `requests` once.
    pub async fn put(&self, requests: Vec<Prepared>) -> Result<Sample, ViewsBenchError> {
        let load = Load {
            requests_max: requests.len() as u64,
            requests: requests.into(),
            entries: ENTRIES as usize,
            connections: CONNECTIONS,
            duration: PATIENCE,
        };
        let sample = load::run(&self.client, &load).await?;
        match sample.requests == load.requests_max {
            true => Ok(sample),
            false => Err(ViewsBenchError::Late {
                what: "not all records are put".to_owned(),
            }),
        }
    }

    /// Puts the records of `numbers`.
    pub async fn fill(
        &self,
        records: Records,
        stream: &str,
        numbers: Range<u64>,
    ) -> Result<(), ViewsBenchError> {
        let each = REQUESTS * ENTRIES;
        for first in numbers.clone().step_by(each as usize) {
            let some = first..(first + each).min(numbers.end);
            self.put(self.puts(records, stream, some)).await?;
        }
        Ok(())
    }

    /// Completes when `view` has `records` in its answers.
    pub async fn wait_for(&self, view: &str, records: u64) -> Result<(), ViewsBenchError> {
        let path = format!("/_tidemill/views/{view}");
        self.wait_until(&format!("{view} has not all records"), async || {
            let positions = &self.client.own(&path).await?["positions"];
            let positions = positions.as_object().into_iter().flatten();
            let counts = positions.filter_map(|(_, position)| position.as_u64());
            Ok(counts.sum::<u64>() >= records)
        })
        .await
    }

    /// How many records are in the batch view of `view`.
    pub fn absorbed(&self, view: &str) -> Result<u64, ViewsBenchError> {
        absorbed(&self.directory, view)
    }

    /// Completes when the batch view of `view` has `records`.
    pub async fn wait_until_absorbed(
        &self,
        view: &str,
        records: u64,
    ) -> Result<(), ViewsBenchError> {
        let what = format!("the batch view of {view} has not all records");
        self.wait_until(&what, async || Ok(self.absorbed(view)? >= records))
            .await
    }

    /// Completes when the master dataset of `stream` has all records; gives its folder.
    pub async fn wait_until_archived(&self, stream: &str) -> Result<PathBuf, ViewsBenchError> {
        let path = format!("/_tidemill/views/archives/{stream}");
        let what = format!("{stream} is not archived");
        self.wait_until(&what, async || {
            Ok(self.client.own(&path).await?["lag_records"] == 0)
        })
        .await?;
        let archive = self.client.own(&path).await?;
        let folder = archive["folder"].as_str().ok_or_else(|| wrong(what))?;
        Ok(self.directory.join(folder))
    }

    /// Refuses `view` when its groups do not add up to `totals`.
    pub async fn check(&self, view: &str, totals: Totals) -> Result<(), ViewsBenchError> {
        let question = self.question(&whole(view));
        let answer = self.client.send(&question).await?;
        let answer: Value = serde_json::from_slice(&answer.body)
            .map_err(|error| wrong(format!("an answer that is no JSON: {error}")))?;
        let row = &answer["rows"][0];
        let found = (row["n"].as_i64(), row["delay"].as_i64());
        match found == (Some(totals.n), Some(totals.delay)) {
            true => Ok(()),
            false => Err(wrong(format!("{view} comes to {row} and not {totals:?}"))),
        }
    }

    async fn wait_until(
        &self,
        what: &str,
        is_so: impl AsyncFn() -> Result<bool, ViewsBenchError>,
    ) -> Result<(), ViewsBenchError> {
        let watch = Stopwatch::start();
        while !is_so().await? {
            if watch.elapsed() > PATIENCE {
                let what = what.to_owned();
                return Err(ViewsBenchError::Late { what });
            }
            pause(INTERVAL).await;
        }
        Ok(())
    }
}

/// The query over all groups of `view`.
pub fn whole(view: &str) -> String {
    format!("SELECT sum(n) AS n, sum(delay) AS delay FROM {view}")
}

/// Waits.
pub async fn pause(time: Duration) {
    SystemClock.sleep_until(SystemClock.now().plus(time)).await;
}

/// Where the server that tells these lines is reached. What it tells later is read to its end, so that it
/// never waits for a reader.
async fn endpoint(mut told: Lines<BufReader<ChildStderr>>) -> Result<String, ViewsBenchError> {
    let mut said = "it ended without a word".to_owned();
    while let Some(line) = told.next_line().await? {
        if let Some((_, rest)) = line.split_once(" serves ") {
            let endpoint = rest.split([',', ' ']).next().unwrap_or_default();
            tokio::spawn(async move { while let Ok(Some(_)) = told.next_line().await {} });
            return Ok(endpoint.to_owned());
        }
        said = line;
    }
    Err(ViewsBenchError::Start { said })
}

/// User and system time from `/proc/…/stat`: fields 14 and 15, counted behind the command's closing
/// parenthesis, for the command may hold spaces.
fn cpu_seconds(text: &str) -> Option<f64> {
    let behind_command = &text[text.rfind(')')? + 1..];
    let mut fields = behind_command.split_whitespace().skip(14 - 3);
    let mut ticks = || fields.next()?.parse::<f64>().ok();
    Some((ticks()? + ticks()?) / TICKS)
}

/// The positions in the newest manifest of `view`, added up.
fn absorbed(directory: &Path, view: &str) -> Result<u64, ViewsBenchError> {
    let Ok(folders) = std::fs::read_dir(directory.join("views/batch")) else {
        return Ok(0);
    };
    let mut newest = None;
    for folder in folders {
        let folder = folder?;
        let name = folder.file_name().to_string_lossy().into_owned();
        if name.rsplit_once('-').map(|(view, _)| view) != Some(view) {
            continue;
        }
        for file in std::fs::read_dir(folder.path())? {
            let path = file?.path();
            // One that is not there yet has another ending.
            let is_manifest = path.file_name().is_some_and(|name| {
                let name = name.to_string_lossy();
                name.starts_with("manifest-") && name.ends_with(".json")
            });
            newest = newest.max(is_manifest.then_some(path));
        }
    }
    // One that was there a moment ago may have been swapped for a newer one.
    let text = newest.and_then(|path| std::fs::read(path).ok());
    let manifest: Value = text
        .and_then(|text| serde_json::from_slice(&text).ok())
        .unwrap_or(Value::Null);
    let positions = manifest["body"]["positions"].as_str().unwrap_or_default();
    let counts = positions.split(',').filter_map(|one| {
        let (_, position) = one.split_once(':')?;
        position.parse::<u64>().ok()
    });
    Ok(counts.sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_process_is_that_of_its_user_and_of_the_system() {
        let fields = "R 1 1 1 0 -1 4194304 5 0 0 0 250 50 0 0 20 0 9 0 77 1 1";
        let text = format!("12 (tide mill) x) {fields}\n");
        assert_eq!(cpu_seconds(&text), Some(3.0));
        assert_eq!(cpu_seconds("12 (short)"), None);
    }

    #[test]
    fn what_is_absorbed_is_what_the_newest_manifest_says() {
        let directory = tempfile::tempdir().expect("a directory");
        assert_eq!(absorbed(directory.path(), "v").expect("is read"), 0);
        for (view, epoch, positions) in
            [("v-1", 1, "0:5"), ("v-1", 2, "0:7,1:4"), ("w-2", 9, "0:99")]
        {
            let folder = directory.path().join("views/batch").join(view);
            std::fs::create_dir_all(&folder).expect("a folder");
            let manifest = json!({ "body": { "positions": positions } }).to_string();
            let path = folder.join(format!("manifest-{epoch:012}.json"));
            std::fs::write(path, manifest).expect("a manifest");
        }
        let unborn = directory
            .path()
            .join("views/batch/v-1/manifest-000000000003.json.tmp");
        let manifest = json!({ "body": { "positions": "0:77" } }).to_string();
        std::fs::write(unborn, manifest).expect("a file");
        assert_eq!(absorbed(directory.path(), "v").expect("is read"), 11);
    }
}
