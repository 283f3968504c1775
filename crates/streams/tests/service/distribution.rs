//! UpdateStreamRecordDistributionStrategy, and how records are put under AUTO.

use std::collections::BTreeMap;

use tidemill_shapes::kinesis::*;

use crate::fixture::*;
use crate::{assert_refused, call};

const MISSING: &str = "1 validation error detected: Value null at 'partitionKey' failed to satisfy \
                       constraint: Member must not be null";

fn strategy(
    f: &Fixture,
    name: &str,
    record_distribution_strategy: RecordDistributionStrategy,
) -> UpdateStreamRecordDistributionStrategyInput {
    UpdateStreamRecordDistributionStrategyInput {
        record_distribution_strategy,
        stream_arn: f.arn(name).to_string(),
        stream_id: None,
    }
}

async fn auto(f: &Fixture) {
    let input = CreateStreamInput {
        stream_name: "s".into(),
        record_distribution_strategy: Some(RecordDistributionStrategy::Auto),
        ..CreateStreamInput::default()
    };
    call!(f, create_stream, input).expect("created");
}

fn keyless() -> PutRecordInput {
    PutRecordInput {
        partition_key: None,
        ..record("s", "", b"x")
    }
}

async fn shown(f: &Fixture, name: &str) -> Option<RecordDistributionStrategy> {
    let input = DescribeStreamSummaryInput {
        stream_name: Some(name.into()),
        ..DescribeStreamSummaryInput::default()
    };
    let output = call!(f, describe_stream_summary, input).expect("described");
    output
        .stream_description_summary
        .record_distribution_strategy
}

#[tokio::test]
async fn under_auto_the_shards_take_turns_whatever_the_keys_say() {
    let f = Fixture::unlimited().await;
    auto(&f).await;
    let mut shards: BTreeMap<String, u32> = BTreeMap::new();
    for number in 0..40 {
        let input = PutRecordInput {
            partition_key: (number % 2 == 0).then(|| "one key".into()),
            explicit_hash_key: (number % 3 == 0).then(|| "0".into()),
            ..keyless()
        };
        let put = call!(f, put_record, input).expect("put");
        *shards.entry(put.shard_id).or_default() += 1;
    }
    assert_eq!(shards.into_values().collect::<Vec<_>>(), [10; 4]);
}

#[tokio::test]
async fn a_key_is_given_back_only_where_one_was_sent() {
    let mut f = Fixture::unlimited().await;
    auto(&f).await;
    call!(f, put_record, keyless()).expect("put");
    let records = ["k", "", "k2"].map(|key| PutRecordsRequestEntry {
        data: "x".into(),
        explicit_hash_key: None,
        partition_key: Some(key.to_owned()).filter(|key| !key.is_empty()),
    });
    let input = PutRecordsInput {
        records: packed(&records),
        stream_name: Some("s".into()),
        ..PutRecordsInput::default()
    };
    let put = call!(f, put_records, input).expect("put");
    assert_eq!(put.failed_record_count, Some(0));
    f.restart().await;
    let mut keys = Vec::new();
    for number in 0..4 {
        let start = f
            .iterator("s", &shard(number), ShardIteratorType::TrimHorizon)
            .await;
        keys.extend(
            f.read(&start)
                .await
                .records
                .into_iter()
                .map(|record| record.partition_key),
        );
    }
    assert_eq!(keys, [None, Some("k".into()), None, Some("k2".into())]);
}

#[tokio::test]
async fn a_producer_that_decides_must_send_a_key() {
    let f = Fixture::unlimited().await;
    auto(&f).await;
    assert_eq!(shown(&f, "s").await, Some(RecordDistributionStrategy::Auto));
    call!(f, put_record, keyless()).expect("the service decides");
    let user = RecordDistributionStrategy::UserPartitionKey;
    let input = strategy(&f, "s", user);
    call!(f, update_stream_record_distribution_strategy, input).expect("updated");
    assert_eq!(
        shown(&f, "s").await,
        Some(RecordDistributionStrategy::UserPartitionKey)
    );
    assert_eq!(f.describe("s").await.stream_status, StreamStatus::Active);
    assert_refused!(
        call!(f, put_record, keyless()),
        "ValidationException",
        MISSING
    );
    let entry = |key: Option<&str>| PutRecordsRequestEntry {
        data: "x".into(),
        explicit_hash_key: None,
        partition_key: key.map(Into::into),
    };
    let input = PutRecordsInput {
        records: packed(&[entry(Some("k")), entry(None)]),
        stream_name: Some("s".into()),
        ..PutRecordsInput::default()
    };
    let text = MISSING.replace("partitionKey", "records.2.member.partitionKey");
    assert_refused!(call!(f, put_records, input), "ValidationException", text);
}

#[tokio::test]
async fn the_order_of_a_producer_means_nothing_under_auto() {
    let f = Fixture::unlimited().await;
    auto(&f).await;
    let put = call!(f, put_record, keyless()).expect("put");
    let input = PutRecordInput {
        sequence_number_for_ordering: Some(put.sequence_number),
        ..record("s", "k", b"x")
    };
    assert_refused!(
        call!(f, put_record, input),
        "InvalidArgumentException",
        "SequenceNumberForOrdering is not supported for stream s under account 000000000000: its \
         records are distributed by AUTO."
    );
}

#[tokio::test]
async fn a_provisioned_stream_is_not_distributed_by_the_service() {
    let f = Fixture::unlimited().await;
    f.create("p", 1).await;
    assert_eq!(shown(&f, "p").await, None);
    let text = |name: &str| {
        format!(
            "Records of stream {name} under account 000000000000 are not distributed by AUTO: it is \
             in PROVISIONED mode."
        )
    };
    let input = strategy(&f, "p", RecordDistributionStrategy::Auto);
    let refused = call!(f, update_stream_record_distribution_strategy, input);
    assert_refused!(refused, "InvalidArgumentException", text("p"));
    let input = strategy(&f, "p", RecordDistributionStrategy::UserPartitionKey);
    call!(f, update_stream_record_distribution_strategy, input).expect("it is so");
    let input = CreateStreamInput {
        record_distribution_strategy: Some(RecordDistributionStrategy::Auto),
        ..new_stream("q", 1)
    };
    let refused = call!(f, create_stream, input);
    assert_refused!(refused, "InvalidArgumentException", text("q"));
    auto(&f).await;
    let input = UpdateStreamModeInput {
        stream_arn: f.arn("s").to_string(),
        stream_id: None,
        stream_mode_details: StreamModeDetails {
            stream_mode: StreamMode::Provisioned,
        },
        warm_throughput_mibps: None,
    };
    let refused = call!(f, update_stream_mode, input);
    assert_refused!(refused, "InvalidArgumentException", text("s"));
    assert_refused!(
        call!(
            f,
            update_stream_record_distribution_strategy,
            strategy(&f, "t", RecordDistributionStrategy::Auto)
        ),
        "ResourceNotFoundException",
        "Stream t under account 000000000000 not found."
    );
}
