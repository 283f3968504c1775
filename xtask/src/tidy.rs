//! `cargo xtask tidy`: the rules of docs/STYLE.md that no other tool keeps.
//!
//! One file for each rule; each is a pure function from what it looks at to its findings, so that it
//! can be tested on a few lines. This file collects the sources, asks every rule and reports. A finding
//! names the place, what is wrong, and what to write instead.

mod finding;
mod source;
mod paths;
mod workspace;
mod crate_table;
mod module_order;
mod opening;
mod length;
mod names;
mod mod_rs;
mod front_door;
mod doors;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use finding::Finding;
use length::Verdict;
use source::SourceFile;

const SOURCE_FOLDERS: [&str; 2] = ["crates", "xtask"];

/// Asks every rule about the workspace at `root`; an error when one has a finding.
pub fn run(root: &Path) -> Result<()> {
    let files = sources(root)?;
    let packages = workspace::packages(root)?;
    let document = fs::read_to_string(root.join(crate_table::DOCUMENT))
        .with_context(|| format!("reading {}", crate_table::DOCUMENT))?;
    let mut findings = crate_table::check(&document, &packages);
    for package in &packages {
        findings.extend(doors::check_dependencies(package));
        findings.extend(module_order::check(
            &format!("{}/src", package.folder),
            &files,
        ));
    }
    let mut long = Vec::new();
    for file in &files {
        findings.extend(check_file(file, &mut long));
    }
    findings.sort();
    report(files.len(), &findings, &long)
}

fn check_file(file: &SourceFile, long: &mut Vec<String>) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(opening::check(file));
    findings.extend(names::check(&file.path));
    findings.extend(mod_rs::check(file));
    findings.extend(front_door::check(file));
    findings.extend(doors::check(file));
    match length::check(file) {
        Verdict::Fine => {}
        Verdict::Long(line) => long.push(line),
        Verdict::TooLong(finding) => findings.push(finding),
    }
    findings
}

fn report(files: usize, findings: &[Finding], long: &[String]) -> Result<()> {
    for line in long {
        println!("long, is it one thing? {line}");
    }
    for finding in findings {
        println!("{finding}");
    }
    if findings.is_empty() {
        println!("tidy: {files} files, nothing found");
        return Ok(());
    }
    bail!(
        "tidy found {} in {files} files; docs/STYLE.md has the rules",
        findings.len()
    )
}

fn sources(root: &Path) -> Result<Vec<SourceFile>> {
    let mut files = Vec::new();
    for folder in SOURCE_FOLDERS {
        collect(root, folder, &mut files)?;
    }
    files.sort_by(|left, right| left.path.cmp(&right.path));
    Ok(files)
}

fn collect(root: &Path, folder: &str, files: &mut Vec<SourceFile>) -> Result<()> {
    let reading = || format!("reading {folder}");
    for entry in fs::read_dir(root.join(folder)).with_context(reading)? {
        let entry = entry.with_context(reading)?;
        let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
        if entry.file_type().with_context(reading)?.is_dir() {
            if !path.ends_with("/target") {
                collect(root, &path, files)?;
            }
        } else if path.ends_with(".rs") {
            let text =
                fs::read_to_string(entry.path()).with_context(|| format!("reading {path}"))?;
            files.push(SourceFile::new(&path, &text));
        }
    }
    Ok(())
}
