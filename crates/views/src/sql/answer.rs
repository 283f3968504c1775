//! What stands above the merge: [`Answering`] makes the columns of a view out of the finals of its groups.
//!
//! `HAVING`, order and limit are the engine's, over a table of `_k0`, …, `_a0`, …. What must hold: the
//! answer follows from the groups alone. Where an order leaves ties the keys decide, so a limit cuts the
//! same groups each time. A view that groups by nothing has one group, of no records if there are none.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{Field, Schema as ArrowSchema, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::catalog::default_table_source::provider_as_source;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::datasource::MemTable;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{LogicalPlan, TableScan};
use datafusion::physical_plan::collect;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::parser::Statement;
use futures_util::FutureExt;
use sqlparser::ast::Ident;
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;

use tidemill_model::Timestamp;

use crate::columns::arrow_type;
use crate::definition::{Definition, Refusal, Standing};
use crate::state::{Aggregate, State};
use crate::value::{Type, Value};

use super::direct::Direct;
use super::engine::{at, said, state};
use super::query_error::QueryError;

/// The name of the table of groups.
const GROUPS: &str = "_groups";

/// How the answers of one view are made.
#[derive(Clone, Debug)]
pub struct Answering {
    state: Arc<SessionState>,
    plan: LogicalPlan,
    groups: SchemaRef,
    answer: SchemaRef,
    /// How its columns are computed without planning, where that can be.
    direct: Option<Direct>,
    /// What the one group of a view without keys has when there are no records.
    none: Option<RecordBatch>,
}

impl Answering {
    /// Of the view of `definition`, whose groups have keys and aggregates of these types; refused when
    /// its columns cannot be computed.
    pub fn new(
        definition: &Definition,
        keys: &[Type],
        aggregates: &[Aggregate],
    ) -> std::result::Result<Answering, Refusal> {
        let groups = groups_schema(keys, aggregates);
        // A session of its own, because the table of groups is registered in it.
        let state = state(SessionConfig::new());
        let plan = plan(&state, definition, &groups).map_err(|error| {
            let what = format!("the columns of {}", definition.name);
            Refusal::new(Standing::Invalid, what, &said(&error))
        })?;
        let none = keys.is_empty().then(|| of_no_records(&groups, aggregates));
        Ok(Answering {
            answer: Arc::clone(plan.schema().inner()),
            direct: Direct::of(&state, &plan),
            state: Arc::new(state),
            plan,
            groups,
            none,
        })
    }

    /// Whether it was made for groups of these types.
    pub fn is_of(&self, keys: &[Type], aggregates: &[Aggregate]) -> bool {
        self.groups == groups_schema(keys, aggregates)
    }

    /// The columns of the groups: `_k0`, …, `_a0`, ….
    pub fn groups(&self) -> &SchemaRef {
        &self.groups
    }

    /// The columns of the answer.
    pub fn columns(&self) -> &SchemaRef {
        &self.answer
    }

    /// How the columns of single groups are computed without planning, where that can be.
    pub(super) fn direct(&self) -> Option<&Direct> {
        self.direct.as_ref()
    }

    /// The answer that `groups` give at `now`.
    pub async fn answer(
        &self,
        groups: Vec<RecordBatch>,
        now: Timestamp,
    ) -> std::result::Result<Vec<RecordBatch>, QueryError> {
        let answer = async {
            let groups = self.with_the_only_group(groups);
            let table = MemTable::try_new(Arc::clone(&self.groups), vec![groups])?;
            let plan = self.over(Arc::new(table))?;
            let state = at(self.state.as_ref().clone(), now);
            let physical = state.create_physical_plan(&plan).await?;
            collect(physical, state.task_ctx()).await
        };
        answer.await.map_err(|error| QueryError::of(&error, &[]))
    }

