//! Times as signatures spell them: `20150830T123600Z`.

use std::time::{Duration, UNIX_EPOCH};

use tidemill_model::Timestamp;

/// `time` in the basic form of ISO 8601, whole seconds, UTC.
pub fn basic(time: Timestamp) -> String {
    let civil = time.civil();
    format!(
        "{:04}{:02}{:02}T{:02}{:02}{:02}Z",
        civil.year, civil.month, civil.day, civil.hour, civil.minute, civil.second
    )
}

/// Reads a signing time: the basic form of ISO 8601, or the form of HTTP's `Date` header.
pub fn parse(text: &str) -> Option<Timestamp> {
    parse_basic(text).or_else(|| {
        let date = httpdate::parse_http_date(text).ok()?;
        Some(Timestamp::from_secs(
            date.duration_since(UNIX_EPOCH).ok()?.as_secs(),
        ))
    })
}

fn parse_basic(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    let digits = |range: std::ops::Range<usize>| -> Option<u64> {
        let part = &bytes[range];
        part.iter().all(u8::is_ascii_digit).then(|| {
            part.iter()
                .fold(0, |number, digit| number * 10 + u64::from(digit - b'0'))
        })
    };
    if bytes.len() != 16 || bytes[8] != b'T' || bytes[15] != b'Z' {
        return None;
    }
    let (year, month, day) = (digits(0..4)?, digits(4..6)?, digits(6..8)?);
    let (hour, minute, second) = (digits(9..11)?, digits(11..13)?, digits(13..15)?);
    if year < 1970 || !(1..=12).contains(&month) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = days_since_epoch(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    let time = Timestamp::EPOCH.plus(Duration::from_secs(seconds));
    // A day that its month does not have comes back as another date.
    (basic(time) == text).then_some(time)
}

/// Days from 1970-01-01 to a date not before it, by Howard Hinnant's days-from-civil.
fn days_since_epoch(year: u64, month: u64, day: u64) -> u64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year / 400, year % 400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day.saturating_sub(1);
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signing_time_reads_as_it_was_written() {
        let expected = Some(Timestamp::from_secs(1_440_938_160));
        assert_eq!(parse("20150830T123600Z"), expected);
        assert_eq!(parse("Sun, 30 Aug 2015 12:36:00 GMT"), expected);
        for text in [
            "19700101T000000Z",
            "20000229T235959Z",
            "21000301T000000Z",
            "99991231T235959Z",
        ] {
            assert_eq!(parse(text).map(basic).as_deref(), Some(text));
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "20150830",
            "2015-08-30T12:36:00Z",
            "20150230T000000Z",
            "20150800T000000Z",
            "20151301T000000Z",
            "20150830T240000Z",
            "19691231T235959Z",
            "+0150830T123600Z",
            "2015083éT12360Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
