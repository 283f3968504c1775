//! Queries over views: [`Queries`].
//!
//! What must hold: a query only reads. Whatever is wrong with it, or goes wrong in it, is an error of that
//! query and of nothing else: it runs on a thread where it may take its time, and its failure, a panic of the
//! engine's too, comes back as an error. What an answer is as of is told with its rows.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use datafusion::catalog::default_table_source::source_as_provider;
use datafusion::catalog::{CatalogProvider, MemoryCatalogProvider};
use datafusion::common::DataFusionError;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::execution::context::SQLOptions;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::collect;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::parser::Statement;
use sqlparser::ast;
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::keywords::Keyword;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, Tokenizer};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot};

use tidemill_model::Clock;

use crate::positions::Positions;
use crate::view_reader::{AsOf, QueryOptions, ViewSource};

use super::as_of::without_as_of;
use super::engine;
use super::groups_table::GroupsTable;
use super::query_error::{Kind, QueryError};
use super::scope::{Scope, TableUsed};
use super::views_schema::ViewsSchema;

/// The database, as clients see it.
pub const DATABASE: &str = "tidemill";
/// The schema that views stand in.
pub const SCHEMA: &str = "public";
/// Bytes that all queries together may hold while they are computed; the rows of an answer come on top.
const MEMORY_BYTES_MAX: usize = 512 * 1024 * 1024;
/// Queries that are computed at once; more wait.
const QUERIES_MAX: usize = 16;
/// How long a query may take.
const TIME_MAX: Duration = Duration::from_secs(600);
/// Operators of a statement, at most: its tree is walked recursively, and each may make it one deeper.
const OPERATORS_MAX: usize = 300;
/// Bytes of a statement, at most.
const TEXT_BYTES_MAX: usize = 256 * 1024;

/// Answers queries over views.
pub struct Queries {
    context: SessionContext,
    source: Arc<dyn ViewSource>,
    clock: Arc<dyn Clock>,
    permits: Arc<Semaphore>,
}

/// The answer to a query.
#[derive(Clone, Debug)]
pub struct Answered {
    /// Its columns.
    pub columns: SchemaRef,
    /// Its rows.
    pub rows: Vec<RecordBatch>,
    /// What the views in it are as of, in the order of their names.
    pub as_of: Vec<AsOf>,
    /// The versions of static tables in it, in the order of their names. Those that a view was made over are
    /// in its plan.
    pub tables: Vec<TableUsed>,
}

impl Queries {
    /// Over the views of `source`.
    pub fn new(source: Arc<dyn ViewSource>, clock: Arc<dyn Clock>) -> Queries {
        let state = state();
        let views = ViewsSchema::new(Arc::clone(&source));
        let context = SessionContext::new_with_state(state);
        let catalog = MemoryCatalogProvider::new();
        let before = catalog.register_schema(SCHEMA, Arc::new(views));
        before.expect("a catalog in memory takes schemas");
        context.register_catalog(DATABASE, Arc::new(catalog));
        #[cfg(feature = "postgres")]
        super::pg_catalog::add_catalog(&context, DATABASE, Arc::clone(&source));
        Queries {
            context,
            source,
            clock,
            permits: Arc::new(Semaphore::new(QUERIES_MAX)),
        }
    }

    /// Where the views come from.
    pub fn source(&self) -> &Arc<dyn ViewSource> {
        &self.source
    }

    /// Answers `text`, one query.
    pub async fn query(
        self: &Arc<Queries>,
        text: &str,
        options: QueryOptions,
    ) -> Result<Answered, QueryError> {
        check_size(text)?;
        let (text, as_of) = without_as_of(text)?;
        let options = at(options, as_of)?;
        let plan = self.plan(parse(&text)?).await?;
        self.run_within(plan, options, None).await
    }

    /// The plan of `statement`, which may have parameters.
    pub async fn plan(
        self: &Arc<Queries>,
        statement: ast::Statement,
    ) -> Result<LogicalPlan, QueryError> {
        let queries = Arc::clone(self);
        let planned = aside(async move {
            let state = queries.state(Scope::default());
            let statement = Statement::Statement(Box::new(statement));
            let plan = state.statement_to_plan(statement).await?;
            reading_only().verify_plan(&plan)?;
            Ok(plan)
        });
        planned.await.map_err(|error| self.explained(&error))
    }

    /// Computes `plan`, which has no parameters left.
    async fn run(
        self: &Arc<Queries>,
        plan: LogicalPlan,
        options: QueryOptions,
    ) -> Result<Answered, QueryError> {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let queries = Arc::clone(self);
        let answered = aside(async move {
            let _permit = permit;
            let columns = Arc::clone(plan.schema().inner());
            let state = queries.state(Scope::new(options, repeated(&plan)?));
            let physical = state.create_physical_plan(&plan).await?;
            let rows = collect(physical, state.task_ctx()).await?;
            let scope = state.config().get_extension::<Scope>();
            let (as_of, tables) = match scope {
                Some(scope) => (scope.as_of(), scope.tables()),
                None => (Vec::new(), Vec::new()),
            };
            Ok(Answered {
                columns,
                rows,
                as_of,
                tables,
            })
        });
        answered.await.map_err(|error| self.explained(&error))
    }

    /// Computes `plan`, and gives up when that takes longer than `limit`, or than any query may.
    pub async fn run_within(
        self: &Arc<Queries>,
        plan: LogicalPlan,
        options: QueryOptions,
        limit: Option<Duration>,
    ) -> Result<Answered, QueryError> {
        let run = self.run(plan, options);
        let limit = limit.map_or(TIME_MAX, |limit| limit.min(TIME_MAX));
        let deadline = self.clock.now().plus(limit);
        tokio::select! {
            answered = run => answered,
            () = self.clock.sleep_until(deadline) => {
                let what = format!("the query took longer than {} ms", limit.as_millis());
                let error = QueryError::new(Kind::TooLong, what);
                Err(error.hint("a condition on a column that is grouped by, or a longer statement_timeout"))
            }
        }
    }

