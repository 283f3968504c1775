//! What streams exist: [`Catalog`], the replicated state of this crate, and the commands that change it.
//!
//! Pure. What must hold: every check that two concurrent requests could both pass is made in
//! [`StateMachine::apply`]; settings that a decision depends on travel in the command, so that a replay
//! decides as the first run did; nothing is created before its quota has been checked, so a request
//! for too many shards costs nothing; time never goes back, even when the clock that stamps the
//! commands does.
//!
//! A partition comes to be with the first record of its shard. What no shard names any more is
//! garbage in the log: the handle deletes it, and no command has to say so.

mod account;
mod archiving;
mod consumers;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use tidemill_log::{Position, RestoreError, ServiceTag, StateMachine};
use tidemill_model::{AccountId, HashKeyRange, Region, ShardId, StreamArn, Timestamp};

use crate::command::{Change, Command, Direction, NewStream, Quotas};
use crate::commitment::Commitment;
use crate::limits::{RETENTION_HOURS_MIN, STREAM_SHARDS_MAX, TAGS_MAX};
use crate::monitoring::{Monitored, Monitoring};
use crate::refused::{CapacityRefused, Refused};
use crate::reshard;
use crate::routing::explicit_hash_key;
use crate::stream::{Mode, Phase, Reshard, SealedParent, Status, Stream};
use crate::token::TokenKey;

/// What streams exist.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalog {
    token_key: Option<TokenKey>,
    next_partition: u64,
    next_incarnation: u64,
    last_at: Timestamp,
    streams: BTreeMap<StreamArn, Stream>,
    commitments: BTreeMap<(AccountId, Region), Commitment>,
}

/// The catalog as its snapshot has it.
#[derive(Serialize, Deserialize)]
struct Kept {
    token_key: Option<TokenKey>,
    next_partition: u64,
    next_incarnation: u64,
    last_at: Timestamp,
    streams: Vec<Stream>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    commitments: Vec<((AccountId, Region), Commitment)>,
}

impl Catalog {
    /// The key that tokens are made with, once one has been adopted.
    pub fn token_key(&self) -> Option<TokenKey> {
        self.token_key
    }

    /// `clock`, or the time of the last command when the clock has stepped back behind it.
    pub fn now(&self, clock: Timestamp) -> Timestamp {
        clock.max(self.last_at)
    }

    /// The stream called `arn`, unless it is gone.
    pub fn stream(&self, arn: &StreamArn, now: Timestamp) -> Result<&Stream, Refused> {
        let stream = self
            .streams
            .get(arn)
            .filter(|stream| stream.status(now).is_some());
        stream.ok_or_else(|| Refused::StreamNotFound {
            stream: arn.clone(),
        })
    }

    /// The streams that are not gone, in the order of region, account and name.
    pub fn streams(&self, now: Timestamp) -> impl Iterator<Item = &Stream> {
        self.streams
            .values()
            .filter(move |stream| stream.status(now).is_some())
    }

    /// Whether partition `number` was ever given to a shard.
    pub fn has_given_out(&self, number: u64) -> bool {
        number < self.next_partition
    }

    /// The partitions that shards name.
    pub fn partitions(&self) -> BTreeSet<u64> {
        let shards = self
            .streams
            .values()
            .flat_map(|stream| stream.shards.values());
        shards.map(|shard| shard.partition).collect()
    }

    /// The incarnations of streams and consumers, which no two share, and the partitions that shards name
    /// with whether shard-level metrics of any kind are on for them.
    pub fn monitored(&self) -> (BTreeSet<u64>, BTreeMap<u64, bool>) {
        let incarnations = self.streams.values().flat_map(|stream| {
            let consumers = stream.consumers.values();
            let consumers = consumers.map(|consumer| consumer.incarnation);
            std::iter::once(stream.incarnation).chain(consumers)
        });
        let shards = self.streams.values().flat_map(|stream| {
            let is_monitored = !stream.monitored.is_empty();
            let shards = stream.shards.values();
            shards.map(move |shard| (shard.partition, is_monitored))
        });
        (incarnations.collect(), shards.collect())
    }

    /// Whether [`Command::Sweep`] would forget anything.
    pub fn is_sweep_due(&self, now: Timestamp) -> bool {
        self.streams.values().any(|stream| {
            let mut consumers = stream.consumers.values();
            stream.status(now).is_none()
                || consumers.any(|consumer| consumer.status(now).is_none())
                || archiving::forgettable(stream, now).next().is_some()
        })
    }

