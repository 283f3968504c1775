//! One measured series: totals since the start, and what each second of the last minute brought.
//!
//! Pure. What must hold: the seconds cost nothing once they have passed and [`Series::forget`] was
//! called; a clock that steps back starts the seconds anew, and never the totals.

use std::collections::VecDeque;

use tidemill_model::Timestamp;

/// Seconds that are looked back on. One more is kept, because the current one is not complete.
pub const WINDOW_SECS: u64 = 60;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Second {
    second: u64,
    value: u64,
}

/// A series.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Series {
    samples: u64,
    sum: u64,
    seconds: VecDeque<Second>,
}

impl Series {
    /// Adds an amount: those of one second add up.
    pub fn add(&mut self, amount: u64, now: Timestamp) {
        self.count(amount);
        let second = self.second(now);
        second.value = second.value.saturating_add(amount);
    }

    /// Adds a level: of those of one second the highest counts.
    pub fn observe(&mut self, level: u64, now: Timestamp) {
        self.count(level);
        let second = self.second(now);
        second.value = second.value.max(level);
    }

    /// Adds to the totals only.
    pub fn count(&mut self, value: u64) {
        self.samples += 1;
        self.sum = self.sum.saturating_add(value);
    }

    /// How many samples there were.
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// Their sum.
    pub fn sum(&self) -> u64 {
        self.sum
    }

    /// The highest second of the last minute, the current one included.
    pub fn highest_second(&self, now: Timestamp) -> u64 {
        let oldest = (now.as_secs() + 1).saturating_sub(WINDOW_SECS);
        let recent = self.seconds.iter().filter(|past| past.second >= oldest);
        recent.map(|past| past.value).max().unwrap_or_default()
    }

    /// What the complete seconds of the last minute add up to.
    pub fn last_minute(&self, now: Timestamp) -> u64 {
        let seconds = now.as_secs().saturating_sub(WINDOW_SECS)..now.as_secs();
        let complete = self
            .seconds
            .iter()
            .filter(|past| seconds.contains(&past.second));
        complete.map(|past| past.value).sum()
    }

    /// Whether the last minute brought nothing.
    pub fn is_idle(&self, now: Timestamp) -> bool {
        let oldest = now.as_secs().saturating_sub(WINDOW_SECS);
        self.seconds.back().is_none_or(|last| last.second < oldest)
    }

    /// Gives back the memory of seconds that have passed, when the series is idle.
    pub fn forget(&mut self, now: Timestamp) {
        if self.is_idle(now) {
            self.seconds = VecDeque::new();
        }
    }

    fn second(&mut self, now: Timestamp) -> &mut Second {
        let second = now.as_secs();
        if self.seconds.back().is_some_and(|last| last.second > second) {
            self.seconds.clear();
        }
        if self.seconds.back().is_none_or(|last| last.second < second) {
            let oldest = second.saturating_sub(WINDOW_SECS);
            while self
                .seconds
                .front()
                .is_some_and(|past| past.second < oldest)
            {
                self.seconds.pop_front();
            }
            self.seconds.push_back(Second { second, value: 0 });
        }
        self.seconds.back_mut().expect("one was just pushed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(1_000_000_000 + millis)
    }

    #[test]
    fn amounts_of_a_second_add_up_and_the_highest_second_is_of_the_last_minute() {
        let mut series = Series::default();
        for (millis, amount) in [(0, 5), (999, 6), (1000, 10), (30_000, 1)] {
            series.add(amount, at(millis));
        }
        assert_eq!((series.samples(), series.sum()), (4, 22));
        assert_eq!(series.highest_second(at(30_000)), 11);
        assert_eq!(series.highest_second(at(59_999)), 11);
        assert_eq!(series.highest_second(at(60_000)), 10);
        assert_eq!(series.highest_second(at(61_000)), 1);
        assert_eq!(series.highest_second(at(90_000)), 0);
    }

    #[test]
    fn the_last_minute_is_made_of_complete_seconds() {
        let mut series = Series::default();
        for second in 0..200 {
            series.add(1, at(second * 1000));
        }
        assert_eq!(series.last_minute(at(199_000)), 60);
        assert_eq!(series.last_minute(at(229_000)), 31);
        assert_eq!(series.last_minute(at(260_000)), 0);
        assert_eq!(series.seconds.len(), 61, "and no more is kept");
    }

    #[test]
    fn of_the_levels_of_a_second_the_highest_counts() {
        let mut series = Series::default();
        for level in [3, 9, 4] {
            series.observe(level, at(0));
        }
        assert_eq!((series.highest_second(at(0)), series.sum()), (9, 16));
    }

    #[test]
    fn an_idle_series_keeps_its_totals_and_no_seconds() {
        let mut series = Series::default();
        series.add(7, at(0));
        series.forget(at(60_000));
        assert!(!series.is_idle(at(60_000)));
        series.forget(at(61_000));
        assert!(series.is_idle(at(61_000)));
        assert_eq!((series.sum(), series.seconds.capacity()), (7, 0));
    }

    #[test]
    fn a_clock_that_steps_back_starts_the_seconds_anew() {
        let mut series = Series::default();
        series.add(7, at(100_000));
        series.add(5, at(0));
        assert_eq!(series.highest_second(at(0)), 5);
        assert_eq!(series.sum(), 12);
    }
}
