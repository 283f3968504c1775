//! The folder that a batch view stands in: [`Folder`].

use std::collections::BTreeSet;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::encoding::hex;
use crate::positions::{as_vector, of_vector};
use crate::record_map::RecordMap;
use crate::store::{Put, Store, StoreError};

use super::BatchView;
use super::manifest::{Entry, Manifest};
use super::view_file::{Saved, ViewFile};

/// Where a batch view is kept.
#[derive(Clone)]
pub struct Folder {
    store: Arc<dyn Store>,
    path: String,
    plan: String,
}

/// Why a batch view could not be read or kept.
#[derive(Debug, Error)]
pub enum FolderError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is there is of no use: it is damaged. The next epoch has to be made from nothing.
    #[error("{path}: {what}")]
    Damaged {
        /// The file.
        path: String,
        /// What is wrong.
        what: String,
        /// The epoch that it was to be, which is taken.
        epoch: u64,
    },
    /// The groups could not be made into a file.
    #[error("no file can be made of the groups: {0}")]
    Encoding(#[from] parquet::errors::ParquetError),
}

impl Folder {
    /// The folder at `path`, of a view of `plan`, which names everything that decides what it computes.
    pub fn new(store: Arc<dyn Store>, path: String, plan: &str) -> Folder {
        let plan = plan.to_owned();
        Folder { store, path, plan }
    }

    /// The newest view that is there. One of another plan is as good as none, but for its number.
    pub fn open(&self, map: &dyn RecordMap) -> Result<BatchView, FolderError> {
        let names = self.store.list(&self.path)?;
        let Some((epoch, name)) = names.iter().filter_map(|name| numbered(name)).next_back() else {
            return Ok(BatchView::empty(0));
        };
        let manifest = self.read(name, epoch)?;
        let manifest = Manifest::decode(&manifest);
        let manifest = manifest
            .map_err(|what| self.damaged(name, what, epoch))?
            .body;
        if manifest.plan != self.plan {
            return Ok(BatchView::empty(epoch));
        }
        let positions = of_vector(&manifest.positions);
        let Some(positions) = positions.filter(|_| manifest.epoch == epoch) else {
            return Err(self.damaged(name, "it is of another epoch".to_owned(), epoch));
        };
        let files = manifest.files.into_iter();
        let files = files.map(|entry| Ok(Arc::new(self.load(map, entry, epoch)?)));
        let view = BatchView {
            epoch,
            positions,
            counts: manifest.counts,
            files: files.collect::<Result<_, FolderError>>()?,
        };
        let mut ends = view.files.iter().zip(view.files.iter().skip(1));
        let ascend = |(file, next): (&Arc<ViewFile>, &Arc<ViewFile>)| {
            file.key(file.count() - 1) < next.first()
        };
        let positions: u64 = view.positions.values().sum();
        if !ends.all(ascend) || view.counts.sum() != positions {
            let what = "its files or its counts do not add up".to_owned();
            return Err(self.damaged(name, what, epoch));
        }
        Ok(view)
    }

    /// Keeps `view`, durably; gives it as it is on disk, under the first epoch that is free: one that is
    /// taken is from a try of which nobody could tell what came of it, and was never served.
    pub fn publish(&self, map: &dyn RecordMap, view: BatchView) -> Result<BatchView, FolderError> {
        let files = view.files.iter().map(|file| match file.saved() {
            Some(_) => Ok(Arc::clone(file)),
            None => self.save(map, file),
        });
        let files = files.collect::<Result<Vec<_>, FolderError>>()?;
        let mut kept = BatchView { files, ..view };
        while self.put_manifest(&kept)? == Put::Exists {
            kept.epoch += 1;
        }
        Ok(kept)
    }

    fn put_manifest(&self, view: &BatchView) -> Result<Put, FolderError> {
        let entries = view.files.iter().filter_map(|file| {
            let saved = file.saved()?;
            Some(Entry {
                name: saved.name.clone(),
                bytes: saved.bytes,
                groups: file.count() as u64,
            })
        });
        let manifest = Manifest::of(
            &self.plan,
            view.epoch,
            as_vector(&view.positions),
            view.counts,
            entries.collect(),
        );
        let path = self.path_of(&manifest_name(view.epoch));
        Ok(self.store.put_new(&path, &manifest.encode())?)
    }

    /// Removes what `view`, the newest one, does not need.
    pub fn sweep(&self, view: &BatchView) -> Result<(), FolderError> {
        let saved = view.files.iter().filter_map(|file| file.saved());
        let mut needed: BTreeSet<String> = saved.map(|saved| saved.name.clone()).collect();
        needed.insert(manifest_name(view.epoch));
        for name in self.store.list(&self.path)? {
            if !needed.contains(&name) {
                self.store.delete(&self.path_of(&name))?;
            }
        }
        Ok(())
    }

    /// Removes everything; the manifests first, so that no view is left without its files.
    pub fn remove(&self) -> Result<(), FolderError> {
        let names = self.store.list(&self.path)?;
        let (manifests, files): (Vec<_>, Vec<_>) =
            names.into_iter().partition(|name| numbered(name).is_some());
        for name in manifests.iter().rev().chain(&files) {
            self.store.delete(&self.path_of(name))?;
        }
        Ok(())
    }

    fn save(&self, map: &dyn RecordMap, file: &ViewFile) -> Result<Arc<ViewFile>, FolderError> {
        let bytes = file.encode(map)?;
        let saved = Saved {
            name: file_name(&bytes),
            bytes: bytes.len() as u64,
        };
        // One of this name has these very bytes.
        let (Put::Done | Put::Exists) = self.store.put_new(&self.path_of(&saved.name), &bytes)?;
        Ok(Arc::new(file.saved_as(saved)))
    }

    fn load(&self, map: &dyn RecordMap, entry: Entry, epoch: u64) -> Result<ViewFile, FolderError> {
        let damaged = |what: String| self.damaged(&entry.name, what, epoch);
        let bytes = self.store.read(&self.path_of(&entry.name))?;
        let bytes = bytes.ok_or_else(|| damaged("the file is gone".to_owned()))?;
        if file_name(&bytes) != entry.name {
            return Err(damaged(
                "its bytes are not those it was named by".to_owned(),
            ));
        }
        let saved = Saved {
            name: entry.name.clone(),
            bytes: entry.bytes,
        };
        let file = ViewFile::decode(map, saved, bytes).map_err(damaged)?;
        match file.count() as u64 == entry.groups {
            true => Ok(file),
            false => Err(damaged(
                "it has other groups than its manifest says".to_owned(),
            )),
        }
    }

    fn read(&self, name: &str, epoch: u64) -> Result<bytes::Bytes, FolderError> {
        let bytes = self.store.read(&self.path_of(name))?;
        bytes.ok_or_else(|| self.damaged(name, "the file is gone".to_owned(), epoch))
    }

    fn damaged(&self, name: &str, what: String, epoch: u64) -> FolderError {
        FolderError::Damaged {
            path: self.path_of(name),
            what,
            epoch,
        }
    }

    fn path_of(&self, name: &str) -> String {
        format!("{}/{name}", self.path)
    }
}

fn manifest_name(epoch: u64) -> String {
    format!("manifest-{epoch:012}.json")
}

/// The epoch of a manifest, and its name; none when it is none.
fn numbered(name: &String) -> Option<(u64, &str)> {
    let digits = name.strip_prefix("manifest-")?.strip_suffix(".json")?;
    let epoch = digits.parse().ok()?;
    (manifest_name(epoch) == *name).then_some((epoch, name))
}

fn file_name(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    format!("groups-{}.parquet", hex(&hash[..16]))
}
