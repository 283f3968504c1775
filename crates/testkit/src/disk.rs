//! The simulated disk: [`SimDisk`].
//!
//! The model, which is what POSIX promises and no more: a write is seen at once and lasts only when its
//! file has been synced; a name is seen at once and lasts only when its directory has been synced. At a
//! power cut each sector of 512 bytes that was not synced holds what it held before or any of what was
//! written to it since, independently of all others; a file that grew ends anywhere between its two
//! sizes; of the changes to a directory, any may be missing. A sync that fails once loses what it was
//! for, and the next one succeeds all the same, as Linux has it. Where the disk is written through, a
//! write is one I/O and lasts when it has returned; one that is cut short or fails is torn as above.
//!
//! What must hold: everything follows from the calls and the seeds.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use tidemill_log::{Disk, DiskFile, Room};
use tidemill_model::Entropy;

use crate::entropy::SimEntropy;

const SECTOR_BYTES: usize = 512;

/// A disk whose power can be cut; cheap to clone, all clones are the same disk.
#[derive(Clone, Debug, Default)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
    /// For those who wait for an I/O.
    changed: Arc<Condvar>,
}

/// What an I/O does instead of what it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskFailure {
    /// It fails with an I/O error: half of a write is done; a sync loses what it was for.
    Broken,
    /// It fails for lack of room: half of a write is done.
    Full,
}

#[derive(Clone, Debug, Default)]
struct State {
    files: BTreeMap<u64, SimFile>,
    next_file: u64,
    directories: BTreeMap<String, Directory>,
    ios: u64,
    crash_at: Option<u64>,
    failures: BTreeMap<u64, DiskFailure>,
    /// Between the power cut and [`SimDisk::crash`]: nothing works.
    is_down: bool,
    /// Counts power cuts: what was opened before one cannot be used behind it.
    generation: u64,
    capacity_bytes: Option<usize>,
    is_written_through: bool,
    cuts: Option<Vec<State>>,
    /// The I/O that stays on its way, and whether it is.
    held: Option<(u64, bool)>,
}

#[derive(Clone, Debug, Default)]
struct SimFile {
    synced: Vec<u8>,
    current: Vec<u8>,
    /// What was written to each sector since the last sync, oldest first.
    unsynced: BTreeMap<usize, Vec<[u8; SECTOR_BYTES]>>,
    /// The smallest size it was cut off to since the last sync.
    truncated: Option<usize>,
}

#[derive(Clone, Debug, Default)]
struct Directory {
    synced: BTreeMap<String, u64>,
    current: BTreeMap<String, u64>,
    unsynced: Vec<NameChange>,
}

#[derive(Clone, Debug)]
enum NameChange {
    Create { name: String, file: u64 },
    Rename { before: String, after: String },
    Remove { name: String },
}

/// What became of an I/O.
enum Outcome {
    Done,
    Fails(DiskFailure),
    /// The power is cut in the middle of it.
    Cut,
}

impl SimDisk {
    /// An empty disk.
    pub fn new() -> SimDisk {
        SimDisk::default()
    }

    /// An empty disk that can write files through.
    pub fn written_through() -> SimDisk {
        let disk = SimDisk::default();
        disk.lock().is_written_through = true;
        disk
    }

    /// Keeps from now on, for each I/O, the disk as it would be were the power cut in its middle.
    pub fn record_cuts(&self) {
        self.lock().cuts = Some(Vec::new());
    }

    /// The disks that [`SimDisk::record_cuts`] kept, in the order of the I/Os; each waits for its
    /// [`SimDisk::crash`]. Ends the recording.
    pub fn take_cuts(&self) -> Vec<SimDisk> {
        let cuts = self.lock().cuts.take().unwrap_or_default();
        let disk = |state| SimDisk {
            state: Arc::new(Mutex::new(state)),
            changed: Arc::default(),
        };
        cuts.into_iter().map(disk).collect()
    }

