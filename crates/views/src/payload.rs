//! Values out of a payload: [`read`].
//!
//! A payload that is not a JSON object, or has a value that is not of its column's format, is *bad*:
//! none of its columns has a value then, and why is said. A field that is missing or null is null and
//! not bad. Numbers are read from their text, so a decimal keeps every digit. Of a field that stands
//! twice the last one counts.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::schema::{Column, Format, Schema};
use crate::time_text::micros_of;
use crate::value::{DECIMAL_MAX, Value};

/// An object, its values still text.
type Fields<'a> = BTreeMap<String, &'a RawValue>;

/// The values of the columns of `schema`, or what is wrong with the payload.
pub fn read(schema: &Schema, payload: &[u8]) -> Result<Vec<Option<Value>>, String> {
    if schema.columns().is_empty() {
        return Ok(Vec::new());
    }
    let object: Fields<'_> = serde_json::from_slice(payload)
        .map_err(|_| "the payload is not a JSON object".to_owned())?;
    let values = schema.columns().iter().map(|column| {
        let value = find(&object, &column.path);
        let value =
            value.and_then(|found| found.map_or(Ok(None), |text| parse(column.format, text)));
        value.map_err(|what| bad(column, what))
    });
    values.collect()
}

fn bad(column: &Column, what: &str) -> String {
    format!("{}: {what}", column.path.join("."))
}

fn find<'a>(object: &Fields<'a>, path: &[String]) -> Result<Option<&'a str>, &'static str> {
    let (first, rest) = path.split_first().expect("a column has a path");
    let Some(value) = object.get(first).map(|raw| raw.get()) else {
        return Ok(None);
    };
    if value == "null" {
        Ok(None)
    } else if rest.is_empty() {
        Ok(Some(value))
    } else {
        let inner: Fields<'a> =
            serde_json::from_str(value).map_err(|_| "not an object on the way")?;
        find(&inner, rest)
    }
}

fn parse(format: Format, text: &str) -> Result<Option<Value>, &'static str> {
    let (value, what) = match format {
        Format::Boolean => (text.parse().ok().map(Value::Boolean), "not true or false"),
        Format::Integer => (
            text.parse().ok().map(Value::Integer),
            "not a whole number of 64 bits",
        ),
        Format::Decimal { scale } => (
            decimal(text.trim_matches('"'), scale).map(Value::Decimal),
            "not a decimal of the declared digits",
        ),
        Format::Float => (
            serde_json::from_str(text).ok().map(Value::float),
            "not a number",
        ),
        Format::Text => (
            serde_json::from_str(text).ok().map(Value::Text),
            "not a text",
        ),
        Format::TimeText => {
            let written: Option<String> = serde_json::from_str(text).ok();
            let micros = written.and_then(|written| micros_of(&written));
            (micros.map(Value::Timestamp), "not a time in RFC 3339")
        }
        Format::TimeSeconds => (micros(text, 1_000_000), "not seconds since the epoch"),
        Format::TimeMillis => (micros(text, 1_000), "not milliseconds since the epoch"),
        Format::TimeMicros => (micros(text, 1), "not microseconds since the epoch"),
    };
    value.map(Some).ok_or(what)
}

fn micros(text: &str, each: i64) -> Option<Value> {
    let count: i64 = text.parse().ok()?;
    count.checked_mul(each).map(Value::Timestamp)
}

