//! One running copy of a function: [`Environment`], the task that owns its process.
//!
//! A *phase* is a span in which the process is waited for: its start, then one for each invocation.
//! What must hold: one invocation at a time; when a phase ends without the process asking for work, the
//! process is gone, and with it everything it held in memory, while the temporary directory stays for
//! the process that is started next. A start that fails is tried once more as part of the invocation,
//! under the function's own timeout, as AWS does.

use std::future::poll_fn;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use tidemill_model::Timestamp;
use tidemill_model::fault::{Fault, Seam};

use crate::configuration::Configuration;
use crate::exchange::Ticket;
use crate::function_logs::{Lines, Report, Status, Tail, init_report_line, start_line};
use crate::function_name::LATEST;
use crate::invocation::{Invocation, InvokeFailure, Reply};
use crate::limits::INIT_TIME_MAX;
use crate::payloads::{Ending, Exit};
use crate::pool::EnvironmentId;
use crate::ports::{Command, Happening, Process, Program, StartFailure};
use crate::runtime::Runtime;
use crate::runtime_api::conversation::{Answer, Work};
use crate::runtime_api::server::RuntimeApi;
use crate::settings::Surroundings;
use crate::variables::{self, Start};

/// An invocation on its way to an environment, and who waits for it.
#[derive(Debug)]
pub struct Job {
    /// The invocation.
    pub invocation: Invocation,
    /// Who waits; may have gone.
    pub reply: oneshot::Sender<Result<Reply, InvokeFailure>>,
}

/// A process and its Runtime API.
struct Running {
    process: Box<dyn Process>,
    api: RuntimeApi,
}

/// How a phase ended.
enum PhaseEnd {
    /// The process asks for work.
    Asks,
    /// It has reported that it cannot start.
    InitFailed,
    /// It is gone.
    Exited(Exit),
    /// The deadline came first.
    TimedOut,
    /// The server stops.
    Stopping,
}

/// What came of an invocation.
enum Outcome {
    Answered(Answer),
    Ended(Ending),
}

impl Outcome {
    /// As the report of an invocation has it: an error of the handler is an end like any other.
    fn status(&self) -> Status<'_> {
        match self {
            Outcome::Answered(_) => Status::Ended,
            Outcome::Ended(Ending::TimedOut { .. }) => Status::TimedOut,
            Outcome::Ended(ending) => Status::Failed(ending.error_type()),
        }
    }

    /// As the report of a start has it, which is answered only by an error.
    fn status_of_start(&self) -> Status<'_> {
        match self {
            Outcome::Answered(Answer::Error { kind, .. }) => Status::Failed(kind),
            Outcome::Answered(Answer::Response(_) | Answer::TooLarge) | Outcome::Ended(_) => {
                self.status()
            }
        }
    }
}

/// The task's state.
pub struct Environment {
    id: EnvironmentId,
    configuration: Arc<Configuration>,
    surroundings: Arc<Surroundings>,
    stopping: watch::Receiver<bool>,
    running: Option<Running>,
    log_stream: String,
    tail: Tail,
    lines: Lines,
}

impl Environment {
    /// An environment of `configuration`, without a process yet.
    pub fn new(
        id: EnvironmentId,
        configuration: Arc<Configuration>,
        surroundings: Arc<Surroundings>,
        stopping: watch::Receiver<bool>,
    ) -> Environment {
        let mut unique = [0; 16];
        surroundings.entropy.fill(&mut unique);
        let unique: String = unique.iter().map(|byte| format!("{byte:02x}")).collect();
        let log_stream = variables::log_stream(surroundings.clock.now(), &unique);
        Environment {
            id,
            configuration,
            surroundings,
            stopping,
            running: None,
            log_stream,
            tail: Tail::default(),
            lines: Lines::default(),
        }
    }

    /// Runs what comes through `jobs` until no more can come. `finished` is told of the end of each,
    /// before who waits for it is.
    pub async fn run(mut self, mut jobs: mpsc::Receiver<Job>, finished: impl Fn(EnvironmentId)) {
        while let Some(Job { invocation, reply }) = self.next_job(&mut jobs).await {
            let result = self.invoke(invocation).await;
            finished(self.id);
            // Who asked may have gone; the function has run all the same.
            drop(reply.send(result));
        }
        self.running = None;
        if let Err(error) = self
            .surroundings
            .directories
            .remove_temporary(self.id.0)
            .await
        {
            tracing::warn!(environment = self.id.0, %error, "its temporary directory was not removed");
        }
    }

