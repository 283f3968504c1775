//! `cargo xtask test`: everything that the tests need, then all of them, then one line that adds up.
//!
//! What must hold: the last line is `N passed, N failed, N skipped` over all runners; a runner whose
//! tool is missing is named and its tests count as skipped; a runner that breaks counts as failed; only
//! what ran this time proves anything of the API. The workspace is built once, in the dev profile, before
//! any runner starts.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::count::{Count, Runner};
use crate::node::{self, Node};
use crate::parity;
use crate::python::{self, Python};
use crate::step::{Done, Step, Stopwatch, works};

const SERVER: &str = "target/debug/tidemill";

/// What one part of the run came to.
struct Part {
    name: String,
    took: Duration,
    count: Count,
    /// The runner's own last words, or why it did not run.
    closing: String,
}

/// Runs all tests; an error when one failed.
pub fn run(root: &Path) -> Result<()> {
    let stopwatch = Stopwatch::start();
    let mut parts = vec![];
    let (python, node) = (python::prepare(root), node::prepare(root));
    let build = Step::cargo("build", root, &["build", "--workspace", "--all-targets"]).run_well();
    match build {
        Ok(build) => {
            parts.push(rust_tests(root));
            parts.push(documentation_tests(root));
            parts.push(model_tests(root));
            parts.push(client_tests(root, &python));
            parts.push(node_tests(root, node));
            parts.push(parity(root, &python));
            parts.insert(0, without_tests(build));
        }
        Err(error) => parts.push(broken("build", &error)),
    }
    println!("\n== what was run");
    for part in &parts {
        println!(
            "{:<12} {:>6.1} s  {}",
            part.name,
            part.took.as_secs_f64(),
            part.closing
        );
    }
    println!("{:<12} {:>6.1} s", "all", stopwatch.elapsed().as_secs_f64());
    let count: Count = parts.iter().map(|part| part.count).sum();
    println!("{count}");
    ensure!(count.failed == 0, "tests failed");
    Ok(())
}

fn rust_tests(root: &Path) -> Part {
    if works("cargo", &["nextest", "--version"]) {
        let arguments = [
            "nextest",
            "run",
            "--workspace",
            "--no-fail-fast",
            "--status-level",
            "fail",
        ];
        return finished(Runner::Nextest, Step::cargo("rust", root, &arguments).run());
    }
    println!("\ncargo-nextest is not installed: the tests run with cargo test, which is slower");
    let arguments = ["test", "--workspace", "--all-targets", "--no-fail-fast"];
    finished(
        Runner::CargoTest,
        Step::cargo("rust", root, &arguments).run(),
    )
}

fn documentation_tests(root: &Path) -> Part {
    let arguments = ["test", "--workspace", "--doc", "--no-fail-fast"];
    finished(
        Runner::CargoTest,
        Step::cargo("doc", root, &arguments).run(),
    )
}

/// A workspace of its own, which is built apart.
fn model_tests(root: &Path) -> Part {
    let folder = root.join("model_check");
    let step = Step::cargo("model", &folder, &["test", "--no-fail-fast"]);
    finished(Runner::CargoTest, step.run())
}

fn client_tests(root: &Path, python: &Result<Python>) -> Part {
    if let Err(error) = parity::forget(root) {
        return broken("clients", &error);
    }
    let interpreter = match python {
        Ok(Python::Ready(interpreter)) => interpreter,
        Ok(Python::Missing(tool)) => return skipped("clients", python::count_tests(root), tool),
        Err(error) => return broken("clients", error),
    };
    let step = python::pytest("clients", root, interpreter)
        .with(&["--quiet", "-rs"])
        .environment("TIDEMILL_BINARY", root.join(SERVER))
        .environment(parity::VARIABLE, parity::record(root));
    finished(Runner::Pytest, step.run())
}

fn node_tests(root: &Path, node: Result<Node>) -> Part {
    match node {
        Ok(Node::Ready) => {}
        Ok(Node::Missing(tool)) => return skipped("node", node::count_tests(root), tool),
        Err(error) => return broken("node", &error),
    }
    let step = node::tests(root).environment("TIDEMILL_BINARY", root.join(SERVER));
    finished(Runner::Node, step.run())
}