    fn siblings<'a>(
        &'a self,
        arn: &'a StreamArn,
        now: Timestamp,
    ) -> impl Iterator<Item = &'a Stream> {
        self.streams(now).filter(move |stream| {
            stream.arn.account == arn.account && stream.arn.region == arn.region
        })
    }

    /// Whether `additional` more open shards are within the quota.
    fn check_shards(
        &self,
        arn: &StreamArn,
        additional: u32,
        limit: Option<u32>,
        now: Timestamp,
    ) -> Result<(), Refused> {
        let count = self.provisioned_shards(arn, now);
        match limit {
            Some(limit) if count.saturating_add(additional) > limit => Err(Refused::ShardQuota {
                account: arn.account.to_string(),
                region: arn.region.to_string(),
                count,
                limit,
                additional,
            }),
            _ => Ok(()),
        }
    }

    fn check_quotas(&self, new: &NewStream, quotas: Quotas, now: Timestamp) -> Result<(), Refused> {
        let account = || new.arn.account.to_string();
        let count = |wanted: &dyn Fn(&Stream) -> bool| {
            self.siblings(&new.arn, now)
                .filter(|stream| wanted(stream))
                .count() as u64
        };
        if let Some(limit) = quotas.creating_streams
            && count(&|stream| stream.status(now) == Some(Status::Creating)) >= u64::from(limit)
        {
            return Err(Refused::TooManyCreating {
                account: account(),
                limit,
            });
        }
        match new.mode {
            Mode::Provisioned => {
                self.check_shards(&new.arn, new.shard_count, quotas.shards, now)?;
                check_stream_shards(&new.arn, 0, new.shard_count)
            }
            Mode::OnDemand => self.check_on_demand(&new.arn, quotas.on_demand_streams, now),
        }
    }

    /// Whether one more on-demand stream is within the quota.
    fn check_on_demand(
        &self,
        arn: &StreamArn,
        limit: Option<u32>,
        now: Timestamp,
    ) -> Result<(), Refused> {
        let count = self
            .siblings(arn, now)
            .filter(|stream| stream.mode == Mode::OnDemand)
            .count() as u64;
        match limit {
            Some(limit) if count >= u64::from(limit) => Err(Refused::OnDemandQuota {
                account: arn.account.to_string(),
                limit,
            }),
            _ => Ok(()),
        }
    }

    fn create(
        &mut self,
        new: NewStream,
        quotas: Quotas,
        at: Timestamp,
        ready: Timestamp,
    ) -> Result<(), Refused> {
        if self.stream(&new.arn, at).is_ok() {
            return Err(Refused::StreamExists { stream: new.arn });
        }
        self.check_quotas(&new, quotas, at)?;
        check_tags(&new.arn, new.tags.len())?;
        if let Some(mibps) = new.warm_mibps {
            self.check_warm(&new.arn, new.mode, mibps, at)?;
        }
        settings::check_distribution(&new.arn, new.mode, new.distribution)?;
        let incarnation = self.next_incarnation;
        self.next_incarnation += 1;
        let mut stream = Stream::new(new.arn.clone(), incarnation, new.mode, at, ready);
        stream.record_kib_max = new.record_kib_max;
        stream.distribution = new.distribution;
        stream.tags = new.tags;
        if let Some(mibps) = new.warm_mibps {
            stream.capacity.keep_warm(mibps, 0, at);
        }
        for range in HashKeyRange::divide(new.shard_count) {
            stream.add_shard(range, Vec::new(), at.as_secs(), at, self.next_partition);
            self.next_partition += 1;
        }
        self.streams.insert(new.arn, stream);
        Ok(())
    }

    /// A stream that is being created may be deleted, one that is being changed not; to delete one
    /// twice is the same as once.
    fn delete(
        &mut self,
        arn: &StreamArn,
        enforce_consumer_deletion: bool,
        at: Timestamp,
        gone: Timestamp,
    ) -> Result<(), Refused> {
        let stream = self.stream(arn, at)?;
        match stream.status(at) {
            Some(Status::Deleting) => Ok(()),
            Some(Status::Updating) => Err(not_active(arn, Status::Updating)),
            Some(Status::Creating | Status::Active) | None => {
                if stream.archived {
                    let stream = arn.clone();
                    return Err(Refused::Archived { stream });
                }
                if !enforce_consumer_deletion && stream.consumers(at).next().is_some() {
                    let stream = arn.clone();
                    return Err(Refused::ConsumersOfStream { stream });
                }
                let stream = self.stream_mut(arn);
                stream.phase = Phase::Deleting(gone);
                consumers::delete_all(stream, gone);
                self.drop_gone(at);
                Ok(())
            }
        }
    }

    fn begin_reshard(
        &mut self,
        arn: &StreamArn,
        change: &Change,
        quotas: Quotas,
        at: Timestamp,
        ready: Timestamp,
    ) -> Result<(), Refused> {
        let stream = self.stream(arn, at)?;
        if stream.mode == Mode::OnDemand {
            let operation = change.operation();
            return Err(Refused::OnDemand {
                stream: arn.clone(),
                operation,
            });
        }
        let reshard = plan(stream, change, at)?;
        if let Change::Split { .. } = change {
            let open = stream.open_shards();
            self.check_shards(arn, 1, quotas.shards, at)?;
            check_stream_shards(arn, open, 1)?;
        }
        let stream = self.stream_mut(arn);
        stream.reshard = Some(reshard);
        stream.phase = Phase::Updating(ready);
        Ok(())
    }

    fn finish_reshard(
        &mut self,
        arn: &StreamArn,
        incarnation: u64,
        parents: &[SealedParent],
        at: Timestamp,
    ) {
        let Some(stream) = self.streams.get_mut(arn) else {
            return;
        };
        if stream.incarnation != incarnation {
            return;
        }
        let next = &mut self.next_partition;
        stream.finish_reshard(parents, at, || {
            *next += 1;
            *next - 1
        });
    }

    fn set_retention(
        &mut self,
        arn: &StreamArn,
        hours: i32,
        direction: Direction,
        at: Timestamp,
        ready: Timestamp,
    ) -> Result<(), Refused> {
        let stream = self.stream(arn, at)?;
        check_active(stream, at)?;
        let existing = stream.retention_hours;
        let wanted = match u32::try_from(hours) {
            Ok(wanted) if wanted >= RETENTION_HOURS_MIN => wanted,
            _ => return Err(Refused::RetentionTooShort { hours }),
        };
        let stream = arn.clone();
        match direction {
            Direction::Increase if wanted < existing => {
                return Err(Refused::RetentionWouldDecrease {
                    stream,
                    hours,
                    existing,
                });
            }
            Direction::Decrease if wanted > existing => {
                return Err(Refused::RetentionWouldIncrease {
                    stream,
                    hours,
                    existing,
                });
            }
            Direction::Increase | Direction::Decrease if wanted == existing => return Ok(()),
            Direction::Increase | Direction::Decrease => {}
        }
        let stream = self.stream_mut(arn);
        // What has expired under either retention stays so: a longer one does not bring it back.
        stream.floor = stream.horizon(at);
        stream.retention_hours = wanted;
        stream.floor = stream.horizon(at);
        stream.phase = Phase::Updating(ready);
        Ok(())
    }

    fn set_monitoring(
        &mut self,
        arn: &StreamArn,
        monitoring: Monitoring,
        metrics: &Monitored,
        at: Timestamp,
        ready: Timestamp,
    ) -> Result<(), Refused> {
        check_active(self.stream(arn, at)?, at)?;
        let stream = self.stream_mut(arn);
        stream.monitored = monitoring.apply(&stream.monitored, metrics);
        stream.phase = Phase::Updating(ready);
        Ok(())
    }

    fn add_tags(
        &mut self,
        arn: &StreamArn,
        tags: BTreeMap<String, String>,
        at: Timestamp,
    ) -> Result<(), Refused> {
        let stream = self.stream(arn, at)?;
        check_active(stream, at)?;
        let added = tags
            .keys()
            .filter(|key| !stream.tags.contains_key(*key))
            .count();
        check_tags(arn, stream.tags.len() + added)?;
        self.stream_mut(arn).tags.extend(tags);
        Ok(())
    }

    fn remove_tags(
        &mut self,
        arn: &StreamArn,
        keys: &[String],
        at: Timestamp,
    ) -> Result<(), Refused> {
        check_active(self.stream(arn, at)?, at)?;
        self.stream_mut(arn)
            .tags
            .retain(|key, _| !keys.contains(key));
        Ok(())
    }

    fn sweep(&mut self, at: Timestamp) {
        self.drop_gone(at);
        for stream in self.streams.values_mut() {
            let expired: Vec<ShardId> = archiving::forgettable(stream, at).collect();
            for id in expired {
                stream.shards.remove(&id);
            }
            consumers::drop_gone(stream, at);
        }
    }

    fn drop_gone(&mut self, at: Timestamp) {
        self.streams.retain(|_, stream| stream.status(at).is_some());
    }

    #[expect(
        clippy::too_many_lines,
        reason = "one arm for each command, and nothing else"
    )]
    fn carry_out(&mut self, command: Command, at: Timestamp) -> Result<(), Refused> {
        match command {
            Command::AdoptTokenKey { key } => {
                self.token_key.get_or_insert(key);
                Ok(())
            }
            Command::CreateStream { new, quotas, delay } => {
                self.create(new, quotas, at, at.plus(delay))
            }
            Command::DeleteStream {
                stream,
                enforce_consumer_deletion,
                delay,
            } => self.delete(&stream, enforce_consumer_deletion, at, at.plus(delay)),
            Command::Consumer {
                stream,
                name,
                change,
            } => self.change_consumer(&stream, name, change, at),
            Command::BeginReshard {
                stream,
                change,
                quotas,
                delay,
            } => self.begin_reshard(&stream, &change, quotas, at, at.plus(delay)),
            Command::UpdateShardCount {
                stream,
                count,
                quotas,
                delay,
            } => self.update_shard_count(&stream, count, quotas, at, delay),
            Command::Set {
                stream,
                setting,
                delay,
            } => self.set(&stream, setting, at, at.plus(delay)),
            Command::Resource { resource, change } => self.change_resource(&resource, change, at),
            Command::Commit { stream, committed } => {
                if !committed && self.keeps_warm(&stream, at) {
                    let account = stream.account.to_string();
                    return Err(CapacityRefused::StillWarm { account }.into());
                }
                self.commit(stream, committed, at);
                Ok(())
            }
            Command::FinishReshard {
                stream,
                incarnation,
                parents,
            } => {
                self.finish_reshard(&stream, incarnation, &parents, at);
                Ok(())
            }
            Command::SetRetention {
                stream,
                hours,
                direction,
                delay,
            } => self.set_retention(&stream, hours, direction, at, at.plus(delay)),
            Command::SwitchMode {
                stream,
                mode,
                quotas,
                switches_max,
                warm_mibps,
                delay,
            } => {
                let wanted = Switch {
                    mode,
                    warm_mibps,
                    switches_max,
                };
                self.switch_mode(&stream, wanted, quotas, at, delay)
            }
            Command::SetWarmThroughput {
                stream,
                mibps,
                needed,
                delay,
            } => self.set_warm_throughput(&stream, mibps, needed, at, delay),
            Command::SetMonitoring {
                stream,
                monitoring,
                metrics,
                delay,
            } => self.set_monitoring(&stream, monitoring, &metrics, at, at.plus(delay)),
            Command::RecordDemand {
                stream,
                incarnation,
                shards,
            } => {
                self.record_demand(&stream, incarnation, shards, at);
                Ok(())
            }
            Command::Scale {
                stream,
                incarnation,
                change,
            } => self.scale(&stream, incarnation, &change, at),
            Command::AddTags { stream, tags } => self.add_tags(&stream, tags, at),
            Command::RemoveTags { stream, keys } => self.remove_tags(&stream, &keys, at),
            Command::SetArchived { stream, archived } => self.set_archived(&stream, archived, at),
            Command::ForgetShards {
                stream,
                incarnation,
                shards,
            } => {
                self.forget_shards(&stream, incarnation, &shards, at);
                Ok(())
            }
            Command::Sweep => {
                self.sweep(at);
                Ok(())
            }
        }
    }

    fn stream_mut(&mut self, arn: &StreamArn) -> &mut Stream {
        self.streams.get_mut(arn).expect("it has been looked up")
    }
}

