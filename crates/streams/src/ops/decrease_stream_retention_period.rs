//! DecreaseStreamRetentionPeriod:
//! <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_DecreaseStreamRetentionPeriod.html>.

use tidemill_model::Caller;
use tidemill_shapes::kinesis::{
    DecreaseStreamRetentionPeriodError, DecreaseStreamRetentionPeriodInput,
    DecreaseStreamRetentionPeriodOutput,
};

use crate::command::Direction;
use crate::limits::ControlOperation;
use crate::streams::{Streams, named_stream};

/// Keeps records less long: what is older cannot be read any more, at once.
pub async fn decrease_stream_retention_period(
    streams: &Streams,
    caller: &Caller,
    input: DecreaseStreamRetentionPeriodInput,
) -> Result<DecreaseStreamRetentionPeriodOutput, DecreaseStreamRetentionPeriodError> {
    let (name, arn) = (input.stream_name.as_deref(), input.stream_arn.as_deref());
    let stream = named_stream(caller, "DecreaseStreamRetentionPeriod", name, arn)?;
    streams.admit(ControlOperation::DecreaseStreamRetentionPeriod, &stream)?;
    streams
        .set_retention(stream, input.retention_period_hours, Direction::Decrease)
        .await?;
    Ok(DecreaseStreamRetentionPeriodOutput {})
}
