//! Reading entries back from their extents, out of memory or from the disk.
//!
//! What must hold: what comes from the disk is checked entry by entry against the checksum it was
//! acknowledged with, and what does not fit is an error, never an answer. Only the asked part of a run
//! and the asked blocks of a chunk are read. A payload is a slice of what was read, or of the frame in
//! memory; it is not copied.

use std::io;

use bytes::Bytes;

use tidemill_model::Timestamp;

use crate::chunk::{BlockRow, block_body};
use crate::disk::read_exactly;
use crate::files::Files;
use crate::partition_id::PartitionId;
use crate::place::{Extent, Home};
use crate::port::{Entry, Position, ReadError};
use crate::run::{EntryRow, check_entry, rows, rows_bytes};

/// Blocks that stand together are read together, up to so many bytes.
const READ_BYTES: u64 = 1024 * 1024;

/// Which entries are asked for.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// The partition.
    pub partition: PartitionId,
    /// The first position.
    pub from: Position,
    /// At most so many entries.
    pub entries_max: usize,
    /// At most so many bytes of payload, unless the first alone is larger.
    pub bytes_max: usize,
}

/// Collects entries until there are as many as were asked for.
#[derive(Debug)]
pub struct Collected {
    asked: Asked,
    entries: Vec<Entry>,
    bytes: usize,
    is_full: bool,
}

/// Entries that stand one behind the other, as a run or a block.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    first: Position,
    count: u32,
}

impl Collected {
    /// Nothing yet.
    pub fn new(asked: Asked) -> Collected {
        Collected {
            asked,
            entries: Vec::new(),
            bytes: 0,
            is_full: asked.entries_max == 0,
        }
    }

    /// Whether no more is asked for.
    pub fn is_full(&self) -> bool {
        self.is_full
    }

    /// The position that is asked for next.
    pub fn next(&self) -> Position {
        self.entries
            .last()
            .map_or(self.asked.from, |entry| entry.position + 1)
    }

    /// The entries.
    pub fn into_entries(self) -> Vec<Entry> {
        self.entries
    }

    /// Adds what is asked for out of `extent` when its frame is in memory; else gives false.
    pub fn add_from_memory(&mut self, extent: &Extent) -> bool {
        let Some(body) = body_in_memory(extent) else {
            return false;
        };
        for (position, row) in self.choose(stretch(extent), &body) {
            let payload = body.slice(row.payload_offset..row.payload_offset + row.payload_bytes);
            self.entries.push(Entry {
                position,
                at: row.at,
                payload,
            });
        }
        true
    }

    /// Adds what is asked for out of `extent` from the disk. Blocks.
    pub fn add_from_disk(&mut self, files: &Files, extent: &Extent) -> Result<(), ReadError> {
        match extent.home {
            Home::Wal(_) => self.add_from_run(files, extent),
            Home::Chunk(_) => self.add_from_chunk(files, extent),
        }
    }

    fn add_from_run(&mut self, files: &Files, extent: &Extent) -> Result<(), ReadError> {
        let failed = |error: io::Error| failure(self.asked.partition, extent, error);
        let file = files.open(extent.home).map_err(failed)?;
        let mut head = vec![0; rows_bytes(extent.count)];
        read_exactly(&*file, extent.offset, &mut head).map_err(failed)?;
        let chosen = self.choose(stretch(extent), &head);
        let (Some((_, first)), Some((_, last))) = (chosen.first(), chosen.last()) else {
            return Ok(());
        };
        let start = first.payload_offset;
        let end = last.payload_offset + last.payload_bytes;
        if end > extent.bytes as usize {
            let what = "its rows reach out of the run";
            return Err(damage(self.asked.partition, extent, what));
        }
        let mut payloads = vec![0; end - start];
        read_exactly(&*file, extent.offset + start as u64, &mut payloads)
            .map_err(|error| failure(self.asked.partition, extent, error))?;
        self.add_checked(extent, chosen, &Bytes::from(payloads), start)
    }

    fn add_from_chunk(&mut self, files: &Files, extent: &Extent) -> Result<(), ReadError> {
        let partition = self.asked.partition;
        let rows = files
            .block_rows(extent)
            .map_err(|error| failure(partition, extent, error))?;
        let from = self.next();
        let mut rest = &rows[rows.partition_point(|row| row.end() <= from)..];
        while !rest.is_empty() && !self.is_full {
            let (now, later) = rest.split_at(self.blocks_at_once(rest));
            rest = later;
            for (row, body) in read_blocks(files, partition, extent, now)? {
                if self.is_full {
                    break;
                }
                let chosen = self.choose(block_stretch(&row), &body);
                self.add_checked(extent, chosen, &body, 0)?;
            }
        }
        Ok(())
    }

