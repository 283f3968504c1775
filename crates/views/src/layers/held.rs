//! What a view holds: its batch view and what came behind it, in parts, [`Held`]; and what an answer is
//! made of, [`Pin`].
//!
//! Parts are never changed. A record is added by putting a part of its own behind the others, parts that
//! follow one another are put together into one, and absorbing takes a new batch view and drops the parts
//! that are in it, in one step. So whoever has pinned the parts of one moment can take its time. What must
//! hold: batch view and parts tile, shard by shard, from 0 to the head; what became of the records adds up
//! to that, in each of them. Both are checked for every answer.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use tidemill_model::Timestamp;

use crate::batch_view::BatchView;
use crate::groups::GroupsError;
use crate::limits::{ANSWERS_REMEMBERED, CLOSED_PARTS_MAX, EPOCHS_REMEMBERED, OPEN_PARTS_MAX};
use crate::part::{Audits, Counts, Part, follow};
use crate::positions::Positions;
use crate::record_map::RecordMap;
use crate::service::Upkeep;
use crate::view_reader::KeyFilter;

use super::pin::{NoAnswer, Pin};
use super::serving::{Answer, Serving};

/// What is known at one moment.
#[derive(Clone, Default)]
pub struct Contents {
    /// What the batch layer has.
    pub batch: Arc<BatchView>,
    /// What came behind that, in the order in which it was added.
    pub parts: Vec<Arc<Part>>,
    /// How many of the parts, the first, are closed: only these are absorbed.
    pub closed: usize,
    /// One past the last position of each shard that is in them.
    pub head: Positions,
    /// Why there is no answer, for good.
    broken: Option<String>,
    /// When it was last known to have everything.
    pub complete_at: Timestamp,
    /// What there was when this pass began; nothing is answered before it has that.
    target: Option<Positions>,
    /// How often the parts have begun anew. What was read before the last time is not added after it.
    pass: u64,
    /// What was answered, the newest last.
    remembered: VecDeque<Arc<Pin>>,
}

impl Contents {
    /// Whether there are answers. One before all is there again that was there when this pass began would
    /// be older than one that was given before.
    pub fn check(&self) -> Result<(), NoAnswer> {
        if let Some(why) = &self.broken {
            return Err(NoAnswer::Broken(why.clone()));
        }
        let target = self.target.as_ref().ok_or(NoAnswer::Beginning)?;
        let missing = target.iter().map(|(shard, end)| {
            let reached = self.head.get(shard).copied().unwrap_or(0);
            end.saturating_sub(reached)
        });
        match missing.sum() {
            0 => Ok(()),
            missing => Err(NoAnswer::Missing { missing }),
        }
    }

    /// What an answer of now is made of, if there is one.
    pub fn answerable(&self) -> Result<Pin, NoAnswer> {
        self.check()?;
        Ok(self.pin())
    }

    /// What there is now, whether or not it may be answered.
    pub fn pin(&self) -> Pin {
        Pin {
            pass: self.pass,
            batch: Arc::clone(&self.batch),
            parts: self.parts.clone(),
            head: self.head.clone(),
        }
    }

    /// What an answer at `wanted` is made of, when that is where parts end or was answered lately.
    pub fn pin_at(&self, wanted: &Positions) -> Option<Pin> {
        let remembered = self.remembered.iter().rev();
        if let Some(pin) = remembered.into_iter().find(|pin| pin.head == *wanted) {
            return Some(Pin::clone(pin));
        }
        let mut head = self.batch.positions.clone();
        let mut parts = Vec::new();
        let mut rest = self.parts.iter();
        while head != *wanted {
            let part = rest.next()?;
            follow(&mut head, &part.spans).ok()?;
            parts.push(Arc::clone(part));
        }
        Some(Pin {
            parts,
            head,
            ..self.pin()
        })
    }

    fn forget_old(&mut self) {
        let epoch = self.batch.epoch;
        let is_old = |pin: &Arc<Pin>| pin.batch.epoch + EPOCHS_REMEMBERED <= epoch;
        while self.remembered.len() > ANSWERS_REMEMBERED
            || self.remembered.front().is_some_and(is_old)
        {
            self.remembered.pop_front();
        }
    }
}

/// What a view holds; shared by those who add, absorb and read.
pub struct Held {
    contents: Mutex<Contents>,
    /// Held by who puts parts together, which takes its time.
    combining: Mutex<()>,
    audits: Mutex<Audits>,
    serving: Serving,
    /// Counts changes.
    changes: watch::Sender<u64>,
}

impl Held {
    /// Nothing, whose rows will stand in pages of `page_groups` groups.
    pub fn new(page_groups: usize) -> Held {
        Held {
            contents: Mutex::default(),
            combining: Mutex::default(),
            audits: Mutex::default(),
            serving: Serving::new(page_groups),
            changes: watch::Sender::default(),
        }
    }

    /// What it holds now.
    pub fn contents(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().expect("no holder of this lock panics")
    }

    /// Tells of changes.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Begins anew behind `batch`.
    pub fn begin(&self, batch: BatchView) {
        let mut contents = self.contents();
        *contents = Contents {
            pass: contents.pass + 1,
            head: batch.positions.clone(),
            batch: Arc::new(batch),
            remembered: std::mem::take(&mut contents.remembered),
            broken: contents.broken.take(),
            ..Contents::default()
        };
        contents.forget_old();
    }

    /// The pass that records are added in.
    pub fn pass(&self) -> u64 {
        self.contents().pass
    }

    /// Says what there was when this pass began, once.
    pub fn aim(&self, pass: u64, target: Positions) {
        let mut contents = self.contents();
        if contents.pass == pass {
            contents.target.get_or_insert(target);
        }
        drop(contents);
        self.changed();
    }