    /// Another disk with the same content, so that one past can have several futures.
    pub fn fork(&self) -> SimDisk {
        SimDisk {
            state: Arc::new(Mutex::new(self.lock().clone())),
            changed: Arc::default(),
        }
    }

    /// How many I/Os there were that change or sync something.
    pub fn io_count(&self) -> u64 {
        self.lock().ios
    }

    /// Cuts the power in the middle of I/O `io`, counted from 1 as [`SimDisk::io_count`] does. From
    /// then on everything fails, until [`SimDisk::crash`] brings the power back.
    pub fn crash_at(&self, io: u64) {
        self.lock().crash_at = Some(io);
    }

    /// Lets I/O `io` fail, counted from 1 as [`SimDisk::io_count`] does.
    pub fn fail_at(&self, io: u64, failure: DiskFailure) {
        self.lock().failures.insert(io, failure);
    }

    /// Keeps I/O `io`, a write that is written through, on its way until [`SimDisk::release`]: a power cut
    /// before that tears it, whatever was written behind it. What is held already comes to its end.
    pub fn hold_at(&self, io: u64) {
        self.lock().held = Some((io, false));
        self.changed.notify_all();
    }

    /// Lets what is held come to its end.
    pub fn release(&self) {
        self.lock().held = None;
        self.changed.notify_all();
    }

    /// Waits until the I/O that is to be held is on its way. Blocks.
    pub fn wait_until_held(&self) {
        self.wait_while(|state| matches!(state.held, Some((_, false))));
    }

    /// Waits until there were `count` I/Os, as [`SimDisk::io_count`] counts. Blocks.
    pub fn wait_for_ios(&self, count: u64) {
        self.wait_while(|state| state.ios < count);
    }

    fn wait_while(&self, is_early: impl Fn(&State) -> bool) {
        let state = self.lock();
        let waited = self.changed.wait_while(state, |state| is_early(state));
        drop(waited.expect("no holder of this lock panics"));
    }

    /// The disk holds at most `bytes` from now on; no limit with none.
    pub fn set_capacity(&self, bytes: Option<usize>) {
        self.lock().capacity_bytes = bytes;
    }

    /// Cuts the power, if it is not cut yet, and brings it back: `seed` decides what is left of all
    /// that was not synced.
    pub fn crash(&self, seed: u64) {
        let chance = SimEntropy::new(seed);
        let mut state = self.lock();
        state.is_down = false;
        state.crash_at = None;
        state.failures.clear();
        state.held = None;
        self.changed.notify_all();
        state.generation += 1;
        for directory in state.directories.values_mut() {
            directory.crash(&chance);
        }
        let named: Vec<u64> = state
            .directories
            .values()
            .flat_map(|directory| directory.current.values().copied())
            .collect();
        state.files.retain(|file, _| named.contains(file));
        for file in state.files.values_mut() {
            file.crash(&chance);
        }
    }

    /// Flips bit `bit` of the file at `path`, where it rests and where it is cached.
    ///
    /// # Panics
    /// When there is no such file or bit.
    pub fn flip_bit(&self, path: &str, bit: usize) {
        let mut state = self.lock();
        let number = state.find(path).expect("the file exists");
        let file = state.files.get_mut(&number).expect("a name has a file");
        for bytes in [&mut file.current, &mut file.synced] {
            if let Some(byte) = bytes.get_mut(bit / 8) {
                *byte ^= 1 << (bit % 8);
            }
        }
        assert!(bit / 8 < file.current.len(), "{path} has no bit {bit}");
    }

    /// Every file with its size, in order.
    pub fn files(&self) -> Vec<(String, usize)> {
        let state = self.lock();
        let mut files = Vec::new();
        for (directory, entries) in &state.directories {
            for (name, file) in &entries.current {
                let path = if directory.is_empty() {
                    name.clone()
                } else {
                    format!("{directory}/{name}")
                };
                files.push((path, state.files[file].current.len()));
            }
        }
        files.sort();
        files
    }

