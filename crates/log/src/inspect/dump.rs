//! Telling what stands in a write-ahead log, line by line.
//!
//! What must hold: what is told of an entry is what stands in the file, with whether its checksum fits;
//! a file or frame without anything that is wanted is left out; damage is always told.

use std::ops::ControlFlow;

use bytes::Bytes;
use serde::Serialize;

use crate::disk::Disk;
use crate::envelope::Envelope;
use crate::frame::FrameKind;
use crate::partition_id::{PartitionId, ServiceTag};
use crate::port::{Position, Retention};
use crate::recovery::LocalError;
use crate::run::{Change, EntryRow};

use super::finding::{Damage, PartitionName, Torn, owner_word};
use super::met::{Met, Stop};
use super::walk::walk;

/// What is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Only of this partition.
    pub partition: Option<PartitionId>,
    /// Only entries from this position on.
    pub from: Option<Position>,
}

/// One line of a listing.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Line {
    /// A file begins.
    File {
        /// Its path, relative to the data directory.
        file: String,
        /// Its size.
        bytes: u64,
        /// Sequence number of its first frame.
        first_frame: u64,
        /// When it was made.
        made: String,
        /// Whether its frames are acknowledged before they are synced.
        unsynced: bool,
    },
    /// A chunk begins.
    Chunk {
        /// Its path, relative to the data directory.
        file: String,
        /// Its size.
        bytes: u64,
        /// How many entries it had when it was made.
        entries: u64,
        /// Of how many partitions, each counted once for each piece of it.
        extents: u64,
        /// About how long its entries are kept.
        kept: &'static str,
        /// When it was made.
        made: String,
    },
    /// A frame begins.
    Frame {
        /// Its sequence number.
        frame: u64,
        /// Where in the file, in bytes.
        offset: u64,
        /// Its size.
        bytes: u32,
        /// Whether it is the checkpoint that a file begins with.
        checkpoint: bool,
        /// How many runs it has.
        runs: u32,
        /// When it was written.
        written: String,
    },
    /// A change other than entries.
    Change {
        /// The partition; none for what a checkpoint says of files.
        partition: Option<PartitionName>,
        /// What it says.
        what: String,
    },
    /// An entry.
    Entry {
        /// Its partition.
        partition: PartitionName,
        /// Its position.
        position: Position,
        /// Its timestamp.
        at: String,
        /// Size of its payload.
        bytes: u64,
        /// Whether its checksum fits.
        checksum_ok: bool,
        /// The command that it carries, if any.
        command: Option<Command>,
    },
    /// Something is not what was written.
    Damage(Damage),
    /// The log ends with a write that was cut short.
    TornTail(Torn),
}

/// A command of a service.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Command {
    /// The service that applies it.
    pub service: &'static str,
    /// Version of the service's commands.
    pub version: u16,
    /// The command; none when it is no JSON.
    pub json: Option<serde_json::Value>,
}

/// What was told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Frames.
    pub frames: u64,
    /// Entries.
    pub entries: u64,
    /// Damages.
    pub damages: u64,
}

/// Tells what is `wanted` of the log on `disk`.
pub fn dump(
    disk: &dyn Disk,
    wanted: Wanted,
    tell: impl FnMut(Line) -> ControlFlow<()>,
) -> Result<Summary, LocalError> {
    let mut listing = Listing {
        wanted,
        tell,
        summary: Summary::default(),
        file: None,
        frame: None,
    };
    match walk(disk, &mut |met| listing.meet(met)) {
        Ok(_) | Err(Stop::Asked) => Ok(listing.summary),
        Err(Stop::Failed(error)) => Err(error),
    }
}

struct Listing<T> {
    wanted: Wanted,
    tell: T,
    summary: Summary,
    /// The file and the frame that have been met, as long as they have not been told.
    file: Option<Line>,
    frame: Option<Line>,
}

impl<T: FnMut(Line) -> ControlFlow<()>> Listing<T> {
    fn meet(&mut self, met: Met<'_>) -> ControlFlow<()> {
        match met {
            Met::File { .. } | Met::Chunk { .. } => {
                self.file = head(&met);
                self.frame = None;
                self.tell_heads_unless_chosen()
            }
            Met::Frame { .. } => {
                self.frame = head(&met);
                self.tell_heads_unless_chosen()
            }
            Met::Change { partition, change } => self.change(partition, change),
            Met::Entry {
                partition,
                position,
                row,
                payload,
                is_whole,
            } => {
                let is_wanted =
                    self.wants(partition) && self.wanted.from.is_none_or(|from| position >= from);
                if !is_wanted {
                    return ControlFlow::Continue(());
                }
                self.tell_heads()?;
                self.summary.entries += 1;
                (self.tell)(entry(partition, position, row, payload, is_whole))
            }
            Met::Damage(damage) => {
                self.summary.damages += 1;
                self.tell_file()?;
                (self.tell)(Line::Damage(damage))
            }
            Met::Torn(torn) => {
                self.tell_file()?;
                (self.tell)(Line::TornTail(torn))
            }
        }
    }

    fn wants(&self, partition: PartitionId) -> bool {
        self.wanted
            .partition
            .is_none_or(|wanted| wanted == partition)
    }

