//! PutRecord and PutRecords.

use bytes::Bytes;

use tidemill_model::{Determinacy, SequenceNumber, ShardId};
use tidemill_shapes::kinesis::*;

use crate::fixture::*;
use crate::{assert_refused, call};

const KIB: usize = 1024;

fn entry(key: &str, bytes: usize) -> Entry {
    PutRecordsRequestEntry {
        data: Bytes::from(vec![b'x'; bytes]),
        explicit_hash_key: None,
        partition_key: Some(key.into()),
    }
}

fn records(records: Vec<Entry>) -> PutRecordsInput {
    PutRecordsInput {
        stream_name: Some("s".into()),
        records: packed(&records),
        ..PutRecordsInput::default()
    }
}

fn large(bytes: usize) -> PutRecordInput {
    PutRecordInput {
        data: vec![0; bytes].into(),
        ..record("s", "k", b"")
    }
}

#[tokio::test]
async fn a_record_goes_to_the_shard_of_its_hash() {
    let f = Fixture::new().await;
    f.create("s", 2).await;
    // The hashes of "a" and "1" lie in the lower and in the upper half.
    let a = call!(f, put_record, record("s", "a", b"x")).expect("put");
    let one = call!(f, put_record, record("s", "1", b"x")).expect("put");
    assert_eq!((a.shard_id, one.shard_id), (shard(0), shard(1)));
    assert_eq!(a.encryption_type, None);
    let explicit = f.put_at("s", "0", "y").await;
    assert_eq!(explicit.shard_id, shard(0));
    assert!(explicit.sequence_number > a.sequence_number);
}

#[tokio::test]
async fn an_explicit_hash_key_beyond_the_space_is_refused_with_the_whole_call() {
    let f = Fixture::new().await;
    f.create("s", 1).await;
    let key = "340282366920938463463374607431768211456";
    let text = format!(
        "Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. Specified \
         value was {key}"
    );
    let input = PutRecordInput {
        explicit_hash_key: Some(key.into()),
        ..record("s", "k", b"x")
    };
    assert_refused!(
        call!(f, put_record, input),
        "InvalidArgumentException",
        text
    );
    let beyond = PutRecordsRequestEntry {
        explicit_hash_key: Some(key.into()),
        ..entry("k", 1)
    };
    assert_refused!(
        call!(f, put_records, records(vec![entry("k", 1), beyond])),
        "InvalidArgumentException",
        text
    );
    assert!(f.all("s", &shard(0)).await.is_empty());
}

#[tokio::test]
async fn no_stream_no_record() {
    let f = Fixture::new().await;
    let not_found = "Stream s under account 000000000000 not found.";
    assert_refused!(
        call!(f, put_record, record("s", "k", b"x")),
        "ResourceNotFoundException",
        not_found
    );
    assert_refused!(
        call!(f, put_records, records(vec![entry("k", 1)])),
        "ResourceNotFoundException",
        not_found
    );
}

#[tokio::test]
async fn a_missing_partition_key_is_a_violation() {
    let f = Fixture::new().await;
    f.create("s", 1).await;
    let input = PutRecordInput {
        partition_key: None,
        ..record("s", "k", b"x")
    };
    assert_refused!(
        call!(f, put_record, input),
        "ValidationException",
        "1 validation error detected: Value null at 'partitionKey' failed to satisfy constraint: \
         Member must not be null"
    );
    let keyless = || PutRecordsRequestEntry {
        partition_key: None,
        ..entry("k", 1)
    };
    assert_refused!(
        call!(
            f,
            put_records,
            records(vec![keyless(), entry("k", 1), keyless()])
        ),
        "ValidationException",
        "2 validation errors detected: Value null at 'records.1.member.partitionKey' failed to \
         satisfy constraint: Member must not be null; Value null at 'records.3.member.partitionKey' \
         failed to satisfy constraint: Member must not be null"
    );
}

#[tokio::test]
async fn a_record_fits_to_the_last_byte_and_its_key_counts() {
    let f = Fixture::unlimited().await;
    f.create("s", 1).await;
    call!(f, put_record, large(KIB * KIB - 1)).expect("with its key exactly 1 MiB");
    assert_refused!(
        call!(f, put_record, large(KIB * KIB)),
        "ValidationException",
        "1 validation error detected: Value at 'data' failed to satisfy constraint: Member must \
         have length less than or equal to 1048576."
    );
    assert_refused!(
        call!(
            f,
            put_records,
            records(vec![entry("k", 1), entry("k", KIB * KIB)])
        ),
        "ValidationException",
        "1 validation error detected: Value at 'records.2.member.data' failed to satisfy \
         constraint: Member must have length less than or equal to 1048576."
    );
}

