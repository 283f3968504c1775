//! DisableEnhancedMonitoring:
//! <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_DisableEnhancedMonitoring.html>.

use tidemill_model::Caller;
use tidemill_shapes::kinesis::{
    DisableEnhancedMonitoringError, DisableEnhancedMonitoringInput, EnhancedMonitoringOutput,
};

use crate::limits::ControlOperation;
use crate::monitoring::{Monitoring, read, show};
use crate::streams::{Streams, named_stream};

/// Switches shard-level metrics of a stream off.
pub async fn disable_enhanced_monitoring(
    streams: &Streams,
    caller: &Caller,
    input: DisableEnhancedMonitoringInput,
) -> Result<EnhancedMonitoringOutput, DisableEnhancedMonitoringError> {
    let (name, arn) = (input.stream_name.as_deref(), input.stream_arn.as_deref());
    let stream = named_stream(caller, "DisableEnhancedMonitoring", name, arn)?;
    streams.admit(ControlOperation::DisableEnhancedMonitoring, &stream)?;
    let metrics = read(&input.shard_level_metrics);
    let (current, desired) = streams
        .set_monitoring(&stream, Monitoring::Disable, metrics)
        .await?;
    Ok(EnhancedMonitoringOutput {
        stream_name: Some(stream.name.clone()),
        stream_arn: Some(stream.to_string()),
        current_shard_level_metrics: Some(show(&current)),
        desired_shard_level_metrics: Some(show(&desired)),
    })
}
