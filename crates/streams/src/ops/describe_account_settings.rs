//! DescribeAccountSettings:
//! <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_DescribeAccountSettings.html>.

use tidemill_model::Caller;
use tidemill_shapes::kinesis::{
    DescribeAccountSettingsError, DescribeAccountSettingsInput, DescribeAccountSettingsOutput,
};

use crate::describe::commitment;
use crate::limits::ControlOperation;
use crate::streams::{Streams, own_stream};

/// Describes the account's commitment to a minimum throughput.
pub async fn describe_account_settings(
    streams: &Streams,
    caller: &Caller,
    _input: DescribeAccountSettingsInput,
) -> Result<DescribeAccountSettingsOutput, DescribeAccountSettingsError> {
    let nameless = own_stream(caller, "");
    streams.admit(ControlOperation::DescribeAccountSettings, &nameless)?;
    let found = streams.catalog(|catalog, now| commitment(catalog.commitment(&nameless), now));
    Ok(DescribeAccountSettingsOutput {
        minimum_throughput_billing_commitment: Some(found),
    })
}