    /// Waits for a job while it watches the process, which may write or end at any time.
    async fn next_job(&mut self, jobs: &mut mpsc::Receiver<Job>) -> Option<Job> {
        loop {
            let Some(running) = &mut self.running else {
                return jobs.recv().await;
            };
            let happening = tokio::select! {
                biased;
                job = jobs.recv() => return job,
                happening = poll_fn(|context| running.process.poll(context)) => happening,
            };
            match happening {
                Happening::Wrote(bytes) => self.log(&bytes),
                Happening::Ended(exit) => {
                    tracing::debug!(environment = self.id.0, ?exit, "an idle process ended");
                    self.running = None;
                }
            }
        }
    }

    async fn invoke(&mut self, invocation: Invocation) -> Result<Reply, InvokeFailure> {
        self.tail.clear();
        let clock = Arc::clone(&self.surroundings.clock);
        let mut begun = clock.now();
        let (outcome, init_duration) = if self.running.is_some() {
            self.log_start(&invocation);
            (self.work(&invocation, self.deadline(begun)).await?, None)
        } else {
            let first = self.start(begun.plus(INIT_TIME_MAX)).await?;
            let init_duration = clock.now().since(begun);
            begun = clock.now();
            let outcome = self
                .invoke_cold(&invocation, begun, first, init_duration)
                .await?;
            (outcome, Some(init_duration))
        };
        self.log_end(
            &invocation,
            &outcome,
            clock.now().since(begun),
            init_duration,
        );
        Ok(self.reply(&invocation, outcome))
    }

    /// Runs an invocation whose environment has just been started for the `first` time.
    async fn invoke_cold(
        &mut self,
        invocation: &Invocation,
        begun: Timestamp,
        first: Started,
        init_duration: Duration,
    ) -> Result<Outcome, InvokeFailure> {
        let deadline = self.deadline(begun);
        let failed = match first {
            Started::Ready => {
                self.log_start(invocation);
                return self.work(invocation, deadline).await;
            }
            Started::Not(failed) => failed,
        };
        self.log(init_report_line(init_duration, failed.status_of_start()).as_bytes());
        self.log_start(invocation);
        if let Outcome::Ended(Ending::InvalidEntrypoint { .. }) = failed {
            return Ok(failed);
        }
        match self.start(deadline).await? {
            Started::Ready => self.work(invocation, deadline).await,
            Started::Not(failed) => Ok(failed),
        }
    }

    fn deadline(&self, begun: Timestamp) -> Timestamp {
        begun.plus(Duration::from_secs(
            self.configuration.timeout_seconds.into(),
        ))
    }

    /// Starts a process and waits for it to ask for work.
    async fn start(&mut self, deadline: Timestamp) -> Result<Started, InvokeFailure> {
        self.running = None;
        match self.launch().await {
            Ok(running) => self.running = Some(running),
            Err(Launch::Entrypoint(detail)) => {
                return Ok(Started::Not(Outcome::Ended(Ending::InvalidEntrypoint {
                    detail,
                })));
            }
            Err(Launch::Failed(detail)) => return Err(InvokeFailure::not_run(detail)),
        }
        let end = self.phase(deadline).await;
        if let PhaseEnd::Asks = end {
            return Ok(Started::Ready);
        }
        let answer = self
            .running
            .as_ref()
            .and_then(|running| running.api.conversation().take_answer());
        self.running = None;
        match (end, answer) {
            (PhaseEnd::Stopping, _) => Err(InvokeFailure::not_run("the server is stopping")),
            (_, Some(answer)) => Ok(Started::Not(Outcome::Answered(answer))),
            (end, None) => Ok(Started::Not(Outcome::Ended(self.ending(&end)))),
        }
    }

