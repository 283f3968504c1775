//! Kinesis: every operation of the model to its function, without a wildcard.

use tidemill_protocol::aws_json::{self, Dialect};
use tidemill_protocol::encoding::Encoding;
use tidemill_protocol::target::{JsonOperation, JsonService};
use tidemill_shapes::kinesis::Operation;
use tidemill_streams::{Streams, ops};

use super::answer::Answer;
use super::call::Call;

const SERVICE: JsonService = JsonService::Kinesis;

/// Answers a request to Kinesis.
pub async fn answer(streams: &Streams, call: Call<'_>) -> Answer {
    let (dialect, operation) = match aws_json::check(SERVICE, &call.request) {
        Ok((dialect, JsonOperation::Kinesis(operation))) => (dialect, operation),
        Ok((_, JsonOperation::Sqs(_))) => unreachable!("a check of Kinesis gives its operations"),
        Err(refusal) => return refusal.into(),
    };
    macro_rules! run {
        ($($operation:ident => $function:ident),* $(,)?) => {
            match operation {
                $(Operation::$operation => {
                    call.json(dialect, async |caller, input| {
                        ops::$function(streams, caller, input).await
                    })
                    .await
                    .into()
                })*
                Operation::SubscribeToShard => subscribe(streams, dialect, call).await,
                Operation::Unsupported(name) => unreachable!("{name} is refused by the check"),
            }
        };
    }
    run! {
        AddTagsToStream => add_tags_to_stream,
        CreateStream => create_stream,
        DecreaseStreamRetentionPeriod => decrease_stream_retention_period,
        DeleteResourcePolicy => delete_resource_policy,
        DeleteStream => delete_stream,
        DeregisterStreamConsumer => deregister_stream_consumer,
        DescribeAccountSettings => describe_account_settings,
        DescribeLimits => describe_limits,
        DescribeStream => describe_stream,
        DescribeStreamConsumer => describe_stream_consumer,
        DescribeStreamSummary => describe_stream_summary,
        DisableEnhancedMonitoring => disable_enhanced_monitoring,
        EnableEnhancedMonitoring => enable_enhanced_monitoring,
        GetRecords => get_records,
        GetResourcePolicy => get_resource_policy,
        GetShardIterator => get_shard_iterator,
        IncreaseStreamRetentionPeriod => increase_stream_retention_period,
        ListShards => list_shards,
        ListStreamConsumers => list_stream_consumers,
        ListStreams => list_streams,
        ListTagsForResource => list_tags_for_resource,
        ListTagsForStream => list_tags_for_stream,
        MergeShards => merge_shards,
        PutRecord => put_record,
        PutRecords => put_records,
        PutResourcePolicy => put_resource_policy,
        RegisterStreamConsumer => register_stream_consumer,
        RemoveTagsFromStream => remove_tags_from_stream,
        SplitShard => split_shard,
        StartStreamEncryption => start_stream_encryption,
        StopStreamEncryption => stop_stream_encryption,
        TagResource => tag_resource,
        UntagResource => untag_resource,
        UpdateAccountSettings => update_account_settings,
        UpdateMaxRecordSize => update_max_record_size,
        UpdateShardCount => update_shard_count,
        UpdateStreamMode => update_stream_mode,
        UpdateStreamRecordDistributionStrategy => update_stream_record_distribution_strategy,
        UpdateStreamWarmThroughput => update_stream_warm_throughput,
    }
}

/// SubscribeToShard answers with events. In CBOR the service itself fails, and no client asks it.
async fn subscribe(streams: &Streams, dialect: Dialect, call: Call<'_>) -> Answer {
    if dialect.encoding == Encoding::Cbor {
        return aws_json::refuse(dialect, 500, "InternalFailure", None).into();
    }
    let subscribed = call.run(dialect, async |caller, input| {
        ops::subscribe_to_shard(streams, caller, input).await
    });
    match subscribed.await {
        Ok(events) => Answer::events(events),
        Err(refusal) => refusal.into(),
    }
}
