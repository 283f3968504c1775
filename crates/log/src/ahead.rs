//! What the committer need not wait for: [`Ahead`], a thread that fills the next file of the write-ahead
//! log with zeros before it is needed, and removes the files that nothing needs, or keeps them as spares
//! to make the next out of.
//!
//! What must hold: the next file and the spares have names that no recovery reads until the committer has
//! written the beginning of the next and takes it; a file is handed over for removal only when what makes
//! it unneeded is durable, and is written again only when its new name is. So whatever is left undone here
//! is removed by the next start. Why: growing a file and removing one changes what the file system knows
//! of it, and waits for much more than the bytes of a frame; where blocks that are free are discarded, as
//! many disks in the cloud are asked to, removing one stops everything else for milliseconds. Writes over
//! what is there change only bytes. Without room for the next file the committer does without; a disk
//! that fails ends the log, here as anywhere.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use crate::disk::{DiskFile, is_full, remove};
use crate::files::Files;
use crate::frame::DIRECTORY;
use crate::limits::SPARES_MAX;
use crate::place::Home;

/// The next file, until it is taken.
pub const NEXT_FILE: &str = "wal/next";

/// What the names of spares end in.
const SPARE: &str = ".spare";

/// With less room than for so many times the spares, no more are kept.
const ROOM_FOR_SPARE: u64 = 4;

/// A spare is at most this much larger than a file should be, which one with a large frame at its end is.
const SPARE_EXCESS_BYTES_MAX: u64 = 1024 * 1024;

/// With less room than for so many files, none is made ahead.
const ROOM_FILES_MIN: u64 = 4;

/// Whether the file at `path` is of no use to a start.
pub fn is_ahead(path: &str) -> bool {
    path == NEXT_FILE || path.ends_with(SPARE)
}

/// A file that is not needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unneeded {
    /// Where it stands.
    pub path: String,
    /// How readers know it, if they do.
    pub home: Option<Home>,
}

impl Unneeded {
    /// The file `home`.
    pub fn of(home: Home) -> Unneeded {
        Unneeded {
            path: home.to_string(),
            home: Some(home),
        }
    }
}

/// See the module.
pub struct Ahead {
    files: Arc<Files>,
    file_bytes: u64,
    state: Mutex<State>,
    work: Condvar,
}

#[derive(Default)]
struct State {
    /// Somebody works on what is asked for; without, the committer does it itself.
    has_thread: bool,
    is_wanted: bool,
    /// What is made meanwhile is not wanted any more.
    is_called_off: bool,
    next: Option<Arc<dyn DiskFile>>,
    /// Where the spares stand.
    spares: Vec<String>,
    /// No more than there are files.
    unneeded: VecDeque<Unneeded>,
    is_closing: bool,
}

impl Ahead {
    /// Of `files`; the next file gets `file_bytes`, rounded up to whole blocks by the caller.
    pub fn new(files: Arc<Files>, file_bytes: u64) -> Ahead {
        Ahead {
            files,
            file_bytes,
            state: Mutex::default(),
            work: Condvar::new(),
        }
    }

    /// How many zeros the next file has.
    pub fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    /// Has the next file made, if somebody does such work.
    pub fn want_next(&self) {
        let mut state = self.lock();
        state.is_wanted = true;
        state.is_called_off = false;
        self.work.notify_one();
    }

    /// The next file, once it is there: durably named [`NEXT_FILE`], zeros all over. None is made before
    /// another is wanted, so that the name is free by then.
    pub fn take_next(&self) -> Option<Arc<dyn DiskFile>> {
        let mut state = self.lock();
        let next = state.next.take()?;
        state.is_wanted = false;
        Some(next)
    }

    /// Frees the room of the next file and of the spares, and makes none until it is wanted again.
    pub fn call_off(&self) {
        let mut state = self.lock();
        state.is_wanted = false;
        state.is_called_off = true;
        let disk = &**self.files.disk();
        if state.next.take().is_some() {
            remove(disk, NEXT_FILE);
        }
        for spare in state.spares.drain(..) {
            remove(disk, &spare);
        }
    }

    /// Removes `unneeded`: at once when `is_urgent` or when nobody else does.
    pub fn remove(&self, unneeded: Vec<Unneeded>, is_urgent: bool) -> io::Result<()> {
        let mut state = self.lock();
        if state.has_thread && !is_urgent && !state.is_closing {
            state.unneeded.extend(unneeded);
            self.work.notify_one();
            return Ok(());
        }
        drop(state);
        for file in &unneeded {
            match is_urgent {
                true => self.remove_one(file),
                false => self.remove_or_spare(file)?,
            }
        }
        Ok(())
    }