    /// How many of `rows` to read together: about as much as is still asked for.
    fn blocks_at_once(&self, rows: &[BlockRow]) -> usize {
        let bytes_left = (self.asked.bytes_max - self.bytes.min(self.asked.bytes_max)) as u64;
        let entries_left = (self.asked.entries_max - self.entries.len()) as u64;
        let (mut bytes, mut entries) = (0, 0);
        let mut end = rows.first().map_or(0, |row| row.offset);
        let enough = rows.iter().take_while(|row| {
            let is_near = row.offset == end;
            end = row.offset + u64::from(row.stored_bytes);
            let is_wanted =
                is_near && bytes <= bytes_left.min(READ_BYTES) && entries <= entries_left;
            bytes += u64::from(row.stored_bytes);
            entries += u64::from(row.count);
            is_wanted
        });
        enough.count().max(1)
    }

    /// Adds `chosen`, whose payloads are in `bytes`, which stand at `start` of their body.
    fn add_checked(
        &mut self,
        extent: &Extent,
        chosen: Vec<(Position, EntryRow)>,
        bytes: &Bytes,
        start: usize,
    ) -> Result<(), ReadError> {
        let partition = self.asked.partition;
        for (position, row) in chosen {
            let offset = row.payload_offset - start;
            if offset + row.payload_bytes > bytes.len() {
                return Err(damage(partition, extent, "its rows reach out of the block"));
            }
            let payload = bytes.slice(offset..offset + row.payload_bytes);
            check_entry(&row, partition, position, &payload)
                .map_err(|bad| damage(partition, extent, &format!("{position}: {bad}")))?;
            self.entries.push(Entry {
                position,
                at: row.at,
                payload,
            });
        }
        Ok(())
    }

    /// The entries of a stretch that are asked for, given the head of its body.
    fn choose(&mut self, stretch: Stretch, head: &[u8]) -> Vec<(Position, EntryRow)> {
        let skip = usize::try_from(self.next().saturating_sub(stretch.first)).unwrap_or(usize::MAX);
        let mut chosen = Vec::new();
        for (index, row) in rows(head, stretch.count).enumerate().skip(skip) {
            let count = self.entries.len() + chosen.len();
            let bytes = self.bytes.saturating_add(row.payload_bytes);
            if count == self.asked.entries_max || (bytes > self.asked.bytes_max && count > 0) {
                self.is_full = true;
                break;
            }
            self.bytes = bytes;
            chosen.push((stretch.first + index as u64, row));
        }
        chosen
    }
}

fn stretch(extent: &Extent) -> Stretch {
    Stretch {
        first: extent.first,
        count: extent.count,
    }
}

fn block_stretch(row: &BlockRow) -> Stretch {
    Stretch {
        first: row.first,
        count: row.count,
    }
}

fn body_in_memory(extent: &Extent) -> Option<Bytes> {
    let frame = extent.cached.upgrade()?;
    let start = usize::try_from(extent.offset - frame.offset).expect("it lies in the frame");
    Some(frame.bytes.slice(start..start + extent.bytes as usize))
}

/// The bodies of blocks that stand one behind the other, read at once. Blocks.
fn read_blocks(
    files: &Files,
    partition: PartitionId,
    extent: &Extent,
    blocks: &[BlockRow],
) -> Result<Vec<(BlockRow, Bytes)>, ReadError> {
    let (Some(first), Some(last)) = (blocks.first(), blocks.last()) else {
        return Ok(Vec::new());
    };
    let failed = |error: io::Error| failure(partition, extent, error);
    let file = files.open(extent.home).map_err(failed)?;
    let end = last.offset + u64::from(last.stored_bytes);
    let size = usize::try_from(end - first.offset).unwrap_or(usize::MAX);
    let mut stored = vec![0; size];
    read_exactly(&*file, first.offset, &mut stored).map_err(failed)?;
    let stored = Bytes::from(stored);
    let mut bodies = Vec::with_capacity(blocks.len());
    for row in blocks {
        let start = (row.offset - first.offset) as usize;
        let stored = stored.slice(start..start + row.stored_bytes as usize);
        let body = block_body(row, stored)
            .ok()
            .filter(|body| body.len() >= rows_bytes(row.count))
            .ok_or_else(|| {
                let what = format!("block at {}: its checksum does not fit", row.offset);
                damage(partition, extent, &what)
            })?;
        bodies.push((*row, body));
    }
    Ok(bodies)
}

/// What is done with an entry, its row and its payload.
pub type Take<'a> = dyn FnMut(Position, &EntryRow, &[u8]) -> io::Result<()> + 'a;

