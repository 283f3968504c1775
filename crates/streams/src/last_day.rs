//! What was done with a stream within the last day, for the limits that count per 24 hours.
//!
//! Pure. What must hold: no more moments are kept than the largest of these limits asks for.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use tidemill_model::Timestamp;

use crate::limits::{CHANGES_KEPT, DAY};

/// The newest moments, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LastDay(Vec<Timestamp>);

impl LastDay {
    /// Whether there is nothing to remember.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many moments lie less than a day before `now`.
    pub fn count(&self, now: Timestamp) -> usize {
        let recent = |at: &&Timestamp| now.since(**at) < DAY;
        self.0.iter().filter(recent).count()
    }

    /// Remembers one more.
    pub fn add(&mut self, at: Timestamp) {
        self.0.retain(|earlier| at.since(*earlier) < DAY);
        if self.0.len() == CHANGES_KEPT {
            self.0.remove(0);
        }
        self.0.push(at);
    }
}

const _: () = assert!(DAY.as_secs() == Duration::from_secs(86_400).as_secs());

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_secs(1_767_225_600 + secs)
    }

    #[test]
    fn a_moment_counts_for_a_day() {
        let mut changes = LastDay::default();
        changes.add(at(0));
        changes.add(at(10));
        assert_eq!(changes.count(at(86_399)), 2);
        assert_eq!(changes.count(at(86_400)), 1);
        changes.add(at(86_400));
        assert_eq!(changes, LastDay(vec![at(10), at(86_400)]));
    }

    #[test]
    fn the_newest_moments_are_kept() {
        let mut changes = LastDay::default();
        for second in 0..100 {
            changes.add(at(second));
        }
        assert_eq!(changes.count(at(99)), CHANGES_KEPT);
        assert_eq!(changes.0.last(), Some(&at(99)));
    }
}
