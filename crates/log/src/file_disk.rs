//! The disk of the machine: [`FileDisk`].
//!
//! What must hold: one process at a time has the data directory; a lock on the file `LOCK` in it, which
//! the system drops with the process, says which. Reads are plain `pread`, never mapped: a failing disk
//! then gives an error and not a signal.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use crate::disk::{Disk, DiskFile};

const LOCK: &str = "LOCK";

/// Why a data directory cannot be used.
#[derive(Debug, Error)]
pub enum FileDiskError {
    /// Another process has it.
    #[error("the data directory {} is in use by another process", path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// It cannot be made, or nothing can be written into it.
    #[error("the data directory {} is not writable", path.display())]
    NotWritable {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A data directory of the machine's file system, held until this is dropped.
#[derive(Debug)]
pub struct FileDisk {
    root: PathBuf,
    /// Holds the lock by being open.
    _lock: File,
}

impl FileDisk {
    /// Takes the data directory `root`, and makes it if it does not exist.
    pub fn open(root: &Path) -> Result<FileDisk, FileDiskError> {
        let not_writable = |source| FileDiskError::NotWritable {
            path: root.to_owned(),
            source,
        };
        std::fs::create_dir_all(root).map_err(not_writable)?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(root.join(LOCK))
            .map_err(not_writable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(FileDiskError::InUse {
                    path: root.to_owned(),
                });
            }
            Err(TryLockError::Error(source)) => return Err(not_writable(source)),
        }
        // LOCK may be writable in a directory that is not.
        let probe = root.join("LOCK.probe");
        File::create(&probe).map_err(not_writable)?;
        std::fs::remove_file(&probe).map_err(not_writable)?;
        sync_directory(root).map_err(not_writable)?;
        if let Some(parent) = root
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
        {
            sync_directory(parent).map_err(not_writable)?;
        }
        Ok(FileDisk {
            root: root.to_owned(),
            _lock: lock,
        })
    }
}

fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

impl Disk for FileDisk {
    fn create_directory(&self, directory: &str) -> io::Result<()> {
        std::fs::create_dir_all(self.root.join(directory))?;
        sync_directory(&self.root)
    }

    fn list(&self, directory: &str) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(self.root.join(directory))? {
            // What is not UTF-8 is not ours.
            names.extend(entry?.file_name().into_string().ok());
        }
        names.sort();
        Ok(names)
    }

    fn create(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        let file = options
            .create_new(true)
            .read(true)
            .write(true)
            .open(self.root.join(path))?;
        Ok(Arc::new(OpenFile(file)))
    }

    fn open(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(OpenFile(File::open(self.root.join(path))?)))
    }

    fn rename(&self, before: &str, after: &str) -> io::Result<()> {
        std::fs::rename(self.root.join(before), self.root.join(after))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        std::fs::remove_file(self.root.join(path))
    }

    fn sync_directory(&self, directory: &str) -> io::Result<()> {
        sync_directory(&self.root.join(directory))
    }

    fn outside_path(&self, path: &str) -> Option<PathBuf> {
        Some(self.root.join(path))
    }
}

struct OpenFile(File);

impl DiskFile for OpenFile {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
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
        self.0.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_directory_has_one_user_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("data");
        let first = FileDisk::open(&root).unwrap();
        let refused = FileDisk::open(&root).unwrap_err();
        assert!(matches!(refused, FileDiskError::InUse { .. }), "{refused}");
        drop(first);
        FileDisk::open(&root).unwrap();
    }

    #[test]
    fn a_data_directory_that_cannot_be_made_is_refused_with_its_name() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        std::fs::write(&file, b"").unwrap();
        let refused = FileDisk::open(&file).unwrap_err();
        assert!(
            matches!(refused, FileDiskError::NotWritable { .. }),
            "{refused}"
        );
        assert!(
            refused.to_string().contains("file is not writable"),
            "{refused}"
        );
    }
}
