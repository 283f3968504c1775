//! CreateStream, DeleteStream, and the status between them.

use std::time::Duration;

use tidemill_shapes::kinesis::*;
use tidemill_streams::{Limits, Settings};

use crate::fixture::*;
use crate::{assert_refused, call};

fn named(name: &str) -> DeleteStreamInput {
    DeleteStreamInput {
        stream_name: Some(name.into()),
        ..DeleteStreamInput::default()
    }
}

#[tokio::test]
async fn a_new_stream_is_active_and_divided_evenly() {
    let f = Fixture::new().await;
    f.create("s", 2).await;
    let stream = f.describe("s").await;
    assert_eq!(stream.stream_status, StreamStatus::Active);
    assert_eq!(
        stream.stream_arn,
        "arn:aws:kinesis:us-east-1:000000000000:stream/s"
    );
    assert_eq!(
        stream.stream_mode_details.unwrap().stream_mode,
        StreamMode::Provisioned
    );
    assert_eq!(stream.retention_period_hours, 24);
    assert_eq!(stream.stream_creation_timestamp, f.now());
    assert_eq!(
        stream.enhanced_monitoring[0].shard_level_metrics,
        Some(vec![])
    );
    assert_eq!(stream.shards.len(), 2);
    assert_eq!(stream.shards[1].hash_key_range.starting_hash_key, HALF);
    let numbers = &stream.shards[1].sequence_number_range;
    assert_eq!(numbers.starting_sequence_number.len(), 56);
    assert_eq!(numbers.ending_sequence_number, None);
}

#[tokio::test]
async fn who_says_nothing_gets_four_shards_on_demand() {
    let f = Fixture::new().await;
    let input = CreateStreamInput {
        stream_name: "s".into(),
        ..CreateStreamInput::default()
    };
    call!(f, create_stream, input).expect("created");
    let stream = f.describe("s").await;
    assert_eq!(
        stream.stream_mode_details.unwrap().stream_mode,
        StreamMode::OnDemand
    );
    assert_eq!(stream.shards.len(), 4);
}

#[tokio::test]
async fn mode_and_shard_count_must_agree() {
    let f = Fixture::new().await;
    let on_demand = CreateStreamInput {
        stream_mode_details: Some(StreamModeDetails {
            stream_mode: StreamMode::OnDemand,
        }),
        ..new_stream("s", 2)
    };
    assert_refused!(
        call!(f, create_stream, on_demand),
        "ValidationException",
        "ShardCount must not be given for a stream in ON_DEMAND mode."
    );
    let provisioned = CreateStreamInput {
        stream_mode_details: Some(StreamModeDetails {
            stream_mode: StreamMode::Provisioned,
        }),
        shard_count: None,
        ..new_stream("s", 2)
    };
    assert_refused!(
        call!(f, create_stream, provisioned),
        "ValidationException",
        "ShardCount must be given for a stream in PROVISIONED mode."
    );
}

#[tokio::test]
async fn the_defaults_of_a_new_stream_may_be_spelt_out() {
    let f = Fixture::new().await;
    let defaults = CreateStreamInput {
        warm_throughput_mibps: Some(0),
        record_distribution_strategy: Some(RecordDistributionStrategy::UserPartitionKey),
        ..new_stream("s", 1)
    };
    call!(f, create_stream, defaults).expect("created");
}

#[tokio::test]
async fn a_name_is_taken_until_the_stream_is_deleted() {
    let f = Fixture::new().await;
    f.create("s", 1).await;
    assert_refused!(
        call!(f, create_stream, new_stream("s", 1)),
        "ResourceInUseException",
        "Stream s under account 000000000000 already exists."
    );
    call!(f, delete_stream, named("s")).expect("deleted");
    f.create("s", 1).await;
}

#[tokio::test]
async fn a_request_over_the_shard_quota_is_refused_with_the_count() {
    let f = Fixture::new().await;
    f.create("s", 3).await;
    assert_refused!(
        call!(f, create_stream, new_stream("t", 100_000)),
        "LimitExceededException",
        "This request would exceed the shard limit for the account 000000000000 in us-east-1. \
         Current shard count for the account: 3. Limit: 20000. Number of additional shards that \
         would have resulted from this request: 100000. Refer to the AWS Service Limits page \
         (http://docs.aws.amazon.com/general/latest/gr/aws_service_limits.html) for current limits \
         and how to request higher limits."
    );
    let f = Fixture::unlimited().await;
    let refused = call!(f, create_stream, new_stream("t", i32::MAX)).expect_err("never lifted");
    assert_eq!(answer(&refused).0, "LimitExceededException");
}

