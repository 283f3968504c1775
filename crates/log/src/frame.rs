//! Files and frames of the write-ahead log: what stands on the disk, and when it is believed.
//!
//! What must hold: a frame is believed only when everything does: its magic, both checksums, the salt
//! of its file, a sequence number one higher than that of the frame before, and the checksum of the
//! frame before. So a stale block, a block of another file and a block in the wrong place are never
//! mistaken for the log. The layouts are frozen by golden bytes in the tests; all numbers are
//! little-endian.
//!
//! ```text
//! file    = header (one block of 4096 bytes), frames
//! header  =  0  8  "TIDEWAL" 0
//!            8  4  layout, 1
//!           12  4  flags: 1 = its frames are acknowledged before they are synced
//!           16  8  number of the file
//!           24  8  salt, drawn anew for each file
//!           32  8  sequence number of its first frame
//!           40  8  when it was made, milliseconds
//!           48  8  number of the file before it, 0 for none
//!           56  8  where the frames of that file end
//!           64  4  checksum of the last frame of that file
//!           68  .. zero
//!         4092  4  CRC-32C of the bytes before
//!
//! frame   = header (64 bytes), payload, zeros up to a multiple of 4096 bytes
//! header  =  0  4  "TMFR"
//!            4  4  size of the frame
//!            8  8  sequence number, one higher than that of the frame before
//!           16  8  salt of the file
//!           24  4  checksum of the frame before; of the file header for the first
//!           28  4  number of runs in the payload
//!           32  4  size of the payload
//!           36  4  CRC-32C of everything behind this header, the padding included
//!           40  8  when it was written, milliseconds
//!           48  4  how many sectors of 512 bytes of the frame are all zero
//!           52  4  kind: 0 commands, 1 checkpoint
//!           56  4  1 when it was begun while the frame before it was still on its way, else 0
//!           60  4  CRC-32C of the bytes before; the checksum that the next frame carries
//! ```
//!
//! The count of zero sectors tells a torn write from a damaged one. Nothing but zeros is written to a
//! file ahead of its frames, so a sector that a power cut kept away reads as zeros: a torn frame has
//! more zero sectors than its header says. A frame with all its sectors in place that does not
//! validate was damaged later.
//!
//! Two frames at most are on their way at once: one is begun only when all but the frame before it are
//! on the disk. So a frame that says it was begun beside the one before it may stand whole behind a
//! torn one, as the last of the log; neither was acknowledged.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use thiserror::Error;

use tidemill_model::Timestamp;

use crate::buffers::Buffers;
use crate::checksum::crc32c;

/// Where the write-ahead log stands on the disk.
pub const DIRECTORY: &str = "wal";

/// The path of file `number` of the write-ahead log.
pub fn file_path(number: u64) -> String {
    format!("{DIRECTORY}/{number:016x}.wal")
}

/// Size of the file header, and what the size of a frame is a multiple of.
pub const BLOCK_BYTES: usize = crate::disk::BLOCK_BYTES;

/// What a disk writes whole or not at all.
pub const SECTOR_BYTES: usize = 512;

/// Size of a frame's header.
pub const FRAME_HEADER_BYTES: usize = 64;

const FILE_MAGIC: [u8; 8] = *b"TIDEWAL\0";
const FILE_LAYOUT: u32 = 1;
const FILE_UNSYNCED: u32 = 1;
const FRAME_MAGIC: [u8; 4] = *b"TMFR";

/// Where the frames of a file end, and the checksum of the last of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileTail {
    /// Number of the file.
    pub file: u64,
    /// Offset behind its last frame.
    pub end: u64,
    /// Checksum of the last frame; of the file header when it has none.
    pub checksum: u32,
}

/// The first block of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileHeader {
    /// Number of the file, from 1.
    pub file: u64,
    /// Whether its frames are acknowledged before they are synced.
    pub unsynced: bool,
    /// Drawn anew for each file.
    pub salt: u64,
    /// Sequence number of the first frame.
    pub first_lsn: u64,
    /// When it was made.
    pub created: Timestamp,
    /// The file before it.
    pub previous: Option<FileTail>,
}

/// What kind of frame it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// Changes, to be applied one after the other.
    Commands = 0,
    /// The state of all partitions; the first frame of each file.
    Checkpoint = 1,
}