    /// Gives the process its work and waits for it to be done.
    async fn work(
        &mut self,
        invocation: &Invocation,
        deadline: Timestamp,
    ) -> Result<Outcome, InvokeFailure> {
        let work = self.work_of(invocation, deadline);
        let running = self
            .running
            .as_ref()
            .expect("a process was found or started");
        running.api.conversation().give(work);
        let end = self.phase(deadline).await;
        let answer = self
            .running
            .as_ref()
            .and_then(|running| running.api.conversation().take_answer());
        if !matches!(end, PhaseEnd::Asks) {
            self.running = None;
        }
        match (end, answer) {
            // An answer that was accepted stands, whatever became of the process afterwards.
            (_, Some(Answer::TooLarge)) => Ok(Outcome::Ended(Ending::ResponseTooLarge)),
            (_, Some(answer)) => Ok(Outcome::Answered(answer)),
            (PhaseEnd::Stopping, None) => Err(InvokeFailure::unknown(
                "the server stopped while the function ran",
            )),
            (end, None) => Ok(Outcome::Ended(self.ending(&end))),
        }
    }

    fn work_of(&self, invocation: &Invocation, deadline: Timestamp) -> Work {
        let entropy = &self.surroundings.entropy;
        Work {
            ticket: Ticket {
                request_id: invocation.request_id.clone(),
                invocation_id: entropy.uuid(),
            },
            deadline,
            function: invocation.function.to_string(),
            trace_id: format!(
                "Root=1-{:08x}-{:08x}{:016x};Parent={:016x};Sampled=0",
                self.surroundings.clock.now().as_secs(),
                entropy.next_u64() >> 32,
                entropy.next_u64(),
                entropy.next_u64()
            ),
            client_context: invocation.client_context.clone(),
            payload: invocation.payload.clone(),
        }
    }

    fn ending(&self, end: &PhaseEnd) -> Ending {
        match end {
            PhaseEnd::Exited(exit) => Ending::Exited(*exit),
            PhaseEnd::TimedOut => Ending::TimedOut {
                seconds: self.configuration.timeout_seconds,
            },
            // Neither ends a phase without an answer or a failure of its own.
            PhaseEnd::Asks | PhaseEnd::InitFailed | PhaseEnd::Stopping => {
                Ending::Exited(Exit::Code(0))
            }
        }
    }

    /// Waits until the process asks for work or is done for, and takes what it writes meanwhile.
    async fn phase(&mut self, deadline: Timestamp) -> PhaseEnd {
        let mut expired = self.surroundings.clock.sleep_until(deadline);
        let mut stopping = self.stopping.clone();
        let end = loop {
            let running = self.running.as_mut().expect("a phase has a process");
            let happening = tokio::select! {
                biased;
                asks = running.api.conversation().asks() => {
                    break if asks { PhaseEnd::Asks } else { PhaseEnd::InitFailed };
                }
                happening = poll_fn(|context| running.process.poll(context)) => happening,
                () = &mut expired => break PhaseEnd::TimedOut,
                _ = stopping.wait_for(|stop| *stop) => break PhaseEnd::Stopping,
            };
            match happening {
                Happening::Wrote(bytes) => self.log(&bytes),
                Happening::Ended(exit) => break PhaseEnd::Exited(exit),
            }
        };
        let running = self.running.as_mut().expect("a phase has a process");
        // What it wrote before it answered stands before the end of its log.
        let written = running.process.written();
        if !written.is_empty() {
            self.log(&written);
        }
        end
    }

    async fn launch(&self) -> Result<Running, Launch> {
        let surroundings = &self.surroundings;
        match surroundings.faults.at(Seam::EnvironmentStart) {
            Some(Fault::Fail | Fault::LoseAnswer) => {
                return Err(Launch::failed("a fault is armed"));
            }
            Some(Fault::Delay(delay)) => {
                surroundings
                    .clock
                    .sleep_until(surroundings.clock.now().plus(delay))
                    .await;
            }
            None => {}
        }
        let code = self.code().await?;
        let directories = &surroundings.directories;
        let temporary = directories
            .temporary(self.id.0)
            .await
            .map_err(Launch::failed)?;
        let runtime = directories.runtime().await.map_err(Launch::failed)?;
        let program = match self.configuration.runtime {
            Runtime::Python(_) => Program::Python(runtime.join("bootstrap.py")),
            Runtime::Provided(_) => Program::Executable(bootstrap(&code)?),
        };
        let api = RuntimeApi::listen().await.map_err(Launch::failed)?;
        let settings = &surroundings.settings;
        let start = Start {
            runtime_api: &api.address(),
            code: &code,
            runtime: &runtime,
            temporary: &temporary,
            log_stream: &self.log_stream,
            credentials: &settings.credentials,
            endpoint_url: settings.endpoint_url.as_deref(),
        };
        let variables = variables::of_process(&self.configuration, &start);
        let command = Command {
            program,
            variables,
            directory: code,
        };
        let process =
            surroundings
                .processes
                .start(command)
                .await
                .map_err(|failure| match failure {
                    StartFailure::Program { .. } => Launch::Entrypoint(failure.to_string()),
                    StartFailure::Machine { .. } => Launch::failed(failure),
                })?;
        Ok(Running { process, api })
    }

