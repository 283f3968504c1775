//! SplitShard and MergeShards, and what a crash in the middle of one leaves.

use std::collections::BTreeMap;
use std::time::Duration;

use tidemill_model::Determinacy;
use tidemill_shapes::kinesis::*;
use tidemill_streams::Settings;

use crate::fixture::*;
use crate::{assert_refused, call};

const QUARTER: &str = "85070591730234615865843651857942052864";

#[tokio::test]
async fn a_split_closes_the_parent_and_opens_two_children() {
    let f = Fixture::new().await;
    f.create("s", 1).await;
    f.put_at("s", "0", "old").await;
    f.split("s", &shard(0), HALF).await;
    let shards = f.describe("s").await.shards;
    let ranges: Vec<_> = shards
        .iter()
        .map(|shard| {
            let range = &shard.hash_key_range;
            (
                shard.shard_id.as_str(),
                range.starting_hash_key.as_str(),
                range.ending_hash_key.as_str(),
            )
        })
        .collect();
    let max = "340282366920938463463374607431768211455";
    let below = "170141183460469231731687303715884105727";
    let ids = [shard(0), shard(1), shard(2)];
    assert_eq!(
        ranges,
        [
            (&*ids[0], "0", max),
            (&*ids[1], "0", below),
            (&*ids[2], HALF, max)
        ]
    );
    let ending = shards[0]
        .sequence_number_range
        .ending_sequence_number
        .clone()
        .expect("closed");
    for child in &shards[1..] {
        assert_eq!(child.parent_shard_id.as_deref(), Some(ids[0].as_str()));
        assert_eq!(child.adjacent_parent_shard_id, None);
        assert!(child.sequence_number_range.starting_sequence_number > ending);
        assert_eq!(child.sequence_number_range.ending_sequence_number, None);
    }
    let put = f.put_at("s", HALF, "new").await;
    assert_eq!(put.shard_id, ids[2]);
    assert!(put.sequence_number > ending);
    assert_eq!(f.all("s", &ids[0]).await, ["old"]);
}

#[tokio::test]
async fn a_merge_names_both_parents() {
    let f = Fixture::new().await;
    f.create("s", 2).await;
    call!(f, merge_shards, merge("s", &shard(0), &shard(1))).expect("merged");
    let child = f.describe("s").await.shards.remove(2);
    assert_eq!(child.parent_shard_id, Some(shard(0)));
    assert_eq!(child.adjacent_parent_shard_id, Some(shard(1)));
    let iterator = f.iterator("s", &shard(1), ShardIteratorType::Latest).await;
    let end = f.read(&iterator).await;
    assert_eq!(end.next_shard_iterator, None);
    let children = end.child_shards.expect("at the end");
    assert_eq!(children[0].shard_id, shard(2));
    assert_eq!(children[0].parent_shards, [shard(0), shard(1)]);
    assert_eq!(children[0].hash_key_range.starting_hash_key, "0");
}

#[tokio::test]
async fn the_end_of_a_closed_shard_has_children_and_no_next_iterator() {
    let f = Fixture::unlimited().await;
    f.create("s", 1).await;
    let open = f
        .iterator("s", &shard(0), ShardIteratorType::TrimHorizon)
        .await;
    f.put_at("s", "0", "a").await;
    f.put_at("s", "0", "b").await;
    f.split("s", &shard(0), HALF).await;
    let first = call!(
        f,
        get_records,
        GetRecordsInput {
            limit: Some(1),
            ..from(&open)
        }
    )
    .unwrap();
    assert_eq!(
        (texts(&first), first.child_shards),
        (vec!["a".into()], None)
    );
    let last = f.read(&first.next_shard_iterator.unwrap()).await;
    assert_eq!(
        (texts(&last), last.millis_behind_latest),
        (vec!["b".into()], Some(0))
    );
    assert_eq!(last.next_shard_iterator, None);
    assert_eq!(last.child_shards.expect("at the end").len(), 2);
    let numbers = f.describe("s").await.shards[0]
        .sequence_number_range
        .clone();
    let after_end = GetShardIteratorInput {
        starting_sequence_number: numbers.ending_sequence_number,
        ..iterator("s", &shard(0), ShardIteratorType::AfterSequenceNumber)
    };
    let token = call!(f, get_shard_iterator, after_end)
        .unwrap()
        .shard_iterator
        .unwrap();
    assert!(f.read(&token).await.child_shards.is_some());
}

