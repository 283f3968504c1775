//! Writing a chunk: [`ChunkWriter`] takes entries, extent by extent, and makes a durable file of them.
//!
//! What must hold: nothing names the file until it is whole and durable; it is written from its start
//! to its end in pieces, so that no more than one piece stands between the log and the disk, and memory
//! does not grow with the entries.

use std::io;
use std::sync::Arc;

use crc32c::crc32c;

use tidemill_model::Timestamp;

use crate::chunk::{
    BlockRow, ChunkFooter, ChunkHeader, ChunkRow, ExtentRow, HEADER_BYTES, chunk_path,
    put_block_rows, put_extent_rows,
};
use crate::disk::{BLOCK_BYTES, Disk, DiskFile};
use crate::limits::{CHUNK_BLOCK_BYTES_SOFT, CHUNK_PIECE_BYTES, CHUNK_SYNC_BYTES};
use crate::port::{PartitionId, Position};
use crate::run::{EntryRow, put_body};

/// The level of compression: the fastest that is not negative.
const COMPRESSION_LEVEL: i32 = 1;

const _: () = assert!(CHUNK_PIECE_BYTES.is_multiple_of(BLOCK_BYTES));

/// Whose entries follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The partition.
    pub partition: PartitionId,
    /// Sequence number of the frame that brought it to be.
    pub created_lsn: u64,
}

/// A chunk in the making.
pub struct ChunkWriter<'a> {
    header: ChunkHeader,
    is_compressed: bool,
    output: Output<'a>,
    block: Block,
    blocks: Vec<BlockRow>,
    extents: Vec<ExtentRow>,
    entries: u64,
}

/// A chunk that is whole and durable.
#[derive(Debug)]
pub struct Written {
    /// What the log names it with.
    pub row: ChunkRow,
    /// What it holds.
    pub extents: Vec<ExtentRow>,
}

impl<'a> ChunkWriter<'a> {
    /// Begins the file. `between` is called between two pieces; an error of its ends the writing.
    pub fn create(
        disk: &dyn Disk,
        header: ChunkHeader,
        is_compressed: bool,
        between: &'a dyn Fn(usize) -> io::Result<()>,
    ) -> io::Result<ChunkWriter<'a>> {
        let file = disk.create_written_through(&chunk_path(header.number))?;
        let mut output = Output {
            file,
            between,
            buffer: Vec::with_capacity(CHUNK_PIECE_BYTES + 2 * CHUNK_BLOCK_BYTES_SOFT),
            written: 0,
            unsynced: 0,
        };
        output.buffer.extend_from_slice(&header.encode());
        Ok(ChunkWriter {
            header,
            is_compressed,
            output,
            block: Block::default(),
            blocks: Vec::new(),
            extents: Vec::new(),
            entries: 0,
        })
    }

    /// How many entries it has.
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// Takes the entry at `position` of `owner`, whose payload has been checked against `row`.
    pub fn put(
        &mut self,
        owner: Owner,
        position: Position,
        row: &EntryRow,
        payload: &[u8],
    ) -> io::Result<()> {
        let is_next = self.extents.last().is_some_and(|extent| {
            extent.partition == owner.partition
                && extent.first + u64::from(extent.count) == position
        });
        if !is_next {
            self.end_extent()?;
            self.extents.push(ExtentRow {
                partition: owner.partition,
                created_lsn: owner.created_lsn,
                first: position,
                first_at: row.at,
                last_at: row.at,
                rows_offset: 0,
                rows_bytes: 0,
                count: 0,
            });
        }
        if self.block.is_full(payload.len()) {
            self.end_block()?;
        }
        self.block.put(position, row, payload);
        let extent = self.extents.last_mut().expect("one has been begun");
        extent.count += 1;
        extent.last_at = row.at;
        self.entries += 1;
        Ok(())
    }

    fn end_block(&mut self) -> io::Result<()> {
        let Some((mut row, body)) = self.block.take() else {
            return Ok(());
        };
        let compressed = match self.is_compressed {
            true => Some(zstd::bulk::compress(&body, COMPRESSION_LEVEL)?),
            false => None,
        };
        let stored = match &compressed {
            Some(compressed) if compressed.len() < body.len() => compressed,
            _ => &body,
        };
        row.offset = self.output.offset();
        row.stored_bytes = u32::try_from(stored.len()).expect("an entry is limited");
        row.checksum = crc32c(stored);
        self.output.put(stored)?;
        self.blocks.push(row);
        Ok(())
    }

    fn end_extent(&mut self) -> io::Result<()> {
        self.end_block()?;
        let Some(extent) = self.extents.last_mut() else {
            return Ok(());
        };
        let mut rows = Vec::new();
        put_block_rows(&mut rows, &self.blocks);
        self.blocks.clear();
        extent.rows_offset = self.output.offset();
        extent.rows_bytes = u32::try_from(rows.len()).expect("a chunk is limited");
        self.output.put(&rows)
    }

    /// Writes the end, durably; its name is durable when its directory has been synced.
    pub fn finish(mut self) -> io::Result<Written> {
        self.end_extent()?;
        let mut rows = Vec::new();
        put_extent_rows(&mut rows, &self.extents);
        let footer = ChunkFooter {
            number: self.header.number,
            extents_offset: self.output.offset(),
            extents: self.extents.len() as u64,
            extents_checksum: crc32c(&rows),
        };
        let (footer, checksum) = footer.encode();
        self.output.put(&rows)?;
        let bytes = self.output.finish(&footer)?;
        let row = ChunkRow {
            number: self.header.number,
            bytes,
            entries: self.entries,
            retention: self.header.retention,
            checksum,
        };
        Ok(Written {
            row,
            extents: self.extents,
        })
    }
}

