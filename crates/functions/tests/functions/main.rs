//! The service as a whole: operations over a log in memory, functions as real processes.
//!
//! Time is simulated, so a timeout passes when the test says so; what is waited for is a condition, with
//! a bound that only a broken build reaches.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails where its story breaks off"
)]

mod stage;

mod operations;
mod pooling;
mod provided;
mod python;
mod queued;
