//! [`Counts`]: an account held against the durable head of its shard, and the equation over it.
//!
//! What must hold: [`Counts::unaccounted`] is zero. The two sides come from different places (the head
//! from the stream, the outcomes from the ranges closed, pending from the position reached), so the
//! check can fail, and says by how much.

use serde::{Deserialize, Serialize};

use crate::account::Account;
use crate::outcome::Outcome;

/// The eight counts, in records; duplicates in deliveries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Records from the mapping's start to the durable head.
    pub acked: u64,
    /// Taken by the function.
    pub processed: u64,
    /// Kept from the function by a filter.
    pub filtered: u64,
    /// Given up, and told to the failure destination.
    pub dead_lettered: u64,
    /// Given up, and told to nobody.
    pub discarded: u64,
    /// Taken by retention first.
    pub expired: u64,
    /// Not closed yet.
    pub pending: u64,
    /// Deliveries beyond the first of each record.
    pub duplicates: u64,
}

impl Counts {
    /// `account` against `head`, one past the last durable position of its shard.
    ///
    /// A head behind the account (the stream is gone, or was read a moment earlier) counts as equal.
    pub fn of(account: &Account, head: u64) -> Counts {
        let head = head.max(account.next());
        Counts {
            acked: head - account.start(),
            processed: account.count(Outcome::Processed),
            filtered: account.count(Outcome::Filtered),
            dead_lettered: account.count(Outcome::DeadLettered),
            discarded: account.count(Outcome::Discarded),
            expired: account.count(Outcome::Expired),
            pending: head - account.next(),
            duplicates: account.duplicates(),
        }
    }

    /// By how much the equation is off: positive when acknowledged records are missing from the
    /// account, negative when it holds more than were acknowledged, zero when it adds up.
    pub fn unaccounted(&self) -> i128 {
        let Counts {
            processed,
            filtered,
            dead_lettered,
            discarded,
            expired,
            pending,
            ..
        } = *self;
        let closed = [
            processed,
            filtered,
            dead_lettered,
            discarded,
            expired,
            pending,
        ];
        i128::from(self.acked) - closed.into_iter().map(i128::from).sum::<i128>()
    }
}

impl std::iter::Sum for Counts {
    fn sum<I: Iterator<Item = Counts>>(counts: I) -> Counts {
        counts.fold(Counts::default(), |total, one| Counts {
            acked: total.acked + one.acked,
            processed: total.processed + one.processed,
            filtered: total.filtered + one.filtered,
            dead_lettered: total.dead_lettered + one.dead_lettered,
            discarded: total.discarded + one.discarded,
            expired: total.expired + one.expired,
            pending: total.pending + one.pending,
            duplicates: total.duplicates + one.duplicates,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::outcome::Closed;

    const OUTCOMES: [Outcome; 5] = [
        Outcome::Processed,
        Outcome::Filtered,
        Outcome::DeadLettered,
        Outcome::Discarded,
        Outcome::Expired,
    ];

    proptest! {
        #[test]
        fn the_equation_holds_however_ranges_are_closed(
            start in 0u64..1 << 40,
            ranges in proptest::collection::vec((1u64..1000, 0usize..5), 0..50),
            behind in 0u64..1000,
        ) {
            let mut account = Account::begun_at(start);
            for (count, outcome) in ranges {
                let from = account.next();
                account.close(Closed { from, to: from + count, outcome: OUTCOMES[outcome] });
            }
            let counts = Counts::of(&account, account.next() + behind);
            prop_assert_eq!(counts.unaccounted(), 0);
            prop_assert_eq!(counts.pending, behind);
        }
    }

    #[test]
    fn what_is_missing_or_too_much_is_said() {
        let missing = Counts {
            acked: 10,
            processed: 7,
            pending: 1,
            ..Counts::default()
        };
        assert_eq!(missing.unaccounted(), 2);
        let too_much = Counts {
            acked: 10,
            processed: 11,
            ..Counts::default()
        };
        assert_eq!(too_much.unaccounted(), -1);
    }

    #[test]
    fn a_head_behind_the_account_is_taken_as_equal() {
        let mut account = Account::begun_at(0);
        account.close(Closed {
            from: 0,
            to: 4,
            outcome: Outcome::Processed,
        });
        let counts = Counts::of(&account, 0);
        assert_eq!(
            (counts.acked, counts.pending, counts.unaccounted()),
            (4, 0, 0)
        );
    }
}
