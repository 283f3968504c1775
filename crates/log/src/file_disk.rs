//! The disk of the machine: [`FileDisk`].
//!
//! What must hold: one process at a time has the data directory; a lock on the file `LOCK` in it, which
//! the system drops with the process, says which. Reads are plain `pread`, never mapped: a failing disk
//! then gives an error and not a signal. Files are written past the system's cache when a probe at the
//! start shows that this works here; not every file system can.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rustix::fs::{Advice, FallocateFlags, OFlags};
use rustix::io::Errno;
use thiserror::Error;

use crate::aligned::is_aligned;
use crate::disk::{BLOCK_BYTES, Disk, DiskFile, Room};

const LOCK: &str = "LOCK";
const PROBE: &str = "LOCK.probe";

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
    /// Why no file is written through, if none is.
    buffered: Option<String>,
}

impl FileDisk {
    /// Takes the data directory `root`, and makes it if it does not exist. Finds out whether files can
    /// be written through.
    pub fn open(root: &Path) -> Result<FileDisk, FileDiskError> {
        let mut disk = FileDisk::open_buffered(root)?;
        disk.buffered = probe(&root.join(PROBE))
            .err()
            .map(|error| error.to_string());
        Ok(disk)
    }

    /// As [`FileDisk::open`], and writes no file through.
    pub fn open_buffered(root: &Path) -> Result<FileDisk, FileDiskError> {
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
        let probe = root.join(PROBE);
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
            buffered: Some("not asked for".to_owned()),
        })
    }
}

impl FileDisk {
    /// How zeros are written.
    fn zeroing(&self) -> OFlags {
        match self.buffered {
            Some(_) => OFlags::empty(),
            // One sync at the end: each on the way would take turns with those of the log.
            None => OFlags::DIRECT,
        }
    }

    /// `file` at `path` with `bytes` zeros that are on the disk, to be written through.
    fn zeroed(&self, path: &Path, file: File, bytes: u64) -> io::Result<Arc<dyn DiskFile>> {
        write_zeros(&file, bytes)?;
        file.sync_all()?;
        if self.buffered.is_some() {
            return Ok(Arc::new(OpenFile(file)));
        }
        let file = with_flags(OFlags::DIRECT | OFlags::DSYNC)?.open(path)?;
        Ok(Arc::new(DirectFile::new(file)))
    }
}

/// Opens a new file for reading and for writing past the cache, durably.
fn create_direct(path: &Path) -> io::Result<File> {
    let mut options = with_flags(OFlags::DIRECT | OFlags::DSYNC)?;
    options.create_new(true).open(path)
}

fn with_flags(wanted: OFlags) -> io::Result<OpenOptions> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).custom_flags(flags(wanted)?);
    Ok(options)
}

fn flags(wanted: OFlags) -> io::Result<i32> {
    i32::try_from(wanted.bits()).map_err(io::Error::other)
}

/// Zeros where the system wants them in memory to write them past the cache.
#[repr(align(4096))]
struct Zeros([u8; ZEROS_BYTES]);

static ZEROS: Zeros = Zeros([0; ZEROS_BYTES]);

/// So many zeros are written at once: what a frame may have to wait for on its way to the disk.
const ZEROS_BYTES: usize = 128 * 1024;

/// Whether a block can be written through at `path` and read back; leaves nothing there.
fn probe(path: &Path) -> io::Result<()> {
    let probed = create_direct(path).and_then(|file| {
        let file = DirectFile::new(file);
        let block = [0xa5; BLOCK_BYTES];
        file.write_at(BLOCK_BYTES as u64, &block)?;
        let mut found = [0; 2 * BLOCK_BYTES];
        let read = OpenFile(File::open(path)?).read_at(0, &mut found)?;
        if read != found.len() || found[BLOCK_BYTES..] != block {
            return Err(io::Error::other("what was written is not read back"));
        }
        Ok(())
    });
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => probed.and(Err(error)),
        _ => probed,
    }
}

/// Where the file system cannot reserve room, it has to be written.
fn write_zeros(file: &File, bytes: u64) -> io::Result<()> {
    let mut offset = 0;
    while offset < bytes {
        let count = (bytes - offset).min(ZEROS_BYTES as u64);
        file.write_all_at(&ZEROS.0[..count as usize], offset)?;
        offset += count;
    }
    Ok(())
}

fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