/// What a frame says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// Size of the frame.
    pub frame_bytes: u32,
    /// Its sequence number.
    pub lsn: u64,
    /// Salt of its file.
    pub salt: u64,
    /// Checksum of the frame before.
    pub previous_checksum: u32,
    /// Number of runs.
    pub runs: u32,
    /// Size of the payload.
    pub payload_bytes: u32,
    /// Checksum of everything behind the header.
    pub payload_checksum: u32,
    /// When it was written.
    pub written: Timestamp,
    /// How many of its sectors are all zero.
    pub zero_sectors: u32,
    /// Whether it was begun while the frame before it was still on its way.
    pub is_beside: bool,
    /// What kind of frame it is.
    pub kind: FrameKind,
    /// Its own checksum.
    pub checksum: u32,
}

/// What the next frame of a file must carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chain {
    /// Salt of the file.
    pub salt: u64,
    /// Sequence number of the next frame.
    pub lsn: u64,
    /// Checksum of the frame before.
    pub checksum: u32,
}

/// Why a block is not the header or the frame that should be there.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BadFrame {
    /// The file ends inside it.
    #[error("the file ends inside it")]
    Short,
    /// It does not begin as it should.
    #[error("its magic number is not there")]
    Magic,
    /// Its layout is of a newer version.
    #[error("its layout {0} is not known to this version")]
    Layout(u32),
    /// A checksum does not fit.
    #[error("the checksum of its {0} does not fit")]
    Checksum(&'static str),
    /// A size, a count or a kind is out of bounds.
    #[error("its {0} is out of bounds")]
    Bounds(&'static str),
    /// It is valid, and belongs elsewhere.
    #[error("its {0} is not the one that follows here")]
    Place(&'static str),
}

fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    u32::from_le_bytes(
        bytes[offset..offset + 4]
            .try_into()
            .expect("the slice has 4 bytes"),
    )
}

fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    u64::from_le_bytes(
        bytes[offset..offset + 8]
            .try_into()
            .expect("the slice has 8 bytes"),
    )
}

fn put(bytes: &mut [u8], offset: usize, value: &[u8]) {
    bytes[offset..offset + value.len()].copy_from_slice(value);
}

impl FileHeader {
    /// The block, and its checksum: what the first frame carries as that of the frame before.
    pub fn encode(&self) -> ([u8; BLOCK_BYTES], u32) {
        let previous = self.previous.unwrap_or(FileTail {
            file: 0,
            end: 0,
            checksum: 0,
        });
        let mut block = [0; BLOCK_BYTES];
        put(&mut block, 0, &FILE_MAGIC);
        put(&mut block, 8, &FILE_LAYOUT.to_le_bytes());
        put(
            &mut block,
            12,
            &(if self.unsynced { FILE_UNSYNCED } else { 0 }).to_le_bytes(),
        );
        put(&mut block, 16, &self.file.to_le_bytes());
        put(&mut block, 24, &self.salt.to_le_bytes());
        put(&mut block, 32, &self.first_lsn.to_le_bytes());
        put(&mut block, 40, &self.created.as_millis().to_le_bytes());
        put(&mut block, 48, &previous.file.to_le_bytes());
        put(&mut block, 56, &previous.end.to_le_bytes());
        put(&mut block, 64, &previous.checksum.to_le_bytes());
        let checksum = crc32c(&block[..BLOCK_BYTES - 4]);
        put(&mut block, BLOCK_BYTES - 4, &checksum.to_le_bytes());
        (block, checksum)
    }

    /// Reads the header at the start of `bytes`; gives its checksum too.
    pub fn decode(bytes: &[u8]) -> Result<(FileHeader, u32), BadFrame> {
        let block = bytes.get(..BLOCK_BYTES).ok_or(BadFrame::Short)?;
        if block[..8] != FILE_MAGIC {
            return Err(BadFrame::Magic);
        }
        let checksum = u32_at(block, BLOCK_BYTES - 4);
        if crc32c(&block[..BLOCK_BYTES - 4]) != checksum {
            return Err(BadFrame::Checksum("header"));
        }
        if u32_at(block, 8) != FILE_LAYOUT {
            return Err(BadFrame::Layout(u32_at(block, 8)));
        }
        let flags = u32_at(block, 12);
        if flags & !FILE_UNSYNCED != 0 {
            return Err(BadFrame::Bounds("flags"));
        }
        let previous = FileTail {
            file: u64_at(block, 48),
            end: u64_at(block, 56),
            checksum: u32_at(block, 64),
        };
        let header = FileHeader {
            file: u64_at(block, 16),
            unsynced: flags & FILE_UNSYNCED != 0,
            salt: u64_at(block, 24),
            first_lsn: u64_at(block, 32),
            created: Timestamp::from_millis(u64_at(block, 40)),
            previous: (previous.file != 0).then_some(previous),
        };
        Ok((header, checksum))
    }

