//! Answers out of a batch view and the parts behind it: [`Serving`].
//!
//! Groups that no part has touched are answered as the batch view has them, finished. The others are
//! merged: what the batch view knows of them and then what each part does. Merged groups, and the rows they
//! came to in each range of keys, are kept from one answer to the next, so that only what came in between
//! is merged and finished again; that decides how fast an answer is and nothing else.

use std::ops::Bound;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arrow_array::RecordBatch;
use arrow_select::interleave::interleave_record_batch;

use crate::batch_view::{Range, ViewFile};
use crate::cells::encode;
use crate::groups::{Group, Groups, GroupsError, finals};
use crate::part::Part;
use crate::positions::Positions;
use crate::record_map::RecordMap;
use crate::view_reader::KeyFilter;

use super::held::{Held, NoAnswer, Pin};

/// Makes the answers of one view.
#[derive(Default)]
pub struct Serving {
    merged: Mutex<Option<Arc<Merged>>>,
}

/// The groups that parts have touched, merged.
#[derive(Clone)]
struct Merged {
    pass: u64,
    epoch: u64,
    through: Positions,
    groups: Groups,
    /// `_k0`, …, `_a0`, … of all groups in each range of the batch view, once somebody has asked; none
    /// when one of them has no answer.
    rows: Vec<OnceLock<Option<RecordBatch>>>,
}

impl Serving {
    /// What `held` has now, and the groups of it that pass `filters`, at least; or why a group has no
    /// answer, with what it was.
    pub fn answer(
        &self,
        held: &Held,
        map: &dyn RecordMap,
        filters: &[KeyFilter],
    ) -> Result<(Pin, Result<Vec<RecordBatch>, GroupsError>), NoAnswer> {
        if let Some(key) = whole_key(map, filters) {
            let pin = held.contents().answerable()?;
            let found = point(&pin, map, &key);
            return Ok((pin, found));
        }
        let mut merged = self.merged.lock().unwrap_or_else(PoisonError::into_inner);
        // Pinned while nobody else merges: what is merged is never ahead of the pin.
        let pin = held.contents().answerable()?;
        let taken = match advanced(merged.take(), &pin) {
            Ok(taken) => taken,
            Err(error) => return Ok((pin, Err(error))),
        };
        *merged = Some(Arc::clone(&taken));
        drop(merged);
        let rows = rows(&pin, &taken, map, filters);
        Ok((pin, rows))
    }

    /// The groups of `pin`, which may be an older one, that pass `filters`, at least.
    pub fn answer_at(
        &self,
        pin: &Pin,
        map: &dyn RecordMap,
        filters: &[KeyFilter],
    ) -> Result<Vec<RecordBatch>, GroupsError> {
        let merged = advanced(None, pin)?;
        rows(pin, &merged, map, filters)
    }
}

/// The bytes of the one key that passes `filters`, when there is one.
fn whole_key(map: &dyn RecordMap, filters: &[KeyFilter]) -> Option<Vec<u8>> {
    let mut key = Vec::new();
    for index in 0..map.keys().len() {
        let mut of_key = filters.iter().filter(|filter| filter.key == index);
        encode(Some(of_key.find_map(KeyFilter::equals)?), &mut key);
    }
    Some(key)
}

/// The one group of `key`.
fn point(pin: &Pin, map: &dyn RecordMap, key: &[u8]) -> Result<Vec<RecordBatch>, GroupsError> {
    let mut found = pin.batch.get(key);
    for more in pin.parts.iter().filter_map(|part| part.groups.get(key)) {
        match &mut found {
            Some(group) => group.merge(more)?,
            None => found = Some(more.clone()),
        }
    }
    let found: Vec<&Group> = found.iter().collect();
    Ok(vec![finals(map, &found)?])
}

/// What `merged` and the parts of `pin` that are not in it come to.
fn advanced(merged: Option<Arc<Merged>>, pin: &Pin) -> Result<Arc<Merged>, GroupsError> {
    let usable = merged.and_then(|merged| {
        let news = news(&merged, pin)?;
        Some((merged, news))
    });
    let (mut merged, news) = match usable {
        Some((merged, news)) if news.is_empty() => return Ok(merged),
        Some((merged, news)) => (Arc::unwrap_or_clone(merged), news),
        None => (nothing(pin), pin.parts.iter().collect()),
    };
    for part in news {
        let groups = &part.groups;
        merged
            .groups
            .merge_over(groups.iter(), |key| pin.batch.get(key))?;
        let ranges = pin.batch.ranges();
        for (rows, (_, (from, to))) in merged.rows.iter_mut().zip(ranges) {
            if groups.within(from, to).next().is_some() {
                *rows = OnceLock::new();
            }
        }
    }
    merged.through = pin.head.clone();
    Ok(Arc::new(merged))
}

