//! Large immutable bytes, each in a file named by its SHA-256: [`Blobs`], for function code.
//!
//! What must hold: a blob is durable when [`Blobs::put`] has returned, so that a command in the log may
//! name it; and what [`Blobs::get`] gives hashes to the name it was asked for, or it is an error.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use sha2::{Digest, Sha256};
use thiserror::Error;
use tokio::task::spawn_blocking;

use tidemill_model::{BoxFuture, Determinacy};

use crate::disk::{Disk, join, put_in_place, read_whole, write_unfinished};

const DIRECTORY: &str = "blobs";

/// Why a blob could not be kept or read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BlobError {
    /// The disk failed. A blob that was being put is not kept.
    #[error("blob {name} could not be kept or read: {detail}")]
    Disk {
        /// Name of the blob.
        name: String,
        /// What the system said.
        detail: String,
    },
    /// Its directory could not be synced once: whether names last is not known any more, and no blob
    /// is taken until a restart.
    #[error("no blob can be kept until a restart: {detail}")]
    Poisoned {
        /// What the system said.
        detail: String,
    },
    /// The stored bytes do not hash to the name. They are never given out.
    #[error("blob {name} is damaged: its bytes hash to {actual}")]
    Corrupt {
        /// Name of the blob.
        name: String,
        /// What the bytes hash to.
        actual: String,
    },
}

impl BlobError {
    /// Whether the blob was surely not kept. Keeping it twice does no harm in any case.
    pub fn determinacy(&self) -> Determinacy {
        match self {
            BlobError::Disk { .. } | BlobError::Corrupt { .. } => Determinacy::Determinate,
            BlobError::Poisoned { .. } => Determinacy::Indeterminate,
        }
    }
}

/// Keeps immutable bytes under the hexadecimal SHA-256 of their content.
pub trait Blobs: Send + Sync {
    /// Keeps `bytes`; gives their name. Durable when it completes.
    fn put(&self, bytes: Bytes) -> BoxFuture<'static, Result<String, BlobError>>;

    /// The blob `name`, verified; none when it does not exist.
    fn get(&self, name: &str) -> BoxFuture<'static, Result<Option<Bytes>, BlobError>>;

    /// The file that holds the blob `name`, where blobs are files. Says nothing on whether it exists,
    /// and its bytes are not verified.
    fn path(&self, name: &str) -> Option<PathBuf>;
}

/// The name of `bytes`: 64 lower-case hexadecimal digits.
pub fn name_of(bytes: &[u8]) -> String {
    let mut name = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        write!(name, "{byte:02x}").expect("a string can be written to");
    }
    name
}

/// Whether `name` can be a blob's, and so is safe as the name of a file.
fn is_name(name: &str) -> bool {
    name.len() == 64
        && name
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn verified(name: &str, bytes: Bytes) -> Result<Bytes, BlobError> {
    let actual = name_of(&bytes);
    if actual == name {
        return Ok(bytes);
    }
    Err(BlobError::Corrupt {
        name: name.to_owned(),
        actual,
    })
}

/// Blobs in memory.
#[derive(Debug, Default)]
pub struct MemoryBlobs {
    blobs: Mutex<BTreeMap<String, Bytes>>,
}

impl Blobs for MemoryBlobs {
    fn put(&self, bytes: Bytes) -> BoxFuture<'static, Result<String, BlobError>> {
        let name = name_of(&bytes);
        self.blobs
            .lock()
            .expect("no holder of this lock panics")
            .insert(name.clone(), bytes);
        Box::pin(std::future::ready(Ok(name)))
    }

    fn get(&self, name: &str) -> BoxFuture<'static, Result<Option<Bytes>, BlobError>> {
        let blobs = self.blobs.lock().expect("no holder of this lock panics");
        let found = blobs
            .get(name)
            .cloned()
            .map(|bytes| verified(name, bytes))
            .transpose();
        Box::pin(std::future::ready(found))
    }

    fn path(&self, _: &str) -> Option<PathBuf> {
        None
    }
}

/// Blobs as files under `blobs/` of a disk.
pub struct DiskBlobs {
    shared: Arc<Shared>,
}

struct Shared {
    disk: Arc<dyn Disk>,
    /// One blob is written at a time; holds why none can be written any more.
    poisoned: Mutex<Option<String>>,
}

impl DiskBlobs {
    /// The blobs of `disk`. Blocks while it makes their directory.
    pub fn open(disk: Arc<dyn Disk>) -> io::Result<DiskBlobs> {
        disk.create_directory(DIRECTORY)?;
        Ok(DiskBlobs {
            shared: Arc::new(Shared {
                disk,
                poisoned: Mutex::new(None),
            }),
        })
    }
}

fn poison(poisoned: &mut Option<String>, error: io::Error) -> BlobError {
    let detail = error.to_string();
    *poisoned = Some(detail.clone());
    BlobError::Poisoned { detail }
}

