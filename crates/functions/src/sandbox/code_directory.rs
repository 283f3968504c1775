//! The directory a function's code is unpacked in: [`CodeDirectories`].
//!
//! What must hold: a directory that has its final name is complete, so unpacking goes to a name of its
//! own first. The directories are a cache of the blobs: one that is missing is made again, and nothing
//! of it outlives the server, because nothing of it is synced: after a power cut a directory can have
//! its final name and lack its files. They are named by the hash of the archive, so functions with the
//! same code share one.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use crate::archive::{self, Refused};

/// The bootstrap that a Python function is started with.
const PYTHON_BOOTSTRAP: &str = include_str!("bootstrap.py");

/// Directories with the code of functions, below one directory.
#[derive(Debug)]
pub struct CodeDirectories {
    root: PathBuf,
    /// One lock for each archive that is being unpacked or was.
    unpacking: Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

impl CodeDirectories {
    /// The directories below `root`, which need not exist.
    pub fn new(root: PathBuf) -> CodeDirectories {
        CodeDirectories {
            root,
            unpacking: Mutex::default(),
        }
    }

    /// The directory of the archive called `name`, when it has been unpacked.
    pub fn find(&self, name: &str) -> Option<PathBuf> {
        let place = self.place(name);
        place.is_dir().then_some(place)
    }

    /// Unpacks `zip`, the archive called `name`, unless that has been done; gives the directory.
    pub async fn unpack(&self, name: &str, zip: Bytes) -> Result<PathBuf, Refused> {
        let lock = Arc::clone(
            self.unpacking
                .lock()
                .expect("no holder of this lock panics")
                .entry(name.to_owned())
                .or_default(),
        );
        let _alone = lock.lock().await;
        if let Some(place) = self.find(name) {
            return Ok(place);
        }
        let (place, partial) = (
            self.place(name),
            self.root.join("code").join(format!("{name}.partial")),
        );
        let work = move || {
            remove(&partial)?;
            std::fs::create_dir_all(&partial)?;
            archive::unpack(&zip, &partial)?;
            std::fs::rename(&partial, &place)?;
            Ok(place)
        };
        blocking(work).await
    }

    /// The directory with our own bootstrap in it, written anew by each server.
    pub async fn runtime(&self) -> io::Result<PathBuf> {
        let directory = self.root.join("runtime");
        blocking(move || {
            let script = directory.join("bootstrap.py");
            if std::fs::read(&script).is_ok_and(|found| found == PYTHON_BOOTSTRAP.as_bytes()) {
                return Ok(directory);
            }
            std::fs::create_dir_all(&directory)?;
            let partial = directory.join("bootstrap.partial");
            std::fs::write(&partial, PYTHON_BOOTSTRAP)?;
            std::fs::rename(&partial, &script)?;
            Ok(directory)
        })
        .await
    }

    /// The temporary directory of environment `number`, made if it does not exist.
    pub async fn temporary(&self, number: u64) -> io::Result<PathBuf> {
        let directory = self.root.join("environments").join(number.to_string());
        blocking(move || std::fs::create_dir_all(&directory).map(|()| directory)).await
    }

    /// Removes the temporary directory of environment `number`.
    pub async fn remove_temporary(&self, number: u64) -> io::Result<()> {
        let directory = self.root.join("environments").join(number.to_string());
        blocking(move || remove(&directory)).await
    }

    /// Removes what an earlier server left: of its environments, and the code it had unpacked.
    pub async fn clean(&self) -> io::Result<()> {
        let [environments, code] = ["environments", "code"].map(|name| self.root.join(name));
        blocking(move || remove(&environments).and_then(|()| remove(&code))).await
    }

    fn place(&self, name: &str) -> PathBuf {
        self.root.join("code").join(name)
    }
}

fn remove(directory: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

async fn blocking<T: Send + 'static, E: From<io::Error> + Send + 'static>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, E> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(error) => Err(io::Error::other(error).into()),
    }
}
