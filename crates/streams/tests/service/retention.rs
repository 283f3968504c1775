//! What retention takes, the operations that change it, and the sweep.

use tidemill_shapes::kinesis::*;

use crate::fixture::*;
use crate::{assert_refused, call};

const HOUR: u64 = 3600;

fn increase(hours: i32) -> IncreaseStreamRetentionPeriodInput {
    IncreaseStreamRetentionPeriodInput {
        stream_name: Some("s".into()),
        retention_period_hours: hours,
        ..IncreaseStreamRetentionPeriodInput::default()
    }
}

fn decrease(hours: i32) -> DecreaseStreamRetentionPeriodInput {
    DecreaseStreamRetentionPeriodInput {
        stream_name: Some("s".into()),
        retention_period_hours: hours,
        ..DecreaseStreamRetentionPeriodInput::default()
    }
}

#[tokio::test]
async fn a_record_is_given_out_until_its_retention_has_passed_to_the_millisecond() {
    let f = Fixture::unlimited().await;
    f.create("s", 1).await;
    f.put_at("s", "0", "a").await;
    f.advance_secs(1);
    f.put_at("s", "0", "b").await;
    f.advance_secs(24 * HOUR - 1);
    assert_eq!(f.all("s", &shard(0)).await, ["a", "b"]);
    f.clock.advance(std::time::Duration::from_millis(1));
    assert_eq!(f.all("s", &shard(0)).await, ["b"]);
    f.advance_secs(1);
    assert!(f.all("s", &shard(0)).await.is_empty());
}

#[tokio::test]
async fn a_reader_that_slept_too_long_goes_on_at_the_horizon() {
    let f = Fixture::unlimited().await;
    f.create("s", 1).await;
    let old = f.put_at("s", "0", "old").await.sequence_number;
    f.advance_secs(24 * HOUR);
    f.put_at("s", "0", "new").await;
    let iterator = f
        .iterator("s", &shard(0), ShardIteratorType::TrimHorizon)
        .await;
    f.advance_secs(1);
    assert_eq!(texts(&f.read(&iterator).await), ["new"]);
    f.streams.sweep().await.expect("swept");
    assert_eq!(
        texts(&f.read(&iterator).await),
        ["new"],
        "also when the space has been freed"
    );
    let input = GetShardIteratorInput {
        starting_sequence_number: Some(old),
        ..crate::fixture::iterator("s", &shard(0), ShardIteratorType::AtSequenceNumber)
    };
    let token = call!(f, get_shard_iterator, input).expect("old numbers are good");
    assert_eq!(
        texts(&f.read(&token.shard_iterator.unwrap()).await),
        ["new"]
    );
}

#[tokio::test]
async fn a_longer_retention_does_not_bring_back_what_has_expired() {
    let f = Fixture::unlimited().await;
    f.create("s", 1).await;
    f.put_at("s", "0", "a").await;
    f.advance_secs(HOUR);
    f.put_at("s", "0", "b").await;
    f.advance_secs(24 * HOUR - 1);
    call!(f, increase_stream_retention_period, increase(48)).expect("increased");
    assert_eq!(f.describe("s").await.retention_period_hours, 48);
    assert_eq!(f.all("s", &shard(0)).await, ["b"]);
    f.advance_secs(24 * HOUR);
    assert_eq!(
        f.all("s", &shard(0)).await,
        ["b"],
        "what had not expired is kept longer"
    );
}

#[tokio::test]
async fn a_shorter_retention_takes_at_once_and_for_good() {
    let mut f = Fixture::unlimited().await;
    f.create("s", 1).await;
    call!(f, increase_stream_retention_period, increase(72)).expect("increased");
    f.put_at("s", "0", "a").await;
    f.advance_secs(30 * HOUR);
    f.put_at("s", "0", "b").await;
    assert_eq!(f.all("s", &shard(0)).await, ["a", "b"]);
    call!(f, decrease_stream_retention_period, decrease(24)).expect("decreased");
    assert_eq!(f.all("s", &shard(0)).await, ["b"]);
    call!(f, increase_stream_retention_period, increase(72)).expect("increased");
    f.restart().await;
    assert_eq!(f.all("s", &shard(0)).await, ["b"]);
}

