//! Why something was not done with views: [`Failure`], in words for the one who asked.

use thiserror::Error;

use tidemill_model::ShardId;

use crate::catalog;
use crate::definition::Refusal;
use crate::sql::{Kind, QueryError};
use crate::static_table::TableError;
use crate::view_reader::{Denied, ReadError};

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Failure {
    /// The catalog refuses it.
    #[error(transparent)]
    Refused(#[from] catalog::Refused),
    /// What was written cannot be a view, or no query.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// There is no such stream.
    #[error("there is no stream {name}: create it first")]
    NoStream {
        /// The name.
        name: String,
    },
    /// Nobody said what columns a stream has, and its records do not show it.
    #[error(
        "the columns of stream {name} are not known, and it has no records that are JSON objects"
    )]
    NoColumns {
        /// The stream.
        name: String,
    },
    /// There is no such shard.
    #[error("stream {name} has no {shard}")]
    NoShard {
        /// The stream.
        name: String,
        /// The shard.
        shard: ShardId,
    },
    /// Nobody knows of records to come that they are wrong.
    #[error(
        "{shard} of stream {name} ends before position {end}, and only what is there can be excluded"
    )]
    NotThereYet {
        /// The stream.
        name: String,
        /// The shard.
        shard: ShardId,
        /// One past its last position.
        end: u64,
    },
    /// A version that was to be served has less than the one that is.
    #[error("{name} has not caught up: {why}")]
    Behind {
        /// What the version is called.
        name: String,
        /// What is missing.
        why: String,
    },
    /// Two versions that were to be compared cannot be.
    #[error("the versions cannot be compared: {why}")]
    Incomparable {
        /// Why.
        why: String,
    },
    /// The streams could not be read.
    #[error("the stream could not be read: {0}")]
    Source(String),
    /// The stream is not archived.
    #[error("the stream cannot be archived: {0}")]
    Archiving(String),
    /// The view is there and this program cannot run it.
    #[error("view {name} cannot be run by this program: {why}")]
    Broken {
        /// The view.
        name: String,
        /// Why.
        why: String,
    },
    /// What was put is no table, or a table cannot be had.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The log could not be written.
    #[error("the log could not be written: {0}")]
    Storage(String),
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Failure {
        QueryError::new(Kind::Unanswerable, error.to_string()).into()
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Failure {
        Failure::Query(refusal.into())
    }
}

impl Failure {
    /// What to type next; empty when nothing comes to mind.
    pub fn hint(&self) -> String {
        match self {
            Failure::Query(error) => error.hint.clone(),
            Failure::NoColumns { name } => format!(
                "put records first, or declare them: CREATE SCHEMA FOR STREAM {name} (store TEXT, \
                 amount DOUBLE, event_time TIMESTAMP)"
            ),
            _ => String::new(),
        }
    }

    /// Whether what was asked for does not exist.
    pub fn is_not_found(&self) -> bool {
        match self {
            Failure::Refused(
                catalog::Refused::NoView { .. }
                | catalog::Refused::NoTable { .. }
                | catalog::Refused::NoEndpoint { .. }
                | catalog::Refused::NoExclusion { .. },
            )
            | Failure::NoStream { .. }
            | Failure::NoShard { .. } => true,
            Failure::Query(error) => error.kind == Kind::NoView,
            _ => false,
        }
    }

    /// As the Postgres side tells it.
    pub fn denied(&self) -> Denied {
        Denied {
            why: self.to_string(),
            hint: self.hint(),
        }
    }
}