    /// What the first frame must carry, when this header has `checksum`.
    pub fn chain(&self, checksum: u32) -> Chain {
        Chain {
            salt: self.salt,
            lsn: self.first_lsn,
            checksum,
        }
    }
}

/// A frame in the making: runs are put behind one another into its buffer.
#[derive(Debug)]
pub struct FrameWriter {
    buffers: Arc<Buffers>,
    buffer: Vec<u8>,
    /// Where the frame begins in the buffer: at a multiple of the block size in memory, so that it can be
    /// written past the cache as it is. A buffer that had to grow may have lost that.
    start: usize,
    runs: u32,
    is_beside: bool,
}

impl FrameWriter {
    /// With room for `payload_bytes`, so that the buffer is had once, from `buffers`.
    pub fn with_capacity(buffers: &Arc<Buffers>, payload_bytes: usize) -> FrameWriter {
        let size = (FRAME_HEADER_BYTES + payload_bytes).next_multiple_of(BLOCK_BYTES);
        let mut buffer = buffers.take(size + BLOCK_BYTES);
        let start = buffer.as_ptr().align_offset(BLOCK_BYTES);
        buffer.resize(start + FRAME_HEADER_BYTES, 0);
        FrameWriter {
            buffers: Arc::clone(buffers),
            buffer,
            start,
            runs: 0,
            is_beside: false,
        }
    }

    /// Says that the frame before is still on its way to the disk.
    pub fn beside(self) -> FrameWriter {
        FrameWriter {
            is_beside: true,
            ..self
        }
    }

    /// Begins another run; gives the buffer to put it into.
    pub fn run(&mut self) -> &mut Vec<u8> {
        self.runs += 1;
        &mut self.buffer
    }

    /// How many runs there are.
    pub fn runs(&self) -> u32 {
        self.runs
    }

    /// Size of the runs so far.
    pub fn payload_bytes(&self) -> usize {
        self.buffer.len() - self.start - FRAME_HEADER_BYTES
    }

    /// The finished frame, and what the one behind it must carry.
    pub fn finish(mut self, kind: FrameKind, chain: Chain, written: Timestamp) -> (Bytes, Chain) {
        let payload_bytes = self.payload_bytes();
        let frame_bytes = (FRAME_HEADER_BYTES + payload_bytes).next_multiple_of(BLOCK_BYTES);
        self.buffer.resize(self.start + frame_bytes, 0);
        let frame_bytes = u32::try_from(frame_bytes).expect("the limits keep a frame small");
        let payload_bytes = u32::try_from(payload_bytes).expect("it is smaller than the frame");
        let frame = &mut self.buffer[self.start..];
        let payload_checksum = crc32c(&frame[FRAME_HEADER_BYTES..]);
        // The first sector is not zero: it begins with the magic number.
        let zero_sectors = count_zero_sectors(&frame[SECTOR_BYTES..]);
        let header = &mut frame[..FRAME_HEADER_BYTES];
        put(header, 0, &FRAME_MAGIC);
        put(header, 4, &frame_bytes.to_le_bytes());
        put(header, 8, &chain.lsn.to_le_bytes());
        put(header, 16, &chain.salt.to_le_bytes());
        put(header, 24, &chain.checksum.to_le_bytes());
        put(header, 28, &self.runs.to_le_bytes());
        put(header, 32, &payload_bytes.to_le_bytes());
        put(header, 36, &payload_checksum.to_le_bytes());
        put(header, 40, &written.as_millis().to_le_bytes());
        put(header, 48, &zero_sectors.to_le_bytes());
        put(header, 52, &(kind as u32).to_le_bytes());
        put(header, 56, &u32::from(self.is_beside).to_le_bytes());
        let checksum = crc32c(&header[..FRAME_HEADER_BYTES - 4]);
        put(header, FRAME_HEADER_BYTES - 4, &checksum.to_le_bytes());
        (
            self.buffers.share(self.buffer).slice(self.start..),
            Chain {
                salt: chain.salt,
                lsn: chain.lsn + 1,
                checksum,
            },
        )
    }
}

