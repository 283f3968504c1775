//! The Runtime API: how the process of an environment gets its work and hands in its answers.
//!
//! One listener on the loopback for each started process, so that a process can never speak for
//! another. The rules are [`crate::exchange`]; `conversation` holds their state between the task of the
//! environment and the connections; `server` is the only part that knows hyper.

pub mod conversation;
pub mod server;
