//! Answers out of a batch view and the parts behind it: [`Serving`].
//!
//! Groups that no part has touched are answered as the batch view has them, finished. The others are
//! merged: what the batch view knows of them and then what each part does. Merged groups are kept from one
//! answer to the next, so that only what came in between is merged again; that decides how fast an answer
//! is and nothing else.

use std::ops::Bound;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::RecordBatch;
use arrow_select::interleave::interleave_record_batch;

use crate::batch_view::{Range, ViewFile};
use crate::cells::encode;
use crate::groups::{Group, Groups, GroupsError, finals};
use crate::part::Part;
use crate::positions::Positions;
use crate::record_map::RecordMap;
use crate::view_reader::KeyFilter;

use super::held::{Held, Pin};

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
    /// `_k0`, …, `_a0`, … of all of them; none when one has no answer.
    finals: Option<RecordBatch>,
}

impl Serving {
    /// What `held` has now, and the groups of it that pass `filters`, at least; or why a group has no
    /// answer, with what it was.
    pub fn answer(
        &self,
        held: &Held,
        map: &dyn RecordMap,
        filters: &[KeyFilter],
    ) -> (Pin, Result<Vec<RecordBatch>, GroupsError>) {
        if let Some(key) = whole_key(map, filters) {
            let pin = held.contents().pin();
            let found = point(&pin, map, &key);
            return (pin, found);
        }
        let mut merged = self.merged.lock().unwrap_or_else(PoisonError::into_inner);
        // Pinned while nobody else merges: what is merged is never ahead of the pin.
        let pin = held.contents().pin();
        let taken = advanced(merged.take(), &pin, map);
        let taken = match taken {
            Ok(taken) => taken,
            Err(error) => return (pin, Err(error)),
        };
        *merged = Some(Arc::clone(&taken));
        drop(merged);
        let rows = rows(&pin, &taken, map, filters);
        (pin, rows)
    }

    /// The groups of `pin`, which may be an older one, that pass `filters`, at least.
    pub fn answer_at(
        &self,
        pin: &Pin,
        map: &dyn RecordMap,
        filters: &[KeyFilter],
    ) -> Result<Vec<RecordBatch>, GroupsError> {
        let merged = advanced(None, pin, map)?;
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
fn advanced(
    merged: Option<Arc<Merged>>,
    pin: &Pin,
    map: &dyn RecordMap,
) -> Result<Arc<Merged>, GroupsError> {
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
        merged
            .groups
            .merge_over(part.groups.iter(), |key| pin.batch.get(key))?;
    }
    merged.through = pin.head.clone();
    merged.finals = merged.groups.finals(map, &[]).ok();
    Ok(Arc::new(merged))
}

fn nothing(pin: &Pin) -> Merged {
    Merged {
        pass: pin.pass,
        epoch: pin.batch.epoch,
        through: pin.batch.positions.clone(),
        groups: Groups::default(),
        finals: None,
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
    let mut at = 0;
    for (file, range) in pin.batch.ranges() {
        let touched = merged.groups.within(range.0, range.1);
        let touched: Vec<(&[u8], &Group)> = touched.collect();
        let from = at;
        at += touched.len();
        if (file.is_none() && touched.is_empty()) || !may_pass(range, filters) {
            continue;
        }
        let finished = file.map_or(Some(None), |file| file.finals().map(Some));
        rows.push(match (finished, &merged.finals) {
            (Some(None), Some(merged)) => merged.slice(from, touched.len()),
            (Some(Some(finished)), _) if touched.is_empty() => finished.clone(),
            (Some(Some(finished)), Some(merged)) => {
                let merged = merged.slice(from, touched.len());
                let file = file.expect("finished groups are of a file");
                interleave_record_batch(&[finished, &merged], &places(file, &touched))?
            }
            _ => one_by_one(file, &touched, map, filters)?,
        });
    }
    Ok(rows)
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
