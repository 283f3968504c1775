//! A column of a batch, taken apart once for all its rows: [`Cells`]; and the bytes of keys.
//!
//! Records are added by the hundred thousand a second, so nothing here allocates for a row that is not the
//! first of its group. What must hold: the bytes of keys are equal exactly when their values are, and are
//! ordered as the values are, nulls first; no key's bytes begin those of another.
//!
//! ```text
//! 0                         null
//! 1 | one byte              boolean
//! 1 | 8 bytes, big-endian   integer, time: with the sign turned; double: as its total order has it
//! 1 | 16 bytes, big-endian  decimal, with the sign turned
//! 1 | text | 0 0            text, in which 0 is 0 255
//! ```

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{
    Array, ArrayRef, BooleanArray, Decimal128Array, Float64Array, Int64Array, StringArray,
    TimestampMicrosecondArray,
};
use arrow_schema::DataType;

use crate::value::{Float, Value};

const SIGN: u64 = 1 << 63;

/// A column whose type is one of ours.
pub enum Cells<'a> {
    Boolean(&'a BooleanArray),
    Integer(&'a Int64Array),
    Decimal(&'a Decimal128Array),
    Float(&'a Float64Array),
    Text(&'a StringArray),
    Timestamp(&'a TimestampMicrosecondArray),
}

impl<'a> Cells<'a> {
    /// The cells of `column`.
    pub fn of(column: &'a ArrayRef) -> Cells<'a> {
        match column.data_type() {
            DataType::Boolean => Cells::Boolean(column.as_boolean()),
            DataType::Int64 => Cells::Integer(column.as_primitive::<Int64Type>()),
            DataType::Decimal128(..) => Cells::Decimal(column.as_primitive::<Decimal128Type>()),
            DataType::Float64 => Cells::Float(column.as_primitive::<Float64Type>()),
            DataType::Utf8 => Cells::Text(column.as_string::<i32>()),
            DataType::Timestamp(..) => {
                Cells::Timestamp(column.as_primitive::<TimestampMicrosecondType>())
            }
            other => unreachable!("a map gives columns of our types, and {other} is none"),
        }
    }

    /// Whether there is no value in `row`.
    pub fn is_null(&self, row: usize) -> bool {
        match self {
            Cells::Boolean(cells) => cells.is_null(row),
            Cells::Integer(cells) => cells.is_null(row),
            Cells::Decimal(cells) => cells.is_null(row),
            Cells::Float(cells) => cells.is_null(row),
            Cells::Text(cells) => cells.is_null(row),
            Cells::Timestamp(cells) => cells.is_null(row),
        }
    }

    /// Puts the bytes of the key in `row` behind `bytes`.
    pub fn encode(&self, row: usize, bytes: &mut Vec<u8>) {
        if self.is_null(row) {
            bytes.push(0);
            return;
        }
        bytes.push(1);
        match self {
            Cells::Boolean(cells) => bytes.push(u8::from(cells.value(row))),
            Cells::Integer(cells) => put_whole(cells.value(row), bytes),
            Cells::Timestamp(cells) => put_whole(cells.value(row), bytes),
            Cells::Decimal(cells) => put_decimal(cells.value(row), bytes),
            Cells::Float(cells) => put_float(Float::new(cells.value(row)), bytes),
            Cells::Text(cells) => put_text(cells.value(row), bytes),
        }
    }

    /// Puts the value in `row` into `value`, keeping its memory; false when there is none.
    pub fn read(&self, row: usize, value: &mut Value) -> bool {
        if self.is_null(row) {
            return false;
        }
        *value = match (self, &mut *value) {
            (Cells::Text(cells), Value::Text(text)) => {
                text.clear();
                text.push_str(cells.value(row));
                return true;
            }
            (Cells::Text(cells), _) => Value::Text(cells.value(row).to_owned()),
            (Cells::Boolean(cells), _) => Value::Boolean(cells.value(row)),
            (Cells::Integer(cells), _) => Value::Integer(cells.value(row)),
            (Cells::Decimal(cells), _) => Value::Decimal(cells.value(row)),
            (Cells::Float(cells), _) => Value::float(cells.value(row)),
            (Cells::Timestamp(cells), _) => Value::Timestamp(cells.value(row)),
        };
        true
    }
}

/// Puts the bytes of `key` behind `bytes`.
pub fn encode(key: Option<&Value>, bytes: &mut Vec<u8>) {
    let Some(key) = key else {
        bytes.push(0);
        return;
    };
    bytes.push(1);
    match key {
        Value::Boolean(value) => bytes.push(u8::from(*value)),
        Value::Integer(value) | Value::Timestamp(value) => put_whole(*value, bytes),
        Value::Decimal(units) => put_decimal(*units, bytes),
        Value::Float(value) => put_float(*value, bytes),
        Value::Text(text) => put_text(text, bytes),
    }
}

fn put_whole(value: i64, bytes: &mut Vec<u8>) {
    bytes.extend((value as u64 ^ SIGN).to_be_bytes());
}

fn put_decimal(units: i128, bytes: &mut Vec<u8>) {
    bytes.extend((units as u128 ^ (1 << 127)).to_be_bytes());
}

fn put_float(value: Float, bytes: &mut Vec<u8>) {
    let bits = value.get().to_bits();
    let turned = if bits & SIGN == 0 { bits ^ SIGN } else { !bits };
    bytes.extend(turned.to_be_bytes());
}

fn put_text(text: &str, bytes: &mut Vec<u8>) {
    for byte in text.bytes() {
        bytes.push(byte);
        if byte == 0 {
            bytes.push(255);
        }
    }
    bytes.extend([0, 0]);
}

#[cfg(test)]
mod tests {
    use crate::columns;
    use crate::value::Type;

    use super::*;

    #[test]
    fn bytes_of_keys_are_ordered_as_their_values_are() {
        let whole = [i64::MIN, -2, -1, 0, 1, 255, 256, i64::MAX];
        let doubles = [f64::NEG_INFINITY, -1.5, -0.0, 0.0, 1e-310, 2.0, f64::NAN];
        let texts = [
            "", "\0", "\0\0", "\0a", "a", "a\0", "a\u{1}", "aa", "ä", "b",
        ];
        let decimals = [i128::MIN / 4, -1, 0, 1, 1 << 70];
        let cases: [(Type, Vec<Value>); 6] = [
            (
                Type::Boolean,
                vec![Value::Boolean(false), Value::Boolean(true)],
            ),
            (Type::Integer, whole.map(Value::Integer).to_vec()),
            (Type::Timestamp, whole.map(Value::Timestamp).to_vec()),
            (Type::Float, doubles.map(Value::float).to_vec()),
            (
                Type::Decimal { scale: 2 },
                decimals.map(|units| Value::Decimal(units / 2)).to_vec(),
            ),
            (
                Type::Text,
                texts.map(|text| Value::Text(text.to_owned())).to_vec(),
            ),
        ];
        for (of, values) in cases {
            let values: Vec<Option<Value>> = [None]
                .into_iter()
                .chain(values.into_iter().map(Some))
                .collect();
            let column = columns::column(of, values.clone()).expect("they are of the type");
            let cells = Cells::of(&column);
            let bytes = |row| {
                let mut bytes = Vec::new();
                cells.encode(row, &mut bytes);
                let mut same = Vec::new();
                encode(values[row].as_ref(), &mut same);
                assert_eq!(bytes, same, "{of:?} {row}");
                bytes
            };
            for one in 0..values.len() {
                for other in 0..values.len() {
                    let (here, there) = (bytes(one), bytes(other));
                    let expected = values[one].cmp(&values[other]);
                    assert_eq!(here.cmp(&there), expected, "{of:?} {one} {other}");
                    assert!(one == other || here == there || !there.starts_with(&here));
                }
            }
        }
    }
}
