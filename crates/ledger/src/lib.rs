//! The account of every acknowledged record.
//!
//! What must hold, per mapping and shard, at every instant:
//! `acked = processed + filtered + dead_lettered + discarded + expired + pending`.
//! An [`Account`] keeps the counts and the position they belong to; [`Counts`] is what is shown of it
//! against the durable head of the shard; [`Report`] is the form in which all of them are published.
//! Everything here is pure: whoever stores an account stores it together with the checkpoint.

pub mod outcome;
pub mod account;
pub mod counts;
pub mod report;

pub use account::Account;
pub use counts::Counts;
pub use outcome::{Closed, Outcome};
pub use report::{Blocked, MappingReport, Report, ShardReport};
