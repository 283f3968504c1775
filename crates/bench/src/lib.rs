//! The load generator, the floors and the report of `tidemill bench`, and the wire client that the
//! command line shares with it.
//!
//! What must hold: the server under load is reached over a socket only, by the same client that loads
//! the floors; a figure of ours stands beside the floors of the same run. This is the one crate that
//! measures time; it hands no measured number to anything but a report.

pub mod stopwatch;
pub mod client;
pub mod statistics;
pub mod machine;
pub mod bodies;
pub mod load;
pub mod floors;
pub mod report;
pub mod run;
