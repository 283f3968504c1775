//! What can go wrong with a table: [`TableError`].

use thiserror::Error;

use tidemill_model::Determinacy;

use crate::schema::SchemaError;
use crate::store::StoreError;

use super::snapshot::Malformed;

/// Why a table could not be read or changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TableError {
    /// The store failed before anything was committed.
    #[error(transparent)]
    Store(StoreError),
    /// The store failed at the commit itself.
    #[error("version {version} may or may not be committed: {source}")]
    Commit {
        /// The version.
        version: u64,
        /// What failed.
        #[source]
        source: StoreError,
    },
    /// Another writer has committed this version.
    #[error("version {version} was committed by somebody else")]
    Conflict {
        /// The version.
        version: u64,
    },
    /// An earlier change left the table unsure: it has to be opened anew.
    #[error("the table has to be opened anew after a change that failed")]
    Unsure,
    /// The log does not come to a table of ours.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// A file is damaged or gone. It is refused, and never answered from.
    #[error("{path}: {what}")]
    Damaged {
        /// The file.
        path: String,
        /// What is wrong.
        what: String,
    },
    /// The table is of another stream, or of an earlier one with the same name.
    #[error("the table is of {found}, not of {expected}")]
    Other {
        /// What was to be opened.
        expected: String,
        /// What is there.
        found: String,
    },
    /// Columns can be added behind those that are there, and not be changed.
    #[error("the columns that the table has cannot be changed")]
    ColumnsChanged,
    /// What would be the schema is none.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// Rows could not be made into a file.
    #[error("no file can be made of the rows: {detail}")]
    Encoding {
        /// What the writer said.
        detail: String,
    },
}

impl TableError {
    /// Whether the change surely did not happen. Opening the table anew tells.
    pub fn determinacy(&self) -> Determinacy {
        match self {
            TableError::Commit { source, .. } => source.determinacy,
            _ => Determinacy::Determinate,
        }
    }
}
