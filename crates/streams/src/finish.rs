//! Finishing what a command began: reshards, and the upkeep of the log.
//!
//! A reshard is three steps, and a crash may come between any two: the command that records the
//! intent, the seals of the parents, the command that closes the parents and opens the children. Each
//! step can be done again without harm, and whoever meets an unfinished reshard does the rest: the
//! operation itself, a put that meets a sealed shard, the sweep, the start. A uniform scaling is rounds of
//! such steps, and the command that ends a round begins the next. So no record is ever
//! added to a shard after its closing, and none is lost between the parent and its children.

use std::collections::BTreeMap;

use futures_util::stream::{StreamExt, TryStreamExt, iter};

use tidemill_log::{PartitionId, Retention, ServiceTag};
use tidemill_model::{ShardId, StreamArn, Timestamp};

use crate::archive::Held;
use crate::archiving::ArchivedShard;
use crate::command::Command;
use crate::failure::Failure;
use crate::limits::SEALS_AT_ONCE;
use crate::stream::{SealedParent, Shard};
use crate::streams::Streams;

impl Streams {
    /// Completes what a crash left unfinished. To be called once, before the first request. A stream
    /// whose reshard cannot be finished stays in UPDATING, and the others are served.
    pub async fn recover(&self) -> Result<(), Failure> {
        self.token_key().await?;
        if let Err(error) = self.finish_reshards().await {
            tracing::warn!(%error, "a reshard is left to the next sweep");
        }
        self.delete_garbage().await
    }

    /// Gives back what retention has taken and what deleted streams have left; finishes reshards that
    /// were given up on. To be called every minute or so: nothing but space depends on it. What fails
    /// for one stream is done for the others all the same, and tried again by the next sweep.
    pub async fn sweep(&self) -> Result<(), Failure> {
        let outcome = [
            self.finish_reshards().await,
            self.forget().await,
            self.forget_archived().await,
            self.trim_expired().await,
            self.delete_garbage().await,
        ];
        self.forget_idle();
        outcome.into_iter().collect()
    }

    /// Forgets the rates and measures of shards that are gone or idle.
    fn forget_idle(&self) {
        let (kept, shards) = self.catalog(|catalog, _| catalog.monitored());
        self.rotation()
            .forget(|incarnation| kept.contains(&incarnation));
        if let Some(mut throttle) = self.throttle() {
            let now = self.clock().now();
            throttle.forget(now, |partition| shards.contains_key(&partition));
        }
        self.measured(|measured, now| {
            let is_monitored = |partition| shards.get(&partition).copied();
            measured.forget(now, |incarnation| kept.contains(&incarnation), is_monitored);
        });
    }

    async fn forget(&self) -> Result<(), Failure> {
        if self.catalog(|catalog, now| catalog.is_sweep_due(now)) {
            self.submit(Command::Sweep).await?;
        }
        Ok(())
    }

    async fn finish_reshards(&self) -> Result<(), Failure> {
        let begun: Vec<StreamArn> = self.catalog(|catalog, now| {
            let begun = catalog.streams(now).filter(|stream| stream.is_resharding());
            begun.map(|stream| stream.arn.clone()).collect()
        });
        let mut outcome = Ok(());
        for stream in begun {
            outcome = outcome.and(self.finish_scaling(&stream).await);
        }
        outcome
    }

    /// Finishes the reshard of `stream`, or all rounds of its scaling, if one has begun.
    pub(crate) async fn finish_scaling(&self, stream: &StreamArn) -> Result<(), Failure> {
        while self.unfinished(stream).is_some() {
            self.finish_reshard(stream).await?;
        }
        Ok(())
    }

    /// Finishes the reshard of `stream`, or the round at hand of its scaling, if one has begun.
    pub(crate) async fn finish_reshard(&self, stream: &StreamArn) -> Result<(), Failure> {
        let _one_at_a_time = self.finishing().lock().await;
        let Some((incarnation, shards)) = self.unfinished(stream) else {
            return Ok(());
        };
        let seals = shards
            .into_iter()
            .map(|(id, partition)| self.seal(id, partition));
        let sealed = iter(seals).buffered(SEALS_AT_ONCE).try_collect();
        let parents: Vec<SealedParent> = match sealed.await {
            Ok(parents) => parents,
            // The stream has been deleted meanwhile, and its partitions with it.
            Err(Failure::Storage(_)) if self.unfinished(stream).is_none() => return Ok(()),
            Err(failure) => return Err(failure),
        };
        let stream = stream.clone();
        self.submit(Command::FinishReshard {
            stream,
            incarnation,
            parents,
        })
        .await?;
        Ok(())
    }

