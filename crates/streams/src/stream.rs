//! One stream: its shards, its status, what retention has left of it.
//!
//! Pure. What must hold: the hash-key ranges of the open shards tile the whole space; shard numbers
//! and partition numbers are never used twice; a child's creation second exceeds its parents', so that
//! every number of a parent is smaller than every number of a child; from its creation to its closing
//! a shard exists for at least a millisecond, and its children from that very moment on, so that the
//! shards of any one moment tile the space too.
//!
//! Status is a function of the state and of `now`: no timer moves a stream on.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use tidemill_log::{PartitionId, Position, ServiceTag};
use tidemill_model::{HashKey, HashKeyRange, SequenceNumber, ShardId, StreamArn, Timestamp};

use crate::capacity::Capacity;
use crate::consumer::{Consumer, FoundConsumer};
use crate::distribution::Distribution;
use crate::last_day::LastDay;
use crate::limits::ROUND_RESHARDS_MAX;
use crate::measured::Subject;
use crate::monitoring::Monitored;
use crate::refused::Refused;
use crate::reshard;
use crate::uniform::{self, Step};

/// Who decides how many shards there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// The user.
    Provisioned,
    /// The service.
    OnDemand,
}

impl Mode {
    /// As AWS spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Mode::Provisioned => "PROVISIONED",
            Mode::OnDemand => "ON_DEMAND",
        }
    }
}

/// What was last begun with a stream, and when it will have been done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// It is being created, and from that moment on active.
    Creating(Timestamp),
    /// It is being changed, and from that moment on active.
    Updating(Timestamp),
    /// It is being deleted, and from that moment on gone.
    Deleting(Timestamp),
}

/// AWS's status of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Creating,
    Active,
    Updating,
    Deleting,
}

impl Status {
    /// As AWS spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Creating => "CREATING",
            Status::Active => "ACTIVE",
            Status::Updating => "UPDATING",
            Status::Deleting => "DELETING",
        }
    }
}

/// How a shard ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closing {
    /// One past the last position; sealed in the log.
    pub end: Position,
    /// When; not before any record of the shard arrived.
    pub at: Timestamp,
    /// The shards that took over its range.
    pub children: Vec<ShardId>,
}

/// A shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// What it takes, inclusive.
    pub range: HashKeyRange,
    /// The shards it was split or merged from, the lower first; they may be forgotten.
    pub parents: Vec<ShardId>,
    /// Logical creation second, the one in sequence numbers.
    pub created_secs: u64,
    /// Real creation time.
    pub created_at: Timestamp,
    /// Number of its partition in the log.
    pub partition: u64,
    /// How it ended; none while it is open.
    pub closed: Option<Closing>,
}

impl Shard {
    /// Its partition in the log.
    pub fn partition_id(&self) -> PartitionId {
        PartitionId::new(ServiceTag::Streams, self.partition)
    }

    /// The number at its start, which no record has; `id` is the shard's own.
    pub fn starting_number(&self, id: ShardId) -> SequenceNumber {
        SequenceNumber::start_of(id, self.created_secs)
    }

    /// The number at its end, when it is closed; no record has it.
    pub fn ending_number(&self, id: ShardId) -> Option<SequenceNumber> {
        let closing = self.closed.as_ref()?;
        Some(SequenceNumber::end_of(
            id,
            self.created_secs,
            closing.at.as_secs(),
        ))
    }

    /// The last second that any number of the closed shard can carry.
    fn last_secs(&self, closed_at: Timestamp) -> u64 {
        closed_at.as_secs().max(self.created_secs)
    }
}

/// A reshard that has begun: the parents take no more records, or will not soon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reshard {
    /// One for a split, two for a merge, the lower first.
    pub parents: Vec<ShardId>,
    /// Ranges of the children, the lower first.
    pub children: Vec<HashKeyRange>,
}

/// A uniform scaling that has begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scaling {
    /// How many shards the stream is to have.
    pub target: u32,
    /// The reshards of the round at hand, which have no shard in common; never empty.
    pub round: Vec<Reshard>,
}

/// A parent as its seal left it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedParent {
    /// The shard.
    pub shard: ShardId,
    /// One past its last position.
    pub end: Position,
    /// Arrival of its last record, when one is left.
    pub last_arrival: Option<Timestamp>,
}

/// A shard as it was found, to work with after the catalog's lock is given back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundShard {
    /// The stream.
    pub stream: StreamArn,
    /// Its incarnation.
    pub incarnation: u64,
    /// What arrived before this moment has expired.
    pub horizon: Timestamp,
    /// Whether shard-level metrics of the stream are on.
    pub is_monitored: bool,
    /// The shard's id.
    pub id: ShardId,
    /// The shard.
    pub shard: Shard,
}

