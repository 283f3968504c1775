//! GetShardIterator:
//! <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetShardIterator.html>.
//!
//! Every type comes down to a position when the iterator is issued: what arrives later stands behind
//! it, also for a time, because arrival times never go back within a shard.

use tidemill_model::{Caller, ShardId, StreamArn, Timestamp};
use tidemill_shapes::kinesis::{
    GetShardIteratorError, GetShardIteratorInput, GetShardIteratorOutput, ShardIteratorType,
};

use crate::failure::Failure;
use crate::iterator::{ShardIterator, Side, position_of};
use crate::refused::Refused;
use crate::stream::FoundShard;
use crate::streams::{Streams, named_stream};

/// Where an iterator is to begin, as the request has it.
enum Start {
    Oldest,
    Newest,
    Time(Timestamp),
    Number(String, Side),
}

/// Gives an iterator that reads a shard from somewhere on.
pub async fn get_shard_iterator(
    streams: &Streams,
    caller: &Caller,
    input: GetShardIteratorInput,
) -> Result<GetShardIteratorOutput, GetShardIteratorError> {
    let (name, arn) = (input.stream_name.as_deref(), input.stream_arn.as_deref());
    let arn = named_stream(caller, "GetShardIterator", name, arn)?;
    let now = streams.clock().now();
    let dry_run = input.dry_run == Some(true);
    let shard = input.shard_id.clone();
    let start = start(input, now)?;
    let found = find(streams, &arn, shard)?;
    if !dry_run {
        let partition = found.shard.partition;
        let admitted = streams
            .throttle()
            .is_none_or(|mut throttle| throttle.admit_iterator(partition, now));
        if !admitted {
            return Err(Refused::ShardRate {
                stream: arn,
                shard: found.id,
            }
            .into());
        }
    }
    let from = locate(streams, &found, start).await?;
    if dry_run {
        return Err(Refused::DryRun.into());
    }
    let key = streams.token_key().await?;
    let token = ShardIterator::new(&found, from, now).seal(&key, streams.chance());
    Ok(GetShardIteratorOutput {
        shard_iterator: Some(token),
    })
}

fn start(input: GetShardIteratorInput, now: Timestamp) -> Result<Start, Refused> {
    let kind = input.shard_iterator_type.as_str();
    let number = input.starting_sequence_number;
    let given = if number.is_some() { "also a" } else { "no" };
    let disagree = Refused::IteratorParameters { kind, given };
    match (input.shard_iterator_type, number) {
        (ShardIteratorType::TrimHorizon, None) => Ok(Start::Oldest),
        (ShardIteratorType::Latest, None) => Ok(Start::Newest),
        (ShardIteratorType::AtSequenceNumber, Some(number)) => Ok(Start::Number(number, Side::At)),
        (ShardIteratorType::AfterSequenceNumber, Some(number)) => {
            Ok(Start::Number(number, Side::After))
        }
        (ShardIteratorType::AtTimestamp, None) => match input.timestamp {
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
        | (ShardIteratorType::AtSequenceNumber | ShardIteratorType::AfterSequenceNumber, None) => {
            Err(disagree)
        }
    }
}

fn find(streams: &Streams, arn: &StreamArn, shard: String) -> Result<FoundShard, Refused> {
    streams.serving_stream(arn, |stream, now| {
        let id: Result<ShardId, _> = shard.parse();
        let id = id.map_err(|_| Refused::ShardNotFound {
            stream: arn.clone(),
            shard,
        })?;
        let missing = || Refused::ShardDoesNotExist {
            stream: arn.clone(),
            shard: id,
        };
        stream.find(id, now).ok_or_else(missing)
    })
}

async fn locate(streams: &Streams, found: &FoundShard, start: Start) -> Result<u64, Failure> {
    let partition = found.shard.partition_id();
    Ok(match start {
        Start::Oldest => streams.first_fresh(partition, found.horizon).await?,
        Start::Newest => streams.log().partition(partition).end,
        Start::Time(time) => {
            streams
                .first_fresh(partition, time.max(found.horizon))
                .await?
        }
        Start::Number(number, side) => {
            let end = streams.log().partition(partition).end;
            position_of(found, end, &number, side)?
        }
    })
}