#[tokio::test]
async fn a_split_that_cannot_be_is_refused() {
    let f = Fixture::unlimited().await;
    f.create("s", 2).await;
    let point = |key: &str| {
        format!(
            "NewStartingHashKey {key} used in SplitShard() on shard shardId-000000000000 in stream \
             s under account 000000000000 is not both greater than one plus the shard's \
             StartingHashKey 0 and less than the shard's EndingHashKey \
             170141183460469231731687303715884105727."
        )
    };
    let beyond = "999999999999999999999999999999999999999";
    for key in ["0", "1", "170141183460469231731687303715884105727", beyond] {
        assert_refused!(
            call!(f, split_shard, split("s", &shard(0), key)),
            "InvalidArgumentException",
            point(key)
        );
    }
    for (id, shown) in [("x", "x"), ("9", "shardId-000000000009")] {
        assert_refused!(
            call!(f, split_shard, split("s", id, HALF)),
            "ResourceNotFoundException",
            format!("Could not find shard {shown} in stream s under account 000000000000.")
        );
    }
    assert_refused!(
        call!(f, split_shard, split("t", &shard(0), HALF)),
        "ResourceNotFoundException",
        "Stream t under account 000000000000 not found."
    );
    assert_refused!(
        call!(f, split_shard, split("t", "x", HALF)),
        "ResourceNotFoundException",
        "Could not find shard x in stream t under account 000000000000."
    );
    f.split("s", &shard(0), QUARTER).await;
    assert_refused!(
        call!(f, split_shard, split("s", &shard(0), "77")),
        "InvalidArgumentException",
        "Shard shardId-000000000000 in stream s under account 000000000000 has already been merged \
         or split, and thus is not eligible for merging or splitting."
    );
}

#[tokio::test]
async fn only_neighbours_in_their_order_are_merged() {
    let f = Fixture::unlimited().await;
    f.create("s", 3).await;
    for (lower, upper) in [(0, 2), (1, 0), (1, 1)] {
        assert_refused!(
            call!(f, merge_shards, merge("s", &shard(lower), &shard(upper))),
            "InvalidArgumentException",
            format!(
                "Shards {} and {} in stream s under account 000000000000 are not an adjacent pair \
                 of shards eligible for merging",
                shard(lower),
                shard(upper)
            )
        );
    }
}

#[tokio::test]
async fn on_demand_streams_are_not_resharded_by_hand() {
    let f = Fixture::new().await;
    let input = CreateStreamInput {
        shard_count: None,
        ..new_stream("s", 1)
    };
    call!(f, create_stream, input).expect("created");
    assert_refused!(
        call!(f, split_shard, split("s", &shard(0), "77")),
        "ValidationException",
        "SplitShard is not supported for stream s under account 000000000000: it is in ON_DEMAND \
         mode."
    );
}

