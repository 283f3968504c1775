//! Switches of the capacity mode.

use std::time::Duration;

use tidemill_shapes::kinesis::*;
use tidemill_streams::{Limits, Settings};

use crate::fixture::*;
use crate::{assert_refused, call};

const HOUR: u64 = 3600;

fn switch(f: &Fixture, name: &str, stream_mode: StreamMode) -> UpdateStreamModeInput {
    UpdateStreamModeInput {
        stream_arn: f.arn(name).to_string(),
        stream_mode_details: StreamModeDetails { stream_mode },
        stream_id: None,
        warm_throughput_mibps: None,
    }
}

#[tokio::test]
async fn a_switch_keeps_the_shards_and_who_may_reshard_changes() {
    let f = Fixture::new().await;
    f.create("s", 2).await;
    let before = f.describe("s").await.shards;
    call!(f, update_stream_mode, switch(&f, "s", StreamMode::OnDemand)).expect("switched");
    let described = f.describe("s").await;
    assert_eq!(described.shards, before);
    let stream_mode = StreamMode::OnDemand;
    assert_eq!(
        described.stream_mode_details,
        Some(StreamModeDetails { stream_mode })
    );
    assert_refused!(
        call!(f, split_shard, split("s", &shard(0), "77")),
        "ValidationException",
        "SplitShard is not supported for stream s under account 000000000000: it is in ON_DEMAND mode."
    );
    call!(
        f,
        update_stream_mode,
        switch(&f, "s", StreamMode::Provisioned)
    )
    .expect("switched");
    f.split("s", &shard(0), "77").await;
}

#[tokio::test]
async fn the_mode_is_switched_twice_within_a_day() {
    let mut f = Fixture::new().await;
    f.create("s", 1).await;
    call!(f, update_stream_mode, switch(&f, "s", StreamMode::OnDemand)).expect("switched");
    f.advance_secs(10 * HOUR);
    let back = || switch(&f, "s", StreamMode::Provisioned);
    call!(f, update_stream_mode, back()).expect("switched");
    let text = "The mode of stream s under account 000000000000 has been switched 2 times within 24 \
                hours, as often as it can be.";
    let again = switch(&f, "s", StreamMode::OnDemand);
    assert_refused!(
        call!(f, update_stream_mode, again.clone()),
        "LimitExceededException",
        text
    );
    f.restart().await;
    f.advance_secs(14 * HOUR - 1);
    assert_refused!(
        call!(f, update_stream_mode, again.clone()),
        "LimitExceededException",
        text
    );
    f.advance_secs(1);
    call!(f, update_stream_mode, again).expect("the first switch counts no more");
}

#[tokio::test]
async fn without_limits_the_mode_is_switched_at_will() {
    let f = Fixture::unlimited().await;
    f.create("s", 1).await;
    for _ in 0..3 {
        for mode in [StreamMode::OnDemand, StreamMode::Provisioned] {
            call!(f, update_stream_mode, switch(&f, "s", mode)).expect("switched");
        }
    }
}

