//! Numbers as they have to be: [`Numbers`] rewrites what the engine would compute otherwise.
//!
//! The engine's own operators go round when a whole number does not fit into 64 bits, and its negation does
//! too: functions that fail stand in the place of `+`, `-` and `*`. And where a double meets a decimal it
//! would make decimals of both, which a large double is not and a small one loses digits by: here both become
//! doubles, as in Postgres. What must hold: of two whole numbers there is the right result or none.

use std::sync::Arc;

use arrow_array::Int64Array;
use arrow_schema::DataType;
use datafusion::arrow::compute::cast;
use datafusion::arrow::compute::kernels::numeric;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result, plan_err};
use datafusion::logical_expr::expr_rewriter::FunctionRewrite;
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable, Operator, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility, lit,
};

/// Rewrites expressions over numbers.
#[derive(Debug)]
pub struct Numbers {
    plus: Arc<ScalarUDF>,
    minus: Arc<ScalarUDF>,
    times: Arc<ScalarUDF>,
}

impl Default for Numbers {
    fn default() -> Numbers {
        let function = |operator| Arc::new(ScalarUDF::from(Arithmetic::new(operator)));
        Numbers {
            plus: function(Operator::Plus),
            minus: function(Operator::Minus),
            times: function(Operator::Multiply),
        }
    }
}

impl FunctionRewrite for Numbers {
    fn name(&self) -> &str {
        "numbers"
    }

    fn rewrite(
        &self,
        expression: Expr,
        schema: &DFSchema,
        _config: &ConfigOptions,
    ) -> Result<Transformed<Expr>> {
        let doubled = as_doubles(expression, schema)?;
        let whole = self.checked(doubled.data, schema);
        Ok(Transformed {
            transformed: doubled.transformed || whole.transformed,
            ..whole
        })
    }
}

impl Numbers {
    /// An operator on whole numbers as a function that fails where the operator would go round.
    fn checked(&self, expression: Expr, schema: &DFSchema) -> Transformed<Expr> {
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
                        return Transformed::no(kept);
                    }
                };
                Transformed::yes(function.call(vec![*left, *right]))
            }
            // A literal cannot be the number whose negation does not fit.
            Expr::Negative(inner) if is_whole(&inner) && !matches!(*inner, Expr::Literal(..)) => {
                Transformed::yes(self.minus.call(vec![lit(0_i64), *inner]))
            }
            other => Transformed::no(other),
        }
    }
}

/// `expression` with doubles in the place of decimals that stand beside a double.
fn as_doubles(expression: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let brings_values_together = matches!(
        expression,
        Expr::BinaryExpr(_)
            | Expr::Between(_)
            | Expr::InList(_)
            | Expr::Case(_)
            | Expr::ScalarFunction(_)
    );
    if !brings_values_together {
        return Ok(Transformed::no(expression));
    }
    let mut has_double = false;
    expression.apply_children(|part| {
        has_double |= part.get_type(schema).is_ok_and(|of| of.is_floating());
        Ok(TreeNodeRecursion::Continue)
    })?;
    if !has_double {
        return Ok(Transformed::no(expression));
    }
    expression.map_children(|part| match part.get_type(schema) {
        Ok(of) if of.is_decimal() => {
            Ok(Transformed::yes(part.cast_to(&DataType::Float64, schema)?))
        }
        _ => Ok(Transformed::no(part)),
    })
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
