//! Servers of others: [`Peer`], those that are installed and how each is started.
//!
//! What must hold: a peer runs in a process of its own that ends with the benchmark, keeps its records
//! in memory as it does by default, and has its limits and delays lifted where it can; one that is not
//! installed does not take part, and one that fails is named and left out.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use thiserror::Error;
use tokio::process::{Child, Command};

use crate::spawn::spawn;

/// A server of others that is installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    known: &'static Known,
    program: PathBuf,
}

/// How a peer is started.
#[derive(Debug, PartialEq, Eq)]
struct Known {
    name: &'static str,
    arguments: &'static [&'static str],
    environment: &'static [(&'static str, &'static str)],
    /// Whether it looks for files of its package where it is started.
    in_its_package: bool,
}

/// `{port}` stands for the port, `{other}` for another that is free.
const KNOWN: [Known; 4] = [
    Known {
        name: "kinesis-local",
        arguments: &[],
        environment: &[
            ("KINESIS_MOCK_PLAIN_PORT", "{port}"),
            ("KINESIS_MOCK_TLS_PORT", "{other}"),
            ("SHARD_LIMIT", "100"),
            ("LOG_LEVEL", "ERROR"),
            ("CREATE_STREAM_DURATION", "0ms"),
        ],
        in_its_package: true,
    },
    Known {
        name: "kinesalite",
        arguments: &[
            "--port",
            "{port}",
            "--createStreamMs",
            "0",
            "--shardLimit",
            "100",
        ],
        environment: &[],
        in_its_package: false,
    },
    Known {
        name: "ferrokinesis",
        arguments: &[
            "--port",
            "{port}",
            "--shard-limit",
            "100",
            "--create-stream-ms",
            "0",
            "--access-log=false",
            "--log-level",
            "error",
        ],
        environment: &[],
        in_its_package: false,
    },
    Known {
        name: "fakecloud",
        arguments: &["--addr", "127.0.0.1:{port}"],
        environment: &[],
        in_its_package: false,
    },
];

/// Why a peer does not take part.
#[derive(Debug, Error)]
pub enum PeerError {
    /// No port is free, or the program cannot be run.
    #[error("it cannot be started: {0}")]
    Start(#[from] std::io::Error),
}

/// A peer that runs.
#[derive(Debug)]
pub struct RunningPeer {
    /// Where it listens.
    pub endpoint: String,
    child: Child,
}

/// The peers whose programs are in `directory`, its `bin`, its `node_modules/.bin`, or on the path.
pub fn installed(directory: Option<&Path>) -> Vec<Peer> {
    let mut places = Vec::new();
    if let Some(directory) = directory {
        places.push(directory.to_owned());
        places.push(directory.join("bin"));
        places.push(directory.join("node_modules/.bin"));
    }
    if let Some(path) = std::env::var_os("PATH") {
        places.extend(std::env::split_paths(&path));
    }
    let found = KNOWN.iter().filter_map(|known| {
        let mut programs = places.iter().map(|place| place.join(known.name));
        let program = programs.find(|program| program.is_file())?;
        Some(Peer { known, program })
    });
    found.collect()
}

impl Peer {
    /// Its name.
    pub fn name(&self) -> &'static str {
        self.known.name
    }

    /// Its version: what its package says, or it itself.
    pub async fn version(&self) -> String {
        let known = package_version(&self.program).or_else(|| crate_version(&self.program));
        if let Some(version) = known {
            return version;
        }
        let told = Command::new(&self.program)
            .arg("--version")
            .stdin(Stdio::null())
            .output();
        let text = told.await.map(|output| output.stdout).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let version = text.split_whitespace().find(|word| {
            word.starts_with(|first: char| first.is_ascii_digit()) && word.contains('.')
        });
        version.unwrap_or("of unknown version").to_owned()
    }

    /// Starts it on a free port. Whether it serves is found out by asking it.
    pub fn start(&self, directory: &Path) -> Result<RunningPeer, PeerError> {
        let (port, other) = (free_port()?, free_port()?);
        let fill = |text: &str| {
            text.replace("{port}", &port.to_string())
                .replace("{other}", &other.to_string())
        };
        let script = self.program.canonicalize()?;
        let package = script.parent().filter(|_| self.known.in_its_package);
        let mut command = Command::new(&self.program);
        command
            .args(self.known.arguments.iter().map(|text| fill(text)))
            .envs(
                self.known
                    .environment
                    .iter()
                    .map(|(name, value)| (name, fill(value))),
            )
            .current_dir(package.unwrap_or(directory))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        let child = spawn(&mut command)?;
        Ok(RunningPeer {
            endpoint: format!("http://127.0.0.1:{port}"),
            child,
        })
    }
}

impl RunningPeer {
    /// Ends it.
    pub async fn stop(mut self) {
        // One that has ended by itself needs no end.
        let _ = self.child.kill().await;
    }
}

/// A port that was free just now.
fn free_port() -> std::io::Result<u16> {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    Ok(listener.local_addr()?.port())
}

/// The version in the `package.json` beside an installed script or above it.
fn package_version(program: &Path) -> Option<String> {
    let script = program.canonicalize().ok()?;
    let manifest = script
        .ancestors()
        .skip(1)
        .take(3)
        .map(|folder| folder.join("package.json"))
        .find(|manifest| manifest.is_file())?;
    let text = std::fs::read_to_string(manifest).ok()?;
    let package: serde_json::Value = serde_json::from_str(&text).ok()?;
    package["version"].as_str().map(str::to_owned)
}

/// The version that cargo noted when it installed `program`: a line with its name, and behind it in the
/// same quotes the version.
fn crate_version(program: &Path) -> Option<String> {
    let notes = program.parent()?.parent()?.join(".crates.toml");
    let text = std::fs::read_to_string(notes).ok()?;
    let name = program.file_name()?.to_str()?;
    let noted = text.lines().find_map(|line| {
        let words = line.strip_prefix('"')?.strip_prefix(name)?;
        words.strip_prefix(' ')?.split(' ').next()
    });
    noted.map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_found_where_package_managers_put_it() {
        let directory = tempfile::tempdir().expect("a directory");
        let package = directory.path().join("node_modules/kinesalite");
        let links = directory.path().join("node_modules/.bin");
        std::fs::create_dir_all(&package).expect("a directory");
        std::fs::create_dir_all(&links).expect("a directory");
        std::fs::write(package.join("cli.js"), "").expect("a file");
        std::fs::write(package.join("package.json"), r#"{"version":"9.8.7"}"#).expect("a file");
        std::os::unix::fs::symlink("../kinesalite/cli.js", links.join("kinesalite"))
            .expect("a link");
        let found = installed(Some(directory.path()));
        let peer = found.iter().find(|peer| peer.name() == "kinesalite");
        let program = &peer.expect("is found").program;
        assert!(program.starts_with(directory.path()));
        assert_eq!(package_version(program).as_deref(), Some("9.8.7"));
    }

    #[test]
    fn the_version_of_a_crate_is_what_cargo_noted() {
        let directory = tempfile::tempdir().expect("a directory");
        let program = directory.path().join("bin/ferrokinesis");
        assert_eq!(crate_version(&program), None);
        let notes = "[v1]\n\"fakecloud 1.0.0 (registry)\" = [\"fakecloud\"]\n\
                     \"ferrokinesis 0.7.0 (registry)\" = [\"ferrokinesis\"]\n";
        std::fs::write(directory.path().join(".crates.toml"), notes).expect("a file");
        assert_eq!(crate_version(&program).as_deref(), Some("0.7.0"));
    }
}
