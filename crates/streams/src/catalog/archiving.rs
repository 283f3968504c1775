//! Archived streams in the catalog: nothing of one is forgotten before its archiver has it.
//!
//! What must hold: how far an archiver is does not stand here; so what may be forgotten of an archived
//! stream is said by a command of its own, and the sweep leaves its shards alone.

use tidemill_model::{ShardId, StreamArn, Timestamp};

use super::Catalog;
use crate::refused::Refused;
use crate::stream::{Status, Stream};

impl Catalog {
    pub(super) fn set_archived(
        &mut self,
        arn: &StreamArn,
        archived: bool,
        at: Timestamp,
    ) -> Result<(), Refused> {
        let stream = self.stream(arn, at)?;
        if stream.status(at) == Some(Status::Deleting) {
            return Err(super::not_active(arn, Status::Deleting));
        }
        self.stream_mut(arn).archived = archived;
        Ok(())
    }

    pub(super) fn forget_shards(
        &mut self,
        arn: &StreamArn,
        incarnation: u64,
        shards: &[ShardId],
        at: Timestamp,
    ) {
        let Some(stream) = self.streams.get_mut(arn) else {
            return;
        };
        if stream.incarnation != incarnation {
            return;
        }
        for id in shards {
            if stream
                .shards
                .get(id)
                .is_some_and(|shard| stream.is_expired(shard, at))
            {
                stream.shards.remove(id);
            }
        }
    }
}

/// The closed shards that the sweep forgets.
pub(super) fn forgettable(stream: &Stream, now: Timestamp) -> impl Iterator<Item = ShardId> {
    let expired = stream
        .shards
        .iter()
        .filter(move |(_, shard)| !stream.archived && stream.is_expired(shard, now));
    expired.map(|(id, _)| *id)
}
