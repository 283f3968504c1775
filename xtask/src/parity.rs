//! `cargo xtask parity`: writes docs/PARITY.md from what the tests say they prove.
//!
//! The claims stand as markers on the tests, so that collecting the tests is enough to write the page,
//! and a run is what proves it. What must hold: a supported operation has a test that passed, any other
//! one that proves its refusal, the committed page is the one that the run would write, and no record of
//! an earlier run is taken for this one's.

mod claim;
mod suite;
mod document;

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::python::{self, Python};

use document::{Callers, Facts, Operations, PLACE};
use suite::Suite;

/// The variable by which the tests learn where to record their claims.
pub const VARIABLE: &str = "TIDEMILL_PARITY";

/// Where a run's claims are recorded.
pub fn record(root: &Path) -> PathBuf {
    root.join("target/parity.json")
}

/// Takes the record of an earlier run away, so that only what runs from here on is proof.
pub fn forget(root: &Path) -> Result<()> {
    let record = record(root);
    match fs::remove_file(&record) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", record.display()))
        }
        _ => Ok(()),
    }
}

/// Collects the tests, without running them, and writes the page.
pub fn run(root: &Path) -> Result<()> {
    let interpreter = match python::prepare(root)? {
        Python::Ready(interpreter) => interpreter,
        Python::Missing(tool) => bail!("{tool} is missing; install it and run again"),
    };
    python::pytest("collect", root, &interpreter)
        .with(&["--collect-only", "--quiet", "--quiet"])
        .environment(VARIABLE, record(root))
        .run_well()?;
    fs::write(root.join(PLACE), document::text(&facts(root)?))
        .with_context(|| format!("writing {PLACE}"))?;
    println!("wrote {PLACE}");
    Ok(())
}

/// What the last run proved; an error when it left no record, when it leaves an operation or a refusal
/// unproven, or when the page is not the one that belongs to it. The page is then written anew.
pub fn check(root: &Path) -> Result<String> {
    ensure!(
        record(root).exists(),
        "the tests in tests/clients left no record of what they prove"
    );
    let facts = facts(root)?;
    let text = document::text(&facts);
    let current = fs::read_to_string(root.join(PLACE)).is_ok_and(|page| page == text);
    if !current {
        fs::write(root.join(PLACE), text).with_context(|| format!("writing {PLACE}"))?;
    }
    let unproven = document::unproven(&facts);
    ensure!(
        unproven.is_empty(),
        "no test that passed proves {}",
        unproven.join(", ")
    );
    ensure!(
        current,
        "{PLACE} was out of date and is written anew: commit it"
    );
    let operations = facts.kinesis.values();
    let supported = operations.filter(|supported| **supported).count();
    let refused = facts.kinesis.len() - supported;
    Ok(format!(
        "{supported} operations of Kinesis and the refusal of {refused} are proven, {PLACE} is current"
    ))
}

fn facts(root: &Path) -> Result<Facts> {
    let kinesis = operations(root, "kinesis")?;
    let suites = suite::others(root)?;
    let every: Vec<&Suite> = suites.iter().collect();
    let callers = callers(&kinesis, &every);
    let boto3 = suite::boto3(root)?;
    let mut others = Vec::new();
    for (service, model) in [("Lambda", "lambda"), ("SQS", "sqs")] {
        let operations = operations(root, model)?;
        let mut suites = vec![&boto3];
        suites.extend(suites_of(service, &every));
        let callers = self::callers(&operations, &suites);
        others.push((service, operations, callers));
    }
    Ok(Facts {
        kinesis,
        claims: claim::read(&record(root))?,
        callers,
        others,
    })
}

/// The suites, besides boto3's, that have clients of this service too.
fn suites_of<'a>(service: &str, every: &[&'a Suite]) -> Vec<&'a Suite> {
    let rust = every.iter().filter(|suite| suite.client == "Rust");
    match service {
        "Lambda" => rust.copied().collect(),
        _ => vec![],
    }
}

fn callers(operations: &Operations, suites: &[&Suite]) -> Callers {
    let of = |operation: &String| {
        let callers = suites.iter().filter(|suite| suite.calls(operation));
        callers.map(|suite| suite.client).collect()
    };
    operations
        .keys()
        .map(|operation| (operation.clone(), of(operation)))
        .collect()
}

fn operations(root: &Path, service: &str) -> Result<Operations> {
    let path = root.join(format!("crates/shapes/models/{service}.json"));
    let reading = || format!("reading {}", path.display());
    let text = fs::read_to_string(&path).with_context(reading)?;
    let model: Value = serde_json::from_str(&text).with_context(reading)?;
    let found = model["operations"].as_object().with_context(reading)?;
    let mut operations = BTreeMap::new();
    for (name, operation) in found {
        let supported = operation["supported"].as_bool().with_context(reading)?;
        operations.insert(name.clone(), supported);
    }
    Ok(operations)
}
