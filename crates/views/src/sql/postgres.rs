//! Views for the clients of Postgres: psql, drivers, Grafana, Metabase and their like.
//!
//! What must hold: nothing that a client sends ends its connection or the server, unless it asks to leave.
//! A statement is a query, something about views, a setting, or refused by name; and each answer is preceded
//! by a notice of what it is as of. Everything is read only, so a transaction is a word: each statement has
//! its own snapshot, and says which.

mod split;
mod request;
mod messages;
mod rows;
mod parameters;
mod session;
mod handlers;
mod listen;

pub use listen::{Listening, listen};
