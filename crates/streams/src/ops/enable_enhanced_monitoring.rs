//! EnableEnhancedMonitoring:
//! <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_EnableEnhancedMonitoring.html>.

use tidemill_model::Caller;
use tidemill_shapes::kinesis::{
    EnableEnhancedMonitoringError, EnableEnhancedMonitoringInput, EnhancedMonitoringOutput,
};

use crate::limits::ControlOperation;
use crate::monitoring::{Monitoring, read, show};
use crate::streams::{Streams, named_stream};

/// Switches shard-level metrics of a stream on.
pub async fn enable_enhanced_monitoring(
    streams: &Streams,
    caller: &Caller,
    input: EnableEnhancedMonitoringInput,
) -> Result<EnhancedMonitoringOutput, EnableEnhancedMonitoringError> {
    let (name, arn) = (input.stream_name.as_deref(), input.stream_arn.as_deref());
    let stream = named_stream(caller, "EnableEnhancedMonitoring", name, arn)?;
    streams.admit(ControlOperation::EnableEnhancedMonitoring, &stream)?;
    let metrics = read(&input.shard_level_metrics);
    let (current, desired) = streams
        .set_monitoring(&stream, Monitoring::Enable, metrics)
        .await?;
    Ok(EnhancedMonitoringOutput {
        stream_name: Some(stream.name.clone()),
        stream_arn: Some(stream.to_string()),
        current_shard_level_metrics: Some(show(&current)),
        desired_shard_level_metrics: Some(show(&desired)),
    })
}