    fn create_file(&self, path: &str, is_through: bool) -> io::Result<OpenFile> {
        let mut state = self.lock();
        if state.find(path).is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let number = state.next_file;
        state.next_file += 1;
        state.files.insert(number, SimFile::default());
        let (directory, name) = split(path);
        state.change(
            directory,
            NameChange::Create {
                name: name.to_owned(),
                file: number,
            },
        )?;
        let generation = state.generation;
        Ok(OpenFile {
            disk: self.clone(),
            number,
            generation,
            is_through,
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock panics")
    }
}

fn broken() -> io::Error {
    io::Error::other("simulated I/O error")
}

impl DiskFailure {
    fn error(self) -> io::Error {
        match self {
            DiskFailure::Broken => broken(),
            DiskFailure::Full => io::ErrorKind::StorageFull.into(),
        }
    }
}

fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

impl State {
    fn check_power(&self) -> io::Result<()> {
        if self.is_down { Err(broken()) } else { Ok(()) }
    }

    /// Counts an I/O and says what becomes of it.
    fn begin(&mut self) -> io::Result<Outcome> {
        self.check_power()?;
        self.ios += 1;
        if self.crash_at == Some(self.ios) {
            self.is_down = true;
            return Ok(Outcome::Cut);
        }
        Ok(self
            .failures
            .remove(&self.ios)
            .map_or(Outcome::Done, Outcome::Fails))
    }

    /// Keeps the disk as it is in the middle of an I/O that is not synced yet.
    fn record_cut(&mut self) {
        if let Some(mut cuts) = self.cuts.take() {
            let mut cut = self.clone();
            cut.is_down = true;
            cuts.push(cut);
            self.cuts = Some(cuts);
        }
    }

    fn find(&self, path: &str) -> Option<u64> {
        let (directory, name) = split(path);
        self.directories.get(directory)?.current.get(name).copied()
    }

    /// Changes names; a power cut leaves the change unsynced like any other.
    fn change(&mut self, directory: &str, change: NameChange) -> io::Result<()> {
        let outcome = self.begin()?;
        if let Outcome::Fails(failure) = outcome {
            return Err(failure.error());
        }
        let directory = self.directories.entry(directory.to_owned()).or_default();
        change.apply(&mut directory.current);
        directory.unsynced.push(change);
        self.record_cut();
        if matches!(outcome, Outcome::Cut) {
            Err(broken())
        } else {
            Ok(())
        }
    }

    fn write(
        &mut self,
        number: u64,
        offset: u64,
        bytes: &[u8],
        is_through: bool,
    ) -> io::Result<()> {
        let outcome = self.begin()?;
        let used = self.used();
        let capacity_bytes = self.capacity_bytes;
        let file = self.files.get_mut(&number).ok_or_else(broken)?;
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        let grows = (offset + bytes.len()).saturating_sub(file.current.len());
        if capacity_bytes.is_some_and(|capacity| used + grows > capacity) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        match outcome {
            Outcome::Done => {
                file.write(offset, bytes);
                self.record_cut();
                let is_held = self.held.is_some_and(|(io, _)| io == self.ios);
                if is_through && !is_held {
                    self.arrive(number, offset, bytes.len())?;
                }
            }
            Outcome::Cut => {
                file.write(offset, bytes);
                return Err(broken());
            }
            Outcome::Fails(failure) => {
                file.write(offset, &bytes[..bytes.len() / 2]);
                return Err(failure.error());
            }
        }
        Ok(())
    }

    /// Makes a write durable that was written through; others of the file may still be on their way.
    fn arrive(&mut self, number: u64, offset: usize, bytes: usize) -> io::Result<()> {
        let file = self.files.get_mut(&number).ok_or_else(broken)?;
        file.sync_range(offset, bytes);
        Ok(())
    }

    /// How many bytes the files have that have a name.
    fn used(&self) -> usize {
        self.directories
            .values()
            .flat_map(|directory| directory.current.values())
            .filter_map(|number| self.files.get(number))
            .map(|file| file.current.len())
            .sum()
    }

    fn truncate(&mut self, number: u64, bytes: u64) -> io::Result<()> {
        let outcome = self.begin()?;
        if let Outcome::Fails(failure) = outcome {
            return Err(failure.error());
        }
        let size = usize::try_from(bytes).map_err(io::Error::other)?;
        let file = self.files.get_mut(&number).ok_or_else(broken)?;
        file.truncate(size);
        self.record_cut();
        if matches!(outcome, Outcome::Cut) {
            Err(broken())
        } else {
            Ok(())
        }
    }

    fn sync(&mut self, number: u64) -> io::Result<()> {
        let outcome = self.begin()?;
        self.record_cut();
        let file = self.files.get_mut(&number).ok_or_else(broken)?;
        match outcome {
            Outcome::Done => file.sync(),
            Outcome::Cut => return Err(broken()),
            Outcome::Fails(failure) => {
                file.unsynced.clear();
                return Err(failure.error());
            }
        }
        Ok(())
    }
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<String, u64>) {
        match self {
            NameChange::Create { name, file } => {
                names.insert(name.clone(), *file);
            }
            NameChange::Rename { before, after } => {
                if let Some(file) = names.remove(before) {
                    names.insert(after.clone(), file);
                }
            }
            NameChange::Remove { name } => {
                names.remove(name);
            }
        }
    }
}

/// How much of the unsynced a power cut spares: often all or nothing, which chance alone would hardly
/// ever give.
#[derive(Clone, Copy)]
enum Spared {
    Nothing,
    Everything,
    AnyPart,
}

impl Spared {
    fn draw(chance: &SimEntropy) -> Spared {
        match chance.below(4) {
            0 => Spared::Nothing,
            1 => Spared::Everything,
            _ => Spared::AnyPart,
        }
    }

