//! [`Views`], the handle that other code holds: views are made, altered, dropped, looked at and queried with
//! it; cheap to clone.
//!
//! What must hold: what views there are stands in the catalog; each of them has its layers running while
//! the server does, started from nothing but its entry there and what is on disk. A view is checked whole
//! before its command is submitted: split, compiled, its columns computed once over nothing. Changes are
//! made one after the other, so what was checked still holds when the command is applied.

mod ports;
mod failure;
mod sample;
mod plan;
mod exactness;
mod json;
mod arrow_stream;
mod called;
mod conditions;
mod hosted;
mod placeholders;
mod create;
mod versions;
mod diff;
mod exclusions;
mod tables;

pub use arrow_stream::arrow_stream;
pub use create::Created;
pub use diff::{Diff, Difference};
pub use exactness::of as class_of;
pub use failure::Failure;
pub use hosted::{Sight, Status};
pub use json::{columns_of, rows_of, type_named};
pub use placeholders::Template;
pub use ports::{Archiving, ArchivingFailure, Audited, Launch, Launched, Layers, Upkeep};
pub use tables::PutTable;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use futures_util::future::BoxFuture;

use tidemill_log::Replicated;
use tidemill_model::{AccountId, Clock, Region, Source, StreamArn};

use crate::catalog::{self, Catalog, Command, Endpoint, Exclusion, StreamSchema, TableEntry};
use crate::positions::Positions;
use crate::sql::{Answered, Kind, Queries, QueryError, spark_sql};
use crate::statement::{self, Statement};
use crate::static_table::{StaticTable, TableVersion};
use crate::store::Store;
use crate::view_reader::{Denied, Done, QueryOptions, ViewReader, ViewSource};

use self::hosted::Hosted;

/// Where the streams are that a statement names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// Whose they are.
    pub account: AccountId,
    /// Where they are.
    pub region: Region,
}

impl Home {
    /// The stream called `name`.
    pub fn stream(&self, name: &str) -> StreamArn {
        StreamArn {
            region: self.region.clone(),
            account: self.account.clone(),
            name: name.to_owned(),
        }
    }
}

/// What [`Views`] is made of.
pub struct ViewsParts {
    /// What views there are.
    pub catalog: Replicated<Catalog>,
    /// The streams, as archivers read them.
    pub source: Arc<dyn Source>,
    /// Who archives streams.
    pub archiving: Arc<dyn Archiving>,
    /// What runs views.
    pub layers: Arc<dyn Layers>,
    /// Where static tables are kept.
    pub tables: Arc<dyn Store>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Where the streams are that are named by those who say nothing else, over Postgres.
    pub home: Home,
}

/// The views of this installation. [`Views::recover`] is called once before the first request.
#[derive(Clone)]
pub struct Views {
    shared: Arc<Shared>,
    queries: Arc<Queries>,
}

struct Shared {
    parts: ViewsParts,
    /// Held while something is changed.
    changing: tokio::sync::Mutex<()>,
    hosted: Mutex<BTreeMap<String, Arc<Hosted>>>,
    /// Static tables that were asked for, by their names.
    tables: Mutex<BTreeMap<String, Arc<StaticTable>>>,
}

/// Static tables that were asked for, by their names.
type HeldTables<'a> = MutexGuard<'a, BTreeMap<String, Arc<StaticTable>>>;

impl Views {
    /// The handle made of `parts`, whose catalog is open.
    pub fn new(parts: ViewsParts) -> Views {
        let clock = Arc::clone(&parts.clock);
        let shared = Arc::new(Shared {
            parts,
            changing: tokio::sync::Mutex::new(()),
            hosted: Mutex::default(),
            tables: Mutex::default(),
        });
        let source: Arc<dyn ViewSource> = shared.clone();
        let queries = Arc::new(Queries::new(source, clock));
        Views { shared, queries }
    }

    /// Starts the layers of all views there are.
    pub async fn recover(&self) {
        let _changing = self.shared.changing.lock().await;
        let views: Vec<(String, catalog::View)> = self.shared.catalog(|catalog| {
            let views = catalog.called();
            views.map(|(name, view)| (name, view.clone())).collect()
        });
        for (name, view) in views {
            self.shared.place(&name, self.shared.host(view));
        }
    }

    /// Stops the layers of all views; the views stay.
    pub async fn shutdown(&self) {
        let _changing = self.shared.changing.lock().await;
        let hosted = std::mem::take(&mut *self.shared.hosted());
        for view in hosted.values() {
            view.ask_to_stop();
        }
        for view in hosted.into_values() {
            view.stopped().await;
        }
    }

    /// Queries over views, for those who speak another protocol.
    pub fn queries(&self) -> &Arc<Queries> {
        &self.queries
    }

    /// Carries out a statement that is no query, where the streams it names are at `home`.
    pub async fn carry_out(&self, home: &Home, text: &str) -> Result<Created, Failure> {
        self.shared.carry_out(home, text).await
    }

    /// Drops the view called `name`, with all its versions.
    pub async fn drop_view(&self, name: &str) -> Result<(), Failure> {
        self.shared.drop_view(name).await
    }

