//! Columns of Arrow: of which type they are, [`arrow_type`], made from values, [`column`], and read again,
//! [`value`].
//!
//! What must hold: every column of one of our types is of the same Arrow type, wherever it stands.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{
    Array, ArrayRef, BooleanArray, Decimal128Array, Float64Array, Int64Array, StringArray,
    TimestampMicrosecondArray,
};
use arrow_schema::{ArrowError, DataType, TimeUnit};

use crate::value::{Type, Value};

/// Digits of every column of decimals.
const DECIMAL_DIGITS: u8 = 38;

/// The Arrow type of columns of `of`, wherever there are any.
pub fn arrow_type(of: Type) -> DataType {
    match of {
        Type::Boolean => DataType::Boolean,
        Type::Integer => DataType::Int64,
        Type::Decimal { scale } => DataType::Decimal128(DECIMAL_DIGITS, scale as i8),
        Type::Float => DataType::Float64,
        Type::Text => DataType::Utf8,
        Type::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
    }
}

/// A column of values of `of`.
pub fn column(of: Type, values: Vec<Option<Value>>) -> Result<ArrayRef, ArrowError> {
    let values = values.into_iter();
    Ok(match of {
        Type::Boolean => Arc::new(values.map(boolean).collect::<BooleanArray>()),
        Type::Integer => Arc::new(values.map(whole).collect::<Int64Array>()),
        Type::Timestamp => {
            let micros = values.map(whole).collect::<TimestampMicrosecondArray>();
            Arc::new(micros.with_timezone("UTC"))
        }
        Type::Float => Arc::new(values.map(float).collect::<Float64Array>()),
        Type::Text => Arc::new(values.map(text).collect::<StringArray>()),
        Type::Decimal { scale } => {
            let units = values.map(decimal).collect::<Decimal128Array>();
            Arc::new(units.with_precision_and_scale(DECIMAL_DIGITS, scale as i8)?)
        }
    })
}

fn boolean(value: Option<Value>) -> Option<bool> {
    match value? {
        Value::Boolean(value) => Some(value),
        other => wrong(&other),
    }
}

fn whole(value: Option<Value>) -> Option<i64> {
    match value? {
        Value::Integer(value) | Value::Timestamp(value) => Some(value),
        other => wrong(&other),
    }
}

fn float(value: Option<Value>) -> Option<f64> {
    match value? {
        Value::Float(value) => Some(value.get()),
        other => wrong(&other),
    }
}

fn text(value: Option<Value>) -> Option<String> {
    match value? {
        Value::Text(value) => Some(value),
        other => wrong(&other),
    }
}

fn decimal(value: Option<Value>) -> Option<i128> {
    match value? {
        Value::Decimal(value) => Some(value),
        other => wrong(&other),
    }
}

fn wrong<T>(value: &Value) -> T {
    unreachable!("a column has values of its type only, not {value:?}")
}

/// The value in a row of a column whose type is one of ours.
pub fn value(column: &ArrayRef, row: usize) -> Option<Value> {
    if column.is_null(row) {
        return None;
    }
    Some(match column.data_type() {
        DataType::Boolean => Value::Boolean(column.as_boolean().value(row)),
        DataType::Int64 => Value::Integer(column.as_primitive::<Int64Type>().value(row)),
        DataType::Decimal128(..) => {
            Value::Decimal(column.as_primitive::<Decimal128Type>().value(row))
        }
        DataType::Float64 => Value::float(column.as_primitive::<Float64Type>().value(row)),
        DataType::Utf8 => Value::Text(column.as_string::<i32>().value(row).to_owned()),
        DataType::Timestamp(..) => {
            Value::Timestamp(column.as_primitive::<TimestampMicrosecondType>().value(row))
        }
        other => unreachable!("columns are of our types, and {other} is none"),
    })
}
