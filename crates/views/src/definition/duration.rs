//! How long something takes, in words: `5 minutes`.

use std::time::Duration;

/// What a duration looks like, for those who wrote another one.
pub const FORM: &str = "it is a number and seconds, minutes, hours or days, at least one second";

/// What `text` says; none when it is of another form, or not always as long, as a month is.
pub fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = text.trim().split_once(' ')?;
    let each = match unit.trim().trim_end_matches('s') {
        "second" => 1,
        "minute" => 60,
        "hour" => 3600,
        "day" => 24 * 3600,
        _ => return None,
    };
    let number = number.parse::<u32>().ok().filter(|number| *number > 0)?;
    Some(Duration::from_secs(u64::from(number) * each))
}
