//! The wiring: who feeds whom. One file for each pair of services that meet, and the assembly.
//!
//! This is the only place that knows more than one service. An adapter translates and decides nothing.

pub mod storage;
pub mod invoker;
pub mod destination;
#[cfg(feature = "views")]
pub mod archives;
#[cfg(feature = "views")]
mod view_store;
#[cfg(feature = "views")]
pub mod views;
pub mod services;
pub mod measures;
pub mod sql_port;