#[tokio::test]
async fn the_shard_quota_is_counted_to_the_last_shard() {
    let settings = Settings {
        shard_quota: Some(3),
        ..Settings::default()
    };
    let f = Fixture::with(settings).await;
    f.create("s", 3).await;
    assert!(call!(f, create_stream, new_stream("t", 1)).is_err());
    let refused =
        call!(f, split_shard, split("s", &shard(0), "1000")).expect_err("a split adds one");
    assert_eq!(answer(&refused).0, "LimitExceededException");
    call!(f, merge_shards, merge("s", &shard(0), &shard(1))).expect("a merge adds none");
    f.create("t", 1).await;
}

#[tokio::test]
async fn on_demand_streams_have_a_quota_of_their_own() {
    let f = Fixture::with(Settings {
        on_demand_quota: Some(1),
        ..Settings::default()
    })
    .await;
    let on_demand = |name: &str| CreateStreamInput {
        shard_count: None,
        ..new_stream(name, 1)
    };
    call!(f, create_stream, on_demand("s")).expect("created");
    assert_refused!(
        call!(f, create_stream, on_demand("t")),
        "LimitExceededException",
        "Account 000000000000 has reached its limit of 1 on-demand streams."
    );
    f.create("u", 1).await;
}

#[tokio::test]
async fn creating_five_streams_a_second_is_the_rate() {
    let f = Fixture::new().await;
    for name in ["a", "b", "c", "d", "e"] {
        f.create(name, 1).await;
    }
    assert_refused!(
        call!(f, create_stream, new_stream("f", 1)),
        "LimitExceededException",
        "Rate exceeded for stream f under account 000000000000."
    );
    f.advance_secs(1);
    f.create("f", 1).await;
}

#[tokio::test]
async fn a_stream_that_is_being_created_shows_no_shards_and_takes_no_records() {
    let settings = Settings {
        state_delay: Duration::from_secs(30),
        ..Settings::default()
    };
    let f = Fixture::with(settings).await;
    f.create("s", 1).await;
    let stream = f.describe("s").await;
    assert_eq!(
        (stream.stream_status, stream.shards.len()),
        (StreamStatus::Creating, 0)
    );
    let not_found = "Stream s under account 000000000000 not found.";
    assert_refused!(
        call!(f, put_record, record("s", "k", b"x")),
        "ResourceNotFoundException",
        not_found
    );
    let iterator = iterator("s", &shard(0), ShardIteratorType::Latest);
    assert_refused!(
        call!(f, get_shard_iterator, iterator),
        "ResourceNotFoundException",
        not_found
    );
    let listing = ListShardsInput {
        stream_name: Some("s".into()),
        ..ListShardsInput::default()
    };
    assert_refused!(
        call!(f, list_shards, listing),
        "ResourceInUseException",
        "Stream s under account 000000000000 not ACTIVE, instead in state CREATING"
    );
    f.advance_secs(30);
    assert_eq!(f.describe("s").await.stream_status, StreamStatus::Active);
    f.put_at("s", "0", "x").await;
}

#[tokio::test]
async fn five_streams_may_be_creating_at_once() {
    let settings = Settings {
        state_delay: Duration::from_secs(30),
        ..Settings::default()
    };
    let f = Fixture::with(settings).await;
    for name in ["a", "b", "c", "d", "e"] {
        f.create(name, 1).await;
    }
    f.advance_secs(1);
    assert_refused!(
        call!(f, create_stream, new_stream("f", 1)),
        "LimitExceededException",
        "Account 000000000000 has 5 streams in CREATING state; wait until one is ACTIVE."
    );
    f.advance_secs(29);
    f.create("f", 1).await;
}

#[tokio::test]
async fn a_stream_that_is_being_deleted_can_be_deleted_again_until_it_is_gone() {
    let settings = Settings {
        state_delay: Duration::from_secs(30),
        ..Settings::default()
    };
    let f = Fixture::with(settings).await;
    f.create("s", 1).await;
    call!(f, delete_stream, named("s")).expect("while it is created");
    call!(f, delete_stream, named("s")).expect("twice");
    assert_eq!(f.describe("s").await.stream_status, StreamStatus::Deleting);
    let refused = call!(f, create_stream, new_stream("s", 1)).expect_err("still there");
    assert_eq!(answer(&refused).0, "ResourceInUseException");
    f.advance_secs(30);
    assert_refused!(
        call!(f, delete_stream, named("s")),
        "ResourceNotFoundException",
        "Stream s under account 000000000000 not found."
    );
    f.create("s", 1).await;
}