    /// Does the work until [`Ahead::close`], then what is left of it. Fails when the disk does; that a
    /// disk is full is no failure. Blocks.
    pub fn run(&self) -> io::Result<()> {
        loop {
            let mut state = self.lock();
            while state.unneeded.is_empty() && !state.is_wanted && !state.is_closing {
                state = self
                    .work
                    .wait(state)
                    .expect("no holder of this lock panics");
            }
            let is_done = state.is_closing && state.unneeded.is_empty();
            drop(state);
            if is_done {
                self.call_off();
                return Ok(());
            }
            self.step()?;
        }
    }

    /// Says that somebody will call [`Ahead::run`].
    pub fn expect_thread(&self) {
        self.lock().has_thread = true;
    }

    /// Does one thing that is asked for, if any is. Fails when the disk does. Blocks.
    pub fn step(&self) -> io::Result<()> {
        let unneeded = self.lock().unneeded.pop_front();
        match unneeded {
            Some(file) => self.remove_or_spare(&file),
            None if self.is_next_missing() => self.make_next(),
            None => Ok(()),
        }
    }

    /// Ends [`Ahead::run`].
    pub fn close(&self) {
        self.lock().is_closing = true;
        self.work.notify_one();
    }

    /// Whether the next file is to be made; asked once for each wish.
    fn is_next_missing(&self) -> bool {
        let mut state = self.lock();
        std::mem::take(&mut state.is_wanted) && state.next.is_none() && !state.is_closing
    }

    fn make_next(&self) -> io::Result<()> {
        let disk = &**self.files.disk();
        let spare = self.lock().spares.pop();
        if spare.is_none()
            && let Some(room) = disk.room()?
            && room.free_bytes < ROOM_FILES_MIN * self.file_bytes
        {
            return Ok(());
        }
        let zeroed = match &spare {
            Some(spare) => disk
                .zero_again(spare, self.file_bytes)
                .and_then(|file| disk.rename(spare, NEXT_FILE).map(|()| file)),
            None => disk.create_zeroed(NEXT_FILE, self.file_bytes),
        };
        let made = zeroed.and_then(|file| disk.sync_directory(DIRECTORY).map(|()| file));
        let mut state = self.lock();
        match made {
            Ok(file) if !state.is_called_off => state.next = Some(file),
            Ok(_) => remove(disk, NEXT_FILE),
            Err(error) => {
                // Under which name it stands depends on what failed.
                for path in spare.iter().map(String::as_str).chain([NEXT_FILE]) {
                    if disk.open(path).is_ok() {
                        remove(disk, path);
                    }
                }
                if !is_full(&error) {
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Keeps a file of the write-ahead log as a spare while there are few; removes what it does not keep.
    fn remove_or_spare(&self, file: &Unneeded) -> io::Result<()> {
        let disk = &**self.files.disk();
        for spare in self.surplus() {
            remove(disk, &spare);
        }
        let spare = format!("{}{SPARE}", file.path);
        if !self.is_worth_keeping(file) || disk.rename(&file.path, &spare).is_err() {
            self.remove_one(file);
            return Ok(());
        }
        self.forget(file);
        disk.sync_directory(DIRECTORY)?;
        let mut state = self.lock();
        match state.is_called_off || state.is_closing {
            true => remove(disk, &spare),
            false => state.spares.push(spare),
        }
        Ok(())
    }

    /// Takes the spares for which there is no room any more.
    fn surplus(&self) -> Vec<String> {
        let fitting = self.spares_that_fit();
        let mut state = self.lock();
        let kept = state.spares.len().min(fitting);
        state.spares.split_off(kept)
    }

    fn spares_that_fit(&self) -> usize {
        match self.files.disk().room() {
            Ok(Some(room)) => {
                let fitting = room.free_bytes / (ROOM_FOR_SPARE * self.file_bytes.max(1));
                usize::try_from(fitting).map_or(SPARES_MAX, |fitting| fitting.min(SPARES_MAX))
            }
            Ok(None) => SPARES_MAX,
            Err(_) => 0,
        }
    }

    /// Whether `file` is one of the write-ahead log, of about the usual size, and another spare is wanted.
    fn is_worth_keeping(&self, file: &Unneeded) -> bool {
        let is_usual = || {
            let size = self
                .files
                .disk()
                .open(&file.path)
                .and_then(|file| file.size());
            let usual = self.file_bytes..=self.file_bytes + SPARE_EXCESS_BYTES_MAX;
            size.is_ok_and(|bytes| usual.contains(&bytes))
        };
        let is_wanted = || {
            let state = self.lock();
            let is_over = state.is_called_off || state.is_closing;
            (!is_over).then_some(state.spares.len())
        };
        matches!(file.home, Some(Home::Wal(_)))
            && is_wanted().is_some_and(|spares| spares < self.spares_that_fit())
            && is_usual()
    }

    fn forget(&self, file: &Unneeded) {
        if let Some(home) = file.home {
            self.files.forget(home);
        }
    }

    fn remove_one(&self, file: &Unneeded) {
        remove(&**self.files.disk(), &file.path);
        self.forget(file);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock panics")
    }
}
