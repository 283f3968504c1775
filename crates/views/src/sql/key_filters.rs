//! Conditions on keys that a reader can use: [`filter`].
//!
//! What must hold: a group that a condition lets pass passes its filter too; the engine looks again at what
//! it gets. Doubles are left to the engine, which orders zeros and NaN as views do not.

use std::ops::Bound;

use arrow_schema::Schema;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};

use crate::value::{Type, Value};
use crate::view_reader::KeyFilter;

/// The filter that `condition` is, over keys of types `keys`; none when a reader cannot use it.
pub fn filter(condition: &Expr, columns: &Schema, keys: &[Type]) -> Option<KeyFilter> {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = condition else {
        return None;
    };
    let (column, op, literal) = match (left.as_ref(), right.as_ref()) {
        (Expr::Column(column), Expr::Literal(literal, _)) => (column, *op, literal),
        (Expr::Literal(literal, _), Expr::Column(column)) => (column, op.swap()?, literal),
        _ => return None,
    };
    let key = columns.index_of(column.name()).ok()?;
    let value = value(literal, *keys.get(key)?)?;
    let (from, to) = match op {
        Operator::Eq => (Bound::Included(value.clone()), Bound::Included(value)),
        Operator::Gt => (Bound::Excluded(value), Bound::Unbounded),
        Operator::GtEq => (Bound::Included(value), Bound::Unbounded),
        Operator::Lt => (Bound::Unbounded, Bound::Excluded(value)),
        Operator::LtEq => (Bound::Unbounded, Bound::Included(value)),
        _ => return None,
    };
    Some(KeyFilter { key, from, to })
}

fn value(literal: &ScalarValue, of: Type) -> Option<Value> {
    Some(match (literal, of) {
        (ScalarValue::Boolean(Some(truth)), Type::Boolean) => Value::Boolean(*truth),
        (ScalarValue::Int64(Some(number)), Type::Integer) => Value::Integer(*number),
        (ScalarValue::Decimal128(Some(units), _, scale), Type::Decimal { scale: ours })
            if i8::try_from(ours) == Ok(*scale) =>
        {
            Value::Decimal(*units)
        }
        (
            ScalarValue::Utf8(Some(text))
            | ScalarValue::LargeUtf8(Some(text))
            | ScalarValue::Utf8View(Some(text)),
            Type::Text,
        ) => Value::Text(text.clone()),
        (ScalarValue::TimestampMicrosecond(Some(micros), Some(_)), Type::Timestamp) => {
            Value::Timestamp(*micros)
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use arrow_schema::{DataType, Field};
    use datafusion::prelude::{col, lit};

    use super::*;

    fn filtered(condition: &Expr) -> Option<KeyFilter> {
        let fields = vec![
            Field::new("_k0", DataType::Utf8, true),
            Field::new("_k1", DataType::Int64, true),
            Field::new("_k2", DataType::Float64, true),
            Field::new("_a0", DataType::Int64, true),
        ];
        let keys = [Type::Text, Type::Integer, Type::Float];
        filter(condition, &Schema::new(fields), &keys)
    }

    #[test]
    fn comparisons_of_a_key_and_a_literal_are_filters() {
        let store = filtered(&col("_k0").eq(lit("BLR"))).expect("it is a filter");
        assert_eq!(store.equals(), Some(&Value::Text("BLR".into())));
        let number = |condition: Expr| filtered(&condition).map(|found| (found.from, found.to));
        let five = || Value::Integer(5);
        let cases = [
            (
                col("_k1").gt(lit(5_i64)),
                (Bound::Excluded(five()), Bound::Unbounded),
            ),
            (
                lit(5_i64).gt(col("_k1")),
                (Bound::Unbounded, Bound::Excluded(five())),
            ),
            (
                col("_k1").lt_eq(lit(5_i64)),
                (Bound::Unbounded, Bound::Included(five())),
            ),
        ];
        for (condition, expected) in cases {
            assert_eq!(number(condition.clone()), Some(expected), "{condition}");
        }
    }

    #[test]
    fn anything_else_is_left_to_the_engine() {
        let others = [
            col("_a0").eq(lit(5_i64)),
            col("_k2").eq(lit(0.5)),
            col("_k1").eq(lit("5")),
            col("_k1").not_eq(lit(5_i64)),
            col("_k1").eq(col("_a0")),
            col("_k1").is_null(),
        ];
        for condition in others {
            assert_eq!(filtered(&condition), None, "{condition}");
        }
    }
}