    /// Compares the served version of the view called `name` with the next, or else with the previous.
    pub async fn diff(&self, name: &str) -> Result<Diff, Failure> {
        self.shared.diff(name).await
    }

    /// The views, in the order of their names; versions that are not served too.
    pub fn list(&self) -> Vec<Status> {
        let hosted: Vec<Arc<Hosted>> = self.shared.hosted().values().cloned().collect();
        hosted.iter().map(|view| view.status()).collect()
    }

    /// The view called `name`.
    pub fn status(&self, name: &str) -> Result<Status, Failure> {
        Ok(self.shared.find(name)?.status())
    }

    /// The entry in the catalog of the view called `name`, and what names all that decides what it
    /// computes.
    pub fn version(&self, name: &str) -> Result<(catalog::View, String), Failure> {
        let hosted = self.shared.find(name)?;
        Ok((hosted.view().clone(), hosted.plan().to_owned()))
    }

    /// What the view called `name` computes, as one query of Spark over `table`: the master dataset of its
    /// stream, or files of it.
    pub fn spark_sql(&self, name: &str, table: &str) -> Result<String, Failure> {
        let hosted = self.shared.find(name)?;
        let view = hosted.view();
        let excluded = self
            .shared
            .catalog(|catalog| catalog.exclusions().of(&view.stream, view.incarnation));
        let text = spark_sql(hosted.definition()?, &view.schema, table, &excluded);
        Ok(text?)
    }

    /// Answers a query.
    pub async fn query(&self, sql: &str, options: QueryOptions) -> Result<Answered, Failure> {
        Ok(self.queries.query(sql, options).await?)
    }

    /// The groups of the view called `name` whose columns are as `conditions` say: names and values, a
    /// name with `.from` or `.before` behind it for the first value and for the one behind the last.
    pub async fn lookup(
        &self,
        name: &str,
        conditions: &[(String, String)],
        options: QueryOptions,
    ) -> Result<Answered, Failure> {
        let hosted = self.shared.find(name)?;
        if let Some(answered) = hosted.look_up(conditions, &options).await? {
            return Ok(answered);
        }
        let sql = conditions::query(name, hosted.columns()?, conditions)?;
        self.query(&sql, options).await
    }

    /// The views over `stream`.
    pub fn over(&self, stream: &StreamArn) -> Vec<String> {
        self.shared.catalog(|catalog| {
            let views = catalog.views().filter(|view| view.stream == *stream);
            views.map(|view| view.name.clone()).collect()
        })
    }

    /// The records that no view counts, those that count again too.
    pub fn exclusions(&self) -> Vec<Exclusion> {
        self.shared
            .catalog(|catalog| catalog.exclusions().all().to_vec())
    }

    /// The columns of all streams that have some.
    pub fn schemas(&self) -> Vec<StreamSchema> {
        self.shared
            .catalog(|catalog| catalog.schemas().cloned().collect())
    }

    /// The static tables, each with its versions, the newest last.
    pub fn tables(&self) -> Vec<Vec<TableEntry>> {
        self.shared
            .catalog(|catalog| catalog.tables().all().map(<[_]>::to_vec).collect())
    }

    /// Makes `bytes`, a JSON object in each line, the newest version of the table called `name`.
    pub async fn put_table(&self, name: &str, bytes: &[u8]) -> Result<PutTable, Failure> {
        self.shared.put_table(name, bytes).await
    }

    /// Drops the table called `name`, with all its versions.
    pub async fn drop_table(&self, name: &str) -> Result<(), Failure> {
        self.shared.drop_table(name).await
    }

    /// The named queries, in the order of their names.
    pub fn endpoints(&self) -> Vec<Endpoint> {
        self.shared
            .catalog(|catalog| catalog.endpoints().cloned().collect())
    }

    /// Gives a query a name, in place of what has it.
    pub async fn name_query(&self, name: &str, sql: &str) -> Result<(), Failure> {
        let _changing = self.shared.changing.lock().await;
        catalog::check_name(name)?;
        Template::read(sql)?;
        if self
            .shared
            .catalog(|catalog| catalog.endpoint(name).is_ok())
        {
            let name = name.to_owned();
            self.shared.submit(Command::DropEndpoint { name }).await?;
        }
        let (name, sql) = (name.to_owned(), sql.to_owned());
        self.shared
            .submit(Command::CreateEndpoint { name, sql })
            .await
    }

    /// Takes the name of a query away.
    pub async fn forget_query(&self, name: &str) -> Result<(), Failure> {
        let name = name.to_owned();
        self.shared.submit(Command::DropEndpoint { name }).await
    }

    /// Answers the query called `name`.
    pub async fn query_named(
        &self,
        name: &str,
        values: &[(String, String)],
        options: QueryOptions,
    ) -> Result<Answered, Failure> {
        let sql = self.shared.catalog(|catalog| {
            let endpoint = catalog.endpoint(name);
            endpoint.map(|endpoint| endpoint.sql.clone())
        })?;
        let sql = Template::read(&sql)?.filled(values)?;
        self.query(&sql, options).await
    }
}

