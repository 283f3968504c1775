//! Rows of groups, kept from one answer to the next: [`Pages`].
//!
//! The groups of a view stand in pages of neighbouring keys. A page keeps the rows that its groups came to;
//! when some of them change, these alone are finished again and put in their places, and the rows of other
//! pages are given out as they are. What must hold: pages together are all keys there can be, in their
//! order; the rows of a page are those of all its groups, as they were last merged.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Bound, Range};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, BinaryArray, RecordBatch};
use arrow_select::interleave::{interleave, interleave_record_batch};

use crate::batch_view::{self, BatchView, ViewFile, find};
use crate::cells::encode;
use crate::groups::{Group, Groups, GroupsError, finals};
use crate::record_map::RecordMap;
use crate::view_reader::KeyFilter;

/// All groups of a view.
pub struct Pages {
    /// In the order of their keys.
    pages: Vec<Page>,
    /// Groups of one, at most twice so many.
    page_groups: usize,
}

/// Groups of a range of keys.
struct Page {
    /// Where the keys begin; they end where the next page begins.
    from: Box<[u8]>,
    /// The rows in a batch view that they have.
    file: Option<(Arc<ViewFile>, Range<usize>)>,
    kept: Kept,
    /// The keys of groups that have changed since the rows were made.
    changed: BTreeSet<Box<[u8]>>,
}

enum Kept {
    /// Nobody has asked.
    Nothing,
    Rows(Rows),
    /// One of the groups has no answer.
    NoAnswer,
}

/// Groups in the order of their keys.
struct Rows {
    /// The bytes of the keys.
    keys: BinaryArray,
    /// `_k0`, …, `_a0`, ….
    finals: RecordBatch,
}

impl Pages {
    /// The groups of `batch`.
    pub fn of(batch: &BatchView, page_groups: usize) -> Pages {
        let mut pages = Vec::new();
        for (file, (from, _)) in batch.ranges() {
            let first = match from {
                Bound::Included(first) => first,
                _ => &[],
            };
            match file {
                None => pages.push(Page::new(first, None)),
                Some(file) => pages.extend((0..file.count()).step_by(page_groups).map(|row| {
                    let from = if row == 0 { first } else { file.key(row) };
                    let rows = row..(row + page_groups).min(file.count());
                    Page::new(from, Some((Arc::clone(file), rows)))
                })),
            }
        }
        Pages { pages, page_groups }
    }

    /// Notes that the group with these bytes as its key has changed.
    pub fn change(&mut self, key: &[u8]) {
        let behind = self.pages.partition_point(|page| *page.from <= *key);
        let page = &mut self.pages[behind - 1];
        if !matches!(page.kept, Kept::Nothing) && !page.changed.contains(key) {
            page.changed.insert(key.into());
        }
    }

    /// The rows of the groups that pass `filters`, at least. Those that have changed since the batch view are
    /// `merged`.
    pub fn rows(
        &mut self,
        merged: &Groups,
        map: &dyn RecordMap,
        filters: &[KeyFilter],
    ) -> Result<Vec<RecordBatch>, GroupsError> {
        let mut rows = Vec::with_capacity(self.pages.len());
        let mut rest = self.pages.as_mut_slice();
        while let Some((page, behind)) = rest.split_first_mut() {
            let to = behind.first().map(|next| &*next.from);
            let to = to.map_or(Bound::Unbounded, Bound::Excluded);
            if may_pass((Bound::Included(&page.from), to), filters) {
                rows.push(page.rows(to, merged, map, filters)?);
            }
            rest = behind;
        }
        let most = 2 * self.page_groups;
        if self.pages.iter().any(|page| page.is_larger(most)) {
            let pages = std::mem::take(&mut self.pages).into_iter();
            self.pages = pages
                .flat_map(|page| match page.is_larger(most) {
                    true => page.split(self.page_groups),
                    false => vec![page],
                })
                .collect();
        }
        Ok(rows)
    }
}

impl Page {
    fn new(from: &[u8], file: Option<(Arc<ViewFile>, Range<usize>)>) -> Page {
        Page {
            from: from.into(),
            file,
            kept: Kept::Nothing,
            changed: BTreeSet::new(),
        }
    }

    fn rows(
        &mut self,
        to: Bound<&[u8]>,
        merged: &Groups,
        map: &dyn RecordMap,
        filters: &[KeyFilter],
    ) -> Result<RecordBatch, GroupsError> {
        let changed = std::mem::take(&mut self.changed);
        let kept = std::mem::replace(&mut self.kept, Kept::NoAnswer);
        self.kept = match kept {
            Kept::NoAnswer if changed.is_empty() => Kept::NoAnswer,
            Kept::Rows(rows) => {
                let groups = changed.iter().map(|key| {
                    let group = merged.get(key);
                    (&**key, group.expect("what has changed is merged"))
                });
                Kept::of(rows.with(&groups.collect::<Vec<_>>(), map))
            }
            Kept::Nothing | Kept::NoAnswer => Kept::of(self.made(to, merged, map)),
        };
        match &self.kept {
            Kept::Rows(rows) => Ok(rows.finals.clone()),
            _ => self.one_by_one(to, merged, map, filters),
        }
    }

    /// All rows; none when one of the groups has no answer.
    fn made(&self, to: Bound<&[u8]>, merged: &Groups, map: &dyn RecordMap) -> Option<Rows> {
        let groups: Vec<_> = merged.within(Bound::Included(&self.from), to).collect();
        let rows = match &self.file {
            None => return Rows::of(&groups, map),
            Some((file, rows)) => Rows {
                keys: file.keys().slice(rows.start, rows.len()),
                finals: file.finals()?.slice(rows.start, rows.len()),
            },
        };
        rows.with(&groups, map)
    }

