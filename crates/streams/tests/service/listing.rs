//! ListStreams, ListShards with its filters and pages, and the pages of DescribeStream.

use tidemill_model::Timestamp;
use tidemill_shapes::kinesis::*;

use crate::fixture::*;
use crate::{assert_refused, call};

fn filter(kind: ShardFilterType) -> ShardFilter {
    ShardFilter {
        shard_id: None,
        timestamp: None,
        r#type: kind,
    }
}

fn at(kind: ShardFilterType, timestamp: Timestamp) -> Option<ShardFilter> {
    Some(ShardFilter {
        timestamp: Some(timestamp),
        ..filter(kind)
    })
}

fn shards(max_results: Option<i32>) -> ListShardsInput {
    ListShardsInput {
        stream_name: Some("s".into()),
        max_results,
        ..ListShardsInput::default()
    }
}

fn next(token: Option<String>) -> ListShardsInput {
    ListShardsInput {
        next_token: token,
        ..ListShardsInput::default()
    }
}

#[tokio::test]
async fn streams_are_listed_in_order_and_pages() {
    let f = Fixture::unlimited().await;
    for name in ["c", "a", "b", "d"] {
        f.create(name, 1).await;
    }
    let page = ListStreamsInput {
        limit: Some(2),
        ..ListStreamsInput::default()
    };
    let first = call!(f, list_streams, page.clone()).expect("listed");
    assert_eq!(
        (first.stream_names, first.has_more_streams),
        (vec!["a".into(), "b".into()], true)
    );
    let second = ListStreamsInput {
        next_token: first.next_token,
        ..page.clone()
    };
    let second = call!(f, list_streams, second).expect("listed");
    assert_eq!(second.stream_names, ["c", "d"]);
    assert_eq!((second.has_more_streams, second.next_token), (false, None));
    assert_eq!(
        second.stream_summaries.unwrap()[1].stream_status,
        StreamStatus::Active
    );
    let after = ListStreamsInput {
        exclusive_start_stream_name: Some("b".into()),
        ..page
    };
    assert_eq!(
        call!(f, list_streams, after).expect("listed").stream_names,
        ["c", "d"]
    );
}

#[tokio::test]
async fn no_streams_is_an_empty_list() {
    let f = Fixture::new().await;
    let output = call!(f, list_streams, ListStreamsInput::default()).expect("listed");
    assert_eq!(
        (output.stream_names.len(), output.has_more_streams),
        (0, false)
    );
}

#[tokio::test]
async fn a_page_token_lives_five_minutes() {
    let f = Fixture::unlimited().await;
    f.create("s", 3).await;
    let token = call!(f, list_shards, shards(Some(1)))
        .expect("listed")
        .next_token;
    f.advance_secs(300);
    call!(f, list_shards, next(token.clone())).expect("just in time");
    f.advance_secs(1);
    let refused = call!(f, list_shards, next(token)).expect_err("too late");
    assert_eq!(answer(&refused).0, "ExpiredNextTokenException");
    assert_refused!(
        call!(f, list_shards, next(Some("x".into()))),
        "InvalidArgumentException",
        "Invalid NextToken."
    );
}

#[tokio::test]
async fn shards_are_listed_in_pages_by_the_token_alone() {
    let mut f = Fixture::unlimited().await;
    f.create("s", 5).await;
    let mut ids = Vec::new();
    let mut page = call!(f, list_shards, shards(Some(2))).expect("listed");
    loop {
        ids.extend(page.shards.unwrap().into_iter().map(|shard| shard.shard_id));
        let Some(token) = page.next_token else { break };
        f.restart().await;
        let input = ListShardsInput {
            max_results: Some(2),
            ..next(Some(token))
        };
        page = call!(f, list_shards, input).expect("listed");
    }
    assert_eq!(ids, [0, 1, 2, 3, 4].map(shard));
}

#[tokio::test]
async fn a_token_and_a_name_exclude_each_other_and_one_is_needed() {
    let f = Fixture::unlimited().await;
    f.create("s", 2).await;
    let token = call!(f, list_shards, shards(Some(1)))
        .expect("listed")
        .next_token;
    assert_refused!(
        call!(
            f,
            list_shards,
            ListShardsInput {
                next_token: token,
                ..shards(None)
            }
        ),
        "InvalidArgumentException",
        "NextToken and StreamName cannot be provided together."
    );
    assert_refused!(
        call!(f, list_shards, ListShardsInput::default()),
        "InvalidArgumentException",
        "Either NextToken or StreamName should be provided."
    );
}

#[tokio::test]
async fn a_stream_created_anew_is_told_apart() {
    let f = Fixture::unlimited().await;
    f.create("s", 2).await;
    let created = f.now();
    let token = call!(f, list_shards, shards(Some(1)))
        .expect("listed")
        .next_token;
    let of = |time| ListShardsInput {
        stream_creation_timestamp: Some(time),
        ..shards(None)
    };
    call!(f, list_shards, of(created)).expect("the same stream");
    let delete = DeleteStreamInput {
        stream_name: Some("s".into()),
        ..DeleteStreamInput::default()
    };
    call!(f, delete_stream, delete).expect("deleted");
    f.advance_secs(5);
    f.create("s", 2).await;
    let text = "Stream s under account 000000000000 not found.";
    assert_refused!(
        call!(f, list_shards, of(created)),
        "ResourceNotFoundException",
        text
    );
    assert_refused!(
        call!(f, list_shards, next(token)),
        "ResourceNotFoundException",
        text
    );
}

