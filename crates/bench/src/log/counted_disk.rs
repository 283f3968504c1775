//! [`CountedDisk`]: the machine's disk, with a count of what is written to it.
//!
//! What must hold: every call goes through unchanged; a write is counted once, when it has succeeded,
//! by the bytes that the caller handed over.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use tidemill_log::{Disk, DiskFile, FileDisk, Room};

/// What has been written.
#[derive(Clone, Debug, Default)]
pub struct Written {
    /// Size of each write to the write-ahead log, in order.
    pub wal_writes: Vec<usize>,
    /// Bytes of all writes to all files.
    pub bytes: u64,
}

/// A disk that counts.
pub struct CountedDisk {
    disk: FileDisk,
    written: Arc<Mutex<Written>>,
}

struct CountedFile {
    file: Arc<dyn DiskFile>,
    is_wal: bool,
    written: Arc<Mutex<Written>>,
}

impl CountedDisk {
    /// Counts what is written to `disk`.
    pub fn new(disk: FileDisk) -> CountedDisk {
        CountedDisk {
            disk,
            written: Arc::default(),
        }
    }

    /// What was written since the last call.
    pub fn take(&self) -> Written {
        std::mem::take(&mut *self.written.lock().expect("no holder of this lock panics"))
    }

    fn counted(&self, path: &str, file: Arc<dyn DiskFile>) -> Arc<dyn DiskFile> {
        Arc::new(CountedFile {
            file,
            is_wal: path.starts_with("wal/"),
            written: Arc::clone(&self.written),
        })
    }
}

impl Disk for CountedDisk {
    fn create_directory(&self, directory: &str) -> io::Result<()> {
        self.disk.create_directory(directory)
    }

    fn list(&self, directory: &str) -> io::Result<Vec<String>> {
        self.disk.list(directory)
    }

    fn create(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        Ok(self.counted(path, self.disk.create(path)?))
    }

    fn create_written_through(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        Ok(self.counted(path, self.disk.create_written_through(path)?))
    }

    fn create_zeroed(&self, path: &str, bytes: u64) -> io::Result<Arc<dyn DiskFile>> {
        let file = self.disk.create_zeroed(path, bytes)?;
        let mut written = self.written.lock().expect("no holder of this lock panics");
        written.bytes += bytes;
        drop(written);
        Ok(self.counted(path, file))
    }

    fn truncate(&self, path: &str, bytes: u64) -> io::Result<()> {
        self.disk.truncate(path, bytes)
    }

    fn open(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        Ok(self.counted(path, self.disk.open(path)?))
    }

    fn open_beside(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        Ok(self.counted(path, self.disk.open_beside(path)?))
    }

    fn rename(&self, before: &str, after: &str) -> io::Result<()> {
        self.disk.rename(before, after)
    }

    fn rename_new(&self, before: &str, after: &str) -> io::Result<()> {
        self.disk.rename_new(before, after)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.disk.remove(path)
    }

    fn sync_directory(&self, directory: &str) -> io::Result<()> {
        self.disk.sync_directory(directory)
    }

    fn way_of_writing(&self) -> String {
        self.disk.way_of_writing()
    }

    fn reserve(&self, path: &str, bytes: u64) -> io::Result<()> {
        self.disk.reserve(path, bytes)
    }

    fn room(&self) -> io::Result<Option<Room>> {
        self.disk.room()
    }

    fn outside_path(&self, path: &str) -> Option<PathBuf> {
        self.disk.outside_path(path)
    }
}

impl DiskFile for CountedFile {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_at(offset, bytes)?;
        let mut written = self.written.lock().expect("no holder of this lock panics");
        written.bytes += bytes.len() as u64;
        if self.is_wal {
            written.wal_writes.push(bytes.len());
        }
        Ok(())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(offset, buffer)
    }

    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }

    fn is_written_through(&self) -> bool {
        self.file.is_written_through()
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }
}
