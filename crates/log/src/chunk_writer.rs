//! Writing a chunk: [`ChunkWriter`] takes entries, partition by partition, and makes a durable file of them.
//!
//! What must hold: nothing names the file until it is whole and durable; it is written from its start
//! to its end in pieces, so that no more than one piece stands between the log and the disk, and memory
//! grows with the blocks and not with their entries. A partition may come again with the entries that
//! follow: its blocks then lie apart, and are told of together.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use tidemill_model::Timestamp;

use crate::aligned::Aligned;
use crate::checksum::{crc32c, crc32c_append};
use crate::chunk::{
    BlockRow, ChunkFooter, ChunkHeader, ChunkRow, ExtentRow, HEADER_BYTES, chunk_path,
    put_block_rows, put_extent_rows,
};
use crate::disk::{BLOCK_BYTES, Disk, DiskFile};
use crate::limits::{
    BEHIND_PIECE_BYTES, CHUNK_BLOCK_BYTES_SOFT, CHUNK_PIECE_BYTES, CHUNK_SYNC_BYTES,
};
use crate::partition_id::PartitionId;
use crate::port::Position;
use crate::run::{EntryRow, put_head};

/// The level of compression: the fastest that is not negative.
const COMPRESSION_LEVEL: i32 = 1;

const _: () = assert!(CHUNK_PIECE_BYTES.is_multiple_of(BLOCK_BYTES));
const _: () = assert!(BEHIND_PIECE_BYTES.is_multiple_of(BLOCK_BYTES));

/// Called between two pieces with the size of the one before; gives that of the next, which is at most
/// [`BEHIND_PIECE_BYTES`]. An error of its ends the writing.
pub type Between<'a> = dyn Fn(usize) -> io::Result<usize> + 'a;

/// Whose entries follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owner {
    /// The partition.
    pub partition: PartitionId,
    /// Sequence number of the frame that brought it to be.
    pub created_lsn: u64,
}

/// A chunk in the making.
pub struct ChunkWriter {
    header: ChunkHeader,
    is_compressed: bool,
    output: Output,
    block: Block,
    /// By owner and first position.
    extents: BTreeMap<(Owner, Position), OpenExtent>,
    entries: u64,
}

/// Entries of one owner, one behind the other, in blocks that may lie apart.
#[derive(Default)]
struct OpenExtent {
    count: u32,
    blocks: Vec<BlockRow>,
}

/// A chunk that is whole and durable.
#[derive(Debug)]
pub struct Written {
    /// What the log names it with.
    pub row: ChunkRow,
    /// What it holds.
    pub extents: Vec<ExtentRow>,
}

impl ChunkWriter {
    /// Begins the file.
    pub fn create(
        disk: &dyn Disk,
        header: ChunkHeader,
        is_compressed: bool,
    ) -> io::Result<ChunkWriter> {
        let file = disk.create_beside(&chunk_path(header.number))?;
        let mut output = Output::into(file);
        output.begin(&header.encode());
        Ok(ChunkWriter {
            header,
            is_compressed,
            output,
            block: Block::default(),
            extents: BTreeMap::new(),
            entries: 0,
        })
    }

    /// Its number.
    pub fn number(&self) -> u64 {
        self.header.number
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
        between: &Between<'_>,
    ) -> io::Result<()> {
        if !self.block.goes_on_with(owner, position, payload.len()) {
            self.end_block(between)?;
        }
        self.block.put(owner, position, row, payload);
        self.entries += 1;
        Ok(())
    }

    /// Writes the block that entries went into.
    fn end_block(&mut self, between: &Between<'_>) -> io::Result<()> {
        let Block {
            owner: Some(owner),
            first,
            rows,
            payloads,
        } = &self.block
        else {
            return Ok(());
        };
        let mut head = Vec::new();
        put_head(&mut head, *first, rows);
        let mut row = BlockRow {
            first: *first,
            first_at: rows.first().map_or(Timestamp::EPOCH, |row| row.at),
            last_at: rows.last().map_or(Timestamp::EPOCH, |row| row.at),
            offset: self.output.offset(),
            stored_bytes: 0,
            body_bytes: size(head.len() + payloads.len()),
            count: size(rows.len()),
            checksum: 0,
        };
        let compressed = match self.is_compressed {
            true => Some(compress(&head, payloads)?),
            false => None,
        };
        let stored: [&[u8]; 2] = match &compressed {
            Some(compressed) if compressed.len() < row.body_bytes as usize => [compressed, &[]],
            _ => [&head, payloads],
        };
        row.stored_bytes = size(stored[0].len() + stored[1].len());
        row.checksum = crc32c_append(crc32c(stored[0]), stored[1]);
        for part in stored {
            self.output.put(part, between)?;
        }
        let owner = *owner;
        self.extent_before(owner, row.first).take(row);
        self.block.clear();
        Ok(())
    }