#[tokio::test]
async fn each_filter_gives_the_shards_of_its_time() {
    let f = Fixture::unlimited().await;
    f.create("s", 1).await;
    let created = f.now();
    f.advance_secs(3600);
    f.split("s", &shard(0), HALF).await;
    let split = f.now();
    f.advance_secs(3600);
    f.split("s", &shard(1), "1000").await;
    f.advance_secs(60);
    use ShardFilterType::*;
    let cases = [
        (None, vec![0, 1, 2, 3, 4]),
        (Some(filter(FromTrimHorizon)), vec![0, 1, 2, 3, 4]),
        (Some(filter(AtTrimHorizon)), vec![0]),
        (Some(filter(AtLatest)), vec![2, 3, 4]),
        (at(AtTimestamp, Timestamp::EPOCH), vec![0]),
        (at(AtTimestamp, created), vec![0]),
        (at(AtTimestamp, split), vec![1, 2]),
        (at(AtTimestamp, f.now()), vec![2, 3, 4]),
        (at(FromTimestamp, split), vec![0, 1, 2, 3, 4]),
        (
            at(
                FromTimestamp,
                split.plus(std::time::Duration::from_millis(1)),
            ),
            vec![1, 2, 3, 4],
        ),
        (
            Some(ShardFilter {
                shard_id: Some(shard(2)),
                ..filter(AfterShardId)
            }),
            vec![3, 4],
        ),
    ];
    for (filter, numbers) in cases {
        let expected: Vec<_> = numbers.into_iter().map(shard).collect();
        assert_eq!(
            f.shard_ids("s", filter.clone()).await,
            expected,
            "{filter:?}"
        );
    }
    f.advance_secs(24 * 3600 - 1800);
    let at_horizon = f.shard_ids("s", Some(filter(AtTrimHorizon))).await;
    assert_eq!(
        at_horizon,
        [1, 2].map(shard),
        "the horizon has passed the first split"
    );
}

#[tokio::test]
async fn the_shards_of_any_one_moment_tile_even_when_all_happened_at_once() {
    let f = Fixture::unlimited().await;
    f.create("s", 1).await;
    f.split("s", &shard(0), HALF).await;
    f.split("s", &shard(1), "1000").await;
    let at_horizon = f
        .shard_ids("s", Some(filter(ShardFilterType::AtTrimHorizon)))
        .await;
    assert_eq!(at_horizon, [shard(0)]);
}

#[tokio::test]
async fn a_filter_must_have_what_its_type_needs() {
    let f = Fixture::unlimited().await;
    f.create("s", 1).await;
    use ShardFilterType::*;
    let cases = [
        (filter(AtTimestamp), "AT_TIMESTAMP must have a Timestamp"),
        (
            filter(FromTimestamp),
            "FROM_TIMESTAMP must have a Timestamp",
        ),
        (filter(AfterShardId), "AFTER_SHARD_ID must have a ShardId"),
        (
            ShardFilter {
                shard_id: Some(shard(0)),
                ..filter(AtLatest)
            },
            "AT_LATEST must not have a ShardId",
        ),
        (
            ShardFilter {
                timestamp: Some(f.now()),
                ..filter(AtTrimHorizon)
            },
            "AT_TRIM_HORIZON must not have a Timestamp",
        ),
    ];
    for (filter, text) in cases {
        let input = ListShardsInput {
            shard_filter: Some(filter),
            ..shards(None)
        };
        assert_refused!(
            call!(f, list_shards, input),
            "InvalidArgumentException",
            format!("ShardFilter of type {text}.")
        );
    }
}

#[tokio::test]
async fn a_stream_is_described_a_hundred_shards_at_a_time() {
    let f = Fixture::unlimited().await;
    f.create("s", 101).await;
    let input = |after: Option<String>, limit| DescribeStreamInput {
        stream_name: Some("s".into()),
        exclusive_start_shard_id: after,
        limit,
        ..DescribeStreamInput::default()
    };
    let first = call!(f, describe_stream, input(None, Some(1000)))
        .unwrap()
        .stream_description;
    assert_eq!((first.shards.len(), first.has_more_shards), (100, true));
    let last = call!(f, describe_stream, input(Some(shard(99)), None))
        .unwrap()
        .stream_description;
    assert_eq!((last.shards.len(), last.has_more_shards), (1, false));
    let page = call!(f, describe_stream, input(None, Some(7)))
        .unwrap()
        .stream_description;
    assert_eq!(page.shards.len(), 7);
    assert_refused!(
        call!(f, describe_stream, input(Some("x".into()), None)),
        "ResourceNotFoundException",
        "Could not find shard x in stream s under account 000000000000."
    );
}

#[tokio::test]
async fn listing_streams_five_times_a_second_is_the_rate() {
    let f = Fixture::new().await;
    for _ in 0..5 {
        call!(f, list_streams, ListStreamsInput::default()).expect("listed");
    }
    assert_refused!(
        call!(f, list_streams, ListStreamsInput::default()),
        "LimitExceededException",
        "Rate exceeded for account 000000000000."
    );
}