impl Shared {
    fn catalog<R>(&self, look: impl FnOnce(&Catalog) -> R) -> R {
        self.parts.catalog.read(look)
    }

    fn hosted(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Hosted>>> {
        self.hosted.lock().expect("no holder of this lock panics")
    }

    fn find(&self, name: &str) -> Result<Arc<Hosted>, Failure> {
        let found = self.hosted().get(name).cloned();
        let name = name.to_owned();
        found.ok_or_else(|| catalog::Refused::NoView { name }.into())
    }

    async fn submit(&self, command: Command) -> Result<(), Failure> {
        let outcome = self.parts.catalog.submit(command).await;
        let outcome = outcome.map_err(|error| Failure::Storage(error.to_string()))?;
        Ok(outcome?)
    }

    /// Lets a version of a view be asked under `name`.
    fn place(&self, name: &str, hosted: Hosted) {
        let hosted = match hosted.name() == name {
            true => hosted,
            false => hosted.called(name, &Positions::new()),
        };
        self.hosted().insert(name.to_owned(), Arc::new(hosted));
    }

    /// Stops what is called `name`, and removes what it has on disk.
    async fn remove(&self, name: &str) {
        let removed = self.hosted().remove(name);
        if let Some(view) = removed {
            view.ask_to_stop();
            view.stopped().await;
            self.parts.layers.forget(view.view());
        }
    }

    async fn drop_view(&self, name: &str) -> Result<(), Failure> {
        let _changing = self.changing.lock().await;
        let name = name.to_owned();
        let versions = self.catalog(|catalog| catalog.versions(&name))?;
        self.submit(Command::DropView { name: name.clone() })
            .await?;
        self.remove(&name).await;
        for version in versions.all() {
            self.remove(&version.beside()).await;
        }
        Ok(())
    }

    async fn audit(&self, name: &str) -> Result<Created, Failure> {
        let audited = self.find(name)?.audit().await?;
        let Audited { records, groups } = audited;
        Ok(Created {
            notices: vec![format!(
                "{records} records computed again out of the master dataset: all {groups} groups of the \
                 batch view are as they should be"
            )],
            audited: Some(audited),
            ..Created::of("AUDIT VIEW")
        })
    }

    async fn carry_out(&self, home: &Home, text: &str) -> Result<Created, Failure> {
        match statement::read(text)? {
            Statement::CreateView => self.create_view(home, text).await,
            Statement::CreateSchema { stream, schema } => self.declare(home, &stream, schema).await,
            Statement::DropView { name } => {
                self.drop_view(&name).await?;
                Ok(Created::of("DROP VIEW"))
            }
            Statement::AlterView { statement } => self.alter(home, &statement).await,
            Statement::DiffView { name } => {
                let notices = self.diff(&name).await?.lines();
                Ok(Created {
                    notices,
                    ..Created::of("DIFF VIEW")
                })
            }
            Statement::AuditView { name } => self.audit(&name).await,
            Statement::PromoteView { name } => self.promote(&name).await,
            Statement::RollBackView { name } => self.roll_back(&name).await,
            Statement::DropVersion { name, place } => self.drop_version(&name, place).await,
            Statement::Exclude {
                stream,
                shard,
                from,
                to,
                reason,
            } => {
                let records = (shard, from, to);
                self.exclude(home, &stream, records, reason).await
            }
            Statement::UndoExclusion { id, reason } => self.undo_exclusion(id, reason).await,
            Statement::ShowExclusions => {
                let all = self.catalog(|catalog| catalog.exclusions().all().to_vec());
                Ok(Created {
                    notices: all.iter().map(ToString::to_string).collect(),
                    ..Created::of("SHOW EXCLUSIONS")
                })
            }
            Statement::Other => {
                let what = "this is no statement about views: CREATE, ALTER, DIFF, AUDIT, PROMOTE, \
                            ROLLBACK or DROP VIEW, EXCLUDE FROM STREAM, UNDO EXCLUSION, CREATE \
                            SCHEMA FOR STREAM";
                Err(QueryError::new(Kind::NotSupported, what).into())
            }
        }
    }
}

impl ViewSource for Shared {
    fn views(&self) -> Vec<Arc<dyn ViewReader>> {
        let hosted = self.hosted();
        hosted.values().filter_map(|view| view.reader()).collect()
    }

    fn tables(&self) -> Vec<String> {
        self.catalog(|catalog| {
            let newest = catalog.tables().all().filter_map(<[_]>::last);
            newest.map(|newest| newest.version.name.clone()).collect()
        })
    }

    fn table_version(&self, name: &str) -> Option<TableVersion> {
        self.named_version(name)
    }

    fn table<'a>(
        &'a self,
        version: &'a TableVersion,
    ) -> BoxFuture<'a, Result<Arc<StaticTable>, Denied>> {
        self.queried_table(version)
    }

    fn carry_out<'a>(&'a self, statement: &'a str) -> BoxFuture<'a, Result<Done, Denied>> {
        Box::pin(async move {
            let home = self.parts.home.clone();
            match Shared::carry_out(self, &home, statement).await {
                Ok(created) => Ok(created.done()),
                Err(failure) => Err(failure.denied()),
            }
        })
    }
}
