//! Runs: what one frame says about one partition.
//!
//! What must hold: within a frame, runs are sorted by partition and then by kind, and in that order they
//! give the same state as the calls did in theirs: nothing is appended behind a seal, and nothing comes
//! behind a delete. An entry's checksum covers its payload and its place, so that bytes read from the
//! wrong place do not pass for it. The layouts are frozen by golden bytes in the tests; all numbers are
//! little-endian.
//!
//! ```text
//! run      =  0  8  partition
//!             8  4  kind
//!            12  4  size of the body
//!            16  .. body
//!
//! kind 1, entries:   first position 8, count 4, zero 4,
//!                    count times { timestamp in milliseconds 8, size of payload 4, checksum 4 },
//!                    the payloads, one behind the other
//! kind 2, snapshot:  position 8, number of the file 8, size of the state 8, checksum of the state 4
//! kind 3, trim:      new start 8
//! kind 4, seal:      final end 8
//! kind 5, delete:    nothing
//!
//! in a checkpoint only:
//! kind 6, partition: start 8, end 8, newest timestamp 8, sequence number of the frame that brought it
//!                    to be 8, flags 4 (1 = sealed, 2 = has a snapshot), then as kind 2 (zeros
//!                    without one)
//! kind 7, files:     of partition 2^64 - 1; for each file but the newest:
//!                    { number 8, salt 8, end 8, checksum of its last frame 4 }
//!
//! kind 8, chunks:    of partition 2^64 - 1; in a checkpoint all that are needed, else those that
//!                    take the place of where their entries stood until now:
//!                    { number 8, size 8, number of entries 8, retention 4, checksum of its footer 4 }
//!
//! checksum of an entry = CRC-32C of payload, partition 8, position 8, timestamp 8
//! ```

use std::ops::Range;

use tidemill_model::Timestamp;

use crate::batch::BatchRun;
use crate::checksum::{crc32c, crc32c_append};
use crate::chunk::ChunkRow;
use crate::fields::Fields;
use crate::frame::{BadFrame, FileTail};
use crate::partition_id::PartitionId;
use crate::port::{Appended, Position};

/// Size of what stands before the body of a run.
pub const RUN_HEADER_BYTES: usize = 16;

/// Size of what stands before the rows of a run of entries.
pub const ENTRIES_HEADER_BYTES: usize = 16;

/// Size of what a run says of each entry beside its payload.
pub const ENTRY_ROW_BYTES: usize = 16;

const SNAPSHOT_BYTES: usize = 28;
const PARTITION_BYTES: usize = 36 + SNAPSHOT_BYTES;
const FILE_BYTES: usize = 28;
const CHUNK_BYTES: usize = 32;
const SEALED: u32 = 1;
const HAS_SNAPSHOT: u32 = 2;

const KIND_ENTRIES: u32 = 1;
const KIND_SNAPSHOT: u32 = 2;
const KIND_TRIM: u32 = 3;
const KIND_SEAL: u32 = 4;
const KIND_DELETE: u32 = 5;
const KIND_PARTITION: u32 = 6;
const KIND_FILES: u32 = 7;
const KIND_CHUNKS: u32 = 8;

/// The partition of runs that are about no partition.
pub const NO_PARTITION: PartitionId = PartitionId(u64::MAX);

/// Entries of a batch that have their places and wait to be written: of one partition, dense, and all at
/// one time.
#[derive(Clone, Copy, Debug)]
pub struct PlacedRun<'a> {
    /// The place of the first.
    pub first: Appended,
    /// The entries.
    pub of: BatchRun<'a>,
}

impl PlacedRun<'_> {
    /// One past the position of the last.
    fn end(&self) -> Position {
        self.first.position + self.of.entries.len() as u64
    }
}

/// A snapshot file that a command names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotPointer {
    /// The state holds the effect of every entry before this position.
    pub position: Position,
    /// Number of the file.
    pub number: u64,
    /// Size of the state.
    pub bytes: u64,
    /// Checksum of the state.
    pub checksum: u32,
}

