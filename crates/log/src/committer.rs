//! The committer: what makes frames and files of the log, and decides where they stand.
//!
//! What must hold: one writer ([`crate::log_writer`]) has it at a time. All that waits becomes one frame,
//! which is published, and its callers answered, only when it is written and synced. Zeros go ahead of the frames,
//! so that most frames change no size and no map of the file, and a write that was cut short still shows.
//! Only such frames, written through, are on their way beside another; all else waits until it is alone.
//! A failed write or sync ends the log: what the disk holds then is known only after a restart. A full
//! disk does not: what was begun of a frame is cut off again, and the ballast is dropped to make room for
//! what frees more.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use tidemill_model::{Clock, Entropy};

use crate::ahead::{Ahead, NEXT_FILE, Unneeded};
use crate::ballast::Ballast;
use crate::buffers::Buffers;
use crate::chunk::ChunkRow;
use crate::disk::{DiskFile, is_full, join, remove};
use crate::files::Files;
use crate::frame::{
    BLOCK_BYTES, Chain, FRAME_HEADER_BYTES, FileHeader, FileTail, FrameKind, FrameWriter,
};
use crate::frame::{DIRECTORY, file_path};
use crate::limits::FILE_RUNS_MAX;
use crate::partition_id::PartitionId;
use crate::place::{CachedFrame, FramePlace, Home};
use crate::rounds::breather;
use crate::run::{
    Command, FileRow, PlacedRun, RUN_HEADER_BYTES, put_chunks, put_command, put_entries, put_files,
    put_partition,
};
use crate::shared::{Group, Published, Shared, State};
use crate::snapshot_file;
use crate::superblock::Superblock;
use crate::table::Table;
use crate::turns::Turn;
use crate::waiting::{Waiting, answer};

/// What an acknowledgement means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// Synced: it survives a power cut.
    #[default]
    Sync,
    /// Handed to the system: it survives the end of the process, not a power cut.
    Os,
    /// In memory, and written right behind: the end of the process may lose the last moments.
    Memory,
}

/// What the committer needs of the world.
#[derive(Clone)]
pub struct World {
    /// Where the log stands, and what readers have open of it.
    pub files: Arc<Files>,
    /// Who works ahead.
    pub ahead: Arc<Ahead>,
    /// What frames are made in.
    pub buffers: Arc<Buffers>,
    /// When frames and files were written.
    pub clock: Arc<dyn Clock>,
    /// Salts.
    pub entropy: Arc<dyn Entropy>,
}

/// How the committer writes.
#[derive(Clone, Copy, Debug)]
pub struct Writing {
    /// What an acknowledgement means.
    pub durability: Durability,
    /// A file that has this many bytes is followed by another.
    pub file_bytes: u64,
    /// So much room is held for the time when the disk is full.
    pub ballast_bytes: u64,
    /// So many sealed files are sorted by a thread; none when no thread sorts.
    pub sorted_after_files: Option<usize>,
}

/// So many bytes of zeros go ahead of the frames at once. Larger makes one put wait longer; smaller
/// makes more puts wait.
const AHEAD_BYTES: u64 = 1024 * 1024;

/// A frame of more bytes finds its own room: writing zeros before it would cost more than that.
const AHEAD_FRAME_BYTES_MAX: u64 = 128 * 1024;

/// The committer and the file it writes.
pub struct Committer {
    world: World,
    writing: Writing,
    ballast: Ballast,
    /// The older files, with their ends.
    files: Vec<FileRow>,
    next_file: u64,
    current: Option<Current>,
    next_lsn: u64,
}

/// The file that is written.
#[derive(Clone)]
struct Current {
    number: u64,
    file: Arc<dyn DiskFile>,
    offset: u64,
    /// Up to here the file has its size, and zeros behind `offset`.
    zeroed: u64,
    chain: Chain,
    /// How many runs of entries it has.
    runs: u64,
    /// Whether the file behind it has been asked for.
    is_next_wanted: bool,
}

/// A frame that has its place.
pub struct Frame {
    /// The file, up to where the frame stands.
    before: Current,
    bytes: Bytes,
    payload_bytes: usize,
}

