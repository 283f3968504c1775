//! The files that entries are read from: [`Files`] keeps some open, and the block rows read last.
//!
//! What must hold: both are bounded, and nothing is kept of a file that has been removed, so that its
//! room is freed. The lock is never held while the disk works.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::chunk::{BlockRow, block_rows};
use crate::disk::{Disk, DiskFile, read_exactly};
use crate::limits::{INDEXES_MAX, OPEN_FILES_MAX};
use crate::place::{Extent, Home};

/// See the module.
pub struct Files {
    disk: Arc<dyn Disk>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    open: Recent<Home, Arc<dyn DiskFile>>,
    indexes: Recent<(Home, u64), Arc<[BlockRow]>>,
    /// The files forgotten last: who opened one just before must not keep it.
    forgotten: VecDeque<Home>,
}

impl Files {
    /// Of `disk`.
    pub fn new(disk: Arc<dyn Disk>) -> Files {
        Files {
            disk,
            kept: Mutex::default(),
        }
    }

    /// The disk.
    pub fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }

    /// `home`, open for reading. Blocks.
    pub fn open(&self, home: Home) -> io::Result<Arc<dyn DiskFile>> {
        if let Some(file) = self.lock().open.get(&home) {
            return Ok(file);
        }
        let file = self.disk.open(&home.to_string())?;
        let mut kept = self.lock();
        if !kept.forgotten.contains(&home) {
            kept.open.keep(home, Arc::clone(&file), OPEN_FILES_MAX);
        }
        Ok(file)
    }

    /// The rows of the blocks of `extent`, which is in a chunk. `InvalidData` when they are not what was
    /// written. Blocks.
    pub fn block_rows(&self, extent: &Extent) -> io::Result<Arc<[BlockRow]>> {
        let key = (extent.home, extent.offset);
        if let Some(rows) = self.lock().indexes.get(&key) {
            return Ok(rows);
        }
        let mut bytes = vec![0; extent.bytes as usize];
        read_exactly(&*self.open(extent.home)?, extent.offset, &mut bytes)?;
        let rows =
            block_rows(&bytes).map_err(|bad| io::Error::new(io::ErrorKind::InvalidData, bad))?;
        let rows: Arc<[BlockRow]> = rows.into();
        let mut kept = self.lock();
        if !kept.forgotten.contains(&extent.home) {
            kept.indexes.keep(key, Arc::clone(&rows), INDEXES_MAX);
        }
        Ok(rows)
    }

    /// Keeps nothing of `home` any more.
    pub fn forget(&self, home: Home) {
        let mut kept = self.lock();
        kept.open.retain(|key| *key != home);
        kept.indexes.retain(|(key, _)| *key != home);
        kept.forgotten.push_back(home);
        if kept.forgotten.len() > OPEN_FILES_MAX {
            kept.forgotten.pop_front();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().expect("no holder of this lock panics")
    }
}

/// What was used last.
struct Recent<Key, Value> {
    values: BTreeMap<Key, (u64, Value)>,
    turn: u64,
}

impl<Key, Value> Default for Recent<Key, Value> {
    fn default() -> Recent<Key, Value> {
        Recent {
            values: BTreeMap::new(),
            turn: 0,
        }
    }
}

impl<Key: Ord + Copy, Value: Clone> Recent<Key, Value> {
    fn get(&mut self, key: &Key) -> Option<Value> {
        self.turn += 1;
        let (used, value) = self.values.get_mut(key)?;
        *used = self.turn;
        Some(value.clone())
    }

    fn keep(&mut self, key: Key, value: Value, count_max: usize) {
        self.turn += 1;
        self.values.insert(key, (self.turn, value));
        if self.values.len() > count_max {
            let oldest = self.values.iter().min_by_key(|(_, (used, _))| *used);
            if let Some(oldest) = oldest.map(|(key, _)| *key) {
                self.values.remove(&oldest);
            }
        }
    }

    fn retain(&mut self, is_kept: impl Fn(&Key) -> bool) {
        self.values.retain(|key, _| is_kept(key));
    }
}
