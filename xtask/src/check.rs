//! `cargo xtask check`: format, lints, the project's own rules, and that generated files are current.
//!
//! In the order of their cost, and the first that finds something ends it. Generated files that are
//! not current are written on the way, so that the fix is to look at them and commit.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::codegen;

use crate::step::Step;
use crate::tidy;

const GENERATED: &str = "crates/shapes/src/generated";

/// Runs the checks; stops at the first that finds something.
pub fn run(root: &Path) -> Result<()> {
    Step::cargo("format", root, &["fmt", "--all", "--check"]).run_well()?;
    println!("\n== tidy");
    tidy::run(root)?;
    println!("\n== generated files");
    generated_files_are_current(root)?;
    let clippy = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ];
    Step::cargo("clippy", root, &clippy).run_well()?;
    Ok(())
}

fn generated_files_are_current(root: &Path) -> Result<()> {
    let before = generated(root)?;
    codegen::run(root)?;
    let after = generated(root)?;
    let changed = after
        .iter()
        .filter(|(path, text)| before.get(*path) != Some(*text));
    let changed: Vec<_> = changed
        .map(|(path, _)| path.display().to_string())
        .collect();
    let names = changed.join(", ");
    ensure!(
        changed.is_empty(),
        "{names} was out of date and is written anew: commit it"
    );
    Ok(())
}

/// The text of every generated file.
fn generated(root: &Path) -> Result<BTreeMap<PathBuf, String>> {
    let folder = root.join(GENERATED);
    let reading = || format!("reading {}", folder.display());
    let mut texts = BTreeMap::new();
    for entry in fs::read_dir(&folder).with_context(reading)? {
        let path = entry.with_context(reading)?.path();
        let text =
            fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        texts.insert(path, text);
    }
    Ok(texts)
}