#[tokio::test]
async fn a_retention_that_cannot_be_is_refused() {
    let f = Fixture::unlimited().await;
    f.create("s", 1).await;
    call!(f, increase_stream_retention_period, increase(24)).expect("the same is no mistake");
    call!(f, decrease_stream_retention_period, decrease(24)).expect("the same is no mistake");
    for hours in [23, 0, -5] {
        let text = format!(
            "Minimum allowed retention period is 24 hours. Requested retention period ({hours} \
             hours) is too short."
        );
        assert_refused!(
            call!(f, increase_stream_retention_period, increase(hours)),
            "InvalidArgumentException",
            text
        );
        assert_refused!(
            call!(f, decrease_stream_retention_period, decrease(hours)),
            "InvalidArgumentException",
            text
        );
    }
    assert_refused!(
        call!(f, increase_stream_retention_period, increase(8761)),
        "ValidationException",
        "1 validation error detected: Value '8761' at 'retentionPeriodHours' failed to satisfy \
         constraint: Member must have value less than or equal to 8760"
    );
    call!(f, increase_stream_retention_period, increase(8760)).expect("a year");
    assert_refused!(
        call!(f, increase_stream_retention_period, increase(48)),
        "InvalidArgumentException",
        "Requested retention period (48 hours) for stream s can not be shorter than existing \
         retention period (8760 hours). Use DecreaseRetentionPeriod API."
    );
    call!(f, decrease_stream_retention_period, decrease(48)).expect("decreased");
    assert_refused!(
        call!(f, decrease_stream_retention_period, decrease(72)),
        "InvalidArgumentException",
        "Requested retention period (72 hours) for stream s can not be longer than existing \
         retention period (48 hours). Use IncreaseRetentionPeriod API."
    );
}

#[tokio::test]
async fn a_closed_shard_is_forgotten_when_all_it_held_has_expired() {
    let mut f = Fixture::unlimited().await;
    f.create("s", 1).await;
    f.put_at("s", "0", "old").await;
    f.split("s", &shard(0), HALF).await;
    // The shard was closed a millisecond after it was created.
    f.advance_secs(24 * HOUR);
    f.clock.advance(std::time::Duration::from_millis(1));
    let iterator = f
        .iterator("s", &shard(0), ShardIteratorType::TrimHorizon)
        .await;
    assert_eq!(f.shard_ids("s", None).await, [shard(0), shard(1), shard(2)]);
    f.clock.advance(std::time::Duration::from_millis(1));
    for _ in 0..2 {
        assert_eq!(f.shard_ids("s", None).await, [shard(1), shard(2)]);
        let text =
            "Shard shardId-000000000000 in stream s under account 000000000000 does not exist";
        assert_refused!(
            call!(f, get_records, from(&iterator)),
            "ResourceNotFoundException",
            text
        );
        f.streams.sweep().await.expect("swept");
        f.restart().await;
    }
    assert_eq!(f.log_partitions(), 0);
    let put = f.put_at("s", "0", "new").await;
    assert_eq!(put.shard_id, shard(1));
    f.split("s", &shard(1), "1000").await;
    assert_eq!(
        f.shard_ids("s", None).await[2..],
        [shard(3), shard(4)],
        "numbers are not reused"
    );
}

#[tokio::test]
async fn a_reader_of_a_closed_shard_reaches_its_end_though_all_before_it_has_expired() {
    let f = Fixture::unlimited().await;
    f.create("s", 1).await;
    f.put_at("s", "0", "old").await;
    f.advance_secs(HOUR);
    f.split("s", &shard(0), HALF).await;
    f.advance_secs(23 * HOUR - 1);
    let token = f
        .iterator("s", &shard(0), ShardIteratorType::TrimHorizon)
        .await;
    f.advance_secs(2);
    let end = f.read(&token).await;
    assert!(end.records.is_empty() && end.next_shard_iterator.is_none());
    assert_eq!(end.child_shards.expect("the end").len(), 2);
}

#[tokio::test]
async fn the_sweep_frees_what_has_expired_and_nothing_else() {
    let f = Fixture::unlimited().await;
    f.create("s", 1).await;
    f.put_at("s", "0", "a").await;
    f.advance_secs(HOUR);
    f.put_at("s", "0", "b").await;
    f.streams.sweep().await.expect("nothing to do");
    f.advance_secs(23 * HOUR + 1);
    f.streams.sweep().await.expect("swept");
    f.clock
        .set(f.now().minus(std::time::Duration::from_secs(HOUR)));
    assert_eq!(f.all("s", &shard(0)).await, ["b"]);
}