impl Disk for FileDisk {
    fn create_directory(&self, directory: &str) -> io::Result<()> {
        std::fs::create_dir_all(self.root.join(directory))?;
        // The entry of each directory on the way stands in the one above it.
        let above = directory.match_indices('/').map(|(at, _)| &directory[..at]);
        for parent in above {
            sync_directory(&self.root.join(parent))?;
        }
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

    fn create_written_through(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        if self.buffered.is_some() {
            return self.create(path);
        }
        let file = create_direct(&self.root.join(path))?;
        Ok(Arc::new(DirectFile::new(file)))
    }

    fn create_beside(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        if self.buffered.is_some() {
            return self.create(path);
        }
        let mut options = with_flags(OFlags::DIRECT)?;
        let file = options.create_new(true).open(self.root.join(path))?;
        Ok(Arc::new(DirectFile::unsynced(file)))
    }

    fn create_zeroed(&self, path: &str, bytes: u64) -> io::Result<Arc<dyn DiskFile>> {
        let path = self.root.join(path);
        let file = with_flags(self.zeroing())?.create_new(true).open(&path)?;
        self.zeroed(&path, file, bytes)
    }

    fn zero_again(&self, path: &str, bytes: u64) -> io::Result<Arc<dyn DiskFile>> {
        let path = self.root.join(path);
        let file = with_flags(self.zeroing())?.open(&path)?;
        let bytes = file.metadata()?.len().max(bytes);
        self.zeroed(&path, file, bytes.next_multiple_of(BLOCK_BYTES as u64))
    }

    fn truncate(&self, path: &str, bytes: u64) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options
            .write(true)
            .open(self.root.join(path))?
            .set_len(bytes)
    }

