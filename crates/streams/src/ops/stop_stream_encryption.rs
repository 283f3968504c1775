//! StopStreamEncryption:
//! <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_StopStreamEncryption.html>.
//!
//! Any key is taken for the one that the stream has: AWS does not say what it makes of another.

use tidemill_model::Caller;
use tidemill_shapes::kinesis::{
    EncryptionType, StopStreamEncryptionError, StopStreamEncryptionInput,
    StopStreamEncryptionOutput,
};

use crate::command::{Command, Setting};
use crate::limits::{ControlOperation, ENCRYPTION_CALLS};
use crate::refused::Refused;
use crate::streams::{Streams, named_stream};

/// Takes the key from a stream. What was put before goes on to say KMS.
pub async fn stop_stream_encryption(
    streams: &Streams,
    caller: &Caller,
    input: StopStreamEncryptionInput,
) -> Result<StopStreamEncryptionOutput, StopStreamEncryptionError> {
    let (name, arn) = (input.stream_name.as_deref(), input.stream_arn.as_deref());
    let stream = named_stream(caller, "StopStreamEncryption", name, arn)?;
    streams.admit(ControlOperation::StopStreamEncryption, &stream)?;
    if input.encryption_type != EncryptionType::Kms {
        return Err(Refused::NotKms.into());
    }
    let setting = Setting::StopEncryption {
        calls_max: streams.limited(ENCRYPTION_CALLS),
    };
    let delay = streams.settings().state_delay;
    streams
        .submit(Command::Set {
            stream,
            setting,
            delay,
        })
        .await?;
    Ok(StopStreamEncryptionOutput {})
}
