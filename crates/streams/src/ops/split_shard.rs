//! SplitShard: <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_SplitShard.html>.

use tidemill_model::Caller;
use tidemill_shapes::kinesis::{SplitShardError, SplitShardInput, SplitShardOutput};

use crate::command::Change;
use crate::control::shard_id;
use crate::limits::ControlOperation;
use crate::streams::{Streams, named_stream};

/// Closes a shard and opens two in its place.
pub async fn split_shard(
    streams: &Streams,
    caller: &Caller,
    input: SplitShardInput,
) -> Result<SplitShardOutput, SplitShardError> {
    let (name, arn) = (input.stream_name.as_deref(), input.stream_arn.as_deref());
    let stream = named_stream(caller, "SplitShard", name, arn)?;
    streams.admit(ControlOperation::SplitShard, &stream)?;
    let shard = shard_id(&stream, &input.shard_to_split)?;
    let new_starting_hash_key = input.new_starting_hash_key;
    streams
        .reshard(
            stream,
            Change::Split {
                shard,
                new_starting_hash_key,
            },
        )
        .await?;
    Ok(SplitShardOutput {})
}
