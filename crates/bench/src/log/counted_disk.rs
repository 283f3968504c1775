//! [`CountedDisk`]: the machine's disk, with a count of what is written to it.
//!
//! What must hold: every call goes through unchanged; a write is counted once, when it has succeeded,
//! by the bytes that the caller handed over. Whoever writes beside the log never holds a lock that the
//! log's own writes need: it may be put to sleep while it does.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
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

#[derive(Default)]
struct Counts {
    wal_writes: Mutex<Vec<usize>>,
    bytes: AtomicU64,
}

/// A disk that counts.
pub struct CountedDisk {
    disk: FileDisk,
    counts: Arc<Counts>,
}

struct CountedFile {
    file: Arc<dyn DiskFile>,
    is_wal: bool,
    counts: Arc<Counts>,
}

impl CountedDisk {
    /// Counts what is written to `disk`.
    pub fn new(disk: FileDisk) -> CountedDisk {
        CountedDisk {
            disk,
            counts: Arc::default(),
        }
    }

    /// What was written since the last call.
    pub fn take(&self) -> Written {
        let mut wal_writes = self
            .counts
            .wal_writes
            .lock()
            .expect("no holder of this lock panics");
        Written {
            wal_writes: std::mem::take(&mut *wal_writes),
            bytes: self.counts.bytes.swap(0, Ordering::Relaxed),
        }
    }

    fn counted(&self, path: &str, file: Arc<dyn DiskFile>) -> Arc<dyn DiskFile> {
        Arc::new(CountedFile {
            file,
            is_wal: path.starts_with("wal/"),
            counts: Arc::clone(&self.counts),
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

    fn create_beside(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        Ok(self.counted(path, self.disk.create_beside(path)?))
    }

    fn create_zeroed(&self, path: &str, bytes: u64) -> io::Result<Arc<dyn DiskFile>> {
        let file = self.disk.create_zeroed(path, bytes)?;
        self.counts.bytes.fetch_add(bytes, Ordering::Relaxed);
        Ok(self.counted(path, file))
    }

    fn zero_again(&self, path: &str, bytes: u64) -> io::Result<Arc<dyn DiskFile>> {
        let file = self.disk.zero_again(path, bytes)?;
        self.counts.bytes.fetch_add(file.size()?, Ordering::Relaxed);
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
        let count = bytes.len() as u64;
        self.counts.bytes.fetch_add(count, Ordering::Relaxed);
        if self.is_wal {
            let wal_writes = &self.counts.wal_writes;
            let mut wal_writes = wal_writes.lock().expect("no holder of this lock panics");
            wal_writes.push(bytes.len());
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

    fn is_past_cache(&self) -> bool {
        self.file.is_past_cache()
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }
}
