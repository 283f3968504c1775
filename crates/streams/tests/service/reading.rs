//! GetShardIterator and GetRecords.

use std::time::Duration;

use tidemill_model::{SequenceNumber, ShardId, Timestamp};
use tidemill_shapes::kinesis::*;

use crate::fixture::*;
use crate::{assert_refused, call};

fn numbered(kind: ShardIteratorType, number: &str) -> GetShardIteratorInput {
    GetShardIteratorInput {
        starting_sequence_number: Some(number.into()),
        ..iterator("s", &shard(0), kind)
    }
}

async fn read_with(f: &Fixture, input: GetShardIteratorInput) -> Vec<String> {
    let iterator = call!(f, get_shard_iterator, input)
        .expect("an iterator")
        .shard_iterator
        .expect("always given");
    texts(&f.read(&iterator).await)
}

#[tokio::test]
async fn each_type_of_iterator_begins_where_it_says() {
    let f = Fixture::unlimited().await;
    f.create("s", 1).await;
    f.put_at("s", "0", "a").await;
    f.advance_secs(10);
    let time = f.now();
    let b = f.put_at("s", "0", "b").await.sequence_number;
    f.put_at("s", "0", "c").await;
    f.advance_secs(10);
    let of = |kind| iterator("s", &shard(0), kind);
    let at_time = |timestamp| GetShardIteratorInput {
        timestamp: Some(timestamp),
        ..of(ShardIteratorType::AtTimestamp)
    };
    let start = f.describe("s").await.shards[0]
        .sequence_number_range
        .starting_sequence_number
        .clone();
    let cases = [
        (of(ShardIteratorType::TrimHorizon), "abc"),
        (of(ShardIteratorType::Latest), ""),
        (numbered(ShardIteratorType::AtSequenceNumber, &b), "bc"),
        (numbered(ShardIteratorType::AfterSequenceNumber, &b), "c"),
        (numbered(ShardIteratorType::AtSequenceNumber, &start), "abc"),
        (
            numbered(ShardIteratorType::AfterSequenceNumber, &start),
            "abc",
        ),
        (at_time(time), "bc"),
        (at_time(time.minus(Duration::from_millis(1))), "bc"),
        (at_time(time.minus(Duration::from_secs(3600))), "abc"),
        (at_time(time.plus(Duration::from_millis(1))), ""),
    ];
    for (input, expected) in cases {
        assert_eq!(
            read_with(&f, input.clone()).await.concat(),
            expected,
            "{input:?}"
        );
    }
}

#[tokio::test]
async fn latest_is_the_moment_of_the_iterator() {
    let f = Fixture::new().await;
    f.create("s", 1).await;
    f.put_at("s", "0", "before").await;
    let latest = f.iterator("s", &shard(0), ShardIteratorType::Latest).await;
    f.put_at("s", "0", "after").await;
    assert_eq!(texts(&f.read(&latest).await), ["after"]);
}

#[tokio::test]
async fn the_parameters_of_an_iterator_must_agree() {
    let f = Fixture::new().await;
    f.create("s", 1).await;
    let text = |kind: &str, given: &str| {
        format!(
            "Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and \
             StartingSequenceNumber or (2) TRIM_HORIZON or LATEST and no StartingSequenceNumber. \
             Request specified {kind} and {given} StartingSequenceNumber."
        )
    };
    let of = |kind| iterator("s", &shard(0), kind);
    let now = f.now();
    let future = now.plus(Duration::from_millis(5));
    let cases = [
        (
            of(ShardIteratorType::AtSequenceNumber),
            text("AT_SEQUENCE_NUMBER", "no"),
        ),
        (
            of(ShardIteratorType::AfterSequenceNumber),
            text("AFTER_SEQUENCE_NUMBER", "no"),
        ),
        (
            numbered(ShardIteratorType::Latest, "1"),
            text("LATEST", "also a"),
        ),
        (
            numbered(ShardIteratorType::TrimHorizon, "1"),
            text("TRIM_HORIZON", "also a"),
        ),
        (
            of(ShardIteratorType::AtTimestamp),
            "Must specify timestampInMillis parameter for iterator of type AT_TIMESTAMP. Current \
             request has no timestamp parameter."
                .to_owned(),
        ),
        (
            GetShardIteratorInput {
                timestamp: Some(future),
                ..of(ShardIteratorType::AtTimestamp)
            },
            format!(
                "The timestampInMillis parameter cannot be greater than the \
                 currentTimestampInMillis. timestampInMillis: {}, currentTimestampInMillis: {}",
                future.as_millis(),
                now.as_millis()
            ),
        ),
    ];
    for (input, text) in cases {
        assert_refused!(
            call!(f, get_shard_iterator, input),
            "InvalidArgumentException",
            text
        );
    }
}

