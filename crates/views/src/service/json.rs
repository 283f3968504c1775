//! Answers as JSON: [`rows_of`], and the types of their columns as SQL names them.
//!
//! What must hold: a number is written with all its digits, a decimal too; what JSON has no number for
//! (`NaN`, infinities) and every time is a text. Nothing is rounded on the way out.

use std::fmt::Write;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Decimal128Type, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType,
    TimestampNanosecondType, UInt64Type,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_cast::display::array_value_to_string;
use arrow_schema::{ArrowError, DataType, Field, Schema, TimeUnit};

use crate::columns::arrow_type;
use crate::time_text::text_of;
use crate::value::Type;

/// The columns of an answer: names and types.
pub fn columns_of(schema: &Schema) -> Vec<(String, String)> {
    let fields = schema.fields().iter();
    fields
        .map(|field| (field.name().clone(), type_of(field)))
        .collect()
}

/// The name that SQL has for a type.
pub fn type_named(of: Type) -> String {
    type_of(&Field::new("", arrow_type(of), true))
}

/// The name that SQL has for the type of a column.
pub fn type_of(field: &Field) -> String {
    match field.data_type() {
        DataType::Boolean => "BOOLEAN".to_owned(),
        DataType::Int64 => "BIGINT".to_owned(),
        DataType::Int32 => "INTEGER".to_owned(),
        DataType::Float64 => "DOUBLE".to_owned(),
        DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 => "TEXT".to_owned(),
        DataType::Timestamp(..) => "TIMESTAMP".to_owned(),
        DataType::Decimal128(digits, scale) => format!("DECIMAL({digits}, {scale})"),
        other => other.to_string().to_uppercase(),
    }
}

/// Each row as a JSON object.
pub fn rows_of(batches: &[RecordBatch]) -> Result<Vec<String>, ArrowError> {
    let mut rows = Vec::new();
    for batch in batches {
        let schema = batch.schema();
        let names = schema.fields().iter();
        let names: Vec<String> = names.map(|field| quoted(field.name())).collect();
        for row in 0..batch.num_rows() {
            let mut text = String::from("{");
            for (name, values) in names.iter().zip(batch.columns()) {
                let separator = if text.len() > 1 { "," } else { "" };
                let value = value_of(values, row)?;
                write!(text, "{separator}{name}:{value}").expect("a string takes all");
            }
            text.push('}');
            rows.push(text);
        }
    }
    Ok(rows)
}

fn value_of(values: &ArrayRef, row: usize) -> Result<String, ArrowError> {
    if values.is_null(row) {
        return Ok("null".to_owned());
    }
    Ok(match values.data_type() {
        DataType::Null => "null".to_owned(),
        DataType::Boolean => values.as_boolean().value(row).to_string(),
        DataType::Int64 => values.as_primitive::<Int64Type>().value(row).to_string(),
        DataType::Int32 => values.as_primitive::<Int32Type>().value(row).to_string(),
        DataType::UInt64 => values.as_primitive::<UInt64Type>().value(row).to_string(),
        DataType::Float64 => double(values.as_primitive::<Float64Type>().value(row)),
        DataType::Decimal128(..) => values.as_primitive::<Decimal128Type>().value_as_string(row),
        DataType::Utf8 => quoted(values.as_string::<i32>().value(row)),
        DataType::Utf8View => quoted(values.as_string_view().value(row)),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            let micros = values.as_primitive::<TimestampMicrosecondType>().value(row);
            quoted(&text_of(micros))
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            let nanos = values.as_primitive::<TimestampNanosecondType>().value(row);
            quoted(&text_of(nanos.div_euclid(1000)))
        }
        _ => quoted(&array_value_to_string(values, row)?),
    })
}

fn double(value: f64) -> String {
    if value.is_finite() {
        serde_json::to_string(&value).expect("a finite double is a number")
    } else {
        quoted(&value.to_string())
    }
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a text can be written")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{
        BooleanArray, Decimal128Array, Float64Array, Int64Array, StringArray,
        TimestampMicrosecondArray,
    };

    use super::*;

    #[test]
    fn a_row_has_every_digit_and_no_invented_number() {
        let decimals = Decimal128Array::from(vec![Some(-1), None]);
        let decimals = decimals.with_precision_and_scale(38, 2).expect("it fits");
        let times = TimestampMicrosecondArray::from(vec![Some(0), Some(-1)]).with_timezone("UTC");
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("n", Arc::new(Int64Array::from(vec![Some(i64::MAX), None]))),
            ("d\"", Arc::new(decimals)),
            ("x", Arc::new(Float64Array::from(vec![0.1, f64::NAN]))),
            ("t", Arc::new(StringArray::from(vec![Some("a\"\n"), None]))),
            ("at", Arc::new(times)),
            ("b", Arc::new(BooleanArray::from(vec![true, false]))),
        ];
        let batch = RecordBatch::try_from_iter(columns).expect("a batch");
        let expected = [
            r#"{"n":9223372036854775807,"d\"":-0.01,"x":0.1,"t":"a\"\n","at":"1970-01-01T00:00:00Z","b":true}"#,
            r#"{"n":null,"d\"":null,"x":"NaN","t":null,"at":"1969-12-31T23:59:59.999999Z","b":false}"#,
        ];
        assert_eq!(
            rows_of(std::slice::from_ref(&batch)).expect("rows"),
            expected
        );
        let types: Vec<String> = columns_of(&batch.schema())
            .into_iter()
            .map(|(_, of)| of)
            .collect();
        assert_eq!(
            types,
            [
                "BIGINT",
                "DECIMAL(38, 2)",
                "DOUBLE",
                "TEXT",
                "TIMESTAMP",
                "BOOLEAN"
            ]
        );
    }
}
