//! A data directory that is looked at and never changed: [`HeldDisk`].
//!
//! What must hold: no server uses the directory while it is held, and nothing in it is written; every
//! call that would is refused. So a directory on a file system that became read-only can be looked at,
//! which is when one wants to.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::{Disk, DiskFile, Room};
use crate::frame::DIRECTORY;
use crate::superblock::SUPERBLOCK;

use super::InspectError;

/// What a server locks; the same name as in `file_disk`.
const LOCK: &str = "LOCK";

/// A data directory, held until this is dropped.
#[derive(Debug)]
pub struct HeldDisk {
    root: PathBuf,
    /// Holds the lock by being open. None where the lock cannot be made, so that no server can start.
    _lock: Option<File>,
}

impl HeldDisk {
    /// Takes the data directory `root`, which must be one.
    pub fn open(root: &Path) -> Result<HeldDisk, InspectError> {
        let path = root.to_owned();
        if ![SUPERBLOCK, DIRECTORY]
            .iter()
            .any(|name| root.join(name).exists())
        {
            return Err(InspectError::NoData { path });
        }
        let lock = match open_lock(&root.join(LOCK)) {
            Ok(lock) => lock,
            Err(source) => return Err(InspectError::Unreadable { path, source }),
        };
        match lock.as_ref().map(File::try_lock) {
            None | Some(Ok(())) => Ok(HeldDisk {
                root: path,
                _lock: lock,
            }),
            Some(Err(TryLockError::WouldBlock)) => Err(InspectError::InUse { path }),
            Some(Err(TryLockError::Error(source))) => {
                Err(InspectError::Unreadable { path, source })
            }
        }
    }
}

/// The lock file, made where it is not there; none where that is not allowed.
fn open_lock(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        opened => return opened.map(Some),
    }
    let mut options = OpenOptions::new();
    match options.create(true).truncate(false).write(true).open(path) {
        Err(error) if is_not_writable(&error) => Ok(None),
        opened => opened.map(Some),
    }
}

fn is_not_writable(error: &io::Error) -> bool {
    let kind = error.kind();
    kind == io::ErrorKind::ReadOnlyFilesystem || kind == io::ErrorKind::PermissionDenied
}

fn read_only<T>() -> io::Result<T> {
    Err(io::ErrorKind::ReadOnlyFilesystem.into())
}

impl Disk for HeldDisk {
    fn create_directory(&self, _: &str) -> io::Result<()> {
        read_only()
    }

    fn zero_again(&self, _: &str, _: u64) -> io::Result<Arc<dyn DiskFile>> {
        read_only()
    }

    fn truncate(&self, _: &str, _: u64) -> io::Result<()> {
        read_only()
    }

    fn way_of_writing(&self) -> String {
        "not at all".to_owned()
    }

    /// A directory that is not there has no names: a start would make it, and find it so.
    fn list(&self, directory: &str) -> io::Result<Vec<String>> {
        let entries = match std::fs::read_dir(self.root.join(directory)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut names = Vec::new();
        for entry in entries {
            names.extend(entry?.file_name().into_string().ok());
        }
        names.sort();
        Ok(names)
    }

    fn create(&self, _: &str) -> io::Result<Arc<dyn DiskFile>> {
        read_only()
    }

    fn open(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(HeldFile(File::open(self.root.join(path))?)))
    }

    fn rename(&self, _: &str, _: &str) -> io::Result<()> {
        read_only()
    }

    fn rename_new(&self, _: &str, _: &str) -> io::Result<()> {
        read_only()
    }

    fn remove(&self, _: &str) -> io::Result<()> {
        read_only()
    }

    fn reserve(&self, _: &str, _: u64) -> io::Result<()> {
        read_only()
    }

    fn room(&self) -> io::Result<Option<Room>> {
        Ok(None)
    }

    fn sync_directory(&self, _: &str) -> io::Result<()> {
        read_only()
    }

    fn outside_path(&self, path: &str) -> Option<PathBuf> {
        Some(self.root.join(path))
    }
}

struct HeldFile(File);

impl DiskFile for HeldFile {
    fn write_at(&self, _: u64, _: &[u8]) -> io::Result<()> {
        read_only()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut read = 0;
        while read < buffer.len() {
            match self.0.read_at(&mut buffer[read..], offset + read as u64) {
                Ok(0) => break,
                Ok(count) => read += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(read)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn sync(&self) -> io::Result<()> {
        read_only()
    }
}