#[tokio::test]
async fn a_shard_that_is_not_there_is_named_in_the_answer() {
    let f = Fixture::new().await;
    f.create("s", 1).await;
    let cases = [
        (
            "x",
            "Could not find shard x in stream s under account 000000000000.",
        ),
        (
            "shardId-7",
            "Shard shardId-000000000007 in stream s under account 000000000000 does not exist",
        ),
    ];
    for (id, text) in cases {
        // As in production, a stream that is not there is not spoken of.
        for stream in ["s", "nowhere"] {
            let input = iterator(stream, id, ShardIteratorType::Latest);
            let text = text.replace("stream s", &format!("stream {stream}"));
            assert_refused!(
                call!(f, get_shard_iterator, input),
                "ResourceNotFoundException",
                text
            );
        }
    }
    for id in ["0", "shardId-0", "anything-000"] {
        f.iterator("s", id, ShardIteratorType::Latest).await;
    }
}

#[tokio::test]
async fn a_starting_number_must_be_one_of_the_shard() {
    let f = Fixture::unlimited().await;
    f.create("s", 2).await;
    let put = f.put_at("s", "0", "x").await.sequence_number;
    let given: SequenceNumber = put.parse().unwrap();
    let created = given.created_secs();
    let used = |number: &str| {
        format!(
            "StartingSequenceNumber {number} used in GetShardIterator on shard \
             shardId-000000000000 in stream s under account 000000000000 is invalid"
        )
    };
    let encodes = |shard: &str| {
        format!(
            "Invalid StartingSequenceNumber. It encodes shardId-{shard}, while it was used in a call \
             to a shard with shardId-000000000000"
        )
    };
    let layout_1 = "49039857307708443467467104868809893875799651909875269633";
    let beyond = SequenceNumber::start_of(ShardId(1 << 31), 0);
    let too_new = SequenceNumber::of_record(ShardId(0), created, 1, created).to_string();
    let older = SequenceNumber::of_record(ShardId(0), created - 60, 0, created).to_string();
    let other = SequenceNumber::of_record(ShardId(1), created, 0, created).to_string();
    let cases = [
        (too_new.clone(), format!("{}.", used(&too_new))),
        ("1".repeat(60), format!("{}.", used(&"1".repeat(60)))),
        (
            layout_1.into(),
            format!(
                "{} because it did not come from this stream.",
                used(layout_1)
            ),
        ),
        ("17".into(), encodes("000000000017")),
        (beyond.to_string(), encodes("-02147483648")),
        (
            older.clone(),
            format!("{} because it did not come from this stream.", used(&older)),
        ),
        (other, encodes("000000000001")),
    ];
    for (number, text) in cases {
        let input = numbered(ShardIteratorType::AtSequenceNumber, &number);
        assert_refused!(
            call!(f, get_shard_iterator, input),
            "InvalidArgumentException",
            text
        );
    }
    for zero in ["0", "65536"] {
        let zero = numbered(ShardIteratorType::AtSequenceNumber, zero);
        let refused = call!(f, get_shard_iterator, zero).expect_err("as in production");
        assert_eq!(answer(&refused).0, "InternalFailureException");
    }
}

