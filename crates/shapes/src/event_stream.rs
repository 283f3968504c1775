//! What travels in an event stream: [`StreamedEvent`], which codegen implements for each union of them.

use serde::Serialize;

use crate::failure::Failure;

/// One thing that is sent in an event stream.
pub enum Streamed {
    /// The event of this name; the value itself is its payload.
    Event(&'static str),
    /// An exception.
    Exception(Failure),
}

/// A value that can be sent in an event stream. An exception cannot be serialized: what is sent of it is
/// its failure.
pub trait StreamedEvent: Serialize {
    /// What it is.
    fn streamed(&self) -> Streamed;
}
