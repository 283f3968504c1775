//! Streams and shards in AWS's shapes.

use tidemill_log::Entry;
use tidemill_model::{HashKeyRange, SequenceNumber, ShardId, Timestamp};
use tidemill_shapes::kinesis;

use crate::commitment::{Commitment, CommitmentStatus};
use crate::distribution::Distribution;
use crate::failure::{Failure, nothing_happened};
use crate::measured::Amount;
use crate::monitoring::{Monitored, show};
use crate::stored_record::StoredRecord;
use crate::stream::{FoundShard, Mode, Shard, Status, Stream};

pub(crate) fn status(status: Status) -> kinesis::StreamStatus {
    match status {
        Status::Creating => kinesis::StreamStatus::Creating,
        Status::Active => kinesis::StreamStatus::Active,
        Status::Updating => kinesis::StreamStatus::Updating,
        Status::Deleting => kinesis::StreamStatus::Deleting,
    }
}

pub(crate) fn mode(mode: Mode) -> kinesis::StreamModeDetails {
    let stream_mode = match mode {
        Mode::Provisioned => kinesis::StreamMode::Provisioned,
        Mode::OnDemand => kinesis::StreamMode::OnDemand,
    };
    kinesis::StreamModeDetails { stream_mode }
}

/// The throughput that is kept ready, and the one that there are shards for; none when nothing is kept.
pub(crate) fn warm_throughput(stream: &Stream) -> Option<kinesis::WarmThroughputObject> {
    let target = stream.capacity.warm_mibps();
    (target > 0).then(|| kinesis::WarmThroughputObject {
        target_mibps: Some(count(target)),
        current_mibps: Some(count(stream.open_shards())),
    })
}

fn range(range: HashKeyRange) -> kinesis::HashKeyRange {
    kinesis::HashKeyRange {
        starting_hash_key: range.start.to_string(),
        ending_hash_key: range.end.to_string(),
    }
}

pub(crate) fn shard(id: ShardId, shard: &Shard) -> kinesis::Shard {
    kinesis::Shard {
        shard_id: id.to_string(),
        hash_key_range: range(shard.range),
        parent_shard_id: shard.parents.first().map(ShardId::to_string),
        adjacent_parent_shard_id: shard.parents.get(1).map(ShardId::to_string),
        sequence_number_range: kinesis::SequenceNumberRange {
            starting_sequence_number: shard.starting_number(id).to_string(),
            ending_sequence_number: shard.ending_number(id).map(|number| number.to_string()),
        },
    }
}

/// The shards that took over from a closed one. They outlive it, so each is still known.
pub(crate) fn children(stream: &Stream, parent: &Shard) -> Vec<kinesis::ChildShard> {
    let ids = parent.closed.iter().flat_map(|closing| &closing.children);
    let children = ids.filter_map(|id| {
        let child = stream.shards.get(id)?;
        Some(kinesis::ChildShard {
            shard_id: id.to_string(),
            parent_shards: child.parents.iter().map(ShardId::to_string).collect(),
            hash_key_range: range(child.range),
        })
    });
    children.collect()
}

/// Enhanced monitoring; AWS shows an empty list when it is off, and never none.
pub(crate) fn monitoring(monitored: &Monitored) -> Vec<kinesis::EnhancedMetrics> {
    vec![kinesis::EnhancedMetrics {
        shard_level_metrics: Some(show(monitored)),
    }]
}

/// What a stream is said to be encrypted with.
pub(crate) fn encryption(stream: &Stream) -> (kinesis::EncryptionType, Option<String>) {
    match &stream.key_id {
        Some(key_id) => (kinesis::EncryptionType::Kms, Some(key_id.clone())),
        None => (kinesis::EncryptionType::None, None),
    }
}

/// Who decides on the shard of a record, where that is a setting: on-demand streams have it.
pub(crate) fn distribution(stream: &Stream) -> Option<kinesis::RecordDistributionStrategy> {
    match (stream.mode, stream.distribution) {
        (Mode::Provisioned, _) => None,
        (Mode::OnDemand, Distribution::UserPartitionKey) => {
            Some(kinesis::RecordDistributionStrategy::UserPartitionKey)
        }
        (Mode::OnDemand, Distribution::Auto) => Some(kinesis::RecordDistributionStrategy::Auto),
    }
}

/// The commitment of an account; one that was never made is disabled.
pub(crate) fn commitment(
    commitment: Option<Commitment>,
    now: Timestamp,
) -> kinesis::MinimumThroughputBillingCommitmentOutput {
    use kinesis::MinimumThroughputBillingCommitmentOutputStatus as Shown;
    let status = commitment.map_or(CommitmentStatus::Disabled, |made| made.status(now));
    let holds = status != CommitmentStatus::Disabled;
    kinesis::MinimumThroughputBillingCommitmentOutput {
        status: match status {
            CommitmentStatus::Enabled => Shown::Enabled,
            CommitmentStatus::EnabledUntilEarliestAllowedEnd => {
                Shown::EnabledUntilEarliestAllowedEnd
            }
            CommitmentStatus::Disabled => Shown::Disabled,
        },
        started_at: commitment.map(|made| made.started_at),
        ended_at: commitment.and_then(|made| made.ends_at.filter(|_| !holds)),
        earliest_allowed_end_at: commitment.filter(|_| holds).map(Commitment::earliest_end),
    }
}

/// The records of a shard as readers get them.
pub(crate) fn records(
    found: &FoundShard,
    entries: &[Entry],
) -> Result<Vec<kinesis::Record>, Failure> {
    let records = entries.iter().map(|entry| {
        let stored = StoredRecord::decode(&entry.payload).map_err(|error| {
            nothing_happened(format!("{} at {}: {error}", found.id, entry.position))
        })?;
        let number = SequenceNumber::of_record(
            found.id,
            found.shard.created_secs,
            entry.position,
            entry.at.as_secs(),
        );
        Ok(kinesis::Record {
            sequence_number: number.to_string(),
            approximate_arrival_timestamp: Some(entry.at),
            data: stored.data,
            partition_key: stored.partition_key,
            encryption_type: stored.encrypted.then_some(kinesis::EncryptionType::Kms),
        })
    });
    records.collect()
}

/// What `records` weigh, as the rates and the metrics count it.
pub(crate) fn amount(records: &[kinesis::Record]) -> Amount {
    let bytes = records
        .iter()
        .map(|record| record.data.len() + record.partition_key.as_ref().map_or(0, String::len));
    Amount {
        bytes: bytes.sum::<usize>() as u64,
        records: records.len() as u64,
    }
}

/// A number of AWS's shapes; counts that do not fit cannot come to be.
pub(crate) fn count(count: u32) -> i32 {
    i32::try_from(count).expect("bounded by the table of limits")
}

/// The least of what the caller asks for and what a page holds.
pub(crate) fn page(asked: Option<i32>, page_max: usize) -> usize {
    asked
        .and_then(|asked| usize::try_from(asked).ok())
        .map_or(page_max, |asked| asked.min(page_max))
}
