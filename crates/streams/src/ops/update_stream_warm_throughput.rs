//! UpdateStreamWarmThroughput:
//! <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_UpdateStreamWarmThroughput.html>.

use tidemill_model::Caller;
use tidemill_shapes::kinesis::{
    UpdateStreamWarmThroughputError, UpdateStreamWarmThroughputInput,
    UpdateStreamWarmThroughputOutput, WarmThroughputObject,
};

use crate::control::warm_mibps;
use crate::describe::count;
use crate::limits::ControlOperation;
use crate::streams::{Streams, named_stream};

/// Sets the throughput that an on-demand stream keeps ready.
pub async fn update_stream_warm_throughput(
    streams: &Streams,
    caller: &Caller,
    input: UpdateStreamWarmThroughputInput,
) -> Result<UpdateStreamWarmThroughputOutput, UpdateStreamWarmThroughputError> {
    let (name, arn) = (input.stream_name.as_deref(), input.stream_arn.as_deref());
    let stream = named_stream(caller, "UpdateStreamWarmThroughput", name, arn)?;
    streams.admit(ControlOperation::UpdateStreamWarmThroughput, &stream)?;
    let mibps = warm_mibps(Some(input.warm_throughput_mibps)).unwrap_or_default();
    streams.set_warm_throughput(&stream, mibps).await?;
    let open = streams.stream(&stream, |stream, _| Ok(stream.open_shards()))?;
    Ok(UpdateStreamWarmThroughputOutput {
        stream_name: Some(stream.name.clone()),
        stream_arn: Some(stream.to_string()),
        warm_throughput: Some(WarmThroughputObject {
            target_mibps: Some(count(mibps)),
            current_mibps: Some(count(open)),
        }),
    })
}
