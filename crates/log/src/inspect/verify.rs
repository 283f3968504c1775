//! Checking every checksum and chain of a data directory.
//!
//! What must hold: a directory is clean when, and only when, each of its checksums fits and a start
//! would accept it. Therefore recovery has the last word, on what the walk does not see: changes that
//! do not follow from each other, and entries that no file has.

use std::io;
use std::ops::ControlFlow;

use serde::Serialize;

use crate::blobs::name_of;
use crate::disk::{Disk, UNFINISHED, join, read_whole};
use crate::recovery::{LocalError, Recovered, recover};
use crate::snapshot_file;

use super::finding::{Damage, Torn};
use super::met::{Met, Stop};
use super::walk::{Partitions, walk};

/// The most damages that are listed; the others are counted.
pub const DAMAGE_LISTED_MAX: usize = 1000;

/// Where `blobs` keeps them.
const BLOBS: &str = "blobs";

/// Whether all is what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is; a torn tail does not count.
    Clean,
    /// It is not.
    Damaged,
}

/// How much was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Files of the write-ahead log.
    pub files: u64,
    /// Their bytes.
    pub file_bytes: u64,
    /// Chunks.
    pub chunks: u64,
    /// Their bytes.
    pub chunk_bytes: u64,
    /// Frames.
    pub frames: u64,
    /// Entries, trimmed ones too where their file is still needed.
    pub entries: u64,
    /// Bytes of their payloads.
    pub entry_bytes: u64,
    /// Partitions.
    pub partitions: u64,
    /// Snapshots that partitions name.
    pub snapshots: u64,
    /// Blobs.
    pub blobs: u64,
}

/// What a data directory was found to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether all is what was written.
    pub verdict: Verdict,
    /// How much was looked at.
    pub counts: Counts,
    /// How many damages there are.
    pub damages: u64,
    /// The first [`DAMAGE_LISTED_MAX`] of them, in the order of the files.
    pub damage: Vec<Damage>,
    /// How the log ends, when a write was cut short.
    pub torn_tail: Option<Torn>,
    /// Files that nothing needs, which the next start removes.
    pub not_needed: Vec<String>,
}

/// Checks what stands on `disk`.
pub fn verify(disk: &dyn Disk) -> Result<Report, LocalError> {
    let mut found = Found::default();
    let walked = walk(disk, &mut |met| {
        found.meet(met);
        ControlFlow::Continue(())
    });
    let partitions = match walked {
        Ok(partitions) => partitions,
        Err(Stop::Failed(error)) => return Err(error),
        Err(Stop::Asked) => Partitions::new(),
    };
    found.counts.partitions = partitions.len() as u64;
    found.check_snapshots(disk, &partitions)?;
    found.check_blobs(disk)?;
    found.check_start(disk)?;
    let verdict = match found.damages {
        0 => Verdict::Clean,
        _ => Verdict::Damaged,
    };
    Ok(Report {
        verdict,
        counts: found.counts,
        damages: found.damages,
        damage: found.damage,
        torn_tail: found.torn_tail,
        not_needed: found.not_needed,
    })
}

#[derive(Debug, Default)]
struct Found {
    counts: Counts,
    damages: u64,
    damage: Vec<Damage>,
    torn_tail: Option<Torn>,
    not_needed: Vec<String>,
}

impl Found {
    fn meet(&mut self, met: Met<'_>) {
        match met {
            Met::File { bytes, .. } => {
                self.counts.files += 1;
                self.counts.file_bytes += bytes;
            }
            Met::Chunk { row, .. } => {
                self.counts.chunks += 1;
                self.counts.chunk_bytes += row.bytes;
            }
            Met::Frame { .. } => self.counts.frames += 1,
            Met::Entry { row, .. } => {
                self.counts.entries += 1;
                self.counts.entry_bytes += row.payload_bytes as u64;
            }
            Met::Change { .. } => {}
            Met::Damage(damage) => self.add(damage),
            Met::Torn(torn) => self.torn_tail = Some(torn),
        }
    }

    fn add(&mut self, damage: Damage) {
        self.damages += 1;
        if self.damage.len() < DAMAGE_LISTED_MAX {
            self.damage.push(damage);
        }
    }

    fn check_snapshots(
        &mut self,
        disk: &dyn Disk,
        partitions: &Partitions,
    ) -> Result<(), LocalError> {
        for (partition, pointer) in partitions {
            let Some(pointer) = pointer else {
                continue;
            };
            self.counts.snapshots += 1;
            let name = snapshot_file::file_name(pointer.number);
            let file = join(snapshot_file::DIRECTORY, &name);
            let Err(error) = snapshot_file::read(disk, *partition, pointer) else {
                continue;
            };
            let what = match error.kind() {
                io::ErrorKind::NotFound => "it is missing, and is the newest snapshot".to_owned(),
                io::ErrorKind::InvalidData => error.to_string(),
                _ => return Err(unreadable(&file, &error)),
            };
            self.add(Damage {
                file,
                offset: 0,
                what,
            });
        }
        Ok(())
    }

    fn check_blobs(&mut self, disk: &dyn Disk) -> Result<(), LocalError> {
        let names = disk
            .list(BLOBS)
            .map_err(|error| unreadable(BLOBS, &error))?;
        for name in names {
            let file = join(BLOBS, &name);
            if name.ends_with(UNFINISHED) {
                // The next put of the same blob replaces it.
                self.not_needed.push(file);
                continue;
            }
            let bytes = read_whole(disk, &file).map_err(|error| unreadable(&file, &error))?;
            self.counts.blobs += 1;
            let actual = name_of(&bytes);
            if actual != name {
                let what = format!("its bytes hash to {actual}");
                self.add(Damage {
                    file,
                    offset: 0,
                    what,
                });
            }
        }
        Ok(())
    }

    /// Adds what a start would refuse and the walk did not see.
    fn check_start(&mut self, disk: &dyn Disk) -> Result<(), LocalError> {
        let (file, offset, what) = match recover(disk, false) {
            Ok(Recovered { leftovers, .. }) => {
                self.not_needed.extend(leftovers);
                return Ok(());
            }
            Err(LocalError::Damaged {
                path,
                offset,
                detail,
            }) => (path, offset, detail),
            Err(LocalError::Missing { path, detail }) => (path, 0, detail),
            Err(error @ (LocalError::Disk { .. } | LocalError::Newer { .. })) => return Err(error),
        };
        let is_told = self.damage.iter().any(|damage| damage.file == file);
        if !is_told {
            self.add(Damage { file, offset, what });
        }
        Ok(())
    }
}

fn unreadable(path: &str, error: &io::Error) -> LocalError {
    LocalError::Disk {
        path: path.to_owned(),
        detail: error.to_string(),
    }
}
