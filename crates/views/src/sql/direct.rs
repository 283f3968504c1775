//! The columns of a view computed without planning a query: [`Direct`].
//!
//! Planning takes longer than looking a group up. What must hold: the columns are those that the plan of
//! the view gives, computed by the same expressions. There is none where they depend on more than the
//! group (on the time, on the other groups), so an order or a limit is always planned.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::SchemaRef;
use arrow_select::filter::filter_record_batch;
use datafusion::common::Result;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{Expr, LogicalPlan, Volatility};
use datafusion::physical_expr::create_physical_expr;
use datafusion::physical_plan::PhysicalExpr;

/// The columns of a view, over its groups.
#[derive(Clone, Debug)]
pub struct Direct {
    having: Option<Arc<dyn PhysicalExpr>>,
    columns: Vec<Arc<dyn PhysicalExpr>>,
    answer: SchemaRef,
}

impl Direct {
    /// Of `plan`, which stands over the table of groups; none when it is more than columns and a condition.
    pub fn of(state: &SessionState, plan: &LogicalPlan) -> Option<Direct> {
        let analyzer = state.analyzer();
        let analyzed = analyzer.execute_and_check(plan.clone(), state.config_options(), |_, _| {});
        let LogicalPlan::Projection(projection) = analyzed.ok()? else {
            return None;
        };
        let (having, scan) = match projection.input.as_ref() {
            LogicalPlan::Filter(filter) => (Some(&filter.predicate), filter.input.as_ref()),
            other => (None, other),
        };
        let LogicalPlan::TableScan(scan) = scan else {
            return None;
        };
        let physical = |expression: &Expr| {
            let (properties, context) =
                (state.execution_props(), PhysicalPlanningContext::default());
            let made =
                create_physical_expr(expression, &scan.projected_schema, properties, &context);
            made.ok().filter(|_| follows_from_columns(expression))
        };
        let columns = projection.expr.iter().map(&physical);
        let columns: Vec<Arc<dyn PhysicalExpr>> = columns.collect::<Option<_>>()?;
        let answer = Arc::clone(plan.schema().inner());
        let groups = scan.projected_schema.as_arrow();
        let is_same = columns.iter().zip(answer.fields()).all(|(column, field)| {
            column
                .data_type(groups)
                .is_ok_and(|of| of == *field.data_type())
        });
        let having = match having {
            Some(having) => Some(physical(having)?),
            None => None,
        };
        is_same.then_some(Direct {
            having,
            columns,
            answer,
        })
    }

    /// The columns of `groups`.
    pub fn over(&self, groups: &RecordBatch) -> Result<RecordBatch> {
        let groups = match &self.having {
            None => groups.clone(),
            Some(having) => {
                let passes = having.evaluate(groups)?.into_array(groups.num_rows())?;
                filter_record_batch(groups, passes.as_boolean())?
            }
        };
        let count = groups.num_rows();
        let columns = self.columns.iter().map(|column| {
            let values = column.evaluate(&groups)?;
            values.into_array(count)
        });
        let columns: Vec<ArrayRef> = columns.collect::<Result<_>>()?;
        let rows = RecordBatchOptions::new().with_row_count(Some(count));
        let answer = Arc::clone(&self.answer);
        Ok(RecordBatch::try_new_with_options(answer, columns, &rows)?)
    }
}

/// Whether `expression` depends on the columns of its row and on nothing else.
fn follows_from_columns(expression: &Expr) -> bool {
    let mut follows = true;
    let walked = expression.apply(|part| {
        follows &= match part {
            Expr::ScalarFunction(called) => {
                called.func.signature().volatility == Volatility::Immutable
            }
            Expr::Column(_)
            | Expr::Literal(..)
            | Expr::Alias(_)
            | Expr::BinaryExpr(_)
            | Expr::Like(_)
            | Expr::SimilarTo(_)
            | Expr::Not(_)
            | Expr::IsNotNull(_)
            | Expr::IsNull(_)
            | Expr::IsTrue(_)
            | Expr::IsFalse(_)
            | Expr::IsUnknown(_)
            | Expr::IsNotTrue(_)
            | Expr::IsNotFalse(_)
            | Expr::IsNotUnknown(_)
            | Expr::Negative(_)
            | Expr::Between(_)
            | Expr::Case(_)
            | Expr::Cast(_)
            | Expr::TryCast(_)
            | Expr::InList(_) => true,
            _ => false,
        };
        Ok(TreeNodeRecursion::Continue)
    });
    walked.is_ok() && follows
}
