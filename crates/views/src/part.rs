//! What spans of a stream came to in one view: [`Part`], and what became of their records, [`Counts`].
//!
//! A batch view, the pieces of a speed layer and what is read out of the master dataset are all told in
//! parts. What must hold: a part's counts add up to the positions of its spans, so a record that was lost
//! or counted twice shows; parts that follow one another come to one part, whatever was merged first.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use tidemill_model::{ShardId, Timestamp};

use crate::groups::{Groups, GroupsError};
use crate::positions::{self, Positions, Span};
use crate::record_map::{Mapped, RecordMap};

/// What became of the records at some positions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Records in a group.
    pub rows_in: u64,
    /// Records that the filter left out.
    pub filtered: u64,
    /// Records whose expressions failed.
    pub poisoned: u64,
    /// Records that the stream's exclusions name.
    pub excluded: u64,
    /// Positions whose records retention took before the master dataset had them.
    pub gone: u64,
}

impl Counts {
    /// Of what `mapped` came from, and of `gone`.
    pub fn of(mapped: &Mapped, gone: &[Span]) -> Counts {
        Counts {
            rows_in: mapped.records,
            filtered: mapped.filtered,
            poisoned: mapped.poisoned,
            excluded: mapped.excluded,
            gone: positions::count(gone),
        }
    }

    /// All of them.
    pub fn sum(self) -> u64 {
        self.rows_in + self.filtered + self.poisoned + self.excluded + self.gone
    }

    /// Adds `more`.
    pub fn add(&mut self, more: Counts) {
        self.rows_in += more.rows_in;
        self.filtered += more.filtered;
        self.poisoned += more.poisoned;
        self.excluded += more.excluded;
        self.gone += more.gone;
    }
}

/// What audits of a batch view came to since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Audits {
    /// Ranges of keys that were computed again.
    pub ranges: u64,
    /// The groups in them.
    pub groups: u64,
    /// Ranges that differed.
    pub mismatches: u64,
    /// When the last one was done.
    pub last: Option<Timestamp>,
}

/// What spans of a stream came to; one span for each shard.
#[derive(Clone, Debug, Default)]
pub struct Part {
    /// The positions, in the order of their shards.
    pub spans: Vec<Span>,
    /// What became of them.
    pub counts: Counts,
    /// The groups of the records.
    pub groups: Groups,
}

impl Part {
    /// Adds `mapped`, which is what `spans` came to, but those of them that are `gone`. They begin where
    /// the part ends. After an error it is not to be used.
    pub fn add(
        &mut self,
        map: &dyn RecordMap,
        spans: &[Span],
        gone: &[Span],
        mapped: &Mapped,
    ) -> Result<(), GroupsError> {
        self.cover(spans);
        self.counts.add(Counts::of(mapped, gone));
        self.groups.add(map, mapped)
    }

    /// Adds spans that have no records left.
    pub fn account(&mut self, spans: &[Span], gone: &[Span]) {
        self.cover(spans);
        self.counts.gone += positions::count(gone);
    }

    /// Parts that follow one another, as one.
    pub fn of<'a>(parts: impl IntoIterator<Item = &'a Arc<Part>>) -> Result<Part, GroupsError> {
        let mut whole = Part::default();
        for part in parts {
            whole.append(part)?;
        }
        Ok(whole)
    }

    /// Adds what comes next.
    pub fn append(&mut self, next: &Part) -> Result<(), GroupsError> {
        self.cover(&next.spans);
        self.counts.add(next.counts);
        self.groups.merge(&next.groups)
    }

    /// Where it ends in `shard`, if it has any of it.
    pub fn end(&self, shard: ShardId) -> Option<u64> {
        let span = self.spans.iter().find(|span| span.shard == shard);
        span.map(|span| span.to)
    }

    /// Whether what became of the records adds up to the positions.
    pub fn is_conserved(&self) -> bool {
        self.counts.sum() == positions::count(&self.spans)
    }

    fn cover(&mut self, more: &[Span]) {
        let mut more = more.to_vec();
        more.sort();
        for span in more {
            match self.spans.iter_mut().find(|held| held.shard == span.shard) {
                Some(held) => {
                    assert_eq!(held.to, span.from, "a part goes on where it ends");
                    held.to = span.to;
                }
                None => self.spans.push(span),
            }
        }
        self.spans.sort();
    }
}

/// `reached`, moved on by `spans`; or the first of them that does not begin there.
pub fn follow(reached: &mut Positions, spans: &[Span]) -> Result<(), Span> {
    for span in spans {
        let end = reached.entry(span.shard).or_insert(0);
        if *end != span.from {
            return Err(*span);
        }
        *end = span.to;
    }
    Ok(())
}