    /// The extent of `owner` that goes on with `first`; a new one when there is none.
    fn extent_before(&mut self, owner: Owner, first: Position) -> &mut OpenExtent {
        let before = self.extents.range((owner, 0)..(owner, first)).next_back();
        let key = before
            .filter(|((_, start), extent)| start + u64::from(extent.count) == first)
            .map_or((owner, first), |(key, _)| *key);
        self.extents.entry(key).or_default()
    }

    /// Writes the end, durably; its name is durable when its directory has been synced.
    pub fn finish(mut self, between: &Between<'_>) -> io::Result<Written> {
        self.end_block(between)?;
        let mut extents = Vec::with_capacity(self.extents.len());
        let mut rows = Vec::new();
        for ((owner, first), extent) in std::mem::take(&mut self.extents) {
            rows.clear();
            put_block_rows(&mut rows, &extent.blocks);
            let at = |row: Option<&BlockRow>, at: fn(&BlockRow) -> Timestamp| {
                row.map_or(Timestamp::EPOCH, at)
            };
            extents.push(ExtentRow {
                partition: owner.partition,
                created_lsn: owner.created_lsn,
                first,
                first_at: at(extent.blocks.first(), |row| row.first_at),
                last_at: at(extent.blocks.last(), |row| row.last_at),
                rows_offset: self.output.offset(),
                rows_bytes: size(rows.len()),
                count: extent.count,
            });
            self.output.put(&rows, between)?;
        }
        rows.clear();
        put_extent_rows(&mut rows, &extents);
        let footer = ChunkFooter {
            number: self.header.number,
            extents_offset: self.output.offset(),
            extents: extents.len() as u64,
            extents_checksum: crc32c(&rows),
        };
        let (footer, checksum) = footer.encode();
        self.output.put(&rows, between)?;
        let bytes = self.output.finish(&footer)?;
        let row = ChunkRow {
            number: self.header.number,
            bytes,
            entries: self.entries,
            retention: self.header.retention,
            checksum,
        };
        Ok(Written { row, extents })
    }
}

fn size(bytes_or_count: usize) -> u32 {
    u32::try_from(bytes_or_count).expect("the limits keep blocks and chunks small")
}

fn compress(head: &[u8], payloads: &[u8]) -> io::Result<Vec<u8>> {
    zstd::bulk::compress(&[head, payloads].concat(), COMPRESSION_LEVEL)
}

impl OpenExtent {
    fn take(&mut self, row: BlockRow) {
        self.count += row.count;
        self.blocks.push(row);
    }
}

/// The block that entries go into.
#[derive(Default)]
struct Block {
    /// None when it is empty.
    owner: Option<Owner>,
    first: Position,
    rows: Vec<EntryRow>,
    payloads: Vec<u8>,
}

impl Block {
    /// Whether the entry at `position` of `owner` may go into it too.
    fn goes_on_with(&self, owner: Owner, position: Position, payload_bytes: usize) -> bool {
        let is_next = self.first + self.rows.len() as u64 == position;
        let has_room = self.payloads.len() + payload_bytes <= CHUNK_BLOCK_BYTES_SOFT;
        self.owner == Some(owner) && is_next && has_room
    }

    fn put(&mut self, owner: Owner, position: Position, row: &EntryRow, payload: &[u8]) {
        if self.owner.is_none() {
            self.owner = Some(owner);
            self.first = position;
        }
        self.rows.push(*row);
        self.payloads.extend_from_slice(payload);
    }

    fn clear(&mut self) {
        self.owner = None;
        self.rows.clear();
        self.payloads.clear();
        // One large entry must not hold its room for all that follow.
        self.payloads.shrink_to(2 * CHUNK_BLOCK_BYTES_SOFT);
    }
}

/// The file, which is written in pieces.
struct Output {
    file: Arc<dyn DiskFile>,
    /// The piece in the making: the one place in memory that is written from.
    piece: Aligned,
    /// How much of it is filled before it is written.
    piece_bytes: usize,
    filled: usize,
    /// How much of the file has been written.
    written: u64,
    /// How much of that may not be durable.
    unsynced: usize,
}

impl Output {
    fn into(file: Arc<dyn DiskFile>) -> Output {
        Output {
            file,
            piece: Aligned::new(BEHIND_PIECE_BYTES),
            piece_bytes: CHUNK_PIECE_BYTES,
            filled: 0,
            written: 0,
            unsynced: 0,
        }
    }

