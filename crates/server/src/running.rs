//! Starting and stopping the whole: [`start`] and [`Running`].
//!
//! The order of a start: the port (the cheapest refusal), the configuration, the log with its
//! recovery, the services with theirs, and only then the first request. The order of a stop: no new
//! requests, the mappings, the functions, the log. What is cut off in between is picked up by the next
//! start, which is the same as after a crash.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use tidemill_model::fault::Faults;
use tidemill_model::{Clock, Entropy};
use tidemill_protocol::sigv4::{Credentials, Key};
use tidemill_streams::Scaler;

use crate::clock::SystemClock;
use crate::config::{Config, ConfigError, ConfigFile, TlsMode};
use crate::entropy::SystemEntropy;
use crate::gateway::identify::Identities;
use crate::gateway::listen;
use crate::gateway::route::Gateway;
use crate::gateway::tls::{Origin, Tls, TlsError};
use crate::wiring::services::{AssembleError, Ground, Services, assemble};
use crate::wiring::sql_port::{self, SqlListening, SqlPortError};
use crate::wiring::storage::{self, Opened, StorageError};

/// How often expired records are freed.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);

/// Why a server did not start. Nothing was served; what is on disk is as it was.
#[derive(Debug, Error)]
pub enum StartError {
    /// The configuration file cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The address cannot be listened on.
    #[error("{address} cannot be listened on")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Clients of Postgres cannot be let in.
    #[error(transparent)]
    SqlPort(#[from] SqlPortError),
    /// The log cannot be opened.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// There is no certificate to encrypt with.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A service cannot take up its state.
    #[error(transparent)]
    Assemble(#[from] Box<AssembleError>),
}

/// What stopped a server that should have gone on.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Fatal {
    /// The log could not be written; what was not acknowledged may or may not be there after a restart.
    #[error("the log could not be written: {detail}")]
    Storage {
        /// What the log said.
        detail: String,
    },
}

/// Where functions keep their code and their files, gone with the server when the log keeps nothing.
enum WorkDirectory {
    Kept(PathBuf),
    Temporary(tempfile::TempDir),
}

impl WorkDirectory {
    fn path(&self) -> PathBuf {
        match self {
            WorkDirectory::Kept(path) => path.clone(),
            WorkDirectory::Temporary(directory) => directory.path().to_owned(),
        }
    }
}

/// A server that runs.
pub struct Running {
    address: SocketAddr,
    is_encrypted: bool,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
    sweeping: JoinHandle<()>,
    scaling: JoinHandle<()>,
    sql: Option<SqlListening>,
    services: Services,
    opened: Opened,
    _work: WorkDirectory,
}

/// Starts a server; it serves when this completes.
pub async fn start(config: Config) -> Result<Running, StartError> {
    let wanted = SocketAddr::new(config.bind, config.port);
    let failed = |source| StartError::Listen {
        address: wanted,
        source,
    };
    let listener = TcpListener::bind(wanted).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let file = ConfigFile::load(config.config_file.as_deref())?;

    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    let opened = storage::open(&config, file.log, clock.clone(), entropy.clone()).await?;
    let work = match &opened.directory {
        Some(directory) => WorkDirectory::Kept(directory.join("functions")),
        None => WorkDirectory::Temporary(storage::temporary_directory()?),
    };
    let tls = certificate(&config, &file, opened.directory.as_deref())?;
    let is_encrypted = tls.is_some();
    let faults = Faults::default();
    let disk = match &opened.disk {
        Some(disk) => disk.clone(),
        None => storage::temporary_disk(&work.path())?,
    };
    let ground = Ground {
        log: opened.log.clone(),
        local_log: opened.local.clone(),
        disk,
        blobs: opened.blobs.clone(),
        work_directory: work.path(),
        endpoint: endpoint(address),
        faults: faults.clone(),
        clock: clock.clone(),
        entropy: entropy.clone(),
    };
    let services = assemble(&config, &file, ground).await.map_err(Box::new)?;
    let identities = identities(&config, &file);
    let (stop, stopping) = watch::channel(false);
    let has_credentials = !file.credentials.is_empty();
    let sql = sql_port::open(&config, has_credentials, &services, &stopping).await?;
    let gateway = Gateway {
        services: services.clone(),
        identities,
        config,
        tls,
        faults,
        clock: clock.clone(),
        entropy,
    };
    let serving = tokio::spawn(listen::serve(listener, Arc::new(gateway), stopping.clone()));
    let scaler = Scaler::new(services.streams.clone());
    let scaling = tokio::spawn(scale(scaler, stopping.clone()));
    let sweeping = tokio::spawn(sweep(services.clone(), clock, stopping));
    Ok(Running {
        address,
        is_encrypted,
        stop,
        serving,
        sweeping,
        scaling,
        sql,
        services,
        opened,
        _work: work,
    })
}

impl Running {
    /// The URL that clients are given.
    pub fn endpoint(&self) -> String {
        endpoint(self.address)
    }