/// What the clients' tests proved of the API, and whether the page that says so is current; nothing
/// when they could not run.
fn parity(root: &Path, python: &Result<Python>) -> Part {
    if let Ok(Python::Missing(tool)) = python {
        return skipped("parity", Ok(1), tool);
    }
    match parity::check(root) {
        Ok(closing) => Part {
            name: "parity".into(),
            took: Duration::ZERO,
            count: Count::default(),
            closing,
        },
        Err(error) => broken("parity", &error),
    }
}

fn without_tests(done: Done) -> Part {
    Part {
        name: done.name,
        took: done.took,
        count: Count::default(),
        closing: "built".into(),
    }
}

fn finished(runner: Runner, done: Result<Done>) -> Part {
    let done = match done {
        Ok(done) => done,
        Err(error) => return broken("runner", &error),
    };
    let count = Count::of(runner, &done.lines, done.status.success());
    let closing = match runner {
        Runner::CargoTest => format!("cargo test: {count}"),
        Runner::Node => format!("node --test: {count}"),
        Runner::Nextest | Runner::Pytest => done
            .lines
            .iter()
            .rfind(|line| runner.closing(line).is_some())
            .map_or_else(
                || format!("no closing line, ended with {}", done.status),
                |line| line.trim().to_owned(),
            ),
    };
    Part {
        name: done.name,
        took: done.took,
        count,
        closing,
    }
}

fn skipped(name: &str, count: Result<usize>, tool: &str) -> Part {
    let skipped = count.unwrap_or(1);
    let closing = format!("{skipped} skipped: {tool} is missing; install it and run again");
    let count = Count {
        skipped,
        ..Count::default()
    };
    Part {
        name: name.into(),
        took: Duration::ZERO,
        count,
        closing,
    }
}

fn broken(name: &str, error: &anyhow::Error) -> Part {
    let closing = format!("could not run: {error:#}");
    Part {
        name: name.into(),
        took: Duration::ZERO,
        count: Count::BROKEN,
        closing,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use anyhow::anyhow;

    use super::*;

    /// A folder with nothing but the record of an earlier run, and what is said of the client tests and
    /// of parity there.
    fn parts_with(name: &str, python: &Result<Python>) -> [Part; 2] {
        let folder = format!("tidemill-xtask-{}-{name}", std::process::id());
        let root = std::env::temp_dir().join(folder);
        let record = parity::record(&root);
        fs::create_dir_all(record.parent().expect("a folder")).expect("made");
        fs::write(&record, r#"{"claims": []}"#).expect("written");
        let parts = [client_tests(&root, python), parity(&root, python)];
        assert!(!record.exists(), "the record is still there");
        fs::remove_dir_all(&root).expect("removed");
        parts
    }

    #[test]
    fn without_python_the_client_tests_and_parity_are_skipped_by_name() {
        let parts = parts_with("missing", &Ok(Python::Missing("python3")));
        assert_eq!(
            parts.each_ref().map(|part| &*part.name),
            ["clients", "parity"]
        );
        for part in parts {
            assert_eq!(part.count.to_string(), "0 passed, 0 failed, 1 skipped");
            assert!(
                part.closing.contains("python3 is missing"),
                "{}",
                part.closing
            );
        }
    }

    #[test]
    fn the_record_of_an_earlier_run_is_no_proof_when_the_client_tests_break() {
        let cannot_start = PathBuf::from("no-such-program");
        let pythons = [Ok(Python::Ready(cannot_start)), Err(anyhow!("no network"))];
        for (index, python) in pythons.iter().enumerate() {
            let parts = parts_with(&format!("broken-{index}"), python);
            assert_eq!(parts.each_ref().map(|part| part.count), [Count::BROKEN; 2]);
            let closing = &parts[1].closing;
            assert!(closing.contains("left no record"), "{closing}");
        }
    }
}