/// Why something could not be written.
#[derive(Debug)]
pub enum Failure {
    /// No room; nothing that was acknowledged is touched.
    Full(io::Error),
    /// Nobody knows what is on the disk.
    Unknown(io::Error),
}

/// A failure before the frame that it was for was whole on the disk.
fn before_frame(error: io::Error) -> Failure {
    match is_full(&error) {
        true => Failure::Full(error),
        false => Failure::Unknown(error),
    }
}

impl Committer {
    /// Behind `files`, with what comes next.
    pub fn new(
        world: World,
        writing: Writing,
        files: Vec<FileRow>,
        next_file: u64,
        next_lsn: u64,
    ) -> Committer {
        let ballast = Ballast::new(&**world.files.disk(), writing.ballast_bytes);
        Committer {
            world,
            writing,
            ballast,
            files,
            next_file,
            current: None,
            next_lsn,
        }
    }

    /// Begins the first file of this run, and holds room if there is some; whether there is.
    pub fn begin(&mut self, table: &Table, chunks: &[ChunkRow]) -> io::Result<bool> {
        let beginning = self.encode_checkpoint(table, chunks);
        self.put_to_use(beginning).map_err(Failure::error)?;
        self.remove_unused(table)?;
        Ok(self.ballast.is_held() || self.ballast.hold(&**self.world.files.disk()))
    }

    /// Whether frames can be written beside each other: each write is durable when it returns, and tells
    /// of its own failure. Of two syncs of one file, the system tells of a failure only once.
    pub fn writes_beside(&self) -> bool {
        self.is_synced() && self.current().file.is_written_through()
    }

    /// The frame of `group`, when it can be written while the one before it is; it is written over zeros,
    /// and needs nothing else of the committer.
    pub fn begin_beside(&mut self, group: &Group) -> Option<Frame> {
        let bytes: usize = group.changes.iter().map(|waiting| waiting.bytes).sum();
        let frame_bytes = (FRAME_HEADER_BYTES + bytes).next_multiple_of(BLOCK_BYTES) as u64;
        let are_entries = |waiting: &Waiting| waiting.command.is_none() && waiting.is_written();
        let current = self.current();
        let is_over_zeros = current.offset + frame_bytes <= current.zeroed;
        let is_simple = bytes > 0 && group.changes.iter().all(are_entries);
        let is_alone = group.is_full || self.is_file_full() || !self.breather(group).is_zero();
        let can_be = self.writes_beside() && is_over_zeros && is_simple && !is_alone;
        can_be.then(|| self.make_frame(&group.changes, group.turn.is_beside))
    }

    /// Goes back to before `frame`, which is not on the disk; nor is anything behind it.
    pub fn go_back(&mut self, frame: Frame) {
        self.next_lsn = frame.before.chain.lsn;
        self.current = Some(frame.before);
    }

    /// Does all that `group` asks for, with nothing else on its way. Fails when the log has.
    pub fn serve(&mut self, shared: &Shared, group: Group) -> Result<(), ()> {
        let breather = self.breather(&group);
        if !breather.is_zero() {
            tracing::debug!(?breather, "sorting cannot follow");
            shared.rest(breather);
        }
        let served = self.carry_out(shared, group.turn, group.changes);
        served.or_else(|(failure, changes)| self.settle(shared, failure, changes))?;
        if shared.is_full() && self.ballast.hold(&**self.world.files.disk()) {
            tracing::info!("there is room on the disk again");
            shared.empty();
        }
        Ok(())
    }

    /// How long `group` waits where sorting cannot follow. What the sorter has the log say waits too, and
    /// no longer.
    fn breather(&self, group: &Group) -> Duration {
        let after_files = self.writing.sorted_after_files;
        after_files.map_or(Duration::ZERO, |after| breather(group.sealed_files, after))
    }

