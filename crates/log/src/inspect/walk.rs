//! Going through every file of a log, past what is damaged, telling what is met.
//!
//! What must hold: each frame, run and entry is decoded and judged by the log's own code; what is
//! damaged is told with its place and the walk goes on behind it, so that one walk finds all of it.
//! Files that a start would leave out (begun and never used, or not needed any more) are left out here.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::ControlFlow;

use crate::chunk::ChunkRow;
use crate::disk::{Disk, read_whole};
use crate::frame::{
    BLOCK_BYTES, BadFrame, Chain, FRAME_HEADER_BYTES, FileHeader, FileTail, FrameHeader, FrameKind,
};
use crate::frame::{DIRECTORY, file_path};
use crate::partition_id::PartitionId;
use crate::recovery::LocalError;
use crate::run::{
    Change, EntriesRun, FileRow, SnapshotPointer, check_entry, rows, rows_bytes, runs,
};
use crate::superblock::{SUPERBLOCK, Superblock};
use crate::tail::{Tail, frame_at, holds_commands, judge, next_valid};

use super::chunks::walk_chunks;
use super::finding::{Damage, PartitionName, Torn};
use super::met::{Met, Stop};

/// What only the end of a walk knows: the partitions, each with its newest snapshot.
pub type Partitions = BTreeMap<PartitionId, Option<SnapshotPointer>>;

/// Walks through the log on `disk`.
pub fn walk(
    disk: &dyn Disk,
    tell: &mut dyn FnMut(Met<'_>) -> ControlFlow<()>,
) -> Result<Partitions, Stop> {
    let mut walk = Walk {
        disk,
        tell,
        partitions: Partitions::new(),
        tails: BTreeMap::new(),
        chunks: BTreeMap::new(),
    };
    walk.log()?;
    walk_chunks(
        &|path| disk.open(path),
        walk.chunks.into_values(),
        walk.tell,
    )?;
    Ok(walk.partitions)
}

struct Walk<'a> {
    disk: &'a dyn Disk,
    tell: &'a mut dyn FnMut(Met<'_>) -> ControlFlow<()>,
    partitions: Partitions,
    /// How the files that have been walked ended.
    tails: BTreeMap<u64, FileTail>,
    /// The chunks that the newest file names.
    chunks: BTreeMap<u64, ChunkRow>,
}

struct Opened {
    path: String,
    number: u64,
    bytes: Vec<u8>,
    header: FileHeader,
    chain: Chain,
}

/// Where the frames of a file end.
#[derive(Clone, Copy, Debug)]
enum End {
    /// Where a later checkpoint says.
    Known(FileTail),
    /// Where no frame follows: of the newest file, and of any when no checkpoint can be read.
    Judged,
}

/// How it goes on at a place where the frame that should be there is not.
enum Onward {
    End,
    Frame(usize, Chain),
}

