//! Which columns are read out of payloads: [`Schema`], and how it is written into a table.
//!
//! The payload itself is always kept, so a schema can be wrong without harm: what it makes of a record
//! can be made anew. What must hold: names of columns are different, whatever their case, and do not
//! begin with an underscore, which is for the columns that every table has.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::value::Type;

/// Columns of a schema, at most: each costs a buffer for every file that is written.
pub const COLUMNS_MAX: usize = 1000;

/// Which columns are read out of payloads that are JSON objects.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Column>", into = "Vec<Column>")]
pub struct Schema {
    columns: Vec<Column>,
}

/// A column and where its values stand in a payload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name in the table.
    pub name: String,
    /// What it holds.
    #[serde(flatten)]
    pub format: Format,
    /// The names of the fields that lead to the value, outermost first.
    pub path: Vec<String>,
}

/// How values are written in a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "format")]
pub enum Format {
    /// `true` or `false`.
    Boolean,
    /// A number without point or exponent, of 64 bits.
    Integer,
    /// A number, or a text with one, of at most 38 digits and `scale` behind the point.
    Decimal {
        /// Digits behind the point.
        scale: u8,
    },
    /// A number.
    Float,
    /// A text.
    Text,
    /// A text with a time in RFC 3339.
    TimeText,
    /// Seconds since the epoch, a whole number.
    TimeSeconds,
    /// Milliseconds since the epoch, a whole number.
    TimeMillis,
    /// Microseconds since the epoch, a whole number.
    TimeMicros,
}

impl Format {
    /// The type of the values.
    pub fn holds(self) -> Type {
        match self {
            Format::Boolean => Type::Boolean,
            Format::Integer => Type::Integer,
            Format::Decimal { scale } => Type::Decimal { scale },
            Format::Float => Type::Float,
            Format::Text => Type::Text,
            Format::TimeText | Format::TimeSeconds | Format::TimeMillis | Format::TimeMicros => {
                Type::Timestamp
            }
        }
    }
}

/// Why columns are not a schema.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SchemaError {
    /// Names have 1 to 128 letters, digits and underscores and begin with a letter.
    #[error(
        "`{name}` cannot be the name of a column: letters, digits and underscores, first a letter"
    )]
    Name {
        /// The name.
        name: String,
    },
    /// Two columns have one name; letters are the same in either case.
    #[error("there are two columns `{name}`")]
    Twice {
        /// The name.
        name: String,
    },
    /// A value has to be found somewhere.
    #[error("column `{name}` has no path")]
    NoPath {
        /// The column.
        name: String,
    },
    /// 38 digits are the most.
    #[error("column `{name}` has more than 38 digits behind the point")]
    Scale {
        /// The column.
        name: String,
    },
    /// There are too many.
    #[error("{count} columns are more than {COLUMNS_MAX}")]
    Count {
        /// How many.
        count: usize,
    },
}

impl Schema {
    /// A schema of `columns`.
    pub fn new(columns: Vec<Column>) -> Result<Schema, SchemaError> {
        if columns.len() > COLUMNS_MAX {
            let count = columns.len();
            return Err(SchemaError::Count { count });
        }
        for (index, column) in columns.iter().enumerate() {
            let name = column.name.clone();
            let is_twice = |other: &Column| other.name.eq_ignore_ascii_case(&name);
            if !is_name(&name) {
                return Err(SchemaError::Name { name });
            }
            if columns[..index].iter().any(is_twice) {
                return Err(SchemaError::Twice { name });
            }
            if column.path.is_empty() {
                return Err(SchemaError::NoPath { name });
            }
            if matches!(column.format, Format::Decimal { scale } if scale > 38) {
                return Err(SchemaError::Scale { name });
            }
        }
        Ok(Schema { columns })
    }

    /// The columns, in their order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }
}

fn is_name(name: &str) -> bool {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    name.len() <= 128
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.chars().all(is_plain)
}

impl TryFrom<Vec<Column>> for Schema {
    type Error = SchemaError;

    fn try_from(columns: Vec<Column>) -> Result<Schema, SchemaError> {
        Schema::new(columns)
    }
}

impl From<Schema> for Vec<Column> {
    fn from(schema: Schema) -> Vec<Column> {
        schema.columns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, format: Format) -> Column {
        Column {
            name: name.into(),
            format,
            path: vec![name.into()],
        }
    }

    #[test]
    fn a_schema_is_written_as_a_list_and_read_back() {
        let columns = vec![
            column("fare", Format::Decimal { scale: 2 }),
            column("at", Format::TimeText),
        ];
        let schema = Schema::new(columns).unwrap();
        let text = serde_json::to_string(&schema).unwrap();
        let expected = r#"[{"name":"fare","format":"decimal","scale":2,"path":["fare"]},{"name":"at","format":"time_text","path":["at"]}]"#;
        assert_eq!(text, expected);
        assert_eq!(serde_json::from_str::<Schema>(&text).unwrap(), schema);
    }

    #[test]
    fn columns_that_would_hide_another_are_refused() {
        let twice = vec![column("a", Format::Text), column("A", Format::Text)];
        assert_eq!(
            Schema::new(twice),
            Err(SchemaError::Twice { name: "A".into() })
        );
        for name in ["_shard", "", "1a", "a b", "zürich"] {
            let refused = Schema::new(vec![column(name, Format::Text)]);
            assert_eq!(refused, Err(SchemaError::Name { name: name.into() }));
        }
        assert!(
            serde_json::from_str::<Schema>(r#"[{"name":"a","format":"text","path":[]}]"#).is_err()
        );
    }
}
