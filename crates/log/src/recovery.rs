//! Recovery: from what stands on the disk to the table of partitions.
//!
//! What must hold: the state that comes out is the effect of a gap-free prefix of the frames, and it
//! has every frame that was synced. What cannot be explained by a power cut refuses the start, with the
//! file, the offset and what is wrong; only whoever starts may decide to go on without what is lost.
//!
//! The superblock names the newest file; its first frame is a checkpoint, which gives each partition
//! and the exact end of each older file. So the changes in older files need no replay, only the places
//! of their entries are collected; the changes behind the checkpoint are applied.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Weak;

use thiserror::Error;

use crate::ahead::is_ahead;
use crate::chunk::{ChunkRow, DIRECTORY as DIRECTORY_OF_CHUNKS, chunk_number, chunk_path};
use crate::chunk_file::read_extents;
use crate::disk::{Disk, UNFINISHED, join, read_whole};
use crate::frame::{
    BLOCK_BYTES, BadFrame, Chain, FRAME_HEADER_BYTES, FileHeader, FileTail, FrameHeader, FrameKind,
};
use crate::frame::{DIRECTORY, file_path};
use crate::place::{FramePlace, Home};
use crate::run::{Change, FileRow, runs};
use crate::snapshot_file;
use crate::superblock::{SUPERBLOCK, Superblock};
use crate::table::Table;
use crate::tail::{Tail, frame_at, holds_commands, judge, next_valid};

/// Why the log could not be opened. Nothing has been changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LocalError {
    /// The disk failed.
    #[error("{path} could not be read or written: {detail}")]
    Disk {
        /// The file or directory.
        path: String,
        /// What the system said.
        detail: String,
    },
    /// A newer program wrote it.
    #[error("{path} has layout {layout}, which this version does not know: start a newer one")]
    Newer {
        /// The file.
        path: String,
        /// Its layout.
        layout: u32,
    },
    /// What was written is not there any more.
    #[error(
        "{path} is damaged at offset {offset}: {detail}; restore it from a copy, or start with \
         --accept-data-loss to go on without what is lost"
    )]
    Damaged {
        /// The file.
        path: String,
        /// Offset of what does not validate.
        offset: u64,
        /// What is wrong.
        detail: String,
    },
    /// Something that is needed is not there.
    #[error(
        "{path} is missing: {detail}; restore it from a copy, or start with --accept-data-loss to \
         go on without what is lost"
    )]
    Missing {
        /// The file.
        path: String,
        /// What it is needed for.
        detail: String,
    },
}

/// What recovery found.
#[derive(Debug)]
pub struct Recovered {
    /// The partitions.
    pub table: Table,
    /// The files, oldest first; the last has been the newest until now.
    pub files: Vec<FileRow>,
    /// Sequence number of the next frame.
    pub next_lsn: u64,
    /// Number of the next file; no file ever had it.
    pub next_file: u64,
    /// The chunks that something needs.
    pub chunks: Vec<ChunkRow>,
    /// Number of the next chunk; no file has it.
    pub next_chunk: u64,
    /// Number of the next snapshot file; no file has it.
    pub next_snapshot: u64,
    /// Files that nothing needs.
    pub leftovers: Vec<String>,
}

/// Recovers what stands on `disk`, where `wal` and `snap` exist. With `accept_data_loss`, what is
/// damaged or missing is left out, with a warning for each.
pub fn recover(disk: &dyn Disk, accept_data_loss: bool) -> Result<Recovered, LocalError> {
    let mut recovery = Recovery {
        disk,
        accept_data_loss,
        table: Table::default(),
        files: BTreeMap::new(),
        chunks: BTreeMap::new(),
        leftovers: Vec::new(),
        next_lsn: 1,
    };
    let present = recovery.list_files()?;
    let newest = recovery.newest(&present)?;
    if let Some(newest) = newest {
        recovery.replay(&present, newest)?;
    }
    recovery.check_gaps()?;
    let next_snapshot = recovery.check_snapshots()?;
    let next_chunk = recovery.check_chunks()?;
    Ok(Recovered {
        table: recovery.table,
        files: recovery.files.into_values().collect(),
        next_lsn: recovery.next_lsn,
        next_file: present.last().map_or(1, |newest| newest + 1),
        chunks: recovery.chunks.into_values().collect(),
        next_chunk,
        next_snapshot,
        leftovers: recovery.leftovers,
    })
}

