//! MergeShards: <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_MergeShards.html>.

use tidemill_model::Caller;
use tidemill_shapes::kinesis::{MergeShardsError, MergeShardsInput, MergeShardsOutput};

use crate::command::Change;
use crate::control::shard_id;
use crate::limits::ControlOperation;
use crate::streams::{Streams, named_stream};

/// Closes two neighbours and opens one in their place.
pub async fn merge_shards(
    streams: &Streams,
    caller: &Caller,
    input: MergeShardsInput,
) -> Result<MergeShardsOutput, MergeShardsError> {
    let (name, arn) = (input.stream_name.as_deref(), input.stream_arn.as_deref());
    let stream = named_stream(caller, "MergeShards", name, arn)?;
    streams.admit(ControlOperation::MergeShards, &stream)?;
    let lower = shard_id(&stream, &input.shard_to_merge)?;
    let upper = shard_id(&stream, &input.adjacent_shard_to_merge)?;
    streams
        .reshard(stream, Change::Merge { lower, upper })
        .await?;
    Ok(MergeShardsOutput {})
}
