//! SubscribeToShard: what a subscriber gets, and when it ends.

use std::time::Duration;

use tidemill_model::Timestamp;
use tidemill_shapes::kinesis::*;
use tidemill_streams::{Limits, Settings};
use tokio::sync::mpsc;

use crate::fixture::*;
use crate::{assert_refused, call};

type Events = mpsc::Receiver<SubscribeToShardEventStream>;

async fn consumer(f: &Fixture, stream: &str, name: &str) -> String {
    let input = RegisterStreamConsumerInput {
        consumer_name: name.into(),
        stream_arn: f.arn(stream).to_string(),
        stream_id: None,
        tags: None,
    };
    let registered = call!(f, register_stream_consumer, input).expect("registered");
    registered.consumer.consumer_arn
}

fn position(kind: ShardIteratorType) -> StartingPosition {
    StartingPosition {
        r#type: kind,
        sequence_number: None,
        timestamp: None,
    }
}

fn input(consumer: &str, starting_position: StartingPosition) -> SubscribeToShardInput {
    SubscribeToShardInput {
        consumer_arn: consumer.into(),
        dry_run: None,
        shard_id: shard(0),
        starting_position,
        stream_id: None,
    }
}

async fn subscribe(f: &Fixture, consumer: &str, starting_position: StartingPosition) -> Events {
    call!(f, subscribe_to_shard, input(consumer, starting_position)).expect("subscribed")
}

async fn next(events: &mut Events) -> SubscribeToShardEvent {
    match events.recv().await {
        Some(SubscribeToShardEventStream::SubscribeToShardEvent(event)) => event,
        other => panic!("no event but {other:?}"),
    }
}

fn data(event: &SubscribeToShardEvent) -> Vec<String> {
    let texts = event.records.iter();
    texts
        .map(|record| String::from_utf8_lossy(&record.data).into_owned())
        .collect()
}

/// Lets the task of a subscription go as far as it can.
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

/// A fixture with stream `s` of one shard, and its consumer `c`.
async fn subscribed(f: &Fixture) -> String {
    f.create("s", 1).await;
    consumer(f, "s", "c").await
}

#[tokio::test]
async fn records_are_pushed_when_they_are_put() {
    let f = Fixture::new().await;
    let arn = subscribed(&f).await;
    f.put_at("s", "0", "before").await;
    let mut events = subscribe(&f, &arn, position(ShardIteratorType::Latest)).await;
    let first = next(&mut events).await;
    assert_eq!((data(&first).len(), first.millis_behind_latest), (0, 0));
    for text in ["a", "b"] {
        let put = f.put_at("s", "0", text).await;
        let event = next(&mut events).await;
        assert_eq!(
            (data(&event), event.child_shards.is_none()),
            (vec![text.into()], true)
        );
        assert_eq!(event.records[0].sequence_number, put.sequence_number);
        assert!(event.continuation_sequence_number.unwrap() >= put.sequence_number);
    }
}

#[tokio::test]
async fn it_begins_where_it_is_told() {
    let f = Fixture::unlimited().await;
    let arn = subscribed(&f).await;
    let first = f.put_at("s", "0", "a").await.sequence_number;
    f.advance_secs(10);
    let between = f.now();
    f.put_at("s", "0", "b").await;
    let numbered = |kind, number: &str| StartingPosition {
        sequence_number: Some(number.into()),
        ..position(kind)
    };
    let at_time = |time: Timestamp| StartingPosition {
        timestamp: Some(time),
        ..position(ShardIteratorType::AtTimestamp)
    };
    let cases = [
        (position(ShardIteratorType::TrimHorizon), "a b"),
        (position(ShardIteratorType::Latest), ""),
        (numbered(ShardIteratorType::AtSequenceNumber, &first), "a b"),
        (
            numbered(ShardIteratorType::AfterSequenceNumber, &first),
            "b",
        ),
        (at_time(between), "b"),
        (at_time(Timestamp::from_secs(1)), "a b"),
    ];
    for (start, expected) in cases {
        let mut events = subscribe(&f, &arn, start.clone()).await;
        let event = next(&mut events).await;
        assert_eq!(data(&event).join(" "), expected, "{start:?}");
        drop(events);
        settle().await;
    }
}

#[tokio::test]
async fn the_number_of_an_empty_event_is_good_to_go_on_after() {
    let f = Fixture::unlimited().await;
    let arn = subscribed(&f).await;
    for text in ["a", "b"] {
        let mut events = subscribe(&f, &arn, position(ShardIteratorType::Latest)).await;
        let number = next(&mut events).await.continuation_sequence_number;
        drop(events);
        settle().await;
        f.put_at("s", "0", text).await;
        let after = StartingPosition {
            sequence_number: number,
            ..position(ShardIteratorType::AfterSequenceNumber)
        };
        let mut events = subscribe(&f, &arn, after).await;
        assert_eq!(data(&next(&mut events).await), [text]);
        drop(events);
        settle().await;
    }
}

