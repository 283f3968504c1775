//! The committer: the one thread that writes the log.
//!
//! What must hold: it takes all that waits as one frame, writes and syncs it, and only then publishes
//! it and answers the callers; so one write is on its way at any time, and it paces itself by the disk,
//! without a timer. Zeros go ahead of the frames, so that most frames change no size and no map of the
//! file, and a write that was cut short still shows.
//! It is a thread of its own because the disk blocks. A failed write or sync ends it:
//! what the disk holds then is known only after a restart. A full disk does not: what was begun of a
//! frame is cut off again, and the ballast is dropped to make room for what frees more.

use std::io;
use std::sync::Arc;

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
use crate::port::PartitionId;
use crate::rounds::breather;
use crate::run::{
    Command, FileRow, PlacedEntry, RUN_HEADER_BYTES, put_chunks, put_command, put_entries,
    put_files, put_partition,
};
use crate::shared::{Shared, State};
use crate::snapshot_file;
use crate::superblock::Superblock;
use crate::table::{CachedFrame, FramePlace, Home, Table};
use crate::waiting::Waiting;

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
    buffers: Arc<Buffers>,
    /// The older files, with their ends.
    files: Vec<FileRow>,
    next_file: u64,
    current: Option<Current>,
    next_lsn: u64,
}

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

