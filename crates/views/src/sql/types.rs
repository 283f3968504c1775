//! Between the engine's types, which are many, and ours, which are few: [`held`], [`column`].

use arrow_array::cast::AsArray;
use arrow_array::types::Decimal128Type;
use arrow_array::{Array, ArrayRef};
use arrow_schema::{ArrowError, DataType, TimeUnit};
use datafusion::arrow::compute::{CastOptions, cast_with_options};

use crate::columns::arrow_type;
use crate::value::{DECIMAL_MAX, Type};

/// Which of our types holds every value of `of`; none when none does.
pub fn held(of: &DataType) -> Option<Type> {
    Some(match of {
        DataType::Boolean => Type::Boolean,
        of if of.is_integer() => Type::Integer,
        DataType::Float16 | DataType::Float32 | DataType::Float64 => Type::Float,
        DataType::Decimal32(_, scale)
        | DataType::Decimal64(_, scale)
        | DataType::Decimal128(_, scale) => Type::Decimal {
            scale: u8::try_from(*scale).ok()?,
        },
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Type::Text,
        DataType::Timestamp(_, None) => Type::Timestamp,
        DataType::Timestamp(_, Some(zone)) if is_utc(zone) => Type::Timestamp,
        _ => return None,
    })
}

fn is_utc(zone: &str) -> bool {
    matches!(zone, "UTC" | "+00:00" | "Z")
}

/// What stands for `of`, a type that is not ours, in a text for people.
pub fn named(of: &DataType) -> String {
    match of {
        DataType::Null => "null only".to_owned(),
        of if of.is_binary() => "bytes".to_owned(),
        DataType::Date32 | DataType::Date64 => "a date".to_owned(),
        DataType::Interval(_) | DataType::Duration(_) => "a span of time".to_owned(),
        DataType::Timestamp(TimeUnit::Second, Some(zone)) => format!("a time in {zone}"),
        other => other.to_string(),
    }
}

/// What could be written so that a value of `of` can stand in a column.
pub fn nearest(of: &DataType) -> &'static str {
    match of {
        DataType::Null => "CAST(NULL AS TEXT), or as another type",
        of if of.is_binary() => "payload ->> 'field', or CAST(… AS TEXT)",
        DataType::Date32 | DataType::Date64 => "date_trunc('day', time)",
        DataType::Interval(_) | DataType::Duration(_) => "date_part('epoch', …)",
        _ => "CAST(… AS TEXT)",
    }
}

/// `values` as a column of `of`; an error where one of them does not fit.
pub fn column(values: &ArrayRef, of: Type) -> Result<ArrayRef, ArrowError> {
    let options = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    let values = cast_with_options(values, &arrow_type(of), &options)?;
    if matches!(of, Type::Decimal { .. }) {
        let units = values.as_primitive::<Decimal128Type>();
        let fits = |units: i128| units.unsigned_abs() <= DECIMAL_MAX.unsigned_abs();
        if !units.iter().flatten().all(fits) {
            let what = "a decimal has more than 38 digits".to_owned();
            return Err(ArrowError::ArithmeticOverflow(what));
        }
    }
    debug_assert_eq!(values.data_type(), &arrow_type(of));
    Ok(values)
}
