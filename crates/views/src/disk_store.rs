//! A [`Store`] on a [`Disk`]: [`DiskStore`].
//!
//! A file is written and synced beside its place and then given its name, which fails when another has
//! it; then the folder is synced. So after a crash there are whole files, and unfinished ones, which no
//! call shows and the next listing removes. When a folder could not be synced, nobody knows which names
//! will last: from then on nothing is taken, until a restart lists the folder anew.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;

use tidemill_log::Disk;
use tidemill_log::disk::write_unfinished;
use tidemill_log::disk::{UNFINISHED, join, put_in_place, put_new_in_place, read_whole};
use tidemill_model::Determinacy;

use crate::store::{Put, Store, StoreError};

/// Files on a disk.
pub struct DiskStore {
    disk: Arc<dyn Disk>,
    /// One file is written at a time, or two could write beside one place.
    writing: Mutex<Writing>,
}

#[derive(Default)]
struct Writing {
    /// Folders that exist.
    folders: BTreeSet<String>,
    /// Why nothing is taken any more.
    poisoned: Option<String>,
}

impl DiskStore {
    /// The files of `disk`.
    pub fn new(disk: Arc<dyn Disk>) -> DiskStore {
        DiskStore {
            disk,
            writing: Mutex::default(),
        }
    }

    fn write(&self, path: &str) -> Result<MutexGuard<'_, Writing>, StoreError> {
        let writing = self.writing.lock().expect("no holder of this lock panics");
        match &writing.poisoned {
            None => Ok(writing),
            Some(detail) => Err(StoreError {
                path: path.to_owned(),
                detail: format!("nothing is taken until a restart: {detail}"),
                determinacy: Determinacy::Determinate,
            }),
        }
    }

    /// Makes the folders on the way to `folder`.
    fn make(&self, writing: &mut Writing, folder: &str) -> io::Result<()> {
        let ends = folder.match_indices('/').map(|(at, _)| at);
        for end in ends.chain([folder.len()]) {
            let part = &folder[..end];
            if !part.is_empty() && !writing.folders.contains(part) {
                self.disk.create_directory(part)?;
                writing.folders.insert(part.to_owned());
            }
        }
        Ok(())
    }

    /// Writes `bytes` beside `path`.
    fn prepare(&self, writing: &mut Writing, path: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let (folder, name) = split(path);
        let prepared = self
            .make(writing, folder)
            .and_then(|()| write_unfinished(&*self.disk, folder, name, bytes));
        prepared.map_err(|error| failed(path, &error))
    }
}

impl Writing {
    fn poison(&mut self, path: &str, error: &io::Error) -> StoreError {
        self.poisoned = Some(error.to_string());
        StoreError {
            determinacy: Determinacy::Indeterminate,
            ..failed(path, error)
        }
    }
}

fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

fn failed(path: &str, error: &io::Error) -> StoreError {
    StoreError {
        path: path.to_owned(),
        detail: error.to_string(),
        determinacy: Determinacy::Determinate,
    }
}

impl Store for DiskStore {
    fn put_new(&self, path: &str, bytes: &[u8]) -> Result<Put, StoreError> {
        let mut writing = self.write(path)?;
        self.prepare(&mut writing, path, bytes)?;
        let (folder, name) = split(path);
        match put_new_in_place(&*self.disk, folder, name) {
            Ok(true) => Ok(Put::Done),
            Ok(false) => Ok(Put::Exists),
            Err(error) => Err(writing.poison(path, &error)),
        }
    }

    fn replace(&self, path: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let mut writing = self.write(path)?;
        self.prepare(&mut writing, path, bytes)?;
        let (folder, name) = split(path);
        put_in_place(&*self.disk, folder, name).map_err(|error| writing.poison(path, &error))
    }

    fn read(&self, path: &str) -> Result<Option<Bytes>, StoreError> {
        match read_whole(&*self.disk, path) {
            Ok(bytes) => Ok(Some(bytes.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(path, &error)),
        }
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        let mut writing = self.write(folder)?;
        let names = match self.disk.list(folder) {
            Ok(names) => names,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(folder, &error)),
        };
        let (unfinished, mut names): (Vec<_>, Vec<_>) = names
            .into_iter()
            .partition(|name| name.ends_with(UNFINISHED));
        for name in unfinished {
            let removed = self.disk.remove(&join(folder, &name));
            removed.map_err(|error| failed(folder, &error))?;
        }
        // A process that died before it synced the folder leaves names that may not last.
        if let Err(error) = self.disk.sync_directory(folder) {
            return Err(writing.poison(folder, &error));
        }
        names.sort();
        Ok(names)
    }

    fn delete(&self, path: &str) -> Result<(), StoreError> {
        let _writing = self.write(path)?;
        match self.disk.remove(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(path, &error)),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use tidemill_testkit::{DiskFailure, SimDisk};

    use crate::store::conforms;

    use super::*;

    fn store(disk: &SimDisk) -> DiskStore {
        DiskStore::new(Arc::new(disk.clone()))
    }

    #[test]
    fn a_file_is_put_once_and_lasts() {
        let disk = SimDisk::new();
        assert_eq!(store(&disk).put_new("a/b/one", b"1"), Ok(Put::Done));
        assert_eq!(store(&disk).put_new("a/b/one", b"2"), Ok(Put::Exists));
        disk.crash(1);
        let store = store(&disk);
        assert_eq!(store.read("a/b/one"), Ok(Some(Bytes::from_static(b"1"))));
        assert_eq!(store.list("a/b"), Ok(vec!["one".to_owned()]));
    }

    #[test]
    fn it_does_what_a_store_does() {
        conforms(&store(&SimDisk::new()));
    }

    #[test]
    fn what_was_not_finished_is_not_listed_and_goes() {
        let disk = SimDisk::new();
        store(&disk).put_new("a/one", b"1").unwrap();
        write_unfinished(&disk, "a", "two", b"half").unwrap();
        assert_eq!(store(&disk).list("a"), Ok(vec!["one".to_owned()]));
        assert_eq!(disk.files(), [("a/one".to_owned(), 1)]);
    }

    #[test]
    fn a_failed_write_is_determinate_and_a_failed_name_ends_everything_until_a_restart() {
        let whole = SimDisk::new();
        store(&whole).put_new("a/one", b"1").unwrap();
        let mut indeterminate = 0;
        for io in 1..=whole.io_count() {
            let disk = SimDisk::new();
            disk.fail_at(io, DiskFailure::Broken);
            let first = store(&disk);
            let error = first.put_new("a/one", b"1").unwrap_err();
            let again = first.put_new("a/two", b"2");
            match error.determinacy {
                Determinacy::Determinate => assert_eq!(again, Ok(Put::Done), "I/O {io}"),
                Determinacy::Indeterminate => {
                    indeterminate += 1;
                    assert!(again.is_err() && first.list("a").is_err(), "I/O {io}");
                    assert!(store(&disk).list("a").is_ok(), "I/O {io}");
                }
            }
        }
        assert_eq!(indeterminate, 3);
    }
}