    /// One of `0..=count`.
    fn choose(self, count: usize, chance: &SimEntropy) -> usize {
        match self {
            Spared::Nothing => 0,
            Spared::Everything => count,
            Spared::AnyPart => chance.below(count as u64 + 1) as usize,
        }
    }
}

impl Directory {
    fn crash(&mut self, chance: &SimEntropy) {
        let spared = Spared::draw(chance);
        for change in std::mem::take(&mut self.unsynced) {
            if spared.choose(1, chance) == 1 {
                change.apply(&mut self.synced);
            }
        }
        self.current = self.synced.clone();
    }

    fn sync(&mut self) {
        self.synced = self.current.clone();
        self.unsynced.clear();
    }
}

impl SimFile {
    fn write(&mut self, offset: usize, bytes: &[u8]) {
        let end = offset + bytes.len();
        if bytes.is_empty() {
            return;
        }
        if self.current.len() < end {
            self.current.resize(end, 0);
        }
        self.current[offset..end].copy_from_slice(bytes);
        for sector in offset / SECTOR_BYTES..end.div_ceil(SECTOR_BYTES) {
            let content = sector_of(&self.current, sector);
            self.unsynced.entry(sector).or_default().push(content);
        }
    }

    fn truncate(&mut self, size: usize) {
        self.current.truncate(size);
        self.truncated = Some(self.truncated.map_or(size, |before| before.min(size)));
    }

    /// As [`SimFile::sync`], for the sectors of one write. A size is synced with the write that extends it.
    fn sync_range(&mut self, offset: usize, bytes: usize) {
        let end = (offset + bytes).min(self.current.len());
        if self.synced.len() < end {
            self.synced.resize(end, 0);
        }
        for sector in offset / SECTOR_BYTES..end.div_ceil(SECTOR_BYTES) {
            self.unsynced.remove(&sector);
            let stretch = sector * SECTOR_BYTES..((sector + 1) * SECTOR_BYTES).min(end);
            self.synced[stretch.clone()].copy_from_slice(&self.current[stretch]);
        }
    }

    /// Only what was written since the last sync becomes durable: what a failed one lost stays lost.
    fn sync(&mut self) {
        if let Some(size) = self.truncated.take() {
            self.synced.truncate(size);
        }
        if self.synced.len() < self.current.len() {
            self.synced.resize(self.current.len(), 0);
        }
        for (sector, versions) in std::mem::take(&mut self.unsynced) {
            let newest = versions.last().expect("a sector was written to");
            put_sector(&mut self.synced, sector, newest);
        }
    }