    /// The directory with the code, unpacked if need be.
    async fn code(&self) -> Result<std::path::PathBuf, Launch> {
        let name = &self.configuration.code.blob;
        let directories = &self.surroundings.directories;
        if let Some(found) = directories.find(name) {
            return Ok(found);
        }
        let zip = self
            .surroundings
            .blobs
            .get(name)
            .await
            .map_err(Launch::failed)?;
        let zip = zip.ok_or_else(|| Launch::failed(format!("the code {name} is missing")))?;
        directories.unpack(name, zip).await.map_err(Launch::failed)
    }

    fn reply(&mut self, invocation: &Invocation, outcome: Outcome) -> Reply {
        let (payload, failed) = match outcome {
            Outcome::Answered(Answer::Response(bytes)) => (bytes, false),
            Outcome::Answered(Answer::Error { report, .. }) => (report, true),
            Outcome::Answered(Answer::TooLarge) => (
                Ending::ResponseTooLarge.payload(&invocation.request_id),
                true,
            ),
            Outcome::Ended(ending) => (ending.payload(&invocation.request_id), true),
        };
        Reply {
            status_code: 200,
            executed_version: LATEST.to_owned(),
            function_error: failed.then(|| "Unhandled".to_owned()),
            payload,
            log_tail: invocation.log_tail.then(|| self.tail.to_base64()),
        }
    }

    fn log_start(&mut self, invocation: &Invocation) {
        self.log(start_line(&invocation.request_id, LATEST).as_bytes());
    }

    fn log_end(
        &mut self,
        invocation: &Invocation,
        outcome: &Outcome,
        duration: Duration,
        init_duration: Option<Duration>,
    ) {
        let request_id = invocation.request_id.as_str();
        if let Outcome::Ended(Ending::TimedOut { seconds }) = outcome {
            let now = self.surroundings.clock.now();
            let line = format!("{now} {request_id} Task timed out after {seconds}.00 seconds\n");
            self.log(line.as_bytes());
        }
        let status = outcome.status();
        let memory_mb = self.configuration.memory_mb;
        let report = Report {
            request_id,
            duration,
            init_duration,
            memory_mb,
            status,
        };
        self.log(report.lines().as_bytes());
    }

    fn log(&mut self, written: &[u8]) {
        self.tail.push(written);
        if tracing::enabled!(target: "tidemill::function_logs", tracing::Level::DEBUG) {
            let function = self.configuration.arn.name.as_str();
            self.lines.push(written, |line| {
                let line = String::from_utf8_lossy(line);
                tracing::debug!(target: "tidemill::function_logs", function, "{line}");
            });
        }
    }
}

/// How a start came out.
enum Started {
    Ready,
    Not(Outcome),
}

/// Why a process was not started.
enum Launch {
    /// The function's program is at fault.
    Entrypoint(String),
    /// We are.
    Failed(String),
}

impl Launch {
    fn failed(detail: impl ToString) -> Launch {
        Launch::Failed(detail.to_string())
    }
}

/// The executable of a `provided` runtime.
fn bootstrap(code: &Path) -> Result<std::path::PathBuf, Launch> {
    let path = code.join("bootstrap");
    if path.is_file() {
        return Ok(path);
    }
    Err(Launch::Entrypoint(format!(
        "Couldn't find valid bootstrap(s): [{}]",
        path.display()
    )))
}
