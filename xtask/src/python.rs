//! The Python environment that the tests with real clients run in: `.venv`, from pinned requirements.
//!
//! It is made once and made anew when the requirements change; a copy of the requirements inside it,
//! written last, says what it was made from.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::step::{Step, works};

const FOLDER: &str = ".venv";
const REQUIREMENTS: [&str; 3] = [
    "tests/requirements.txt",
    "tests/requirements-views.txt",
    "tests/requirements-spark.txt",
];
/// The folder of the tests that need it.
const TESTS: &str = "tests/clients";

/// The interpreter to run the tests with, or the name of what is missing on this machine.
pub enum Python {
    /// The environment's interpreter.
    Ready(PathBuf),
    /// What has to be installed first.
    Missing(&'static str),
}

/// Makes the environment below `root` if it is not there. An error when the tools are there and it
/// still cannot be made, for instance without a network.
pub fn prepare(root: &Path) -> Result<Python> {
    let folder = root.join(FOLDER);
    let interpreter = folder.join("bin/python");
    let mut wanted = String::new();
    for file in REQUIREMENTS {
        let text = fs::read_to_string(root.join(file));
        wanted += &text.with_context(|| format!("reading {file}"))?;
    }
    let made_from = folder.join("made-from.txt");
    if fs::read_to_string(&made_from).is_ok_and(|made| made == wanted)
        && works(&interpreter, &["-V"])
    {
        return Ok(Python::Ready(interpreter));
    }
    if !works("python3", &["-V"]) {
        return Ok(Python::Missing("python3"));
    }
    if !works("python3", &["-c", "import venv, ensurepip"]) {
        return Ok(Python::Missing("python3-venv"));
    }
    let make = ["-m", "venv", "--clear", FOLDER];
    Step::new("make .venv", root, "python3")
        .with(&make)
        .run_well()?;
    let install = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "-r",
        REQUIREMENTS[0],
        "-r",
        REQUIREMENTS[1],
        "-r",
        REQUIREMENTS[2],
    ];
    Step::new("install the Python packages", root, &interpreter)
        .with(&install)
        .run_well()?;
    fs::write(&made_from, wanted).with_context(|| format!("writing {}", made_from.display()))?;
    Ok(Python::Ready(interpreter))
}

/// The step `name`: pytest over the tests with real clients.
pub fn pytest(name: &str, root: &Path, interpreter: &Path) -> Step {
    Step::new(name, root, interpreter)
        .with(&["-m", "pytest", "-p", "no:cacheprovider", "--color=no"])
        .with(&[TESTS])
        .environment("PYTHONDONTWRITEBYTECODE", "1")
}

/// How many test functions there are, for the account of tests that cannot run.
pub fn count_tests(root: &Path) -> Result<usize> {
    let mut count = 0;
    for entry in fs::read_dir(root.join(TESTS)).with_context(|| format!("reading {TESTS}"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "py") {
            let text = fs::read_to_string(&path)?;
            count += text
                .lines()
                .filter(|line| line.trim_start().starts_with("def test_"))
                .count();
        }
    }
    Ok(count)
}
