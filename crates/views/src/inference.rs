//! A schema out of payloads, for streams whose schema nobody declared: [`infer`].
//!
//! Pure. Every top-level field that holds one kind of value in all payloads becomes a column; what has
//! several kinds, or is itself an object or a list, is left out and named. A guess can be wrong for the
//! records that come later: they are then bad, are counted and keep their payloads, and a schema that is
//! declared wins.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::schema::{COLUMNS_MAX, Column, Format, Schema};
use crate::time_text::micros_of;

/// What payloads came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inferred {
    /// The columns, in the order of their names.
    pub schema: Schema,
    /// Fields that are no columns, and why.
    pub left_out: Vec<(String, &'static str)>,
    /// How many payloads are JSON objects.
    pub objects: usize,
    /// How many are not.
    pub others: usize,
}

/// The schema that `payloads` have in common.
pub fn infer<'a>(payloads: impl IntoIterator<Item = &'a [u8]>) -> Inferred {
    let mut fields: BTreeMap<String, Kind> = BTreeMap::new();
    let (mut objects, mut others) = (0, 0);
    for payload in payloads {
        let Ok(Json::Object(object)) = serde_json::from_slice(payload) else {
            others += 1;
            continue;
        };
        objects += 1;
        for (name, value) in object {
            let kind = fields.entry(name).or_insert(Kind::Null);
            *kind = kind.with(Kind::of(&value));
        }
    }
    let mut columns: Vec<Column> = Vec::new();
    let mut left_out = Vec::new();
    for (field, kind) in fields {
        match column(&field, kind, &columns) {
            Ok(column) => columns.push(column),
            Err(why) => left_out.push((field, why)),
        }
    }
    let schema = Schema::new(columns).expect("names were checked, and so was their number");
    Inferred {
        schema,
        left_out,
        objects,
        others,
    }
}

fn column(field: &str, kind: Kind, before: &[Column]) -> Result<Column, &'static str> {
    let format = kind.format()?;
    // Names in SQL that are not quoted are small.
    let column = Column {
        name: field.to_lowercase(),
        format,
        path: vec![field.to_owned()],
    };
    if before.len() == COLUMNS_MAX {
        return Err("there are too many fields");
    }
    if before.iter().any(|other| other.name == column.name) {
        return Err("another field has the same letters");
    }
    match Schema::new(vec![column.clone()]) {
        Ok(_) => Ok(column),
        Err(_) => Err("its name cannot be the name of a column"),
    }
}

/// What a field holds in all payloads so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Null,
    Boolean,
    Integer,
    Number,
    Time,
    Text,
    Nested,
    Mixed,
}

impl Kind {
    fn of(value: &Json) -> Kind {
        match value {
            Json::Null => Kind::Null,
            Json::Bool(_) => Kind::Boolean,
            Json::Number(number) if number.is_i64() => Kind::Integer,
            Json::Number(_) => Kind::Number,
            Json::String(text) if micros_of(text).is_some() => Kind::Time,
            Json::String(_) => Kind::Text,
            Json::Array(_) | Json::Object(_) => Kind::Nested,
        }
    }

    fn with(self, other: Kind) -> Kind {
        match (self, other) {
            (one, same) if one == same => one,
            (Kind::Null, kind) | (kind, Kind::Null) => kind,
            (Kind::Integer, Kind::Number) | (Kind::Number, Kind::Integer) => Kind::Number,
            (Kind::Time, Kind::Text) | (Kind::Text, Kind::Time) => Kind::Text,
            _ => Kind::Mixed,
        }
    }

    fn format(self) -> Result<Format, &'static str> {
        match self {
            Kind::Boolean => Ok(Format::Boolean),
            Kind::Integer => Ok(Format::Integer),
            Kind::Number => Ok(Format::Float),
            Kind::Time => Ok(Format::TimeText),
            Kind::Text => Ok(Format::Text),
            Kind::Null => Err("it is null in every record"),
            Kind::Nested => Err("it is an object or a list: read it from payload"),
            Kind::Mixed => Err("it has values of several kinds: read it from payload"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inferred(payloads: &[&str]) -> Inferred {
        infer(payloads.iter().map(|payload| payload.as_bytes()))
    }

    #[test]
    fn fields_of_one_kind_become_columns_and_the_others_are_named() {
        let found = inferred(&[
            r#"{"storeId":"BLR-3","n":1,"price":1,"at":"2026-01-02T03:04:05Z","ok":true,"tags":[]}"#,
            r#"{"storeId":"2026-01-02T03:04:05Z","n":2,"price":1.5,"at":null,"mix":1}"#,
            r#"{"mix":"one","none":null,"a b":1}"#,
            "not JSON",
            "[1]",
        ]);
        let columns = found.schema.columns().iter();
        let columns: Vec<_> = columns
            .map(|column| (column.name.as_str(), column.format, column.path[0].as_str()))
            .collect();
        let expected = [
            ("at", Format::TimeText, "at"),
            ("n", Format::Integer, "n"),
            ("ok", Format::Boolean, "ok"),
            ("price", Format::Float, "price"),
            ("storeid", Format::Text, "storeId"),
        ];
        assert_eq!(columns, expected);
        let left_out: Vec<_> = found
            .left_out
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(left_out, ["a b", "mix", "none", "tags"]);
        assert_eq!((found.objects, found.others), (3, 2));
    }

    #[test]
    fn a_number_that_no_64_bits_hold_is_no_integer() {
        let found = inferred(&[r#"{"n":9223372036854775808}"#]);
        assert_eq!(found.schema.columns()[0].format, Format::Float);
    }

    #[test]
    fn fields_that_differ_in_case_only_are_one_column() {
        let found = inferred(&[r#"{"Store":"a","store":"b"}"#]);
        assert_eq!(found.schema.columns()[0].path, ["Store"]);
        assert_eq!(
            found.left_out,
            [("store".to_owned(), "another field has the same letters")]
        );
    }

    #[test]
    fn nothing_comes_of_nothing() {
        assert_eq!(inferred(&[]).schema, Schema::default());
    }
}
