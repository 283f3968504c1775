//! A portion of the write-ahead log, in memory: [`Portion`], what is sorted at a time.
//!
//! What must hold: a run is taken from the frames that are still in memory, or from what was read of the
//! disk in one go; both are the bytes that were written, and its entries are checked by whoever takes
//! them. Why: entries are sorted in another order than they stand in, and a read for each, or a system
//! that keeps in its own memory what was read once, costs more than all the rest.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use crate::aligned::Aligned;
use crate::cache::Cache;
use crate::disk::{Disk, read_exactly};
use crate::place::{CachedFrame, Extent, Home};

/// See the module.
#[derive(Clone, Debug)]
pub struct Portion {
    /// Number of the file.
    pub file: u64,
    /// Which part of it.
    pub span: Range<u64>,
    /// The frames of the end of it that are in memory; none, or up to its end.
    frames: Vec<Arc<CachedFrame>>,
}

impl Portion {
    /// About `bytes_max` from the start of `available`, which is a stretch of whole frames of file `file`.
    pub fn choose(cache: &Cache, file: u64, available: Range<u64>, bytes_max: u64) -> Portion {
        let end = available.end.min(available.start + bytes_max);
        let frames = cache.frames_in(file, available.start..end);
        let end = frames.last().map_or(end, |frame| frame.end());
        let span = available.start..end;
        Portion { file, span, frames }
    }

    /// What of it has to be read.
    pub fn missing(&self) -> Range<u64> {
        let in_memory = self
            .frames
            .first()
            .map_or(self.span.end, |frame| frame.offset);
        self.span.start..in_memory
    }

    /// Reads what is missing into `buffer`, which grows to its size, `piece_bytes` at once. Blocks.
    pub fn read(
        &self,
        disk: &dyn Disk,
        buffer: &mut Aligned,
        piece_bytes: usize,
    ) -> io::Result<()> {
        let missing = self.missing();
        if missing.is_empty() {
            return Ok(());
        }
        let bytes = (missing.end - missing.start) as usize;
        if buffer.len() < bytes {
            *buffer = Aligned::new(bytes);
        }
        let file = disk.open_beside(&Home::Wal(self.file).to_string())?;
        let mut offset = missing.start;
        for piece in buffer[..bytes].chunks_mut(piece_bytes) {
            read_exactly(&*file, offset, piece)?;
            offset += piece.len() as u64;
        }
        Ok(())
    }

    /// The body of the run at `extent`, given the `buffer` that what was missing has been read into.
    /// None when it reaches out of this portion.
    pub fn body<'a>(&'a self, buffer: &'a [u8], extent: &Extent) -> Option<&'a [u8]> {
        let missing = self.missing();
        let (start, bytes) = match extent.offset < missing.end {
            true => {
                let read = &buffer[..(missing.end - missing.start) as usize];
                (missing.start, read)
            }
            false => {
                let index = self
                    .frames
                    .partition_point(|frame| frame.end() <= extent.offset);
                let frame = self.frames.get(index)?;
                (frame.offset, &*frame.bytes)
            }
        };
        let from = usize::try_from(extent.offset.checked_sub(start)?).ok()?;
        bytes.get(from..from + extent.bytes as usize)
    }
}