impl FoundShard {
    /// The stream, as what is measured has it.
    pub fn subject(&self) -> Subject {
        Subject {
            stream: self.incarnation,
            is_monitored: self.is_monitored,
        }
    }
}

/// A stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stream {
    /// Its name and place.
    pub arn: StreamArn,
    /// Differs from that of every other stream, one that had the same name included.
    pub incarnation: u64,
    /// When it was created.
    pub created_at: Timestamp,
    /// Who decides how many shards there are.
    pub mode: Mode,
    /// What was last begun with it.
    pub phase: Phase,
    /// The reshard that has begun and is not finished.
    pub reshard: Option<Reshard>,
    /// The uniform scaling that has begun and is not finished.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaling: Option<Scaling>,
    /// When UpdateShardCount was called.
    #[serde(default, skip_serializing_if = "LastDay::is_empty")]
    pub shard_count_updates: LastDay,
    /// How long records are kept, in hours.
    pub retention_hours: u32,
    /// What arrived earlier has expired for good, whatever the retention says now.
    pub floor: Timestamp,
    /// Largest record, data and partition key, in KiB.
    pub record_kib_max: u32,
    /// The key that its records are said to be encrypted with; nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
    /// When StartStreamEncryption was called.
    #[serde(default, skip_serializing_if = "LastDay::is_empty")]
    pub encryption_starts: LastDay,
    /// When StopStreamEncryption was called.
    #[serde(default, skip_serializing_if = "LastDay::is_empty")]
    pub encryption_stops: LastDay,
    /// Who decides on the shard of a record.
    #[serde(default, skip_serializing_if = "Distribution::is_user_partition_key")]
    pub distribution: Distribution,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// What its capacity mode remembers.
    #[serde(default, skip_serializing_if = "Capacity::is_empty")]
    pub capacity: Capacity,
    /// The shard-level metrics that are on.
    #[serde(default, skip_serializing_if = "Monitored::is_empty")]
    pub monitored: Monitored,
    /// Its policy, which is kept and not enforced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// Whether an archiver takes its records: nothing of it is freed before that has them durably.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub archived: bool,
    /// Its registered consumers by their names; some may be gone.
    #[serde(default)]
    pub consumers: BTreeMap<String, Consumer>,
    /// Number of the next shard.
    pub next_shard: u32,
    /// The shards that have not been forgotten.
    pub shards: BTreeMap<ShardId, Shard>,
    /// The open shards by the end of their ranges; made from `shards`.
    #[serde(skip)]
    open: BTreeMap<HashKey, ShardId>,
}

impl Stream {
    /// A stream without shards; [`Stream::add_shard`] follows.
    pub fn new(
        arn: StreamArn,
        incarnation: u64,
        mode: Mode,
        at: Timestamp,
        ready: Timestamp,
    ) -> Stream {
        Stream {
            arn,
            incarnation,
            created_at: at,
            mode,
            phase: Phase::Creating(ready),
            reshard: None,
            scaling: None,
            shard_count_updates: LastDay::default(),
            retention_hours: crate::limits::RETENTION_HOURS_MIN,
            floor: Timestamp::EPOCH,
            record_kib_max: crate::limits::RECORD_KIB_DEFAULT,
            key_id: None,
            encryption_starts: LastDay::default(),
            encryption_stops: LastDay::default(),
            distribution: Distribution::default(),
            tags: BTreeMap::new(),
            capacity: Capacity::default(),
            monitored: Monitored::default(),
            policy: None,
            archived: false,
            consumers: BTreeMap::new(),
            next_shard: 0,
            shards: BTreeMap::new(),
            open: BTreeMap::new(),
        }
    }

    /// Its status, or none when it is gone.
    pub fn status(&self, now: Timestamp) -> Option<Status> {
        match self.phase {
            Phase::Deleting(until) if now >= until => None,
            Phase::Deleting(_) => Some(Status::Deleting),
            Phase::Creating(until) if now < until => Some(Status::Creating),
            Phase::Updating(until) if now < until => Some(Status::Updating),
            Phase::Creating(_) | Phase::Updating(_) if self.is_resharding() => {
                Some(Status::Updating)
            }
            Phase::Creating(_) | Phase::Updating(_) => Some(Status::Active),
        }
    }

    /// Whether records can be put and iterators got.
    pub fn serves(&self, now: Timestamp) -> bool {
        matches!(self.status(now), Some(Status::Active | Status::Updating))
    }

