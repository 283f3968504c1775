//! Draws up the ledger of a mapping from its account, the live heads of its stream, and what its
//! machines show. Pure.
//!
//! What must hold: the counts come from the durable account alone; only duplicates and what a shard
//! stands still behind are newer.

use std::collections::BTreeMap;

use tidemill_ledger::{Account, Blocked, Counts, MappingReport, ShardReport};
use tidemill_model::ShardId;

use crate::catalog::Mapping;
use crate::checkpoint;
use crate::checkpoints::MappingWork;
use crate::status::Status;

/// The ledger of `mapping`: `heads` gives one past the last durable position of each shard that
/// exists, `shown` what the machine of a shard shows.
pub fn mapping_report(
    mapping: &Mapping,
    work: Option<&MappingWork>,
    heads: &BTreeMap<ShardId, u64>,
    shown: impl Fn(ShardId) -> Option<Status>,
) -> MappingReport {
    let mut shards = Vec::new();
    for (shard, work) in work.iter().flat_map(|work| &work.shards) {
        let head = heads.get(shard).copied().unwrap_or_default();
        let status = shown(*shard);
        let mut counts = Counts::of(&work.account, head);
        counts.duplicates += status
            .as_ref()
            .map_or(0, |status| status.unsaved_duplicates);
        let durable = work.blocked.as_ref();
        let blocked = match &status {
            Some(status) => status.blocked.as_ref(),
            None => durable,
        };
        shards.push(shard_report(*shard, counts, blocked.map(blocked_report)));
    }
    for (shard, head) in heads {
        // A shard that has only just come to be will be read from its first record.
        if work.is_some_and(|work| !work.shards.contains_key(shard)) {
            shards.push(shard_report(
                *shard,
                Counts::of(&Account::begun_at(0), *head),
                None,
            ));
        }
    }
    shards.sort_by(|left, right| left.shard_id.cmp(&right.shard_id));
    let qualifier = mapping
        .function
        .qualifier
        .iter()
        .map(|qualifier| format!(":{qualifier}"));
    MappingReport {
        uuid: mapping.uuid.clone(),
        stream: mapping.stream.name.clone(),
        function: mapping.function.name.clone() + &qualifier.collect::<String>(),
        stream_arn: mapping.stream.to_string(),
        function_arn: mapping.function.to_string(),
        totals: shards.iter().map(|shard| shard.counts).sum(),
        shards,
    }
}

fn shard_report(shard: ShardId, counts: Counts, blocked: Option<Blocked>) -> ShardReport {
    ShardReport {
        shard_id: shard.to_string(),
        counts,
        blocked,
    }
}

fn blocked_report(blocked: &checkpoint::Blocked) -> Blocked {
    Blocked {
        since: blocked.since.to_string(),
        first_sequence_number: blocked.first.to_string(),
        records: blocked.records,
        attempts: blocked.attempts,
        last_error: blocked.last_error.clone(),
    }
}
