//! What clients are told beside rows: errors with their codes, and notices.

use pgwire::error::{ErrorInfo, PgWireError};
use pgwire::messages::PgWireBackendMessage;

use crate::state::Class;
use crate::view_reader::AsOf;

use super::super::query_error::{Kind, QueryError};

/// `error` as Postgres would say it.
pub fn error(error: QueryError) -> PgWireError {
    PgWireError::UserError(Box::new(info(error)))
}

/// What Postgres would send of `error`.
pub fn info(error: QueryError) -> ErrorInfo {
    // https://www.postgresql.org/docs/16/errcodes-appendix.html
    let code = match error.kind {
        Kind::Syntax => "42601",
        Kind::NoView => "42P01",
        Kind::NoColumn => "42703",
        Kind::NotSupported => "0A000",
        Kind::Invalid => "42804",
        Kind::Computation => "22000",
        Kind::Unanswerable => "55000",
        Kind::TooLarge => "53200",
        Kind::TooLong => "57014",
        Kind::Internal => "XX000",
    };
    let mut info = ErrorInfo::new("ERROR".to_owned(), code.to_owned(), error.what);
    info.hint = (!error.hint.is_empty()).then_some(error.hint);
    info
}

/// An error with a code of its own.
pub fn coded(code: &str, what: impl Into<String>) -> PgWireError {
    let info = ErrorInfo::new("ERROR".to_owned(), code.to_owned(), what.into());
    PgWireError::UserError(Box::new(info))
}

/// A notice that says `text`.
pub fn notice(text: String) -> PgWireBackendMessage {
    let info = ErrorInfo::new("NOTICE".to_owned(), "00000".to_owned(), text);
    PgWireBackendMessage::NoticeResponse(info.into())
}

/// What an answer is as of, in one line.
pub fn as_of(one: &AsOf) -> String {
    let positions = one.positions.iter();
    let positions = positions.map(|(shard, end)| format!("{}:{end}", shard.0));
    let positions = positions.collect::<Vec<_>>().join(",");
    let class = match one.class {
        Class::Exact => "exact".to_owned(),
        Class::ExactApproximate { error } => format!("exact-approximate ({:.1} %)", error * 100.0),
    };
    let (view, epoch, lag) = (&one.view, one.epoch, one.lag.as_millis());
    format!("view={view} as_of={{{positions}}} epoch={epoch} lag={lag}ms class={class}")
}