#[tokio::test]
async fn an_iterator_can_be_used_again_and_each_answer_has_a_new_one() {
    let f = Fixture::unlimited().await;
    f.create("s", 1).await;
    let first = f
        .iterator("s", &shard(0), ShardIteratorType::TrimHorizon)
        .await;
    let empty = f.read(&first).await;
    assert_eq!(
        (empty.records.len(), empty.millis_behind_latest),
        (0, Some(0))
    );
    let second = empty.next_shard_iterator.expect("the shard is open");
    assert_ne!(first, second);
    f.put_at("s", "0", "x").await;
    for iterator in [&first, &second, &first, &format!("\"{first}\"")] {
        assert_eq!(texts(&f.read(iterator).await), ["x"]);
    }
    assert_eq!(empty.child_shards, None);
}

#[tokio::test]
async fn the_longest_name_makes_an_iterator_of_at_most_512_characters() {
    let f = Fixture::new().await;
    let name = "n".repeat(128);
    f.create(&name, 1).await;
    let iterator = f
        .iterator(&name, &shard(0), ShardIteratorType::Latest)
        .await;
    assert!(iterator.len() <= 512, "{}", iterator.len());
}

#[tokio::test]
async fn an_iterator_expires_five_minutes_after_it_was_issued() {
    let mut f = Fixture::new().await;
    f.create("s", 1).await;
    let iterator = f
        .iterator("s", &shard(0), ShardIteratorType::TrimHorizon)
        .await;
    f.advance_secs(300);
    f.restart().await;
    f.read(&iterator).await;
    f.clock.advance(Duration::from_millis(1));
    assert_refused!(
        call!(f, get_records, from(&iterator)),
        "ExpiredIteratorException",
        "Iterator expired. The iterator was created at time Thu Jan 01 00:00:00 UTC 2026 while \
         right now it is Thu Jan 01 00:05:00 UTC 2026 which is further in the future than the \
         tolerated delay of 300000 milliseconds."
    );
}

#[tokio::test]
async fn what_is_no_iterator_is_refused() {
    let f = Fixture::new().await;
    f.create("s", 1).await;
    let iterator = f
        .iterator("s", &shard(0), ShardIteratorType::TrimHorizon)
        .await;
    let touched = format!("B{}", &iterator[1..]);
    for text in ["AAAA", "?", "\"", &touched, &iterator[..40]] {
        assert_refused!(
            call!(f, get_records, from(text)),
            "InvalidArgumentException",
            "Invalid ShardIterator."
        );
    }
    let other = "arn:aws:kinesis:us-east-1:000000000000:stream/t";
    let input = GetRecordsInput {
        stream_arn: Some(other.into()),
        ..from(&iterator)
    };
    assert_refused!(
        call!(f, get_records, input),
        "InvalidArgumentException",
        format!("StreamARN {other} is not the stream of the shard iterator.")
    );
    let own = GetRecordsInput {
        stream_arn: Some(f.arn("s").to_string()),
        ..from(&iterator)
    };
    call!(f, get_records, own).expect("read");
}

#[tokio::test]
async fn an_iterator_does_not_outlive_its_stream() {
    let f = Fixture::new().await;
    f.create("s", 1).await;
    let iterator = f
        .iterator("s", &shard(0), ShardIteratorType::TrimHorizon)
        .await;
    let delete = || DeleteStreamInput {
        stream_name: Some("s".into()),
        ..DeleteStreamInput::default()
    };
    call!(f, delete_stream, delete()).expect("deleted");
    let text = "Shard shardId-000000000000 in stream s under account 000000000000 does not exist";
    assert_refused!(
        call!(f, get_records, from(&iterator)),
        "ResourceNotFoundException",
        text
    );
    f.create("s", 1).await;
    assert_refused!(
        call!(f, get_records, from(&iterator)),
        "ResourceNotFoundException",
        text
    );
}

