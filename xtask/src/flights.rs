//! `cargo xtask flights`: three million flights land on a stream, a view of them is asked ten thousand
//! times, and every answer is compared with a recompute; then they land again on a server that is killed
//! 40 times, and DuckDB recomputes what it answered.
//!
//! It fetches the npm package that has the flights, derives when each was reported, and runs the second
//! act of the demo and the test with kills on all of them, with a release build. What is fetched and made
//! stays below `target`.

use std::path::Path;

use anyhow::{Result, bail};

use crate::python::{self, Python};
use crate::step::{Step, works};

const FOLDER: &str = "target/flights";
const PACKAGE: &str = "vega-datasets@3.2.1";
const ARCHIVE: &str = "vega-datasets-3.2.1.tgz";
const PARQUET: &str = "package/data/flights-3m.parquet";
const LANDINGS: &str = "landings.csv";
/// What the demo's step leaves built.
const SERVER: &str = "target/release/tidemill";
/// The test with kills; `cargo xtask test` runs it over one day.
const TEST: &str = "test_views_flights";

/// Runs it.
pub fn run(root: &Path) -> Result<()> {
    let python = match python::prepare(root)? {
        Python::Ready(python) => python,
        Python::Missing(what) => bail!("{what} is needed"),
    };
    let folder = root.join(FOLDER);
    std::fs::create_dir_all(&folder)?;
    let landings = folder.join(LANDINGS);
    if !landings.is_file() {
        make(root, &python, &folder, &landings)?;
    }
    let demo = ["run", "--release", "--", "demo", "--landings"];
    Step::cargo("land and ask", root, &demo)
        .with(&[&landings])
        .run_well()?;
    // What the test prints at its end is what it is run for: `-s` shows it.
    python::pytest("land, ask and kill", root, &python)
        .with(&["-k", TEST, "-s"])
        .environment("TIDEMILL_BINARY", root.join(SERVER))
        .environment("TIDEMILL_LANDINGS", &landings)
        .run_well()?;
    Ok(())
}

fn make(root: &Path, python: &Path, folder: &Path, landings: &Path) -> Result<()> {
    if !works("npm", &["--version"]) {
        bail!("npm is needed to fetch {PACKAGE}");
    }
    let fetch = Step::new("fetch the flights", folder, "npm");
    fetch.with(&["pack", PACKAGE]).run_well()?;
    let unpack = Step::new("unpack them", folder, "tar");
    unpack.with(&["xzf", ARCHIVE, PARQUET]).run_well()?;
    let derive = Step::new("derive when they landed", root, python);
    derive
        .with(&[
            Path::new("data/extract_landings.py"),
            &folder.join(PARQUET),
            landings,
        ])
        .run_well()?;
    Ok(())
}
