//! Chunks: sorted files into which entries move from the write-ahead log.
//!
//! What must hold: a chunk never changes once the log names it; a block holds entries of one partition,
//! dense and in order, each with the checksum it was acknowledged with, so that bytes read back are
//! checked end to end; everything else is covered by a checksum of its own. Entries that are kept about
//! as long lie in one chunk, so that most chunks can be removed whole. The layouts are frozen by golden
//! bytes in the tests; all numbers are little-endian.
//!
//! ```text
//! chunk   = header; blocks and block rows; extent rows, zeros, footer; a multiple of 4096 bytes.
//!           The blocks of an extent stand in order, and may lie apart; its block rows stand together
//! header  =  0  8  "TIDECHK" 0
//!            8  4  layout, 1
//!           12  4  how long its entries are kept: 0 as long as a state needs them, 1 a day,
//!                  2 two days, 3 a week, 4 a month, 5 a year
//!           16  8  number of the chunk
//!           24  8  when it was made, milliseconds
//!           32  28 zero
//!           60  4  CRC-32C of the bytes before
//!
//! block   = the body of a run of entries (see `run`), as it is or compressed with Zstandard
//!
//! block rows = CRC-32C of what follows 4, number of rows 4, rows
//! block row  =  0  8  first position
//!               8  8  timestamp of the first entry, milliseconds
//!              16  8  timestamp of the last entry
//!              24  8  offset in the file
//!              32  4  size in the file
//!              36  4  size of the body; larger than the one in the file when compressed
//!              40  4  number of entries
//!              44  4  CRC-32C of the bytes in the file
//!
//! extent row =  0  8  partition
//!               8  8  sequence number of the frame that brought the partition to be
//!              16  8  first position
//!              24  8  timestamp of the first entry
//!              32  8  timestamp of the last entry
//!              40  8  offset of its block rows
//!              48  4  size of its block rows
//!              52  4  number of entries
//!
//! footer  =  0  8  "TIDECHF" 0
//!            8  8  number of the chunk
//!           16  8  offset of the extent rows
//!           24  8  number of extent rows
//!           32  4  CRC-32C of the extent rows
//!           36  24 zero
//!           60  4  CRC-32C of the bytes before; the log names the chunk with it
//! ```

use bytes::Bytes;

use tidemill_model::Timestamp;

use crate::checksum::crc32c;
use crate::fields::{Fields, put};
use crate::frame::BadFrame;
use crate::partition_id::PartitionId;
use crate::port::{Position, Retention};

/// Where the chunks stand on the disk.
pub const DIRECTORY: &str = "chunk";

/// Size of the header, and of the footer.
pub const HEADER_BYTES: usize = 64;

/// Size of a block row.
pub const BLOCK_ROW_BYTES: usize = 48;

/// Size of an extent row.
pub const EXTENT_ROW_BYTES: usize = 56;

const HEADER_MAGIC: [u8; 8] = *b"TIDECHK\0";
const FOOTER_MAGIC: [u8; 8] = *b"TIDECHF\0";
const LAYOUT: u32 = 1;

/// The path of chunk `number`.
pub fn chunk_path(number: u64) -> String {
    format!("{DIRECTORY}/{number:016x}.chk")
}

/// The number of the chunk `name`, if it is one.
pub fn chunk_number(name: &str) -> Option<u64> {
    u64::from_str_radix(name.strip_suffix(".chk")?, 16).ok()
}

/// A chunk as the log names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkRow {
    /// Its number.
    pub number: u64,
    /// Size of the file.
    pub bytes: u64,
    /// How many entries it had when it was made.
    pub entries: u64,
    /// How long its entries are kept.
    pub retention: Retention,
    /// Checksum of its footer.
    pub checksum: u32,
}

/// What a chunk begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkHeader {
    /// Its number.
    pub number: u64,
    /// How long its entries are kept.
    pub retention: Retention,
    /// When it was made.
    pub created: Timestamp,
}

impl ChunkHeader {
    /// Its bytes.
    pub fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        put(&mut bytes, 0, &HEADER_MAGIC);
        put(&mut bytes, 8, &LAYOUT.to_le_bytes());
        put(&mut bytes, 12, &(self.retention as u32).to_le_bytes());
        put(&mut bytes, 16, &self.number.to_le_bytes());
        put(&mut bytes, 24, &self.created.as_millis().to_le_bytes());
        close(&mut bytes);
        bytes
    }

    /// Reads it back.
    pub fn decode(bytes: &[u8]) -> Result<ChunkHeader, BadFrame> {
        let mut fields = opened(bytes, HEADER_MAGIC, "header")?;
        let layout = fields.u32()?;
        if layout != LAYOUT {
            return Err(BadFrame::Layout(layout));
        }
        Ok(ChunkHeader {
            retention: fields.retention()?,
            number: fields.u64()?,
            created: Timestamp::from_millis(fields.u64()?),
        })
    }
}