/// Why something could not be written.
#[derive(Debug)]
enum Failure {
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
            buffers: Arc::default(),
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
        self.remove_unused(table);
        Ok(self.ballast.is_held() || self.ballast.hold(&**self.world.files.disk()))
    }

    /// Writes what is put in line until the log is closed or fails.
    pub fn run(mut self, shared: &Shared) {
        while let Some(group) = shared.next_group() {
            self.take_breath(shared);
            let served = self.serve(shared, group);
            let ended = served.or_else(|(failure, group)| self.settle(shared, failure, group));
            if ended.is_err() {
                return;
            }
            if shared.is_full() && self.ballast.hold(&**self.world.files.disk()) {
                tracing::info!("there is room on the disk again");
                shared.empty();
            }
        }
    }

    /// Waits where sorting cannot follow. What the sorter has the log say waits too, and no longer.
    fn take_breath(&self, shared: &Shared) {
        let Some(after_files) = self.writing.sorted_after_files else {
            return;
        };
        let breather = breather(shared.lock().sealed.len(), after_files);
        if !breather.is_zero() {
            tracing::debug!(?breather, "sorting cannot follow");
            shared.rest(breather);
        }
    }

    fn serve(
        &mut self,
        shared: &Shared,
        group: Vec<Waiting>,
    ) -> Result<(), (Failure, Vec<Waiting>)> {
        let (written, cleaning): (Vec<_>, Vec<_>) =
            group.into_iter().partition(Waiting::is_written);
        if !written.is_empty() {
            let rolled = self.roll_if_full(shared);
            let committed = match rolled {
                Ok(()) => self.commit(shared, written),
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
        shared.answer(cleaning);
        Ok(())
    }

    /// Ends the log, unless there is no room for `group` and what was begun of it can be cut off.
    fn settle(&mut self, shared: &Shared, failure: Failure, group: Vec<Waiting>) -> Result<(), ()> {
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
        group: Vec<Waiting>,
    ) -> Result<(), (Failure, Vec<Waiting>)> {
        let Current {
            number,
            offset,
            chain,
            ..
        } = *self.current();
        let writer = encode(&self.buffers, &group);
        let (payload_bytes, runs) = (writer.payload_bytes(), writer.runs());
        let (frame, next) = writer.finish(FrameKind::Commands, chain, self.world.clock.now());
        let cached = Arc::new(CachedFrame {
            file: number,
            offset,
            bytes: frame.clone(),
        });
        let place = FramePlace {
            lsn: chain.lsn,
            file: number,
            payload_offset: offset + FRAME_HEADER_BYTES as u64,
            cached: Arc::downgrade(&cached),
        };
        let has_commands = group.iter().any(|waiting| waiting.command.is_some());
        if self.writing.durability == Durability::Memory {
            shared.publish(place, cached, payload_bytes);
            shared.answer(group);
            // It has been told that it is there.
            self.write(&frame)
                .map_err(|failure| (failure.into_unknown(), Vec::new()))?;
        } else {
            if let Err(failure) = self.write(&frame) {
                return Err((failure, group));
            }
            shared.publish(place, cached, payload_bytes);
            shared.answer(group);
        }
        let current = self.current_mut();
        current.offset += frame.len() as u64;
        current.chain = next;
        current.runs += u64::from(runs);
        self.next_lsn = next.lsn;
        self.want_next_file();
        if has_commands {
            self.clean(shared)
                .map_err(|failure| (failure, Vec::new()))?;
        }
        Ok(())
    }

    fn write(&mut self, frame: &Bytes) -> Result<(), Failure> {
        let durability = self.writing.durability;
        if durability == Durability::Sync {
            self.zero_ahead(frame.len() as u64)?;
        }
        let current = self.current();
        current
            .file
            .write_at(current.offset, frame)
            .map_err(before_frame)?;
        if durability == Durability::Sync && !current.file.is_written_through() {
            current.file.sync().map_err(Failure::Unknown)?;
        }
        Ok(())
    }

    /// Puts zeros where a frame of `frame_bytes` and those behind it will stand, unless they stand
    /// there. Without room for them, the frame has to find its own.
    fn zero_ahead(&mut self, frame_bytes: u64) -> Result<(), Failure> {
        let file_bytes = self.writing.file_bytes;
        let current = self.current_mut();
        let end = current.offset + frame_bytes;
        let finds_room = frame_bytes > AHEAD_FRAME_BYTES_MAX || end > file_bytes;
        if end <= current.zeroed || finds_room {
            return Ok(());
        }
        let until = (end + AHEAD_BYTES).min(file_bytes.next_multiple_of(BLOCK_BYTES as u64));
        let zeros = vec![0; (until - current.offset) as usize];
        match current.file.write_at(current.offset, &zeros) {
            Ok(()) => {
                current.zeroed = until;
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
        let is_synced = self.writing.durability == Durability::Sync;
        let current = self.current_mut();
        let is_likely = current.offset >= file_bytes / 4 || current.runs >= FILE_RUNS_MAX / 4;
        if is_synced && is_likely && !current.is_next_wanted {
            current.is_next_wanted = true;
            self.world.ahead.want_next();
        }
    }

    fn roll_if_full(&mut self, shared: &Shared) -> Result<(), Failure> {
        let current = self.current();
        if current.offset < self.writing.file_bytes && current.runs < FILE_RUNS_MAX {
            return Ok(());
        }
        if self.writing.durability != Durability::Sync {
            // Only the newest file may have lost writes after a power cut.
            current.file.sync().map_err(Failure::Unknown)?;
        }
        let sealed = current.number;
        let beginning = {
            // Nothing but this thread changes what stands in it.
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
            unsynced: self.writing.durability != Durability::Sync,
            salt: self.world.entropy.next_u64(),
            first_lsn: self.next_lsn,
            created: now,
            previous: files().last().map(|row| row.tail),
        };
        let (block, checksum) = header.encode();
        let files: Vec<FileRow> = files()
            .filter(|row| !table.is_unused(Home::Wal(row.tail.file)))
            .collect();
        let mut writer = FrameWriter::with_capacity(&self.buffers, checkpoint_bytes(table, &files));
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
        let is_synced = self.writing.durability == Durability::Sync;
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
        if self.writing.durability != Durability::Sync {
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
        self.world.ahead.remove(unneeded, is_full);
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

    fn remove_unused(&mut self, table: &Table) {
        let homes = self.files.iter().map(|row| Home::Wal(row.tail.file));
        let unused = homes.filter(|home| table.is_unused(*home));
        self.world
            .ahead
            .remove(unused.map(Unneeded::of).collect(), true);
        self.files
            .retain(|row| !table.is_unused(Home::Wal(row.tail.file)));
    }

    fn current(&self) -> &Current {
        self.current.as_ref().expect("a file has been begun")
    }

    fn current_mut(&mut self) -> &mut Current {
        self.current.as_mut().expect("a file has been begun")
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
    fn error(self) -> io::Error {
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
    let mut entries: Vec<&PlacedEntry> =
        group.iter().flat_map(|waiting| &waiting.entries).collect();
    entries.sort_unstable_by_key(|entry| (entry.partition, entry.position));
    let mut commands: Vec<&(PartitionId, Command)> = group
        .iter()
        .filter_map(|waiting| waiting.command.as_ref())
        .collect();
    commands.sort_by_key(|(partition, command)| (*partition, command.kind()));
    let bytes = group.iter().map(|waiting| waiting.bytes).sum();
    let mut writer = FrameWriter::with_capacity(buffers, bytes);
    let mut commands = commands.into_iter().peekable();
    for run in entries.chunk_by(|left, right| left.partition == right.partition) {
        let partition = run[0].partition;
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