    /// A session for one query.
    fn state(&self, scope: Scope) -> SessionState {
        let mut state = self.context.state();
        state.config_mut().set_extension(Arc::new(scope));
        engine::at(state, self.clock.now())
    }

    fn explained(&self, error: &DataFusionError) -> QueryError {
        let views = self.source.views();
        let names = views.iter().map(|view| view.definition().name.clone());
        QueryError::of(error, &names.collect::<Vec<_>>())
    }
}

/// `options`, at the vector that a query names itself, if it names one.
pub fn at(options: QueryOptions, as_of: Option<Positions>) -> Result<QueryOptions, QueryError> {
    match (&options.as_of, &as_of) {
        (Some(demanded), Some(named)) if demanded != named => {
            let what = "the query names another vector than was demanded beside it";
            Err(QueryError::new(Kind::Invalid, what))
        }
        _ => {
            let as_of = as_of.or_else(|| options.as_of.clone());
            Ok(QueryOptions { as_of, ..options })
        }
    }
}

/// Reads `text`, which is one statement.
fn parse(text: &str) -> Result<ast::Statement, QueryError> {
    let statements = Parser::parse_sql(&PostgreSqlDialect {}, text);
    let mut statements =
        statements.map_err(|error| QueryError::new(Kind::Syntax, error.to_string()))?;
    match (statements.pop(), statements.is_empty()) {
        (Some(statement @ (ast::Statement::Query(_) | ast::Statement::Explain { .. })), true) => {
            Ok(statement)
        }
        _ => {
            let error = QueryError::new(Kind::NotSupported, "this is not one query");
            Err(error.hint("one SELECT, WITH, VALUES or EXPLAIN"))
        }
    }
}

/// Refuses a text that would make a tree too deep to be walked on a thread's stack.
pub fn check_size(text: &str) -> Result<(), QueryError> {
    let refused = |what: &str| Err(QueryError::new(Kind::NotSupported, what));
    if text.len() > TEXT_BYTES_MAX {
        return refused("the statement is longer than 256 KiB");
    }
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, text).tokenize();
    let tokens = tokens.map_err(|error| QueryError::new(Kind::Syntax, error.to_string()))?;
    if tokens.iter().filter(|token| is_operator(token)).count() > OPERATORS_MAX {
        return refused("the statement has more than 300 operators");
    }
    Ok(())
}

/// Whether `token` may make a tree one level deeper; parentheses are counted by the parser.
fn is_operator(token: &Token) -> bool {
    match token {
        Token::Word(word) => matches!(
            word.keyword,
            Keyword::AND
                | Keyword::OR
                | Keyword::NOT
                | Keyword::IS
                | Keyword::IN
                | Keyword::LIKE
                | Keyword::ILIKE
                | Keyword::BETWEEN
                | Keyword::COLLATE
                | Keyword::AT
                | Keyword::UNION
                | Keyword::INTERSECT
                | Keyword::EXCEPT
                | Keyword::JOIN
        ),
        Token::Whitespace(_)
        | Token::Number(..)
        | Token::SingleQuotedString(_)
        | Token::EscapedStringLiteral(_)
        | Token::Placeholder(_)
        | Token::Comma
        | Token::LParen
        | Token::RParen
        | Token::SemiColon
        | Token::Period
        | Token::EOF => false,
        _ => true,
    }
}

fn state() -> SessionState {
    // One partition: the order in which doubles are added up is then always the same.
    let config = SessionConfig::new()
        .with_target_partitions(1)
        .with_default_catalog_and_schema(DATABASE, SCHEMA)
        .with_create_default_catalog_and_schema(false)
        .with_information_schema(true);
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_limit(MEMORY_BYTES_MAX, 1.0)
        .build_arc();
    let runtime = runtime.expect("a runtime that touches no disk can be built");
    SessionStateBuilder::new_from_existing(engine::state(config))
        .with_runtime_env(runtime)
        .build()
}

fn reading_only() -> SQLOptions {
    SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(false)
        .with_allow_statements(false)
}

/// The views that `plan` reads more than once.
fn repeated(plan: &LogicalPlan) -> Result<BTreeSet<String>, DataFusionError> {
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            let provider = source_as_provider(&scan.source)?;
            let provider: &dyn Any = provider.as_ref();
            if let Some(groups) = provider.downcast_ref::<GroupsTable>() {
                *times.entry(groups.view().to_owned()).or_default() += 1;
            }
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    let repeated = times.into_iter().filter(|(_, times)| *times > 1);
    Ok(repeated.map(|(view, _)| view).collect())
}

/// Does `work` on a thread that may be busy for a while; a panic there is an error. When nobody waits for it
/// any more, it is given up at the next batch of rows.
async fn aside<T: Send + 'static>(
    work: impl Future<Output = Result<T, DataFusionError>> + Send + 'static,
) -> Result<T, DataFusionError> {
    let handle = Handle::current();
    let (_waiting, gone) = oneshot::channel::<()>();
    let done = tokio::task::spawn_blocking(move || {
        handle.block_on(async {
            tokio::select! {
                done = work => done,
                _ = gone => Err(DataFusionError::Execution("nobody waits for the answer".to_owned())),
            }
        })
    });
    done.await.unwrap_or_else(|stopped| {
        let what = format!("the engine stopped in the middle of the query: {stopped}");
        Err(DataFusionError::Internal(what))
    })
}