    /// The plan of an answer out of the groups in `table`.
    pub(super) fn over(&self, table: Arc<dyn TableProvider>) -> Result<LogicalPlan> {
        let source = provider_as_source(table);
        let replaced = self.plan.clone().transform_up(|node| match node {
            LogicalPlan::TableScan(scan) if scan.table_name.table() == GROUPS => {
                let source = Arc::clone(&source);
                let scan = TableScan { source, ..scan };
                Ok(Transformed::yes(LogicalPlan::TableScan(scan)))
            }
            other => Ok(Transformed::no(other)),
        })?;
        Ok(replaced.data)
    }

    /// `groups`, or the one group of no records where there is always one.
    pub fn with_the_only_group(&self, groups: Vec<RecordBatch>) -> Vec<RecordBatch> {
        let is_empty = groups.iter().all(|batch| batch.num_rows() == 0);
        match &self.none {
            Some(none) if is_empty => vec![none.clone()],
            _ => groups,
        }
    }
}

/// `_k0`, …, `_a0`, … of these types.
pub(super) fn groups_schema(keys: &[Type], aggregates: &[Aggregate]) -> SchemaRef {
    let field = |name: String, of: Type| Field::new(name, arrow_type(of), true);
    let keys = keys.iter().enumerate();
    let keys = keys.map(|(index, of)| field(format!("_k{index}"), *of));
    let aggregates = aggregates.iter().enumerate();
    let aggregates = aggregates.map(|(index, one)| field(format!("_a{index}"), one.answer()));
    Arc::new(ArrowSchema::new(keys.chain(aggregates).collect::<Vec<_>>()))
}

fn plan(state: &SessionState, definition: &Definition, groups: &SchemaRef) -> Result<LogicalPlan> {
    let context = SessionContext::new_with_state(state.clone());
    let table = MemTable::try_new(Arc::clone(groups), vec![vec![]])?;
    let statement = Parser::parse_sql(&PostgreSqlDialect {}, &written(definition));
    let statement = statement.map(|mut statements| statements.pop());
    let Ok(Some(statement)) = statement else {
        let what = "its columns cannot be written as a SELECT".to_owned();
        return Err(DataFusionError::Plan(what));
    };
    context.register_table(GROUPS, Arc::new(table))?;
    let state = context.state();
    let planned = state.statement_to_plan(Statement::Statement(Box::new(statement)));
    let planned = planned.now_or_never();
    let plan = planned.expect("a table in memory is found at once")?;
    // Types are checked while optimising only.
    state.optimize(&plan)?;
    Ok(plan)
}

/// What stands above the merge, as a query over the groups.
fn written(definition: &Definition) -> String {
    let columns = definition.columns.iter().map(|column| {
        let name = Ident::with_quote('"', &column.name);
        format!("{} AS {name}", column.value)
    });
    let columns = columns.collect::<Vec<_>>().join(", ");
    let mut text = format!("SELECT {columns} FROM {GROUPS}");
    if let Some(having) = &definition.having {
        text += &format!(" WHERE {having}");
    }
    if !definition.order.is_empty() {
        let order = definition.order.iter().map(ToString::to_string);
        let keys = (0..definition.keys.len()).map(|index| format!("_k{index}"));
        let order: Vec<String> = order.chain(keys).collect();
        text += &format!(" ORDER BY {}", order.join(", "));
    }
    if let Some(limit) = definition.limit {
        text += &format!(" LIMIT {limit}");
    }
    text
}

fn of_no_records(groups: &SchemaRef, aggregates: &[Aggregate]) -> RecordBatch {
    let finals = aggregates
        .iter()
        .zip(groups.fields())
        .map(|(aggregate, field)| {
            let finished = State::new(*aggregate).finish();
            let value = finished.expect("of no records there is always an answer");
            match (value, field.data_type()) {
                (None, of) => ScalarValue::try_from(of),
                (Some(Value::Integer(count)), _) => Ok(ScalarValue::Int64(Some(count))),
                (Some(other), of) => unreachable!("{other:?} of no records, as {of}"),
            }
            .and_then(|scalar| scalar.to_array_of_size(1))
            .expect("a null or a count is a column")
        });
    let finals: Vec<ArrayRef> = finals.collect();
    RecordBatch::try_new(Arc::clone(groups), finals).expect("there is one final for each aggregate")
}
