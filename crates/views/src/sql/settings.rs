//! What a client may set: [`SETTINGS`], and what each value has to be.
//!
//! What must hold: a value that is accepted is kept. Settings that would change what a statement means are
//! accepted only at the value that is true here anyway; the rest are of no consequence for who only reads.

use std::time::Duration;

use tidemill_model::{SequenceNumber, ShardId};

use crate::positions::Positions;
use crate::view_reader::MinPosition;

/// A setting.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Its name, in lower case.
    pub name: &'static str,
    /// The value that it has at first.
    pub default: &'static str,
    /// Which values it takes.
    pub takes: Takes,
    /// How it is called when a change of it is reported to the client; none when it is not.
    pub reported: Option<&'static str>,
}

/// Which values a setting takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Anything: it is of no consequence.
    Anything,
    /// Those that begin like this, whatever the case.
    OnlyLike(&'static [&'static str]),
    /// `on` or `off`.
    Switch,
    /// A span of time: a number of milliseconds, or one with ms, s or min.
    Span,
    /// Records that have to be in an answer.
    MinPositions,
    /// A vector of positions.
    Vector,
    /// None: it can be looked at only.
    Nothing,
}

const fn fixed(name: &'static str, default: &'static str, takes: Takes) -> Setting {
    Setting {
        name,
        default,
        takes,
        reported: None,
    }
}

const fn told(
    name: &'static str,
    default: &'static str,
    takes: Takes,
    told: &'static str,
) -> Setting {
    Setting {
        name,
        default,
        takes,
        reported: Some(told),
    }
}

/// Records that have to be in an answer: `orders/0:1499`, several with commas.
pub const MIN_POSITION: &str = "tidemill.min_position";
/// The vector that is to be answered at: `0:1500,1:700`.
pub const AS_OF: &str = "tidemill.as_of";
/// Whether each answer says what it is as of.
pub const NOTICES: &str = "tidemill.notices";
/// What the last answer was as of.
pub const LAST_AS_OF: &str = "tidemill.last_as_of";
/// How long a query may take.
pub const STATEMENT_TIMEOUT: &str = "statement_timeout";
/// Which messages a client wants.
pub const CLIENT_MIN_MESSAGES: &str = "client_min_messages";
/// The version of Postgres whose protocol and catalogue these are.
pub const SERVER_VERSION: &str = "16.6";

const UTC: Takes = Takes::OnlyLike(&["utc", "etc/utc", "gmt", "+00", "0", "z"]);

/// All settings.
pub const SETTINGS: [Setting; 38] = [
    told("application_name", "", Takes::Anything, "application_name"),
    fixed("bytea_output", "hex", Takes::OnlyLike(&["hex"])),
    told(
        "client_encoding",
        "UTF8",
        Takes::OnlyLike(&["utf8", "utf-8", "unicode"]),
        "client_encoding",
    ),
    fixed(CLIENT_MIN_MESSAGES, "notice", Takes::Anything),
    told(
        "datestyle",
        "ISO, YMD",
        Takes::OnlyLike(&["iso"]),
        "DateStyle",
    ),
    fixed(
        "default_transaction_isolation",
        "read committed",
        Takes::Anything,
    ),
    fixed(
        "default_transaction_read_only",
        "on",
        Takes::OnlyLike(&["on", "true", "yes", "1"]),
    ),
    fixed("escape_string_warning", "on", Takes::Anything),
    fixed("extra_float_digits", "1", Takes::Anything),
    fixed("idle_in_transaction_session_timeout", "0", Takes::Anything),
    fixed("idle_session_timeout", "0", Takes::Anything),
    told(
        "integer_datetimes",
        "on",
        Takes::Nothing,
        "integer_datetimes",
    ),
    told(
        "intervalstyle",
        "postgres",
        Takes::OnlyLike(&["postgres"]),
        "IntervalStyle",
    ),
    told("is_superuser", "off", Takes::Nothing, "is_superuser"),
    fixed("jit", "off", Takes::Anything),
    fixed("lc_collate", "C", Takes::Nothing),
    fixed("lc_ctype", "C", Takes::Nothing),
    fixed("lock_timeout", "0", Takes::Anything),
    fixed("max_identifier_length", "63", Takes::Nothing),
    fixed("max_index_keys", "32", Takes::Nothing),
    fixed("row_security", "off", Takes::Anything),
    told(
        "search_path",
        "public",
        Takes::OnlyLike(&["public", "\"$user\"", "$user", "pg_catalog"]),
        "search_path",
    ),
    told("server_encoding", "UTF8", Takes::Nothing, "server_encoding"),
    told(
        "server_version",
        SERVER_VERSION,
        Takes::Nothing,
        "server_version",
    ),
    fixed("server_version_num", "160006", Takes::Nothing),
    fixed("ssl", "off", Takes::Nothing),
    told(
        "standard_conforming_strings",
        "on",
        Takes::OnlyLike(&["on", "true", "yes", "1"]),
        "standard_conforming_strings",
    ),
    fixed(STATEMENT_TIMEOUT, "0", Takes::Span),
    fixed("synchronize_seqscans", "on", Takes::Anything),
    fixed("tcp_keepalives_idle", "0", Takes::Anything),
    told("timezone", "UTC", UTC, "TimeZone"),
    fixed("transaction_isolation", "read committed", Takes::Anything),
    fixed(
        "transaction_read_only",
        "on",
        Takes::OnlyLike(&["on", "true", "yes", "1"]),
    ),
    fixed("wal_level", "replica", Takes::Nothing),
    fixed(AS_OF, "", Takes::Vector),
    fixed(LAST_AS_OF, "", Takes::Nothing),
    fixed(MIN_POSITION, "", Takes::MinPositions),
    fixed(NOTICES, "on", Takes::Switch),
];

