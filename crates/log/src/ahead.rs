//! What the committer need not wait for: [`Ahead`], a thread that fills the next file of the write-ahead
//! log with zeros before it is needed, and removes the files that nothing needs.
//!
//! What must hold: the next file has a name that no recovery reads until the committer has written its
//! beginning and takes it; a file is handed over for removal only when what makes it unneeded is durable.
//! So whatever is left undone here is removed by the next start. Why: growing a file and removing one
//! changes what the file system knows of it, and waits for much more than the bytes of a frame; writes
//! over zeros change only bytes. Without room for the next file the committer does without; a disk that
//! fails ends the log, here as anywhere.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use crate::disk::{DiskFile, is_full, remove};
use crate::files::Files;
use crate::frame::DIRECTORY;
use crate::table::Home;

/// The next file, until it is taken.
pub const NEXT_FILE: &str = "wal/next";

/// With less room than for so many files, none is made ahead.
const ROOM_FILES_MIN: u64 = 4;

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

    /// Frees the room of the next file, and makes none until it is wanted again.
    pub fn call_off(&self) {
        let mut state = self.lock();
        state.is_wanted = false;
        state.is_called_off = true;
        if state.next.take().is_some() {
            remove(&**self.files.disk(), NEXT_FILE);
        }
    }

    /// Removes `unneeded`: at once when `is_urgent` or when nobody else does.
    pub fn remove(&self, unneeded: Vec<Unneeded>, is_urgent: bool) {
        let mut state = self.lock();
        if state.has_thread && !is_urgent && !state.is_closing {
            state.unneeded.extend(unneeded);
            self.work.notify_one();
            return;
        }
        drop(state);
        for file in &unneeded {
            self.remove_one(file);
        }
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
            Some(file) => self.remove_one(&file),
            None if self.is_next_missing() => return self.make_next(),
            None => {}
        }
        Ok(())
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
        if let Some(room) = disk.room()?
            && room.free_bytes < ROOM_FILES_MIN * self.file_bytes
        {
            return Ok(());
        }
        let made = disk
            .create_zeroed(NEXT_FILE, self.file_bytes)
            .and_then(|file| disk.sync_directory(DIRECTORY).map(|()| file));
        let mut state = self.lock();
        match made {
            Ok(file) if !state.is_called_off => state.next = Some(file),
            Ok(_) => remove(disk, NEXT_FILE),
            Err(error) => {
                remove(disk, NEXT_FILE);
                if !is_full(&error) {
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    fn remove_one(&self, file: &Unneeded) {
        remove(&**self.files.disk(), &file.path);
        if let Some(home) = file.home {
            self.files.forget(home);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock panics")
    }
}
