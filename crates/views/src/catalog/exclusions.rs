//! Records that no view of a stream counts: [`Exclusions`], facts that stay.
//!
//! What must hold: an exclusion is never changed or removed. That it does not hold any more is a second
//! fact, noted beside it with its own reason, so what was left out, when and why can always be told. Two
//! that hold do not overlap: what takes one back gives back all of its records.

use std::fmt;

use serde::{Deserialize, Serialize};

use tidemill_model::{ShardId, StreamArn, Timestamp};

use crate::limits::{EXCLUSIONS_MAX, REASON_BYTES_MAX};
use crate::positions::{Span, joined};

use super::Refused;

/// Records of a stream that no view counts, as somebody said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exclusion {
    /// Its number, by which it is taken back.
    pub id: u64,
    /// Of which stream the records are.
    pub stream: StreamArn,
    /// Which of the streams that had this name.
    pub incarnation: u64,
    /// Their shard.
    pub shard: ShardId,
    /// The position of the first.
    pub from: u64,
    /// One past the position of the last.
    pub to: u64,
    /// Why they are left out.
    pub reason: String,
    /// Since when.
    pub at: Timestamp,
    /// That they count again, if they do.
    pub undone: Option<Undone>,
}

/// That an exclusion was taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undone {
    /// Since when its records count again.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

/// Records to leave out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewExclusion {
    /// Of which stream the records are.
    pub stream: StreamArn,
    /// Which of the streams that had this name.
    pub incarnation: u64,
    /// Their shard.
    pub shard: ShardId,
    /// The position of the first.
    pub from: u64,
    /// One past the position of the last.
    pub to: u64,
    /// Why they are left out.
    pub reason: String,
}

impl Exclusion {
    /// The positions that it names.
    pub fn span(&self) -> Span {
        let (shard, from, to) = (self.shard, self.from, self.to);
        Span { shard, from, to }
    }
}

impl fmt::Display for Exclusion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (id, stream, shard) = (self.id, &self.stream.name, self.shard);
        let (from, to, at, reason) = (self.from, self.to, self.at, &self.reason);
        write!(
            formatter,
            "exclusion {id}: {stream} {shard} [{from}, {to}) since {at}: {reason}"
        )?;
        match &self.undone {
            Some(Undone { at, reason }) => write!(formatter, "; undone since {at}: {reason}"),
            None => Ok(()),
        }
    }
}

/// All exclusions, in the order in which they were said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Exclusions {
    all: Vec<Exclusion>,
}

impl Exclusions {
    /// All of them, those that were taken back too.
    pub fn all(&self) -> &[Exclusion] {
        &self.all
    }

    /// The positions of a stream that are left out: sorted, neighbours joined.
    pub fn of(&self, stream: &StreamArn, incarnation: u64) -> Vec<Span> {
        let holding = self.holding(stream, incarnation);
        joined(holding.map(Exclusion::span).collect())
    }

    /// Whether `new` may be said.
    pub fn check(&self, new: &NewExclusion) -> Result<(), Refused> {
        check_reason(&new.reason)?;
        if new.from >= new.to {
            let (from, to) = (new.from, new.to);
            return Err(Refused::NoPositions { from, to });
        }
        let overlapping = self
            .holding(&new.stream, new.incarnation)
            .find(|one| one.shard == new.shard && one.from < new.to && new.from < one.to);
        if let Some(Exclusion { id, from, to, .. }) = overlapping {
            let (id, from, to) = (*id, *from, *to);
            return Err(Refused::ExcludedAlready { id, from, to });
        }
        if self.all.len() >= EXCLUSIONS_MAX {
            let limit = EXCLUSIONS_MAX;
            return Err(Refused::TooManyExclusions { limit });
        }
        Ok(())
    }

    pub(super) fn add(&mut self, at: Timestamp, new: NewExclusion) -> Result<(), Refused> {
        self.check(&new)?;
        self.all.push(Exclusion {
            id: self.all.len() as u64 + 1,
            stream: new.stream,
            incarnation: new.incarnation,
            shard: new.shard,
            from: new.from,
            to: new.to,
            reason: new.reason,
            at,
            undone: None,
        });
        Ok(())
    }

    pub(super) fn undo(&mut self, at: Timestamp, id: u64, reason: String) -> Result<(), Refused> {
        check_reason(&reason)?;
        let found = self.all.iter_mut().find(|one| one.id == id);
        let found = found.ok_or(Refused::NoExclusion { id })?;
        if found.undone.is_some() {
            return Err(Refused::UndoneAlready { id });
        }
        found.undone = Some(Undone { at, reason });
        Ok(())
    }

    fn holding(&self, stream: &StreamArn, incarnation: u64) -> impl Iterator<Item = &Exclusion> {
        let of_it = move |one: &&Exclusion| one.stream == *stream && one.incarnation == incarnation;
        let all = self.all.iter().filter(|one| one.undone.is_none());
        all.filter(of_it)
    }
}

fn check_reason(reason: &str) -> Result<(), Refused> {
    let is_said = !reason.trim().is_empty() && reason.len() <= REASON_BYTES_MAX;
    let most = REASON_BYTES_MAX;
    is_said.then_some(()).ok_or(Refused::Reason { most })
}
