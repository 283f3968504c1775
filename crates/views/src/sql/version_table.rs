//! A version of a static table as a table of the engine: [`VersionTable`].

use std::fmt;
use std::sync::Arc;

use arrow_schema::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::datasource::TableType;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;

use crate::static_table::StaticTable;

use super::scope::Scope;

/// The rows of a version; a query that has them says which it was.
pub struct VersionTable(pub Arc<StaticTable>);

impl fmt::Debug for VersionTable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = &self.0.version;
        write!(formatter, "{}@{}", version.name, version.number)
    }
}

#[async_trait]
impl TableProvider for VersionTable {
    fn schema(&self) -> SchemaRef {
        self.0.rows.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        _conditions: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if let Some(scope) = session.config().get_extension::<Scope>() {
            scope.note(&self.0.version);
        }
        let rows = vec![self.0.rows.clone()];
        let exec = MemorySourceConfig::try_new_exec(&[rows], self.schema(), projection.cloned())?;
        Ok(exec)
    }
}