    /// The open shard that takes `key`.
    pub fn route(&self, key: HashKey) -> ShardId {
        let (_, shard) = self
            .open
            .range(key..)
            .next()
            .expect("the open shards tile the space");
        *shard
    }

    /// The open shards in the order of their ranges.
    pub fn in_order(&self) -> impl Iterator<Item = (ShardId, &Shard)> {
        self.open.values().map(|id| (*id, &self.shards[id]))
    }

    /// How many shards are open.
    pub fn open_shards(&self) -> u32 {
        u32::try_from(self.open.len()).expect("a stream has at most some thousand shards")
    }

    /// What arrived before this moment has expired.
    pub fn horizon(&self, now: Timestamp) -> Timestamp {
        let retention = Duration::from_secs(u64::from(self.retention_hours) * 3600);
        now.minus(retention).max(self.floor)
    }

    /// Whether `shard` is closed and the retention of whatever it held has passed.
    pub fn is_expired(&self, shard: &Shard, now: Timestamp) -> bool {
        shard
            .closed
            .as_ref()
            .is_some_and(|closing| closing.at < self.horizon(now))
    }

    /// The shard called `id`, unless it has expired.
    pub fn shard(&self, id: ShardId, now: Timestamp) -> Option<&Shard> {
        self.shards
            .get(&id)
            .filter(|shard| !self.is_expired(shard, now))
    }

    /// Like [`Stream::shard`], as a copy with what a reader of it needs.
    pub fn find(&self, id: ShardId, now: Timestamp) -> Option<FoundShard> {
        let shard = self.shard(id, now)?;
        Some(self.found(id, shard, self.horizon(now)))
    }

    /// Like [`Stream::find`] for an archiver, to whom nothing has expired that is still kept.
    pub fn find_kept(&self, id: ShardId) -> Option<FoundShard> {
        let shard = self.shards.get(&id)?;
        Some(self.found(id, shard, Timestamp::EPOCH))
    }

    fn found(&self, id: ShardId, shard: &Shard, horizon: Timestamp) -> FoundShard {
        FoundShard {
            stream: self.arn.clone(),
            incarnation: self.incarnation,
            horizon,
            is_monitored: !self.monitored.is_empty(),
            id,
            shard: shard.clone(),
        }
    }

    /// The consumers that are not gone, in the order of their names.
    pub fn consumers(&self, now: Timestamp) -> impl Iterator<Item = FoundConsumer> {
        self.consumers.iter().filter_map(move |(name, consumer)| {
            Some(FoundConsumer {
                arn: consumer.arn(&self.arn, name),
                incarnation: consumer.incarnation,
                created_at: consumer.created_at,
                status: consumer.status(now)?,
            })
        })
    }

    /// The consumer called `name`, of the registration in second `created_secs` when that is given.
    pub fn consumer(
        &self,
        name: &str,
        created_secs: Option<u64>,
        now: Timestamp,
    ) -> Result<FoundConsumer, Refused> {
        let wanted = |found: &FoundConsumer| {
            found.arn.name == name && created_secs.is_none_or(|secs| secs == found.arn.created_secs)
        };
        let found = self.consumers(now).find(wanted);
        found.ok_or_else(|| Refused::ConsumerNotFound {
            stream: self.arn.clone(),
            name: name.to_owned(),
        })
    }

    /// The shards that have not expired, in the order of their ids.
    pub fn listed(&self, now: Timestamp) -> impl Iterator<Item = (ShardId, &Shard)> {
        let kept = self
            .shards
            .iter()
            .filter(move |(_, shard)| !self.is_expired(shard, now));
        kept.map(|(id, shard)| (*id, shard))
    }

    /// Opens a shard with the next number over `range`.
    pub fn add_shard(
        &mut self,
        range: HashKeyRange,
        parents: Vec<ShardId>,
        created_secs: u64,
        created_at: Timestamp,
        partition: u64,
    ) -> ShardId {
        let id = ShardId(self.next_shard);
        self.next_shard += 1;
        let shard = Shard {
            range,
            parents,
            created_secs,
            created_at,
            partition,
            closed: None,
        };
        self.shards.insert(id, shard);
        self.open.insert(range.end, id);
        id
    }

    /// Whether a reshard or a uniform scaling has begun and is not finished.
    pub fn is_resharding(&self) -> bool {
        self.reshard.is_some() || self.scaling.is_some()
    }

    /// The parents of what has begun, in the order in which their seals are recorded.
    pub fn parents(&self) -> impl Iterator<Item = ShardId> {
        let round = self.scaling.iter().flat_map(|scaling| &scaling.round);
        let begun = self.reshard.iter().chain(round);
        begun.flat_map(|reshard| reshard.parents.iter().copied())
    }

