//! What is done for one statement of a client: [`Session`].
//!
//! Settings are kept with the connection, in the map that the protocol's library has for them.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use datafusion::logical_expr::LogicalPlan;
use datafusion_pg_catalog::sql::PostgresCompatibilityParser;
use futures_util::{Sink, SinkExt};
use pgwire::api::ClientInfo;
use pgwire::api::portal::Format;
use pgwire::api::results::{Response, Tag};
use pgwire::error::{PgWireError, PgWireResult};
use pgwire::messages::PgWireBackendMessage;
use pgwire::messages::startup::ParameterStatus;
use pgwire::types::format::FormatOptions;
use sqlparser::ast::{self, VisitMut, VisitorMut};

use crate::positions::Positions;
use crate::view_reader::QueryOptions;

use super::super::as_of::without_as_of;
use super::super::queries::{Queries, at, check_size};
use super::super::query_error::{Kind, QueryError};
use super::super::settings::{
    AS_OF, CLIENT_MIN_MESSAGES, LAST_AS_OF, MIN_POSITION, NOTICES, SETTINGS, STATEMENT_TIMEOUT,
    min_positions, setting, span, vector,
};
use super::messages::{as_of as line, coded, error, notice};
use super::request::Request;
use super::rows::{one_text, response};

/// A query that is ready to be computed.
#[derive(Clone, Debug)]
pub struct Planned {
    /// How.
    pub plan: LogicalPlan,
    /// The vector that it names, if it names one.
    pub as_of: Option<Positions>,
}

/// Does what clients ask for.
pub struct Session {
    queries: Arc<Queries>,
    parser: PostgresCompatibilityParser,
}

impl Session {
    /// Over `queries`.
    pub fn new(queries: Arc<Queries>) -> Session {
        let parser = PostgresCompatibilityParser::new();
        Session { queries, parser }
    }

    /// The plan of a query, and the vector that it names.
    pub async fn plan(&self, text: &str) -> PgWireResult<Planned> {
        check_size(text).map_err(error)?;
        let (text, as_of) = without_as_of(text).map_err(error)?;
        // The catalogue has the names of functions where that of Postgres has their numbers.
        let text = text.replace("'pg_catalog.array_in'::regproc", "'array_in'");
        let text = text.replace("'array_in'::regproc", "'array_in'");
        let statements = self.parser.parse(&text);
        let statements = statements.map_err(|failure| {
            let what = failure.to_string();
            let what = what.trim_start_matches("sql parser error: ");
            error(QueryError::new(Kind::Syntax, what))
        })?;
        let mut statements = statements.into_iter();
        let (Some(mut statement), None) = (statements.next(), statements.next()) else {
            let what = "this is not one statement";
            return Err(error(QueryError::new(Kind::Syntax, what)));
        };
        let _ = VisitMut::visit(&mut statement, &mut Fields);
        let plan = self.queries.plan(statement).await.map_err(error)?;
        Ok(Planned { plan, as_of })
    }

    /// The rows of a query, after notices of what they are as of.
    pub async fn rows<C>(
        &self,
        client: &mut C,
        Planned { plan, as_of }: Planned,
        format: &Format,
    ) -> PgWireResult<Response>
    where
        C: ClientInfo + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let options = FormatOptions::from_client_metadata(client.metadata());
        let demanded = at(demands(client), as_of).map_err(error)?;
        let answered = self
            .queries
            .run_within(plan, demanded, timeout(client))
            .await
            .map_err(error)?;
        let lines: Vec<String> = answered.as_of.iter().map(line).collect();
        if !lines.is_empty() {
            let last = lines.join("; ");
            client.metadata_mut().insert(LAST_AS_OF.to_owned(), last);
            for line in lines {
                tell(client, line).await?;
            }
        }
        response(&answered, format, Arc::new(options))
    }

    /// Does what is no query.
    pub async fn other<C>(&self, client: &mut C, request: &Request) -> PgWireResult<Response>
    where
        C: ClientInfo + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let done = |tag: &str| Ok(Response::Execution(Tag::new(tag)));
        match request {
            Request::Query(_) => unreachable!("a query is planned before"),
            Request::CarryOut(statement) => {
                let source = Arc::clone(self.queries.source());
                let carried_out = source.carry_out(statement).await;
                let carried_out = carried_out.map_err(|denied| error(denied.into()))?;
                for line in carried_out.notices {
                    tell(client, line).await?;
                }
                done(&carried_out.tag)
            }
            Request::Set(name, value) => {
                set(client, name, value.as_deref()).await?;
                done("SET")
            }
            Request::ResetAll => {
                for setting in SETTINGS.iter().filter(|setting| setting.name != LAST_AS_OF) {
                    client.metadata_mut().remove(setting.name);
                }
                done("RESET")
            }
            Request::Show(name) if name == "all" => self.show_all(client).await,
            Request::Show(name) => {
                let value = value(client, name).ok_or_else(|| unknown(name))?;
                one_text(name, &value)
            }
            Request::Begin => Ok(Response::TransactionStart(Tag::new("BEGIN"))),
            Request::End(tag) => Ok(Response::TransactionEnd(Tag::new(tag))),
            Request::Nothing(tag) => done(tag),
            Request::Refused(what, hint) => {
                Err(error(QueryError::new(Kind::NotSupported, what).hint(*hint)))
            }
        }
    }

    async fn show_all<C>(&self, client: &mut C) -> PgWireResult<Response>
    where
        C: ClientInfo + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let rows = SETTINGS.iter().map(|setting| {
            let value = value(client, setting.name).unwrap_or_default();
            format!("('{}', '{}')", setting.name, value.replace('\'', "''"))
        });
        let rows = rows.collect::<Vec<_>>().join(", ");
        let plan = self
            .plan(&format!(
                "SELECT column1 AS name, column2 AS setting FROM (VALUES {rows})"
            ))
            .await?;
        self.rows(client, plan, &Format::UnifiedText).await
    }
}