fn not_active(stream: &StreamArn, status: Status) -> Refused {
    Refused::NotActive {
        stream: stream.clone(),
        status: status.as_str(),
    }
}

fn check_active(stream: &Stream, now: Timestamp) -> Result<(), Refused> {
    match stream.status(now) {
        Some(Status::Active) => Ok(()),
        Some(status) => Err(not_active(&stream.arn, status)),
        None => Err(Refused::StreamNotFound {
            stream: stream.arn.clone(),
        }),
    }
}

/// The one bound on shards that is never lifted.
fn check_stream_shards(arn: &StreamArn, count: u32, additional: u32) -> Result<(), Refused> {
    let limit = STREAM_SHARDS_MAX;
    if count.saturating_add(additional) <= limit {
        return Ok(());
    }
    let (account, region) = (arn.account.to_string(), arn.region.to_string());
    Err(Refused::ShardQuota {
        account,
        region,
        count,
        limit,
        additional,
    })
}

fn check_tags(stream: &StreamArn, count: usize) -> Result<(), Refused> {
    if count > TAGS_MAX {
        return Err(Refused::TooManyTags {
            stream: stream.clone(),
        });
    }
    Ok(())
}

/// What `change` does to `stream`, if it may be done now.
fn plan(stream: &Stream, change: &Change, now: Timestamp) -> Result<Reshard, Refused> {
    let arn = || stream.arn.clone();
    let range_of = |shard: ShardId| {
        let not_found = Refused::ShardNotFound {
            stream: arn(),
            shard: shard.to_string(),
        };
        stream
            .shard(shard, now)
            .map(|found| found.range)
            .ok_or(not_found)
    };
    let check_open = |shard: ShardId| match &stream.shards[&shard].closed {
        Some(_) => Err(Refused::ShardClosed {
            stream: arn(),
            shard,
        }),
        None => Ok(()),
    };
    match change {
        Change::Split {
            shard,
            new_starting_hash_key,
        } => {
            let range = range_of(*shard)?;
            check_active(stream, now)?;
            check_open(*shard)?;
            let key = explicit_hash_key(new_starting_hash_key);
            let children = key.and_then(|key| reshard::split(range, key));
            let children = children.ok_or_else(|| Refused::SplitPoint {
                stream: arn(),
                shard: *shard,
                key: new_starting_hash_key.clone(),
                range: Box::new(range),
            })?;
            Ok(Reshard {
                parents: vec![*shard],
                children: children.to_vec(),
            })
        }
        Change::Merge { lower, upper } => {
            let ranges = (range_of(*lower)?, range_of(*upper)?);
            check_active(stream, now)?;
            check_open(*lower)?;
            check_open(*upper)?;
            let child = reshard::merge(ranges.0, ranges.1);
            let (stream, lower, upper) = (arn(), *lower, *upper);
            let child = child.ok_or(Refused::NotAdjacent {
                stream,
                lower,
                upper,
            })?;
            Ok(Reshard {
                parents: vec![lower, upper],
                children: vec![child],
            })
        }
    }
}

