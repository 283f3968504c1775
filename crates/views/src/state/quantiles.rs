//! Quantiles: [`Quantiles`] counts values in buckets that are fixed for ever.
//!
//! A bucket is the sign, the exponent and the first seven bits of the mantissa of a double. So a bucket
//! is at most 1/128 of its values wide, its middle is at most [`ERROR`] of a value away from it, and
//! which bucket a value belongs to takes no logarithm that another machine may round otherwise. The
//! state is whole counters, so order and split do not matter; t-digest and KLL cannot say that.
//! Below 2^-1022 the error is absolute, 2^-1031.
//!
//! Bytes: how many buckets, then for each in order its index, i32, and its count, LEB128.

use std::collections::BTreeMap;

use crate::encoding::{Damaged, Reader, Writer};
use crate::value::{Type, Value};

use super::failure::StateError;

/// How far an answer is from the value at its rank, at most, in parts of that value.
pub const ERROR: f64 = 1.0 / 256.0;
const KEPT_BITS: u32 = 7;
const DROPPED_BITS: u32 = 52 - KEPT_BITS;
const INFINITY_INDEX: i32 = (0x7ff << KEPT_BITS) + 1;
/// NaN is greater than everything.
const NAN_INDEX: i32 = INFINITY_INDEX + 1;

/// How many values there are in each bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quantiles {
    buckets: BTreeMap<i32, u64>,
}

impl Quantiles {
    /// Takes in a value of `argument`; none where it has no size.
    pub fn add(&mut self, argument: Type, value: &Value) -> Result<(), StateError> {
        let double = match (value, argument) {
            (Value::Integer(value), Type::Integer) => *value as f64,
            (Value::Decimal(units), Type::Decimal { scale }) => {
                *units as f64 / 10_i128.pow(scale.into()) as f64
            }
            (Value::Float(value), Type::Float) => value.get(),
            _ => return Err(StateError::Unlike),
        };
        self.put(index(double), 1)
    }

    fn put(&mut self, index: i32, count: u64) -> Result<(), StateError> {
        let bucket = self.buckets.entry(index).or_default();
        let sum = bucket.checked_add(count);
        *bucket = sum.ok_or(StateError::Overflow { what: "quantile" })?;
        Ok(())
    }

    /// Takes in the values of `other`.
    pub fn merge(&mut self, other: &Quantiles) -> Result<(), StateError> {
        for (index, count) in &other.buckets {
            self.put(*index, *count)?;
        }
        Ok(())
    }

    /// About the value at rank floor(q (n - 1)), q in millionths; null of none.
    pub fn finish(&self, per_million: u32) -> Option<Value> {
        let count: u128 = self.buckets.values().map(|count| u128::from(*count)).sum();
        let rank = count.checked_sub(1)? * u128::from(per_million) / 1_000_000;
        let mut seen = 0;
        let found = self.buckets.iter().find(|(_, count)| {
            seen += u128::from(**count);
            seen > rank
        });
        found.map(|(index, _)| Value::float(middle(*index)))
    }

    pub fn encode(&self, writer: &mut Writer) {
        writer.length(self.buckets.len() as u64);
        for (index, count) in &self.buckets {
            writer.raw(&index.to_le_bytes());
            writer.length(*count);
        }
    }

    pub fn decode(reader: &mut Reader<'_>) -> Result<Quantiles, Damaged> {
        let wrong = Damaged::Field { what: "a bucket" };
        let mut buckets = BTreeMap::new();
        for _ in 0..reader.length()? {
            let index = i32::from_le_bytes(reader.array()?);
            let count = reader.length()?;
            let is_next = buckets
                .last_key_value()
                .is_none_or(|(last, _)| *last < index);
            if !is_next || count == 0 || !(-INFINITY_INDEX..=NAN_INDEX).contains(&index) {
                return Err(wrong);
            }
            buckets.insert(index, count);
        }
        Ok(Quantiles { buckets })
    }
}

/// 0 for zero; positive and negative values count away from it.
fn index(value: f64) -> i32 {
    if value.is_nan() {
        return NAN_INDEX;
    }
    if value == 0.0 {
        return 0;
    }
    let kept = value.abs().to_bits() >> DROPPED_BITS;
    let index = i32::try_from(kept).expect("a double has 18 bits there") + 1;
    if value < 0.0 { -index } else { index }
}

fn middle(index: i32) -> f64 {
    let magnitude = match index.abs() {
        0 => 0.0,
        NAN_INDEX => f64::NAN,
        INFINITY_INDEX => f64::INFINITY,
        index => {
            let lowest = (u64::from(index.unsigned_abs()) - 1) << DROPPED_BITS;
            f64::from_bits(lowest | 1 << (DROPPED_BITS - 1))
        }
    };
    if index < 0 { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_a_bucket_is_near_all_its_values() {
        let mut value = f64::MIN_POSITIVE;
        let mut before = 0;
        while value < f64::MAX / 2.0 {
            for signed in [value, -value] {
                let error = (middle(index(signed)) - signed).abs() / value;
                assert!(error <= ERROR, "{signed:e} is {error} off");
            }
            assert!(index(value) >= before);
            before = index(value);
            value *= 1.003;
        }
        for value in [0.0, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(middle(index(value)), value);
        }
        assert!(middle(index(f64::NAN)).is_nan());
        assert!(index(5e-324) > 0 && index(f64::MAX) < INFINITY_INDEX);
    }

    #[test]
    fn ranks_are_those_of_the_sorted_values() {
        let mut quantiles = Quantiles::default();
        for value in [30, 10, 20, 40] {
            let taken = quantiles.add(Type::Integer, &Value::Integer(value));
            assert_eq!(taken, Ok(()));
        }
        for (per_million, expected) in [
            (0, 10.0),
            (333_333, 10.0),
            (333_334, 20.0),
            (1_000_000, 40.0),
        ] {
            let Some(Value::Float(found)) = quantiles.finish(per_million) else {
                panic!("there are values");
            };
            assert!((found.get() - expected).abs() <= ERROR * expected);
        }
        assert_eq!(Quantiles::default().finish(500_000), None);
    }
}