#[tokio::test]
async fn pages_hold_as_many_records_as_asked_and_say_how_far_behind_they_are() {
    let f = Fixture::unlimited().await;
    f.create("s", 1).await;
    for data in ["a", "b", "c"] {
        f.put_at("s", "0", data).await;
        f.advance_secs(60);
    }
    let iterator = f
        .iterator("s", &shard(0), ShardIteratorType::TrimHorizon)
        .await;
    let page = |iterator: &str| GetRecordsInput {
        limit: Some(2),
        ..from(iterator)
    };
    let first = call!(f, get_records, page(&iterator)).expect("read");
    assert_eq!(texts(&first), ["a", "b"]);
    assert_eq!(first.millis_behind_latest, Some(120_000));
    let record = &first.records[0];
    assert_eq!(record.partition_key.as_deref(), Some("k"));
    assert_eq!(record.encryption_type, None);
    assert_eq!(
        record.approximate_arrival_timestamp,
        Some(f.now().minus(Duration::from_secs(180)))
    );
    let last = call!(f, get_records, page(&first.next_shard_iterator.unwrap())).expect("read");
    assert_eq!(
        (texts(&last), last.millis_behind_latest),
        (vec!["c".into()], Some(0))
    );
}

#[tokio::test]
async fn a_page_holds_ten_mebibytes_at_most_and_at_least_one_record() {
    let f = Fixture::unlimited().await;
    let input = CreateStreamInput {
        max_record_size_in_kib: Some(10_240),
        ..new_stream("s", 1)
    };
    call!(f, create_stream, input).expect("created");
    let large = 10 * 1024 * 1024 - 1;
    for bytes in [large, 6_000_000, 6_000_000] {
        let input = PutRecordInput {
            data: vec![0; bytes].into(),
            ..record("s", "k", b"")
        };
        call!(f, put_record, input).expect("put");
    }
    let mut iterator = f
        .iterator("s", &shard(0), ShardIteratorType::TrimHorizon)
        .await;
    for expected in [large, 6_000_000, 6_000_000] {
        let page = f.read(&iterator).await;
        assert_eq!(
            page.records
                .iter()
                .map(|r| r.data.len())
                .collect::<Vec<_>>(),
            [expected]
        );
        iterator = page.next_shard_iterator.unwrap();
    }
}

#[tokio::test]
async fn a_shard_is_read_and_asked_for_iterators_five_times_a_second() {
    let f = Fixture::new().await;
    f.create("s", 1).await;
    let iterator = f
        .iterator("s", &shard(0), ShardIteratorType::TrimHorizon)
        .await;
    let text =
        "Rate exceeded for shard shardId-000000000000 in stream s under account 000000000000.";
    for _ in 0..5 {
        f.read(&iterator).await;
    }
    assert_refused!(
        call!(f, get_records, from(&iterator)),
        "ProvisionedThroughputExceededException",
        text
    );
    for _ in 0..4 {
        f.iterator("s", &shard(0), ShardIteratorType::Latest).await;
    }
    let input = crate::fixture::iterator("s", &shard(0), ShardIteratorType::Latest);
    assert_refused!(
        call!(f, get_shard_iterator, input),
        "ProvisionedThroughputExceededException",
        text
    );
    f.clock.advance(Duration::from_millis(200));
    f.read(&iterator).await;
}

#[tokio::test]
async fn a_dry_run_reads_nothing() {
    let f = Fixture::new().await;
    f.create("s", 1).await;
    let iterator = f
        .iterator("s", &shard(0), ShardIteratorType::TrimHorizon)
        .await;
    let dry = GetRecordsInput {
        dry_run: Some(true),
        ..from(&iterator)
    };
    let refused = call!(f, get_records, dry).expect_err("dry");
    assert_eq!(answer(&refused).0, "DryRunOperationException");
    let dry = GetShardIteratorInput {
        dry_run: Some(true),
        ..crate::fixture::iterator("s", &shard(0), ShardIteratorType::Latest)
    };
    let refused = call!(f, get_shard_iterator, dry).expect_err("dry");
    assert_eq!(answer(&refused).0, "DryRunOperationException");
}

