//! Answers out of a batch view and the parts behind it: [`Serving`].
//!
//! Groups that no part has touched are answered as the batch view has them, finished. The others are
//! merged: what the batch view knows of them and then what each part does. Merged groups and the rows they
//! came to are kept from one answer to the next, so that only what came in between is merged and finished
//! again; that decides how fast an answer is and nothing else. Whoever puts parts together, or swaps the
//! batch view, says so before: then what is kept stays of use.

use std::sync::{Mutex, MutexGuard, PoisonError};

use arrow_array::RecordBatch;

use crate::cells::encode;
use crate::groups::{Group, Groups, GroupsError, finals};
use crate::limits::PAGE_GROUPS;
use crate::part::{Part, follow};
use crate::positions::{Positions, Span};
use crate::record_map::RecordMap;
use crate::view_reader::KeyFilter;

use super::pages::Pages;
use super::pin::{NoAnswer, Pin};

/// Makes the answers of one view.
pub struct Serving {
    page_groups: usize,
    merged: Mutex<Option<Merged>>,
}

/// What the answers of one batch view are made of.
pub struct Merged {
    pass: u64,
    epoch: u64,
    /// One past the last position of each shard that is merged.
    through: Positions,
    /// The groups that parts have touched.
    groups: Groups,
    /// What all groups came to.
    pages: Pages,
    /// Whether somebody has asked.
    is_asked: bool,
}

/// What a view has at one moment, and the groups of it or why one of them has no answer.
pub type Answer = (Pin, Result<Vec<RecordBatch>, GroupsError>);

/// The groups of `pin`, which may be an older one, that pass `filters`, at least. Nothing is kept for others.
pub fn answer_at(
    pin: &Pin,
    map: &dyn RecordMap,
    filters: &[KeyFilter],
) -> Result<Vec<RecordBatch>, GroupsError> {
    match whole_key(map, filters) {
        Some(key) => point(pin, map, &key),
        None => Merged::of(pin, PAGE_GROUPS)?.rows(map, filters),
    }
}

impl Serving {
    /// With rows in pages of `page_groups` groups.
    pub fn new(page_groups: usize) -> Serving {
        Serving {
            page_groups,
            merged: Mutex::default(),
        }
    }

    /// What `newest` gives, and the groups of it that pass `filters`, at least.
    pub fn answer(
        &self,
        newest: impl FnOnce() -> Result<Pin, NoAnswer>,
        map: &dyn RecordMap,
        filters: &[KeyFilter],
    ) -> Result<Answer, NoAnswer> {
        if let Some(key) = whole_key(map, filters) {
            let pin = newest()?;
            let found = point(&pin, map, &key);
            return Ok((pin, found));
        }
        let mut kept = self.merged();
        // Pinned while nobody else merges: what is merged is never ahead of the pin.
        let pin = newest()?;
        let usable = kept.take().and_then(|merged| merged.advanced(&pin));
        let merged = usable.unwrap_or_else(|| Merged::of(&pin, self.page_groups));
        let rows = merged.and_then(|merged| {
            let merged = kept.insert(merged);
            merged.is_asked = true;
            merged.rows(map, filters)
        });
        Ok((pin, rows))
    }

    /// Merges what `newest` gives. To be called before some of its parts are put together: one that is merged
    /// in part would be of no use.
    pub fn keep_up(&self, newest: impl FnOnce() -> Pin) {
        let mut kept = self.merged();
        // In this order everywhere: first what is merged is held, and then what there is.
        let pin = newest();
        // A group that cannot be merged is told to the next who asks.
        *kept = kept.take().and_then(|merged| merged.advanced(&pin)?.ok());
    }

    /// What the answers of `pin`, which comes next, are made of, if there have been any of the one before.
    pub fn prepared(&self, pin: &Pin, map: &dyn RecordMap) -> Option<Merged> {
        let is_asked = self.merged().as_ref().is_some_and(|kept| kept.is_asked);
        if !is_asked {
            return None;
        }
        let mut merged = Merged::of(pin, self.page_groups).ok()?;
        merged.rows(map, &[]).ok()?;
        Some(merged)
    }

    /// Does `exchange`, which takes another batch view, and keeps `prepared` for it.
    pub fn exchange(&self, prepared: Option<Merged>, exchange: impl FnOnce()) {
        let mut kept = self.merged();
        exchange();
        *kept = prepared;
    }

    fn merged(&self) -> MutexGuard<'_, Option<Merged>> {
        self.merged.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Merged {
    /// Of all that `pin` has.
    fn of(pin: &Pin, page_groups: usize) -> Result<Merged, GroupsError> {
        let mut merged = Merged {
            pass: pin.pass,
            epoch: pin.batch.epoch,
            through: pin.batch.positions.clone(),
            groups: Groups::default(),
            pages: Pages::of(&pin.batch, page_groups),
            is_asked: false,
        };
        for part in &pin.parts {
            merged.add(pin, part)?;
        }
        Ok(merged)
    }

    /// With what `pin` has besides; nothing when it is of another batch view.
    fn advanced(mut self, pin: &Pin) -> Option<Result<Merged, GroupsError>> {
        if (self.pass, self.epoch) != (pin.pass, pin.batch.epoch) {
            return None;
        }
        for part in &pin.parts {
            let end = |span: &Span| self.through.get(&span.shard).copied().unwrap_or(0);
            if part.spans.iter().all(|span| span.to <= end(span)) {
                continue;
            }
            if part.spans.iter().any(|span| span.from != end(span)) {
                return None;
            }
            if let Err(error) = self.add(pin, part) {
                return Some(Err(error));
            }
        }
        Some(Ok(self))
    }

    fn add(&mut self, pin: &Pin, part: &Part) -> Result<(), GroupsError> {
        // What does not begin where it should is found by the check of the answer.
        let _ = follow(&mut self.through, &part.spans);
        let groups = part.groups.iter();
        self.groups.merge_over(groups, |key| pin.batch.get(key))?;
        for (key, _) in part.groups.iter() {
            self.pages.change(key);
        }
        Ok(())
    }

    fn rows(
        &mut self,
        map: &dyn RecordMap,
        filters: &[KeyFilter],
    ) -> Result<Vec<RecordBatch>, GroupsError> {
        self.pages.rows(&self.groups, map, filters)
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
