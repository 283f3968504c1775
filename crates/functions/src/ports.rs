//! What this crate needs of the world: [`Processes`], which starts the processes of environments.
//!
//! The real one stands in `sandbox`. A process is watched by polling, so that one task can wait
//! for its output, its end and a deadline at once.

use std::path::PathBuf;
use std::task::{Context, Poll};

use bytes::Bytes;
use thiserror::Error;

use tidemill_model::BoxFuture;

use crate::payloads::Exit;

/// What is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    /// The machine's Python, running this script.
    Python(PathBuf),
    /// This executable.
    Executable(PathBuf),
}

/// A process to start. It gets a process group of its own, no input, and no variables but these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// What is started.
    pub program: Program,
    /// Its whole environment.
    pub variables: Vec<(String, String)>,
    /// Where it starts.
    pub directory: PathBuf,
}

/// Why a process was not started.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StartFailure {
    /// The program is at fault: it is missing, cannot be run, or is no program.
    #[error("fork/exec {program}: {reason}")]
    Program {
        /// The program's path.
        program: String,
        /// The system's reason, as AWS words it.
        reason: String,
    },
    /// The machine is at fault.
    #[error("a process could not be started: {detail}")]
    Machine {
        /// What the system said.
        detail: String,
    },
}

/// Something that a process has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happening {
    /// It wrote this, to its output or its error output.
    Wrote(Bytes),
    /// It ended.
    Ended(Exit),
}

/// A process that was started. Dropping it kills its whole group.
pub trait Process: Send + Sync {
    /// The next thing it does. After its end there is nothing more; what it wrote before it ended
    /// comes first as long as it can be had without waiting.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Happening>;

    /// What it has written up to now and [`Process::poll`] has not given; empty when there is nothing.
    fn written(&mut self) -> Bytes;

    /// Kills it and every process it started.
    fn kill(&mut self);
}

/// Starts processes.
pub trait Processes: Send + Sync {
    /// Starts `command`.
    fn start(&self, command: Command)
    -> BoxFuture<'static, Result<Box<dyn Process>, StartFailure>>;
}
