//! Lookups as queries: conditions on columns, as they stand in a URL, as SQL.
//!
//! What must hold: a value becomes one literal of its column's type, or the lookup is refused.

use arrow_schema::{DataType, Schema};

use crate::sql::{Kind, QueryError};
use crate::time_text::micros_of;

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