    fn change(&mut self, partition: PartitionId, change: &Change) -> ControlFlow<()> {
        if !self.wants(partition) || self.wanted.from.is_some() {
            return ControlFlow::Continue(());
        }
        self.tell_heads()?;
        let about_files = matches!(change, Change::Files(_) | Change::Chunks(_));
        (self.tell)(Line::Change {
            partition: (!about_files).then_some(PartitionName(partition)),
            what: described(change),
        })
    }

    /// When all is wanted, a frame without entries is told as well.
    fn tell_heads_unless_chosen(&mut self) -> ControlFlow<()> {
        if self.wanted == Wanted::default() {
            return self.tell_heads();
        }
        ControlFlow::Continue(())
    }

    fn tell_heads(&mut self) -> ControlFlow<()> {
        self.tell_file()?;
        match self.frame.take() {
            None => ControlFlow::Continue(()),
            Some(frame) => {
                self.summary.frames += 1;
                (self.tell)(frame)
            }
        }
    }

    fn tell_file(&mut self) -> ControlFlow<()> {
        match self.file.take() {
            None => ControlFlow::Continue(()),
            Some(file) => (self.tell)(file),
        }
    }
}

/// The line with which a file or a frame begins.
fn head(met: &Met<'_>) -> Option<Line> {
    match met {
        Met::File {
            path,
            header,
            bytes,
        } => Some(Line::File {
            file: (*path).to_owned(),
            bytes: *bytes,
            first_frame: header.first_lsn,
            made: header.created.to_string(),
            unsynced: header.unsynced,
        }),
        Met::Chunk {
            path,
            row,
            header,
            extents,
        } => Some(Line::Chunk {
            file: (*path).to_owned(),
            bytes: row.bytes,
            entries: row.entries,
            extents: *extents,
            kept: kept(header.retention),
            made: header.created.to_string(),
        }),
        Met::Frame { offset, header } => Some(Line::Frame {
            frame: header.lsn,
            offset: *offset,
            bytes: header.frame_bytes,
            checkpoint: header.kind == FrameKind::Checkpoint,
            runs: header.runs,
            written: header.written.to_string(),
        }),
        Met::Change { .. } | Met::Entry { .. } | Met::Damage(_) | Met::Torn(_) => None,
    }
}

fn kept(retention: Retention) -> &'static str {
    match retention {
        Retention::State => "as long as needed",
        Retention::Day => "a day",
        Retention::TwoDays => "two days",
        Retention::Week => "a week",
        Retention::Month => "a month",
        Retention::Year => "a year",
    }
}

fn entry(
    partition: PartitionId,
    position: Position,
    row: EntryRow,
    payload: Option<&[u8]>,
    is_whole: bool,
) -> Line {
    Line::Entry {
        partition: PartitionName(partition),
        position,
        at: row.at.to_string(),
        bytes: row.payload_bytes as u64,
        checksum_ok: is_whole,
        command: payload
            .filter(|_| is_whole)
            .and_then(|payload| command(partition, payload)),
    }
}

/// The command in `payload`, when the partition is of those that carry commands and it is one.
fn command(partition: PartitionId, payload: &[u8]) -> Option<Command> {
    match partition.owner()? {
        ServiceTag::Control | ServiceTag::Functions | ServiceTag::Destinations => {}
        // Records, and outcomes of batches.
        ServiceTag::Streams | ServiceTag::Mapping | ServiceTag::Views => return None,
    }
    let envelope = Envelope::decode(&Bytes::copy_from_slice(payload)).ok()?;
    Some(Command {
        service: owner_word(envelope.service),
        version: envelope.version,
        json: serde_json::from_slice(&envelope.command).ok(),
    })
}

fn described(change: &Change) -> String {
    match change {
        Change::Entries(run) => format!("{} entries from {}", run.count, run.first),
        Change::Snapshot(pointer) => format!(
            "snapshot {:016x} of the state before {}, {} bytes",
            pointer.number, pointer.position, pointer.bytes
        ),
        Change::Trim(start) => format!("trimmed, starts at {start}"),
        Change::Seal(end) => format!("sealed at {end}"),
        Change::Delete => "deleted".to_owned(),
        Change::Partition(row) => {
            let sealed = if row.sealed { ", sealed" } else { "" };
            let snapshot = row.snapshot.map_or_else(String::new, |pointer| {
                format!(
                    ", snapshot {:016x} before {}",
                    pointer.number, pointer.position
                )
            });
            format!("holds {} to {}{sealed}{snapshot}", row.start, row.end)
        }
        Change::Files(rows) if rows.is_empty() => "no older file is needed".to_owned(),
        Change::Files(rows) => {
            let files: Vec<String> = rows
                .iter()
                .map(|row| format!("{} to {}", row.tail.file, row.tail.end))
                .collect();
            format!("older files needed: {}", files.join(", "))
        }
        Change::Chunks(rows) => {
            let chunks: Vec<String> = rows.iter().map(|row| row.number.to_string()).collect();
            format!("entries stand in chunks {}", chunks.join(", "))
        }
    }
}