/// A partition's row of a checkpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PartitionRow {
    /// First position that has not been trimmed.
    pub start: Position,
    /// One past the last position.
    pub end: Position,
    /// Timestamp of the newest entry there ever was.
    pub last_at: Timestamp,
    /// Sequence number of the frame that brought it to be: what older frames say of this id is about a
    /// deleted one.
    pub created_lsn: u64,
    /// Whether nothing can be appended any more.
    pub sealed: bool,
    /// The newest snapshot.
    pub snapshot: Option<SnapshotPointer>,
}

/// A file's row of a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileRow {
    /// Its salt.
    pub salt: u64,
    /// Where its frames end.
    pub tail: FileTail,
}

/// What a run of entries says, without the entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntriesRun {
    /// Position of the first.
    pub first: Position,
    /// How many they are; at least one.
    pub count: u32,
    /// Timestamp of the first.
    pub first_at: Timestamp,
    /// Timestamp of the last.
    pub last_at: Timestamp,
    /// Where the body stands in the bytes that were decoded.
    pub body: Range<usize>,
}

/// What a run says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Entries were appended.
    Entries(EntriesRun),
    /// A snapshot was taken.
    Snapshot(SnapshotPointer),
    /// The start was moved here.
    Trim(Position),
    /// The partition was sealed at this end.
    Seal(Position),
    /// The partition was deleted.
    Delete,
    /// Checkpoint: the partition as it is.
    Partition(PartitionRow),
    /// Checkpoint: the files as they are.
    Files(Vec<FileRow>),
    /// Entries stand in these chunks now; checkpoint: all chunks.
    Chunks(Vec<ChunkRow>),
}

/// A change that waits to be written, other than entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// A snapshot was taken.
    Snapshot(SnapshotPointer),
    /// Move the start here.
    Trim(Position),
    /// Seal at this end.
    Seal(Position),
    /// Delete.
    Delete,
    /// Entries stand in these chunks now.
    Chunks(Vec<ChunkRow>),
}

impl Command {
    /// The kind of its run, which is also its rank within a frame and a partition.
    pub fn kind(&self) -> u32 {
        match self {
            Command::Snapshot(_) => KIND_SNAPSHOT,
            Command::Trim(_) => KIND_TRIM,
            Command::Seal(_) => KIND_SEAL,
            Command::Delete => KIND_DELETE,
            Command::Chunks(_) => KIND_CHUNKS,
        }
    }
}

/// The checksum of an entry, made from that of its payload.
pub fn entry_checksum(
    payload_checksum: u32,
    partition: PartitionId,
    position: Position,
    at: Timestamp,
) -> u32 {
    let mut place = [0; 24];
    place[..8].copy_from_slice(&partition.0.to_le_bytes());
    place[8..16].copy_from_slice(&position.to_le_bytes());
    place[16..].copy_from_slice(&at.as_millis().to_le_bytes());
    crc32c_append(payload_checksum, &place)
}

fn put_run_header(buffer: &mut Vec<u8>, partition: PartitionId, kind: u32, body_bytes: usize) {
    let body_bytes = u32::try_from(body_bytes).expect("the limits keep a run small");
    buffer.extend_from_slice(&partition.0.to_le_bytes());
    buffer.extend_from_slice(&kind.to_le_bytes());
    buffer.extend_from_slice(&body_bytes.to_le_bytes());
}

