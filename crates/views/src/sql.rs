//! The SQL engine: DataFusion, and the only place that sees its types.
//!
//! It makes maps of records out of definitions ([`compile()`]) and answers queries over views ([`Queries`]),
//! also to clients of Postgres. What must hold: the engine is asked for values only. What adds up belongs to
//! [`crate::state`], because an engine's own states change with its versions. An expression either has the
//! one right value or fails: whole numbers never wrap.

mod json_path;
mod json;
mod json_operators;
mod arithmetic;
mod bounded;
mod whole_sum;
mod engine;
mod types;
mod prepare;
mod query_error;
mod as_of;
mod direct;
mod answer;
mod overlapping;
mod computed;
mod joined;
mod program;
mod compile;
mod spark_expression;
mod spark;
mod key_filters;
mod scope;
mod groups_table;
mod version_table;
mod views_schema;
#[cfg(feature = "postgres")]
mod settings;
#[cfg(feature = "postgres")]
mod pg_catalog;
mod queries;
mod lookup;
#[cfg(feature = "postgres")]
mod postgres;

pub use answer::Answering;
pub use compile::compile;
pub use lookup::look_up;
#[cfg(feature = "postgres")]
pub use postgres::{Listening, listen};
pub use program::Program;
pub use queries::{Answered, Queries};
pub use query_error::{Kind, QueryError};
pub use scope::TableUsed;
pub use spark::spark_sql;