#[tokio::test]
async fn a_stream_may_allow_larger_records() {
    let f = Fixture::unlimited().await;
    let input = CreateStreamInput {
        max_record_size_in_kib: Some(10_240),
        ..new_stream("s", 1)
    };
    call!(f, create_stream, input).expect("created");
    call!(f, put_record, large(10 * KIB * KIB - 1)).expect("10 MiB with its key");
    assert!(call!(f, put_record, large(10 * KIB * KIB)).is_err());
}

#[tokio::test]
async fn a_request_of_more_than_ten_mebibytes_is_refused() {
    let f = Fixture::unlimited().await;
    f.create("s", 1).await;
    let mut entries = vec![entry("k", KIB * KIB - 1); 10];
    call!(f, put_records, records(entries.clone())).expect("10 MiB");
    entries.push(entry("k", 0));
    assert_refused!(
        call!(f, put_records, records(entries)),
        "InvalidArgumentException",
        "Records size exceeds 10 MB limit"
    );
}

#[tokio::test]
async fn entries_are_admitted_one_by_one_and_answered_in_their_places() {
    let f = Fixture::new().await;
    f.create("s", 1).await;
    let sizes = [700 * KIB, 600 * KIB, 200 * KIB, 300 * KIB, 10];
    let entries = sizes.iter().map(|bytes| entry("k", *bytes)).collect();
    let output = call!(f, put_records, records(entries)).expect("200 all the same");
    assert_eq!(output.failed_record_count, Some(2));
    let codes = output.records.iter().map(|record| record.error_code);
    let throttled = Some("ProvisionedThroughputExceededException");
    assert_eq!(
        codes.collect::<Vec<_>>(),
        [None, throttled, None, throttled, None]
    );
    let refused = output.records.iter().nth(1).expect("there are five");
    assert_eq!(
        refused.error_message,
        Some(
            "Rate exceeded for shard shardId-000000000000 in stream s under account 000000000000."
        )
    );
    assert_eq!((refused.sequence_number, refused.shard_id), (None, None));
    let numbers: Vec<_> = output
        .records
        .iter()
        .filter_map(|record| record.sequence_number)
        .collect();
    assert!(numbers.is_sorted());
    let iterator = f
        .iterator("s", &shard(0), ShardIteratorType::TrimHorizon)
        .await;
    let read = f.read(&iterator).await.records;
    assert_eq!(
        numbers,
        read.iter()
            .map(|r| r.sequence_number.clone())
            .collect::<Vec<_>>()
    );
    assert_eq!(
        read.iter().map(|r| r.data.len()).collect::<Vec<_>>(),
        [700 * KIB, 200 * KIB, 10]
    );
}

#[tokio::test]
async fn all_entries_refused_is_still_an_answer() {
    let f = Fixture::new().await;
    f.create("s", 1).await;
    let full = || records(vec![entry("k", 1); 500]);
    for failed in [0, 0, 500] {
        let output = call!(f, put_records, full()).expect("200");
        assert_eq!(output.failed_record_count, Some(failed));
    }
    assert_refused!(
        call!(f, put_record, record("s", "k", b"x")),
        "ProvisionedThroughputExceededException",
        "Rate exceeded for shard shardId-000000000000 in stream s under account 000000000000."
    );
}

#[tokio::test]
async fn without_limits_nothing_is_throttled() {
    let f = Fixture::unlimited().await;
    f.create("s", 1).await;
    for _ in 0..4 {
        let output = call!(f, put_records, records(vec![entry("k", 10); 500])).expect("put");
        assert_eq!(output.failed_record_count, Some(0));
    }
}