/// The setting `name`.
pub fn setting(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}

impl Setting {
    /// What is wrong with `value`; none when it can be set.
    pub fn check(&self, value: &str) -> Result<(), String> {
        let name = self.name;
        let lower = value.to_lowercase();
        let (is_right, wanted) = match self.takes {
            Takes::Anything => (true, ""),
            Takes::Switch => (matches!(lower.as_str(), "on" | "off"), "on or off"),
            Takes::Span => (
                span(value).is_some(),
                "milliseconds, or a number and ms, s or min",
            ),
            Takes::MinPositions => (
                min_positions(value).is_some(),
                "stream/shard:position or stream/sequence-number, several with commas",
            ),
            Takes::Vector => (vector(value).is_some(), "shard:end, several with commas"),
            Takes::Nothing => return Err(format!("{name} cannot be changed")),
            Takes::OnlyLike(starts) => {
                if starts.iter().any(|start| lower.starts_with(start)) || lower.is_empty() {
                    return Ok(());
                }
                let only = starts.first().copied().unwrap_or_default();
                return Err(format!("{name} is always {only} here, and not {value}"));
            }
        };
        if is_right {
            Ok(())
        } else {
            Err(format!("{name} is {wanted}, and not {value}"))
        }
    }
}

/// A span of time; none inside for no limit.
pub fn span(text: &str) -> Option<Option<Duration>> {
    let text = text.trim();
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let each = match text[digits.len()..].to_lowercase().as_str() {
        "" | "ms" => 1,
        "s" => 1_000,
        "min" => 60_000,
        _ => return None,
    };
    let count: u32 = digits.trim().parse().ok()?;
    let span = Duration::from_millis(u64::from(count) * each);
    Some((!span.is_zero()).then_some(span))
}

/// The records in `orders/0:1499,orders/49590…`.
pub fn min_positions(text: &str) -> Option<Vec<MinPosition>> {
    let parts = text
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty());
    let positions = parts.map(|part| {
        let (stream, place) = part.rsplit_once('/')?;
        let (shard, position) = match place.split_once(':') {
            Some((shard, position)) => (ShardId(shard.parse().ok()?), position.parse().ok()?),
            None => {
                let number: SequenceNumber = place.parse().ok()?;
                (number.shard(), number.position_at())
            }
        };
        let stream = stream.to_owned();
        (!stream.is_empty()).then_some(MinPosition {
            stream,
            shard,
            position,
        })
    });
    positions.collect()
}

/// The vector in `0:1500,1:700`; none inside for the newest.
pub fn vector(text: &str) -> Option<Option<Positions>> {
    if text.trim().is_empty() {
        return Some(None);
    }
    let ends = text.split(',').map(|end| {
        let (shard, end) = end.trim().split_once(':')?;
        Some((ShardId(shard.parse().ok()?), end.parse().ok()?))
    });
    ends.collect::<Option<Positions>>().map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_checked_before_they_are_kept() {
        let cases = [
            ("extra_float_digits", "3", true),
            ("timezone", "Etc/UTC", true),
            ("timezone", "Europe/Zurich", false),
            ("client_encoding", "LATIN1", false),
            ("search_path", "public, other", true),
            ("search_path", "other", false),
            ("server_version", "17", false),
            (STATEMENT_TIMEOUT, "5s", true),
            (STATEMENT_TIMEOUT, "5 days", false),
            (MIN_POSITION, "orders/0:1499, returns/3:0", true),
            (MIN_POSITION, "0:1499", false),
            (AS_OF, "0:1500,1:700", true),
            (AS_OF, "0", false),
            (NOTICES, "off", true),
            (NOTICES, "loud", false),
        ];
        for (name, value, is_right) in cases {
            let setting = setting(name).expect("it is a setting");
            assert_eq!(setting.check(value).is_ok(), is_right, "{name} {value}");
        }
    }

    #[test]
    fn a_sequence_number_is_a_position_that_can_be_demanded() {
        let number = SequenceNumber::of_record(ShardId(3), 1_000, 17, 2_000);
        let found = min_positions(&format!("orders/{number}"));
        let expected = MinPosition {
            stream: "orders".into(),
            shard: ShardId(3),
            position: 17,
        };
        assert_eq!(found, Some(vec![expected]));
        assert_eq!(span("0"), Some(None));
        assert_eq!(span("2min"), Some(Some(Duration::from_secs(120))));
    }
}
