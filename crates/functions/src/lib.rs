//! Functions, their execution environments, the Runtime API and asynchronous invocation.
//!
//! A *function* is what the catalog holds; an *environment* is one running copy of it, with a process
//! and a temporary directory; an *invocation* is one call; an *attempt* is one try at a queued
//! invocation. What must hold: an environment runs one invocation at a time and belongs to one revision
//! of one function; what was accepted for later is run at least once; a function that fails is an
//! answer, while our own failures say whether the function may have run. Decisions are pure
//! ([`pool`], [`delivery`], [`exchange`], [`catalog`], [`queue`]); [`functions`] and [`environment`]
//! carry them out.

pub mod limits;
pub mod function_name;
pub mod runtime;
pub mod configuration;
pub mod variables;
pub mod payloads;
pub mod payload_check;
pub mod function_logs;
pub mod archive;
pub mod exchange;
pub mod pool;
pub mod queue;
pub mod delivery;
pub mod catalog;
pub mod requested;
pub mod described;
pub mod invocation;
pub mod counters;
pub mod ports;
pub mod sandbox;
pub mod runtime_api;
pub mod settings;
pub mod environment;
pub mod driver;
pub mod functions;
pub mod exceptions;
pub mod ops;

pub use catalog::Catalog;
pub use functions::{Functions, FunctionsParts, NoFunction, Resolved};
pub use invocation::{Invocation, InvokeFailure, Reply};
pub use queue::Queue;
pub use sandbox::processes::LocalProcesses;
pub use settings::Settings;
