//! [`Account`]: the counts of one mapping on one shard, and the position up to which they count.
//!
//! What must hold: every position from `start` to `next` was closed exactly once, in order. So the
//! account advances by adjoining ranges only, and `next - start` is the sum of its outcomes. It is
//! stored with the checkpoint, because it *is* the checkpoint: there is no second number to disagree.

use serde::{Deserialize, Serialize};

use crate::outcome::{Closed, Outcome};

/// The account of one mapping on one shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    start: u64,
    next: u64,
    processed: u64,
    filtered: u64,
    dead_lettered: u64,
    discarded: u64,
    expired: u64,
    duplicates: u64,
}

impl Account {
    /// An account whose first record is the one at `start`.
    pub fn begun_at(start: u64) -> Account {
        Account {
            start,
            next: start,
            processed: 0,
            filtered: 0,
            dead_lettered: 0,
            discarded: 0,
            expired: 0,
            duplicates: 0,
        }
    }

    /// First position that belongs to the mapping.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// Every position before it, from `start` on, is closed.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Whether `closed` adjoins what is closed already, so that [`Account::close`] will take it.
    pub fn adjoins(&self, closed: &Closed) -> bool {
        closed.from == self.next && closed.to > closed.from
    }

    /// Closes a range and moves on behind it.
    ///
    /// # Panics
    /// When the range is empty, leaves a gap or overlaps what is closed.
    pub fn close(&mut self, closed: Closed) {
        assert!(self.adjoins(&closed), "{closed:?} does not adjoin {self:?}");
        let count = match closed.outcome {
            Outcome::Processed => &mut self.processed,
            Outcome::Filtered => &mut self.filtered,
            Outcome::DeadLettered => &mut self.dead_lettered,
            Outcome::Discarded => &mut self.discarded,
            Outcome::Expired => &mut self.expired,
        };
        *count += closed.count();
        self.next = closed.to;
    }

    /// Notes `count` deliveries of records that the function had been given before.
    pub fn note_duplicates(&mut self, count: u64) {
        self.duplicates += count;
    }

    /// How many records met `outcome`.
    pub fn count(&self, outcome: Outcome) -> u64 {
        match outcome {
            Outcome::Processed => self.processed,
            Outcome::Filtered => self.filtered,
            Outcome::DeadLettered => self.dead_lettered,
            Outcome::Discarded => self.discarded,
            Outcome::Expired => self.expired,
        }
    }

    /// Deliveries of records beyond the first delivery of each, as far as they are known.
    pub fn duplicates(&self) -> u64 {
        self.duplicates
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed(from: u64, to: u64, outcome: Outcome) -> Closed {
        Closed { from, to, outcome }
    }

    #[test]
    fn a_closed_range_is_counted_under_its_outcome() {
        let mut account = Account::begun_at(5);
        account.close(closed(5, 8, Outcome::Processed));
        account.close(closed(8, 9, Outcome::DeadLettered));
        assert_eq!((account.start(), account.next()), (5, 9));
        assert_eq!(account.count(Outcome::Processed), 3);
        assert_eq!(account.count(Outcome::DeadLettered), 1);
    }

    #[test]
    #[should_panic(expected = "does not adjoin")]
    fn a_gap_is_refused() {
        Account::begun_at(0).close(closed(1, 2, Outcome::Processed));
    }

    #[test]
    #[should_panic(expected = "does not adjoin")]
    fn an_overlap_is_refused() {
        let mut account = Account::begun_at(0);
        account.close(closed(0, 4, Outcome::Processed));
        account.close(closed(3, 6, Outcome::Processed));
    }

    #[test]
    #[should_panic(expected = "does not adjoin")]
    fn an_empty_range_is_refused() {
        Account::begun_at(0).close(closed(0, 0, Outcome::Expired));
    }
}
