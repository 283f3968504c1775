//! What a boundary in time would have got wrong: [`count`]. Pure.
//!
//! Systems that cut between batch and stream by the time in the records answer for what happened before
//! the cut from the batch, and for the rest from the stream. A record about the time before the cut that
//! arrives after the batch was made is in neither. Here a batch is made at each full hour, the cut is an hour
//! before the latest departure in it, as Pinot's rule for hourly pushes has it, and the last three days of
//! arrivals are asked for an hour later.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::demo::landings::{Landing, minute_of};

/// Minutes from a batch to the question, and from the latest departure back to the cut.
const HOUR: i64 = 60;
/// Minutes of arrivals that a question is about.
const THREE_DAYS: i64 = 3 * 24 * HOUR;

/// What would have been wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Boundary {
    /// How often it was asked.
    pub questions: u64,
    /// Buckets of all answers together.
    pub buckets: u64,
    /// Of these, buckets that lack a flight.
    pub wrong_buckets: u64,
    /// Flights that they lack.
    pub missing: u64,
}

/// A flight as this needs it.
struct Arrival {
    landed: i64,
    departed: i64,
    /// Hour and airport.
    bucket: (i64, usize),
}

/// Asks an hour after each batch, from the first hour on in which something landed. `landings` are in the
/// order of landing.
pub fn count(landings: &[Landing]) -> Boundary {
    let arrivals = arrivals(landings);
    let (Some(first), Some(last)) = (arrivals.first(), arrivals.last()) else {
        return Boundary::default();
    };
    let before = |minute: i64| arrivals.partition_point(|arrival| arrival.landed < minute);
    let mut boundary = Boundary::default();
    let mut batch = (first.landed.div_euclid(HOUR) + 1) * HOUR;
    let mut latest = i64::MIN;
    let mut in_batch = 0;
    while batch + HOUR <= last.landed {
        let (end, question) = (before(batch), batch + HOUR);
        let new = arrivals[in_batch..end]
            .iter()
            .map(|arrival| arrival.departed);
        latest = new.fold(latest, i64::max);
        in_batch = end;
        let asked = &arrivals[before(question - THREE_DAYS)..before(question)];
        let mut buckets: Vec<_> = asked.iter().map(|arrival| arrival.bucket).collect();
        let is_missing =
            |arrival: &&Arrival| arrival.departed < latest - HOUR && arrival.landed >= batch;
        let missing = asked.iter().filter(is_missing);
        let mut wrong: Vec<_> = missing.map(|arrival| arrival.bucket).collect();
        boundary.missing += wrong.len() as u64;
        for buckets in [&mut buckets, &mut wrong] {
            buckets.sort_unstable();
            buckets.dedup();
        }
        boundary.questions += 1;
        boundary.buckets += buckets.len() as u64;
        boundary.wrong_buckets += wrong.len() as u64;
        batch += HOUR;
    }
    boundary
}

fn arrivals(landings: &[Landing]) -> Vec<Arrival> {
    let mut airports: BTreeMap<&str, usize> = BTreeMap::new();
    let arrivals = landings.iter().filter_map(|landing| {
        let next = airports.len();
        let airport = *airports.entry(&*landing.origin).or_insert(next);
        let departed = minute_of(&landing.departed)?;
        Some(Arrival {
            landed: minute_of(&landing.landed)?,
            departed,
            bucket: (departed.div_euclid(HOUR), airport),
        })
    });
    arrivals.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::landings::{FIRST_OF_JANUARY_2001, read};

    fn landing(departed: &str, landed: &str) -> Landing {
        Landing {
            departed: format!("2001-01-01T{departed}:00Z"),
            delay: 0,
            distance: 1,
            origin: "ATL".into(),
            destination: "SAV".to_owned(),
            landed: format!("2001-01-01T{landed}:00Z"),
        }
    }

    #[test]
    fn only_what_is_late_for_the_batch_and_before_its_cut_is_missing() {
        let landings = [
            landing("00:10", "01:00"),
            landing("01:50", "01:55"),
            // Behind the cut at 00:50, so the stream has it.
            landing("01:20", "02:30"),
            // Before the cut, and landed after the batch at 02:00: nobody has it.
            landing("00:30", "02:40"),
            landing("02:10", "03:00"),
        ];
        let expected = Boundary {
            questions: 1,
            buckets: 2,
            wrong_buckets: 1,
            missing: 1,
        };
        assert_eq!(count(&landings), expected);
    }

    #[test]
    fn on_the_first_of_january_2001_it_would_have_been_wrong() {
        let landings = read(FIRST_OF_JANUARY_2001).expect("the file is well formed");
        let boundary = count(&landings);
        assert!(boundary.wrong_buckets > 100, "{boundary:?}");
        assert!(boundary.wrong_buckets <= boundary.buckets, "{boundary:?}");
    }
}
