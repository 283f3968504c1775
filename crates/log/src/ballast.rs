//! The ballast: a file that holds room for the time when the disk is full.
//!
//! What must hold: while it is there, the log takes everything; when the disk is full it is dropped, so
//! that there is room for what frees more, and the log takes nothing else until it can be put back.

use std::io;

use crate::disk::Disk;

/// Name of the file, in the data directory.
const BALLAST: &str = "BALLAST";

/// The smallest that is worth having.
const BYTES_MIN: u64 = 1024 * 1024;

/// The largest.
const BYTES_MAX: u64 = 256 * 1024 * 1024;

/// How large it should be on a file system of `total_bytes`.
pub fn bytes_for(total_bytes: u64) -> u64 {
    (total_bytes / 64).clamp(BYTES_MIN, BYTES_MAX)
}

/// See the module.
#[derive(Debug)]
pub struct Ballast {
    bytes: u64,
    is_held: bool,
}

impl Ballast {
    /// One of `bytes`, or none at all for 0; whatever stands there has another size or is it.
    pub fn new(disk: &dyn Disk, bytes: u64) -> Ballast {
        let size = disk.open(BALLAST).and_then(|file| file.size());
        let is_held = bytes > 0 && size.is_ok_and(|size| size == bytes);
        Ballast { bytes, is_held }
    }

    /// Whether it is there, or need not be.
    pub fn is_held(&self) -> bool {
        self.is_held || self.bytes == 0
    }

    /// Puts it back if that leaves as much room free again; whether it is there then.
    pub fn hold(&mut self, disk: &dyn Disk) -> bool {
        if self.is_held() {
            return self.bytes > 0 || has_room(disk, BYTES_MIN);
        }
        if !has_room(disk, 2 * self.bytes) {
            return false;
        }
        let reserved = remove_if_there(disk)
            .and_then(|()| disk.reserve(BALLAST, self.bytes))
            .and_then(|()| disk.sync_directory(""));
        match reserved {
            Ok(()) => self.is_held = true,
            Err(error) => {
                tracing::warn!(%error, "the ballast could not be put into the data directory");
                self.drop_it(disk);
            }
        }
        self.is_held
    }

    /// Drops it: its room is free.
    pub fn drop_it(&mut self, disk: &dyn Disk) {
        self.is_held = false;
        if let Err(error) = remove_if_there(disk) {
            tracing::warn!(%error, "the ballast could not be dropped");
        }
    }
}

/// Whether `bytes` are free; yes where the disk does not tell.
fn has_room(disk: &dyn Disk, bytes: u64) -> bool {
    match disk.room() {
        Ok(Some(room)) => room.free_bytes >= bytes,
        Ok(None) => true,
        Err(_) => false,
    }
}

fn remove_if_there(disk: &dyn Disk) -> io::Result<()> {
    match disk.remove(BALLAST) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