#[tokio::test]
async fn silence_is_broken_and_after_five_minutes_it_ends() {
    let f = Fixture::new().await;
    let arn = subscribed(&f).await;
    let mut events = subscribe(&f, &arn, position(ShardIteratorType::Latest)).await;
    let mut number = next(&mut events).await.continuation_sequence_number;
    for _ in 1..60 {
        settle().await;
        f.advance_secs(5);
        let event = next(&mut events).await;
        assert!(event.records.is_empty() && event.continuation_sequence_number > number);
        number = event.continuation_sequence_number;
    }
    settle().await;
    f.advance_secs(5);
    assert_eq!(events.recv().await, None, "a clean end");
}

#[tokio::test]
async fn a_second_subscription_is_refused_for_five_seconds_and_then_takes_over() {
    let f = Fixture::new().await;
    let arn = subscribed(&f).await;
    let start = || position(ShardIteratorType::Latest);
    let mut first = subscribe(&f, &arn, start()).await;
    next(&mut first).await;
    let taken = "Another active subscription exists for this consumer: \
                 000000000000:s:shardId-000000000000:c";
    for millis in [1, 3999, 999] {
        f.clock.advance(Duration::from_millis(millis));
        let refused = call!(f, subscribe_to_shard, input(&arn, start()));
        assert_refused!(refused, "ResourceInUseException", taken);
    }
    settle().await;
    f.clock.advance(Duration::from_millis(1));
    // The silence of the first one is over at the same moment.
    next(&mut first).await;
    let mut second = subscribe(&f, &arn, start()).await;
    let Some(SubscribeToShardEventStream::ResourceInUseException(lost)) = first.recv().await else {
        panic!("the first one is told");
    };
    assert_eq!((lost.message.as_str(), first.recv().await), (taken, None));
    f.put_at("s", "0", "x").await;
    next(&mut second).await;
    assert_eq!(data(&next(&mut second).await), ["x"]);
    // Another consumer is not in the way.
    let other = consumer(&f, "s", "d").await;
    next(&mut subscribe(&f, &other, start()).await).await;
}

#[tokio::test]
async fn a_consumer_calls_for_a_shard_once_a_second_though_it_is_refused() {
    let f = Fixture::new().await;
    let arn = subscribed(&f).await;
    let without_number = || input(&arn, position(ShardIteratorType::AtSequenceNumber));
    let too_soon = "Rate exceeded for consumer c and shard shardId-000000000000 in stream s under \
                    account 000000000000.";
    let code = |refused: SubscribeToShardError| answer(&refused).0;
    let invalid = call!(f, subscribe_to_shard, without_number()).expect_err("no number");
    assert_eq!(code(invalid), "InvalidArgumentException");
    f.clock.advance(Duration::from_millis(999));
    for input in [
        without_number(),
        input(&arn, position(ShardIteratorType::Latest)),
    ] {
        let refused = call!(f, subscribe_to_shard, input);
        assert_refused!(refused, "LimitExceededException", too_soon);
    }
    let dry_run = SubscribeToShardInput {
        dry_run: Some(true),
        ..input(&arn, position(ShardIteratorType::Latest))
    };
    let dry = call!(f, subscribe_to_shard, dry_run).expect_err("never done");
    assert_eq!(code(dry), "DryRunOperationException");
    f.clock.advance(Duration::from_millis(1));
    let other = consumer(&f, "s", "d").await;
    for arn in [arn, other] {
        next(&mut subscribe(&f, &arn, position(ShardIteratorType::Latest)).await).await;
    }
}

#[tokio::test]
async fn a_call_counts_in_the_rate_though_another_subscription_is_there() {
    let f = Fixture::new().await;
    let arn = subscribed(&f).await;
    let latest = || input(&arn, position(ShardIteratorType::Latest));
    drop(call!(f, subscribe_to_shard, latest()).expect("subscribed"));
    let codes = [4999, 1, 998, 1].map(Duration::from_millis);
    let mut answers = Vec::new();
    for pause in codes {
        f.clock.advance(pause);
        let answered = call!(f, subscribe_to_shard, latest());
        answers.push(answered.err().map(|refused| answer(&refused).0));
    }
    let held = Some("ResourceInUseException");
    let too_soon = Some("LimitExceededException");
    assert_eq!(answers, [held, too_soon, too_soon, None]);
}

#[tokio::test]
async fn a_closed_shard_ends_with_its_children() {
    let f = Fixture::new().await;
    let arn = subscribed(&f).await;
    f.put_at("s", "0", "a").await;
    let mut events = subscribe(&f, &arn, position(ShardIteratorType::TrimHorizon)).await;
    let first = next(&mut events).await;
    assert!(first.continuation_sequence_number.is_some() && first.child_shards.is_none());
    settle().await;
    f.split("s", &shard(0), HALF).await;
    let last = next(&mut events).await;
    let children = last.child_shards.expect("at the end");
    let ids: Vec<_> = children
        .iter()
        .map(|child| child.shard_id.clone())
        .collect();
    assert_eq!(ids, [shard(1), shard(2)]);
    assert!(
        children
            .iter()
            .all(|child| child.parent_shards == [shard(0)])
    );
    assert_eq!(
        (last.records.len(), last.continuation_sequence_number),
        (0, None)
    );
    assert_eq!(events.recv().await, None);
    f.advance_secs(5);
    let mut again = subscribe(&f, &arn, position(ShardIteratorType::TrimHorizon)).await;
    let all = next(&mut again).await;
    assert_eq!(
        (data(&all), all.child_shards.map(|children| children.len())),
        (vec!["a".into()], Some(2))
    );
    assert_eq!(again.recv().await, None);
}