/// What a chunk ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkFooter {
    /// Its number.
    pub number: u64,
    /// Offset of the extent rows.
    pub extents_offset: u64,
    /// How many there are.
    pub extents: u64,
    /// Their checksum.
    pub extents_checksum: u32,
}

impl ChunkFooter {
    /// Its bytes, and its checksum.
    pub fn encode(&self) -> ([u8; HEADER_BYTES], u32) {
        let mut bytes = [0; HEADER_BYTES];
        put(&mut bytes, 0, &FOOTER_MAGIC);
        put(&mut bytes, 8, &self.number.to_le_bytes());
        put(&mut bytes, 16, &self.extents_offset.to_le_bytes());
        put(&mut bytes, 24, &self.extents.to_le_bytes());
        put(&mut bytes, 32, &self.extents_checksum.to_le_bytes());
        let checksum = close(&mut bytes);
        (bytes, checksum)
    }

    /// Reads the footer of the chunk that `row` names.
    pub fn decode(bytes: &[u8], row: &ChunkRow) -> Result<ChunkFooter, BadFrame> {
        let mut fields = opened(bytes, FOOTER_MAGIC, "footer")?;
        let footer = ChunkFooter {
            number: fields.u64()?,
            extents_offset: fields.u64()?,
            extents: fields.u64()?,
            extents_checksum: fields.u32()?,
        };
        if footer.number != row.number || bytes[HEADER_BYTES - 4..] != row.checksum.to_le_bytes() {
            return Err(BadFrame::Place("footer"));
        }
        let rows_bytes = footer.extents.checked_mul(EXTENT_ROW_BYTES as u64);
        let end = rows_bytes.and_then(|bytes| bytes.checked_add(footer.extents_offset));
        if end.is_none_or(|end| end > row.bytes) {
            return Err(BadFrame::Bounds("footer"));
        }
        Ok(footer)
    }
}

/// Puts the checksum of a header or a footer behind it; gives it too.
fn close(bytes: &mut [u8; HEADER_BYTES]) -> u32 {
    let checksum = crc32c(&bytes[..HEADER_BYTES - 4]);
    put(bytes, HEADER_BYTES - 4, &checksum.to_le_bytes());
    checksum
}

/// The fields of a header or a footer behind its magic number.
fn opened<'a>(bytes: &'a [u8], magic: [u8; 8], what: &'static str) -> Result<Fields<'a>, BadFrame> {
    let bytes = bytes.get(..HEADER_BYTES).ok_or(BadFrame::Short)?;
    if bytes[..8] != magic {
        return Err(BadFrame::Magic);
    }
    if crc32c(&bytes[..HEADER_BYTES - 4]).to_le_bytes() != bytes[HEADER_BYTES - 4..] {
        return Err(BadFrame::Checksum(what));
    }
    Ok(Fields(&bytes[8..]))
}

/// Where a block lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockRow {
    /// Position of its first entry.
    pub first: Position,
    /// Timestamp of its first entry.
    pub first_at: Timestamp,
    /// Timestamp of its last entry.
    pub last_at: Timestamp,
    /// Where it stands in the file.
    pub offset: u64,
    /// Its size in the file.
    pub stored_bytes: u32,
    /// Size of its body.
    pub body_bytes: u32,
    /// How many entries it has; at least one.
    pub count: u32,
    /// Checksum of its bytes in the file.
    pub checksum: u32,
}

impl BlockRow {
    /// One past the position of the last entry.
    pub fn end(&self) -> Position {
        self.first + u64::from(self.count)
    }

    /// Whether it was compressed.
    pub fn is_compressed(&self) -> bool {
        self.stored_bytes < self.body_bytes
    }
}

