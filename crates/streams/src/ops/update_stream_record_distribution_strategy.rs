//! UpdateStreamRecordDistributionStrategy:
//! <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_UpdateStreamRecordDistributionStrategy.html>.

use std::time::Duration;

use tidemill_model::Caller;
use tidemill_shapes::kinesis::{
    RecordDistributionStrategy, UpdateStreamRecordDistributionStrategyError,
    UpdateStreamRecordDistributionStrategyInput, UpdateStreamRecordDistributionStrategyOutput,
};

use crate::command::{Command, Setting};
use crate::distribution::Distribution;
use crate::limits::ControlOperation;
use crate::streams::{Streams, named_stream};

/// Changes who decides on the shard of a record. It holds for the next record that is put.
pub async fn update_stream_record_distribution_strategy(
    streams: &Streams,
    caller: &Caller,
    input: UpdateStreamRecordDistributionStrategyInput,
) -> Result<UpdateStreamRecordDistributionStrategyOutput, UpdateStreamRecordDistributionStrategyError>
{
    let operation = "UpdateStreamRecordDistributionStrategy";
    let stream = named_stream(caller, operation, None, Some(&input.stream_arn))?;
    streams.admit(
        ControlOperation::UpdateStreamRecordDistributionStrategy,
        &stream,
    )?;
    let distribution = match input.record_distribution_strategy {
        RecordDistributionStrategy::Auto => Distribution::Auto,
        RecordDistributionStrategy::UserPartitionKey => Distribution::UserPartitionKey,
    };
    streams
        .submit(Command::Set {
            stream,
            setting: Setting::Distribution(distribution),
            delay: Duration::ZERO,
        })
        .await?;
    Ok(UpdateStreamRecordDistributionStrategyOutput {})
}
