//! Event source mappings: what stands between a stream and a function.
//!
//! A mapping reads each shard of a stream, gathers records into batches, hands them to a function, and
//! deals with what fails. What must hold: every acknowledged record is accounted for; records of a
//! shard reach the function in order; what was not closed before a crash is delivered again after it.
//!
//! Everything that is decided stands in the pure files from `limits` to `machine`; `checkpoints` and
//! `catalog` are the replicated state; `driver` and `supervisor` carry out what the machines ask for;
//! `ops` are the API operations.

pub mod limits;
pub mod chance;
pub mod event;
pub mod partial_failure;
pub mod retry;
pub mod config;
pub mod piece;
pub mod bisect;
pub mod ahead;
pub mod checkpoint;
pub mod give_up;
pub mod saving;
pub mod reading;
pub mod exchange;
pub mod failure_text;
pub mod resume;
pub mod status;
mod work;
pub mod machine;
pub mod parameters;
pub mod catalog;
pub mod checkpoints;
pub mod ports;
pub mod settings;
pub mod parts;
pub mod board;
pub mod driver;
pub mod supervisor;
pub mod report;
pub mod mappings;
pub mod ops;

pub use catalog::Catalog;
pub use checkpoints::Checkpoints;
pub use mappings::Mappings;
pub use parts::MappingsParts;
pub use ports::{
    DeliveryError, Destination, FunctionFacts, Invoked, Invoker, NoFunction, Unsupported,
};
pub use settings::{Pace, Settings};