fn nothing(pin: &Pin) -> Merged {
    Merged {
        pass: pin.pass,
        epoch: pin.batch.epoch,
        through: pin.batch.positions.clone(),
        groups: Groups::default(),
        rows: vec![OnceLock::new(); pin.batch.ranges().count()],
    }
}

/// The parts of `pin` that are not in `merged`; none when it is of other parts.
fn news<'a>(merged: &Merged, pin: &'a Pin) -> Option<Vec<&'a Arc<Part>>> {
    if (merged.pass, merged.epoch) != (pin.pass, pin.batch.epoch) {
        return None;
    }
    let through = |span: &crate::positions::Span| {
        let through = merged.through.get(&span.shard);
        through.copied().unwrap_or(0)
    };
    let mut news = Vec::new();
    for part in &pin.parts {
        let mut spans = part.spans.iter();
        if spans.clone().all(|span| span.from >= through(span)) {
            news.push(part);
        } else if !spans.all(|span| span.to <= through(span)) {
            // It was closed since, and is partly merged.
            return None;
        }
    }
    Some(news)
}

fn rows(
    pin: &Pin,
    merged: &Merged,
    map: &dyn RecordMap,
    filters: &[KeyFilter],
) -> Result<Vec<RecordBatch>, GroupsError> {
    let mut rows = Vec::new();
    for (kept, (file, range)) in merged.rows.iter().zip(pin.batch.ranges()) {
        if !may_pass(range, filters) {
            continue;
        }
        let touched = || -> Vec<(&[u8], &Group)> {
            let touched = merged.groups.within(range.0, range.1);
            touched.collect()
        };
        rows.push(match kept.get_or_init(|| finished(file, &touched(), map)) {
            Some(rows) => rows.clone(),
            None => one_by_one(file, &touched(), map, filters)?,
        });
    }
    Ok(rows)
}

/// `_k0`, …, `_a0`, … of the groups of a range; none when one of them has no answer.
fn finished(
    file: Option<&Arc<ViewFile>>,
    touched: &[(&[u8], &Group)],
    map: &dyn RecordMap,
) -> Option<RecordBatch> {
    let groups: Vec<&Group> = touched.iter().map(|(_, group)| *group).collect();
    match file {
        None => finals(map, &groups).ok(),
        Some(file) if touched.is_empty() => file.finals().cloned(),
        Some(file) => {
            let (untouched, merged) = (file.finals()?, finals(map, &groups).ok()?);
            interleave_record_batch(&[untouched, &merged], &places(file, touched)).ok()
        }
    }
}

/// Where the groups of a range stand, in the order of their keys: in the file (0) or, when they were
/// touched, among the merged ones (1).
fn places(file: &ViewFile, touched: &[(&[u8], &Group)]) -> Vec<(usize, usize)> {
    let mut places = Vec::with_capacity(file.count() + touched.len());
    let mut row = 0;
    for (index, (key, _)) in touched.iter().enumerate() {
        let found = file.find(key);
        let (Ok(before) | Err(before)) = found;
        places.extend((row..before).map(|row| (0, row)));
        places.push((1, index));
        row = before + usize::from(found.is_ok());
    }
    places.extend((row..file.count()).map(|row| (0, row)));
    places
}

/// Only those that pass `filters` are finished, because one that does not pass has no answer.
fn one_by_one(
    file: Option<&Arc<ViewFile>>,
    touched: &[(&[u8], &Group)],
    map: &dyn RecordMap,
    filters: &[KeyFilter],
) -> Result<RecordBatch, GroupsError> {
    let untouched = file.map_or(Ok(Groups::default()), |file| file.groups())?;
    let mut all: std::collections::BTreeMap<&[u8], &Group> = untouched.iter().collect();
    all.extend(touched.iter().copied());
    let passing = all.into_values().filter(|group| group.passes(filters));
    finals(map, &passing.collect::<Vec<_>>())
}

/// Whether a key of `range` may pass `filters`, as far as the first key tells.
fn may_pass((from, to): Range<'_>, filters: &[KeyFilter]) -> bool {
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
