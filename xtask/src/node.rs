//! The tests with the AWS SDK for JavaScript: Node's own test runner over `tests/node`.
//!
//! The packages are installed once and anew when the lock file changes; a copy of it inside them,
//! written last, says what they were made from.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::step::{Step, works};

const TESTS: &str = "tests/node";
/// The SDK asks for this much; the condition is what `node` itself answers.
const RECENT: &str = "process.exit(parseInt(process.versions.node) >= 20 ? 0 : 1)";

/// Whether the tests can run, or the name of what is missing on this machine.
pub enum Node {
    /// The packages are there.
    Ready,
    /// What has to be installed first.
    Missing(&'static str),
}

/// Installs the packages if they are not there. An error when the tools are there and it still fails,
/// for instance without a network.
pub fn prepare(root: &Path) -> Result<Node> {
    if !works("node", &["-e", RECENT]) {
        return Ok(Node::Missing("node, 20 or later,"));
    }
    if !works("npm", &["--version"]) {
        return Ok(Node::Missing("npm"));
    }
    let folder = root.join(TESTS);
    let lock = folder.join("package-lock.json");
    let wanted =
        fs::read_to_string(&lock).with_context(|| format!("reading {}", lock.display()))?;
    let made_from = folder.join("node_modules/made-from.json");
    if fs::read_to_string(&made_from).is_ok_and(|made| made == wanted) {
        return Ok(Node::Ready);
    }
    Step::new("install the Node packages", &folder, "npm")
        .with(&["ci", "--ignore-scripts"])
        .run_well()?;
    fs::write(&made_from, wanted).with_context(|| format!("writing {}", made_from.display()))?;
    Ok(Node::Ready)
}

/// The step that runs the tests.
pub fn tests(root: &Path) -> Step {
    Step::new("node", &root.join(TESTS), "node")
        .with(&["--test", "--test-reporter=spec"])
        .environment("NO_COLOR", "1")
}

/// How many tests there are, for the account of tests that cannot run: those of each file, once.
pub fn count_tests(root: &Path) -> Result<usize> {
    let mut count = 0;
    for entry in fs::read_dir(root.join(TESTS)).with_context(|| format!("reading {TESTS}"))? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with(".test.mjs") {
            let text = fs::read_to_string(&path)?;
            count += text
                .lines()
                .filter(|line| line.trim_start().starts_with("test("))
                .count();
        }
    }
    Ok(count)
}
