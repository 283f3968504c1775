//! The port to the disk: [`Disk`] and [`DiskFile`], all that the log asks of a file system.
//!
//! What must hold for every implementation: bytes and directory entries survive a power cut only when
//! they were synced, and whoever needs an order asks for it with a sync. Paths are relative to the
//! data directory, with `/`. The calls block; whoever calls from a task does it on a blocking thread.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// What the names of files end in that were not put in place.
pub const UNFINISHED: &str = ".tmp";

/// What offsets and sizes of writes are multiples of where the disk is written through.
pub const BLOCK_BYTES: usize = 4096;

/// How much a disk can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// All of it.
    pub total_bytes: u64,
    /// What is left for this program.
    pub free_bytes: u64,
}

/// The data directory.
pub trait Disk: Send + Sync {
    /// Makes directory `directory` unless it exists, and its entry in the data directory durable.
    fn create_directory(&self, directory: &str) -> io::Result<()>;

    /// The names in `directory`, in order.
    fn list(&self, directory: &str) -> io::Result<Vec<String>>;

    /// A new, empty file for writing and reading. Fails with `AlreadyExists`.
    fn create(&self, path: &str) -> io::Result<Arc<dyn DiskFile>>;

    /// As [`Disk::create`], for a file whose writes are durable when they return, where the disk can do
    /// that and [`DiskFile::is_written_through`] then says so. Offsets and sizes of its writes are
    /// multiples of [`BLOCK_BYTES`].
    fn create_written_through(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.create(path)
    }

    /// As [`Disk::create`], for a file that is written beside others that should not notice: past the
    /// system's cache where that can be had and [`DiskFile::is_past_cache`] then says so, and never
    /// synced by itself. Its writes are as those of [`Disk::create_written_through`].
    fn create_beside(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.create(path)
    }

    /// A new file of `bytes` zeros, which are on the disk, and otherwise as from
    /// [`Disk::create_written_through`]. Others that write meanwhile are disturbed little.
    fn create_zeroed(&self, path: &str, bytes: u64) -> io::Result<Arc<dyn DiskFile>> {
        let file = self.create_written_through(path)?;
        file.write_at(0, &vec![0; bytes as usize])?;
        file.sync()?;
        Ok(file)
    }

    /// Makes an existing file that nobody needs into what [`Disk::create_zeroed`] gives; one with more bytes
    /// keeps them, as zeros. Who has it open may read what it held, or zeros, or what is written next.
    fn zero_again(&self, path: &str, bytes: u64) -> io::Result<Arc<dyn DiskFile>>;

    /// Cuts a file off behind its first `bytes`; that lasts once the file has been synced.
    fn truncate(&self, path: &str, bytes: u64) -> io::Result<()>;

    /// An existing file for reading and syncing. Fails with `NotFound`.
    fn open(&self, path: &str) -> io::Result<Arc<dyn DiskFile>>;

    /// As [`Disk::open`], for reading beside others that should not notice: no more is read than is asked
    /// for, whatever the system would read ahead, and what is read takes no room in the system's cache
    /// where that can be had.
    fn open_beside(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.open(path)
    }

    /// Gives a file another name in the same directory, in place of what has that name; atomically.
    fn rename(&self, before: &str, after: &str) -> io::Result<()>;

    /// As [`Disk::rename`], but fails with `AlreadyExists` when something has the name `after`. When it
    /// fails otherwise, or the power is cut, the file may have both names.
    fn rename_new(&self, before: &str, after: &str) -> io::Result<()>;

    /// Removes a file's name. Who has it open can go on reading it.
    fn remove(&self, path: &str) -> io::Result<()>;

    /// A new file of `bytes` that takes up their room; its content does not matter.
    fn reserve(&self, path: &str, bytes: u64) -> io::Result<()>;

    /// How much room there is; none where the disk does not tell.
    fn room(&self) -> io::Result<Option<Room>>;

    /// Makes the entries of `directory` durable; the data directory itself is "".
    fn sync_directory(&self, directory: &str) -> io::Result<()>;