/// The block that entries go into.
#[derive(Default)]
struct Block {
    first: Position,
    rows: Vec<EntryRow>,
    payloads: Vec<u8>,
}

impl Block {
    fn is_full(&self, payload_bytes: usize) -> bool {
        !self.rows.is_empty() && self.payloads.len() + payload_bytes > CHUNK_BLOCK_BYTES_SOFT
    }

    fn put(&mut self, position: Position, row: &EntryRow, payload: &[u8]) {
        if self.rows.is_empty() {
            self.first = position;
        }
        self.rows.push(*row);
        self.payloads.extend_from_slice(payload);
    }

    /// The block's row, without its place, and its body; none when it is empty.
    fn take(&mut self) -> Option<(BlockRow, Vec<u8>)> {
        let (first_at, last_at): (Timestamp, Timestamp) =
            (self.rows.first()?.at, self.rows.last()?.at);
        let mut body = Vec::new();
        put_body(&mut body, self.first, &self.rows, &self.payloads);
        let row = BlockRow {
            first: self.first,
            first_at,
            last_at,
            offset: 0,
            stored_bytes: 0,
            body_bytes: u32::try_from(body.len()).expect("an entry is limited"),
            count: u32::try_from(self.rows.len()).expect("a block is small"),
            checksum: 0,
        };
        self.rows.clear();
        self.payloads.clear();
        Some((row, body))
    }
}

/// The file, which is written in pieces.
struct Output<'a> {
    file: Arc<dyn DiskFile>,
    between: &'a dyn Fn(usize) -> io::Result<()>,
    buffer: Vec<u8>,
    /// How much of the file has been written.
    written: u64,
    /// How much of that may not be durable.
    unsynced: usize,
}

impl Output<'_> {
    fn offset(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.buffer.extend_from_slice(bytes);
        let mut start = 0;
        while self.buffer.len() - start >= CHUNK_PIECE_BYTES {
            let piece = &self.buffer[start..start + CHUNK_PIECE_BYTES];
            self.file.write_at(self.written, piece)?;
            start += CHUNK_PIECE_BYTES;
            self.written += CHUNK_PIECE_BYTES as u64;
            self.unsynced += CHUNK_PIECE_BYTES;
            if self.unsynced >= CHUNK_SYNC_BYTES {
                self.sync()?;
            }
            (self.between)(CHUNK_PIECE_BYTES)?;
        }
        self.buffer.drain(..start);
        Ok(())
    }

    /// Syncs what is not written through; a little at a time, so that the log does not wait behind much.
    fn sync(&mut self) -> io::Result<()> {
        self.unsynced = 0;
        if self.file.is_written_through() {
            return Ok(());
        }
        self.file.sync()
    }

    /// Writes what is left and `footer` at the very end; gives the size of the file.
    fn finish(mut self, footer: &[u8; HEADER_BYTES]) -> io::Result<u64> {
        let needed = self.buffer.len() + footer.len();
        let size = needed.next_multiple_of(BLOCK_BYTES);
        self.buffer.resize(size - footer.len(), 0);
        self.buffer.extend_from_slice(footer);
        self.file.write_at(self.written, &self.buffer)?;
        self.sync()?;
        Ok(self.written + self.buffer.len() as u64)
    }
}
