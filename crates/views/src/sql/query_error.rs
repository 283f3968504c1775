//! Why a query was not answered, in words for the one who typed it: [`QueryError`].

use datafusion::common::{DataFusionError, SchemaError};
use thiserror::Error;

use crate::definition::Refusal;
use crate::view_reader::{Denied, ReadError};

use super::engine::said;

/// Why a query was not answered, and what to type next.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{what}")]
pub struct QueryError {
    /// The kind of it.
    pub kind: Kind,
    /// What is wrong.
    pub what: String,
    /// What to type next; empty when nothing comes to mind.
    pub hint: String,
}

/// Kinds of what can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It is no SQL.
    Syntax,
    /// There is no such view.
    NoView,
    /// There is no such column.
    NoColumn,
    /// It is SQL that is not done here.
    NotSupported,
    /// Something in it does not fit together.
    Invalid,
    /// A value could not be computed.
    Computation,
    /// The view cannot be answered, or not as was demanded.
    Unanswerable,
    /// It needs more memory than a query may have.
    TooLarge,
    /// It took longer than it may.
    TooLong,
    /// It is our fault.
    Internal,
}

impl QueryError {
    /// An error without a hint.
    pub fn new(kind: Kind, what: impl Into<String>) -> QueryError {
        QueryError {
            kind,
            what: what.into(),
            hint: String::new(),
        }
    }

    /// Says what to type next.
    pub fn hint(self, hint: impl Into<String>) -> QueryError {
        let hint = hint.into();
        QueryError { hint, ..self }
    }

    /// What `error` of the engine means where `views` are the views.
    pub fn of(error: &DataFusionError, views: &[String]) -> QueryError {
        if let Some(error) = ours(error) {
            return error;
        }
        let text = said(error);
        let kind = match error.find_root() {
            DataFusionError::SQL(..) => Kind::Syntax,
            DataFusionError::NotImplemented(_) => Kind::NotSupported,
            DataFusionError::SchemaError(schema, _) => return no_column(schema),
            DataFusionError::Diagnostic(_, inner) => return QueryError::of(inner, views),
            DataFusionError::Plan(_) if text.contains("not found") && text.contains("table '") => {
                return no_view(&text, views);
            }
            DataFusionError::Plan(_) if text.contains("not supported: ") => Kind::NotSupported,
            DataFusionError::Plan(_) => Kind::Invalid,
            DataFusionError::ArrowError(..) | DataFusionError::Execution(_) => Kind::Computation,
            DataFusionError::ResourcesExhausted(_) => Kind::TooLarge,
            _ => Kind::Internal,
        };
        let error = QueryError::new(kind, text);
        match kind {
            Kind::TooLarge => {
                error.hint("ask for fewer groups: WHERE on a column that is grouped by")
            }
            _ => error,
        }
    }
}

/// An error that came from this crate and went through the engine.
fn ours(error: &DataFusionError) -> Option<QueryError> {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(cause) = source {
        if let Some(read) = cause.downcast_ref::<ReadError>() {
            return Some(QueryError::new(Kind::Unanswerable, read.to_string()));
        }
        if let Some(refusal) = cause.downcast_ref::<Refusal>() {
            return Some(refusal.clone().into());
        }
        if let Some(query) = cause.downcast_ref::<QueryError>() {
            return Some(query.clone());
        }
        source = cause.source();
    }
    None
}

fn no_view(text: &str, views: &[String]) -> QueryError {
    let name = text.split('\'').nth(1).unwrap_or_default();
    let name = name.rsplit('.').next().unwrap_or(name);
    let error = QueryError::new(Kind::NoView, format!("there is no view `{name}`"));
    if views.is_empty() {
        let example = "CREATE VIEW name AS SELECT … FROM STREAM stream GROUP BY …";
        return error.hint(format!("there are no views yet; make one with {example}"));
    }
    error.hint(format!("there are {}", views.join(", ")))
}

fn no_column(error: &SchemaError) -> QueryError {
    match error {
        SchemaError::FieldNotFound {
            field,
            valid_fields,
        } => {
            let what = format!("there is no column `{}`", field.name);
            let there: Vec<&str> = valid_fields
                .iter()
                .map(|field| field.name.as_str())
                .collect();
            let error = QueryError::new(Kind::NoColumn, what);
            if there.is_empty() {
                return error;
            }
            error.hint(format!("there are {}", there.join(", ")))
        }
        other => QueryError::new(Kind::NoColumn, other.to_string()),
    }
}

impl From<Refusal> for QueryError {
    fn from(refusal: Refusal) -> QueryError {
        let hint = refusal.nearest.clone();
        let what = Refusal {
            nearest: String::new(),
            ..refusal
        };
        QueryError::new(Kind::Invalid, what.to_string()).hint(hint)
    }
}

impl From<Denied> for QueryError {
    fn from(denied: Denied) -> QueryError {
        QueryError::new(Kind::Invalid, denied.why).hint(denied.hint)
    }
}