impl Walk<'_> {
    fn log(&mut self) -> Result<(), Stop> {
        let present = self.present()?;
        let Some(newest) = self.newest(&present)? else {
            return Ok(());
        };
        let known = self.known_ends(newest)?;
        for number in present.range(..=newest) {
            let row = known.as_ref().and_then(|rows| rows.get(number));
            let end = match (row, &known) {
                (Some(row), _) => End::Known(row.tail),
                // Nothing in it is needed any more.
                (None, Some(_)) if *number != newest => continue,
                (None, _) => End::Judged,
            };
            let Some(opened) = self.open(*number)? else {
                continue;
            };
            if let Some(row) = row.filter(|row| row.salt != opened.header.salt) {
                let what = format!(
                    "it is not the file it was: its salt is not {:016x}",
                    row.salt
                );
                self.damage(&opened.path, 24, what)?;
                continue;
            }
            self.file(&opened, end, newest)?;
        }
        Ok(())
    }

    fn present(&self) -> Result<BTreeSet<u64>, Stop> {
        let names = self.disk.list(DIRECTORY);
        let names = names.map_err(|error| failure(DIRECTORY, &error))?;
        let number = |name: &String| u64::from_str_radix(name.strip_suffix(".wal")?, 16).ok();
        Ok(names.iter().filter_map(number).collect())
    }

    /// The newest file that can hold changes; none when no file does.
    fn newest(&mut self, present: &BTreeSet<u64>) -> Result<Option<u64>, Stop> {
        let read = Superblock::read(self.disk).map_err(|error| failure(SUPERBLOCK, &error))?;
        match read {
            Some(Ok(superblock)) => {
                self.check_named(present, &superblock)?;
                return Ok(Some(superblock.newest));
            }
            Some(Err(BadFrame::Layout(layout))) => return Err(newer(SUPERBLOCK, layout)),
            Some(Err(bad)) => self.damage(SUPERBLOCK, 0, bad.to_string())?,
            None if !self.any_in_use(present)? => return Ok(None),
            None => {
                let what = "it is missing, and names the newest file of the log".to_owned();
                self.damage(SUPERBLOCK, 0, what)?;
            }
        }
        Ok(present.last().copied())
    }

    fn check_named(
        &mut self,
        present: &BTreeSet<u64>,
        superblock: &Superblock,
    ) -> Result<(), Stop> {
        let path = file_path(superblock.newest);
        if !present.contains(&superblock.newest) {
            let what = "it is missing, and SUPER names it as the newest of the log".to_owned();
            return self.damage(&path, 0, what);
        }
        let bytes = read_whole(self.disk, &path).map_err(|error| failure(&path, &error))?;
        match FileHeader::decode(&bytes) {
            Ok((header, _)) if header.salt != superblock.salt => {
                self.damage(&path, 24, "its salt is not the one in SUPER".to_owned())
            }
            // What does not decode is told when it is walked.
            Ok(_) | Err(_) => Ok(()),
        }
    }

    fn any_in_use(&self, present: &BTreeSet<u64>) -> Result<bool, Stop> {
        for number in present {
            let path = file_path(*number);
            let bytes = read_whole(self.disk, &path).map_err(|error| failure(&path, &error))?;
            if holds_commands(&bytes) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Where the files before `newest` end, as its checkpoint says; none when that cannot be read.
    fn known_ends(&self, newest: u64) -> Result<Option<BTreeMap<u64, FileRow>>, Stop> {
        let path = file_path(newest);
        let bytes = match read_whole(self.disk, &path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failure(&path, &error)),
        };
        let Ok((header, checksum)) = FileHeader::decode(&bytes) else {
            return Ok(None);
        };
        let Ok(frame) = frame_at(&bytes, BLOCK_BYTES, &header.chain(checksum)) else {
            return Ok(None);
        };
        let payload = frame.payload();
        let payload = &bytes[BLOCK_BYTES + payload.start..BLOCK_BYTES + payload.end];
        let files = runs(payload).find_map(|run| match run {
            Ok((_, Change::Files(rows))) => Some(rows),
            _ => None,
        });
        Ok(files.map(|rows| rows.into_iter().map(|row| (row.tail.file, row)).collect()))
    }

    /// The file, when its header can be believed.
    fn open(&mut self, number: u64) -> Result<Option<Opened>, Stop> {
        let path = file_path(number);
        let bytes = read_whole(self.disk, &path).map_err(|error| failure(&path, &error))?;
        let (header, checksum) = match FileHeader::decode(&bytes) {
            Ok(decoded) => decoded,
            Err(BadFrame::Layout(layout)) => return Err(newer(&path, layout)),
            Err(bad) => {
                self.damage(&path, 0, format!("file header: {bad}"))?;
                return Ok(None);
            }
        };
        if header.file != number {
            let what = format!("it is file {} by its header", header.file);
            self.damage(&path, 16, what)?;
            return Ok(None);
        }
        let chain = header.chain(checksum);
        Ok(Some(Opened {
            path,
            number,
            bytes,
            header,
            chain,
        }))
    }

    fn file(&mut self, opened: &Opened, end: End, newest: u64) -> Result<(), Stop> {
        self.tell(Met::File {
            path: &opened.path,
            header: &opened.header,
            bytes: opened.bytes.len() as u64,
        })?;
        let before = opened.header.previous;
        let walked = before.and_then(|before| self.tails.get(&before.file).copied());
        if let (Some(before), Some(walked)) = (before, walked)
            && before != walked
        {
            let what = format!("file {} does not end where this header says", before.file);
            self.damage(&opened.path, 48, what)?;
        }
        let is_newest = opened.number == newest;
        if let Some(tail) = self.frames(opened, end, is_newest)? {
            self.tails.insert(opened.number, tail);
        }
        Ok(())
    }

    /// Walks through the frames; gives how they end when none of them is damaged.
    fn frames(
        &mut self,
        opened: &Opened,
        end: End,
        is_newest: bool,
    ) -> Result<Option<FileTail>, Stop> {
        let known_end = match end {
            End::Known(tail) => usize::try_from(tail.end).unwrap_or(usize::MAX),
            End::Judged => usize::MAX,
        };
        let (mut offset, mut chain) = (BLOCK_BYTES, opened.chain);
        let mut is_damaged = false;
        while offset < known_end {
            match frame_at(&opened.bytes, offset, &chain) {
                Ok(header) => {
                    self.frame(opened, offset, &header, is_newest)?;
                    offset += header.frame_bytes as usize;
                    chain = header.next();
                }
                Err(bad) => match self.missing_frame(opened, offset, &chain, end, &bad)? {
                    None => break,
                    Some(Onward::End) => return Ok(None),
                    Some(Onward::Frame(later, next)) => {
                        is_damaged = true;
                        (offset, chain) = (later, next);
                    }
                },
            }
        }
        let tail = FileTail {
            file: opened.number,
            end: offset as u64,
            checksum: chain.checksum,
        };
        if let End::Known(known) = end
            && !is_damaged
            && tail != known
        {
            let what = "its frames do not end where the newest checkpoint says".to_owned();
            self.damage(&opened.path, offset as u64, what)?;
        }
        Ok((!is_damaged).then_some(tail))
    }

    /// Tells why the frame that `chain` asks for is not there; none when the log ends here.
    fn missing_frame(
        &mut self,
        opened: &Opened,
        offset: usize,
        chain: &Chain,
        end: End,
        bad: &BadFrame,
    ) -> Result<Option<Onward>, Stop> {
        let what = match end {
            // A file is used only when its checkpoint is durable.
            End::Judged if offset > BLOCK_BYTES => {
                match judge(&opened.bytes, offset, chain, opened.header.unsynced) {
                    Tail::Clean => return Ok(None),
                    Tail::Torn => {
                        self.tell(Met::Torn(Torn {
                            file: opened.path.clone(),
                            offset: offset as u64,
                            bytes: (opened.bytes.len() - offset) as u64,
                        }))?;
                        return Ok(None);
                    }
                    Tail::Damaged(detail) => detail,
                }
            }
            End::Known(_) | End::Judged => bad.to_string(),
        };
        self.damage(
            &opened.path,
            offset as u64,
            format!("frame {}: {what}", chain.lsn),
        )?;
        let rest = opened.bytes.get(offset..).unwrap_or_default();
        let in_place = FrameHeader::decode(rest)
            .ok()
            .filter(|header| header.check_place(chain).is_ok())
            .filter(|header| rest.len() >= header.frame_bytes as usize);
        if let Some(header) = in_place {
            // Its header is what was written: what is damaged is some of its content.
            self.tell(Met::Frame {
                offset: offset as u64,
                header: &header,
            })?;
            self.damaged_runs(opened, offset, &header)?;
            let next = offset + header.frame_bytes as usize;
            return Ok(Some(Onward::Frame(next, header.next())));
        }
        Ok(Some(match next_valid(&opened.bytes, offset, chain) {
            None => Onward::End,
            Some((later, header)) => {
                let chain = Chain {
                    salt: header.salt,
                    lsn: header.lsn,
                    checksum: header.previous_checksum,
                };
                Onward::Frame(later, chain)
            }
        }))
    }

    fn frame(
        &mut self,
        opened: &Opened,
        offset: usize,
        header: &FrameHeader,
        is_newest: bool,
    ) -> Result<(), Stop> {
        self.tell(Met::Frame {
            offset: offset as u64,
            header,
        })?;
        let is_first = offset == BLOCK_BYTES;
        if is_first != (header.kind == FrameKind::Checkpoint) {
            let what = format!(
                "frame {}: a checkpoint is the first frame of a file, and no other",
                header.lsn
            );
            self.damage(&opened.path, offset as u64, what)?;
        }
        let mut count = 0;
        for run in runs(payload_at(opened, offset, header)) {
            let (partition, change) = match run {
                Ok(run) => run,
                Err(bad) => {
                    let what = format!("frame {}: {bad}", header.lsn);
                    return self.damage(&opened.path, offset as u64, what);
                }
            };
            count += 1;
            if is_newest {
                self.note(partition, &change);
            }
            self.change(opened, offset, header, partition, &change)?;
        }
        if count != header.runs {
            let what = format!(
                "frame {}: it says {} runs and has {count}",
                header.lsn, header.runs
            );
            self.damage(&opened.path, offset as u64, what)?;
        }
        Ok(())
    }

    /// Tells what of a damaged frame can be made out.
    fn damaged_runs(
        &mut self,
        opened: &Opened,
        offset: usize,
        header: &FrameHeader,
    ) -> Result<(), Stop> {
        for run in runs(payload_at(opened, offset, header)) {
            // That the frame is damaged has been told.
            let Ok((partition, change)) = run else {
                return Ok(());
            };
            if let Change::Entries(_) = change {
                self.change(opened, offset, header, partition, &change)?;
            }
        }
        Ok(())
    }

    fn change(
        &mut self,
        opened: &Opened,
        offset: usize,
        header: &FrameHeader,
        partition: PartitionId,
        change: &Change,
    ) -> Result<(), Stop> {
        match change {
            Change::Entries(run) => {
                let payload = payload_at(opened, offset, header);
                let place = (offset + FRAME_HEADER_BYTES + run.body.start) as u64;
                self.entries(
                    &opened.path,
                    place,
                    partition,
                    run,
                    &payload[run.body.clone()],
                )
            }
            Change::Snapshot(_)
            | Change::Trim(_)
            | Change::Seal(_)
            | Change::Delete
            | Change::Partition(_)
            | Change::Files(_)
            | Change::Chunks(_) => self.tell(Met::Change { partition, change }),
        }
    }

    /// Tells each entry of a run, whose `body` begins at `place` of the file.
    fn entries(
        &mut self,
        path: &str,
        place: u64,
        partition: PartitionId,
        run: &EntriesRun,
        body: &[u8],
    ) -> Result<(), Stop> {
        let head = &body[..rows_bytes(run.count)];
        for (row, position) in rows(head, run.count).zip(run.first..) {
            let end = row.payload_offset + row.payload_bytes;
            let payload = body.get(row.payload_offset..end);
            let checked = payload.map_or(Err(BadFrame::Bounds("payload")), |payload| {
                check_entry(&row, partition, position, payload)
            });
            if let Err(bad) = &checked {
                let what = format!("entry {position} of {}: {bad}", PartitionName(partition));
                self.damage(path, place + row.payload_offset as u64, what)?;
            }
            self.tell(Met::Entry {
                partition,
                position,
                row,
                payload,
                is_whole: checked.is_ok(),
            })?;
        }
        Ok(())
    }

    /// Notes which partitions and snapshots there are, as the newest file says.
    fn note(&mut self, partition: PartitionId, change: &Change) {
        match change {
            Change::Snapshot(pointer) => {
                self.partitions.insert(partition, Some(*pointer));
            }
            Change::Partition(row) => {
                self.partitions.insert(partition, row.snapshot);
            }
            Change::Delete => {
                self.partitions.remove(&partition);
            }
            Change::Entries(_) | Change::Seal(_) => {
                self.partitions.entry(partition).or_default();
            }
            Change::Chunks(rows) => {
                self.chunks
                    .extend(rows.iter().map(|row| (row.number, *row)));
            }
            Change::Trim(_) | Change::Files(_) => {}
        }
    }

    fn damage(&mut self, file: &str, offset: u64, what: String) -> Result<(), Stop> {
        let file = file.to_owned();
        self.tell(Met::Damage(Damage { file, offset, what }))
    }

    fn tell(&mut self, met: Met<'_>) -> Result<(), Stop> {
        match (self.tell)(met) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Stop::Asked),
        }
    }
}

fn payload_at<'a>(opened: &'a Opened, offset: usize, header: &FrameHeader) -> &'a [u8] {
    let payload = header.payload();
    &opened.bytes[offset + payload.start..offset + payload.end]
}

fn failure(path: &str, error: &io::Error) -> Stop {
    Stop::Failed(LocalError::Disk {
        path: path.to_owned(),
        detail: error.to_string(),
    })
}

fn newer(path: &str, layout: u32) -> Stop {
    Stop::Failed(LocalError::Newer {
        path: path.to_owned(),
        layout,
    })
}
