//! The values that views compute with: [`Value`] of a [`Type`], and [`Place`], where a record stands.
//!
//! What must hold: values of one type are totally ordered and equal exactly when they look the same to
//! a query, so that a minimum or a set does not depend on who came first. Floats are therefore brought
//! to one form: there is one NaN, greater than everything, and one zero. A null is `None` around a value.

use std::cmp::Ordering;

use tidemill_model::ShardId;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Type {
    /// True or false.
    Boolean,
    /// 64 bits, signed.
    Integer,
    /// Up to 38 digits, `scale` of them behind the point.
    Decimal {
        /// Digits behind the point.
        scale: u8,
    },
    /// IEEE double.
    Float,
    /// UTF-8.
    Text,
    /// Microseconds since the epoch, UTC.
    Timestamp,
}

/// A value that is not null.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// Of [`Type::Boolean`].
    Boolean(bool),
    /// Of [`Type::Integer`].
    Integer(i64),
    /// Of [`Type::Decimal`]: the number without its point.
    Decimal(i128),
    /// Of [`Type::Float`].
    Float(Float),
    /// Of [`Type::Text`].
    Text(String),
    /// Of [`Type::Timestamp`].
    Timestamp(i64),
}

/// A double in its one form, with a total order.
#[derive(Clone, Copy, Debug)]
pub struct Float(f64);

/// Where a record stands: the order in which it arrived, made total over shards by their number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The shard.
    pub shard: ShardId,
    /// The position in it.
    pub position: u64,
}

/// The largest decimal: 38 nines.
pub const DECIMAL_MAX: i128 = 10_i128.pow(38) - 1;

impl Value {
    /// A double, in its one form.
    pub fn float(value: f64) -> Value {
        Value::Float(Float::new(value))
    }

    /// Whether it can stand in a column of `of`.
    pub fn is(&self, of: Type) -> bool {
        match (self, of) {
            (Value::Boolean(_), Type::Boolean)
            | (Value::Integer(_), Type::Integer)
            | (Value::Float(_), Type::Float)
            | (Value::Text(_), Type::Text)
            | (Value::Timestamp(_), Type::Timestamp) => true,
            (Value::Decimal(units), Type::Decimal { .. }) => {
                units.unsigned_abs() <= DECIMAL_MAX.unsigned_abs()
            }
            _ => false,
        }
    }
}

impl Float {
    /// `value` in its one form.
    pub fn new(value: f64) -> Float {
        // The sum with zero turns the negative zero into the positive one.
        Float(if value.is_nan() {
            f64::from_bits(0x7ff8_0000_0000_0000)
        } else {
            value + 0.0
        })
    }

    /// The double.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl Ord for Float {
    fn cmp(&self, other: &Float) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl PartialOrd for Float {
    fn partial_cmp(&self, other: &Float) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Float {
    fn eq(&self, other: &Float) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Float {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_have_one_zero_and_one_nan_that_is_greatest() {
        assert_eq!(Value::float(-0.0), Value::float(0.0));
        assert_eq!(Value::float(-f64::NAN), Value::float(f64::NAN));
        let mut values = [f64::NAN, f64::INFINITY, -1.0, 0.0, f64::NEG_INFINITY].map(Value::float);
        values.sort();
        let sorted = [f64::NEG_INFINITY, -1.0, 0.0, f64::INFINITY, f64::NAN].map(Value::float);
        assert_eq!(values, sorted);
    }
}
