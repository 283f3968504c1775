//! The data side: the master dataset, the states that views are merged from, and how views are split.
//!
//! A view's answer is put together from parts: each is the state of a span of positions, and the spans
//! tile what the answer covers. So three things must hold. Spans tile: [`master`] checks at every open
//! that they meet. States merge: in any split, order and tree they come to what one pass comes to
//! ([`state`]). And what is done with a record depends on the record alone: [`definition`] refuses what
//! is not known to. [`record_map`] is what a record comes to, [`sql`] what makes such maps: the one place
//! that sees the SQL engine. [`archiver`] brings records from a stream into the master dataset, and [`layers`]
//! keep views out of both. What tables and states look like on disk is frozen, with a version in it. Modules
//! stand lowest first.

mod limits;
pub mod value;
pub mod columns;
mod encoding;
mod parquet_file;
pub mod state;
pub mod positions;
mod time_text;
pub mod schema;
mod payload;
pub mod store;
pub mod disk_store;
pub mod s3_store;
pub mod definition;
pub mod inference;
pub mod static_table;
pub mod catalog;
pub mod statement;
pub mod master;
pub mod record_map;
pub mod view_reader;
mod cells;
pub mod groups;
pub mod part;
pub mod batch_view;
pub mod archiver;
#[cfg(feature = "sql")]
pub mod sql;
#[cfg(feature = "sql")]
pub mod service;
#[cfg(feature = "sql")]
pub mod layers;

pub use disk_store::DiskStore;
pub use s3_store::{S3Error, S3Place, S3Store};
pub use schema::Schema;
pub use state::{Aggregate, Class, Function, State};
pub use store::Store;
pub use value::{Type, Value};
