//! What follows an attempt, and how long to wait before the next: the decision table and the backoff.
//!
//! What must hold: only a run of the function counts against the limit; what kept it from running
//! (a throttle, a failing service, a missing function) is waited out and never splits a batch. An
//! unsplittable batch is tried `retries + 1` times.
//!
//! Words: an *attempt* is one run of the function on a batch, counted from 1; a *retry* is an attempt
//! after the first.

use std::time::Duration;

/// How a mapping treats failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Most retries of a batch; none for no limit.
    pub retries_max: Option<u32>,
    /// Whether a failed batch of several records is halved.
    pub bisect: bool,
}

/// What came of one invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ran {
    /// Every record was taken.
    Well,
    /// The records before the index were taken.
    UpTo(usize),
    /// None can be taken as taken.
    Badly,
    /// The function did not run, or nothing is known of it.
    NotAtAll,
}

/// What to do with the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// All of it is done.
    Close,
    /// The records before the index are done; go on with the others as a batch of their own.
    Cut(usize),
    /// Go on with the first half, then with the second.
    Halve,
    /// Try it again after a pause.
    Again,
    /// Do not try it any more.
    GiveUp,
}

/// What follows when `ran` came of the `attempt`th attempt on a batch of `records`.
pub fn decide(policy: Policy, ran: Ran, records: usize, attempt: u32) -> Next {
    match ran {
        Ran::Well => Next::Close,
        Ran::UpTo(index) if index > 0 => Next::Cut(index),
        Ran::UpTo(_) | Ran::Badly if policy.bisect && records > 1 => Next::Halve,
        Ran::UpTo(_) | Ran::Badly => match policy.retries_max {
            Some(retries) if attempt > retries => Next::GiveUp,
            _ => Next::Again,
        },
        Ran::NotAtAll => Next::Again,
    }
}

/// How long to wait between attempts: doubling from `base` to `cap`, with full jitter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// Longest pause after the first failure.
    pub base: Duration,
    /// Longest pause after any.
    pub cap: Duration,
}

impl Backoff {
    /// The pause after the `failures`th failure in a row; `chance` is uniform over all numbers.
    pub fn pause(&self, failures: u32, chance: u64) -> Duration {
        let doubled = self
            .base
            .saturating_mul(1 << failures.saturating_sub(1).min(30));
        let ceiling = u64::try_from(doubled.min(self.cap).as_millis()).unwrap_or(u64::MAX - 1);
        Duration::from_millis(((u128::from(chance) * u128::from(ceiling + 1)) >> 64) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(retries_max: Option<u32>, bisect: bool) -> Policy {
        Policy {
            retries_max,
            bisect,
        }
    }

    #[test]
    fn the_decision_table() {
        let (limited, endless) = (policy(Some(2), false), policy(None, false));
        let (halving, at_once) = (policy(Some(2), true), policy(Some(0), true));
        let cases = [
            (limited, Ran::Well, 4, 1, Next::Close),
            (limited, Ran::UpTo(2), 4, 1, Next::Cut(2)),
            (limited, Ran::UpTo(2), 4, 9, Next::Cut(2)),
            (halving, Ran::UpTo(2), 4, 1, Next::Cut(2)),
            (limited, Ran::Badly, 4, 1, Next::Again),
            (limited, Ran::Badly, 4, 2, Next::Again),
            (limited, Ran::Badly, 4, 3, Next::GiveUp),
            (limited, Ran::UpTo(0), 4, 3, Next::GiveUp),
            (endless, Ran::Badly, 4, u32::MAX, Next::Again),
            (halving, Ran::Badly, 4, 1, Next::Halve),
            (halving, Ran::UpTo(0), 4, 1, Next::Halve),
            (halving, Ran::Badly, 1, 1, Next::Again),
            (halving, Ran::Badly, 1, 3, Next::GiveUp),
            (at_once, Ran::Badly, 2, 1, Next::Halve),
            (at_once, Ran::Badly, 1, 1, Next::GiveUp),
            (policy(Some(0), false), Ran::Badly, 4, 1, Next::GiveUp),
            (at_once, Ran::NotAtAll, 4, 1, Next::Again),
        ];
        for (policy, ran, records, attempt, expected) in cases {
            let next = decide(policy, ran, records, attempt);
            assert_eq!(
                next, expected,
                "{policy:?} {ran:?} {records} records, attempt {attempt}"
            );
        }
    }

    #[test]
    fn pauses_double_up_to_the_cap_and_spread_down_to_nothing() {
        let backoff = Backoff {
            base: Duration::from_millis(20),
            cap: Duration::from_secs(1),
        };
        let longest: Vec<u128> = [1, 2, 3, 6, 7, 40]
            .map(|n| backoff.pause(n, u64::MAX).as_millis())
            .to_vec();
        assert_eq!(longest, [20, 40, 80, 640, 1000, 1000]);
        assert_eq!(backoff.pause(5, 0), Duration::ZERO);
        assert_eq!(backoff.pause(1, u64::MAX / 2), Duration::from_millis(10));
    }
}