    /// How [`Disk::create_written_through`] writes, in words.
    fn way_of_writing(&self) -> String;

    /// Where `path` is found outside this program, if it is.
    fn outside_path(&self, path: &str) -> Option<PathBuf>;
}

/// An open file.
pub trait DiskFile: Send + Sync {
    /// Writes all of `bytes` at `offset`. When it fails, any part may have been written.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Fills `buffer` from `offset` on; gives fewer bytes only where the file ends.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// Size in bytes.
    fn size(&self) -> io::Result<u64>;

    /// Whether each write is durable when it returns, so that no sync is needed.
    fn is_written_through(&self) -> bool {
        false
    }

    /// Whether writes are on their way to the disk when they return, so that a sync finds little to do.
    fn is_past_cache(&self) -> bool {
        self.is_written_through()
    }

    /// Makes the content durable. After a failure nobody knows what is: never ask again.
    fn sync(&self) -> io::Result<()>;
}

/// Puts a file with `bytes` at `directory/name`, whole or not at all, durable when it returns.
pub fn write_whole(disk: &dyn Disk, directory: &str, name: &str, bytes: &[u8]) -> io::Result<()> {
    write_unfinished(disk, directory, name, bytes)?;
    put_in_place(disk, directory, name)
}

/// Writes and syncs `bytes` beside `directory/name`; nobody sees them until [`put_in_place`].
pub fn write_unfinished(
    disk: &dyn Disk,
    directory: &str,
    name: &str,
    bytes: &[u8],
) -> io::Result<()> {
    let unfinished = unfinished_path(directory, name);
    match disk.remove(&unfinished) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let file = disk.create(&unfinished)?;
    file.write_at(0, bytes)?;
    file.sync()
}

/// Gives what [`write_unfinished`] wrote its name, durably. When it fails, nobody knows which content
/// the name will have after a power cut.
pub fn put_in_place(disk: &dyn Disk, directory: &str, name: &str) -> io::Result<()> {
    disk.rename(&unfinished_path(directory, name), &join(directory, name))?;
    disk.sync_directory(directory)
}

/// As [`put_in_place`], unless a file has the name: then it stays, and this gives false.
pub fn put_new_in_place(disk: &dyn Disk, directory: &str, name: &str) -> io::Result<bool> {
    let unfinished = unfinished_path(directory, name);
    match disk.rename_new(&unfinished, &join(directory, name)) {
        Ok(()) => disk.sync_directory(directory).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            disk.remove(&unfinished)?;
            disk.sync_directory(directory).map(|()| false)
        }
        Err(error) => Err(error),
    }
}

fn unfinished_path(directory: &str, name: &str) -> String {
    format!("{}{UNFINISHED}", join(directory, name))
}

/// All bytes of the file at `path`.
pub fn read_whole(disk: &dyn Disk, path: &str) -> io::Result<Vec<u8>> {
    let file = disk.open(path)?;
    let size = usize::try_from(file.size()?).map_err(|_| io::ErrorKind::FileTooLarge)?;
    let mut bytes = vec![0; size];
    let read = file.read_at(0, &mut bytes)?;
    bytes.truncate(read);
    Ok(bytes)
}

/// Whether there was no room.
pub fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

/// Removes a file. One that stays takes room and does no harm: the next start removes it.
pub fn remove(disk: &dyn Disk, path: &str) {
    if let Err(error) = disk.remove(path) {
        tracing::warn!(path, %error, "a file that is not needed could not be removed");
    }
}

/// Fills `buffer` from `offset` on. `UnexpectedEof` when the file ends before.
pub fn read_exactly(file: &dyn DiskFile, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
    if file.read_at(offset, buffer)? < buffer.len() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(())
}

/// The path of `name` in `directory`.
pub fn join(directory: &str, name: &str) -> String {
    if directory.is_empty() {
        name.to_owned()
    } else {
        format!("{directory}/{name}")
    }
}