    fn crash(&mut self, chance: &SimEntropy) {
        let spared = Spared::draw(chance);
        if let Some(size) = self.truncated.take()
            && spared.choose(1, chance) == 1
        {
            self.synced.truncate(size);
        }
        let grown = self.current.len().saturating_sub(self.synced.len());
        let sectors_grown = spared.choose(grown.div_ceil(SECTOR_BYTES), chance);
        let size = self.synced.len() + grown.min(sectors_grown * SECTOR_BYTES);
        self.synced.resize(size, 0);
        for (sector, versions) in std::mem::take(&mut self.unsynced) {
            let chosen = spared.choose(versions.len(), chance);
            if chosen > 0 {
                put_sector(&mut self.synced, sector, &versions[chosen - 1]);
            }
        }
        self.current = self.synced.clone();
    }
}

fn sector_of(bytes: &[u8], sector: usize) -> [u8; SECTOR_BYTES] {
    let start = sector * SECTOR_BYTES;
    let end = bytes.len().min(start + SECTOR_BYTES);
    let mut content = [0; SECTOR_BYTES];
    content[..end - start].copy_from_slice(&bytes[start..end]);
    content
}

fn put_sector(bytes: &mut [u8], sector: usize, content: &[u8; SECTOR_BYTES]) {
    let start = sector * SECTOR_BYTES;
    let end = bytes.len().min(start + SECTOR_BYTES);
    if start < end {
        bytes[start..end].copy_from_slice(&content[..end - start]);
    }
}

impl Disk for SimDisk {
    fn create_directory(&self, directory: &str) -> io::Result<()> {
        let mut state = self.lock();
        state.check_power()?;
        state.directories.entry(directory.to_owned()).or_default();
        Ok(())
    }

    fn list(&self, directory: &str) -> io::Result<Vec<String>> {
        let state = self.lock();
        state.check_power()?;
        let directory = state
            .directories
            .get(directory)
            .ok_or(io::ErrorKind::NotFound)?;
        Ok(directory.current.keys().cloned().collect())
    }

    fn create(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(self.create_file(path, false)?))
    }

    fn open(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        let state = self.lock();
        state.check_power()?;
        let number = state.find(path).ok_or(io::ErrorKind::NotFound)?;
        let generation = state.generation;
        Ok(Arc::new(OpenFile {
            disk: self.clone(),
            number,
            generation,
            is_through: false,
        }))
    }

    fn rename(&self, before: &str, after: &str) -> io::Result<()> {
        let mut state = self.lock();
        let (directory, before_name) = split(before);
        let (other, after_name) = split(after);
        if directory != other || state.find(before).is_none() {
            return Err(io::ErrorKind::NotFound.into());
        }
        let (before, after) = (before_name.to_owned(), after_name.to_owned());
        state.change(directory, NameChange::Rename { before, after })
    }

    fn rename_new(&self, before: &str, after: &str) -> io::Result<()> {
        let mut state = self.lock();
        state.check_power()?;
        let (directory, name) = split(after);
        let file = state.find(before).ok_or(io::ErrorKind::NotFound)?;
        if split(before).0 != directory {
            return Err(io::ErrorKind::NotFound.into());
        }
        if state.find(after).is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let name = name.to_owned();
        state.change(directory, NameChange::Create { name, file })?;
        let name = split(before).1.to_owned();
        state.change(directory, NameChange::Remove { name })
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let mut state = self.lock();
        state.check_power()?;
        if state.find(path).is_none() {
            return Err(io::ErrorKind::NotFound.into());
        }
        let (directory, name) = split(path);
        state.change(
            directory,
            NameChange::Remove {
                name: name.to_owned(),
            },
        )
    }

