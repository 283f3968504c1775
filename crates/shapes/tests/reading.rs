//! Inputs are read as AWS reads them: types first, then constraints, in AWS's own texts.

use tidemill_shapes::kinesis::{
    AddTagsToStreamInput, CreateStreamInput, GetRecordsInput, GetShardIteratorInput,
    ListShardsInput, PutRecordInput, PutRecordsInput, RemoveTagsFromStreamInput,
};
use tidemill_shapes::lambda::CreateEventSourceMappingInput;
use tidemill_shapes::wire::{FromWire, Refusal, from_json};

fn refused<T: FromWire + std::fmt::Debug>(body: &str) -> Refusal {
    from_json::<T>(body.as_bytes()).expect_err(body)
}

fn serialization(text: &str) -> Refusal {
    Refusal::Serialization(Some(text.to_owned()))
}

fn validation(text: &str) -> Refusal {
    Refusal::Validation(text.to_owned())
}

#[test]
fn a_put_is_read_with_its_payload_decoded() {
    let body = br#"{"StreamName":"s","Data":"SGVsbG8=","PartitionKey":"k","Unknown":{"a":[1]},"StreamARN":null}"#;
    let input: PutRecordInput = from_json(body).unwrap();
    assert_eq!(input.stream_name.as_deref(), Some("s"));
    assert_eq!(&input.data[..], b"Hello");
    assert_eq!(
        (input.partition_key.as_deref(), input.stream_arn),
        (Some("k"), None)
    );
}

#[test]
fn an_unknown_name_is_a_text_all_the_same() {
    let body = |name: &[u8]| {
        [
            br#"{"StreamName":"s","Data":"","PartitionKey":"k",""#,
            name,
            br#"":1}"#,
        ]
        .concat()
    };
    let read = |name| from_json::<PutRecordInput>(&body(name));
    for name in [
        &b"Unknown"[..],
        "é".as_bytes(),
        b"\x7f",
        b"\\u0044ata2",
        b"",
    ] {
        assert!(read(name).is_ok(), "{name:?}");
    }
    for name in [&b"\x01"[..], b"a\nb", b"\xff", b"Data\xc3"] {
        assert_eq!(read(name), Err(Refusal::Serialization(None)), "{name:?}");
    }
    assert!(read(b"\\u0044ata").is_err(), "that is Data, and no number");
}

