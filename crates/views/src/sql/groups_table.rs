//! The groups of a view as a table of the engine: [`GroupsTable`].

use std::fmt;
use std::sync::Arc;

use arrow_schema::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::TableType;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;

use crate::view_reader::ViewReader;

use super::answer::Answering;
use super::key_filters::filter;
use super::scope::Scope;

/// A view's groups, which are read when a query is planned.
pub struct GroupsTable {
    reader: Arc<dyn ViewReader>,
    answering: Arc<Answering>,
}

impl GroupsTable {
    /// Of the view behind `reader`.
    pub fn new(reader: Arc<dyn ViewReader>, answering: Arc<Answering>) -> GroupsTable {
        GroupsTable { reader, answering }
    }

    /// The name of the view.
    pub fn view(&self) -> &str {
        &self.reader.definition().name
    }
}

impl fmt::Debug for GroupsTable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "groups of {}", self.view())
    }
}

#[async_trait]
impl TableProvider for GroupsTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(self.answering.groups())
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    fn supports_filters_pushdown(
        &self,
        conditions: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        let columns = self.answering.groups();
        let usable = conditions.iter().map(|condition| {
            match filter(condition, columns, self.reader.keys()) {
                Some(_) => TableProviderFilterPushDown::Inexact,
                None => TableProviderFilterPushDown::Unsupported,
            }
        });
        Ok(usable.collect())
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        conditions: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let columns = self.answering.groups();
        let filters = conditions.iter();
        let filters = filters.filter_map(|one| filter(one, columns, self.reader.keys()));
        let filters: Vec<_> = filters.collect();
        let scope = session
            .config()
            .get_extension::<Scope>()
            .unwrap_or_default();
        let reading = scope.read(&self.reader, &filters).await;
        let reading = reading.map_err(|error| DataFusionError::External(Box::new(error)))?;
        let groups = self.answering.with_the_only_group(reading.rows);
        let exec =
            MemorySourceConfig::try_new_exec(&[groups], Arc::clone(columns), projection.cloned())?;
        Ok(exec)
    }
}
