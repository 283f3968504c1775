//! How far one shard has been read: [`Shard`].
//!
//! What must hold: one read and one wait at most are on their way. A read that was asked for before the
//! table had to be opened anew is *stale*: its answer is thrown away.

use tidemill_model::Timestamp;
use tidemill_model::source::{Fetched, SourceShard};

/// A shard that is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shard {
    /// The position that is to be read next.
    pub next: u64,
    /// One past the last durable position, as far as it is known.
    pub end: u64,
    /// Whether there will never be more than `end`.
    pub closed: bool,
    /// What is on its way.
    pub reading: Reading,
    /// Whether nothing is to be read until the source says so.
    pub caught_up: bool,
    /// Whether the source was asked to say so.
    pub awaiting: bool,
    /// Failed reads in a row.
    pub failures: u32,
}

/// What is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Nothing.
    Idle,
    /// A read.
    Asked,
    /// A read whose answer means nothing any more.
    Stale,
    /// Nothing until then, after a failure.
    Resting(Timestamp),
}

impl Shard {
    /// A shard that is archived up to `next`.
    pub fn new(found: &SourceShard, next: u64) -> Shard {
        Shard {
            next,
            end: found.end,
            closed: found.closed,
            reading: Reading::Idle,
            caught_up: false,
            awaiting: false,
            failures: 0,
        }
    }

    /// Begins again at `next`.
    pub fn begin_again(&mut self, next: u64) {
        self.next = next;
        self.caught_up = false;
        if self.reading == Reading::Asked {
            self.reading = Reading::Stale;
        }
    }

    /// Takes in what a read says of the shard.
    pub fn saw(&mut self, fetched: &Fetched) {
        self.end = self.end.max(fetched.end);
        self.closed |= fetched.closed;
        self.failures = 0;
    }

    /// Whether there will never be more to read.
    pub fn is_done(&self) -> bool {
        self.closed && self.next >= self.end
    }

    /// Whether it can be read now.
    pub fn is_readable(&self, now: Timestamp) -> bool {
        let is_free = match self.reading {
            Reading::Idle => true,
            Reading::Resting(until) => until <= now,
            Reading::Asked | Reading::Stale => false,
        };
        is_free && !self.caught_up && !self.is_done()
    }

    /// When its rest ends.
    pub fn deadline(&self) -> Option<Timestamp> {
        match self.reading {
            Reading::Resting(until) if !self.is_done() => Some(until),
            _ => None,
        }
    }
}
