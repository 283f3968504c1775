//! The service over the log in memory and the simulated clock: one file for each group of operations,
//! typed calls, and AWS's answers word for word.

mod account;
mod archiving;
mod capacity_modes;
mod consumers;
mod distribution;
mod encryption;
mod fan_out;
mod fixture;
mod lifecycle;
mod listing;
mod monitoring;
mod putting;
mod reading;
mod record_size;
mod resharding;
mod resources;
mod retention;
mod shard_count;
mod scaling;
mod source;
mod tagging;
