//! The master dataset: every record of a stream, for ever, in Parquet files under a Delta log.
//!
//! The log is of our own writing and the simplest there is (reader version 1, writer version 2, append
//! only), so Spark, DuckDB, Polars and delta-rs read the tables as they are; read through the log and
//! never by listing the folder, which also holds files that compaction has replaced. Why Delta and why
//! our own: docs/decisions/0004.

mod action;
mod tiling;
mod data_file;
mod delta_schema;
pub mod rows;
mod snapshot;
mod failure;
mod checkpoint;
mod log_folder;
mod table;
mod compaction;
mod sweeping;

pub use compaction::{Aim, plan};
pub use data_file::DataFile;
pub use failure::TableError;
pub use snapshot::{Malformed, Snapshot};
pub use table::{Sealed, Subject, Table};
pub use tiling::Untiled;