/// Puts what was `placed` as one run: of one partition, dense, in order, and at least one.
pub fn put_entries(buffer: &mut Vec<u8>, placed: &[PlacedRun<'_>]) {
    let first = placed.first().expect("a run has at least one entry");
    let partition = first.of.partition;
    let count: usize = placed.iter().map(|placed| placed.of.entries.len()).sum();
    let payloads: usize = placed.iter().map(|placed| placed.of.bytes.len()).sum();
    let body_bytes = ENTRIES_HEADER_BYTES + ENTRY_ROW_BYTES * count + payloads;
    let count = u32::try_from(count).expect("the limits keep a run small");
    put_run_header(buffer, partition, KIND_ENTRIES, body_bytes);
    buffer.extend_from_slice(&first.first.position.to_le_bytes());
    buffer.extend_from_slice(&count.to_le_bytes());
    buffer.extend_from_slice(&[0; 4]);
    let mut next = first.first.position;
    for placed in placed {
        assert_eq!(placed.of.partition, partition, "a run is of one partition");
        assert_eq!(placed.first.position, next, "a run is dense");
        next = placed.end();
        put_rows(buffer, placed);
    }
    for placed in placed {
        buffer.extend_from_slice(placed.of.bytes);
    }
}

fn put_rows(buffer: &mut Vec<u8>, placed: &PlacedRun<'_>) {
    let Appended { position, at } = placed.first;
    let partition = placed.of.partition;
    for (position, entry) in (position..).zip(placed.of.entries) {
        let checksum = entry_checksum(entry.checksum, partition, position, at);
        let mut row = [0; ENTRY_ROW_BYTES];
        row[..8].copy_from_slice(&at.as_millis().to_le_bytes());
        row[8..12].copy_from_slice(&entry.bytes.to_le_bytes());
        row[12..].copy_from_slice(&checksum.to_le_bytes());
        buffer.extend_from_slice(&row);
    }
}

/// Puts a run with `command`.
pub fn put_command(buffer: &mut Vec<u8>, partition: PartitionId, command: &Command) {
    match command {
        Command::Snapshot(pointer) => {
            put_run_header(buffer, partition, KIND_SNAPSHOT, SNAPSHOT_BYTES);
            put_snapshot(buffer, pointer);
        }
        Command::Trim(position) | Command::Seal(position) => {
            put_run_header(buffer, partition, command.kind(), 8);
            buffer.extend_from_slice(&position.to_le_bytes());
        }
        Command::Delete => put_run_header(buffer, partition, KIND_DELETE, 0),
        Command::Chunks(rows) => put_chunks(buffer, rows),
    }
}

/// Puts a partition's row of a checkpoint.
pub fn put_partition(buffer: &mut Vec<u8>, partition: PartitionId, row: &PartitionRow) {
    let mut flags = 0;
    if row.sealed {
        flags |= SEALED;
    }
    if row.snapshot.is_some() {
        flags |= HAS_SNAPSHOT;
    }
    put_run_header(buffer, partition, KIND_PARTITION, PARTITION_BYTES);
    buffer.extend_from_slice(&row.start.to_le_bytes());
    buffer.extend_from_slice(&row.end.to_le_bytes());
    buffer.extend_from_slice(&row.last_at.as_millis().to_le_bytes());
    buffer.extend_from_slice(&row.created_lsn.to_le_bytes());
    buffer.extend_from_slice(&flags.to_le_bytes());
    let none = SnapshotPointer {
        position: 0,
        number: 0,
        bytes: 0,
        checksum: 0,
    };
    put_snapshot(buffer, &row.snapshot.unwrap_or(none));
}

/// Puts the files' rows of a checkpoint.
pub fn put_files(buffer: &mut Vec<u8>, files: &[FileRow]) {
    put_run_header(buffer, NO_PARTITION, KIND_FILES, FILE_BYTES * files.len());
    for FileRow { salt, tail } in files {
        buffer.extend_from_slice(&tail.file.to_le_bytes());
        buffer.extend_from_slice(&salt.to_le_bytes());
        buffer.extend_from_slice(&tail.end.to_le_bytes());
        buffer.extend_from_slice(&tail.checksum.to_le_bytes());
    }
}

/// Puts rows of chunks.
pub fn put_chunks(buffer: &mut Vec<u8>, chunks: &[ChunkRow]) {
    put_run_header(
        buffer,
        NO_PARTITION,
        KIND_CHUNKS,
        CHUNK_BYTES * chunks.len(),
    );
    for row in chunks {
        buffer.extend_from_slice(&row.number.to_le_bytes());
        buffer.extend_from_slice(&row.bytes.to_le_bytes());
        buffer.extend_from_slice(&row.entries.to_le_bytes());
        buffer.extend_from_slice(&(row.retention as u32).to_le_bytes());
        buffer.extend_from_slice(&row.checksum.to_le_bytes());
    }
}

fn put_snapshot(buffer: &mut Vec<u8>, pointer: &SnapshotPointer) {
    buffer.extend_from_slice(&pointer.position.to_le_bytes());
    buffer.extend_from_slice(&pointer.number.to_le_bytes());
    buffer.extend_from_slice(&pointer.bytes.to_le_bytes());
    buffer.extend_from_slice(&pointer.checksum.to_le_bytes());
}

/// The runs in `payload`. A frame whose checksum fits and whose runs do not was made wrong, so the
/// first error ends it.
pub fn runs(payload: &[u8]) -> Runs<'_> {
    Runs { payload, offset: 0 }
}