    fn carry_out(
        &mut self,
        shared: &Shared,
        turn: Turn,
        changes: Vec<Waiting>,
    ) -> Result<(), (Failure, Vec<Waiting>)> {
        let (written, cleaning): (Vec<_>, Vec<_>) =
            changes.into_iter().partition(Waiting::is_written);
        if !written.is_empty() {
            let rolled = self.roll_if_full(shared);
            let committed = match rolled {
                Ok(()) => self.commit(shared, turn, written),
                Err(failure) => Err((failure, written)),
            };
            if let Err((failure, mut refused)) = committed {
                refused.extend(cleaning);
                return Err((failure, refused));
            }
        }
        if cleaning.is_empty() {
            return Ok(());
        }
        // Who asks for it looks at what is left as soon as it is answered.
        if let Err(failure) = self.clean(shared) {
            return Err((failure, cleaning));
        }
        answer(cleaning);
        Ok(())
    }

    /// Ends the log, unless there is no room for `group` and what was begun of it can be cut off.
    pub fn settle(
        &mut self,
        shared: &Shared,
        failure: Failure,
        group: Vec<Waiting>,
    ) -> Result<(), ()> {
        let detail = match failure {
            Failure::Unknown(error) => error.to_string(),
            Failure::Full(error) => match self.cut_off() {
                Ok(()) => {
                    tracing::error!(%error, "the disk is full: only what can free room is taken");
                    self.world.ahead.call_off();
                    self.ballast.drop_it(&**self.world.files.disk());
                    shared.fill(error.to_string(), group);
                    return Ok(());
                }
                Err(cut) => format!("{error}; and what was begun could not be cut off: {cut}"),
            },
        };
        tracing::error!(detail, "the log takes no more writes");
        shared.poison(detail, group);
        Err(())
    }

    /// Leaves nothing behind the last frame, durably.
    fn cut_off(&mut self) -> io::Result<()> {
        let Current { number, offset, .. } = *self.current();
        self.world
            .files
            .disk()
            .truncate(&file_path(number), offset)?;
        let current = self.current_mut();
        current.zeroed = offset;
        current.file.sync()
    }

    /// Writes `group` as one frame and answers it.
    fn commit(
        &mut self,
        shared: &Shared,
        turn: Turn,
        group: Vec<Waiting>,
    ) -> Result<(), (Failure, Vec<Waiting>)> {
        let has_commands = group.iter().any(|waiting| waiting.command.is_some());
        let frame = self.make_frame(&group, false);
        if self.writing.durability == Durability::Memory {
            frame.publish(shared, turn, &group);
            answer(group);
            // It has been told that it is there.
            self.write(&frame)
                .map_err(|failure| (failure.into_unknown(), Vec::new()))?;
        } else {
            if let Err(failure) = self.write(&frame) {
                self.go_back(frame);
                return Err((failure, group));
            }
            frame.publish(shared, turn, &group);
            answer(group);
        }
        if has_commands {
            self.clean(shared)
                .map_err(|failure| (failure, Vec::new()))?;
        }
        Ok(())
    }

    /// Makes the frame of `group`, which stands behind all others from now on.
    fn make_frame(&mut self, group: &[Waiting], is_beside: bool) -> Frame {
        let before = self.current().clone();
        let writer = encode(&self.world.buffers, group);
        let writer = match is_beside {
            true => writer.beside(),
            false => writer,
        };
        let (payload_bytes, runs) = (writer.payload_bytes(), writer.runs());
        let now = self.world.clock.now();
        let (bytes, next) = writer.finish(FrameKind::Commands, before.chain, now);
        let current = self.current_mut();
        current.offset += bytes.len() as u64;
        current.chain = next;
        current.runs += u64::from(runs);
        self.next_lsn = next.lsn;
        self.want_next_file();
        Frame {
            before,
            bytes,
            payload_bytes,
        }
    }

    fn write(&mut self, frame: &Frame) -> Result<(), Failure> {
        if self.is_synced() {
            self.zero_ahead(frame)?;
        }
        frame.write()?;
        if self.is_synced() && !frame.before.file.is_written_through() {
            frame.before.file.sync().map_err(Failure::Unknown)?;
        }
        Ok(())
    }

