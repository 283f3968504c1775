//! UpdateShardCount, and what a crash in the middle of it leaves.

use std::time::Duration;

use tidemill_shapes::kinesis::*;
use tidemill_streams::Settings;

use crate::fixture::*;
use crate::{assert_refused, call};

const THIRD: &str = "113427455640312821154458202477256070485";

fn target(name: &str, count: i32) -> UpdateShardCountInput {
    UpdateShardCountInput {
        scaling_type: ScalingType::UniformScaling,
        stream_arn: None,
        stream_id: None,
        stream_name: Some(name.into()),
        target_shard_count: count,
    }
}

/// First keys of the open shards, in their order.
async fn starts(f: &Fixture, name: &str) -> Vec<String> {
    let shards = f.describe(name).await.shards.into_iter();
    let open = shards.filter(|shard| {
        let numbers = &shard.sequence_number_range;
        numbers.ending_sequence_number.is_none()
    });
    let mut starts: Vec<u128> = open
        .map(|shard| {
            shard
                .hash_key_range
                .starting_hash_key
                .parse()
                .expect("a key")
        })
        .collect();
    starts.sort_unstable();
    starts.into_iter().map(|start| start.to_string()).collect()
}

#[tokio::test]
async fn doubling_splits_every_shard_once() {
    let f = Fixture::new().await;
    f.create("s", 2).await;
    let answer = call!(f, update_shard_count, target("s", 4)).expect("scaled");
    assert_eq!(answer.current_shard_count, Some(2));
    assert_eq!(answer.target_shard_count, Some(4));
    assert_eq!(answer.stream_name.as_deref(), Some("s"));
    assert_eq!(answer.stream_arn, Some(f.arn("s").to_string()));
    let described = f.describe("s").await;
    assert_eq!(described.stream_status, StreamStatus::Active);
    assert_eq!(described.shards.len(), 6);
    for (child, parent) in [(2, 0), (3, 0), (4, 1), (5, 1)] {
        assert_eq!(described.shards[child].parent_shard_id, Some(shard(parent)));
        assert_eq!(described.shards[child].adjacent_parent_shard_id, None);
    }
}

#[tokio::test]
async fn four_shards_become_three_of_one_size_and_lose_no_record() {
    let f = Fixture::new().await;
    f.create("s", 4).await;
    for hash in ["0", HALF, "255211775190703847597530955573826158592"] {
        f.put_at("s", hash, "old").await;
    }
    call!(f, update_shard_count, target("s", 3)).expect("scaled");
    let two_thirds = "226854911280625642308916404954512140970";
    assert_eq!(starts(&f, "s").await, ["0", THIRD, two_thirds]);
    let shards = f.describe("s").await.shards;
    assert_eq!(
        shards.len(),
        4 + 4 + 3,
        "of which four lived only between the rounds"
    );
    let put = f.put_at("s", HALF, "new").await;
    let taken = shards.iter().find(|shard| shard.shard_id == put.shard_id);
    let range = &taken.expect("listed").hash_key_range;
    assert_eq!(range.starting_hash_key, THIRD);
    let mut texts = Vec::new();
    for listed in &shards {
        texts.extend(f.all("s", &listed.shard_id).await);
    }
    assert_eq!(texts, ["old", "old", "old", "new"]);
}

#[tokio::test]
async fn a_target_lies_between_the_half_and_the_double() {
    let f = Fixture::new().await;
    f.create("s", 3).await;
    for (count, text) in [
        (
            7,
            "UpdateShardCount cannot scale up over double your current open shard count. Current \
             open shard count: 3 Target shard count: 7",
        ),
        (
            1,
            "UpdateShardCount cannot scale down below half your current open shard count. Current \
             open shard count: 3 Target shard count: 1",
        ),
    ] {
        let refused = call!(f, update_shard_count, target("s", count));
        assert_refused!(refused, "LimitExceededException", text);
    }
    call!(f, update_shard_count, target("s", 2)).expect("two of three are more than the half");
    call!(f, update_shard_count, target("s", 1)).expect("the half");
    call!(f, update_shard_count, target("s", 2)).expect("the double");
    assert_eq!(starts(&f, "s").await.len(), 2, "closed shards do not count");
}

#[tokio::test]
async fn a_target_has_an_end_and_the_account_a_quota() {
    let f = Fixture::with(Settings {
        shard_quota: Some(20_000),
        ..Settings::default()
    })
    .await;
    f.create("s", 6000).await;
    assert_refused!(
        call!(f, update_shard_count, target("s", 10_001)),
        "LimitExceededException",
        "Target shard count or number of open shards cannot be greater than 10000. Current open \
         shard count: 6000, Target shard count: 10001"
    );
    let f = Fixture::with(Settings {
        shard_quota: Some(5),
        ..Settings::default()
    })
    .await;
    f.create("s", 3).await;
    call!(f, update_shard_count, target("s", 5)).expect("within the quota");
    assert_refused!(
        call!(f, update_shard_count, target("s", 6)),
        "LimitExceededException",
        "This request would exceed the shard limit for the account 000000000000 in us-east-1. \
         Current shard count for the account: 5. Limit: 5. Number of additional shards that would \
         have resulted from this request: 1. Refer to the AWS Service Limits page \
         (http://docs.aws.amazon.com/general/latest/gr/aws_service_limits.html) for current limits \
         and how to request higher limits."
    );
    call!(f, update_shard_count, target("s", 5)).expect("no more than there are");
}

