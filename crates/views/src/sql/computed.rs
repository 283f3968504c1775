//! An expression over records and the type of its values: [`Computed`].

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use datafusion::common::Result;
use datafusion::physical_plan::PhysicalExpr;

use crate::value::Type;

use super::types::column;

/// An expression and what it gives.
#[derive(Clone, Debug)]
pub struct Computed {
    /// The expression.
    pub expression: Arc<dyn PhysicalExpr>,
    /// The type of its values.
    pub of: Type,
}

impl Computed {
    /// Its values for `rows`.
    pub fn over(&self, rows: &RecordBatch) -> Result<ArrayRef> {
        let values = self.expression.evaluate(rows)?;
        Ok(column(&values.into_array(rows.num_rows())?, self.of)?)
    }
}
