//! Sums and averages: [`Sum`].
//!
//! No sum is ever rounded or wrapped on the way. Integers add up in 128 bits, which 2^64 of the largest
//! do not fill; decimals in 256; doubles in an [`ExactSum`]. Only the answer has a type, and an answer
//! that does not fit into it is refused. The values are counted too: a sum of none is null, and an
//! average is the sum by the count.
//!
//! Bytes: the count, i64; then the total: i128, or 32 bytes, or the exact sum's.

use arrow_buffer::i256;

use crate::encoding::{Damaged, Reader, Writer};
use crate::value::{DECIMAL_MAX, Type, Value};

use super::count::Count;
use super::exact_sum::ExactSum;
use super::failure::StateError;

/// Digits that an average of decimals has more than its values.
pub const AVERAGE_DIGITS: u8 = 4;

/// A sum of values of one type, and how many they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sum {
    values: Count,
    total: Total,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Total {
    Integer(i128),
    Decimal(i256),
    Float(ExactSum),
}

const SUM: StateError = StateError::Overflow { what: "sum" };
const AVERAGE: StateError = StateError::Overflow { what: "average" };

impl Sum {
    /// The sum of no values of `argument`; none where values cannot be added.
    pub fn new(argument: Type) -> Option<Sum> {
        let total = match argument {
            Type::Integer => Total::Integer(0),
            Type::Decimal { .. } => Total::Decimal(i256::ZERO),
            Type::Float => Total::Float(ExactSum::default()),
            Type::Boolean | Type::Text | Type::Timestamp => return None,
        };
        Some(Sum {
            values: Count::default(),
            total,
        })
    }

    /// Adds `value`, or takes it back with `times` -1.
    pub fn add(&mut self, value: &Value, times: i64) -> Result<(), StateError> {
        match (&mut self.total, value) {
            (Total::Integer(total), Value::Integer(value)) => {
                let term = i128::from(*value) * i128::from(times);
                *total = total.checked_add(term).ok_or(SUM)?;
            }
            (Total::Decimal(total), Value::Decimal(units)) => {
                let term = i256::from_i128(*units).checked_mul(i256::from_i128(times.into()));
                *total = term.and_then(|term| total.checked_add(term)).ok_or(SUM)?;
            }
            (Total::Float(total), Value::Float(value)) => total.add(value.get(), times),
            _ => return Err(StateError::Unlike),
        }
        self.values.add(times)
    }

    /// Adds what `other` added up.
    pub fn merge(&mut self, other: &Sum) -> Result<(), StateError> {
        match (&mut self.total, &other.total) {
            (Total::Integer(total), Total::Integer(more)) => {
                *total = total.checked_add(*more).ok_or(SUM)?;
            }
            (Total::Decimal(total), Total::Decimal(more)) => {
                *total = total.checked_add(*more).ok_or(SUM)?;
            }
            (Total::Float(total), Total::Float(more)) => total.merge(more),
            _ => return Err(StateError::Unlike),
        }
        self.values.merge(&other.values)
    }

    /// The sum, in the type of the values (38 digits for decimals); null of none.
    pub fn finish(&self) -> Result<Option<Value>, StateError> {
        if self.count("sum")? == 0 {
            return Ok(None);
        }
        let value = match &self.total {
            Total::Integer(total) => i64::try_from(*total).ok().map(Value::Integer),
            Total::Decimal(total) => decimal(*total),
            Total::Float(total) => Some(Value::float(total.rounded())),
        };
        value.map(Some).ok_or(SUM)
    }

    /// The sum by the count; null of none. A double for integers and doubles: the exact sum and the
    /// count, each rounded to a double once, and their quotient. For decimals [`AVERAGE_DIGITS`] more
    /// digits, half away from zero.
    pub fn finish_average(&self) -> Result<Option<Value>, StateError> {
        let count = self.count("average")?;
        if count == 0 {
            return Ok(None);
        }
        let value = match &self.total {
            Total::Integer(total) => Value::float(*total as f64 / count as f64),
            Total::Float(total) => Value::float(total.rounded() / count as f64),
            Total::Decimal(total) => {
                let scale = i256::from_i128(10_i128.pow(AVERAGE_DIGITS.into()));
                let scaled = total.checked_mul(scale).ok_or(AVERAGE)?;
                let quotient = divided(scaled, i256::from_i128(count.into()));
                quotient.and_then(decimal).ok_or(AVERAGE)?
            }
        };
        Ok(Some(value))
    }

