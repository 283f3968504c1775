//! A stream in memory, asked and answered without tasks.

use std::collections::{BTreeMap, BTreeSet};

use tidemill_model::source::{Fetched, ReadLimit, SourceShard};
use tidemill_model::{Record, ShardId};
use tidemill_views::archiver::{Effect, Input};

use crate::support::record;

#[derive(Clone, Debug, Default)]
pub struct Shard {
    pub records: Vec<Record>,
    pub readable: u64,
    pub closed: bool,
    pub removed: bool,
}

/// A stream, and who waits for what in it.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    pub shards: BTreeMap<ShardId, Shard>,
    pub is_gone: bool,
    /// Reads that fail before one succeeds.
    pub failing_reads: u32,
    awaited_records: BTreeSet<(ShardId, u64)>,
    awaited_shard: Option<ShardId>,
}

impl Stream {
    pub fn shard(&mut self, shard: u32) -> &mut Shard {
        self.shards.entry(ShardId(shard)).or_default()
    }

    pub fn put(&mut self, shard: u32, count: u64) {
        let records = &mut self.shard(shard).records;
        let from = records.len() as u64;
        records.extend((from..from + count).map(|position| record(shard, position)));
    }

    /// Forgets who waits, as a process that dies does.
    pub fn forget_waiters(&mut self) {
        self.awaited_records.clear();
        self.awaited_shard = None;
    }

    /// The answer to `effect`, when it is about the stream and can be given now; `None` in the second
    /// place when it waits.
    pub fn answer(&mut self, effect: &Effect) -> Option<Option<Input>> {
        let input = match effect {
            Effect::ListShards if self.is_gone => Input::StreamGone { shard: None },
            Effect::ListShards => Input::ShardsListed(self.listed()),
            Effect::Fetch { shard, .. } if self.is_gone => Input::StreamGone {
                shard: Some(*shard),
            },
            Effect::Fetch { shard, from, limit } => self.read(*shard, *from, *limit),
            Effect::AwaitRecords { shard, from } => {
                self.awaited_records.insert((*shard, *from));
                return Some(None);
            }
            Effect::AwaitShard(from) => {
                self.awaited_shard = Some(*from);
                return Some(None);
            }
            _ => return None,
        };
        Some(Some(input))
    }

    /// A wait that is over.
    pub fn woken(&mut self) -> Option<Input> {
        let is_gone = self.is_gone;
        let is_over = |(shard, from): &&(ShardId, u64)| {
            let shard = &self.shards[shard];
            is_gone || shard.closed || shard.removed || shard.records.len() as u64 > *from
        };
        if let Some(over) = self.awaited_records.iter().find(is_over).copied() {
            self.awaited_records.remove(&over);
            return Some(Input::RecordsArrived { shard: over.0 });
        }
        let newest = self.shards.keys().next_back().copied();
        if self
            .awaited_shard
            .is_some_and(|from| is_gone || newest >= Some(from))
        {
            self.awaited_shard = None;
            return Some(Input::ShardAppeared);
        }
        None
    }

    fn listed(&self) -> Vec<SourceShard> {
        let there = self.shards.iter().filter(|(_, shard)| !shard.removed);
        let listed = there.map(|(id, shard)| SourceShard {
            id: *id,
            parents: Vec::new(),
            closed: shard.closed,
            first_readable: shard.readable,
            end: shard.records.len() as u64,
        });
        listed.collect()
    }

    fn read(&mut self, id: ShardId, from: u64, limit: ReadLimit) -> Input {
        let shard = &self.shards[&id];
        if shard.removed {
            return Input::ShardGone { shard: id };
        }
        if self.failing_reads > 0 {
            self.failing_reads -= 1;
            return Input::FetchFailed { shard: id };
        }
        let readable = shard.records.iter().skip(from.max(shard.readable) as usize);
        let fetched = Fetched {
            records: readable.take(limit.records).cloned().collect(),
            first_readable: shard.readable,
            end: shard.records.len() as u64,
            closed: shard.closed,
        };
        Input::RecordsFetched { shard: id, fetched }
    }
}