    /// Only those that pass `filters` are finished, because one that does not pass has no answer.
    fn one_by_one(
        &self,
        to: Bound<&[u8]>,
        merged: &Groups,
        map: &dyn RecordMap,
        filters: &[KeyFilter],
    ) -> Result<RecordBatch, GroupsError> {
        let in_file = self.file.iter().flat_map(|(file, rows)| {
            let groups = rows.clone().map(|row| (file.key(row), file.group(row)));
            groups.collect::<Vec<_>>()
        });
        let in_file: Vec<(&[u8], Group)> = in_file.collect();
        let mut all: BTreeMap<&[u8], &Group> = BTreeMap::new();
        all.extend(in_file.iter().map(|(key, group)| (*key, group)));
        all.extend(merged.within(Bound::Included(&self.from), to));
        let passing = all.into_values().filter(|group| group.passes(filters));
        finals(map, &passing.collect::<Vec<_>>())
    }

    /// Not as long as some of its rows are of before a change: the pieces would not know of it.
    fn is_larger(&self, most: usize) -> bool {
        self.changed.is_empty() && matches!(&self.kept, Kept::Rows(rows) if rows.keys.len() > most)
    }

    /// As pages of `page_groups` groups, when it has rows.
    fn split(self, page_groups: usize) -> Vec<Page> {
        let Page { from, file, .. } = &self;
        let Kept::Rows(rows) = &self.kept else {
            return vec![self];
        };
        let starts = (0..rows.keys.len()).step_by(page_groups);
        let pages = starts.map(|start| {
            let count = page_groups.min(rows.keys.len() - start);
            let first = match start {
                0 => &**from,
                _ => rows.keys.value(start),
            };
            let file = file.as_ref().map(|(file, all)| {
                let end = start + count;
                let row = |at| match at {
                    0 => all.start,
                    at if at == rows.keys.len() => all.end,
                    at => find(file.keys(), rows.keys.value(at)).unwrap_or_else(|before| before),
                };
                (Arc::clone(file), row(start)..row(end))
            });
            Page {
                kept: Kept::Rows(rows.slice(start, count)),
                ..Page::new(first, file)
            }
        });
        pages.collect()
    }
}

impl Kept {
    fn of(rows: Option<Rows>) -> Kept {
        rows.map_or(Kept::NoAnswer, Kept::Rows)
    }
}

impl Rows {
    /// Of `groups`, which are in the order of their keys; none when one of them has no answer.
    fn of(groups: &[(&[u8], &Group)], map: &dyn RecordMap) -> Option<Rows> {
        let only: Vec<&Group> = groups.iter().map(|(_, group)| *group).collect();
        Some(Rows {
            keys: BinaryArray::from_iter_values(groups.iter().map(|(key, _)| key)),
            finals: finals(map, &only).ok()?,
        })
    }

    /// With `groups`, which are in the order of their keys, in place of those of the same keys.
    fn with(self, groups: &[(&[u8], &Group)], map: &dyn RecordMap) -> Option<Rows> {
        if groups.is_empty() {
            return Some(self);
        }
        let news = Rows::of(groups, map)?;
        let (places, is_grown) = places(&self.keys, &news.keys);
        let keys = match is_grown {
            false => self.keys,
            true => {
                let keys = interleave(&[&self.keys, &news.keys], &places).ok()?;
                keys.as_binary().clone()
            }
        };
        let finals = interleave_record_batch(&[&self.finals, &news.finals], &places).ok()?;
        Some(Rows { keys, finals })
    }

    fn slice(&self, from: usize, count: usize) -> Rows {
        Rows {
            keys: self.keys.slice(from, count),
            finals: self.finals.slice(from, count),
        }
    }
}

/// Where groups stand, in the order of their keys: among `kept` (0) or, when they are there, among `news`
/// (1); and whether some are in `news` alone.
fn places(kept: &BinaryArray, news: &BinaryArray) -> (Vec<(usize, usize)>, bool) {
    let mut places = Vec::with_capacity(kept.len() + news.len());
    let mut row = 0;
    for index in 0..news.len() {
        let found = find(kept, news.value(index));
        let (Ok(before) | Err(before)) = found;
        places.extend((row..before).map(|row| (0, row)));
        places.push((1, index));
        row = before + usize::from(found.is_ok());
    }
    places.extend((row..kept.len()).map(|row| (0, row)));
    let is_grown = places.len() > kept.len();
    (places, is_grown)
}

/// Whether a key of `range` may pass `filters`, as far as the first key tells.
fn may_pass((from, to): batch_view::Range<'_>, filters: &[KeyFilter]) -> bool {
    let bytes = |bound: &Bound<crate::value::Value>| match bound {
        Bound::Included(value) | Bound::Excluded(value) => {
            let mut bytes = Vec::new();
            encode(Some(value), &mut bytes);
            Some(bytes)
        }
        Bound::Unbounded => None,
    };
    filters
        .iter()
        .filter(|filter| filter.key == 0)
        .all(|filter| {
            let least = bytes(&filter.from);
            let greatest = bytes(&filter.to);
            let is_before = match (to, &least) {
                (Bound::Excluded(end), Some(least)) => end <= least.as_slice(),
                _ => false,
            };
            let is_behind = match (from, &greatest) {
                (Bound::Included(first), Some(greatest)) => {
                    first > greatest.as_slice() && !first.starts_with(greatest)
                }
                _ => false,
            };
            !is_before && !is_behind
        })
}