/// How many sectors of `bytes` are all zero; a last one that is not whole counts too.
pub fn count_zero_sectors(bytes: &[u8]) -> u32 {
    let zero = bytes
        .chunks(SECTOR_BYTES)
        .filter(|sector| is_zero(sector))
        .count();
    u32::try_from(zero).expect("the limits keep a frame small")
}

/// Whether `bytes` are all zero.
pub fn is_zero(bytes: &[u8]) -> bool {
    const ZEROS: [u8; SECTOR_BYTES] = [0; SECTOR_BYTES];
    bytes
        .chunks(SECTOR_BYTES)
        .all(|sector| *sector == ZEROS[..sector.len()])
}

impl FrameHeader {
    /// Reads the header at the start of `bytes`, whatever its place.
    pub fn decode(bytes: &[u8]) -> Result<FrameHeader, BadFrame> {
        let bytes = bytes.get(..FRAME_HEADER_BYTES).ok_or(BadFrame::Short)?;
        if bytes[..4] != FRAME_MAGIC {
            return Err(BadFrame::Magic);
        }
        let checksum = u32_at(bytes, FRAME_HEADER_BYTES - 4);
        if crc32c(&bytes[..FRAME_HEADER_BYTES - 4]) != checksum {
            return Err(BadFrame::Checksum("header"));
        }
        let kind = match u32_at(bytes, 52) {
            0 => FrameKind::Commands,
            1 => FrameKind::Checkpoint,
            _ => return Err(BadFrame::Bounds("kind")),
        };
        let is_beside = match u32_at(bytes, 56) {
            0 => false,
            1 => true,
            _ => return Err(BadFrame::Bounds("flags")),
        };
        let header = FrameHeader {
            frame_bytes: u32_at(bytes, 4),
            lsn: u64_at(bytes, 8),
            salt: u64_at(bytes, 16),
            previous_checksum: u32_at(bytes, 24),
            runs: u32_at(bytes, 28),
            payload_bytes: u32_at(bytes, 32),
            payload_checksum: u32_at(bytes, 36),
            written: Timestamp::from_millis(u64_at(bytes, 40)),
            zero_sectors: u32_at(bytes, 48),
            is_beside,
            kind,
            checksum,
        };
        let frame_bytes = header.frame_bytes as usize;
        let needed = FRAME_HEADER_BYTES + header.payload_bytes as usize;
        if frame_bytes == 0 || !frame_bytes.is_multiple_of(BLOCK_BYTES) || needed > frame_bytes {
            return Err(BadFrame::Bounds("size"));
        }
        Ok(header)
    }

    /// Refuses a frame that is not the one `chain` asks for.
    pub fn check_place(&self, chain: &Chain) -> Result<(), BadFrame> {
        if self.salt != chain.salt {
            return Err(BadFrame::Place("salt"));
        }
        if self.lsn != chain.lsn {
            return Err(BadFrame::Place("sequence number"));
        }
        if self.previous_checksum != chain.checksum {
            return Err(BadFrame::Place("checksum of the frame before"));
        }
        Ok(())
    }

    /// Refuses a frame at the start of `bytes` whose content is not what was written.
    pub fn check_content(&self, bytes: &[u8]) -> Result<(), BadFrame> {
        let content = bytes
            .get(FRAME_HEADER_BYTES..self.frame_bytes as usize)
            .ok_or(BadFrame::Short)?;
        if crc32c(content) != self.payload_checksum {
            return Err(BadFrame::Checksum("payload"));
        }
        Ok(())
    }

    /// Where the payload stands in the frame.
    pub fn payload(&self) -> Range<usize> {
        FRAME_HEADER_BYTES..FRAME_HEADER_BYTES + self.payload_bytes as usize
    }

    /// What the frame behind this one must carry.
    pub fn next(&self) -> Chain {
        Chain {
            salt: self.salt,
            lsn: self.lsn + 1,
            checksum: self.checksum,
        }
    }
}

#[cfg(test)]
mod tests;