    /// Incarnation and parents of what has begun with `stream`.
    fn unfinished(&self, stream: &StreamArn) -> Option<(u64, Vec<(ShardId, PartitionId)>)> {
        self.catalog(|catalog, now| {
            let stream = catalog.stream(stream, now).ok()?;
            let parents = stream.parents();
            let parents = parents.map(|id| (id, stream.shards[&id].partition_id()));
            stream
                .is_resharding()
                .then(|| (stream.incarnation, parents.collect()))
        })
    }

    async fn seal(&self, shard: ShardId, partition: PartitionId) -> Result<SealedParent, Failure> {
        let end = self.log().seal(partition).await?;
        let mut last_arrival = None;
        if end > self.log().partition(partition).start {
            let read = self.log().read(partition, end - 1, 1, 1).await?;
            last_arrival = read.entries.first().map(|entry| entry.at);
        }
        Ok(SealedParent {
            shard,
            end,
            last_arrival,
        })
    }

    async fn trim_expired(&self) -> Result<(), Failure> {
        let shards: Vec<_> = self.catalog(|catalog, now| {
            let streams = catalog.streams(now);
            let shards = streams.flat_map(|stream| {
                let horizon = stream.horizon(now);
                let retention = Retention::of_hours(u64::from(stream.retention_hours));
                let archive = stream.archived.then_some(stream.incarnation);
                let shards = stream.shards.iter();
                shards.map(move |(id, shard): (&ShardId, &Shard)| {
                    (*id, shard.partition_id(), horizon, retention, archive)
                })
            });
            shards.collect()
        });
        let mut outcome = Ok(());
        let mut held: BTreeMap<u64, Held> = BTreeMap::new();
        for (id, partition, horizon, retention, archive) in shards {
            self.log().retain(partition, retention);
            let trimmed = match archive {
                None => self.trim_before(partition, horizon).await,
                Some(incarnation) => {
                    let held = held.entry(incarnation).or_default();
                    let shard = ArchivedShard {
                        incarnation,
                        id,
                        partition,
                    };
                    self.trim_archived(shard, horizon, held).await
                }
            };
            outcome = outcome.and(trimmed);
        }
        self.note_held(held);
        outcome
    }

    async fn trim_before(&self, partition: PartitionId, horizon: Timestamp) -> Result<(), Failure> {
        let before = self.log().position_at(partition, horizon).await?;
        if before > self.log().partition(partition).start {
            self.log().trim(partition, before).await?;
        }
        Ok(())
    }

    /// Deletes the partitions that no shard names. A put that was on its way when its stream was
    /// deleted can leave one.
    async fn delete_garbage(&self) -> Result<(), Failure> {
        let partitions = self.log().partitions();
        let ours = partitions
            .into_iter()
            .filter(|id| id.owner() == Some(ServiceTag::Streams));
        let garbage: Vec<PartitionId> = self.catalog(|catalog, _| {
            let kept = catalog.partitions();
            let unnamed = ours.filter(|id| !kept.contains(&id.number()));
            unnamed
                .filter(|id| catalog.has_given_out(id.number()))
                .collect()
        });
        for partition in garbage {
            self.log().delete(partition).await?;
        }
        Ok(())
    }

    /// Deletes those of `partitions` that no shard names any more. What fails is left to the sweep:
    /// nobody waits for it.
    pub(crate) async fn delete_unnamed(&self, partitions: Vec<PartitionId>) {
        let kept = self.catalog(|catalog, _| catalog.partitions());
        for partition in partitions {
            if kept.contains(&partition.number()) {
                continue;
            }
            if let Err(error) = self.log().delete(partition).await {
                tracing::warn!(%error, ?partition, "a partition is left to the next sweep");
            }
        }
    }
}
