//! The storage under everything: the log and the blobs, in memory or in a data directory.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use tidemill_log::{
    Blobs, Disk, DiskBlobs, FileDisk, FileDiskError, LocalError, LocalLog, LocalOptions, Log,
    MemoryBlobs, MemoryLog,
};
use tidemill_model::{BoxFuture, Clock, Entropy};

use crate::config::{Config, Durability, LogSection, Storage};

/// Why the storage cannot be opened. What is on disk is as it was.
#[derive(Debug, Error)]
pub enum StorageError {
    /// The data directory cannot be had.
    #[error(transparent)]
    Directory(#[from] FileDiskError),
    /// The log in it cannot be recovered.
    #[error(transparent)]
    Log(#[from] LocalError),
    /// The directory for code, or for what functions write, cannot be made.
    #[error("a working directory cannot be made")]
    Work(#[source] std::io::Error),
}

/// Opened storage.
pub struct Opened {
    /// The log.
    pub log: Arc<dyn Log>,
    /// Large immutable things.
    pub blobs: Arc<dyn Blobs>,
    /// The durable log, to wait for its failure; none when nothing is kept.
    pub local: Option<Arc<LocalLog>>,
    /// The data directory; none when nothing is kept.
    pub directory: Option<PathBuf>,
    /// The disk that the data directory is on, which the log shares with the files of views.
    pub disk: Option<Arc<dyn Disk>>,
}

/// Opens what `config` and its file's section ask for; recovery happens here.
pub async fn open(
    config: &Config,
    section: LogSection,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
) -> Result<Opened, StorageError> {
    let Storage::Directory(directory) = &config.storage else {
        return Ok(Opened {
            log: Arc::new(MemoryLog::new(clock)),
            blobs: Arc::new(MemoryBlobs::default()),
            local: None,
            directory: None,
            disk: None,
        });
    };
    // Functions start in their own directories, so a path must not depend on where the server started.
    let directory = std::path::absolute(directory).map_err(StorageError::Work)?;
    let options = LocalOptions {
        durability: durability(config.durability),
        accept_data_loss: config.accept_data_loss,
        ..LocalOptions::default()
    };
    // Recovery reads the whole log: not on a thread that serves requests.
    let opening = tokio::task::spawn_blocking(move || {
        open_directory(&directory, clock, entropy, options, section)
    });
    opening.await.expect("opening the log does not panic")
}

fn open_directory(
    path: &Path,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    options: LocalOptions,
    section: LogSection,
) -> Result<Opened, StorageError> {
    let disk: Arc<dyn Disk> = Arc::new(FileDisk::open(path)?);
    let options = options.scaled_to(&*disk).map_err(StorageError::Work)?;
    let options = as_configured(options, section);
    let blobs = DiskBlobs::open(disk.clone()).map_err(StorageError::Work)?;
    let local = Arc::new(LocalLog::open(disk.clone(), clock, entropy, options)?);
    Ok(Opened {
        log: local.clone(),
        blobs: Arc::new(blobs),
        local: Some(local),
        directory: Some(path.to_owned()),
        disk: Some(disk),
    })
}

fn as_configured(options: LocalOptions, section: LogSection) -> LocalOptions {
    LocalOptions {
        file_bytes: section.file_bytes.unwrap_or(options.file_bytes),
        sort_after_files: section.sort_after_files.unwrap_or(options.sort_after_files),
        sort_bytes_per_second: section
            .sort_bytes_per_second
            .unwrap_or(options.sort_bytes_per_second),
        compress: section.compress.unwrap_or(options.compress),
        ballast_bytes: section.ballast_bytes.unwrap_or(options.ballast_bytes),
        ..options
    }
}

fn durability(durability: Durability) -> tidemill_log::Durability {
    match durability {
        Durability::Sync => tidemill_log::Durability::Sync,
        Durability::Os => tidemill_log::Durability::Os,
        Durability::Memory => tidemill_log::Durability::Memory,
    }
}

/// A directory that is removed when it is dropped.
pub fn temporary_directory() -> Result<tempfile::TempDir, StorageError> {
    tempfile::Builder::new()
        .prefix("tidemill-")
        .tempdir()
        .map_err(StorageError::Work)
}

/// A disk below a directory that goes with the server, for files that views write.
pub fn temporary_disk(directory: &Path) -> Result<Arc<dyn Disk>, StorageError> {
    Ok(Arc::new(FileDisk::open_buffered(&directory.join("disk"))?))
}

impl Opened {
    /// Completes when the log has failed, with what the system said; never for one in memory.
    pub fn poisoned(&self) -> BoxFuture<'static, String> {
        match &self.local {
            Some(local) => local.poisoned(),
            None => Box::pin(std::future::pending()),
        }
    }
}