    /// Whether something was added since it began.
    pub fn is_aimed(&self) -> bool {
        self.contents().target.is_some()
    }

    /// Puts `part` behind the others. Nothing is done when it begins elsewhere than where its shards end:
    /// after a failure records may be read again while those that were read before are being added.
    pub fn push(&self, pass: u64, part: Part) {
        let mut contents = self.contents();
        let mut head = contents.head.clone();
        if contents.pass != pass || follow(&mut head, &part.spans).is_err() {
            return;
        }
        contents.head = head;
        contents.parts.push(Arc::new(part));
        drop(contents);
        self.changed();
    }

    /// From now on there is no answer, because of `why`.
    pub fn break_for(&self, why: String) {
        self.contents().broken.get_or_insert(why);
        self.changed();
    }

    /// Remembers an answer, so that it can be given again.
    pub fn remember(&self, pin: Pin) {
        let mut contents = self.contents();
        if contents
            .remembered
            .back()
            .is_none_or(|last| last.head != pin.head)
        {
            contents.remembered.push_back(Arc::new(pin));
            contents.forget_old();
        }
    }

    /// Puts the parts that are not closed together, when they have become many and nobody else does it.
    pub fn condense(&self) -> Result<(), GroupsError> {
        let Ok(_combining) = self.combining.try_lock() else {
            return Ok(());
        };
        let (pass, open) = self.open();
        if open.len() > OPEN_PARTS_MAX {
            self.serving.keep_up(|| self.contents().pin());
            let one = Part::of(&open)?;
            self.replace_open(pass, open.len(), one);
        }
        Ok(())
    }

    /// Closes what came in.
    pub fn close(&self) -> Result<(), GroupsError> {
        let _combining = self.combine();
        let (pass, open) = self.open();
        if !open.is_empty() {
            self.serving.keep_up(|| self.contents().pin());
            let closed = Part::of(&open)?;
            if self.replace_open(pass, open.len(), closed) {
                self.contents().closed += 1;
            }
        }
        while let Some((at, pair)) = self.crowded() {
            let joined = Part::of(&pair)?;
            let mut contents = self.contents();
            contents.parts.splice(at..at + 2, [Arc::new(joined)]);
            contents.closed -= 1;
        }
        Ok(())
    }

    fn combine(&self) -> MutexGuard<'_, ()> {
        self.combining
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self) -> (u64, Vec<Arc<Part>>) {
        let contents = self.contents();
        (contents.pass, contents.parts[contents.closed..].to_vec())
    }

    /// Puts `one` in place of the first `count` parts that are not closed, if the pass is still on.
    fn replace_open(&self, pass: u64, count: usize, one: Part) -> bool {
        let mut contents = self.contents();
        let at = contents.closed;
        if contents.pass == pass {
            contents.parts.splice(at..at + count, [Arc::new(one)]);
        }
        contents.pass == pass
    }

    /// Two closed parts that should be one, with the place of the first, when there are too many.
    fn crowded(&self) -> Option<(usize, Vec<Arc<Part>>)> {
        let contents = self.contents();
        if contents.closed <= CLOSED_PARTS_MAX {
            return None;
        }
        let pairs = contents.parts[..contents.closed].windows(2).enumerate();
        let (at, pair) =
            pairs.min_by_key(|(_, pair)| pair[0].groups.len() + pair[1].groups.len())?;
        Some((at, pair.to_vec()))
    }

    /// The closed parts that lie before `archived`: the first ones, as many as there are. All that are
    /// closed when nothing has to be archived.
    pub fn absorbable(&self, archived: Option<&Positions>) -> Vec<Arc<Part>> {
        let contents = self.contents();
        let is_archived = |part: &&Arc<Part>| {
            archived.is_none_or(|archived| {
                let mut spans = part.spans.iter();
                spans.all(|span| archived.get(&span.shard).is_some_and(|end| span.to <= *end))
            })
        };
        let closed = contents.parts[..contents.closed].iter();
        closed.take_while(is_archived).cloned().collect()
    }

    /// Takes `batch`, which is the one before with the first `count` parts in it.
    pub fn swap(&self, map: &dyn RecordMap, batch: BatchView, count: usize) {
        let _combining = self.combine();
        let batch = Arc::new(batch);
        let mut next = self.contents().pin();
        next.batch = Arc::clone(&batch);
        next.parts.drain(..count);
        let prepared = self.serving.prepared(&next, map);
        self.serving.exchange(prepared, || {
            let mut contents = self.contents();
            contents.parts.drain(..count);
            contents.closed -= count;
            contents.batch = batch;
            contents.forget_old();
        });
        self.changed();
    }

    /// What it has now, and the groups of it that pass `filters`, at least.
    pub fn answer(&self, map: &dyn RecordMap, filters: &[KeyFilter]) -> Result<Answer, NoAnswer> {
        let newest = || self.contents().answerable();
        self.serving.answer(newest, map, filters)
    }

    /// How the view is kept.
    pub fn upkeep(&self) -> Upkeep {
        let pin = self.contents().pin();
        let mut behind = Counts::default();
        for part in &pin.parts {
            behind.add(part.counts);
        }
        let mut counts = pin.batch.counts;
        counts.add(behind);
        Upkeep {
            counts,
            behind: behind.sum(),
            audits: self.audits(),
        }
    }

    /// What audits came to.
    pub fn audits(&self) -> Audits {
        *self.audits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes an audit of a range with so many groups.
    pub fn audited(&self, now: Timestamp, groups: u64, differs: bool) {
        let mut audits = self.audits.lock().unwrap_or_else(PoisonError::into_inner);
        audits.ranges += 1;
        audits.groups += groups;
        audits.mismatches += u64::from(differs);
        audits.last = Some(now);
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }
}
