//! Functions, their execution environments, the Runtime API and asynchronous invocation.
//!
//! A *function* is what the catalog holds; an *environment* is one running copy of it, with a process
//! and a temporary directory; an *invocation* is one call; an *attempt* is one try at a queued
//! invocation. What must hold: an environment runs one invocation at a time and belongs to one revision
//! of one function; what was accepted for later is run at least once; a function that fails is an
//! answer, while our own failures say whether the function may have run. Decisions are pure
//! (`pool`, `delivery`, `exchange`, `catalog`, `queue`); `functions`, `environment` and `driver` carry
//! them out.

pub mod limits;
mod function_name;
mod runtime;
mod configuration;
mod variables;
mod payloads;
mod payload_check;
mod function_logs;
mod archive;
mod exchange;
mod pool;
mod queue;
mod delivery;
mod catalog;
mod requested;
mod described;
mod invocation;
pub mod metrics;
pub mod ports;
mod sandbox;
mod runtime_api;
mod settings;
mod environment;
mod driver;
mod functions;
mod exceptions;
pub mod ops;

pub use catalog::Catalog;
pub use functions::{Functions, FunctionsParts, NoFunction, Resolved};
pub use invocation::{Invocation, InvokeFailure, Reply};
pub use payloads::Exit;
pub use queue::Queue;
pub use sandbox::processes::LocalProcesses;
pub use settings::Settings;
pub use variables::Credentials;