struct Recovery<'a> {
    disk: &'a dyn Disk,
    accept_data_loss: bool,
    table: Table,
    files: BTreeMap<u64, FileRow>,
    chunks: BTreeMap<u64, ChunkRow>,
    leftovers: Vec<String>,
    next_lsn: u64,
}

/// A file that has been read.
struct OpenedFile {
    number: u64,
    bytes: Vec<u8>,
    header: FileHeader,
    chain: Chain,
}

impl Recovery<'_> {
    fn list_files(&mut self) -> Result<BTreeSet<u64>, LocalError> {
        let names = self
            .disk
            .list(DIRECTORY)
            .map_err(|error| failure(DIRECTORY, error))?;
        let mut present = BTreeSet::new();
        for name in names {
            let path = join(DIRECTORY, &name);
            if is_ahead(&path) {
                self.leftovers.push(path);
            }
            let number = name.strip_suffix(".wal");
            if let Some(number) = number.and_then(|number| u64::from_str_radix(number, 16).ok()) {
                present.insert(number);
            }
        }
        Ok(present)
    }

    /// The newest file that can hold changes: the one the superblock names.
    fn newest(&mut self, present: &BTreeSet<u64>) -> Result<Option<u64>, LocalError> {
        let read = Superblock::read(self.disk).map_err(|error| failure(SUPERBLOCK, error))?;
        let superblock = match read {
            Some(Ok(superblock)) => superblock,
            Some(Err(BadFrame::Layout(layout))) => {
                return Err(LocalError::Newer {
                    path: SUPERBLOCK.to_owned(),
                    layout,
                });
            }
            Some(Err(bad)) => {
                self.lose(damage(SUPERBLOCK, 0, bad.to_string()))?;
                return Ok(self.newest_usable(present));
            }
            None if !self.any_in_use(present)? => {
                self.leftovers
                    .extend(present.iter().map(|file| file_path(*file)));
                return Ok(None);
            }
            None => {
                let detail = "it names the newest file of the log".to_owned();
                self.lose(LocalError::Missing {
                    path: SUPERBLOCK.to_owned(),
                    detail,
                })?;
                return Ok(self.newest_usable(present));
            }
        };
        // They were begun, and no change was written to them.
        let newer = present.range(superblock.newest + 1..);
        self.leftovers.extend(newer.map(|file| file_path(*file)));
        match self.open_newest(superblock.newest) {
            Ok(opened) if opened.header.salt == superblock.salt => Ok(Some(superblock.newest)),
            Ok(_) => {
                let detail = "its salt is not the one in SUPER".to_owned();
                self.lose(damage(&file_path(superblock.newest), 0, detail))?;
                Ok(self.newest_usable(present))
            }
            Err(error) => {
                self.lose(error)?;
                Ok(self.newest_usable(present))
            }
        }
    }

    /// Whether any file holds a change. Without a superblock none should: a first start was cut short.
    fn any_in_use(&self, present: &BTreeSet<u64>) -> Result<bool, LocalError> {
        for file in present {
            let path = file_path(*file);
            let bytes = read_whole(self.disk, &path).map_err(|error| failure(&path, error))?;
            if holds_commands(&bytes) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The newest file that begins as a file must, whatever the superblock says.
    fn newest_usable(&self, present: &BTreeSet<u64>) -> Option<u64> {
        present
            .iter()
            .rev()
            .copied()
            .find(|file| self.open_newest(*file).is_ok())
    }

    /// Opens `file` and validates its checkpoint.
    fn open_newest(&self, file: u64) -> Result<OpenedFile, LocalError> {
        let opened = self.open(file)?;
        match frame_at(&opened.bytes, BLOCK_BYTES, &opened.chain) {
            Ok(header) if header.kind == FrameKind::Checkpoint => Ok(opened),
            Ok(_) => Err(opened.damage(BLOCK_BYTES, "its first frame is no checkpoint")),
            Err(bad) => Err(opened.damage(BLOCK_BYTES, &bad.to_string())),
        }
    }

    fn open(&self, number: u64) -> Result<OpenedFile, LocalError> {
        let path = file_path(number);
        let bytes = match read_whole(self.disk, &path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let detail = "the log goes through it".to_owned();
                return Err(LocalError::Missing { path, detail });
            }
            Err(error) => return Err(failure(&path, error)),
        };
        let (header, checksum) = match FileHeader::decode(&bytes) {
            Ok(decoded) => decoded,
            Err(BadFrame::Layout(layout)) => return Err(LocalError::Newer { path, layout }),
            Err(bad) => return Err(damage(&path, 0, format!("file header: {bad}"))),
        };
        if header.file != number {
            let detail = format!("it is file {} by its header", header.file);
            return Err(damage(&path, 16, detail));
        }
        let chain = header.chain(checksum);
        Ok(OpenedFile {
            number,
            bytes,
            header,
            chain,
        })
    }

    fn replay(&mut self, present: &BTreeSet<u64>, newest: u64) -> Result<(), LocalError> {
        let opened = self.open_newest(newest)?;
        let checkpoint = frame_at(&opened.bytes, BLOCK_BYTES, &opened.chain)
            .map_err(|bad| opened.damage(BLOCK_BYTES, &bad.to_string()))?;
        let files = self.load_checkpoint(&opened, &checkpoint)?;
        let needed: BTreeSet<u64> = files.iter().map(|row| row.tail.file).collect();
        let unneeded = present
            .range(..newest)
            .filter(|file| !needed.contains(file));
        self.leftovers.extend(unneeded.map(|file| file_path(*file)));
        for row in files {
            self.locate(present, &row)?;
        }
        self.replay_newest(&opened, &checkpoint)
    }

    /// Enters the partitions of the checkpoint; gives the older files.
    fn load_checkpoint(
        &mut self,
        opened: &OpenedFile,
        header: &FrameHeader,
    ) -> Result<Vec<FileRow>, LocalError> {
        let (place, payload) = opened.payload(BLOCK_BYTES, header);
        let mut files = Vec::new();
        for run in runs(payload) {
            let (partition, change) =
                run.map_err(|bad| opened.damage(BLOCK_BYTES, &bad.to_string()))?;
            match &change {
                Change::Files(rows) => files.clone_from(rows),
                Change::Chunks(rows) => self.adopt_chunks(rows)?,
                _ => {}
            }
            self.table
                .apply(partition, change, &place)
                .map_err(|misfit| opened.damage(BLOCK_BYTES, &misfit.detail))?;
        }
        Ok(files)
    }

    /// Collects where the entries lie in an older file, which must be whole up to its known end.
    fn locate(&mut self, present: &BTreeSet<u64>, row: &FileRow) -> Result<(), LocalError> {
        let number = row.tail.file;
        if !present.contains(&number) {
            // Removed because nothing in it was needed, or lost: the gaps will tell.
            return Ok(());
        }
        let opened = match self.open(number) {
            Ok(opened) if opened.header.salt == row.salt => opened,
            Ok(opened) => return self.lose(opened.damage(24, "it is not the file it was")),
            Err(error) => return self.lose(error),
        };
        let end = usize::try_from(row.tail.end).unwrap_or(usize::MAX);
        let mut offset = BLOCK_BYTES;
        let mut chain = opened.chain;
        while offset < end {
            match frame_at(&opened.bytes, offset, &chain) {
                Ok(header) => {
                    self.locate_frame(&opened, offset, &header)?;
                    offset += header.frame_bytes as usize;
                    chain = header.next();
                }
                Err(bad) => {
                    self.lose(opened.damage(offset, &bad.to_string()))?;
                    let Some((later, header)) = next_valid(&opened.bytes, offset, &chain) else {
                        break;
                    };
                    offset = later;
                    chain = Chain {
                        salt: header.salt,
                        lsn: header.lsn,
                        checksum: header.previous_checksum,
                    };
                }
            }
        }
        if offset != end || chain.checksum != row.tail.checksum {
            self.lose(opened.damage(offset, "its frames do not end where they did"))?;
        }
        self.files.insert(number, *row);
        Ok(())
    }

    fn locate_frame(
        &mut self,
        opened: &OpenedFile,
        offset: usize,
        header: &FrameHeader,
    ) -> Result<(), LocalError> {
        let (place, payload) = opened.payload(offset, header);
        for run in runs(payload) {
            let (partition, change) = run.map_err(|bad| opened.damage(offset, &bad.to_string()))?;
            if let Change::Entries(run) = change {
                self.table.locate(partition, &run, &place);
            }
        }
        Ok(())
    }

    /// Applies the frames behind the checkpoint, and judges how they end.
    fn replay_newest(
        &mut self,
        opened: &OpenedFile,
        checkpoint: &FrameHeader,
    ) -> Result<(), LocalError> {
        let mut offset = BLOCK_BYTES + checkpoint.frame_bytes as usize;
        let mut chain = checkpoint.next();
        let mut is_behind_loss = false;
        loop {
            if let Ok(header) = frame_at(&opened.bytes, offset, &chain) {
                self.apply_frame(opened, offset, &header, is_behind_loss)?;
                offset += header.frame_bytes as usize;
                chain = header.next();
                continue;
            }
            match judge(&opened.bytes, offset, &chain, opened.header.unsynced) {
                Tail::Clean => break,
                Tail::Torn => {
                    let path = file_path(opened.number);
                    tracing::info!(path, offset, "dropped a write that was cut short");
                    break;
                }
                Tail::Damaged(detail) => self.lose(opened.damage(offset, &detail))?,
            }
            let Some((later, header)) = next_valid(&opened.bytes, offset, &chain) else {
                break;
            };
            is_behind_loss = true;
            offset = later;
            chain = Chain {
                salt: header.salt,
                lsn: header.lsn,
                checksum: header.previous_checksum,
            };
        }
        self.next_lsn = chain.lsn;
        let tail = FileTail {
            file: opened.number,
            end: offset as u64,
            checksum: chain.checksum,
        };
        self.files.insert(
            opened.number,
            FileRow {
                salt: opened.header.salt,
                tail,
            },
        );
        Ok(())
    }

    fn apply_frame(
        &mut self,
        opened: &OpenedFile,
        offset: usize,
        header: &FrameHeader,
        is_behind_loss: bool,
    ) -> Result<(), LocalError> {
        let (place, payload) = opened.payload(offset, header);
        for run in runs(payload) {
            let (partition, change) = run.map_err(|bad| opened.damage(offset, &bad.to_string()))?;
            if let Change::Chunks(rows) = &change {
                self.adopt_chunks(rows)?;
            }
            if let (true, Change::Entries(run)) = (is_behind_loss, &change) {
                self.table.apply_behind_loss(partition, run, &place);
                continue;
            }
            if let Err(misfit) = self.table.apply(partition, change, &place) {
                self.lose(opened.damage(offset, &misfit.detail))?;
            }
        }
        Ok(())
    }

    /// Enters what `rows` hold, in place of where these entries lay before.
    fn adopt_chunks(&mut self, rows: &[ChunkRow]) -> Result<(), LocalError> {
        for row in rows {
            let path = chunk_path(row.number);
            let opened = self.disk.open(&path);
            let extents = match opened.and_then(|file| read_extents(&*file, row)) {
                Ok(extents) => extents,
                // Removed because nothing in it was needed, or lost: the gaps will tell.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => {
                    self.lose(chunk_failure(&path, error))?;
                    continue;
                }
            };
            for extent in &extents {
                if let Err(misfit) = self.table.adopt(row.number, extent) {
                    self.lose(damage(&path, 0, misfit.detail))?;
                }
            }
            self.chunks.insert(row.number, *row);
        }
        Ok(())
    }

    /// Leaves out the chunks that nothing needs; gives a number for the next that no file has.
    fn check_chunks(&mut self) -> Result<u64, LocalError> {
        let table = &self.table;
        self.chunks
            .retain(|number, _| !table.is_unused(Home::Chunk(*number)));
        let names = match self.disk.list(DIRECTORY_OF_CHUNKS) {
            // Written by a version that had none, and only looked at.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            listed => listed.map_err(|error| failure(DIRECTORY_OF_CHUNKS, error))?,
        };
        let mut next = 1;
        for number in names.iter().filter_map(|name| chunk_number(name)) {
            next = next.max(number + 1);
            if !self.chunks.contains_key(&number) {
                self.leftovers.push(chunk_path(number));
            }
        }
        Ok(next)
    }

    fn check_gaps(&mut self) -> Result<(), LocalError> {
        let Some((partition, lost)) = self.table.first_gap() else {
            return Ok(());
        };
        let detail = format!(
            "the entries of {partition:?} from {} to {} are in no file",
            lost.start, lost.end
        );
        self.lose(LocalError::Missing {
            path: DIRECTORY.to_owned(),
            detail,
        })?;
        self.table.skip_gaps();
        Ok(())
    }

    /// Validates the snapshots that are named; gives a number for the next that no file has.
    fn check_snapshots(&mut self) -> Result<u64, LocalError> {
        let directory = snapshot_file::DIRECTORY;
        let names = self
            .disk
            .list(directory)
            .map_err(|error| failure(directory, error))?;
        let named: Vec<_> = self
            .table
            .partitions()
            .filter_map(|(partition, kept)| Some((partition, kept.row.snapshot?)))
            .collect();
        for (partition, pointer) in &named {
            if let Err(error) = snapshot_file::read(self.disk, *partition, pointer) {
                let path = join(directory, &snapshot_file::file_name(pointer.number));
                self.lose(snapshot_failure(path, error))?;
                self.table.lose_snapshot(*partition);
            }
        }
        // Those that replay found replaced are leftovers like any other; a number is not given twice,
        // or the removal of one would hit the other.
        let replaced = self.table.take_unused_snapshots();
        let numbers = named
            .iter()
            .map(|(_, pointer)| pointer.number)
            .chain(replaced);
        let mut next = numbers.max().map_or(1, |newest| newest + 1);
        for name in names {
            let number = snapshot_file::file_number(&name);
            next = next.max(number.map_or(0, |number| number + 1));
            let is_named =
                number.is_some_and(|number| named.iter().any(|(_, named)| named.number == number));
            let is_ours = number.is_some() || name.ends_with(UNFINISHED);
            if is_ours && !is_named {
                self.leftovers.push(join(directory, &name));
            }
        }
        Ok(next)
    }

    /// Goes on behind a loss when that was allowed, and else refuses the start.
    fn lose(&self, error: LocalError) -> Result<(), LocalError> {
        match error {
            LocalError::Damaged { .. } | LocalError::Missing { .. } if self.accept_data_loss => {
                tracing::warn!(%error, "data is lost");
                Ok(())
            }
            LocalError::Disk { .. }
            | LocalError::Newer { .. }
            | LocalError::Damaged { .. }
            | LocalError::Missing { .. } => Err(error),
        }
    }
}

