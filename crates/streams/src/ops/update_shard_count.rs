//! UpdateShardCount:
//! <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_UpdateShardCount.html>.

use tidemill_model::Caller;
use tidemill_shapes::kinesis::{
    UpdateShardCountError, UpdateShardCountInput, UpdateShardCountOutput,
};

use crate::describe::count;
use crate::limits::ControlOperation;
use crate::streams::{Streams, named_stream};

/// Splits and merges the shards of a stream until there are as many as asked for, all of one size.
pub async fn update_shard_count(
    streams: &Streams,
    caller: &Caller,
    input: UpdateShardCountInput,
) -> Result<UpdateShardCountOutput, UpdateShardCountError> {
    let (name, arn) = (input.stream_name.as_deref(), input.stream_arn.as_deref());
    let stream = named_stream(caller, "UpdateShardCount", name, arn)?;
    streams.admit(ControlOperation::UpdateShardCount, &stream)?;
    let target = u32::try_from(input.target_shard_count).expect("checked to be at least 1");
    let open = streams.scale_uniformly(&stream, target).await?;
    Ok(UpdateShardCountOutput {
        current_shard_count: Some(count(open)),
        target_shard_count: Some(input.target_shard_count),
        stream_arn: Some(stream.to_string()),
        stream_name: Some(stream.name),
    })
}
