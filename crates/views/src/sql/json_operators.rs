//! `->` and `->>` in SQL: [`JsonOperators`] makes of them the functions that they stand for.

use std::sync::Arc;

use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::ScalarUDF;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use sqlparser::ast::BinaryOperator;

/// Plans the operators on JSON.
#[derive(Debug)]
pub struct JsonOperators {
    /// Behind `->`.
    pub get: Arc<ScalarUDF>,
    /// Behind `->>`.
    pub as_text: Arc<ScalarUDF>,
}

impl ExprPlanner for JsonOperators {
    fn plan_binary_op(
        &self,
        expression: RawBinaryExpr,
        _schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        let function = match expression.op {
            BinaryOperator::Arrow => &self.get,
            BinaryOperator::LongArrow => &self.as_text,
            _ => return Ok(PlannerResult::Original(expression)),
        };
        let arguments = vec![expression.left, expression.right];
        Ok(PlannerResult::Planned(function.call(arguments)))
    }
}