/// A stream with records up to 10 MiB, two such records, and an iterator before them.
async fn two_large_records(f: &Fixture) -> String {
    let input = CreateStreamInput {
        max_record_size_in_kib: Some(10_240),
        ..new_stream("s", 1)
    };
    call!(f, create_stream, input).expect("created");
    for _ in 0..2 {
        let input = PutRecordInput {
            data: vec![0; 10 * 1024 * 1024 - 1].into(),
            ..record("s", "k", b"")
        };
        call!(f, put_record, input).expect("put");
        f.advance_secs(10);
    }
    f.iterator("s", &shard(0), ShardIteratorType::TrimHorizon)
        .await
}

#[tokio::test]
async fn a_page_of_ten_mebibytes_shuts_the_shard_for_five_seconds_to_all_its_readers() {
    let f = Fixture::new().await;
    let first = two_large_records(&f).await;
    let latest = f.iterator("s", &shard(0), ShardIteratorType::Latest).await;
    let second = f.read(&first).await.next_shard_iterator.expect("open");
    let refused = "Rate exceeded for shard shardId-000000000000 in stream s under account \
                   000000000000.";
    for iterator in [&second, &latest, &first] {
        assert_refused!(
            call!(f, get_records, from(iterator)),
            "ProvisionedThroughputExceededException",
            refused
        );
    }
    f.advance_secs(5);
    assert_refused!(
        call!(f, get_records, from(&second)),
        "ProvisionedThroughputExceededException",
        refused
    );
    f.clock.advance(Duration::from_millis(1));
    assert_eq!(f.read(&second).await.records.len(), 1);
}

#[tokio::test]
async fn without_limits_pages_have_their_size_and_no_rate() {
    let f = Fixture::unlimited().await;
    let mut iterator = two_large_records(&f).await;
    for _ in 0..2 {
        let page = f.read(&iterator).await;
        assert_eq!(page.records.len(), 1, "ten mebibytes are a page");
        iterator = page.next_shard_iterator.expect("open");
    }
    for _ in 0..20 {
        f.read(&iterator).await;
    }
}

#[tokio::test]
async fn a_reader_is_as_far_behind_as_its_last_record_is_old_while_there_are_more() {
    let f = Fixture::unlimited().await;
    f.create("s", 1).await;
    f.put_at("s", "0", "a").await;
    f.clock.advance(Duration::from_millis(1234));
    let b = f.put_at("s", "0", "b").await.sequence_number;
    f.clock.advance(Duration::from_millis(66));
    let start = f
        .iterator("s", &shard(0), ShardIteratorType::TrimHorizon)
        .await;
    let one = |iterator: &str| GetRecordsInput {
        limit: Some(1),
        ..from(iterator)
    };
    let page = call!(f, get_records, one(&start)).expect("read");
    assert_eq!(page.millis_behind_latest, Some(1300));
    let page = call!(
        f,
        get_records,
        one(&page.next_shard_iterator.expect("open"))
    )
    .expect("read");
    assert_eq!(page.millis_behind_latest, Some(0), "b is the tip");
    // A record that has expired is passed over, and its number still says where to go on.
    f.advance_secs(24 * 3600);
    f.put_at("s", "0", "c").await;
    for kind in [
        ShardIteratorType::AtSequenceNumber,
        ShardIteratorType::AfterSequenceNumber,
    ] {
        assert_eq!(read_with(&f, numbered(kind, &b)).await, ["c"]);
    }
    let ancient = GetShardIteratorInput {
        timestamp: Some(Timestamp::EPOCH),
        ..iterator("s", &shard(0), ShardIteratorType::AtTimestamp)
    };
    assert_eq!(read_with(&f, ancient).await, ["c"]);
}