#[tokio::test]
async fn a_deleted_stream_leaves_nothing_in_the_log() {
    let f = Fixture::new().await;
    f.create("s", 2).await;
    f.put_at("s", "0", "x").await;
    f.put_at("s", HALF, "y").await;
    let partitions = f.log_partitions();
    assert_eq!(partitions, 2);
    call!(f, delete_stream, named("s")).expect("deleted");
    assert_eq!(f.log_partitions(), 0);
}

#[tokio::test]
async fn what_a_delayed_deletion_leaves_is_swept() {
    let settings = Settings {
        state_delay: Duration::from_secs(30),
        limits: Limits::None,
        ..Settings::default()
    };
    let mut f = Fixture::with(settings).await;
    f.create("s", 1).await;
    f.advance_secs(30);
    f.put_at("s", "0", "x").await;
    call!(f, delete_stream, named("s")).expect("deleted");
    f.streams.sweep().await.expect("swept");
    assert_eq!(f.log_partitions(), 1);
    f.advance_secs(30);
    f.restart().await;
    f.streams.sweep().await.expect("swept");
    assert_eq!(f.log_partitions(), 0);
}

#[tokio::test]
async fn a_stream_is_named_by_its_name_its_arn_or_both() {
    let f = Fixture::new().await;
    f.create("s", 1).await;
    let arn = f.arn("s").to_string();
    let input = |name: Option<&str>, arn: Option<&str>| DescribeStreamSummaryInput {
        stream_name: name.map(Into::into),
        stream_arn: arn.map(Into::into),
        ..DescribeStreamSummaryInput::default()
    };
    for (name, arn) in [
        (Some("s"), None),
        (None, Some(arn.as_str())),
        (Some("s"), Some(&arn)),
    ] {
        let output = call!(f, describe_stream_summary, input(name, arn)).expect("described");
        let summary = output.stream_description_summary;
        assert_eq!(
            (summary.stream_name.as_str(), summary.open_shard_count),
            ("s", 1)
        );
        assert_eq!(summary.max_record_size_in_kib, Some(1024));
    }
    assert_refused!(
        call!(f, describe_stream_summary, input(None, None)),
        "InvalidArgumentException",
        "Either StreamName or StreamARN should be provided."
    );
    assert_refused!(
        call!(f, describe_stream_summary, input(Some("t"), Some(&arn))),
        "InvalidArgumentException",
        format!("StreamName t and StreamARN {arn} name different streams.")
    );
    let elsewhere = "arn:aws:kinesis:eu-west-1:000000000000:stream/s";
    assert_refused!(
        call!(f, describe_stream_summary, input(None, Some(elsewhere))),
        "ResourceNotFoundException",
        "Stream s under account 000000000000 not found."
    );
    let foreign = "arn:aws:kinesis:us-east-1:111111111111:stream/s";
    let refused = call!(f, describe_stream_summary, input(None, Some(foreign)));
    assert_eq!(
        answer(&refused.expect_err("not ours")).0,
        "AccessDeniedException"
    );
}

#[tokio::test]
async fn streams_and_records_survive_a_restart() {
    let mut f = Fixture::new().await;
    f.create("s", 1).await;
    f.put_at("s", "0", "before").await;
    let iterator = f
        .iterator("s", &shard(0), ShardIteratorType::TrimHorizon)
        .await;
    f.restart().await;
    f.put_at("s", "0", "after").await;
    assert_eq!(texts(&f.read(&iterator).await), ["before", "after"]);
}

#[tokio::test]
async fn a_clock_that_steps_back_makes_no_stream_young_again() {
    let f = Fixture::new().await;
    f.create("s", 1).await;
    f.clock.set(f.now().minus(Duration::from_secs(3600)));
    assert_eq!(f.describe("s").await.stream_status, StreamStatus::Active);
    let put = f.put_at("s", "0", "x").await;
    let start = f.describe("s").await.shards[0]
        .sequence_number_range
        .clone();
    assert!(put.sequence_number > start.starting_sequence_number);
}
