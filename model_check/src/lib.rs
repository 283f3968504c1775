//! The design of the layers of views, small enough to be run in every order that can happen:
//! [`Design`] is its model, and `tests/absorption.rs` has it checked.
//!
//! Two shards with a record or two; an archiver; a batch view with its manifest; closed parts and an open
//! one; a reader that pins what it reads; retention; and crashes between any two steps. What must hold in
//! every state stands in [`properties`]. A checker is worth what it finds, so the design can be given a
//! [`Flaw`], and each of them has to be found.

mod state;
mod steps;
pub mod properties;

pub use state::{Counts, Flaw, Manifest, Part, Pinned, Reader, State, Vector};
pub use steps::{Action, Design};
