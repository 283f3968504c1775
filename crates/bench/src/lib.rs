//! The load generator, the floors and the reports of `tidemill bench`, and the wire client that the
//! command line shares with it.
//!
//! What must hold: the server under load is reached over a socket only, by the same client that loads
//! the floors and the peers; a figure of ours stands beside the floors of the same run. This is the one
//! crate that measures time; it hands no measured number to anything but a report.

pub mod stopwatch;
pub mod client;
pub mod statistics;
pub mod machine;
mod rest;
pub mod bodies;
pub mod load;
pub mod drain;
pub mod threads;
pub mod aligned;
pub mod pages;
pub mod http_server;
pub mod floors;
pub mod group_commit;
pub mod necessary;
mod spawn;
pub mod peers;
pub mod report;
pub mod cases;
pub mod contestants;
pub mod streams;
pub mod log;
pub mod views;
