//! Archiving a stream: [`Streams::archive`], and what its archiver and the sweep have to do with it.
//!
//! What must hold: that a stream is archived stands in the catalog before an archiver is started, so
//! nothing is freed in between, whatever dies; expiry stays logical and exact, only the space waits.

use std::collections::{BTreeMap, BTreeSet};

use tidemill_log::{PartitionId, Position};
use tidemill_model::{ShardId, StreamArn, Timestamp};

use crate::archive::{Archives, Held};
use crate::catalog::Catalog;
use crate::command::Command;
use crate::failure::Failure;
use crate::stream::{Shard, Stream};
use crate::streams::Streams;

/// An archived stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archived {
    /// The stream.
    pub stream: StreamArn,
    /// Which of those that had its name.
    pub incarnation: u64,
    /// How far its archiver has it durably, as it has said since the start.
    pub released: BTreeMap<ShardId, Position>,
    /// What has expired and waited for the archiver at the last sweep.
    pub held: Held,
}

impl Streams {
    /// Archives `stream` from now on: nothing of it is freed before [`Streams::release`] says so. Gives
    /// its incarnation. To do it twice is the same as once.
    pub async fn archive(&self, stream: &StreamArn) -> Result<u64, Failure> {
        self.set_archived(stream, true).await?;
        Ok(self.stream(stream, |stream, _| Ok(stream.incarnation))?)
    }

    /// Leaves `stream` to its retention alone.
    pub async fn end_archiving(&self, stream: &StreamArn) -> Result<(), Failure> {
        self.set_archived(stream, false).await
    }

    async fn set_archived(&self, stream: &StreamArn, archived: bool) -> Result<(), Failure> {
        let is_so = self.stream(stream, |stream, _| Ok(stream.archived == archived))?;
        if !is_so {
            let stream = stream.clone();
            self.submit(Command::SetArchived { stream, archived })
                .await?;
        }
        Ok(())
    }

    /// The archiver has the records of a stream before these positions durably.
    pub fn release(&self, incarnation: u64, archived: &BTreeMap<ShardId, Position>) {
        self.archives().release(incarnation, archived);
    }

    /// The archived streams, in the order of region, account and name.
    pub fn archived(&self) -> Vec<Archived> {
        let streams = self.archived_streams();
        let archives = self.archives();
        let archived = streams.into_iter().map(|(stream, incarnation)| Archived {
            released: archives.positions(incarnation),
            held: archives.held(incarnation),
            stream,
            incarnation,
        });
        archived.collect()
    }

    fn archived_streams(&self) -> Vec<(StreamArn, u64)> {
        self.catalog(|catalog, now| {
            let streams = catalog.streams(now).filter(|stream| stream.archived);
            let streams = streams.map(|stream| (stream.arn.clone(), stream.incarnation));
            streams.collect()
        })
    }

    /// Frees what has expired of `shard`, as far as the archiver of an archived stream has it, and adds
    /// what it has not to `held`.
    pub(crate) async fn trim_archived(
        &self,
        shard: ArchivedShard,
        horizon: Timestamp,
        held: &mut Held,
    ) -> Result<(), Failure> {
        let ArchivedShard {
            incarnation,
            id,
            partition,
        } = shard;
        let expired = self.log().position_at(partition, horizon).await?;
        let released = self.archives().released(incarnation, id);
        let before = expired.min(released);
        if before > self.log().partition(partition).start {
            self.log().trim(partition, before).await?;
        }
        let start = self.log().partition(partition).start;
        if expired > start {
            let read = self.log().read(partition, start, 1, 1).await?;
            held.add(expired - start, read.entries.first().map(|entry| entry.at));
        }
        Ok(())
    }

    /// Notes what archived streams hold back.
    pub(crate) fn note_held(&self, held: BTreeMap<u64, Held>) {
        self.archives_and_catalog(|archives, catalog, now| {
            let archived = catalog.streams(now).filter(|stream| stream.archived);
            let archived: BTreeSet<u64> = archived.map(|stream| stream.incarnation).collect();
            archives.note(held, |incarnation| archived.contains(&incarnation));
        });
    }

    /// Looks at both, the archives locked first, as everybody does who needs both.
    fn archives_and_catalog<R>(
        &self,
        look: impl FnOnce(&mut Archives, &Catalog, Timestamp) -> R,
    ) -> R {
        let mut archives = self.archives();
        self.catalog(|catalog, now| look(&mut archives, catalog, now))
    }

    /// Forgets the closed shards of archived streams that have expired and that their archivers have.
    pub(crate) async fn forget_archived(&self) -> Result<(), Failure> {
        let commands = self.archives_and_catalog(|archives, catalog, now| {
            let is_whole = |stream: &Stream, id: ShardId, shard: &Shard| {
                let end = shard.closed.as_ref().map(|closing| closing.end);
                end.is_some_and(|end| archives.released(stream.incarnation, id) >= end)
            };
            let archived = catalog.streams(now).filter(|stream| stream.archived);
            let commands = archived.filter_map(|stream| {
                let shards = stream.shards.iter().filter(|(id, shard)| {
                    stream.is_expired(shard, now) && is_whole(stream, **id, shard)
                });
                let shards: Vec<ShardId> = shards.map(|(id, _)| *id).collect();
                (!shards.is_empty()).then(|| Command::ForgetShards {
                    stream: stream.arn.clone(),
                    incarnation: stream.incarnation,
                    shards,
                })
            });
            commands.collect::<Vec<_>>()
        });
        for command in commands {
            self.submit(command).await?;
        }
        Ok(())
    }
}

/// A shard of an archived stream.
pub(crate) struct ArchivedShard {
    /// The stream's incarnation.
    pub incarnation: u64,
    /// The shard.
    pub id: ShardId,
    /// Where its records are.
    pub partition: PartitionId,
}