impl OpenedFile {
    fn damage(&self, offset: usize, detail: &str) -> LocalError {
        damage(&file_path(self.number), offset as u64, detail.to_owned())
    }

    /// The place and the payload of the frame at `offset`.
    fn payload(&self, offset: usize, header: &FrameHeader) -> (FramePlace, &[u8]) {
        let place = FramePlace {
            lsn: header.lsn,
            file: self.number,
            payload_offset: (offset + FRAME_HEADER_BYTES) as u64,
            cached: Weak::new(),
        };
        let range = header.payload();
        (place, &self.bytes[offset + range.start..offset + range.end])
    }
}

fn failure(path: &str, error: io::Error) -> LocalError {
    LocalError::Disk {
        path: path.to_owned(),
        detail: error.to_string(),
    }
}

fn damage(path: &str, offset: u64, detail: String) -> LocalError {
    LocalError::Damaged {
        path: path.to_owned(),
        offset,
        detail,
    }
}

fn chunk_failure(path: &str, error: io::Error) -> LocalError {
    match error.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
            damage(path, 0, error.to_string())
        }
        _ => failure(path, error),
    }
}

fn snapshot_failure(path: String, error: io::Error) -> LocalError {
    match error.kind() {
        io::ErrorKind::NotFound => LocalError::Missing {
            path,
            detail: "it is the newest snapshot".to_owned(),
        },
        io::ErrorKind::InvalidData => damage(&path, 0, error.to_string()),
        _ => failure(&path, error),
    }
}