    /// The URL for clients that encrypt, when they can.
    pub fn encrypted_endpoint(&self) -> Option<String> {
        self.is_encrypted
            .then(|| self.endpoint().replacen("http", "https", 1))
    }

    /// The address that is listened on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address for clients of Postgres, if they are let in.
    pub fn sql_address(&self) -> Option<SocketAddr> {
        self.sql.as_ref().map(|listening| listening.address)
    }

    /// How the log writes, in words; none when it keeps nothing.
    pub fn log_description(&self) -> Option<String> {
        self.opened.local.as_ref().map(|local| local.description())
    }

    /// Completes when something that cannot be recovered from stops the server.
    pub async fn stopped(&self) -> Result<(), Fatal> {
        let detail = self.opened.poisoned().await;
        Err(Fatal::Storage { detail })
    }

    /// Stops: no new requests, then the services; each within its bound.
    pub async fn shutdown(self) {
        // The receivers live in the tasks; one that has ended needs no telling.
        let _ = self.stop.send(true);
        let sql = self.sql.map(|listening| listening.stopped);
        for task in [self.serving, self.sweeping, self.scaling]
            .into_iter()
            .chain(sql)
        {
            if let Err(error) = task.await {
                tracing::error!(%error, "a task of the server ended badly");
            }
        }
        self.services.mappings.shutdown().await;
        self.services.functions.shutdown().await;
        #[cfg(feature = "views")]
        {
            self.services.views.shutdown().await;
            self.services.archives.shutdown().await;
        }
        if let Some(local) = self.opened.local {
            let closing = tokio::task::spawn_blocking(move || local.close());
            if let Err(error) = closing.await {
                tracing::error!(%error, "the log was not closed");
            }
        }
    }
}

/// The URL of a server at `address`; one that listens everywhere is reached at the loopback from here.
fn endpoint(address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        format!("http://127.0.0.1:{}", address.port())
    } else {
        format!("http://{address}")
    }
}

/// The certificate that the options, or else the configuration file, ask for.
fn certificate(
    config: &Config,
    file: &ConfigFile,
    directory: Option<&Path>,
) -> Result<Option<Tls>, StartError> {
    let mode = match &config.tls {
        TlsMode::Off => file.tls()?,
        asked => asked.clone(),
    };
    let kept = directory.map(|directory| directory.join("tls"));
    let origin = match (&mode, &kept) {
        (TlsMode::Off, _) => return Ok(None),
        (TlsMode::Given { certificate, key }, _) => Origin::Given { certificate, key },
        (TlsMode::SelfMade, Some(directory)) => Origin::Kept(directory),
        (TlsMode::SelfMade, None) => Origin::Fleeting,
    };
    Ok(Some(Tls::load(origin, config.bind)?))
}

fn identities(config: &Config, file: &ConfigFile) -> Identities {
    let key = |entry: &crate::config::CredentialEntry| {
        let account = entry
            .account_id
            .clone()
            .unwrap_or_else(|| config.account_id.clone());
        (
            entry.access_key_id.clone(),
            Key {
                secret: entry.secret_access_key.clone(),
                account,
            },
        )
    };
    let credentials: Credentials = file.credentials.iter().map(key).collect();
    Identities {
        credentials,
        account: config.account_id.clone(),
    }
}

/// Scales on-demand streams, until the server stops; the next start finishes what that cuts off.
async fn scale(scaler: Scaler, mut stop: watch::Receiver<bool>) {
    tokio::select! {
        () = scaler.run() => {}
        _ = stop.wait_for(|stopping| *stopping) => {}
    }
}

/// Frees what has expired, until the server stops.
async fn sweep(services: Services, clock: Arc<dyn Clock>, mut stop: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            () = clock.sleep_until(clock.now().plus(SWEEP_INTERVAL)) => {}
            _ = stop.wait_for(|stopping| *stopping) => return,
        }
        if let Err(error) = services.streams.sweep().await {
            tracing::error!(%error, "expired records could not be freed; trying again in a minute");
        }
    }
}
