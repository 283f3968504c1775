//! An account's commitment to a minimum throughput, which AWS bills and which lifts some quotas.
//!
//! Pure. What must hold: a commitment lasts a day at least, and one that is ended earlier goes on until
//! then; to take that back continues the same commitment. Nothing is billed here.

use serde::{Deserialize, Serialize};

use tidemill_model::Timestamp;

use crate::limits::COMMITMENT_MIN;

/// A commitment that was made; it may have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commitment {
    /// When it was made.
    pub started_at: Timestamp,
    /// From when on it no longer holds; none while nobody has ended it.
    pub ends_at: Option<Timestamp>,
}

/// AWS's status of a commitment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitmentStatus {
    Enabled,
    EnabledUntilEarliestAllowedEnd,
    Disabled,
}

impl Commitment {
    /// The commitment of an account that had `earlier`, after it asked for one.
    pub fn enabled(earlier: Option<Commitment>, at: Timestamp) -> Commitment {
        let started_at = match earlier {
            Some(earlier) if earlier.holds(at) => earlier.started_at,
            Some(_) | None => at,
        };
        Commitment {
            started_at,
            ends_at: None,
        }
    }

    /// The commitment after the account asked for its end.
    pub fn disabled(self, at: Timestamp) -> Commitment {
        if !self.holds(at) {
            return self;
        }
        Commitment {
            ends_at: Some(self.earliest_end().max(at)),
            ..self
        }
    }

    /// The first moment at which it may end.
    pub fn earliest_end(self) -> Timestamp {
        self.started_at.plus(COMMITMENT_MIN)
    }

    /// Its status.
    pub fn status(self, now: Timestamp) -> CommitmentStatus {
        match self.ends_at {
            None => CommitmentStatus::Enabled,
            Some(end) if now < end => CommitmentStatus::EnabledUntilEarliestAllowedEnd,
            Some(_) => CommitmentStatus::Disabled,
        }
    }

    /// Whether it holds.
    pub fn holds(self, now: Timestamp) -> bool {
        self.status(now) != CommitmentStatus::Disabled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: u64) -> Timestamp {
        Timestamp::from_secs(1_767_225_600 + hours * 3600)
    }

    #[test]
    fn a_commitment_lasts_a_day_at_least() {
        let made = Commitment::enabled(None, at(0));
        assert_eq!(made.status(at(1000)), CommitmentStatus::Enabled);
        assert_eq!(
            made.disabled(at(30)).status(at(30)),
            CommitmentStatus::Disabled
        );
        let early = made.disabled(at(10));
        assert_eq!(
            early.status(at(23)),
            CommitmentStatus::EnabledUntilEarliestAllowedEnd
        );
        assert_eq!(early.status(at(24)), CommitmentStatus::Disabled);
        assert_eq!(early.disabled(at(50)), early, "it has ended already");
    }

    #[test]
    fn an_end_that_is_taken_back_continues_the_commitment() {
        let made = Commitment::enabled(None, at(0));
        let again = Commitment::enabled(Some(made.disabled(at(10))), at(20));
        assert_eq!(again, made);
        let anew = Commitment::enabled(Some(made.disabled(at(10))), at(24));
        assert_eq!(anew.started_at, at(24), "the first had ended");
    }
}
