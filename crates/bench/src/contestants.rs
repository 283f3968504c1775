//! Who takes part in a workload: [`Contestant`], a server that runs, with a client of its own kind.
//!
//! What must hold: all are reached by the same client over a socket; ours and the floors have threads
//! of their own in this process, peers a process of their own; ours is durable and has its limits
//! lifted. Each is started anew for each workload, so that none pays for another's data.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use thiserror::Error;

use tidemill_model::{Clock, Timestamp};
use tidemill_server::clock::SystemClock;
use tidemill_server::{Config, Durability, LimitsMode, PaceMode, Running, StartError, Storage};

use crate::cases::STREAM;
use crate::client::{Client, Credentials, EndpointMalformed, Failure};
use crate::floors::HttpFloor;
use crate::load::LoadError;
use crate::necessary::NecessaryFloor;
use crate::pages::Page;
use crate::peers::{Peer, PeerError, RunningPeer};
use crate::report::Kind;
use crate::threads::Threads;

/// Longest wait for a peer to serve, and for a stream to be active.
const READY_TIMEOUT: Duration = Duration::from_secs(20);
/// Between two questions whether something is ready.
const READY_INTERVAL: Duration = Duration::from_millis(10);

/// Why there is no figure.
#[derive(Debug, Error)]
pub enum RunError {
    /// The embedded server did not start.
    #[error("the server to measure did not start")]
    Start(#[source] Box<StartError>),
    /// A server's address is not an endpoint.
    #[error(transparent)]
    Endpoint(#[from] EndpointMalformed),
    /// The stream could not be made.
    #[error("the stream to measure could not be made")]
    Stream(#[from] Failure),
    /// The stream did not become active.
    #[error("the stream to measure was not active after {READY_TIMEOUT:?}")]
    StreamNotActive,
    /// A run of the load failed.
    #[error("the load failed")]
    Load(#[from] LoadError),
    /// A peer did not start.
    #[error(transparent)]
    Peer(#[from] PeerError),
    /// The disk, or a socket, could not be used.
    #[error("{} could not be used for the benchmark", .directory.display())]
    Disk {
        /// The directory.
        directory: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A turn was over before it had one answer.
    #[error("a turn of {what} had no answer at all")]
    Nothing {
        /// What was measured.
        what: String,
    },
}

/// The error that `directory` could not be used.
pub(crate) fn disk<T>(directory: &Path, result: std::io::Result<T>) -> Result<T, RunError> {
    result.map_err(|source| RunError::Disk {
        directory: directory.to_path_buf(),
        source,
    })
}

/// A server that takes part.
pub struct Contestant {
    /// Who it is.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Reaches it.
    pub client: Client,
    server: Server,
}

enum Server {
    Ours(Box<Running>, Threads),
    Http {
        /// Serves until it is dropped.
        _floor: HttpFloor,
    },
    Necessary(NecessaryFloor),
    Peer(RunningPeer),
}

fn client(endpoint: &str) -> Result<Client, RunError> {
    let clock = Arc::new(SystemClock);
    Ok(Client::new(
        endpoint.parse()?,
        Credentials::default(),
        clock,
    ))
}

impl Contestant {
    /// Ours, with its log in `directory`, which is made.
    pub async fn ours(directory: &Path) -> Result<Contestant, RunError> {
        let config = Config {
            storage: Storage::Directory(directory.to_path_buf()),
            port: 0,
            limits: LimitsMode::None,
            pace: PaceMode::Fast,
            durability: Durability::Sync,
            ..Config::default()
        };
        let threads = disk(directory, Threads::start("tidemill"))?;
        let started = threads.run(tidemill_server::start(config)).await;
        let running = started.map_err(|error| RunError::Start(Box::new(error)))?;
        Ok(Contestant {
            name: "tidemill".to_owned(),
            kind: Kind::Tidemill,
            client: client(&running.endpoint())?,
            server: Server::Ours(Box::new(running), threads),
        })
    }

    /// The bare HTTP server, which answers GetRecords with `page`.
    pub async fn http(directory: &Path, page: Option<Arc<Page>>) -> Result<Contestant, RunError> {
        let floor = disk(directory, HttpFloor::start(page).await)?;
        Ok(Contestant {
            name: "bare HTTP server".to_owned(),
            kind: Kind::HttpFloor,
            client: client(floor.endpoint())?,
            server: Server::Http { _floor: floor },
        })
    }

    /// The necessary-work server, with its file in `directory`; it answers GetRecords with `page`.
    pub async fn necessary(
        directory: &Path,
        page: Option<Arc<Page>>,
    ) -> Result<Contestant, RunError> {
        let floor = disk(directory, NecessaryFloor::start(directory, page).await)?;
        Ok(Contestant {
            name: "necessary work".to_owned(),
            kind: Kind::NecessaryFloor,
            client: client(floor.endpoint())?,
            server: Server::Necessary(floor),
        })
    }

    /// A peer, started in `directory`.
    pub async fn peer(directory: &Path, peer: &Peer) -> Result<Contestant, RunError> {
        let running = peer.start(directory)?;
        let contestant = Contestant {
            name: peer.name().to_owned(),
            kind: Kind::Peer,
            client: client(&running.endpoint)?,
            server: Server::Peer(running),
        };
        contestant.wait_until_it_serves().await?;
        Ok(contestant)
    }

    /// How its committer is scheduled and how it writes, if it has one.
    pub fn committer(&self) -> Option<String> {
        match &self.server {
            Server::Ours(running, _) => running.log_description(),
            Server::Necessary(floor) => Some(floor.scheduling().to_string()),
            Server::Http { .. } | Server::Peer(_) => None,
        }
    }

    /// Makes the stream, with `shards`, where streams are known.
    pub async fn create_stream(&self, shards: usize) -> Result<(), RunError> {
        if matches!(self.kind, Kind::HttpFloor | Kind::NecessaryFloor) {
            return Ok(());
        }
        let create = json!({ "StreamName": STREAM, "ShardCount": shards });
        self.client.kinesis("CreateStream", &create).await?;
        let deadline = SystemClock.now().plus(READY_TIMEOUT);
        let describe = json!({ "StreamName": STREAM });
        while SystemClock.now() < deadline {
            let summary = self.client.kinesis("DescribeStreamSummary", &describe);
            if summary.await?["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE" {
                return Ok(());
            }
            pause().await;
        }
        Err(RunError::StreamNotActive)
    }

    async fn wait_until_it_serves(&self) -> Result<(), RunError> {
        let deadline = SystemClock.now().plus(READY_TIMEOUT);
        loop {
            let answer = self.client.kinesis("ListStreams", &json!({})).await;
            match answer {
                Ok(_) => return Ok(()),
                Err(failure) if SystemClock.now() >= deadline => return Err(failure.into()),
                Err(_) => pause().await,
            }
        }
    }

    /// Ends it.
    pub async fn stop(self) {
        match self.server {
            Server::Ours(running, threads) => threads.run(running.shutdown()).await,
            Server::Peer(peer) => peer.stop().await,
            Server::Http { .. } | Server::Necessary(_) => {}
        }
    }
}

async fn pause() {
    let now: Timestamp = SystemClock.now();
    SystemClock.sleep_until(now.plus(READY_INTERVAL)).await;
}
