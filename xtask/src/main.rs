//! The project's own commands: `cargo xtask` lists them.
//!
//! Tooling in Rust instead of shell, so that it runs wherever the project builds and its rules have
//! tests. A command works on a fresh clone, says what it does, and ends with an exit status: 0 when all
//! is well, 1 when something was found or failed, 2 for an unknown command.

mod step;
mod count;
mod python;
mod node;
mod tidy;
mod codegen;
mod check;
mod parity;
mod test;
mod flights;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;

/// A word that `cargo xtask` understands.
struct Command {
    word: &'static str,
    what: &'static str,
    run: fn(&Path) -> Result<()>,
}

const COMMANDS: [Command; 7] = [
    Command {
        word: "check",
        what: "format, clippy and tidy: what must hold before a commit",
        run: check::run,
    },
    Command {
        word: "test",
        what: "set up what the tests need, run all of them, add them up",
        run: test::run,
    },
    Command {
        word: "tidy",
        what: "crate arrows, module order, opening comments, file length, names",
        run: tidy::run,
    },
    Command {
        word: "codegen",
        what: "write crates/shapes/src/generated from the models anew",
        run: codegen::run,
    },
    Command {
        word: "parity",
        what: "write docs/PARITY.md anew from what the tests say they prove",
        run: parity::run,
    },
    Command {
        word: "flights",
        what: "land three million flights twice, the second time through kills, and compare all answers",
        run: flights::run,
    },
    Command {
        word: "ci",
        what: "what continuous integration runs: check, then test",
        run: ci,
    },
];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let Some(word) = words.first() else {
        list();
        return ExitCode::SUCCESS;
    };
    let Some(command) = COMMANDS
        .iter()
        .find(|command| command.word == word && words.len() == 1)
    else {
        eprintln!("error: no command `{}`", words.join(" "));
        list();
        return ExitCode::from(2);
    };
    match (command.run)(&root()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn list() {
    println!("cargo xtask COMMAND, where COMMAND is one of");
    for command in &COMMANDS {
        println!("  {:<8} {}", command.word, command.what);
    }
}

fn ci(root: &Path) -> Result<()> {
    check::run(root)?;
    test::run(root)
}

/// The workspace's folder, wherever the command is called from.
fn root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent()
        .expect("xtask stands in the workspace's folder")
        .to_owned()
}
