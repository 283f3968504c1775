//! The batch view: what all records up to a vector of positions came to, [`BatchView`].
//!
//! ```text
//! <folder>/groups-9f0c3a…c1.parquet      groups in the order of their keys, never changed
//! <folder>/manifest-000000000042.json    which of these files are the view, up to which positions
//! ```
//!
//! Groups stand in files of ranges of keys. To absorb what comes next is to write the files whose ranges it
//! touches anew and to put one manifest that names them beside the others. What must hold: files are
//! durable before the manifest that names them, and a manifest is put only where none is; so a crash leaves
//! the view before or the view after, and files that nobody names, which [`Folder::sweep`] removes. A file
//! or a manifest that is damaged is refused, and the view made anew from the master dataset.

mod view_file;
mod manifest;
mod folder;

pub use folder::{Folder, FolderError};
pub use view_file::{ViewFile, find};

use std::ops::Bound;
use std::sync::Arc;

use crate::groups::{Group, Groups, GroupsError};
use crate::part::{Counts, Part, follow};
use crate::positions::Positions;
use crate::record_map::RecordMap;

/// What all records before some positions came to.
#[derive(Clone, Default)]
pub struct BatchView {
    /// How many times it was swapped for a newer one.
    pub epoch: u64,
    /// One past the last position of each shard that is in it.
    pub positions: Positions,
    /// What became of the positions.
    pub counts: Counts,
    /// The groups, in ranges of keys, in their order.
    pub files: Vec<Arc<ViewFile>>,
}

impl BatchView {
    /// Of no records, as it is before the first epoch or in place of one that is of no use any more.
    pub fn empty(epoch: u64) -> BatchView {
        BatchView {
            epoch,
            ..BatchView::default()
        }
    }

    /// The group whose key has these bytes.
    pub fn get(&self, key: &[u8]) -> Option<Group> {
        let at = self.files.partition_point(|file| file.first() <= key);
        let file = &self.files[at.checked_sub(1)?];
        file.find(key).ok().map(|row| file.group(row))
    }

    /// How many groups it has.
    pub fn len(&self) -> usize {
        self.files.iter().map(|file| file.count()).sum()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// All its groups.
    pub fn groups(&self) -> Result<Groups, GroupsError> {
        let mut groups = Groups::default();
        for file in &self.files {
            groups.merge(&file.groups()?)?;
        }
        Ok(groups)
    }

    /// The view with `part`, which comes next, in it. Files whose ranges `part` does not touch stay; new
    /// ones have at most `file_groups` groups.
    ///
    /// # Panics
    /// When `part` begins elsewhere than where the view ends.
    pub fn absorbed(
        &self,
        map: &dyn RecordMap,
        part: &Part,
        file_groups: usize,
    ) -> Result<BatchView, GroupsError> {
        let mut next = self.clone();
        next.epoch += 1;
        let followed = follow(&mut next.positions, &part.spans);
        assert_eq!(followed, Ok(()), "a batch view absorbs what comes next");
        next.counts.add(part.counts);
        if part.groups.is_empty() {
            return Ok(next);
        }
        next.files.clear();
        for (file, (from, to)) in self.ranges() {
            let mut touching = part.groups.within(from, to).peekable();
            match file {
                Some(file) if touching.peek().is_none() => next.files.push(Arc::clone(file)),
                file => {
                    let mut groups = match file {
                        Some(file) => file.groups()?,
                        None => Groups::default(),
                    };
                    groups.merge_each(touching)?;
                    next.files.extend(
                        ViewFile::cut(map, &groups, file_groups)?
                            .into_iter()
                            .map(Arc::new),
                    );
                }
            }
        }
        Ok(next)
    }

    /// The files with the range of keys that each stands for: together all keys there can be. A view
    /// without files has one range and no file.
    pub fn ranges(&self) -> impl Iterator<Item = (Option<&Arc<ViewFile>>, Range<'_>)> {
        let count = self.files.len().max(1);
        (0..count).map(|index| {
            let from = match index {
                0 => Bound::Unbounded,
                _ => Bound::Included(self.files[index].first()),
            };
            let next = self.files.get(index + 1);
            let to = next.map_or(Bound::Unbounded, |next| Bound::Excluded(next.first()));
            (self.files.get(index), (from, to))
        })
    }
}

/// From a key on, before another one.
pub type Range<'a> = (Bound<&'a [u8]>, Bound<&'a [u8]>);

#[cfg(test)]
mod tests;