    fn is_synced(&self) -> bool {
        self.writing.durability == Durability::Sync
    }

    /// Puts zeros where `frame` and those behind it will stand, unless they stand there. Without room for
    /// them, the frame has to find its own.
    fn zero_ahead(&mut self, frame: &Frame) -> Result<(), Failure> {
        let file_bytes = self.writing.file_bytes;
        let end = frame.end();
        let finds_room = frame.bytes.len() as u64 > AHEAD_FRAME_BYTES_MAX || end > file_bytes;
        if end <= frame.before.zeroed || finds_room {
            return Ok(());
        }
        let until = (end + AHEAD_BYTES).min(file_bytes.next_multiple_of(BLOCK_BYTES as u64));
        let zeros = vec![0; (until - frame.before.offset) as usize];
        match frame.before.file.write_at(frame.before.offset, &zeros) {
            Ok(()) => {
                self.current_mut().zeroed = until;
                Ok(())
            }
            Err(error) => match before_frame(error) {
                Failure::Full(_) => Ok(()),
                failure @ Failure::Unknown(_) => Err(failure),
            },
        }
    }

    /// Asks for the next file in time: not before it is likely that there will be one.
    fn want_next_file(&mut self) {
        let file_bytes = self.writing.file_bytes;
        let is_synced = self.is_synced();
        let current = self.current_mut();
        let is_likely = current.offset >= file_bytes / 4 || current.runs >= FILE_RUNS_MAX / 4;
        if is_synced && is_likely && !current.is_next_wanted {
            current.is_next_wanted = true;
            self.world.ahead.want_next();
        }
    }

    fn is_file_full(&self) -> bool {
        let current = self.current();
        current.offset >= self.writing.file_bytes || current.runs >= FILE_RUNS_MAX
    }

    fn roll_if_full(&mut self, shared: &Shared) -> Result<(), Failure> {
        if !self.is_file_full() {
            return Ok(());
        }
        let current = self.current();
        if !self.is_synced() {
            // Only the newest file may have lost writes after a power cut.
            current.file.sync().map_err(Failure::Unknown)?;
        }
        let sealed = current.number;
        let beginning = {
            // Nothing but who has the committer, alone, changes what stands in it.
            let state = shared.lock();
            self.encode_checkpoint(&state.table, &state.chunks_in_use())
        };
        if let Err(failure) = self.put_to_use(beginning) {
            if matches!(failure, Failure::Full(_)) {
                remove(&**self.world.files.disk(), &file_path(self.next_file));
                self.next_file += 1;
            }
            return Err(failure);
        }
        shared.lock().sealed.push(sealed);
        shared.want_sorter();
        self.clean(shared)
    }

    /// The next file's header and checkpoint.
    fn encode_checkpoint(&self, table: &Table, chunks: &[ChunkRow]) -> Beginning {
        let sealed = self.current.as_ref().map(Current::row);
        let files = || self.files.iter().copied().chain(sealed);
        let now = self.world.clock.now();
        let header = FileHeader {
            file: self.next_file,
            unsynced: !self.is_synced(),
            salt: self.world.entropy.next_u64(),
            first_lsn: self.next_lsn,
            created: now,
            previous: files().last().map(|row| row.tail),
        };
        let (block, checksum) = header.encode();
        let files: Vec<FileRow> = files()
            .filter(|row| !table.is_unused(Home::Wal(row.tail.file)))
            .collect();
        let mut writer =
            FrameWriter::with_capacity(&self.world.buffers, checkpoint_bytes(table, &files));
        for (partition, kept) in table.partitions() {
            put_partition(writer.run(), partition, &kept.row);
        }
        put_files(writer.run(), &files);
        if !chunks.is_empty() {
            put_chunks(writer.run(), chunks);
        }
        let (frame, chain) = writer.finish(FrameKind::Checkpoint, header.chain(checksum), now);
        let mut bytes = Vec::with_capacity(block.len() + frame.len());
        bytes.extend_from_slice(&block);
        bytes.extend_from_slice(&frame);
        Beginning {
            number: self.next_file,
            bytes,
            chain,
        }
    }