/// Puts the names of fields, as in `(f(x)).n`, where the engine looks for them.
struct Fields;

impl VisitorMut for Fields {
    type Break = ();

    fn pre_visit_expr(&mut self, expression: &mut ast::Expr) -> ControlFlow<()> {
        // Behind a name stands a column of it, and not a field.
        if let ast::Expr::CompoundFieldAccess { root, access_chain } = expression
            && matches!(root.as_ref(), ast::Expr::Nested(_))
        {
            for access in access_chain {
                if let ast::AccessExpr::Dot(ast::Expr::Identifier(name)) = access {
                    let name = ast::Value::SingleQuotedString(name.value.clone());
                    *access = ast::AccessExpr::Dot(ast::Expr::Value(name.into()));
                }
            }
        }
        ControlFlow::Continue(())
    }
}

/// The value of a setting; none when there is no such setting.
pub fn value<C: ClientInfo>(client: &C, name: &str) -> Option<String> {
    if name == "session_authorization" {
        return client.metadata().get("user").cloned();
    }
    let setting = setting(name)?;
    let set = client.metadata().get(name);
    Some(set.map_or_else(|| setting.default.to_owned(), Clone::clone))
}

fn unknown(name: &str) -> PgWireError {
    coded(
        "42704",
        format!("there is no setting `{name}`; SHOW ALL lists them"),
    )
}

async fn set<C>(client: &mut C, name: &str, value: Option<&str>) -> PgWireResult<()>
where
    C: ClientInfo + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
    PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
{
    let setting = setting(name).ok_or_else(|| unknown(name))?;
    let value = value.unwrap_or(setting.default);
    setting.check(value).map_err(|what| coded("22023", what))?;
    client
        .metadata_mut()
        .insert(name.to_owned(), value.to_owned());
    if let Some(reported) = setting.reported {
        let status = ParameterStatus::new(reported.to_owned(), value.to_owned());
        client
            .feed(PgWireBackendMessage::ParameterStatus(status))
            .await?;
    }
    Ok(())
}

async fn tell<C>(client: &mut C, line: String) -> PgWireResult<()>
where
    C: ClientInfo + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
    PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
{
    let least = value(client, CLIENT_MIN_MESSAGES).unwrap_or_default();
    let is_quiet = matches!(
        least.to_lowercase().as_str(),
        "warning" | "error" | "fatal" | "panic"
    );
    if !is_quiet && value(client, NOTICES).is_none_or(|notices| notices != "off") {
        client.feed(notice(line)).await?;
    }
    Ok(())
}

/// What the settings of a client demand of an answer.
fn demands<C: ClientInfo>(client: &C) -> QueryOptions {
    let value = |name| value(client, name).unwrap_or_default();
    QueryOptions {
        min_positions: min_positions(&value(MIN_POSITION)).unwrap_or_default(),
        as_of: vector(&value(AS_OF)).flatten(),
    }
}

fn timeout<C: ClientInfo>(client: &C) -> Option<Duration> {
    span(&value(client, STATEMENT_TIMEOUT)?).flatten()
}

/// Refuses values that a client gave while it connected, as if it had set them.
pub fn check_startup<C: ClientInfo>(client: &mut C) -> Result<(), String> {
    let given: BTreeMap<String, String> = client
        .metadata()
        .iter()
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    for (name, value) in given {
        let lower = name.to_lowercase();
        let Some(setting) = setting(&lower) else {
            continue;
        };
        let is_right = setting.check(&value);
        client.metadata_mut().remove(&name);
        // A driver says which zone it is in; times go out in UTC and say so, which is right in any zone.
        if lower != "timezone" {
            is_right?;
            client.metadata_mut().insert(lower, value);
        }
    }
    Ok(())
}