impl StateMachine for Catalog {
    type Command = Command;
    /// When it was done.
    type Outcome = Result<Timestamp, Refused>;
    const SERVICE: ServiceTag = ServiceTag::Streams;
    /// 2: consumers. 3: archived streams.
    const VERSION: u16 = 3;

    fn apply(&mut self, at: Timestamp, _position: Position, command: Command) -> Self::Outcome {
        let at = self.now(at);
        self.last_at = at;
        self.carry_out(command, at).map(|()| at)
    }

    fn snapshot(&self) -> Bytes {
        let kept = Kept {
            token_key: self.token_key,
            next_partition: self.next_partition,
            next_incarnation: self.next_incarnation,
            last_at: self.last_at,
            streams: self.streams.values().cloned().collect(),
            commitments: self.commitments.clone().into_iter().collect(),
        };
        serde_json::to_vec(&kept)
            .expect("a catalog can be written as JSON")
            .into()
    }

    fn restore(snapshot: &[u8]) -> Result<Catalog, RestoreError> {
        let kept: Kept = serde_json::from_slice(snapshot)?;
        let streams = kept.streams.into_iter().map(|mut stream| {
            stream.index();
            (stream.arn.clone(), stream)
        });
        Ok(Catalog {
            token_key: kept.token_key,
            next_partition: kept.next_partition,
            next_incarnation: kept.next_incarnation,
            last_at: kept.last_at,
            streams: streams.collect(),
            commitments: kept.commitments.into_iter().collect(),
        })
    }
}

mod settings;
mod on_demand;
use on_demand::Switch;
mod resources;
mod shard_count;
#[cfg(test)]
mod tests;