    /// Makes the file durable, and then the one that takes changes.
    fn put_to_use(&mut self, beginning: Beginning) -> Result<(), Failure> {
        let Beginning {
            number,
            bytes,
            chain,
        } = beginning;
        let disk = &**self.world.files.disk();
        let path = file_path(number);
        let is_synced = self.is_synced();
        let superblock = Superblock {
            newest: number,
            salt: chain.salt,
        };
        let next = is_synced.then(|| self.world.ahead.take_next()).flatten();
        let zeroed = match next {
            Some(_) => self.world.ahead.file_bytes().max(bytes.len() as u64),
            None => bytes.len() as u64,
        };
        let prepare = || {
            let file = match (&next, is_synced) {
                (Some(next), _) => Arc::clone(next),
                (None, true) => disk.create_written_through(&path)?,
                (None, false) => disk.create(&path)?,
            };
            file.write_at(0, &bytes)?;
            if !file.is_written_through() {
                file.sync()?;
            }
            if next.is_some() {
                disk.rename(NEXT_FILE, &path)?;
            }
            disk.sync_directory(DIRECTORY)?;
            superblock.prepare(disk)?;
            Ok(file)
        };
        let file = prepare().map_err(|error| {
            if next.is_some() && is_full(&error) {
                remove(disk, NEXT_FILE);
            }
            before_frame(error)
        })?;
        Superblock::put_in_place(disk).map_err(Failure::Unknown)?;
        self.next_file = number + 1;
        self.next_lsn = chain.lsn;
        self.files
            .extend(self.current.take().map(|current| current.row()));
        self.current = Some(Current {
            number,
            file,
            offset: bytes.len() as u64,
            zeroed,
            chain,
            runs: 0,
            is_next_wanted: false,
        });
        Ok(())
    }

    /// Removes the files that nothing needs any more.
    fn clean(&mut self, shared: &Shared) -> Result<(), Failure> {
        let Unused {
            files,
            chunks,
            snapshots,
        } = self.find_unused(&mut shared.lock());
        if files.is_empty() && chunks.is_empty() && snapshots.is_empty() {
            return Ok(());
        }
        if !self.is_synced() {
            // What makes them unneeded must not be lost when they are gone.
            self.current().file.sync().map_err(Failure::Unknown)?;
        }
        self.files.retain(|row| !files.contains(&row.tail.file));
        let homes = files.into_iter().map(Home::Wal);
        let homes = homes.chain(chunks.into_iter().map(Home::Chunk));
        let mut unneeded: Vec<_> = homes.map(Unneeded::of).collect();
        unneeded.extend(snapshots.into_iter().map(|number| Unneeded {
            path: join(snapshot_file::DIRECTORY, &snapshot_file::file_name(number)),
            home: None,
        }));
        let is_full = shared.is_full();
        let removed = self.world.ahead.remove(unneeded, is_full);
        removed.map_err(Failure::Unknown)?;
        if is_full {
            // What is left may be few entries in large files.
            shared.want_sorter();
        }
        Ok(())
    }

    fn find_unused(&self, state: &mut State) -> Unused {
        let numbers = self.files.iter().map(|row| row.tail.file);
        let files: Vec<u64> = numbers
            .filter(|file| state.table.is_unused(Home::Wal(*file)))
            .collect();
        let State {
            sealed,
            spans,
            table,
            ..
        } = &mut *state;
        sealed.retain(|file| !table.is_unused(Home::Wal(*file)));
        spans.retain(|file, _| !files.contains(file));
        let chunks = state.unused_chunks();
        state.chunks.retain(|row| !chunks.contains(&row.number));
        let snapshots = state.table.take_unused_snapshots();
        Unused {
            files,
            chunks,
            snapshots,
        }
    }

    fn remove_unused(&mut self, table: &Table) -> io::Result<()> {
        let homes = self.files.iter().map(|row| Home::Wal(row.tail.file));
        let unused = homes.filter(|home| table.is_unused(*home));
        let unused = unused.map(Unneeded::of).collect();
        self.world.ahead.remove(unused, true)?;
        self.files
            .retain(|row| !table.is_unused(Home::Wal(row.tail.file)));
        Ok(())
    }

