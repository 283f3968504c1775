//! [`Step`]: one command that is run, shown as it goes, timed, and read for its closing line.
//!
//! Both outputs of the command come through one pipe, so that lines keep their order and the closing
//! line is found on either.

use std::ffi::OsStr;
use std::fmt;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

/// A command with the name it is reported under.
pub struct Step {
    name: String,
    command: Command,
}

/// What came of a step.
pub struct Done {
    /// The name it was run under.
    pub name: String,
    /// How long it took.
    pub took: Duration,
    /// How it ended.
    pub status: ExitStatus,
    /// Everything it said, line by line.
    pub lines: Vec<String>,
}

impl Step {
    /// The step `name`: `program` run in the workspace's `root`.
    pub fn new(name: &str, root: &Path, program: impl AsRef<OsStr>) -> Step {
        let mut command = Command::new(program);
        command.current_dir(root).stdin(std::process::Stdio::null());
        Step {
            name: name.to_owned(),
            command,
        }
    }

    /// The step `name`: the cargo that runs us, with `arguments`.
    pub fn cargo(name: &str, root: &Path, arguments: &[&str]) -> Step {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        Step::new(name, root, cargo).with(arguments)
    }

    /// Adds arguments.
    pub fn with<A: AsRef<OsStr>>(mut self, arguments: &[A]) -> Step {
        self.command.args(arguments);
        self
    }

    /// Sets a variable of its environment.
    pub fn environment(mut self, name: &str, value: impl AsRef<OsStr>) -> Step {
        self.command.env(name, value);
        self
    }

    /// Runs it to its end, printing what it says. An error when it cannot be started.
    pub fn run(mut self) -> Result<Done> {
        println!("\n== {}", self.name);
        let stopwatch = Stopwatch::start();
        let (reader, writer) = std::io::pipe().context("making a pipe")?;
        self.command
            .stdout(writer.try_clone().context("doubling a pipe")?)
            .stderr(writer);
        let mut child = self
            .command
            .spawn()
            .with_context(|| format!("starting {}", self.name))?;
        // The command holds the writing ends; while it does, reading would never come to an end.
        drop(self.command);
        let mut lines = Vec::new();
        for line in BufReader::new(reader).split(b'\n') {
            let line = line.with_context(|| format!("reading what {} says", self.name))?;
            let line = String::from_utf8_lossy(&line).into_owned();
            println!("{line}");
            lines.push(line);
        }
        let status = child
            .wait()
            .with_context(|| format!("waiting for {}", self.name))?;
        let done = Done {
            name: self.name,
            took: stopwatch.elapsed(),
            status,
            lines,
        };
        println!("== {done}");
        Ok(done)
    }

    /// Runs it; an error as well when it ends with another status than 0.
    pub fn run_well(self) -> Result<Done> {
        let done = self.run()?;
        ensure!(
            done.status.success(),
            "{} ended with {}",
            done.name,
            done.status
        );
        Ok(done)
    }
}

impl fmt::Display for Done {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let result = if self.status.success() {
            "ok"
        } else {
            "FAILED"
        };
        write!(
            formatter,
            "{}: {result}, took {:.1} s",
            self.name,
            self.took.as_secs_f64()
        )
    }
}

/// The tasks' own door to the clock: they report how long they took.
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    #[expect(
        clippy::disallowed_methods,
        reason = "a task says how long it really took"
    )]
    pub fn start() -> Stopwatch {
        Stopwatch(Instant::now())
    }

    /// How long ago that was.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Whether `program` with `arguments` can be run and ends well; what it says is not shown.
pub fn works(program: impl AsRef<OsStr>, arguments: &[&str]) -> bool {
    Command::new(program)
        .args(arguments)
        .output()
        .is_ok_and(|output| output.status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_outputs_are_kept_in_order_and_the_status_is_known() {
        let script = "echo one; echo two >&2; echo three; exit 3";
        let step = Step::new("a script", Path::new("."), "sh").with(&["-c", script]);
        let done = step.run().expect("sh exists");
        assert_eq!(done.lines, ["one", "two", "three"]);
        assert_eq!(done.status.code(), Some(3));
    }

    #[test]
    fn a_step_that_must_end_well_fails_otherwise() {
        let step = Step::new("a script", Path::new("."), "sh").with(&["-c", "exit 1"]);
        assert!(step.run_well().is_err());
        assert!(
            Step::new("nothing", Path::new("."), "no-such-program")
                .run()
                .is_err()
        );
    }

    #[test]
    fn a_tool_that_is_missing_does_not_work() {
        assert!(works("sh", &["-c", "true"]));
        assert!(!works("sh", &["-c", "false"]));
        assert!(!works("no-such-program", &[]));
    }
}