#[tokio::test]
async fn a_number_for_ordering_must_have_been_given_out_by_the_stream() {
    let f = Fixture::new().await;
    f.create("s", 2).await;
    f.create("t", 1).await;
    let first = f.put_at("s", "0", "x").await;
    let after = |number: &str| PutRecordInput {
        sequence_number_for_ordering: Some(number.into()),
        ..record("s", "a", b"y")
    };
    let second = call!(f, put_record, after(&first.sequence_number)).expect("put");
    assert!(second.sequence_number > first.sequence_number);
    let given: SequenceNumber = second.sequence_number.parse().expect("ours");
    let created = given.created_secs();
    let next = SequenceNumber::of_record(given.shard(), created, 2, created);
    let later = SequenceNumber::of_record(given.shard(), created + 9, 0, created);
    // Of the layout before that of today, and created a thousand years from now.
    let layout_1 = "73559785961205853278024167332950269321337104080717217793";
    let numbers = [&next.to_string(), &later.to_string(), "0", "17", layout_1];
    for number in numbers {
        assert_refused!(
            call!(f, put_record, after(number)),
            "InvalidArgumentException",
            format!(
                "ExclusiveMinimumSequenceNumber {number} used in PutRecord on stream s under \
                 account 000000000000 is invalid."
            )
        );
    }
}

#[tokio::test]
async fn a_number_from_before_the_stream_is_exceeded_by_every_record_of_it() {
    let f = Fixture::new().await;
    f.create("s", 1).await;
    let first = f.put_at("s", "0", "x").await;
    let given: SequenceNumber = first.sequence_number.parse().expect("ours");
    let created = given.created_secs();
    let earlier = SequenceNumber::of_record(ShardId(3), created - 9, 1 << 60, 0);
    // The smallest of the layout of today and of the one before, which were tried on the service.
    let smallest = SequenceNumber::start_of(ShardId(0), 0);
    let layout_1 = "49039857307708443467467104868809893875799651909875269633";
    let after = |number: &str| PutRecordInput {
        sequence_number_for_ordering: Some(number.into()),
        ..record("s", "a", b"y")
    };
    for number in [&earlier.to_string(), &smallest.to_string(), layout_1] {
        let put = call!(f, put_record, after(number)).expect("put");
        assert!(put.sequence_number.as_str() > number);
    }
    let future = SequenceNumber::of_record(ShardId(3), created - 9, 7, created + 100).to_string();
    let refused = call!(f, put_record, after(&future)).expect_err("nobody can have it");
    assert_eq!(answer(&refused).0, "InvalidArgumentException");
}

#[tokio::test]
async fn a_dry_run_checks_and_does_nothing() {
    let f = Fixture::new().await;
    f.create("s", 1).await;
    let dry = PutRecordInput {
        dry_run: Some(true),
        ..record("s", "k", b"x")
    };
    assert_refused!(
        call!(f, put_record, dry.clone()),
        "DryRunOperationException",
        "Request would have succeeded, but DryRun flag is set."
    );
    let nowhere = PutRecordInput {
        stream_name: Some("t".into()),
        ..dry
    };
    let refused = call!(f, put_record, nowhere).expect_err("no such stream");
    assert_eq!(answer(&refused).0, "ResourceNotFoundException");
    let several = PutRecordsInput {
        dry_run: Some(true),
        ..records(vec![entry("k", 1)])
    };
    let refused = call!(f, put_records, several).expect_err("dry");
    assert_eq!(answer(&refused).0, "DryRunOperationException");
    assert!(f.all("s", &shard(0)).await.is_empty());
}

#[tokio::test]
async fn a_storage_failure_says_whether_the_record_may_be_there() {
    let f = Fixture::new().await;
    f.create("s", 1).await;
    let cases = [
        (Trouble::RecordsFull, Determinacy::Determinate),
        (Trouble::RecordsPoisoned, Determinacy::Indeterminate),
    ];
    for (trouble, expected) in cases {
        f.log.set(trouble);
        let refused = call!(f, put_record, record("s", "k", b"x")).expect_err("storage failed");
        let PutRecordError::Storage(storage) = refused else {
            panic!("{refused:?}")
        };
        assert_eq!(storage.determinacy, expected);
        let refused = call!(f, put_records, records(vec![entry("k", 1)])).expect_err("storage");
        assert_eq!(answer(&refused).0, "InternalFailure");
    }
    f.log.set(None);
    f.put_at("s", "0", "x").await;
    assert_eq!(f.all("s", &shard(0)).await, ["x"]);
}

#[tokio::test]
async fn the_same_record_put_twice_is_two_records() {
    let f = Fixture::new().await;
    f.create("s", 1).await;
    let first = f.put_at("s", "0", "x").await;
    let second = f.put_at("s", "0", "x").await;
    assert!(first.sequence_number < second.sequence_number);
    assert_eq!(f.all("s", &shard(0)).await, ["x", "x"]);
}