    fn current(&self) -> &Current {
        self.current.as_ref().expect("a file has been begun")
    }

    fn current_mut(&mut self) -> &mut Current {
        self.current.as_mut().expect("a file has been begun")
    }
}

impl Frame {
    /// Writes it where it stands. Blocks.
    pub fn write(&self) -> Result<(), Failure> {
        let written = self.before.file.write_at(self.before.offset, &self.bytes);
        written.map_err(before_frame)
    }

    /// Lets readers see it when its `turn` has come, and settles that; as [`Shared::publish`].
    pub fn publish(&self, shared: &Shared, turn: Turn, changes: &[Waiting]) -> bool {
        let Current {
            number,
            offset,
            chain,
            ..
        } = self.before;
        let cached = Arc::new(CachedFrame {
            file: number,
            offset,
            bytes: self.bytes.clone(),
        });
        let place = FramePlace {
            lsn: chain.lsn,
            file: number,
            payload_offset: offset + FRAME_HEADER_BYTES as u64,
            cached: Arc::downgrade(&cached),
        };
        shared.publish(Published {
            turn,
            place,
            frame: cached,
            payload_bytes: self.payload_bytes,
            waiting_bytes: changes.iter().map(|waiting| waiting.bytes).sum(),
        })
    }

    fn end(&self) -> u64 {
        self.before.offset + self.bytes.len() as u64
    }
}

impl Current {
    fn row(&self) -> FileRow {
        let tail = FileTail {
            file: self.number,
            end: self.offset,
            checksum: self.chain.checksum,
        };
        FileRow {
            salt: self.chain.salt,
            tail,
        }
    }
}

impl Failure {
    /// Why nobody knows what is on the disk, if that is so.
    pub fn unknown(self) -> Option<String> {
        match self {
            Failure::Full(_) => None,
            Failure::Unknown(error) => Some(error.to_string()),
        }
    }

    /// What the system said.
    pub fn error(self) -> io::Error {
        match self {
            Failure::Full(error) | Failure::Unknown(error) => error,
        }
    }

    /// The failure of what was promised already.
    fn into_unknown(self) -> Failure {
        Failure::Unknown(self.error())
    }
}

/// What nothing needs any more.
struct Unused {
    files: Vec<u64>,
    chunks: Vec<u64>,
    snapshots: Vec<u64>,
}

struct Beginning {
    number: u64,
    bytes: Vec<u8>,
    chain: Chain,
}

fn checkpoint_bytes(table: &Table, files: &[FileRow]) -> usize {
    // Estimates of the rows; more grows the buffer.
    RUN_HEADER_BYTES + 28 * files.len() + (RUN_HEADER_BYTES + 64) * table.partitions().count()
}

/// The runs of `group`, sorted by partition and then by kind.
fn encode(buffers: &Arc<Buffers>, group: &[Waiting]) -> FrameWriter {
    let mut placed: Vec<PlacedRun<'_>> = group.iter().flat_map(Waiting::runs).collect();
    // In each of them much is in order already.
    placed.sort_by_key(|placed| (placed.of.partition, placed.first.position));
    let mut commands: Vec<&(PartitionId, Command)> = group
        .iter()
        .filter_map(|waiting| waiting.command.as_ref())
        .collect();
    commands.sort_by_key(|(partition, command)| (*partition, command.kind()));
    let bytes = group.iter().map(|waiting| waiting.bytes).sum();
    let mut writer = FrameWriter::with_capacity(buffers, bytes);
    let mut commands = commands.into_iter().peekable();
    for run in placed.chunk_by(|left, right| left.of.partition == right.of.partition) {
        let partition = run[0].of.partition;
        while let Some((before, command)) = commands.next_if(|(other, _)| *other < partition) {
            put_command(writer.run(), *before, command);
        }
        put_entries(writer.run(), run);
    }
    for (partition, command) in commands {
        put_command(writer.run(), *partition, command);
    }
    writer
}
