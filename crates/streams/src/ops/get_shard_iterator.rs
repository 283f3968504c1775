//! GetShardIterator:
//! <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetShardIterator.html>.
//!
//! Every type comes down to a position when the iterator is issued: what arrives later stands behind
//! it, also for a time, because arrival times never go back within a shard.

use tidemill_model::{Caller, ShardId, StreamArn};
use tidemill_shapes::kinesis::{
    GetShardIteratorError, GetShardIteratorInput, GetShardIteratorOutput,
};

use crate::iterator::ShardIterator;
use crate::refused::Refused;
use crate::start::Start;
use crate::stream::FoundShard;
use crate::streams::{Streams, named_stream};

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
    let found = find(streams, &arn, input.shard_id)?;
    let start = Start::new(
        input.shard_iterator_type,
        input.starting_sequence_number,
        input.timestamp,
        now,
    )?;
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
    let from = streams.locate(&found, start).await?;
    if dry_run {
        return Err(Refused::DryRun.into());
    }
    let key = streams.token_key().await?;
    let token = ShardIterator::new(&found, from, now).seal(&key, streams.chance());
    Ok(GetShardIteratorOutput {
        shard_iterator: Some(token),
    })
}

/// The shard. Of a stream that does not exist it is the shard that is said not to, as the service does.
fn find(streams: &Streams, arn: &StreamArn, shard: String) -> Result<FoundShard, Refused> {
    let Ok(id) = shard.parse::<ShardId>() else {
        let stream = arn.clone();
        return Err(Refused::ShardNotFound { stream, shard });
    };
    let missing = Refused::ShardDoesNotExist {
        stream: arn.clone(),
        shard: id,
    };
    let found = streams.stream(arn, |stream, now| {
        Ok(stream.serves(now).then(|| stream.find(id, now)))
    });
    match found {
        Err(_) | Ok(Some(None)) => Err(missing),
        Ok(Some(Some(found))) => Ok(found),
        Ok(None) => Err(Refused::StreamNotFound {
            stream: arn.clone(),
        }),
    }
}