impl Shared {
    fn put(&self, bytes: &[u8]) -> Result<String, BlobError> {
        let name = name_of(bytes);
        let mut poisoned = self.poisoned.lock().expect("no holder of this lock panics");
        if let Some(detail) = &*poisoned {
            return Err(BlobError::Poisoned {
                detail: detail.clone(),
            });
        }
        let failed = |error: io::Error| BlobError::Disk {
            name: name.clone(),
            detail: error.to_string(),
        };
        let kept = match read_whole(&*self.disk, &join(DIRECTORY, &name)) {
            Ok(kept) => Some(kept),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed(error)),
        };
        if kept.as_deref() != Some(bytes) {
            write_unfinished(&*self.disk, DIRECTORY, &name, bytes).map_err(failed)?;
            if let Err(error) = put_in_place(&*self.disk, DIRECTORY, &name) {
                return Err(poison(&mut poisoned, error));
            }
            return Ok(name);
        }
        // A process that died before it synced the directory leaves a name that may not last.
        if let Err(error) = self.disk.sync_directory(DIRECTORY) {
            return Err(poison(&mut poisoned, error));
        }
        Ok(name)
    }

    fn get(&self, name: &str) -> Result<Option<Bytes>, BlobError> {
        match read_whole(&*self.disk, &join(DIRECTORY, name)) {
            Ok(bytes) => verified(name, bytes.into()).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(BlobError::Disk {
                name: name.to_owned(),
                detail: error.to_string(),
            }),
        }
    }
}

impl Blobs for DiskBlobs {
    fn put(&self, bytes: Bytes) -> BoxFuture<'static, Result<String, BlobError>> {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            let put = spawn_blocking(move || shared.put(&bytes));
            put.await.expect("putting a blob does not panic")
        })
    }

    fn get(&self, name: &str) -> BoxFuture<'static, Result<Option<Bytes>, BlobError>> {
        if !is_name(name) {
            return Box::pin(std::future::ready(Ok(None)));
        }
        let shared = Arc::clone(&self.shared);
        let name = name.to_owned();
        Box::pin(async move {
            let get = spawn_blocking(move || shared.get(&name));
            get.await.expect("getting a blob does not panic")
        })
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        if !is_name(name) {
            return None;
        }
        self.shared.disk.outside_path(&join(DIRECTORY, name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file_disk::FileDisk;

    fn on_disk(directory: &std::path::Path) -> DiskBlobs {
        DiskBlobs::open(Arc::new(FileDisk::open(directory).unwrap())).unwrap()
    }

    async fn keeps_what_is_put(blobs: &dyn Blobs) {
        let bytes = Bytes::from_static(b"abc");
        let name = blobs.put(bytes.clone()).await.unwrap();
        let published = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(name, published);
        assert_eq!(
            blobs.put(bytes.clone()).await,
            Ok(name.clone()),
            "twice is once"
        );
        assert_eq!(blobs.get(&name).await, Ok(Some(bytes)));
        let other = name_of(b"other");
        for absent in [other.as_str(), "", "../SUPER", &name.to_uppercase()] {
            assert_eq!(blobs.get(absent).await, Ok(None), "{absent}");
        }
    }

    #[tokio::test]
    async fn a_blob_is_kept_under_the_hash_of_its_bytes() {
        keeps_what_is_put(&MemoryBlobs::default()).await;
        let directory = tempfile::tempdir().unwrap();
        keeps_what_is_put(&on_disk(directory.path())).await;
    }

    #[tokio::test]
    async fn a_blob_outlives_the_process_and_has_a_path() {
        let directory = tempfile::tempdir().unwrap();
        let name = on_disk(directory.path())
            .put(Bytes::from_static(b"code"))
            .await
            .unwrap();
        let blobs = on_disk(directory.path());
        assert_eq!(
            blobs.get(&name).await,
            Ok(Some(Bytes::from_static(b"code")))
        );
        assert_eq!(std::fs::read(blobs.path(&name).unwrap()).unwrap(), b"code");
        assert_eq!(blobs.path("../LOCK"), None);
    }

    #[tokio::test]
    async fn a_damaged_blob_is_refused_and_can_be_put_again() {
        let directory = tempfile::tempdir().unwrap();
        let blobs = on_disk(directory.path());
        let name = blobs.put(Bytes::from_static(b"code")).await.unwrap();
        std::fs::write(blobs.path(&name).unwrap(), b"c0de").unwrap();
        let corrupt = BlobError::Corrupt {
            name: name.clone(),
            actual: name_of(b"c0de"),
        };
        assert_eq!(blobs.get(&name).await, Err(corrupt));
        blobs.put(Bytes::from_static(b"code")).await.unwrap();
        assert_eq!(
            blobs.get(&name).await,
            Ok(Some(Bytes::from_static(b"code")))
        );
    }
}
