//! The data side: the master dataset, and the states that views are merged from.
//!
//! A view's answer is put together from parts: each is the state of a span of positions, and the spans
//! tile what the answer covers. So two things must hold. Spans tile: [`master`] checks at every open that
//! they meet. And states merge: in any split, order and tree they come to what one pass comes to
//! ([`state`]). [`archiver`] brings records from a stream into the master dataset. What tables and states look like on disk is frozen, with a version in it. Nothing here knows SQL.
//! Modules stand lowest first.

pub mod value;
mod encoding;
pub mod state;
pub mod positions;
mod time_text;
pub mod schema;
mod payload;
pub mod store;
pub mod disk_store;
pub mod master;
pub mod archiver;

pub use disk_store::DiskStore;
pub use schema::Schema;
pub use state::{Aggregate, Class, Function, State};
pub use store::Store;
pub use value::{Type, Value};