    fn begin(&mut self, header: &[u8; HEADER_BYTES]) {
        self.piece[..HEADER_BYTES].copy_from_slice(header);
        self.filled = HEADER_BYTES;
    }

    fn offset(&self) -> u64 {
        self.written + self.filled as u64
    }

    fn put(&mut self, bytes: &[u8], between: &Between<'_>) -> io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let count = rest.len().min(self.piece_bytes - self.filled);
            let (now, later) = rest.split_at(count);
            self.piece[self.filled..self.filled + count].copy_from_slice(now);
            self.filled += count;
            rest = later;
            if self.filled == self.piece_bytes {
                self.write_piece()?;
                self.piece_bytes = between(self.piece_bytes)?;
                let is_whole = self.piece_bytes.is_multiple_of(BLOCK_BYTES);
                let is_sound = is_whole && (1..=BEHIND_PIECE_BYTES).contains(&self.piece_bytes);
                assert!(is_sound, "a piece is some blocks");
            }
        }
        Ok(())
    }

    fn write_piece(&mut self) -> io::Result<()> {
        self.file
            .write_at(self.written, &self.piece[..self.filled])?;
        self.written += self.filled as u64;
        self.unsynced += self.filled;
        self.filled = 0;
        // A little at a time, so that the log does not wait behind much.
        if self.unsynced >= CHUNK_SYNC_BYTES && !self.file.is_past_cache() {
            self.unsynced = 0;
            self.file.sync()?;
        }
        Ok(())
    }

    /// Writes what is left and `footer` at the very end; gives the size of the file.
    fn finish(mut self, footer: &[u8; HEADER_BYTES]) -> io::Result<u64> {
        let mut end = (self.filled + footer.len()).next_multiple_of(BLOCK_BYTES);
        if end > self.piece_bytes {
            self.piece[self.filled..].fill(0);
            self.filled = self.piece_bytes;
            self.write_piece()?;
            end = BLOCK_BYTES;
        }
        self.piece[self.filled..end - footer.len()].fill(0);
        self.piece[end - footer.len()..end].copy_from_slice(footer);
        self.filled = end;
        self.write_piece()?;
        if !self.file.is_written_through() {
            self.file.sync()?;
        }
        Ok(self.written)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::disk::read_exactly;
    use crate::file_disk::FileDisk;

    /// `count` bytes, and what stands in the file that they were put into in parts of `part`.
    fn written(count: usize, part: usize) -> (Vec<u8>, Vec<u8>) {
        let directory = tempfile::tempdir().expect("a directory");
        let disk = FileDisk::open(directory.path()).expect("a disk");
        let sizes = [BEHIND_PIECE_BYTES, BLOCK_BYTES, CHUNK_PIECE_BYTES];
        let pieces = Cell::new(0);
        let between = |_| {
            pieces.set(pieces.get() + 1);
            Ok(sizes[pieces.get() % sizes.len()])
        };
        let bytes: Vec<u8> = (0..count).map(|index| (index % 251) as u8).collect();
        let file = disk.create_beside("file").expect("a file");
        let mut output = Output::into(Arc::clone(&file));
        for part in bytes.chunks(part) {
            output.put(part, &between).expect("is written");
        }
        assert_eq!(output.offset(), count as u64);
        let size = output.finish(&[7; HEADER_BYTES]).expect("is written");
        let mut found = vec![0; size as usize];
        read_exactly(&*disk.open("file").expect("is there"), 0, &mut found).expect("is whole");
        (bytes, found)
    }

    #[test]
    fn what_is_put_stands_there_whatever_the_sizes_of_the_pieces_are() {
        let pieces = 2 * CHUNK_PIECE_BYTES + BLOCK_BYTES;
        for short in [
            0,
            1,
            HEADER_BYTES - 1,
            HEADER_BYTES,
            HEADER_BYTES + 1,
            BLOCK_BYTES,
        ] {
            for part in [1000, 3 * CHUNK_PIECE_BYTES] {
                let (bytes, mut found) = written(pieces - short, part);
                assert!(found.len().is_multiple_of(BLOCK_BYTES));
                let footer = found.split_off(found.len() - HEADER_BYTES);
                assert_eq!(footer, [7; HEADER_BYTES]);
                let rest = found.split_off(bytes.len());
                assert!(found == bytes, "{short} bytes short");
                assert!(rest.iter().all(|byte| *byte == 0));
            }
        }
    }
}
