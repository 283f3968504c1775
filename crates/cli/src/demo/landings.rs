//! Flights in the order in which they landed, as records for a stream. Pure.
//!
//! Departures, delays, distances and airports are as the airlines reported them. When a flight was
//! reported is not in the data and is derived; data/README.md says how.

use std::sync::Arc;

use serde_json::json;
use thiserror::Error;

use crate::demo::flights::Flight;

/// The file, carried in the binary so that the demo needs no checkout.
pub const FIRST_OF_JANUARY_2001: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../data/flights-2001-01-01.csv"
));

const HEADER: &str = "departed,delay,distance,origin,destination,landed";

/// Days from the beginning of the first March to the first of January 2001, as [`minute_of`] counts.
const DAYS_TO_2001: i64 = 730_792;

/// What a bucket of the demo's view is of: an hour, as texts of times begin, and an airport.
pub type Bucket = (String, Arc<str>);

/// One flight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Landing {
    /// Its scheduled departure, `2001-01-01T00:01:00Z`.
    pub departed: String,
    /// Minutes that it was late by; negative when it was early.
    pub delay: i64,
    /// Miles.
    pub distance: i64,
    /// Where it came from.
    pub origin: Arc<str>,
    /// Where it went.
    pub destination: String,
    /// When it was reported, derived.
    pub landed: String,
}

/// A line that is no flight.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("line {line} of the landings is no flight: {text:?}")]
pub struct Malformed {
    line: usize,
    text: String,
}

/// Reads a file of landings.
pub fn read(csv: &str) -> Result<Vec<Landing>, Malformed> {
    let mut lines = csv.lines().enumerate();
    let malformed = |line, text: &str| Malformed {
        line: line + 1,
        text: text.to_owned(),
    };
    match lines.next() {
        Some((_, HEADER)) => {}
        other => return Err(malformed(0, other.map_or("", |(_, text)| text))),
    }
    lines
        .map(|(line, text)| landing(text).ok_or_else(|| malformed(line, text)))
        .collect()
}

fn landing(text: &str) -> Option<Landing> {
    let fields: Vec<&str> = text.split(',').collect();
    let [departed, delay, distance, origin, destination, landed] = fields.as_slice() else {
        return None;
    };
    Some(Landing {
        departed: time(departed)?,
        delay: delay.parse().ok()?,
        distance: distance.parse().ok()?,
        origin: Arc::from(*origin),
        destination: (*destination).to_owned(),
        landed: time(landed)?,
    })
}

fn time(text: &str) -> Option<String> {
    let is_time = text.len() == 20 && text.ends_with('Z') && minute_of(text).is_some();
    is_time.then(|| text.to_owned())
}

impl Landing {
    /// The hour of its departure and its airport.
    pub fn bucket(&self) -> Bucket {
        (hour_of(&self.departed), Arc::clone(&self.origin))
    }

    /// The record that is put; its key is the airport.
    pub fn record(&self) -> Flight {
        let data = json!({
            "departed": self.departed,
            "delay": self.delay,
            "distance": self.distance,
            "origin": &*self.origin,
            "destination": self.destination,
            "landed": self.landed,
        });
        Flight {
            key: self.origin.to_string(),
            data: data.to_string().into(),
            complete: true,
        }
    }
}

/// Minutes of a time since the beginning of 2001.
pub fn minute_of(time: &str) -> Option<i64> {
    let number = |range: std::ops::Range<usize>| time.get(range)?.parse::<i64>().ok();
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    // Years begin in March, so that a leap day is the last of its year.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day;
    Some((days - DAYS_TO_2001) * 24 * 60 + number(11..13)? * 60 + number(14..16)?)
}

/// The hour that a time is in: `2001-01-01T00`.
pub fn hour_of(time: &str) -> String {
    time.chars().take(13).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_in_the_order_of_landing() {
        let landings = read(FIRST_OF_JANUARY_2001).expect("the file is well formed");
        assert_eq!(landings.len(), 14_828);
        assert!(landings.is_sorted_by_key(|landing| &landing.landed));
        assert!(
            landings
                .iter()
                .all(|landing| landing.departed < landing.landed)
        );
    }

    #[test]
    fn minutes_are_counted_over_months_and_leap_days() {
        let cases = [
            ("2001-01-01T00:00:00Z", 0),
            ("2001-01-01T01:05:59Z", 65),
            ("2001-03-01T00:00:00Z", 59 * 1440),
            ("2001-07-01T00:00:00Z", 181 * 1440),
            ("2000-12-31T23:59:00Z", -1),
            ("2004-03-01T00:00:00Z", (3 * 365 + 60) * 1440),
        ];
        for (time, minutes) in cases {
            assert_eq!(minute_of(time), Some(minutes), "{time}");
        }
        assert_eq!(minute_of("soon"), None);
    }

    #[test]
    fn what_is_no_flight_is_refused() {
        let line = "2001-01-01T00:01:00Z,33,2176,LAS,PHL,2001-01-01T05:00:00Z";
        assert_eq!(
            read(&format!("{HEADER}\n{line}\n")).map(|all| all.len()),
            Ok(1)
        );
        for text in [
            "",
            "a,b\n",
            &format!("{HEADER}\n1,2\n"),
            &format!("{HEADER}\n{line},\n"),
        ] {
            assert!(read(text).is_err(), "{text:?}");
        }
    }
}