#[tokio::test]
async fn who_deregisters_or_deletes_ends_it() {
    for delete in [true, false] {
        let f = Fixture::new().await;
        let arn = subscribed(&f).await;
        let mut events = subscribe(&f, &arn, position(ShardIteratorType::Latest)).await;
        next(&mut events).await;
        settle().await;
        if delete {
            let input = DeleteStreamInput {
                stream_name: Some("s".into()),
                enforce_consumer_deletion: Some(true),
                ..DeleteStreamInput::default()
            };
            call!(f, delete_stream, input).expect("deleted");
        } else {
            let input = DeregisterStreamConsumerInput {
                consumer_arn: Some(arn),
                ..DeregisterStreamConsumerInput::default()
            };
            call!(f, deregister_stream_consumer, input).expect("deregistered");
        }
        let told = events.recv().await;
        let gone = matches!(
            told,
            Some(SubscribeToShardEventStream::ResourceNotFoundException(_))
        );
        assert!(gone, "{told:?}");
        assert_eq!(events.recv().await, None);
    }
}

#[tokio::test]
async fn a_subscriber_that_reads_nothing_holds_two_events_and_is_let_go() {
    let f = Fixture::unlimited().await;
    let arn = subscribed(&f).await;
    let mut events = subscribe(&f, &arn, position(ShardIteratorType::Latest)).await;
    settle().await;
    for text in ["a", "b", "c", "d"] {
        f.put_at("s", "0", text).await;
        settle().await;
    }
    // Meanwhile another one is served.
    let other = consumer(&f, "s", "d").await;
    let mut served = subscribe(&f, &other, position(ShardIteratorType::TrimHorizon)).await;
    assert_eq!(data(&next(&mut served).await).len(), 4);
    f.advance_secs(30);
    settle().await;
    assert_eq!(
        data(&next(&mut events).await).len(),
        0,
        "what was taken into the channel"
    );
    assert_eq!(
        events.recv().await,
        None,
        "and nothing of what waited for room"
    );
}

#[tokio::test]
async fn what_cannot_be_subscribed_to_is_refused_before_anything_is_sent() {
    let settings = Settings {
        state_delay: Duration::from_secs(10),
        limits: Limits::None,
        ..Settings::default()
    };
    let f = Fixture::with(settings).await;
    f.create("s", 1).await;
    f.advance_secs(10);
    let arn = consumer(&f, "s", "c").await;
    let start = || position(ShardIteratorType::Latest);
    let secs = f.now().as_secs();
    let creating = format!(
        "Consumer c with creation timestamp {secs} under stream: s , account 000000000000 is not in \
         ACTIVE status."
    );
    let refused = call!(f, subscribe_to_shard, input(&arn, start()));
    assert_refused!(refused, "ResourceInUseException", creating);
    f.advance_secs(10);

    let missing = format!("{}/consumer/x:{secs}", f.arn("s"));
    let refused = call!(f, subscribe_to_shard, input(&missing, start()));
    assert_eq!(
        answer(&refused.expect_err("no such consumer")).0,
        "ResourceNotFoundException"
    );

    let elsewhere = SubscribeToShardInput {
        shard_id: shard(7),
        ..input(&arn, start())
    };
    let missing =
        "Shard shardId-000000000007 in stream s under account 000000000000 does not exist";
    assert_refused!(
        call!(f, subscribe_to_shard, elsewhere),
        "ResourceNotFoundException",
        missing
    );

    for (kind, number) in [
        (ShardIteratorType::TrimHorizon, Some("1")),
        (ShardIteratorType::AfterSequenceNumber, None),
        (ShardIteratorType::AtSequenceNumber, Some("0")),
        (ShardIteratorType::AtTimestamp, None),
    ] {
        let start = StartingPosition {
            sequence_number: number.map(str::to_owned),
            ..position(kind)
        };
        let refused = call!(f, subscribe_to_shard, input(&arn, start));
        assert_eq!(
            answer(&refused.expect_err("they disagree")).0,
            "InvalidArgumentException"
        );
    }

    let dry_run = SubscribeToShardInput {
        dry_run: Some(true),
        ..input(&arn, start())
    };
    let refused = call!(f, subscribe_to_shard, dry_run);
    assert_eq!(
        answer(&refused.expect_err("never done")).0,
        "DryRunOperationException"
    );
    next(&mut subscribe(&f, &arn, start()).await).await;
}
