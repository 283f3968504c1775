//! StartStreamEncryption:
//! <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_StartStreamEncryption.html>.
//!
//! Answers and records say KMS from then on; the data is as it is, and the key is asked of nobody.

use tidemill_model::Caller;
use tidemill_shapes::kinesis::{
    EncryptionType, StartStreamEncryptionError, StartStreamEncryptionInput,
    StartStreamEncryptionOutput,
};

use crate::command::{Command, Setting};
use crate::limits::{ControlOperation, ENCRYPTION_CALLS};
use crate::refused::Refused;
use crate::streams::{Streams, named_stream};

/// Gives a stream a key, or another one.
pub async fn start_stream_encryption(
    streams: &Streams,
    caller: &Caller,
    input: StartStreamEncryptionInput,
) -> Result<StartStreamEncryptionOutput, StartStreamEncryptionError> {
    let (name, arn) = (input.stream_name.as_deref(), input.stream_arn.as_deref());
    let stream = named_stream(caller, "StartStreamEncryption", name, arn)?;
    streams.admit(ControlOperation::StartStreamEncryption, &stream)?;
    if input.encryption_type != EncryptionType::Kms {
        return Err(Refused::NotKms.into());
    }
    let setting = Setting::StartEncryption {
        key_id: input.key_id,
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
    Ok(StartStreamEncryptionOutput {})
}