    fn sync_directory(&self, directory: &str) -> io::Result<()> {
        let mut state = self.lock();
        let outcome = state.begin()?;
        state.record_cut();
        match outcome {
            Outcome::Done => state
                .directories
                .entry(directory.to_owned())
                .or_default()
                .sync(),
            Outcome::Cut => return Err(broken()),
            Outcome::Fails(failure) => return Err(failure.error()),
        }
        Ok(())
    }

    fn create_written_through(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        let is_through = self.lock().is_written_through;
        Ok(Arc::new(self.create_file(path, is_through)?))
    }

    fn zero_again(&self, path: &str, bytes: u64) -> io::Result<Arc<dyn DiskFile>> {
        let (number, generation, is_through, bytes) = {
            let state = self.lock();
            state.check_power()?;
            let number = state.find(path).ok_or(io::ErrorKind::NotFound)?;
            let size = state.files.get(&number).ok_or_else(broken)?.current.len();
            let bytes = size.max(usize::try_from(bytes).map_err(io::Error::other)?);
            (number, state.generation, state.is_written_through, bytes)
        };
        let file = |is_through| OpenFile {
            disk: self.clone(),
            number,
            generation,
            is_through,
        };
        let zeroing = file(false);
        zeroing.write_at(0, &vec![0; bytes])?;
        zeroing.sync()?;
        Ok(Arc::new(file(is_through)))
    }

    fn truncate(&self, path: &str, bytes: u64) -> io::Result<()> {
        let mut state = self.lock();
        state.check_power()?;
        let number = state.find(path).ok_or(io::ErrorKind::NotFound)?;
        state.truncate(number, bytes)
    }

    fn way_of_writing(&self) -> String {
        "simulated".to_owned()
    }

    fn reserve(&self, path: &str, bytes: u64) -> io::Result<()> {
        let file = self.create_file(path, false)?;
        let zeros = vec![0; usize::try_from(bytes).map_err(io::Error::other)?];
        file.write_at(0, &zeros)?;
        file.sync()
    }

    fn room(&self) -> io::Result<Option<Room>> {
        let state = self.lock();
        state.check_power()?;
        Ok(state.capacity_bytes.map(|capacity| Room {
            total_bytes: capacity as u64,
            free_bytes: capacity.saturating_sub(state.used()) as u64,
        }))
    }

    fn outside_path(&self, _: &str) -> Option<PathBuf> {
        None
    }
}

struct OpenFile {
    disk: SimDisk,
    number: u64,
    generation: u64,
    is_through: bool,
}

impl OpenFile {
    fn lock(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.disk.lock();
        if state.generation == self.generation {
            Ok(state)
        } else {
            Err(broken())
        }
    }
}

impl DiskFile for OpenFile {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.lock()?;
        let written = state.write(self.number, offset, bytes, self.is_through);
        let io = state.ios;
        self.disk.changed.notify_all();
        if !self.is_through || state.held != Some((io, false)) {
            return written;
        }
        state.held = Some((io, true));
        let is_held = |state: &mut State| state.held == Some((io, true)) && !state.is_down;
        let waited = self.disk.changed.wait_while(state, is_held);
        drop(waited.expect("no holder of this lock panics"));
        let mut state = self.lock()?;
        state.check_power()?;
        written?;
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        state.arrive(self.number, offset, bytes.len())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let state = self.lock()?;
        state.check_power()?;
        let bytes = &state.files.get(&self.number).ok_or_else(broken)?.current;
        let offset = usize::try_from(offset)
            .unwrap_or(usize::MAX)
            .min(bytes.len());
        let count = buffer.len().min(bytes.len() - offset);
        buffer[..count].copy_from_slice(&bytes[offset..offset + count]);
        Ok(count)
    }

    fn size(&self) -> io::Result<u64> {
        let state = self.lock()?;
        state.check_power()?;
        Ok(state
            .files
            .get(&self.number)
            .ok_or_else(broken)?
            .current
            .len() as u64)
    }

    fn is_written_through(&self) -> bool {
        self.is_through
    }

    fn sync(&self) -> io::Result<()> {
        self.lock()?.sync(self.number)
    }
}

#[cfg(test)]
mod tests;
