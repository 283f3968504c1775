//! Simulated clock, chance and disk, and the script runner.
//!
//! What must hold: everything here follows from what the test says, so that a failure replays from its
//! seed. Nothing here is part of the product.

pub mod clock;
pub mod entropy;
pub mod disk;
pub mod script;

pub use clock::SimClock;
pub use disk::{DiskFailure, SimDisk};
pub use entropy::SimEntropy;