    /// Begins the scaling to `target` shards, or ends it when there is no other round.
    pub fn scale(&mut self, target: u32) {
        let round = self.round(target);
        self.scaling = (!round.is_empty()).then_some(Scaling { target, round });
    }

    /// How many rounds a scaling to `target` shards takes.
    pub fn rounds(&self, target: u32) -> u32 {
        let ranges: Vec<_> = self.open_ranges().map(|(_, range)| range).collect();
        uniform::rounds(&ranges, target, ROUND_RESHARDS_MAX)
    }

    /// The open shards in the order of their ranges.
    fn open_ranges(&self) -> impl Iterator<Item = (ShardId, HashKeyRange)> {
        self.open.values().map(|id| (*id, self.shards[id].range))
    }

    fn round(&self, target: u32) -> Vec<Reshard> {
        let (ids, ranges): (Vec<_>, Vec<_>) = self.open_ranges().unzip();
        let steps = uniform::round(&ranges, target, ROUND_RESHARDS_MAX);
        let reshards = steps.into_iter().map(|step| match step {
            Step::Split { index, upper_start } => Reshard {
                parents: vec![ids[index]],
                children: reshard::split(ranges[index], upper_start)
                    .expect("a round splits off more than a key")
                    .to_vec(),
            },
            Step::Merge { index } => Reshard {
                parents: vec![ids[index], ids[index + 1]],
                children: vec![
                    reshard::merge(ranges[index], ranges[index + 1])
                        .expect("a round merges neighbours"),
                ],
            },
        });
        reshards.collect()
    }

    /// Carries out what has begun: closes its parents as they were sealed, opens their children, and
    /// begins the next round if there is one. `partitions` gives out partition numbers. Changes nothing
    /// when `parents` are not those of what has begun.
    pub fn finish_reshard(
        &mut self,
        parents: &[SealedParent],
        at: Timestamp,
        mut partitions: impl FnMut() -> u64,
    ) {
        let sealed = parents.iter().map(|parent| parent.shard);
        if !self.is_resharding() || !self.parents().eq(sealed) {
            return;
        }
        let scaling = self.scaling.take();
        let target = scaling.as_ref().map(|scaling| scaling.target);
        let round = scaling.into_iter().flat_map(|scaling| scaling.round);
        let begun: Vec<Reshard> = self.reshard.take().into_iter().chain(round).collect();
        let mut rest = parents;
        for reshard in begun {
            let (parents, others) = rest.split_at(reshard.parents.len());
            rest = others;
            self.carry_out(&reshard, parents, at, &mut partitions);
        }
        if let Some(target) = target {
            self.scale(target);
        }
    }

    fn carry_out(
        &mut self,
        reshard: &Reshard,
        parents: &[SealedParent],
        at: Timestamp,
        mut partitions: impl FnMut() -> u64,
    ) {
        let closed_at = self.closing_time(parents, at);
        let last_secs = reshard
            .parents
            .iter()
            .map(|id| self.shards[id].last_secs(closed_at))
            .max();
        let created_secs = last_secs.expect("a reshard has a parent") + 1;
        for parent in parents {
            self.open.remove(&self.shards[&parent.shard].range.end);
        }
        let children = reshard.children.iter().map(|range| {
            let parents = reshard.parents.clone();
            self.add_shard(*range, parents, created_secs, closed_at, partitions())
        });
        let children: Vec<ShardId> = children.collect();
        for parent in parents {
            let shard = self
                .shards
                .get_mut(&parent.shard)
                .expect("a parent is not forgotten");
            let children = children.clone();
            shard.closed = Some(Closing {
                end: parent.end,
                at: closed_at,
                children,
            });
        }
    }

    /// Not before any record of the parents arrived, and later than each was created.
    fn closing_time(&self, parents: &[SealedParent], at: Timestamp) -> Timestamp {
        let earliest = parents.iter().map(|parent| {
            let created_at = self.shards[&parent.shard].created_at;
            created_at
                .plus(Duration::from_millis(1))
                .max(parent.last_arrival.unwrap_or_default())
        });
        earliest.max().map_or(at, |earliest| at.max(earliest))
    }

    /// Makes what is derived anew, after the stream has been read back.
    pub fn index(&mut self) {
        let open = self
            .shards
            .iter()
            .filter(|(_, shard)| shard.closed.is_none());
        self.open = open.map(|(id, shard)| (shard.range.end, *id)).collect();
    }
}