#[tokio::test]
async fn a_switch_that_cannot_be_is_refused() {
    let f = Fixture::with(Settings {
        on_demand_quota: Some(0),
        state_delay: Duration::from_secs(5),
        ..Settings::default()
    })
    .await;
    f.create("s", 1).await;
    assert_refused!(
        call!(f, update_stream_mode, switch(&f, "s", StreamMode::OnDemand)),
        "ResourceInUseException",
        "Stream s under account 000000000000 not ACTIVE, instead in state CREATING"
    );
    f.advance_secs(5);
    assert_refused!(
        call!(
            f,
            update_stream_mode,
            switch(&f, "s", StreamMode::Provisioned)
        ),
        "InvalidArgumentException",
        "Stream s under account 000000000000 is already in PROVISIONED mode."
    );
    assert_refused!(
        call!(f, update_stream_mode, switch(&f, "s", StreamMode::OnDemand)),
        "LimitExceededException",
        "Account 000000000000 has reached its limit of 0 on-demand streams."
    );
    assert_refused!(
        call!(f, update_stream_mode, switch(&f, "t", StreamMode::OnDemand)),
        "ResourceNotFoundException",
        "Stream t under account 000000000000 not found."
    );
    let mut foreign = switch(&f, "s", StreamMode::OnDemand);
    foreign.stream_arn = "arn:aws:kinesis:us-east-1:111111111111:stream/s".into();
    assert_refused!(
        call!(f, update_stream_mode, foreign),
        "ResourceNotFoundException",
        "Stream s under account 111111111111 not found."
    );
    let warm = UpdateStreamModeInput {
        warm_throughput_mibps: Some(10),
        ..switch(&f, "s", StreamMode::OnDemand)
    };
    assert_refused!(
        call!(f, update_stream_mode, warm),
        "LimitExceededException",
        "Account 000000000000 has reached its limit of 0 on-demand streams."
    );
}

#[tokio::test]
async fn a_stream_that_becomes_provisioned_must_fit_the_quota_of_shards() {
    let f = Fixture::with(Settings {
        shard_quota: Some(5),
        limits: Limits::Aws,
        ..Settings::default()
    })
    .await;
    f.create("p", 2).await;
    let on_demand = CreateStreamInput {
        shard_count: None,
        ..new_stream("s", 1)
    };
    call!(f, create_stream, on_demand).expect("created");
    let refused = call!(
        f,
        update_stream_mode,
        switch(&f, "s", StreamMode::Provisioned)
    )
    .expect_err("2 and 4 are more than 5");
    let (code, message) = answer(&refused);
    assert_eq!(code, "LimitExceededException");
    assert!(message.contains("Current shard count for the account: 2. Limit: 5."));
}

fn warm(name: &str, mibps: i32) -> UpdateStreamWarmThroughputInput {
    UpdateStreamWarmThroughputInput {
        stream_name: Some(name.into()),
        warm_throughput_mibps: mibps,
        stream_arn: None,
        stream_id: None,
    }
}

async fn commit(f: &Fixture, status: MinimumThroughputBillingCommitmentInputStatus) {
    let input = settings(status);
    call!(f, update_account_settings, input).expect("committed");
}

fn settings(status: MinimumThroughputBillingCommitmentInputStatus) -> UpdateAccountSettingsInput {
    UpdateAccountSettingsInput {
        minimum_throughput_billing_commitment: MinimumThroughputBillingCommitmentInput { status },
    }
}

async fn summary(f: &Fixture, name: &str) -> StreamDescriptionSummary {
    let input = DescribeStreamSummaryInput {
        stream_name: Some(name.into()),
        ..DescribeStreamSummaryInput::default()
    };
    call!(f, describe_stream_summary, input)
        .expect("described")
        .stream_description_summary
}

fn throughput(target: i32, current: i32) -> Option<WarmThroughputObject> {
    Some(WarmThroughputObject {
        target_mibps: Some(target),
        current_mibps: Some(current),
    })
}

#[tokio::test]
async fn warm_throughput_has_its_shards_at_once_and_gives_them_back() {
    let mut f = Fixture::new().await;
    commit(&f, MinimumThroughputBillingCommitmentInputStatus::Enabled).await;
    let on_demand = CreateStreamInput {
        shard_count: None,
        warm_throughput_mibps: Some(10),
        ..new_stream("s", 1)
    };
    call!(f, create_stream, on_demand).expect("created");
    assert_eq!(summary(&f, "s").await.warm_throughput, throughput(10, 10));
    let output = call!(f, update_stream_warm_throughput, warm("s", 40)).expect("warm");
    assert_eq!(output.warm_throughput, throughput(40, 40));
    assert_eq!(output.stream_arn, Some(f.arn("s").to_string()));
    f.restart().await;
    let found = summary(&f, "s").await;
    assert_eq!(
        (found.open_shard_count, found.stream_status),
        (40, StreamStatus::Active)
    );

    let output = call!(f, update_stream_warm_throughput, warm("s", 6)).expect("cooler");
    assert_eq!(output.warm_throughput, throughput(6, 6));
    let output = call!(f, update_stream_warm_throughput, warm("s", 0)).expect("cold");
    assert_eq!(output.warm_throughput, throughput(0, 4));
    assert_eq!(summary(&f, "s").await.warm_throughput, None);
}

