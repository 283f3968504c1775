//! Operations, inputs, outputs and exceptions of the AWS services, generated from the facts of the API
//! models and committed.
//!
//! What must hold: `generated/` is exactly what `cargo xtask codegen` writes from `models/`. Reading an
//! input checks types first and the model's constraints second, in one pass; an input that exists
//! satisfies its model. No prose of AWS is copied.

mod fast_json;
pub mod arena;
pub mod constraint;
pub mod wire;
pub mod packed;
pub mod failure;
pub mod event_stream;
pub mod rest;
mod generated;

pub use failure::{Failure, OperationError, StorageFailure};
pub use generated::{kinesis, lambda, sqs};