#[tokio::test]
async fn a_stream_is_scaled_ten_times_a_day() {
    let f = Fixture::new().await;
    f.create("s", 1).await;
    for round in 0..10 {
        f.advance_secs(60);
        call!(f, update_shard_count, target("s", 1 + (round + 1) % 2)).expect("scaled");
    }
    let text = "UpdateShardCount was called 10 times within 24 hours for stream s under account \
                000000000000.";
    let refused = call!(f, update_shard_count, target("s", 1));
    assert_refused!(refused, "LimitExceededException", text);
    f.advance_secs(24 * 3600 - 60 * 9 - 1);
    let refused = call!(f, update_shard_count, target("s", 1));
    assert_refused!(refused, "LimitExceededException", text);
    f.advance_secs(1);
    call!(f, update_shard_count, target("s", 1)).expect("the first is a day old");
    let f = Fixture::unlimited().await;
    f.create("s", 1).await;
    for _ in 0..11 {
        call!(f, update_shard_count, target("s", 1)).expect("no limit");
    }
}

#[tokio::test]
async fn an_on_demand_or_busy_or_absent_stream_is_not_scaled() {
    let f = Fixture::with(Settings {
        state_delay: Duration::from_secs(30),
        ..Settings::default()
    })
    .await;
    assert_refused!(
        call!(f, update_shard_count, target("s", 1)),
        "ResourceNotFoundException",
        "Stream s under account 000000000000 not found."
    );
    f.create("s", 4).await;
    assert_refused!(
        call!(f, update_shard_count, target("s", 4)),
        "ResourceInUseException",
        "Stream s under account 000000000000 not ACTIVE, instead in state CREATING"
    );
    f.advance_secs(30);
    call!(f, update_shard_count, target("s", 3)).expect("begun");
    for _ in 0..2 {
        assert_eq!(f.describe("s").await.stream_status, StreamStatus::Updating);
        f.advance_secs(30);
    }
    let described = f.describe("s").await;
    assert_eq!(
        described.stream_status,
        StreamStatus::Active,
        "two rounds, a minute"
    );
    let input = CreateStreamInput {
        stream_name: "o".into(),
        ..CreateStreamInput::default()
    };
    call!(f, create_stream, input).expect("created");
    f.advance_secs(30);
    assert_refused!(
        call!(f, update_shard_count, target("o", 8)),
        "ValidationException",
        "UpdateShardCount is not supported for stream o under account 000000000000: it is in \
         ON_DEMAND mode."
    );
}

#[tokio::test]
async fn a_scaling_that_a_crash_cuts_off_is_finished_at_the_start() {
    for trouble in [Trouble::Seals, Trouble::CommandsAfterSeal] {
        let mut f = Fixture::new().await;
        f.create("s", 4).await;
        f.put_at("s", HALF, "old").await;
        f.log.set(trouble);
        call!(f, update_shard_count, target("s", 3)).expect("it has begun, and will be done");
        assert_eq!(f.describe("s").await.stream_status, StreamStatus::Updating);
        assert_eq!(starts(&f, "s").await.len(), 4);
        f.log.set(None);
        f.restart().await;
        assert_eq!(f.describe("s").await.stream_status, StreamStatus::Active);
        assert_eq!(starts(&f, "s").await[1], THIRD, "after {trouble:?}");
        assert_eq!(f.all("s", &shard(2)).await, ["old"]);
    }
}

#[tokio::test]
async fn a_put_waits_for_one_round_and_the_sweep_does_the_rest() {
    let f = Fixture::new().await;
    f.create("s", 4).await;
    f.log.set(Trouble::CommandsAfterSeal);
    call!(f, update_shard_count, target("s", 3)).expect("begun");
    f.log.set(None);
    let put = f
        .put_at("s", "90000000000000000000000000000000000000", "met a seal")
        .await;
    assert!([shard(4), shard(5)].contains(&put.shard_id));
    assert_eq!(f.describe("s").await.stream_status, StreamStatus::Updating);
    f.streams.sweep().await.expect("swept");
    assert_eq!(f.describe("s").await.stream_status, StreamStatus::Active);
    assert_eq!(starts(&f, "s").await.len(), 3);
    assert_eq!(f.all("s", &put.shard_id).await, ["met a seal"]);
}

#[tokio::test]
async fn many_shards_are_scaled_in_rounds() {
    let f = Fixture::unlimited().await;
    f.create("s", 2500).await;
    call!(f, update_shard_count, target("s", 5000)).expect("scaled");
    let input = DescribeStreamSummaryInput {
        stream_name: Some("s".into()),
        ..DescribeStreamSummaryInput::default()
    };
    let summary = call!(f, describe_stream_summary, input).expect("described");
    assert_eq!(summary.stream_description_summary.open_shard_count, 5000);
}
