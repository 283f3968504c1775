//! UpdateAccountSettings:
//! <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_UpdateAccountSettings.html>.
//!
//! The commitment is kept and shown, and more consumers are allowed with it. Nothing is billed.

use tidemill_model::Caller;
use tidemill_shapes::kinesis::{
    MinimumThroughputBillingCommitmentInputStatus as Wanted, UpdateAccountSettingsError,
    UpdateAccountSettingsInput, UpdateAccountSettingsOutput,
};

use crate::command::Command;
use crate::describe::commitment;
use crate::limits::ControlOperation;
use crate::streams::{Streams, own_stream};

/// Makes or ends the account's commitment to a minimum throughput.
pub async fn update_account_settings(
    streams: &Streams,
    caller: &Caller,
    input: UpdateAccountSettingsInput,
) -> Result<UpdateAccountSettingsOutput, UpdateAccountSettingsError> {
    let nameless = own_stream(caller, "");
    streams.admit(ControlOperation::UpdateAccountSettings, &nameless)?;
    let wanted = input.minimum_throughput_billing_commitment.status;
    streams
        .submit(Command::Commit {
            stream: nameless.clone(),
            committed: wanted == Wanted::Enabled,
        })
        .await?;
    let found = streams.catalog(|catalog, now| commitment(catalog.commitment(&nameless), now));
    Ok(UpdateAccountSettingsOutput {
        minimum_throughput_billing_commitment: Some(found),
    })
}
