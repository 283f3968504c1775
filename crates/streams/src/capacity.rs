//! What the capacity mode of a stream remembers: how often it was switched, and what an on-demand
//! stream has been asked for.
//!
//! Pure. What must hold: what was asked for counts for thirty days and is forgotten afterwards, so the
//! state has a bound; a switch counts for a day. Demand is kept in shards, as many as give twice the
//! measured peak, because nothing finer is ever decided from it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use tidemill_model::Timestamp;

use crate::last_day::LastDay;
use crate::limits::{DAY, DEMAND_DAYS, ON_DEMAND_SHARDS};

/// Switches and demand of one stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capacity {
    /// When the mode was switched.
    switches: LastDay,
    /// The shards that each day has asked for, by days since the epoch.
    demand: BTreeMap<u64, u32>,
    /// The throughput that is kept ready, in MiB a second: as many shards.
    #[serde(default, skip_serializing_if = "is_zero")]
    warm_mibps: u32,
}

impl Capacity {
    /// Whether there is nothing to remember.
    pub fn is_empty(&self) -> bool {
        *self == Capacity::default()
    }

    /// How often the mode was switched in the day before `now`.
    pub fn switches(&self, now: Timestamp) -> usize {
        self.switches.count(now)
    }

    /// Remembers a switch.
    pub fn switched(&mut self, at: Timestamp) {
        self.switches.add(at);
    }

    /// Remembers that `shards` were asked for.
    pub fn asked(&mut self, shards: u32, at: Timestamp) {
        let today = day(at);
        self.demand
            .retain(|day, _| today.saturating_sub(*day) <= DEMAND_DAYS);
        let most = self.demand.entry(today).or_default();
        *most = shards.max(*most);
    }

    /// The shards that an on-demand stream is to have.
    pub fn wanted(&self, now: Timestamp) -> u32 {
        let oldest = day(now).saturating_sub(DEMAND_DAYS);
        let most = self.demand.range(oldest..).map(|(_, shards)| *shards).max();
        let most = most.unwrap_or_default().max(self.warm_mibps);
        most.max(ON_DEMAND_SHARDS)
    }

    /// The throughput that is kept ready.
    pub fn warm_mibps(&self) -> u32 {
        self.warm_mibps
    }

    /// Keeps `mibps` ready. What was asked for earlier does not count any more, except the `needed`
    /// shards: this is how a user gives capacity back.
    pub fn keep_warm(&mut self, mibps: u32, needed: u32, at: Timestamp) {
        self.warm_mibps = mibps;
        self.demand.clear();
        self.asked(needed, at);
    }

    /// Keeps nothing ready.
    pub fn cool(&mut self) {
        self.warm_mibps = 0;
    }

    /// Whether to remember that `shards` are asked for would change what is wanted, now or on the last
    /// day that today counts.
    pub fn is_news(&self, shards: u32, now: Timestamp) -> bool {
        shards > ON_DEMAND_SHARDS && self.demand.get(&day(now)).is_none_or(|most| shards > *most)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

fn day(at: Timestamp) -> u64 {
    at.as_secs() / DAY.as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hour(hours: u64) -> Timestamp {
        Timestamp::from_secs(1_767_225_600 + hours * 3600)
    }

    #[test]
    fn a_peak_counts_for_thirty_days() {
        let mut capacity = Capacity::default();
        assert_eq!(capacity.wanted(hour(0)), ON_DEMAND_SHARDS);
        capacity.asked(16, hour(5));
        capacity.asked(9, hour(6));
        capacity.asked(10, hour(30));
        assert_eq!(capacity.wanted(hour(30 * 24)), 16);
        assert_eq!(capacity.wanted(hour(31 * 24)), 10);
        assert_eq!(capacity.wanted(hour(32 * 24)), ON_DEMAND_SHARDS);
        capacity.asked(5, hour(100 * 24));
        assert_eq!(capacity.demand.len(), 1, "old days are forgotten");
    }

    #[test]
    fn warm_throughput_is_wanted_and_lets_go_of_older_peaks() {
        let mut capacity = Capacity::default();
        capacity.asked(50, hour(0));
        capacity.keep_warm(20, 6, hour(1));
        assert_eq!(capacity.wanted(hour(1)), 20);
        capacity.asked(30, hour(2));
        assert_eq!(capacity.wanted(hour(2)), 30);
        capacity.keep_warm(0, 6, hour(3));
        assert_eq!(capacity.wanted(hour(3)), 6);
    }

    #[test]
    fn only_a_higher_peak_of_the_day_is_news() {
        let mut capacity = Capacity::default();
        assert!(!capacity.is_news(ON_DEMAND_SHARDS, hour(0)));
        assert!(capacity.is_news(8, hour(0)));
        capacity.asked(8, hour(0));
        assert!(!capacity.is_news(8, hour(1)));
        assert!(capacity.is_news(9, hour(1)));
        assert!(capacity.is_news(8, hour(24)), "another day, counted anew");
    }
}
