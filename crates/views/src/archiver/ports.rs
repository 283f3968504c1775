//! What the archiver needs of its neighbours: [`Retention`].

use tidemill_model::StreamArn;

use crate::positions::Positions;

/// Frees the space of records, and waits for the archiver with that.
pub trait Retention: Send + Sync {
    /// The master dataset has the records of `stream` before these positions durably: from here on
    /// retention alone decides over them. Until it is told so, a stream that is archived frees nothing.
    fn release(&self, stream: &StreamArn, incarnation: u64, archived: &Positions);
}
