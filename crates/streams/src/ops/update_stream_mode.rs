//! UpdateStreamMode:
//! <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_UpdateStreamMode.html>.
//!
//! The shards stay as they are, unless throughput is to be kept ready: an on-demand stream grows from what
//! it finds.

use tidemill_model::Caller;
use tidemill_shapes::kinesis::{
    StreamMode, UpdateStreamModeError, UpdateStreamModeInput, UpdateStreamModeOutput,
};

use crate::command::Command;
use crate::control::warm_mibps;
use crate::limits::{ControlOperation, Limits, MODE_SWITCHES};
use crate::refused::Refused;
use crate::stream::Mode;
use crate::streams::{Streams, named_stream};

/// Switches the capacity mode of a stream.
pub async fn update_stream_mode(
    streams: &Streams,
    caller: &Caller,
    input: UpdateStreamModeInput,
) -> Result<UpdateStreamModeOutput, UpdateStreamModeError> {
    let stream = named_stream(caller, "UpdateStreamMode", None, Some(&input.stream_arn));
    // The operation declares no AccessDeniedException: what belongs to others is not found.
    let stream = stream.map_err(|refused| match refused {
        Refused::OtherAccount { stream, .. } => Refused::StreamNotFound { stream },
        refused => refused,
    })?;
    streams.admit(ControlOperation::UpdateStreamMode, &stream)?;
    let mode = match input.stream_mode_details.stream_mode {
        StreamMode::Provisioned => Mode::Provisioned,
        StreamMode::OnDemand => Mode::OnDemand,
    };
    let quotas = streams.quotas(&stream);
    let settings = streams.settings();
    let switches_max = match settings.limits {
        Limits::Aws => Some(MODE_SWITCHES),
        Limits::None => None,
    };
    let delay = settings.state_delay;
    streams
        .submit(Command::SwitchMode {
            stream: stream.clone(),
            mode,
            quotas,
            switches_max,
            warm_mibps: warm_mibps(input.warm_throughput_mibps),
            delay,
        })
        .await?;
    streams.finish_begun(&stream).await;
    Ok(UpdateStreamModeOutput {})
}