#[tokio::test]
async fn a_stream_that_is_being_changed_is_not_changed_again() {
    let settings = Settings {
        state_delay: Duration::from_secs(30),
        ..Settings::default()
    };
    let f = Fixture::with(settings).await;
    f.create("s", 2).await;
    f.advance_secs(30);
    f.split("s", &shard(0), QUARTER).await;
    assert_eq!(f.describe("s").await.stream_status, StreamStatus::Updating);
    let text = "Stream s under account 000000000000 not ACTIVE, instead in state UPDATING";
    assert_refused!(
        call!(
            f,
            split_shard,
            split("s", &shard(1), "200000000000000000000000000000000000000")
        ),
        "ResourceInUseException",
        text
    );
    let delete = DeleteStreamInput {
        stream_name: Some("s".into()),
        ..DeleteStreamInput::default()
    };
    assert_refused!(
        call!(f, delete_stream, delete),
        "ResourceInUseException",
        text
    );
    assert_eq!(
        f.put_at("s", "0", "x").await.shard_id,
        shard(2),
        "records are taken meanwhile"
    );
    f.advance_secs(30);
    assert_eq!(f.describe("s").await.stream_status, StreamStatus::Active);
}

#[tokio::test]
async fn of_two_splits_at_once_one_is_refused() {
    let f = Fixture::new().await;
    f.create("s", 1).await;
    let (first, second) = tokio::join!(
        tidemill_streams::ops::split_shard(&f.streams, &f.caller, split("s", &shard(0), HALF)),
        tidemill_streams::ops::split_shard(&f.streams, &f.caller, split("s", &shard(0), QUARTER)),
    );
    assert!(first.is_ok() != second.is_ok());
    assert_eq!(f.describe("s").await.shards.len(), 3);
}

/// Leaves the stream with a split that has been decided and sealed, and not finished.
async fn cut_off_after_the_seal(f: &Fixture) {
    f.create("s", 1).await;
    f.put_at("s", "0", "old").await;
    f.log.set(Trouble::CommandsAfterSeal);
    f.split("s", &shard(0), HALF).await;
    f.log.set(None);
    let stream = f.describe("s").await;
    assert_eq!(
        (stream.stream_status, stream.shards.len()),
        (StreamStatus::Updating, 1)
    );
}

#[tokio::test]
async fn a_split_that_a_crash_cut_off_after_the_seal_is_finished_at_the_start() {
    let mut f = Fixture::new().await;
    cut_off_after_the_seal(&f).await;
    f.restart().await;
    let stream = f.describe("s").await;
    assert_eq!(
        (stream.stream_status, stream.shards.len()),
        (StreamStatus::Active, 3)
    );
    assert_eq!(f.put_at("s", "0", "new").await.shard_id, shard(1));
    assert_eq!(f.all("s", &shard(0)).await, ["old"]);
}

#[tokio::test]
async fn a_split_that_a_crash_cut_off_before_the_seal_is_finished_at_the_start() {
    let mut f = Fixture::new().await;
    f.create("s", 1).await;
    f.log.set(Trouble::Seals);
    f.split("s", &shard(0), HALF).await;
    assert_eq!(
        f.put_at("s", "0", "late").await.shard_id,
        shard(0),
        "the parent is still open"
    );
    f.log.set(None);
    f.restart().await;
    assert_eq!(f.put_at("s", "0", "new").await.shard_id, shard(1));
    assert_eq!(f.all("s", &shard(0)).await, ["late"]);
}

#[tokio::test]
async fn a_split_that_was_never_decided_leaves_nothing() {
    let mut f = Fixture::new().await;
    f.create("s", 1).await;
    f.log.set(Trouble::Commands);
    assert!(call!(f, split_shard, split("s", &shard(0), HALF)).is_err());
    f.log.set(None);
    f.restart().await;
    assert_eq!(f.describe("s").await.shards.len(), 1);
    assert_eq!(f.put_at("s", "0", "x").await.shard_id, shard(0));
}

