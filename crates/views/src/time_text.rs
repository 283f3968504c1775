//! Times as texts: RFC 3339 to microseconds since the epoch, [`micros_of`], and back, [`text_of`].
//!
//! A time needs its offset: one without would depend on who reads it. Digits behind the microseconds are
//! cut off. The leap second counts as the second after it.

/// The microseconds since the epoch of `2001-02-03T04:05:06.789Z` and the like; none of anything else.
pub fn micros_of(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let separators = [
        (4, b"--"),
        (7, b"--"),
        (10, b"Tt"),
        (13, b"::"),
        (16, b"::"),
    ];
    let is_separated = |(at, either): (usize, &[u8; 2])| {
        bytes
            .get(at)
            .is_some_and(|byte| either.contains(byte) || (at == 10 && *byte == b' '))
    };
    if !text.is_ascii() || !separators.into_iter().all(is_separated) {
        return None;
    }
    let year = number(text.get(0..4)?, 0..=9999)?;
    let month = number(text.get(5..7)?, 1..=12)?;
    let day = number(text.get(8..10)?, 1..=days_in(year, month))?;
    let hour = number(text.get(11..13)?, 0..=23)?;
    let minute = number(text.get(14..16)?, 0..=59)?;
    let second = number(text.get(17..19)?, 0..=60)?;
    let (micros, offset) = fraction(text.get(19..)?)?;
    let offset_minutes = minutes_of(offset)?;
    let minutes = (days_from_civil(year, month, day) * 24 + hour) * 60 + minute - offset_minutes;
    Some((minutes * 60 + second) * 1_000_000 + micros)
}

fn number(digits: &str, range: std::ops::RangeInclusive<i64>) -> Option<i64> {
    let is_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.parse().ok().filter(|_| is_digits)?;
    range.contains(&number).then_some(number)
}

/// The microseconds of `.789Z`, and what stands behind them.
fn fraction(text: &str) -> Option<(i64, &str)> {
    let Some(rest) = text.strip_prefix('.') else {
        return Some((0, text));
    };
    let end = rest.find(|letter: char| !letter.is_ascii_digit())?;
    let (digits, rest) = rest.split_at(end);
    let kept = digits.get(..6).unwrap_or(digits);
    let scale = 10_i64.pow(6 - u32::try_from(kept.len()).ok()?);
    Some((number(kept, 0..=999_999)? * scale, rest))
}

fn minutes_of(offset: &str) -> Option<i64> {
    if matches!(offset, "Z" | "z") {
        return Some(0);
    }
    let (sign, rest) = match offset.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':').filter(|_| rest.len() == 5)?;
    Some(sign * (number(hours, 0..=23)? * 60 + number(minutes, 0..=59)?))
}

fn days_in(year: i64, month: i64) -> i64 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01, by Howard Hinnant's algorithm on the proleptic Gregorian calendar.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let shifted_year = year - i64::from(month <= 2);
    let era = shifted_year.div_euclid(400);
    let year_of_era = shifted_year.rem_euclid(400);
    let shifted_month = (month + 9) % 12;
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Microseconds since the epoch as RFC 3339 in UTC, with a fraction when there is one.
pub fn text_of(micros: i64) -> String {
    let (seconds, fraction) = (micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000));
    let (days, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Years of 400 have a fixed number of days and begin, here, on the first of March, so that the leap
    // day is the last of its year.
    let from_march = days + 719_468;
    let (era, of_era) = (
        from_march.div_euclid(146_097),
        from_march.rem_euclid(146_097),
    );
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    let behind = match fraction {
        0 => String::new(),
        some => format!(".{some:06}"),
    };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{behind}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_their_offset() {
        let cases = [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T12:00:00.5Z", 951_825_600_500_000),
            ("2019-11-14T00:38:06.021Z", 1_573_691_886_021_000),
            ("2001-01-01 06:30:00+05:30", 978_310_800_000_000),
            ("1969-12-31t23:59:59.9999999z", -1),
            ("0001-01-01T00:00:00Z", -62_135_596_800_000_000),
        ];
        for (text, micros) in cases {
            assert_eq!(micros_of(text), Some(micros), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        let wrong = [
            "",
            "2001-01-01",
            "2001-01-01T00:00:00",
            "2001-02-29T00:00:00Z",
            "2001-13-01T00:00:00Z",
            "2001-01-01T24:00:00Z",
            "2001-01-01T00:00:00.Z",
            "2001-01-01T00:00:00+0530",
            "2001-01-01T00:00:00Zz",
            "+001-01-01T00:00:00Z",
            "2001-01-01T00:00:00.5",
            "zürich-01-01T0:00Z",
        ];
        for text in wrong {
            assert_eq!(micros_of(text), None, "{text}");
        }
    }

    #[test]
    fn a_time_is_written_as_it_is_read() {
        let texts = [
            "1970-01-01T00:00:00Z",
            "2026-03-01T10:05:00.000250Z",
            "2000-02-29T23:59:59.999999Z",
            "1900-03-01T00:00:00Z",
            "0001-01-01T00:00:00Z",
            "9999-12-31T23:59:59Z",
        ];
        for text in texts {
            let micros = micros_of(text).expect("a time");
            assert_eq!(text_of(micros), text);
        }
    }
}
