//! The archiver: what brings the records of a stream into its master dataset.
//!
//! It reads every shard through [`tidemill_model::Source`] and seals what it has read into epochs. What
//! must hold: a record is in the table exactly once, whatever fails and whenever the process dies; and
//! the stream is told that it may free a record only when the table has it durably. Both follow from
//! one rule: how far a shard is archived is read out of the table and stands nowhere else.

mod settings;
mod exchange;
mod open_epoch;
mod shard;
mod machine;
mod ports;
mod driver;

pub use driver::{Archiver, ArchiverParts, Ended};
pub use exchange::{Effect, Input};
pub use machine::Machine;
pub use ports::Retention;
pub use settings::Settings;
