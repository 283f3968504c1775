//! What the protocol's library calls: [`Handlers`], for one connection after the other.

use std::fmt::Debug;
use std::sync::Arc;

use arrow_pg::datatypes::arrow_schema_to_pg_fields;
use async_trait::async_trait;
use futures_util::Sink;
use pgwire::api::auth::StartupHandler;
use pgwire::api::auth::noop::NoopStartupHandler;
use pgwire::api::cancel::{CancelHandler, DefaultCancelHandler};
use pgwire::api::portal::{Format, Portal};
use pgwire::api::query::{ExtendedQueryHandler, SimpleQueryHandler};
use pgwire::api::results::{FieldInfo, Response};
use pgwire::api::stmt::QueryParser;
use pgwire::api::store::PortalStore;
use pgwire::api::{
    ClientInfo, ClientPortalStore, ConnectionManager, METADATA_DATABASE, PgWireServerHandlers, Type,
};
use pgwire::error::{ErrorInfo, PgWireError, PgWireResult};
use pgwire::messages::{PgWireBackendMessage, PgWireFrontendMessage};

use super::super::queries::{DATABASE, Queries};
use super::messages::coded;
use super::parameters;
use super::request::{Request, request};
use super::rows::text_field;
use super::session::{Planned, Session, check_startup};
use super::split::statements;

/// All handlers of the server.
pub struct Handlers {
    statements: Arc<Statements>,
    startup: Arc<Startup>,
    cancel: Arc<DefaultCancelHandler>,
}

impl Handlers {
    /// That answer from `queries`.
    pub fn new(queries: Arc<Queries>) -> Handlers {
        let connections = Arc::new(ConnectionManager::new());
        let session = Arc::new(Session::new(queries));
        let parser = Arc::new(Reader(Arc::clone(&session)));
        Handlers {
            statements: Arc::new(Statements { session, parser }),
            cancel: Arc::new(DefaultCancelHandler::new(Arc::clone(&connections))),
            startup: Arc::new(Startup(connections)),
        }
    }
}

impl PgWireServerHandlers for Handlers {
    fn simple_query_handler(&self) -> Arc<impl SimpleQueryHandler> {
        Arc::clone(&self.statements)
    }

    fn extended_query_handler(&self) -> Arc<impl ExtendedQueryHandler> {
        Arc::clone(&self.statements)
    }

    fn startup_handler(&self) -> Arc<impl StartupHandler> {
        Arc::clone(&self.startup)
    }

    fn cancel_handler(&self) -> Arc<impl CancelHandler> {
        Arc::clone(&self.cancel)
    }
}

/// Lets everybody in who asks for the database that there is.
struct Startup(Arc<ConnectionManager>);

#[async_trait]
impl NoopStartupHandler for Startup {
    fn connection_manager(&self) -> Option<Arc<ConnectionManager>> {
        Some(Arc::clone(&self.0))
    }

    async fn post_startup<C>(
        &self,
        client: &mut C,
        _message: PgWireFrontendMessage,
    ) -> PgWireResult<()>
    where
        C: ClientInfo + Sink<PgWireBackendMessage> + Unpin + Send,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let fatal = |code: &str, what: String| {
            let info = ErrorInfo::new("FATAL".to_owned(), code.to_owned(), what);
            Err(PgWireError::UserError(Box::new(info)))
        };
        let database = client.metadata().get(METADATA_DATABASE);
        if let Some(database) = database.filter(|database| *database != DATABASE) {
            let what = format!("there is no database `{database}`; the one here is {DATABASE}");
            return fatal("3D000", what);
        }
        match check_startup(client) {
            Ok(()) => Ok(()),
            Err(what) => fatal("22023", what),
        }
    }
}

/// A statement that a client has prepared.
#[derive(Clone, Debug)]
pub enum Prepared {
    /// A query; its parameters come later.
    Query(Arc<Planned>),
    /// Anything else.
    Other(Request),
}

/// Reads statements that are prepared.
struct Reader(Arc<Session>);

#[async_trait]
impl QueryParser for Reader {
    type Statement = Prepared;

    async fn parse_sql<C>(
        &self,
        _client: &C,
        text: &str,
        _types: &[Option<Type>],
    ) -> PgWireResult<Option<Prepared>>
    where
        C: ClientInfo + Unpin + Send + Sync,
    {
        let found = statements(text);
        let [statement] = found.as_slice() else {
            let what = "a prepared statement is one statement";
            return if found.is_empty() {
                Ok(None)
            } else {
                Err(coded("42601", what))
            };
        };
        Ok(Some(match request(statement) {
            Request::Query(text) => Prepared::Query(Arc::new(self.0.plan(&text).await?)),
            other => Prepared::Other(other),
        }))
    }

    fn get_parameter_types(&self, prepared: &Prepared) -> PgWireResult<Vec<Type>> {
        match prepared {
            Prepared::Query(planned) => parameters::types(&planned.plan),
            Prepared::Other(_) => Ok(Vec::new()),
        }
    }

    fn get_result_schema(
        &self,
        prepared: &Prepared,
        format: Option<&Format>,
    ) -> PgWireResult<Vec<FieldInfo>> {
        match prepared {
            Prepared::Query(planned) => {
                let format = format.unwrap_or(&Format::UnifiedText);
                arrow_schema_to_pg_fields(planned.plan.schema().as_arrow(), format, None)
            }
            Prepared::Other(Request::Show(name)) if name == "all" => {
                Ok(vec![text_field("name"), text_field("setting")])
            }
            Prepared::Other(Request::Show(name)) => Ok(vec![text_field(name)]),
            Prepared::Other(_) => Ok(Vec::new()),
        }
    }
}

/// Does what clients say.
struct Statements {
    session: Arc<Session>,
    parser: Arc<Reader>,
}

impl Statements {
    async fn simple<C>(&self, client: &mut C, statement: &str) -> PgWireResult<Response>
    where
        C: ClientInfo + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        match request(statement) {
            Request::Query(text) => {
                let planned = self.session.plan(&text).await?;
                let format = Format::UnifiedText;
                self.session.rows(client, planned, &format).await
            }
            other => self.session.other(client, &other).await,
        }
    }
}

#[async_trait]
impl SimpleQueryHandler for Statements {
    async fn do_query<C>(&self, client: &mut C, text: &str) -> PgWireResult<Vec<Response>>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let mut responses = Vec::new();
        for statement in statements(text) {
            match self.simple(client, statement).await {
                Ok(response) => responses.push(response),
                // What came before it has been done and is answered; what stands behind it is not done.
                Err(failure) => {
                    responses.push(Response::Error(Box::new(failure.into())));
                    break;
                }
            }
        }
        if responses.is_empty() {
            responses.push(Response::EmptyQuery);
        }
        Ok(responses)
    }
}

#[async_trait]
impl ExtendedQueryHandler for Statements {
    type Statement = Prepared;
    type QueryParser = Reader;

    fn query_parser(&self) -> Arc<Reader> {
        Arc::clone(&self.parser)
    }

    async fn do_query<C>(
        &self,
        client: &mut C,
        portal: &Portal<Prepared>,
        _max_rows: usize,
    ) -> PgWireResult<Response>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Prepared>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        match &portal.statement.statement {
            Prepared::Query(planned) => {
                let planned = Planned {
                    plan: parameters::bound(&planned.plan, portal)?,
                    as_of: planned.as_of.clone(),
                };
                let format = &portal.result_column_format;
                self.session.rows(client, planned, format).await
            }
            Prepared::Other(request) => self.session.other(client, request).await,
        }
    }
}