#[tokio::test]
async fn a_stream_keeps_the_shards_that_its_last_hour_needs() {
    let f = Fixture::unlimited().await;
    commit(&f, MinimumThroughputBillingCommitmentInputStatus::Enabled).await;
    f.create("s", 2).await;
    let to_on_demand = UpdateStreamModeInput {
        warm_throughput_mibps: Some(30),
        ..switch(&f, "s", StreamMode::OnDemand)
    };
    call!(f, update_stream_mode, to_on_demand).expect("switched");
    assert_eq!(summary(&f, "s").await.warm_throughput, throughput(30, 30));
    // 150,000 records in a minute are 2,500 a second: twice as many need five shards.
    for _ in 0..300 {
        let entry = PutRecordsRequestEntry {
            partition_key: Some("k".into()),
            explicit_hash_key: None,
            data: "x".into(),
        };
        let input = PutRecordsInput {
            stream_name: Some("s".into()),
            records: packed(&vec![entry; 500]),
            ..PutRecordsInput::default()
        };
        call!(f, put_records, input).expect("put");
    }
    f.advance_secs(HOUR);
    call!(f, update_stream_warm_throughput, warm("s", 0)).expect("cold");
    assert_eq!(summary(&f, "s").await.open_shard_count, 5);
    f.advance_secs(HOUR);
    call!(f, update_stream_warm_throughput, warm("s", 0)).expect("cold");
    assert_eq!(summary(&f, "s").await.open_shard_count, 4);
}

#[tokio::test]
async fn warm_throughput_is_for_on_demand_streams_of_who_has_committed() {
    let f = Fixture::unlimited().await;
    f.create("p", 1).await;
    let on_demand = |warm_throughput_mibps| CreateStreamInput {
        shard_count: None,
        warm_throughput_mibps,
        ..new_stream("s", 1)
    };
    let invalid = "InvalidArgumentException";
    let uncommitted = "Warm throughput of stream s under account 000000000000 needs the account's \
                       MinimumThroughputBillingCommitment to be ENABLED.";
    assert_refused!(
        call!(f, create_stream, on_demand(Some(5))),
        invalid,
        uncommitted
    );
    call!(f, create_stream, on_demand(Some(0))).expect("created");
    assert_refused!(
        call!(f, update_stream_warm_throughput, warm("s", 5)),
        invalid,
        uncommitted
    );
    commit(&f, MinimumThroughputBillingCommitmentInputStatus::Enabled).await;
    assert_refused!(
        call!(f, update_stream_warm_throughput, warm("p", 5)),
        invalid,
        "Stream p under account 000000000000 is in PROVISIONED mode, which has no warm throughput."
    );
    assert_refused!(
        call!(f, update_stream_warm_throughput, warm("s", 10_241)),
        "LimitExceededException",
        "WarmThroughputMiBps 10241 for stream s under account 000000000000 is more than 10240."
    );
    call!(f, update_stream_warm_throughput, warm("s", 5)).expect("warm");
    f.advance_secs(25 * HOUR);
    assert_refused!(
        call!(
            f,
            update_account_settings,
            settings(MinimumThroughputBillingCommitmentInputStatus::Disabled)
        ),
        invalid,
        "Account 000000000000 has streams with warm throughput. Set it to 0 before ending the commitment."
    );
    call!(f, update_stream_warm_throughput, warm("s", 0)).expect("cold");
    commit(&f, MinimumThroughputBillingCommitmentInputStatus::Disabled).await;
}
