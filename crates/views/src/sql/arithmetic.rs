//! Whole numbers that never wrap: [`Checked`] puts functions that fail in the place of `+`, `-` and `*`.
//!
//! The engine's own operators go round when a number does not fit into 64 bits, and its negation does too.
//! What must hold: of two whole numbers there is the right result or none.

use std::sync::Arc;

use arrow_array::Int64Array;
use arrow_schema::DataType;
use datafusion::arrow::compute::cast;
use datafusion::arrow::compute::kernels::numeric;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result, plan_err};
use datafusion::logical_expr::expr_rewriter::FunctionRewrite;
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable, Operator, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility, lit,
};

/// Rewrites operators on whole numbers.
#[derive(Debug)]
pub struct Checked {
    plus: Arc<ScalarUDF>,
    minus: Arc<ScalarUDF>,
    times: Arc<ScalarUDF>,
}

impl Default for Checked {
    fn default() -> Checked {
        let function = |operator| Arc::new(ScalarUDF::from(Arithmetic::new(operator)));
        Checked {
            plus: function(Operator::Plus),
            minus: function(Operator::Minus),
            times: function(Operator::Multiply),
        }
    }
}

impl FunctionRewrite for Checked {
    fn name(&self) -> &str {
        "checked_arithmetic"
    }

    fn rewrite(
        &self,
        expression: Expr,
        schema: &DFSchema,
        _config: &ConfigOptions,
    ) -> Result<Transformed<Expr>> {
        let is_whole = |one: &Expr| one.get_type(schema).is_ok_and(|of| of.is_integer());
        match expression {
            Expr::BinaryExpr(BinaryExpr { left, op, right })
                if is_whole(&left) && is_whole(&right) =>
            {
                let function = match op {
                    Operator::Plus => &self.plus,
                    Operator::Minus => &self.minus,
                    Operator::Multiply => &self.times,
                    _ => {
                        let kept = Expr::BinaryExpr(BinaryExpr { left, op, right });
                        return Ok(Transformed::no(kept));
                    }
                };
                Ok(Transformed::yes(function.call(vec![*left, *right])))
            }
            // A literal cannot be the number whose negation does not fit.
            Expr::Negative(inner) if is_whole(&inner) && !matches!(*inner, Expr::Literal(..)) => {
                Ok(Transformed::yes(self.minus.call(vec![lit(0_i64), *inner])))
            }
            other => Ok(Transformed::no(other)),
        }
    }
}

/// An operator on two whole numbers of 64 bits.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Arithmetic {
    operator: Operator,
    signature: Signature,
}

impl Arithmetic {
    fn new(operator: Operator) -> Arithmetic {
        Arithmetic {
            operator,
            signature: Signature::exact(vec![DataType::Int64; 2], Volatility::Immutable),
        }
    }
}

impl ScalarUDFImpl for Arithmetic {
    fn name(&self) -> &str {
        match self.operator {
            Operator::Plus => "checked_plus",
            Operator::Minus => "checked_minus",
            _ => "checked_times",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn invoke_with_args(&self, given: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = given.number_rows;
        let numbers = given.args.into_iter().map(|argument| {
            let numbers = cast(&argument.into_array(rows)?, &DataType::Int64)?;
            Ok(Int64Array::from(numbers.to_data()))
        });
        let numbers: Vec<Int64Array> = numbers.collect::<Result<_>>()?;
        let [left, right] = numbers.as_slice() else {
            return plan_err!("{} has two arguments", self.name());
        };
        let result = match self.operator {
            Operator::Plus => numeric::add(left, right)?,
            Operator::Minus => numeric::sub(left, right)?,
            _ => numeric::mul(left, right)?,
        };
        Ok(ColumnarValue::Array(result))
    }
}
