//! DescribeLimits:
//! <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_DescribeLimits.html>.

use tidemill_model::Caller;
use tidemill_shapes::kinesis::{DescribeLimitsError, DescribeLimitsInput, DescribeLimitsOutput};

use crate::describe::count;
use crate::limits::{ControlOperation, QUOTA_LIFTED};
use crate::streams::{Streams, own_stream};

/// Describes the quotas of the account and what counts against them: provisioned shards, on-demand
/// streams. Of channels, which are not supported, it says nothing.
pub async fn describe_limits(
    streams: &Streams,
    caller: &Caller,
    _input: DescribeLimitsInput,
) -> Result<DescribeLimitsOutput, DescribeLimitsError> {
    let nameless = own_stream(caller, "");
    streams.admit(ControlOperation::DescribeLimits, &nameless)?;
    let quotas = streams.quotas(&nameless);
    let (open_shards, on_demand_streams) = streams.catalog(|catalog, now| {
        let on_demand = catalog.on_demand_streams(&nameless, now);
        (catalog.provisioned_shards(&nameless, now), on_demand)
    });
    Ok(DescribeLimitsOutput {
        shard_limit: count(quotas.shards.unwrap_or(QUOTA_LIFTED)),
        open_shard_count: count(open_shards),
        on_demand_stream_count: i32::try_from(on_demand_streams).unwrap_or(i32::MAX),
        on_demand_stream_count_limit: count(quotas.on_demand_streams.unwrap_or(QUOTA_LIFTED)),
        channel_count: None,
        channel_count_limit: None,
    })
}