    fn count(&self, what: &'static str) -> Result<i64, StateError> {
        let is_overdrawn = matches!(&self.total, Total::Float(total) if total.is_overdrawn());
        match self.values.get() {
            Ok(count) if !is_overdrawn => Ok(count),
            _ => Err(StateError::Overdrawn { what }),
        }
    }

    pub fn encode(&self, writer: &mut Writer) {
        self.values.encode(writer);
        match &self.total {
            Total::Integer(total) => writer.raw(&total.to_le_bytes()),
            Total::Decimal(total) => writer.raw(&total.to_le_bytes()),
            Total::Float(total) => total.encode(writer),
        }
    }

    pub fn decode(argument: Type, reader: &mut Reader<'_>) -> Result<Sum, Damaged> {
        let values = Count::decode(reader)?;
        let total = match argument {
            Type::Integer => Total::Integer(i128::from_le_bytes(reader.array()?)),
            Type::Decimal { .. } => Total::Decimal(i256::from_le_bytes(reader.array()?)),
            Type::Float => Total::Float(ExactSum::decode(reader)?),
            Type::Boolean | Type::Text | Type::Timestamp => {
                return Err(Damaged::Field { what: "the type" });
            }
        };
        Ok(Sum { values, total })
    }
}

fn decimal(units: i256) -> Option<Value> {
    let units = units.to_i128()?;
    (units.unsigned_abs() <= DECIMAL_MAX.unsigned_abs()).then_some(Value::Decimal(units))
}

/// `total` by `count`, half away from zero.
fn divided(total: i256, count: i256) -> Option<i256> {
    let quotient = total.checked_div(count)?;
    let rest = total.checked_rem(count)?;
    let one = if total.is_negative() {
        i256::MINUS_ONE
    } else {
        i256::ONE
    };
    let twice = rest.checked_mul(i256::from_i128(2))?.checked_abs()?;
    if twice >= count {
        quotient.checked_add(one)
    } else {
        Some(quotient)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(argument: Type, values: &[Value]) -> Sum {
        let mut sum = Sum::new(argument).expect("the type can be added");
        for value in values {
            sum.add(value, 1).expect("the value fits");
        }
        sum
    }

    #[test]
    fn a_sum_that_does_not_fit_is_refused_and_one_that_comes_back_is_exact() {
        let values = [i64::MAX, i64::MAX].map(Value::Integer);
        let mut integers = sum(Type::Integer, &values);
        assert_eq!(integers.finish(), Err(SUM));
        assert_eq!(
            integers.finish_average(),
            Ok(Some(Value::float(i64::MAX as f64)))
        );
        integers.add(&values[0], -1).expect("it fits");
        assert_eq!(integers.finish(), Ok(Some(values[0].clone())));
        let decimal = Type::Decimal { scale: 2 };
        let values = [DECIMAL_MAX, DECIMAL_MAX, -DECIMAL_MAX].map(Value::Decimal);
        assert_eq!(sum(decimal, &values[..2]).finish(), Err(SUM));
        assert_eq!(sum(decimal, &values).finish(), Ok(Some(values[0].clone())));
    }

    #[test]
    fn an_average_of_decimals_is_rounded_half_away_from_zero() {
        let cases: [(&[i128], i128); 4] = [
            (&[100, 200], 1_500_000),
            (&[1, 0, 0], 3_333),
            (&[2, 0, 0], 6_667),
            (&[-1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], -625),
        ];
        for (values, expected) in cases {
            let values: Vec<Value> = values.iter().copied().map(Value::Decimal).collect();
            let average = sum(Type::Decimal { scale: 2 }, &values).finish_average();
            assert_eq!(average, Ok(Some(Value::Decimal(expected))), "{values:?}");
        }
    }

    #[test]
    fn taking_back_more_than_there_was_is_no_sum() {
        let mut integers = sum(Type::Integer, &[]);
        integers.add(&Value::Integer(1), -1).expect("it fits");
        assert_eq!(
            integers.finish(),
            Err(StateError::Overdrawn { what: "sum" })
        );
    }
}