/// See [`runs`]. Bodies are given as ranges of the payload.
#[derive(Clone, Debug)]
pub struct Runs<'a> {
    payload: &'a [u8],
    offset: usize,
}

impl Iterator for Runs<'_> {
    type Item = Result<(PartitionId, Change), BadFrame>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.offset == self.payload.len() {
            return None;
        }
        let decoded = self.decode();
        if decoded.is_err() {
            self.offset = self.payload.len();
        }
        Some(decoded)
    }
}

impl Runs<'_> {
    fn decode(&mut self) -> Result<(PartitionId, Change), BadFrame> {
        let bounds = BadFrame::Bounds("run");
        let mut header = Fields(self.payload.get(self.offset..).unwrap_or_default());
        let partition = PartitionId(header.u64()?);
        let kind = header.u32()?;
        let start = self.offset + RUN_HEADER_BYTES;
        let end = start + header.u32()? as usize;
        let body = self.payload.get(start..end).ok_or(bounds.clone())?;
        self.offset = end;
        let mut fields = Fields(body);
        let change = match kind {
            KIND_ENTRIES => return Ok((partition, Change::Entries(entries(body, start)?))),
            KIND_SNAPSHOT => Change::Snapshot(snapshot(&mut fields)?),
            KIND_TRIM => Change::Trim(fields.u64()?),
            KIND_SEAL => Change::Seal(fields.u64()?),
            KIND_DELETE => Change::Delete,
            KIND_PARTITION => Change::Partition(partition_row(&mut fields)?),
            KIND_FILES => Change::Files(file_rows(&mut fields)?),
            KIND_CHUNKS => Change::Chunks(chunk_rows(&mut fields)?),
            _ => return Err(bounds),
        };
        if fields.0.is_empty() {
            Ok((partition, change))
        } else {
            Err(bounds)
        }
    }
}

fn entries(body: &[u8], start: usize) -> Result<EntriesRun, BadFrame> {
    let mut fields = Fields(body);
    let first = fields.u64()?;
    let count = fields.u32()?;
    let rows_end = ENTRIES_HEADER_BYTES + ENTRY_ROW_BYTES * count as usize;
    if count == 0 || rows_end > body.len() {
        return Err(BadFrame::Bounds("run"));
    }
    Ok(EntriesRun {
        first,
        count,
        first_at: Timestamp::from_millis(Fields(&body[ENTRIES_HEADER_BYTES..]).u64()?),
        last_at: Timestamp::from_millis(Fields(&body[rows_end - ENTRY_ROW_BYTES..]).u64()?),
        body: start..start + body.len(),
    })
}

/// What a run says of one entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryRow {
    /// Its timestamp.
    pub at: Timestamp,
    /// Where its payload stands in the body of the run.
    pub payload_offset: usize,
    /// Size of its payload.
    pub payload_bytes: usize,
    /// Its checksum.
    pub checksum: u32,
}

/// How much of a run's body its header and rows take, when it has `count` entries.
pub fn rows_bytes(count: u32) -> usize {
    ENTRIES_HEADER_BYTES + ENTRY_ROW_BYTES * count as usize
}

