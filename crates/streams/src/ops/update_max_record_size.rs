//! UpdateMaxRecordSize:
//! <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_UpdateMaxRecordSize.html>.

use tidemill_model::Caller;
use tidemill_shapes::kinesis::{
    UpdateMaxRecordSizeError, UpdateMaxRecordSizeInput, UpdateMaxRecordSizeOutput,
};

use crate::command::{Command, Setting};
use crate::limits::ControlOperation;
use crate::streams::{Streams, named_stream};

/// Changes how large a record of a stream may be. Larger ones that are there already stay readable.
pub async fn update_max_record_size(
    streams: &Streams,
    caller: &Caller,
    input: UpdateMaxRecordSizeInput,
) -> Result<UpdateMaxRecordSizeOutput, UpdateMaxRecordSizeError> {
    let arn = input.stream_arn.as_deref();
    let stream = named_stream(caller, "UpdateMaxRecordSize", None, arn)?;
    streams.admit(ControlOperation::UpdateMaxRecordSize, &stream)?;
    let kib = u32::try_from(input.max_record_size_in_kib).expect("checked to be at least 1024");
    streams
        .submit(Command::Set {
            stream,
            setting: Setting::RecordKibMax(kib),
            delay: streams.settings().state_delay,
        })
        .await?;
    Ok(UpdateMaxRecordSizeOutput {})
}