/// `text` times 10^`scale`, when that is a whole number of at most 38 digits.
fn decimal(text: &str, scale: u8) -> Option<i128> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, behind) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_negative = whole.starts_with('-');
    let digits = format!("{}{behind}", whole.strip_prefix('-').unwrap_or(whole));
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let significant = digits.trim_start_matches('0').trim_end_matches('0');
    let dropped = digits.len() - digits.trim_end_matches('0').len();
    if significant.is_empty() {
        return Some(0);
    }
    let places = i64::from(exponent) - behind.len() as i64 + dropped as i64 + i64::from(scale);
    let places = u32::try_from(places).ok()?;
    let power = 10_i128.checked_pow(places)?;
    let units = significant.parse::<i128>().ok()?.checked_mul(power)?;
    let units = if is_negative { -units } else { units };
    (units.unsigned_abs() <= DECIMAL_MAX.unsigned_abs()).then_some(units)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_read_to_the_last_digit() {
        let cases = [
            ("12.34", 2, Some(1234)),
            ("-0.1", 2, Some(-10)),
            ("1e3", 0, Some(1000)),
            ("1500e-2", 1, Some(150)),
            ("12.3400", 2, Some(1234)),
            ("12.345", 2, None),
            ("0.000", 0, Some(0)),
            ("0e999999", 0, Some(0)),
            ("1e39", 0, None),
            (
                "99999999999999999999999999999999999999",
                0,
                Some(DECIMAL_MAX),
            ),
            ("100000000000000000000000000000000000000", 0, None),
            (
                "12345678901234567890.123456789012345678",
                18,
                Some(12345678901234567890123456789012345678),
            ),
            ("", 0, None),
            ("-", 0, None),
            ("1.2.3", 2, None),
            ("1e", 0, None),
        ];
        for (text, scale, expected) in cases {
            assert_eq!(decimal(text, scale), expected, "{text}");
        }
    }

    fn one(format: Format, payload: &str) -> Result<Option<Value>, String> {
        let column = Column {
            name: "a".into(),
            format,
            path: vec!["x".into(), "a".into()],
        };
        let schema = Schema::new(vec![column]).unwrap();
        read(&schema, payload.as_bytes()).map(|mut values| values.pop().unwrap())
    }

    #[test]
    fn values_are_of_their_format_or_the_payload_is_bad() {
        let text = |text: &str| Ok(Some(Value::Text(text.into())));
        let is_bad = |what: &str| Err(what.to_owned());
        let cases = [
            (Format::Text, r#"{"x":{"a":"z\u00fcrich"}}"#, text("zürich")),
            (Format::Text, r#"{"x":{"a":1}}"#, is_bad("x.a: not a text")),
            (Format::Text, r#"{"x":{"a":null}}"#, Ok(None)),
            (Format::Text, r#"{"x":{}}"#, Ok(None)),
            (Format::Text, r#"{"x":null}"#, Ok(None)),
            (
                Format::Text,
                r#"{"x":1}"#,
                is_bad("x.a: not an object on the way"),
            ),
            (
                Format::Text,
                r#"[1]"#,
                is_bad("the payload is not a JSON object"),
            ),
            (
                Format::Text,
                r#"{"x":"#,
                is_bad("the payload is not a JSON object"),
            ),
            (
                Format::Boolean,
                r#"{"x":{"a": true }}"#,
                Ok(Some(Value::Boolean(true))),
            ),
            (
                Format::Integer,
                r#"{"x":{"a":1.0}}"#,
                is_bad("x.a: not a whole number of 64 bits"),
            ),
            (
                Format::Integer,
                r#"{"x":{"a":1,"a":2}}"#,
                Ok(Some(Value::Integer(2))),
            ),
            (
                Format::Float,
                r#"{"x":{"a":0.1}}"#,
                Ok(Some(Value::float(0.1))),
            ),
            (
                Format::Decimal { scale: 1 },
                r#"{"x":{"a":"0.1"}}"#,
                Ok(Some(Value::Decimal(1))),
            ),
            (
                Format::TimeMillis,
                r#"{"x":{"a":5}}"#,
                Ok(Some(Value::Timestamp(5000))),
            ),
            (
                Format::TimeText,
                r#"{"x":{"a":"1970-01-01T00:00:01Z"}}"#,
                Ok(Some(Value::Timestamp(1_000_000))),
            ),
            (
                Format::TimeSeconds,
                r#"{"x":{"a":9223372036854775807}}"#,
                is_bad("x.a: not seconds since the epoch"),
            ),
        ];
        for (format, payload, expected) in cases {
            assert_eq!(one(format, payload), expected, "{payload}");
        }
    }
}