/// Puts the rows of an extent's blocks.
pub fn put_block_rows(buffer: &mut Vec<u8>, rows: &[BlockRow]) {
    let start = buffer.len();
    buffer.extend_from_slice(&[0; 4]);
    let count = u32::try_from(rows.len()).expect("a chunk is limited");
    buffer.extend_from_slice(&count.to_le_bytes());
    for row in rows {
        buffer.extend_from_slice(&row.first.to_le_bytes());
        buffer.extend_from_slice(&row.first_at.as_millis().to_le_bytes());
        buffer.extend_from_slice(&row.last_at.as_millis().to_le_bytes());
        buffer.extend_from_slice(&row.offset.to_le_bytes());
        buffer.extend_from_slice(&row.stored_bytes.to_le_bytes());
        buffer.extend_from_slice(&row.body_bytes.to_le_bytes());
        buffer.extend_from_slice(&row.count.to_le_bytes());
        buffer.extend_from_slice(&row.checksum.to_le_bytes());
    }
    let checksum = crc32c(&buffer[start + 4..]);
    put(buffer, start, &checksum.to_le_bytes());
}

/// Reads the rows of an extent's blocks back.
pub fn block_rows(bytes: &[u8]) -> Result<Vec<BlockRow>, BadFrame> {
    let mut fields = Fields(bytes);
    let checksum = fields.u32()?;
    if crc32c(fields.0) != checksum {
        return Err(BadFrame::Checksum("block rows"));
    }
    let count = fields.u32()? as usize;
    if fields.0.len() != count * BLOCK_ROW_BYTES {
        return Err(BadFrame::Bounds("block rows"));
    }
    let mut rows = Vec::with_capacity(count);
    for _ in 0..count {
        rows.push(BlockRow {
            first: fields.u64()?,
            first_at: Timestamp::from_millis(fields.u64()?),
            last_at: Timestamp::from_millis(fields.u64()?),
            offset: fields.u64()?,
            stored_bytes: fields.u32()?,
            body_bytes: fields.u32()?,
            count: fields.u32()?,
            checksum: fields.u32()?,
        });
    }
    Ok(rows)
}

/// Entries of one partition that stand in a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtentRow {
    /// Their partition.
    pub partition: PartitionId,
    /// Sequence number of the frame that brought the partition to be.
    pub created_lsn: u64,
    /// Position of the first.
    pub first: Position,
    /// Timestamp of the first.
    pub first_at: Timestamp,
    /// Timestamp of the last.
    pub last_at: Timestamp,
    /// Where the rows of their blocks stand.
    pub rows_offset: u64,
    /// Size of the rows.
    pub rows_bytes: u32,
    /// How many entries; at least one.
    pub count: u32,
}

/// Puts the extent rows.
pub fn put_extent_rows(buffer: &mut Vec<u8>, rows: &[ExtentRow]) {
    for row in rows {
        buffer.extend_from_slice(&row.partition.0.to_le_bytes());
        buffer.extend_from_slice(&row.created_lsn.to_le_bytes());
        buffer.extend_from_slice(&row.first.to_le_bytes());
        buffer.extend_from_slice(&row.first_at.as_millis().to_le_bytes());
        buffer.extend_from_slice(&row.last_at.as_millis().to_le_bytes());
        buffer.extend_from_slice(&row.rows_offset.to_le_bytes());
        buffer.extend_from_slice(&row.rows_bytes.to_le_bytes());
        buffer.extend_from_slice(&row.count.to_le_bytes());
    }
}

/// Reads the extent rows back that `footer` tells of.
pub fn extent_rows(bytes: &[u8], footer: &ChunkFooter) -> Result<Vec<ExtentRow>, BadFrame> {
    if crc32c(bytes) != footer.extents_checksum {
        return Err(BadFrame::Checksum("extent rows"));
    }
    let mut fields = Fields(bytes);
    let mut rows = Vec::with_capacity(bytes.len() / EXTENT_ROW_BYTES);
    while !fields.0.is_empty() {
        rows.push(ExtentRow {
            partition: PartitionId(fields.u64()?),
            created_lsn: fields.u64()?,
            first: fields.u64()?,
            first_at: Timestamp::from_millis(fields.u64()?),
            last_at: Timestamp::from_millis(fields.u64()?),
            rows_offset: fields.u64()?,
            rows_bytes: fields.u32()?,
            count: fields.u32()?,
        });
    }
    Ok(rows)
}

/// The body of a block, out of its bytes in the file. Refuses what is not what was written.
pub fn block_body(row: &BlockRow, stored: Bytes) -> Result<Bytes, BadFrame> {
    if crc32c(&stored) != row.checksum {
        return Err(BadFrame::Checksum("block"));
    }
    if !row.is_compressed() {
        return Ok(stored);
    }
    let body = zstd::bulk::decompress(&stored, row.body_bytes as usize)
        .map_err(|_| BadFrame::Bounds("compressed block"))?;
    if body.len() != row.body_bytes as usize {
        return Err(BadFrame::Bounds("compressed block"));
    }
    Ok(body.into())
}

#[cfg(test)]
mod tests;