    fn open(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(OpenFile(File::open(self.root.join(path))?)))
    }

    fn open_beside(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        let path = self.root.join(path);
        if self.buffered.is_none() {
            let mut options = OpenOptions::new();
            options.read(true).custom_flags(flags(OFlags::DIRECT)?);
            return Ok(Arc::new(DirectFile::new(options.open(path)?)));
        }
        let file = File::open(path)?;
        rustix::fs::fadvise(&file, 0, None, Advice::Random)?;
        Ok(Arc::new(OpenFile(file)))
    }

    fn way_of_writing(&self) -> String {
        match &self.buffered {
            None => "O_DIRECT|O_DSYNC".to_owned(),
            Some(why) => format!("buffered and fdatasync (O_DIRECT|O_DSYNC: {why})"),
        }
    }

    fn rename(&self, before: &str, after: &str) -> io::Result<()> {
        std::fs::rename(self.root.join(before), self.root.join(after))
    }

    fn rename_new(&self, before: &str, after: &str) -> io::Result<()> {
        // A link never replaces a name, on every file system; renames with that promise are not on all.
        std::fs::hard_link(self.root.join(before), self.root.join(after))?;
        std::fs::remove_file(self.root.join(before))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        std::fs::remove_file(self.root.join(path))
    }

    fn reserve(&self, path: &str, bytes: u64) -> io::Result<()> {
        let mut options = OpenOptions::new();
        let file = options
            .create_new(true)
            .write(true)
            .open(self.root.join(path))?;
        match rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, bytes) {
            Ok(()) => {}
            Err(Errno::OPNOTSUPP) => write_zeros(&file, bytes)?,
            Err(error) => return Err(error.into()),
        }
        file.sync_all()
    }

    fn room(&self) -> io::Result<Option<Room>> {
        let found = rustix::fs::statvfs(&self.root)?;
        Ok(Some(Room {
            total_bytes: found.f_blocks.saturating_mul(found.f_frsize),
            free_bytes: found.f_bavail.saturating_mul(found.f_frsize),
        }))
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

/// A file that is written past the system's cache.
struct DirectFile {
    file: OpenFile,
    /// Whether each write is synced.
    is_written_through: bool,
    /// Where bytes are put at a multiple of the block size, as the system asks for, unless they are.
    aligned: Mutex<Vec<u8>>,
}

/// The most that is written at once past the cache: bounds what a file holds in memory.
const ALIGNED_BYTES: usize = 1024 * 1024;

impl DirectFile {
    fn new(file: File) -> DirectFile {
        DirectFile {
            is_written_through: true,
            ..DirectFile::unsynced(file)
        }
    }

    fn unsynced(file: File) -> DirectFile {
        DirectFile {
            file: OpenFile(file),
            is_written_through: false,
            aligned: Mutex::new(Vec::new()),
        }
    }
}

impl DiskFile for DirectFile {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        if is_aligned(offset, bytes) {
            return self.file.write_at(offset, bytes);
        }
        let mut room = self.aligned.lock().expect("no holder of this lock panics");
        let needed = bytes.len().min(ALIGNED_BYTES) + BLOCK_BYTES;
        if room.len() < needed {
            room.resize(needed, 0);
        }
        let start = room.as_ptr().align_offset(BLOCK_BYTES);
        let mut at = offset;
        for part in bytes.chunks(ALIGNED_BYTES) {
            let aligned = &mut room[start..start + part.len()];
            aligned.copy_from_slice(part);
            self.file.write_at(at, aligned)?;
            at += part.len() as u64;
        }
        Ok(())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        if is_aligned(offset, buffer) {
            return self.file.read_at(offset, buffer);
        }
        let mut whole = vec![0; buffer.len().next_multiple_of(BLOCK_BYTES) + 2 * BLOCK_BYTES];
        let start = whole.as_ptr().align_offset(BLOCK_BYTES);
        let skipped = offset as usize % BLOCK_BYTES;
        let size = (skipped + buffer.len()).next_multiple_of(BLOCK_BYTES);
        let aligned = &mut whole[start..start + size];
        let read = self.file.read_at(offset - skipped as u64, aligned)?;
        let count = read.saturating_sub(skipped).min(buffer.len());
        buffer[..count].copy_from_slice(&aligned[skipped..skipped + count]);
        Ok(count)
    }

    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }

    fn is_written_through(&self) -> bool {
        self.is_written_through
    }

    fn is_past_cache(&self) -> bool {
        true
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync()
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
    fn a_new_name_never_replaces_another() {
        let directory = tempfile::tempdir().unwrap();
        let disk = FileDisk::open_buffered(directory.path()).unwrap();
        disk.create_directory("a/b").unwrap();
        for (path, bytes) in [("a/b/one", b"1"), ("a/b/two", b"2")] {
            disk.create(path).unwrap().write_at(0, bytes).unwrap();
        }
        let taken = disk.rename_new("a/b/one", "a/b/two").unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AlreadyExists);
        disk.rename_new("a/b/one", "a/b/three").unwrap();
        assert_eq!(disk.list("a/b").unwrap(), ["three", "two"]);
        for (path, bytes) in [("a/b/three", b"1"), ("a/b/two", b"2")] {
            assert_eq!(crate::disk::read_whole(&disk, path).unwrap(), bytes);
        }
    }

    #[test]
    fn a_file_is_zeroed_again_as_far_as_it_reaches_and_as_was_asked() {
        for is_direct in [true, false] {
            let directory = tempfile::tempdir().unwrap();
            let disk = match is_direct {
                true => FileDisk::open(directory.path()).unwrap(),
                false => FileDisk::open_buffered(directory.path()).unwrap(),
            };
            for (bytes, wanted, size) in [(8192, 4096, 8192), (8192, 12288, 12288)] {
                disk.create_zeroed("file", bytes).unwrap();
                let file = disk.open("file").unwrap();
                let before = disk.create_written_through("other").unwrap();
                before.write_at(0, &[1; 4096]).unwrap();
                disk.rename("other", "file").unwrap();
                assert_eq!(file.size().unwrap(), bytes, "who has it open keeps it");
                before
                    .write_at(4096, &vec![2; bytes as usize - 4096])
                    .unwrap();
                let again = disk.zero_again("file", wanted).unwrap();
                assert_eq!(again.is_written_through(), before.is_written_through());
                again.write_at(4096, &[3; 4096]).unwrap();
                let mut found = crate::disk::read_whole(&disk, "file").unwrap();
                assert_eq!(found.len(), size);
                assert!(found[4096..8192].iter().all(|byte| *byte == 3));
                found[4096..8192].fill(0);
                assert!(found.iter().all(|byte| *byte == 0));
                disk.remove("file").unwrap();
            }
            let gone = disk.zero_again("file", 4096).err().unwrap();
            assert_eq!(gone.kind(), io::ErrorKind::NotFound);
        }
    }

    #[test]
    fn what_is_written_through_is_read_back_whatever_its_size() {
        let directory = tempfile::tempdir().unwrap();
        let disk = FileDisk::open(directory.path()).unwrap();
        let file = disk.create_written_through("file").unwrap();
        let beside = disk.create_beside("beside").unwrap();
        assert_eq!(file.is_past_cache(), beside.is_past_cache());
        assert!(!beside.is_written_through());
        let bytes: Vec<u8> = (0..ALIGNED_BYTES + 3 * BLOCK_BYTES)
            .map(|index| (index / 7) as u8)
            .collect();
        file.write_at(BLOCK_BYTES as u64, &bytes).unwrap();
        beside.write_at(BLOCK_BYTES as u64, &bytes).unwrap();
        beside.sync().unwrap();
        let opened = ["file", "beside"].map(|path| disk.open_beside(path).unwrap());
        for file in opened.into_iter().chain([file, disk.open("file").unwrap()]) {
            let mut found = vec![0; bytes.len() - 1000];
            let read = file.read_at(BLOCK_BYTES as u64 + 500, &mut found).unwrap();
            assert_eq!(read, found.len());
            assert!(found == bytes[500..bytes.len() - 500]);
        }
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
