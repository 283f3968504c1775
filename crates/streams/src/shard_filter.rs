//! Which shards ListShards gives: the six types of ShardFilter.
//!
//! Pure. A shard exists from its creation (included) to its closing (excluded), so that the shards of
//! one moment tile the hash-key space: readers that start from them refuse to start otherwise.
//! Source: <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_ShardFilter.html>.

use serde::{Deserialize, Serialize};

use tidemill_model::{ShardId, Timestamp};
use tidemill_shapes::kinesis;

use crate::refused::Refused;
use crate::stream::{Shard, Stream};

/// Which shards are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ShardFilter {
    /// All that have not expired.
    FromTrimHorizon,
    /// Those that were open at the trim horizon, or when the stream was created if that was later.
    AtTrimHorizon,
    /// Those that are open.
    AtLatest,
    /// Those that were open at the time.
    AtTimestamp(Timestamp),
    /// Those that were open at the time or later.
    FromTimestamp(Timestamp),
    /// Those whose id is greater.
    AfterShardId(ShardId),
}

impl ShardFilter {
    /// The filter that `shape` describes.
    pub fn read(shape: &kinesis::ShardFilter) -> Result<ShardFilter, Refused> {
        use kinesis::ShardFilterType;
        let kind = shape.r#type.as_str();
        let refuse = |rule| Refused::ShardFilter { kind, rule };
        let needs_id = shape.r#type == ShardFilterType::AfterShardId;
        let needs_time = matches!(
            shape.r#type,
            ShardFilterType::AtTimestamp | ShardFilterType::FromTimestamp
        );
        if shape.shard_id.is_some() && !needs_id {
            return Err(refuse("not have a ShardId"));
        }
        if shape.timestamp.is_some() && !needs_time {
            return Err(refuse("not have a Timestamp"));
        }
        let time = shape.timestamp.ok_or(refuse("have a Timestamp"));
        match shape.r#type {
            ShardFilterType::FromTrimHorizon => Ok(ShardFilter::FromTrimHorizon),
            ShardFilterType::AtTrimHorizon => Ok(ShardFilter::AtTrimHorizon),
            ShardFilterType::AtLatest => Ok(ShardFilter::AtLatest),
            ShardFilterType::AtTimestamp => time.map(ShardFilter::AtTimestamp),
            ShardFilterType::FromTimestamp => time.map(ShardFilter::FromTimestamp),
            ShardFilterType::AfterShardId => {
                let id = shape.shard_id.as_deref().ok_or(refuse("have a ShardId"))?;
                let id = id
                    .parse()
                    .map_err(|_| refuse("have a ShardId that is one"))?;
                Ok(ShardFilter::AfterShardId(id))
            }
        }
    }

    /// Whether `shard`, which has not expired, is wanted.
    pub fn admits(self, stream: &Stream, id: ShardId, shard: &Shard, now: Timestamp) -> bool {
        let horizon = stream.horizon(now).max(stream.created_at);
        let was_open_at = |time: Timestamp| {
            shard.created_at <= time
                && shard
                    .closed
                    .as_ref()
                    .is_none_or(|closing| time < closing.at)
        };
        match self {
            ShardFilter::FromTrimHorizon => true,
            ShardFilter::AtTrimHorizon => was_open_at(horizon),
            ShardFilter::AtLatest => shard.closed.is_none(),
            ShardFilter::AtTimestamp(time) => was_open_at(time.max(horizon)),
            ShardFilter::FromTimestamp(time) => shard
                .closed
                .as_ref()
                .is_none_or(|closing| closing.at >= time),
            ShardFilter::AfterShardId(after) => id > after,
        }
    }
}
