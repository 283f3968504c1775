//! Which chunk is checked next for damage, and when: [`Scrub`].
//!
//! What must hold: each chunk is checked again within [`EVERY`] and the time that checking all takes; the
//! one that has waited longest comes first. A chunk that comes to be has just been checked, entry by
//! entry, by whoever wrote it; one that was there before is due, since nobody knows when it was last
//! read. Pure: the time comes in.

use std::collections::BTreeMap;
use std::time::Duration;

use tidemill_model::Timestamp;

use crate::chunk::ChunkRow;

/// How long a chunk is left alone. Disks that lose bits lose them over years; copies are made in days.
pub const EVERY: Duration = Duration::from_hours(7 * 24);

/// How long until there may be something new to look at.
const LOOK_AGAIN: Duration = Duration::from_mins(10);

/// See the module.
#[derive(Debug, Default)]
pub struct Scrub {
    /// When each chunk was last read whole; none when nobody knows.
    checked: BTreeMap<u64, Option<Timestamp>>,
    has_looked: bool,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Check this chunk.
    Check(ChunkRow),
    /// Look again after a while.
    Wait(Duration),
}

impl Scrub {
    /// What to do, given the `chunks` that there are.
    pub fn next(&mut self, now: Timestamp, chunks: &[ChunkRow]) -> Turn {
        let is_there = |number: &u64| chunks.iter().any(|row| row.number == *number);
        self.checked.retain(|number, _| is_there(number));
        let is_new = std::mem::replace(&mut self.has_looked, true);
        for row in chunks {
            let last = is_new.then_some(now);
            self.checked.entry(row.number).or_insert(last);
        }
        let oldest = chunks.iter().min_by_key(|row| self.checked[&row.number]);
        let Some(oldest) = oldest else {
            return Turn::Wait(LOOK_AGAIN);
        };
        let due = self.checked[&oldest.number].map(|last| last.plus(EVERY).since(now));
        match due {
            None | Some(Duration::ZERO) => Turn::Check(*oldest),
            Some(left) => Turn::Wait(left.min(LOOK_AGAIN)),
        }
    }

    /// Notes that chunk `number` has been read, whatever came of it.
    pub fn checked(&mut self, now: Timestamp, number: u64) {
        if let Some(last) = self.checked.get_mut(&number) {
            *last = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::Retention;

    fn chunk(number: u64) -> ChunkRow {
        ChunkRow {
            number,
            bytes: 8192,
            entries: 1,
            retention: Retention::Day,
            checksum: 0,
        }
    }

    fn at(days: u64) -> Timestamp {
        Timestamp::EPOCH.plus(Duration::from_hours(24 * days))
    }

    #[test]
    fn all_that_was_there_is_checked_once_and_again_after_a_week() {
        let mut scrub = Scrub::default();
        let chunks = [chunk(3), chunk(5)];
        let mut order = Vec::new();
        for day in [0, 0, 0, 6, 7, 8, 8] {
            match scrub.next(at(day), &chunks) {
                Turn::Check(row) => {
                    order.push((day, row.number));
                    scrub.checked(at(day), row.number);
                }
                Turn::Wait(time) => assert_eq!(time, LOOK_AGAIN),
            }
        }
        assert_eq!(order, [(0, 3), (0, 5), (7, 3), (8, 5)]);
    }

    #[test]
    fn a_chunk_that_comes_to_be_waits_a_week_and_one_that_goes_is_forgotten() {
        let mut scrub = Scrub::default();
        assert_eq!(scrub.next(at(0), &[]), Turn::Wait(LOOK_AGAIN));
        let new = [chunk(1)];
        assert_eq!(scrub.next(at(1), &new), Turn::Wait(LOOK_AGAIN));
        assert_eq!(scrub.next(at(7), &new), Turn::Wait(LOOK_AGAIN));
        assert_eq!(scrub.next(at(8), &new), Turn::Check(chunk(1)));
        assert_eq!(scrub.next(at(8), &[]), Turn::Wait(LOOK_AGAIN));
        scrub.checked(at(8), 1);
        assert_eq!(scrub.next(at(9), &new), Turn::Wait(LOOK_AGAIN));
    }
}