#[tokio::test]
async fn a_put_that_meets_a_sealed_shard_goes_to_the_child() {
    let f = Fixture::new().await;
    cut_off_after_the_seal(&f).await;
    let entry = |hash: &str, data: &'static [u8]| PutRecordsRequestEntry {
        data: bytes::Bytes::from_static(data),
        explicit_hash_key: Some(hash.into()),
        partition_key: Some("k".into()),
    };
    let input = PutRecordsInput {
        stream_name: Some("s".into()),
        records: packed(&[entry("0", b"a"), entry(HALF, b"b"), entry("1", b"c")]),
        ..PutRecordsInput::default()
    };
    let output = call!(f, put_records, input).expect("put");
    let shards = output
        .records
        .iter()
        .map(|record| record.shard_id.expect("stored"));
    assert_eq!(shards.collect::<Vec<_>>(), [shard(1), shard(2), shard(1)]);
    assert_eq!(f.all("s", &shard(0)).await, ["old"]);
    assert_eq!(f.all("s", &shard(1)).await, ["a", "c"]);
    assert_eq!(f.all("s", &shard(2)).await, ["b"]);
}

#[tokio::test]
async fn a_put_that_cannot_be_routed_again_is_a_storage_failure_and_stores_nothing() {
    let f = Fixture::new().await;
    cut_off_after_the_seal(&f).await;
    f.log.set(Trouble::Commands);
    let refused = call!(f, put_record, record("s", "k", b"x")).expect_err("storage failed");
    let PutRecordError::Storage(storage) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(storage.determinacy, Determinacy::Determinate);
    f.log.set(None);
    f.streams.sweep().await.expect("the sweep finishes it");
    assert_eq!(f.describe("s").await.stream_status, StreamStatus::Active);
    for number in 0..3 {
        assert!(f.all("s", &shard(number)).await.len() <= 1);
    }
}

#[tokio::test]
async fn a_clock_that_steps_back_keeps_parents_before_children() {
    let f = Fixture::unlimited().await;
    f.create("s", 1).await;
    f.put_at("s", "0", "old").await;
    f.clock.set(f.now().minus(Duration::from_secs(7200)));
    f.split("s", &shard(0), HALF).await;
    f.split("s", &shard(1), QUARTER).await;
    let put = f.put_at("s", "0", "new").await;
    let shards = f.describe("s").await.shards;
    let ends: Vec<_> = shards
        .iter()
        .filter_map(|shard| shard.sequence_number_range.ending_sequence_number.clone())
        .collect();
    assert_eq!(ends.len(), 2);
    assert!(ends[0] < ends[1] && ends[1] < put.sequence_number);
    assert!(shards[3].sequence_number_range.starting_sequence_number > ends[1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_record_put_while_shards_are_split_is_there_once_and_in_its_place() {
    const WRITERS: usize = 4;
    const RECORDS: usize = 300;
    let f = Fixture::unlimited().await;
    f.create("s", 1).await;
    let writers = (0..WRITERS).map(|writer| {
        let (streams, caller) = (f.streams.clone(), f.caller.clone());
        tokio::spawn(async move {
            let mut put = Vec::new();
            for number in 0..RECORDS {
                let key = format!("{writer}-{number}");
                let input = record("s", &key, b"x");
                let output = tidemill_streams::ops::put_record(&streams, &caller, input).await;
                let output = output.expect("put");
                put.push((key, (output.shard_id, output.sequence_number)));
                tokio::task::yield_now().await;
            }
            put
        })
    });
    let writers: Vec<_> = writers.collect();
    for (number, at) in [
        (0, HALF),
        (1, QUARTER),
        (2, "240000000000000000000000000000000000000"),
    ] {
        tokio::task::yield_now().await;
        f.split("s", &shard(number), at).await;
    }
    let mut acknowledged = BTreeMap::new();
    for writer in writers {
        acknowledged.extend(writer.await.expect("no panic"));
    }
    let mut found = BTreeMap::new();
    for number in 0..7 {
        let iterator = f
            .iterator("s", &shard(number), ShardIteratorType::TrimHorizon)
            .await;
        for record in f.read(&iterator).await.records {
            let key = record.partition_key.expect("given");
            let before = found.insert(key, (shard(number), record.sequence_number));
            assert_eq!(before, None, "twice");
        }
    }
    assert_eq!(found, acknowledged);
}
