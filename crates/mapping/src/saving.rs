//! [`Saving`]: the part of a machine that turns what is done into checkpoints.
//!
//! What must hold: one checkpoint is being written at a time and they are written in order; what is
//! closed while one is on its way goes into the next; a checkpoint that failed is made again with
//! all that came since.

use tidemill_ledger::{Closed, Outcome};
use tidemill_model::Timestamp;

use crate::checkpoint::{Blocked, Checkpoint, GivingUp};
use crate::limits::FAILURES_SAVED_EVERY;

/// What is done and not yet durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saving {
    state: State,
    failures: u32,
    /// When the last checkpoint was made.
    saved_at: Timestamp,
    /// Whether there is something that the checkpoint on its way, or the last one, does not hold.
    dirty: bool,
    next: u64,
    closed: Vec<Closed>,
    delivered_to: u64,
    duplicates: u64,
    blocked: Option<Blocked>,
    giving_up: Option<GivingUp>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Idle,
    /// So many of the ranges and duplicates are on their way.
    Asked {
        closed: usize,
        duplicates: u64,
    },
    /// Writing failed.
    Resting {
        until: Timestamp,
    },
}

impl Saving {
    /// Everything before `next` is closed and durable, and so are the marks.
    pub fn resumed(
        next: u64,
        delivered_to: u64,
        blocked: Option<Blocked>,
        giving_up: Option<GivingUp>,
    ) -> Saving {
        Saving {
            state: State::Idle,
            failures: 0,
            saved_at: Timestamp::EPOCH,
            dirty: false,
            next,
            closed: Vec::new(),
            delivered_to: delivered_to.max(next),
            duplicates: 0,
            blocked,
            giving_up,
        }
    }

    /// Closes `from..to`; the marks are gone with it.
    ///
    /// # Panics
    /// When the range does not adjoin what is closed.
    pub fn close(&mut self, from: u64, to: u64, outcome: Outcome) {
        assert!(
            from == self.next && to > from,
            "{from}..{to} does not adjoin {}",
            self.next
        );
        self.next = to;
        self.dirty = true;
        self.blocked = None;
        self.giving_up = None;
        let sent = match self.state {
            State::Asked { closed, .. } => closed,
            State::Idle | State::Resting { .. } => 0,
        };
        match self.closed[sent..].last_mut() {
            Some(last) if last.outcome == outcome => last.to = to,
            _ => self.closed.push(Closed { from, to, outcome }),
        }
    }

    /// The records at `from..to` have reached the function, or may have.
    pub fn note_delivery(&mut self, from: u64, to: u64) {
        self.duplicates += self.delivered_to.clamp(from, to) - from;
        self.delivered_to = self.delivered_to.max(to);
    }

    /// The batch that begins at `first` has failed at `now`. The first failure is written at once; of
    /// those that follow, and of the deliveries they count, a crash forgets the last few seconds.
    pub fn note_failure(
        &mut self,
        now: Timestamp,
        first: tidemill_model::SequenceNumber,
        records: u64,
        last_error: String,
    ) {
        let (since, attempts) = match &self.blocked {
            Some(blocked) => {
                self.dirty |= now.since(self.saved_at) >= FAILURES_SAVED_EVERY;
                (blocked.since, blocked.attempts + 1)
            }
            None => {
                self.dirty = true;
                (now, 1)
            }
        };
        self.blocked = Some(Blocked {
            since,
            first,
            records,
            attempts,
            last_error,
        });
    }

    /// Marks what is about to be given up.
    pub fn note_giving_up(&mut self, giving_up: GivingUp) {
        self.giving_up = Some(giving_up);
        self.dirty = true;
    }

    /// Has duplicates that no checkpoint holds written too; done once, at the end.
    pub fn flush(&mut self) {
        let sent = match self.state {
            State::Asked { duplicates, .. } => duplicates,
            State::Idle | State::Resting { .. } => 0,
        };
        self.dirty |= self.duplicates > sent;
    }

    /// Whether all of it is durable.
    pub fn is_clean(&self) -> bool {
        self.state == State::Idle && !self.dirty
    }

    /// Whether so much waits to be durable that nothing more should be begun: what a crash would
    /// repeat stays below two batches.
    pub fn is_behind(&self) -> bool {
        match self.state {
            State::Idle => false,
            State::Asked { closed, .. } => self.closed.len() > closed,
            State::Resting { .. } => true,
        }
    }

    /// Whether the log refused the last checkpoint.
    pub fn is_resting(&self) -> bool {
        matches!(self.state, State::Resting { .. })
    }

    /// What the shard stands still behind.
    pub fn blocked(&self) -> Option<&Blocked> {
        self.blocked.as_ref()
    }

    /// Duplicates that are in no checkpoint yet, not even in one on its way.
    pub fn unsaved_duplicates(&self) -> u64 {
        match self.state {
            State::Asked { duplicates, .. } => self.duplicates - duplicates,
            State::Idle | State::Resting { .. } => self.duplicates,
        }
    }

    /// The checkpoint to write now, if there is one to write. The function has what lies before
    /// `handed_to`: after a crash that counts as delivered.
    pub fn next_checkpoint(&mut self, now: Timestamp, handed_to: u64) -> Option<Checkpoint> {
        match self.state {
            State::Idle => {}
            State::Resting { until } if now >= until => {}
            State::Asked { .. } | State::Resting { .. } => return None,
        }
        if !self.dirty {
            self.state = State::Idle;
            return None;
        }
        self.dirty = false;
        self.saved_at = now;
        self.state = State::Asked {
            closed: self.closed.len(),
            duplicates: self.duplicates,
        };
        Some(Checkpoint {
            closed: self.closed.clone(),
            delivered_to: self.delivered_to.max(handed_to),
            duplicates: self.duplicates,
            blocked: self.blocked.clone(),
            giving_up: self.giving_up.clone(),
        })
    }

    /// The checkpoint on its way is durable.
    pub fn done(&mut self) {
        let State::Asked { closed, duplicates } = self.state else {
            panic!("no checkpoint is on its way: {:?}", self.state);
        };
        self.closed.drain(..closed);
        self.duplicates -= duplicates;
        self.failures = 0;
        self.state = State::Idle;
    }

    /// The checkpoint on its way could not be written; gives how often in a row that happened.
    pub fn failed(&mut self) -> u32 {
        assert!(
            matches!(self.state, State::Asked { .. }),
            "no checkpoint is on its way"
        );
        self.dirty = true;
        self.failures += 1;
        self.failures
    }

    /// Rests until `until` before it tries again.
    pub fn rest(&mut self, until: Timestamp) {
        self.state = State::Resting { until };
    }

    /// When to try again, if resting.
    pub fn deadline(&self) -> Option<Timestamp> {
        match self.state {
            State::Resting { until } => Some(until),
            State::Idle | State::Asked { .. } => None,
        }
    }
}
