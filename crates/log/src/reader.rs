//! Reading entries back from their extents, out of memory or from the disk.
//!
//! What must hold: what comes from the disk is checked entry by entry against the checksum it was
//! written with, and what does not fit is an error, never an answer. Only the asked part of a run is
//! read.

use std::io;

use bytes::Bytes;

use tidemill_model::Timestamp;

use crate::disk::Disk;
use crate::port::{Entry, PartitionId, Position, ReadError};
use crate::run::{EntryRow, check_entry, rows, rows_bytes};
use crate::table::Extent;

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

/// Where the write-ahead log stands on the disk.
pub const DIRECTORY: &str = "wal";

/// The path of file `number` of the write-ahead log.
pub fn file_path(number: u64) -> String {
    format!("{DIRECTORY}/{number:016x}.wal")
}

/// Collects entries until there are as many as were asked for.
#[derive(Debug)]
pub struct Collected {
    asked: Asked,
    entries: Vec<Entry>,
    bytes: usize,
    is_full: bool,
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
        let Some(frame) = extent.cached.upgrade() else {
            return false;
        };
        let start = usize::try_from(extent.offset - frame.offset).expect("it lies in the frame");
        let body = frame.bytes.slice(start..start + extent.bytes);
        for (position, row) in self.choose(extent, &body) {
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
    pub fn add_from_disk(&mut self, disk: &dyn Disk, extent: &Extent) -> Result<(), ReadError> {
        let partition = self.asked.partition;
        let failed = |error: io::Error| failure(partition, extent, error);
        let file = disk.open(&file_path(extent.file)).map_err(failed)?;
        let mut head = vec![0; rows_bytes(extent.count)];
        read_exactly(&*file, extent.offset, &mut head).map_err(failed)?;
        let chosen = self.choose(extent, &head);
        let (Some((_, first)), Some((_, last))) = (chosen.first(), chosen.last()) else {
            return Ok(());
        };
        let start = first.payload_offset;
        let end = last.payload_offset + last.payload_bytes;
        if end > extent.bytes {
            return Err(damage(partition, extent, "its rows reach out of the run"));
        }
        let mut payloads = vec![0; end - start];
        read_exactly(&*file, extent.offset + start as u64, &mut payloads).map_err(failed)?;
        let payloads = Bytes::from(payloads);
        for (position, row) in chosen {
            let offset = row.payload_offset - start;
            let payload = payloads.slice(offset..offset + row.payload_bytes);
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

    /// The entries of a run that are asked for, given the head of its body.
    fn choose(&mut self, extent: &Extent, head: &[u8]) -> Vec<(Position, EntryRow)> {
        let skip = usize::try_from(self.next().saturating_sub(extent.first)).unwrap_or(usize::MAX);
        let mut chosen = Vec::new();
        for (index, row) in rows(head, extent.count).enumerate().skip(skip) {
            let count = self.entries.len() + chosen.len();
            let bytes = self.bytes.saturating_add(row.payload_bytes);
            if count == self.asked.entries_max || (bytes > self.asked.bytes_max && count > 0) {
                self.is_full = true;
                break;
            }
            self.bytes = bytes;
            chosen.push((extent.first + index as u64, row));
        }
        chosen
    }
}

/// The first position in `extent` that arrived at or after `at`; its end when there is none. Blocks
/// unless the frame is in memory.
///
/// The timestamps are covered by each entry's checksum together with its payload, so the one that is
/// found is read and checked whole.
pub fn position_in(
    disk: &dyn Disk,
    partition: PartitionId,
    extent: &Extent,
    at: Timestamp,
) -> Result<Position, ReadError> {
    let head = match extent.cached.upgrade() {
        Some(frame) => {
            let start =
                usize::try_from(extent.offset - frame.offset).expect("it lies in the frame");
            frame.bytes.slice(start..start + rows_bytes(extent.count))
        }
        None => {
            let failed = |error: io::Error| failure(partition, extent, error);
            let file = disk.open(&file_path(extent.file)).map_err(failed)?;
            let mut head = vec![0; rows_bytes(extent.count)];
            read_exactly(&*file, extent.offset, &mut head).map_err(failed)?;
            head.into()
        }
    };
    let before = rows(&head, extent.count)
        .take_while(|row| row.at < at)
        .count();
    let position = extent.first + before as u64;
    if extent.cached.strong_count() == 0 && position < extent.end() {
        let asked = Asked {
            partition,
            from: position,
            entries_max: 1,
            bytes_max: 0,
        };
        Collected::new(asked).add_from_disk(disk, extent)?;
    }
    Ok(position)
}

fn read_exactly(
    file: &dyn crate::disk::DiskFile,
    offset: u64,
    buffer: &mut [u8],
) -> io::Result<()> {
    if file.read_at(offset, buffer)? < buffer.len() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(())
}

fn place(extent: &Extent) -> String {
    format!("{} offset {}", file_path(extent.file), extent.offset)
}

fn failure(partition: PartitionId, extent: &Extent, error: io::Error) -> ReadError {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return damage(partition, extent, "the file ends inside the run");
    }
    ReadError::Disk {
        partition,
        detail: format!("{}: {error}", place(extent)),
    }
}

fn damage(partition: PartitionId, extent: &Extent, detail: &str) -> ReadError {
    ReadError::Corrupt {
        partition,
        place: place(extent),
        detail: detail.to_owned(),
    }
}
