//! Lookups as queries: conditions on columns, as they stand in a URL, as SQL.
//!
//! What must hold: a value becomes one literal of its column's type, or the lookup is refused.

use arrow_schema::{DataType, Schema};

use crate::definition::Definition;
use crate::sql::{Kind, QueryError};
use crate::time_text::{micros_of, text_of};
use crate::value::{Type, Value};

/// The query that looks `conditions` up in `view`, which has `columns`.
pub fn query(
    view: &str,
    columns: &Schema,
    conditions: &[(String, String)],
) -> Result<String, QueryError> {
    let mut sql = format!("SELECT * FROM {}", name(view));
    for (index, (key, value)) in conditions.iter().enumerate() {
        let (column, operator) = match (key.strip_suffix(".from"), key.strip_suffix(".before")) {
            (Some(column), _) => (column, ">="),
            (_, Some(column)) => (column, "<"),
            (None, None) => (key.as_str(), "="),
        };
        let Ok(field) = columns.field_with_name(column) else {
            let there: Vec<&str> = columns
                .fields()
                .iter()
                .map(|field| field.name().as_str())
                .collect();
            let error = QueryError::new(Kind::NoColumn, format!("there is no column `{column}`"));
            return Err(error.hint(format!("there are {}", there.join(", "))));
        };
        let literal = literal(column, field.data_type(), value)?;
        let before = if index == 0 { "WHERE" } else { "AND" };
        sql += &format!(" {before} {} {operator} {literal}", name(column));
    }
    Ok(sql)
}

/// The one key of `definition`, of these types, that `conditions` are about: when they name each of its
/// columns once and nothing else. None also where a value has to be read as SQL reads it.
pub fn whole_key(
    definition: &Definition,
    keys: &[Type],
    conditions: &[(String, String)],
) -> Option<Vec<Value>> {
    if conditions.len() != keys.len() {
        return None;
    }
    let key = keys.iter().enumerate().map(|(index, of)| {
        let key = format!("_k{index}");
        let (_, text) = conditions.iter().find(|(name, _)| {
            let mut columns = definition.columns.iter();
            let column = columns.find(|column| column.name == *name);
            column.is_some_and(|column| column.value.to_string() == key)
                && !name.ends_with(".from")
                && !name.ends_with(".before")
        })?;
        match of {
            Type::Text => Some(Value::Text(text.clone())),
            Type::Integer if !text.starts_with('+') => text.parse().ok().map(Value::Integer),
            Type::Boolean => text.parse().ok().map(Value::Boolean),
            Type::Timestamp => {
                let micros = micros_of(text).filter(|micros| text_of(*micros) == *text);
                micros.map(Value::Timestamp)
            }
            Type::Integer | Type::Decimal { .. } | Type::Float => None,
        }
    });
    key.collect()
}

fn literal(column: &str, of: &DataType, value: &str) -> Result<String, QueryError> {
    match of {
        DataType::Boolean if matches!(value, "true" | "false") => Ok(value.to_owned()),
        DataType::Boolean => Err(wrong(column, "neither true nor false", value)),
        DataType::Timestamp(..) => time(column, value),
        of if of.is_numeric() => number(column, value),
        _ => Ok(quoted(value)),
    }
}

fn wrong(name: &str, what: &str, value: &str) -> QueryError {
    QueryError::new(Kind::Invalid, format!("`{name}` is {what}: {value}"))
}

/// A name in SQL.
fn name(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text in SQL.
pub fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

/// A number in SQL, the value of `name`.
pub fn number(name: &str, value: &str) -> Result<String, QueryError> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = value.strip_prefix('-').unwrap_or(value);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.trim_start_matches(['-', '+'])),
        None => (unsigned, "0"),
    };
    let (whole, behind) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    match digits(whole) && digits(behind) && digits(exponent) && value.len() <= 64 {
        true => Ok(value.to_owned()),
        false => Err(wrong(name, "no number", value)),
    }
}

/// A time in SQL, the value of `name`.
pub fn time(name: &str, value: &str) -> Result<String, QueryError> {
    match micros_of(value) {
        Some(_) => Ok(format!("TIMESTAMP '{value}'")),
        None => Err(wrong(name, "no time in RFC 3339", value)),
    }
}

#[cfg(test)]
mod tests {
    use arrow_schema::{Field, TimeUnit};

    use super::*;

    fn sql(conditions: &[(&str, &str)]) -> Result<String, QueryError> {
        let field = |name: &str, of| Field::new(name, of, true);
        let columns = Schema::new(vec![
            field("store", DataType::Utf8),
            field(
                "hour",
                DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            ),
            field("n", DataType::Int64),
            field("ok", DataType::Boolean),
        ]);
        let conditions = conditions
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        query("sales", &columns, &conditions.collect::<Vec<_>>())
    }

    #[test]
    fn conditions_are_literals_of_the_types_of_their_columns() {
        assert_eq!(sql(&[]).expect("all"), "SELECT * FROM \"sales\"");
        let conditions = [
            ("store", "O'Hare"),
            ("hour.from", "2026-01-01T00:00:00Z"),
            ("hour.before", "2026-01-02T00:00:00Z"),
            ("n", "-3"),
            ("ok", "true"),
        ];
        let expected = "SELECT * FROM \"sales\" WHERE \"store\" = 'O''Hare' AND \
                        \"hour\" >= TIMESTAMP '2026-01-01T00:00:00Z' AND \
                        \"hour\" < TIMESTAMP '2026-01-02T00:00:00Z' AND \"n\" = -3 AND \"ok\" = true";
        assert_eq!(sql(&conditions).expect("a query"), expected);
    }

    #[test]
    fn only_conditions_on_each_key_and_nothing_else_are_a_key() {
        let text = "CREATE VIEW v AS SELECT store AS shop, k + 1 AS next, k, count(*) AS n \
                    FROM STREAM s GROUP BY store, k";
        let definition = crate::definition::split(text).expect("it can be split");
        let keys = [Type::Text, Type::Integer];
        let key = |conditions: &[(&str, &str)]| {
            let conditions = conditions.iter();
            let conditions =
                conditions.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            whole_key(&definition, &keys, &conditions.collect::<Vec<_>>())
        };
        let expected = vec![Value::Text("a".to_owned()), Value::Integer(-7)];
        assert_eq!(key(&[("k", "-7"), ("shop", "a")]), Some(expected));
        for others in [
            [("shop", "a"), ("shop", "b")].as_slice(),
            &[("shop", "a")],
            &[("shop", "a"), ("next", "8")],
            &[("shop", "a"), ("k.from", "7")],
            &[("shop", "a"), ("k", "7"), ("n", "1")],
            &[("shop", "a"), ("k", "7.0")],
            &[("shop", "a"), ("k", "+7")],
            &[("store", "a"), ("k", "7")],
        ] {
            assert_eq!(key(others), None, "{others:?}");
        }
    }

    #[test]
    fn what_is_no_value_of_its_column_is_refused() {
        for (key, value) in [
            ("n", "1 OR 1=1"),
            ("n", ""),
            ("n", "1e"),
            ("hour", "1"),
            ("ok", "1"),
        ] {
            assert_eq!(
                sql(&[(key, value)]).expect_err("refused").kind,
                Kind::Invalid,
                "{key}={value}"
            );
        }
        let unknown = sql(&[("shop", "x")]).expect_err("refused");
        assert_eq!(
            (unknown.kind, unknown.hint.as_str()),
            (Kind::NoColumn, "there are store, hour, n, ok")
        );
    }
}
