//! A log that another process fills and holds: [`hold`] is that process, [`Holder`] starts, asks and
//! kills it.
//!
//! What must hold: memory is that of a process which has nothing but the log; a kill is a kill, while
//! the process is writing. The two speak in lines: `filled` with [`Filled`] as JSON comes when the disk
//! is quiet; `load`, sent to it, has it put on until it is killed, and is answered with `loading`.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::Runtime;

use tidemill_log::{AppendError, Batch, Log};
use tidemill_model::Clock;
use tidemill_server::clock::SystemClock;

use crate::log::report::Filled;
use crate::log::subject::{BEST, ENTRY_BYTES, LogBenchError, Subject, partition};
use crate::stopwatch::Stopwatch;

/// Records that are put together while filling.
const BATCH_ENTRIES: u64 = 128;
/// Batches in flight while filling.
const BATCHES_IN_FLIGHT: u64 = 16;
/// The disk is quiet when nothing was written for so long.
const QUIET: Duration = Duration::from_secs(2);
/// Longest wait for that.
const QUIET_TIMEOUT: Duration = Duration::from_secs(120);

/// Fills a log in `directory` with `entries` records of 1 KiB on each of `partitions`, says so, and
/// holds it until it is killed or nobody listens.
pub fn hold(directory: &Path, partitions: u64, entries: u64) -> Result<(), LogBenchError> {
    let runtime = Runtime::new()?;
    let subject = Subject::open(directory, &BEST)?;
    // What opening wrote is no work of the puts.
    subject.disk.take();
    let resident_before_bytes = resident_bytes(std::process::id())?;
    let watch = Stopwatch::start();
    fill(&runtime, &subject, partitions, entries)?;
    let seconds = watch.elapsed().as_secs_f64();
    let written_bytes = runtime.block_on(written_until_quiet(&subject));
    let filled = Filled {
        partitions,
        entries,
        payload_bytes: partitions * entries * ENTRY_BYTES as u64,
        seconds,
        resident_before_bytes,
        resident_idle_bytes: resident_bytes(std::process::id())?,
        written_bytes,
    };
    let said = serde_json::to_string(&filled).map_err(std::io::Error::other)?;
    say(&format!("filled {said}"))?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    if line.trim() != "load" {
        return Ok(());
    }
    // Said between two puts of many: the next is on its way when the kill comes.
    fill(&runtime, &subject, partitions, 1)?;
    say("loading")?;
    loop {
        fill(&runtime, &subject, partitions, 1)?;
    }
}

fn say(line: &str) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}

/// Puts `entries` records on each of `partitions`, in rounds over all of them.
fn fill(
    runtime: &Runtime,
    subject: &Subject,
    partitions: u64,
    entries: u64,
) -> Result<(), LogBenchError> {
    let payload = Bytes::from(vec![7; ENTRY_BYTES]);
    let total = partitions * entries;
    let batches = total.div_ceil(BATCH_ENTRIES);
    let callers: Vec<_> = (0..BATCHES_IN_FLIGHT)
        .map(|caller| {
            let (log, payload) = (Arc::clone(&subject.log), payload.clone());
            runtime.spawn(async move {
                for batch in (caller..batches).step_by(BATCHES_IN_FLIGHT as usize) {
                    let first = batch * BATCH_ENTRIES;
                    let numbers = first..(first + BATCH_ENTRIES).min(total);
                    let entries =
                        numbers.map(|number| (partition(number % partitions), payload.clone()));
                    log.append(Batch::of(entries)).await?;
                }
                Ok::<_, AppendError>(())
            })
        })
        .collect();
    for caller in callers {
        runtime.block_on(caller).expect("putting does not panic")?;
    }
    Ok(())
}

async fn written_until_quiet(subject: &Subject) -> u64 {
    let mut written = subject.disk.take().bytes;
    let deadline = SystemClock.now().plus(QUIET_TIMEOUT);
    while SystemClock.now() < deadline {
        SystemClock.sleep_until(SystemClock.now().plus(QUIET)).await;
        match subject.disk.take().bytes {
            0 => break,
            more => written += more,
        }
    }
    written
}

/// Resident memory of process `id`.
fn resident_bytes(id: u32) -> std::io::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: Option<u64> = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    kib.map(|kib| kib * 1024)
        .ok_or_else(|| std::io::Error::other("the system does not say how much memory is resident"))
}

/// A process that holds a log.
pub struct Holder {
    child: Child,
    said: BufReader<std::process::ChildStdout>,
}

impl Holder {
    /// Starts `program`, which calls [`hold`], and waits until the log is filled.
    pub fn start(
        program: &[PathBuf],
        directory: &Path,
        partitions: u64,
        entries: u64,
    ) -> Result<(Holder, Filled), LogBenchError> {
        let (first, rest) = program
            .split_first()
            .ok_or_else(|| std::io::Error::other("no program was named"))?;
        let mut child = Command::new(first)
            .args(rest)
            .arg("--hold")
            .arg(directory)
            .arg(format!("--partitions={partitions}"))
            .arg(format!("--hold-entries={entries}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().expect("it is piped");
        let mut holder = Holder {
            child,
            said: BufReader::new(stdout),
        };
        let said = holder.listen()?;
        let filled = said
            .strip_prefix("filled ")
            .and_then(|text| serde_json::from_str(text).ok());
        match filled {
            Some(filled) => Ok((holder, filled)),
            None => Err(LogBenchError::Holder { said }),
        }
    }

    fn listen(&mut self) -> Result<String, LogBenchError> {
        let mut line = String::new();
        self.said.read_line(&mut line)?;
        Ok(line.trim().to_owned())
    }

    /// Has it put on, and kills it while it does.
    pub fn kill_under_load(mut self) -> Result<(), LogBenchError> {
        let stdin = self.child.stdin.as_mut().expect("it is piped");
        stdin.write_all(b"load\n")?;
        let said = self.listen()?;
        if said != "loading" {
            return Err(LogBenchError::Holder { said });
        }
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        // One that has ended by itself needs no end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