#[test]
fn wrong_types_are_refused_in_the_words_of_the_service() {
    let number = "class com.amazon.coral.value.json.numbers.TruncatingBigNumber";
    let cases = [
        (
            r#"{"StreamName":1}"#,
            format!("{number} can not be converted to an String"),
        ),
        (
            r#"{"StreamName":true}"#,
            "class java.lang.Boolean can not be converted to an String".into(),
        ),
        (
            r#"{"StreamName":[]}"#,
            "Start of list found where not expected".into(),
        ),
        (
            r#"{"StreamName":{}}"#,
            "Start of structure or map found where not expected.".into(),
        ),
        (
            r#"{"ShardCount":"1"}"#,
            "class java.lang.String can not be converted to an Integer".into(),
        ),
        (r#"{"Tags":1}"#, "Expected map or null".into()),
        (r#"{"StreamModeDetails":"x"}"#, "Expected null".into()),
    ];
    for (body, text) in cases {
        assert_eq!(
            refused::<CreateStreamInput>(body),
            serialization(&text),
            "{body}"
        );
    }
    assert_eq!(
        refused::<PutRecordsInput>(r#"{"Records":1}"#),
        serialization("Expected list or null")
    );
    let blob = |data: &str| refused::<PutRecordInput>(&format!(r#"{{"Data":"{data}"}}"#));
    assert_eq!(
        blob("23456"),
        serialization(
            "'23456' can not be converted to a Blob: Base64 encoded length is expected a multiple of 4 bytes but found: 5"
        )
    );
    assert_eq!(
        blob("=234"),
        serialization("'=234' can not be converted to a Blob: Invalid Base64 character: '='")
    );
    assert_eq!(
        refused::<GetShardIteratorInput>(r#"{"Timestamp":"x"}"#),
        serialization("class java.lang.String can not be converted to milliseconds since epoch")
    );
}

#[test]
fn what_cannot_be_parsed_has_no_text() {
    for body in ["", "{", "[]", "1", "{} x", "\u{1}", r#"{"StreamName":"#] {
        let refusal = refused::<PutRecordInput>(body);
        assert!(
            matches!(refusal, Refusal::Serialization(_)),
            "{body}: {refusal:?}"
        );
    }
}

#[test]
fn constraints_are_reported_together_with_their_paths() {
    assert_eq!(
        refused::<PutRecordInput>("{}"),
        validation(
            "1 validation error detected: Value null at 'data' failed to satisfy constraint: Member must not be null"
        )
    );
    assert_eq!(
        refused::<GetShardIteratorInput>(
            r#"{"StreamName":"","ShardId":"s","ShardIteratorType":"x"}"#
        ),
        validation(
            "3 validation errors detected: \
             Value '' at 'streamName' failed to satisfy constraint: Member must have length greater than or equal to 1; \
             Value '' at 'streamName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+; \
             Value 'x' at 'shardIteratorType' failed to satisfy constraint: Member must satisfy enum value set: \
             [AFTER_SEQUENCE_NUMBER, LATEST, AT_TIMESTAMP, AT_SEQUENCE_NUMBER, TRIM_HORIZON]"
        )
    );
    assert_eq!(
        refused::<GetRecordsInput>(r#"{"ShardIterator":"x","Limit":10001}"#),
        validation(
            "1 validation error detected: Value '10001' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 10000"
        )
    );
    assert_eq!(
        refused::<PutRecordsInput>(
            r#"{"StreamName":"s","Records":[{"Data":"","PartitionKey":"a"},{"PartitionKey":""}]}"#
        ),
        validation(
            "2 validation errors detected: \
             Value '' at 'records.2.member.partitionKey' failed to satisfy constraint: Member must have length greater than or equal to 1; \
             Value null at 'records.2.member.data' failed to satisfy constraint: Member must not be null"
        )
    );
    assert_eq!(
        refused::<PutRecordsInput>(r#"{"StreamName":"s","Records":[]}"#),
        validation(
            "1 validation error detected: Value '[]' at 'records' failed to satisfy constraint: Member must have length greater than or equal to 1"
        )
    );
}

#[test]
fn lists_and_maps_report_their_elements() {
    assert_eq!(
        refused::<RemoveTagsFromStreamInput>(r#"{"StreamName":"s","TagKeys":["a",""]}"#),
        validation(
            "1 validation error detected: Value '[a, ]' at 'tagKeys' failed to satisfy constraint: Member must satisfy constraint: [Member must have length less than or equal to 128, Member must have length greater than or equal to 1]"
        )
    );
    assert_eq!(
        refused::<AddTagsToStreamInput>(r#"{"StreamName":"s","Tags":{"":"v"}}"#),
        validation(
            "1 validation error detected: Value '{=v}' at 'tags' failed to satisfy constraint: Map keys must satisfy constraint: [Member must have length less than or equal to 128, Member must have length greater than or equal to 1]"
        )
    );
}

#[test]
fn at_most_ten_violations_are_reported() {
    let entries = vec![r#"{"PartitionKey":""}"#; 20].join(",");
    let body = format!(r#"{{"StreamName":"s","Records":[{entries}]}}"#);
    let Refusal::Validation(text) = refused::<PutRecordsInput>(&body) else {
        panic!("a violation")
    };
    assert!(
        text.starts_with("10 validation errors detected: "),
        "{text}"
    );
    assert_eq!(text.matches("failed to satisfy").count(), 10);
}

#[test]
fn numbers_are_truncated_and_characters_counted() {
    let input: CreateStreamInput = from_json(br#"{"StreamName":"s","ShardCount":2.9}"#).unwrap();
    assert_eq!(input.shard_count, Some(2));
    let key = "é".repeat(256);
    let body = format!(r#"{{"StreamName":"s","Data":"","PartitionKey":"{key}"}}"#);
    assert!(from_json::<PutRecordInput>(body.as_bytes()).is_ok());
    let body = format!(r#"{{"StreamName":"s","Data":"","PartitionKey":"{key}x"}}"#);
    assert!(from_json::<PutRecordInput>(body.as_bytes()).is_err());
}

#[test]
fn no_time_is_later_than_can_be_written_and_read_again() {
    let read = |secs: &str| {
        let body = format!(r#"{{"StreamName":"s","StreamCreationTimestamp":{secs}}}"#);
        let input: ListShardsInput = from_json(body.as_bytes()).expect("a time");
        input.stream_creation_timestamp.map(|at| at.as_millis())
    };
    assert_eq!(read("1e300"), Some(i64::MAX as u64));
    assert_eq!(read("-1e300"), Some(0));
    assert_eq!(read("1.5"), Some(1500));
}

#[test]
fn a_mapping_is_read_with_its_nested_configuration() {
    let body = br#"{"FunctionName":"f","StartingPosition":"TRIM_HORIZON","BatchSize":100,
        "DestinationConfig":{"OnFailure":{"Destination":"arn:aws:sqs:us-east-1:000000000000:q"}},
        "FunctionResponseTypes":["ReportBatchItemFailures"],"StartingPositionTimestamp":1700000000.123}"#;
    let input: CreateEventSourceMappingInput = from_json(body).unwrap();
    assert_eq!(input.batch_size, Some(100));
    assert_eq!(
        input.starting_position_timestamp.map(|at| at.as_millis()),
        Some(1_700_000_000_123)
    );
    assert_eq!(
        refused::<CreateEventSourceMappingInput>(
            r#"{"FunctionName":"f","StartingPosition":"invalid"}"#
        ),
        validation(
            "1 validation error detected: Value 'invalid' at 'startingPosition' failed to satisfy constraint: Member must satisfy enum value set: [LATEST, AT_TIMESTAMP, TRIM_HORIZON]"
        )
    );
}

#[test]
fn a_list_with_one_too_many_is_refused_for_its_length() {
    let entries = |count: usize| vec![r#"{"Data":"","PartitionKey":"k"}"#; count].join(",");
    let body = |count| format!(r#"{{"StreamName":"s","Records":[{}]}}"#, entries(count));
    let input: PutRecordsInput = from_json(body(500).as_bytes()).unwrap();
    assert_eq!(input.records.len(), 500);
    assert_eq!(
        refused::<PutRecordsInput>(&body(501)),
        validation(
            "1 validation error detected: Value at 'records' failed to satisfy constraint: Member must have length less than or equal to 500"
        )
    );
}
