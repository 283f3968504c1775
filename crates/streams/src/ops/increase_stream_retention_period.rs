//! IncreaseStreamRetentionPeriod:
//! <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_IncreaseStreamRetentionPeriod.html>.

use tidemill_model::Caller;
use tidemill_shapes::kinesis::{
    IncreaseStreamRetentionPeriodError, IncreaseStreamRetentionPeriodInput,
    IncreaseStreamRetentionPeriodOutput,
};

use crate::command::Direction;
use crate::limits::ControlOperation;
use crate::streams::{Streams, named_stream};

/// Keeps records longer; those that have expired stay so. The period it already is is no mistake.
pub async fn increase_stream_retention_period(
    streams: &Streams,
    caller: &Caller,
    input: IncreaseStreamRetentionPeriodInput,
) -> Result<IncreaseStreamRetentionPeriodOutput, IncreaseStreamRetentionPeriodError> {
    let (name, arn) = (input.stream_name.as_deref(), input.stream_arn.as_deref());
    let stream = named_stream(caller, "IncreaseStreamRetentionPeriod", name, arn)?;
    streams.admit(ControlOperation::IncreaseStreamRetentionPeriod, &stream)?;
    streams
        .set_retention(stream, input.retention_period_hours, Direction::Increase)
        .await?;
    Ok(IncreaseStreamRetentionPeriodOutput {})
}
