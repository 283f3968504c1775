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
        most.unwrap_or_default().max(ON_DEMAND_SHARDS)
    }

    /// Whether to remember that `shards` are asked for would change what is wanted, now or on the last
    /// day that today counts.
    pub fn is_news(&self, shards: u32, now: Timestamp) -> bool {
        shards > ON_DEMAND_SHARDS && self.demand.get(&day(now)).is_none_or(|most| shards > *most)
    }
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