/// Gives each entry of `extent` from position `from` on to `take`, checked. Blocks.
pub fn for_each_entry(
    files: &Files,
    partition: PartitionId,
    extent: &Extent,
    from: Position,
    take: &mut Take<'_>,
) -> Result<(), ReadError> {
    let asked = all_from(partition, extent, from);
    let failed = |error: io::Error| failure(partition, extent, error);
    match extent.home {
        Home::Wal(_) => {
            let body = match body_in_memory(extent) {
                Some(body) => body,
                None => {
                    let mut body = vec![0; extent.bytes as usize];
                    let file = files.open(extent.home).map_err(failed)?;
                    read_exactly(&*file, extent.offset, &mut body).map_err(failed)?;
                    body.into()
                }
            };
            take_body(extent, asked, stretch(extent), &body, take)
        }
        Home::Chunk(_) => {
            let blocks = files.block_rows(extent).map_err(failed)?;
            for block in blocks.iter().filter(|block| block.end() > asked.from) {
                for (row, body) in read_blocks(files, partition, extent, &[*block])? {
                    take_body(extent, asked, block_stretch(&row), &body, take)?;
                }
            }
            Ok(())
        }
    }
}

/// As [`for_each_entry`], of a run whose `body` is at hand.
pub fn for_each_entry_of(
    partition: PartitionId,
    extent: &Extent,
    body: &[u8],
    from: Position,
    take: &mut Take<'_>,
) -> Result<(), ReadError> {
    let asked = all_from(partition, extent, from);
    take_body(extent, asked, stretch(extent), body, take)
}

fn all_from(partition: PartitionId, extent: &Extent, from: Position) -> Asked {
    Asked {
        partition,
        from: from.max(extent.first),
        entries_max: usize::MAX,
        bytes_max: usize::MAX,
    }
}

fn take_body(
    extent: &Extent,
    asked: Asked,
    stretch: Stretch,
    body: &[u8],
    take: &mut Take<'_>,
) -> Result<(), ReadError> {
    let partition = asked.partition;
    for (index, row) in rows(body, stretch.count).enumerate() {
        let position = stretch.first + index as u64;
        if position < asked.from {
            continue;
        }
        let payload = body
            .get(row.payload_offset..row.payload_offset + row.payload_bytes)
            .ok_or_else(|| damage(partition, extent, "its rows reach out of the run"))?;
        check_entry(&row, partition, position, payload)
            .map_err(|bad| damage(partition, extent, &format!("{position}: {bad}")))?;
        take(position, &row, payload).map_err(|error| ReadError::Disk {
            partition,
            detail: error.to_string(),
        })?;
    }
    Ok(())
}

/// The first position in `extent` that arrived at or after `at`; its end when there is none. Blocks
/// unless the frame is in memory.
///
/// The timestamps are covered by each entry's checksum together with its payload, so the one that is
/// found is read and checked whole, unless a row with a checksum of its own tells it.
pub fn position_in(
    files: &Files,
    partition: PartitionId,
    extent: &Extent,
    at: Timestamp,
) -> Result<Position, ReadError> {
    let (stretch, head) = match extent.home {
        Home::Wal(_) => (stretch(extent), head(files, partition, extent)?),
        Home::Chunk(_) => {
            let blocks = files
                .block_rows(extent)
                .map_err(|error| failure(partition, extent, error))?;
            match blocks.get(blocks.partition_point(|row| row.last_at < at)) {
                None => return Ok(extent.end()),
                Some(row) if row.first_at >= at => return Ok(row.first),
                Some(row) => {
                    let read = read_blocks(files, partition, extent, &[*row])?;
                    let (row, body) = read.into_iter().next().expect("one was asked for");
                    (block_stretch(&row), body)
                }
            }
        }
    };
    let before = rows(&head, stretch.count)
        .take_while(|row| row.at < at)
        .count();
    let position = stretch.first + before as u64;
    if extent.cached.strong_count() == 0 && position < extent.end() {
        let asked = Asked {
            partition,
            from: position,
            entries_max: 1,
            bytes_max: 0,
        };
        Collected::new(asked).add_from_disk(files, extent)?;
    }
    Ok(position)
}

/// The rows of a run.
fn head(files: &Files, partition: PartitionId, extent: &Extent) -> Result<Bytes, ReadError> {
    if let Some(body) = body_in_memory(extent) {
        return Ok(body.slice(..rows_bytes(extent.count)));
    }
    let failed = |error: io::Error| failure(partition, extent, error);
    let file = files.open(extent.home).map_err(failed)?;
    let mut head = vec![0; rows_bytes(extent.count)];
    read_exactly(&*file, extent.offset, &mut head).map_err(failed)?;
    Ok(head.into())
}

fn place(extent: &Extent) -> String {
    format!("{} offset {}", extent.home, extent.offset)
}

fn failure(partition: PartitionId, extent: &Extent, error: io::Error) -> ReadError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => damage(partition, extent, "the file ends inside it"),
        io::ErrorKind::InvalidData => damage(partition, extent, &error.to_string()),
        _ => ReadError::Disk {
            partition,
            detail: format!("{}: {error}", extent.home),
        },
    }
}

fn damage(partition: PartitionId, extent: &Extent, detail: &str) -> ReadError {
    ReadError::Corrupt {
        partition,
        place: place(extent),
        detail: detail.to_owned(),
    }
}
