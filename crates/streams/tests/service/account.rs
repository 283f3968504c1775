//! DescribeLimits, DescribeAccountSettings, UpdateAccountSettings.

use tidemill_model::Region;
use tidemill_shapes::kinesis::MinimumThroughputBillingCommitmentInputStatus as Wanted;
use tidemill_shapes::kinesis::MinimumThroughputBillingCommitmentOutputStatus as Status;
use tidemill_shapes::kinesis::*;
use tidemill_streams::Settings;

use crate::fixture::*;
use crate::{assert_refused, call};

const RATE: &str = "Rate exceeded for account 000000000000.";

async fn settings(f: &Fixture) -> MinimumThroughputBillingCommitmentOutput {
    let input = DescribeAccountSettingsInput::default();
    let output = call!(f, describe_account_settings, input).expect("described");
    output.minimum_throughput_billing_commitment.expect("given")
}

async fn update(f: &Fixture, status: Wanted) -> MinimumThroughputBillingCommitmentOutput {
    let input = UpdateAccountSettingsInput {
        minimum_throughput_billing_commitment: MinimumThroughputBillingCommitmentInput { status },
    };
    let output = call!(f, update_account_settings, input).expect("updated");
    output.minimum_throughput_billing_commitment.expect("given")
}

#[tokio::test]
async fn the_limits_of_an_account_are_described_with_what_counts_against_them() {
    let f = Fixture::with(Settings {
        shard_quota: Some(10),
        on_demand_quota: Some(2),
        ..Settings::default()
    })
    .await;
    f.create("a", 3).await;
    f.create("b", 4).await;
    let on_demand = CreateStreamInput {
        stream_name: "c".into(),
        ..CreateStreamInput::default()
    };
    call!(f, create_stream, on_demand).expect("created");
    let limits = call!(f, describe_limits, DescribeLimitsInput::default()).expect("described");
    assert_eq!((limits.shard_limit, limits.open_shard_count), (10, 7));
    let on_demand = (
        limits.on_demand_stream_count_limit,
        limits.on_demand_stream_count,
    );
    assert_eq!(on_demand, (2, 1));
    assert_refused!(
        call!(f, describe_limits, DescribeLimitsInput::default()),
        "LimitExceededException",
        RATE
    );
    f.advance_secs(1);
    call!(f, describe_limits, DescribeLimitsInput::default()).expect("once a second");
}

#[tokio::test]
async fn the_limits_of_a_region_are_its_own_and_can_be_lifted() {
    let mut f = Fixture::new().await;
    f.create("a", 1).await;
    f.caller.region = Region::new("eu-central-1");
    let limits = call!(f, describe_limits, DescribeLimitsInput::default()).expect("described");
    assert_eq!((limits.shard_limit, limits.open_shard_count), (6000, 0));
    let f = Fixture::unlimited().await;
    for _ in 0..2 {
        let limits = call!(f, describe_limits, DescribeLimitsInput::default()).expect("no rate");
        assert_eq!(limits.shard_limit, 1_000_000);
        assert_eq!(limits.on_demand_stream_count_limit, 1_000_000);
    }
}

#[tokio::test]
async fn a_commitment_lasts_a_day_at_least_and_can_be_continued() {
    let mut f = Fixture::new().await;
    let never = settings(&f).await;
    assert_eq!(never.status, Status::Disabled);
    assert_eq!(
        (
            never.started_at,
            never.ended_at,
            never.earliest_allowed_end_at
        ),
        (None, None, None)
    );
    let start = f.now();
    let end = start.plus(std::time::Duration::from_secs(24 * 3600));
    let made = update(&f, Wanted::Enabled).await;
    assert_eq!(made.status, Status::Enabled);
    assert_eq!((made.started_at, made.ended_at), (Some(start), None));
    assert_eq!(made.earliest_allowed_end_at, Some(end));
    f.advance_secs(3600);
    let ending = update(&f, Wanted::Disabled).await;
    assert_eq!(ending.status, Status::EnabledUntilEarliestAllowedEnd);
    f.restart().await;
    assert_eq!(settings(&f).await, ending);
    assert_eq!(update(&f, Wanted::Enabled).await, made);
    update(&f, Wanted::Disabled).await;
    f.advance_secs(23 * 3600);
    let ended = settings(&f).await;
    assert_eq!(ended.status, Status::Disabled);
    assert_eq!((ended.started_at, ended.ended_at), (Some(start), Some(end)));
    assert_eq!(ended.earliest_allowed_end_at, None);
}

#[tokio::test]
async fn the_settings_of_an_account_have_a_rate_and_are_its_own() {
    let mut f = Fixture::new().await;
    update(&f, Wanted::Enabled).await;
    for _ in 0..5 {
        assert_eq!(settings(&f).await.status, Status::Enabled);
    }
    assert_refused!(
        call!(
            f,
            describe_account_settings,
            DescribeAccountSettingsInput::default()
        ),
        "LimitExceededException",
        RATE
    );
    f.caller.account = "111122223333".parse().expect("an account");
    assert_eq!(settings(&f).await.status, Status::Disabled);
}

#[tokio::test]
async fn a_committed_account_may_register_fifty_consumers() {
    let f = Fixture::new().await;
    f.create("s", 1).await;
    update(&f, Wanted::Enabled).await;
    let register = |number: u32| RegisterStreamConsumerInput {
        consumer_name: format!("c{number}"),
        stream_arn: f.arn("s").to_string(),
        stream_id: None,
        tags: None,
    };
    for number in 0..50 {
        f.advance_secs(1);
        call!(f, register_stream_consumer, register(number)).expect("registered");
    }
    assert_refused!(
        call!(f, register_stream_consumer, register(50)),
        "LimitExceededException",
        "Stream s under account 000000000000 has reached its limit of 50 consumers."
    );
}
