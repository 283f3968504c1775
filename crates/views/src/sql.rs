//! The SQL engine: DataFusion, and the only place that sees its types.
//!
//! It makes maps of records out of definitions: [`compile()`]. What must hold: the engine is asked for values only. What adds up belongs to
//! [`crate::state`], because an engine's own states change with its versions. An expression either has the
//! one right value or fails: whole numbers never wrap.

mod json_path;
mod json;
mod arithmetic;
mod engine;
mod types;
mod prepare;
mod program;
mod compile;

pub use compile::compile;
pub use program::Program;