/// The rows of a run of `count` entries; `head` is the first [`rows_bytes`] of its body.
///
/// # Panics
/// When `head` is shorter.
pub fn rows(head: &[u8], count: u32) -> impl Iterator<Item = EntryRow> + '_ {
    let mut payload_offset = rows_bytes(count);
    head[ENTRIES_HEADER_BYTES..payload_offset]
        .chunks_exact(ENTRY_ROW_BYTES)
        .map(move |row| {
            let number = |range: Range<usize>| {
                row[range]
                    .iter()
                    .rev()
                    .fold(0_u64, |value, byte| value << 8 | u64::from(*byte))
            };
            let payload_bytes = number(8..12) as usize;
            let offset = payload_offset;
            payload_offset += payload_bytes;
            EntryRow {
                at: Timestamp::from_millis(number(0..8)),
                payload_offset: offset,
                payload_bytes,
                checksum: number(12..16) as u32,
            }
        })
}

/// Puts what stands before the payloads in the body of a run that was taken apart: its first position
/// and its rows.
pub fn put_head(buffer: &mut Vec<u8>, first: Position, entries: &[EntryRow]) {
    let count = u32::try_from(entries.len()).expect("the limits keep a run small");
    buffer.reserve(rows_bytes(count));
    buffer.extend_from_slice(&first.to_le_bytes());
    buffer.extend_from_slice(&count.to_le_bytes());
    buffer.extend_from_slice(&[0; 4]);
    for row in entries {
        let payload_bytes = u32::try_from(row.payload_bytes).expect("an entry is limited");
        buffer.extend_from_slice(&row.at.as_millis().to_le_bytes());
        buffer.extend_from_slice(&payload_bytes.to_le_bytes());
        buffer.extend_from_slice(&row.checksum.to_le_bytes());
    }
}

/// Refuses a `payload` that is not what was written at this place.
pub fn check_entry(
    row: &EntryRow,
    partition: PartitionId,
    position: Position,
    payload: &[u8],
) -> Result<(), BadFrame> {
    if entry_checksum(crc32c(payload), partition, position, row.at) == row.checksum {
        return Ok(());
    }
    Err(BadFrame::Checksum("entry"))
}

fn snapshot(fields: &mut Fields<'_>) -> Result<SnapshotPointer, BadFrame> {
    Ok(SnapshotPointer {
        position: fields.u64()?,
        number: fields.u64()?,
        bytes: fields.u64()?,
        checksum: fields.u32()?,
    })
}

fn partition_row(fields: &mut Fields<'_>) -> Result<PartitionRow, BadFrame> {
    let start = fields.u64()?;
    let end = fields.u64()?;
    let last_at = Timestamp::from_millis(fields.u64()?);
    let created_lsn = fields.u64()?;
    let flags = fields.u32()?;
    let snapshot = snapshot(fields)?;
    if flags & !(SEALED | HAS_SNAPSHOT) != 0 || start > end {
        return Err(BadFrame::Bounds("run"));
    }
    let sealed = flags & SEALED != 0;
    let snapshot = (flags & HAS_SNAPSHOT != 0).then_some(snapshot);
    Ok(PartitionRow {
        start,
        end,
        last_at,
        created_lsn,
        sealed,
        snapshot,
    })
}

fn file_rows(fields: &mut Fields<'_>) -> Result<Vec<FileRow>, BadFrame> {
    let mut files = Vec::with_capacity(fields.0.len() / FILE_BYTES);
    while !fields.0.is_empty() {
        let file = fields.u64()?;
        let salt = fields.u64()?;
        let tail = FileTail {
            file,
            end: fields.u64()?,
            checksum: fields.u32()?,
        };
        files.push(FileRow { salt, tail });
    }
    Ok(files)
}

fn chunk_rows(fields: &mut Fields<'_>) -> Result<Vec<ChunkRow>, BadFrame> {
    let mut chunks = Vec::with_capacity(fields.0.len() / CHUNK_BYTES);
    while !fields.0.is_empty() {
        chunks.push(ChunkRow {
            number: fields.u64()?,
            bytes: fields.u64()?,
            entries: fields.u64()?,
            retention: fields.retention()?,
            checksum: fields.u32()?,
        });
    }
    Ok(chunks)
}

#[cfg(test)]
mod tests;
