//! Where reading a shard is to begin, as GetShardIterator and SubscribeToShard are told: [`Start`].
//!
//! Every kind comes down to a position at the moment of the call.

use tidemill_log::Position;
use tidemill_model::Timestamp;
use tidemill_shapes::kinesis::ShardIteratorType;

use crate::failure::Failure;
use crate::iterator::{Side, position_of};
use crate::refused::Refused;
use crate::stream::FoundShard;
use crate::streams::Streams;

/// A place to begin at.
pub(crate) enum Start {
    /// The first record that retention has left.
    Oldest,
    /// Behind the last record.
    Newest,
    /// The first record that arrived then or later.
    Time(Timestamp),
    /// At or after a sequence number.
    Number(String, Side),
}

impl Start {
    /// The place that a request names, whose kind, number and time must go together.
    pub fn new(
        kind: ShardIteratorType,
        number: Option<String>,
        timestamp: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Start, Refused> {
        let given = if number.is_some() { "also a" } else { "no" };
        match (kind, number) {
            (ShardIteratorType::TrimHorizon, None) => Ok(Start::Oldest),
            (ShardIteratorType::Latest, None) => Ok(Start::Newest),
            (ShardIteratorType::AtSequenceNumber, Some(number)) => {
                Ok(Start::Number(number, Side::At))
            }
            (ShardIteratorType::AfterSequenceNumber, Some(number)) => {
                Ok(Start::Number(number, Side::After))
            }
            (ShardIteratorType::AtTimestamp, None) => match timestamp {
                None => Err(Refused::NoTimestamp),
                Some(asked) if asked > now => Err(Refused::FutureTimestamp { asked, now }),
                Some(asked) => Ok(Start::Time(asked)),
            },
            (
                ShardIteratorType::TrimHorizon
                | ShardIteratorType::Latest
                | ShardIteratorType::AtTimestamp,
                Some(_),
            )
            | (
                ShardIteratorType::AtSequenceNumber | ShardIteratorType::AfterSequenceNumber,
                None,
            ) => Err(Refused::IteratorParameters {
                kind: kind.as_str(),
                given,
            }),
        }
    }
}

impl Streams {
    /// The position that `start` means in `found` now.
    pub(crate) async fn locate(
        &self,
        found: &FoundShard,
        start: Start,
    ) -> Result<Position, Failure> {
        let partition = found.shard.partition_id();
        Ok(match start {
            Start::Oldest => self.first_fresh(partition, found.horizon).await?,
            Start::Newest => self.log().partition(partition).end,
            Start::Time(time) => self.first_fresh(partition, time.max(found.horizon)).await?,
            Start::Number(number, side) => {
                let end = self.log().partition(partition).end;
                position_of(found, end, &number, side)?
            }
        })
    }
}
