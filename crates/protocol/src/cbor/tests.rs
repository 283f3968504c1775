//! Golden bytes both ways, every form of the same value, and bodies that are none.

use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};
use tidemill_model::Timestamp;
use tidemill_shapes::kinesis::{
    AddTagsToStreamInput, GetRecordsInput, GetShardIteratorInput, PutRecordInput, PutRecordsInput,
    PutRecordsRequestEntry, Record, ShardIteratorType,
};

use super::*;

fn read<T: FromWire>(body: &'static [u8]) -> Result<T, Refusal> {
    from_cbor(&Bytes::from_static(body))
}

/// `hex` without its spaces.
fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u32> = hex.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits
        .chunks(2)
        .map(|pair| (pair[0] * 16 + pair[1]) as u8)
        .collect()
}

fn value(hex: &str) -> Option<Value> {
    let body = bytes(hex);
    let mut reader = Reader::new(&body);
    let value = Value::deserialize(&mut reader).ok()?;
    reader.is_at_end().then_some(value)
}

fn record() -> Record {
    Record {
        approximate_arrival_timestamp: Some(Timestamp::from_millis(1_700_000_000_123)),
        data: Bytes::from_static(b"x"),
        encryption_type: None,
        partition_key: Some("k".to_owned()),
        sequence_number: "49".to_owned(),
    }
}

#[test]
fn a_record_is_written_with_its_bytes_and_its_milliseconds() {
    let golden = [
        &b"\xbf\x78\x1bApproximateArrivalTimestamp"[..],
        &bytes("c1 1b 0000018bcfe5687b"),
        b"\x64Data\x41x\x6cPartitionKey\x61k\x6eSequenceNumber\x6249\xff",
    ];
    assert_eq!(to_bytes(&record()), golden.concat());
    assert_eq!(to_bytes(&Vec::<Record>::new()), b"\x9f\xff");
}

#[test]
fn a_request_of_the_java_sdk_is_read() {
    let put: PutRecordInput =
        read(b"\xbf\x6aStreamName\x61s\x64Data\x41x\x6cPartitionKey\x61k\xff").unwrap();
    assert_eq!(
        (&put.data[..], put.stream_name.as_deref()),
        (&b"x"[..], Some("s"))
    );
    let body = [
        &b"\xbf\x67ShardId\x61s\x71ShardIteratorType\x6cAT_TIMESTAMP\x69Timestamp"[..],
        &bytes("c1 1b 0000018bcfe5687b ff"),
    ];
    let at: GetShardIteratorInput = from_cbor(&body.concat().into()).unwrap();
    assert_eq!(
        at.timestamp,
        Some(Timestamp::from_millis(1_700_000_000_123))
    );
    assert_eq!(at.shard_iterator_type, ShardIteratorType::AtTimestamp);
}

#[test]
fn a_blob_shares_the_memory_of_its_body_unless_it_came_in_pieces() {
    let body = Bytes::from_static(b"\xa2\x64Data\x43abc\x6cPartitionKey\x61k");
    let put: PutRecordInput = from_cbor(&body).unwrap();
    assert!(body.as_ptr_range().contains(&put.data.as_ptr()));
    let pieces: PutRecordInput = read(b"\xa1\x64Data\x5f\x41a\x40\x42bc\xff").unwrap();
    assert_eq!(&pieces.data[..], b"abc");
}

#[test]
fn values_are_read_in_every_form_they_can_have() {
    let cases = [
        ("17", json!(23)),
        ("18ff", json!(255)),
        ("190100", json!(256)),
        ("1a00010000", json!(65_536)),
        ("1bffffffffffffffff", json!(u64::MAX)),
        ("20", json!(-1)),
        ("3903e7", json!(-1000)),
        ("3b7fffffffffffffff", json!(i64::MIN)),
        ("3bffffffffffffffff", json!(i64::MIN)),
        ("f4", json!(false)),
        ("f5", json!(true)),
        ("f6", json!(null)),
        ("f7", json!(null)),
        ("f90000", json!(0.0)),
        ("f93e00", json!(1.5)),
        ("f97bff", json!(65_504.0)),
        ("f90001", json!(5.960_464_477_539_063e-8)),
        ("f9c400", json!(-4.0)),
        ("fa47c35000", json!(100_000.0)),
        ("fb3ff199999999999a", json!(1.1)),
        ("60", json!("")),
        ("62c3a9", json!("é")),
        ("7f61c360ff", json!(null)),
        ("7f62c3a96161ff", json!("éa")),
        ("80", json!([])),
        ("9fff", json!([])),
        ("8201820203", json!([1, [2, 3]])),
        ("9f01ff", json!([1])),
        ("a16161bfff", json!({"a": {}})),
        ("bf7f6161ff01ff", json!({"a": 1})),
        ("d9d9f7a0", json!({})),
    ];
    for (hex, expected) in cases {
        match hex {
            // A letter must not be torn between two pieces; put together it is read all the same.
            "7f61c360ff" => assert_eq!(value(hex), None),
            _ => assert_eq!(value(hex), Some(expected), "{hex}"),
        }
    }
}

#[test]
fn what_is_malformed_is_refused() {
    let cases = [
        "",
        "18",
        "1c00",
        "1f",
        "3f",
        "41",
        "5f4100",
        "5f6161ff",
        "5f5fffff",
        "61ff",
        "62c3",
        "7f4161ff",
        "81",
        "9f",
        "9f01",
        "a1",
        "a16161",
        "bf6161ff",
        "c1",
        "dfa0",
        "f818",
        "fc",
        "ff",
        "8101ff",
        "9bffffffffffffffff01",
        "5bffffffffffffffff01",
        "bbffffffffffffffff",
    ];
    for hex in cases {
        assert_eq!(value(hex), None, "{hex}");
        assert!(!is_map(&bytes(hex)), "{hex}");
    }
    for (hex, is) in [
        ("a0", true),
        ("bfff", true),
        ("80", false),
        ("a0a0", false),
        ("7b7d", false),
    ] {
        assert_eq!(is_map(&bytes(hex)), is, "{hex}");
    }
    let names_a_number = read::<GetRecordsInput>(b"\xa1\x01\x02");
    assert_eq!(names_a_number, Err(Refusal::Serialization(None)));
}

#[test]
fn nesting_ends_somewhere() {
    let nested = |open: &[u8], close: &[u8], depth: usize| {
        let parts = [
            b"\xa1\x61a".to_vec(),
            open.repeat(depth),
            b"\x00".to_vec(),
            close.repeat(depth),
        ];
        is_map(&parts.concat())
    };
    let forms: [(&[u8], &[u8]); 5] = [
        (b"\x9f", b"\xff"),
        (b"\x81", b""),
        (b"\xc2", b""),
        (b"\xbf\x61a", b"\xff"),
        (b"\xa1\x61a", b""),
    ];
    for (open, close) in forms {
        // The outer map is one level of 128.
        for (depth, is) in [(1, true), (127, true), (128, false), (1_000_000, false)] {
            assert_eq!(nested(open, close, depth), is, "{depth} {open:x?}");
        }
    }
}

#[test]
fn wrong_types_are_refused_in_the_words_of_the_service() {
    let text = |refusal: Refusal| match refusal {
        Refusal::Serialization(Some(text)) => text,
        other => panic!("{other:?}"),
    };
    let put = |body| text(read::<PutRecordInput>(body).unwrap_err());
    let number = "class com.amazon.coral.value.json.numbers.TruncatingBigNumber";
    assert_eq!(
        put(b"\xa1\x6aStreamName\x01"),
        format!("{number} can not be converted to an String")
    );
    assert_eq!(
        put(b"\xa1\x6aStreamName\x41s"),
        "class java.nio.HeapByteBuffer can not be converted to an String"
    );
    assert_eq!(
        put(b"\xa1\x64Data\x80"),
        "Start of list found where not expected"
    );
    assert_eq!(
        put(b"\xa1\x64Data\xc1\x00"),
        "class java.util.Date can not be converted to a Blob"
    );
    let at = |body| text(read::<GetShardIteratorInput>(body).unwrap_err());
    assert_eq!(
        at(b"\xa1\x69Timestamp\x61x"),
        "class java.lang.String can not be converted to milliseconds since epoch"
    );
    let no_number = read::<GetShardIteratorInput>(b"\xa1\x69Timestamp\xc1\x61x");
    assert_eq!(no_number, Err(Refusal::Serialization(None)));
    let get: GetRecordsInput = read(b"\xa2\x6dShardIterator\x61i\x65Limit\xf9\x42\x00").unwrap();
    assert_eq!(get.limit, Some(3), "a float for an integer is cut");
}

#[test]
fn what_a_hostile_body_lists_is_neither_kept_nor_described_in_full() {
    let list = [
        &b"\xa1\x67Records\x9f"[..],
        &b"\xf6".repeat(1_000_000),
        b"\xff",
    ]
    .concat();
    let Err(Refusal::Validation(text)) = from_cbor::<PutRecordsInput>(&list.into()) else {
        panic!("a million entries are too many");
    };
    assert!(text.starts_with("10 validation errors detected") && text.len() < 2000);
    let mut map = b"\xa2\x6aStreamName\x61s\x64Tags\xbf".to_vec();
    for key in 0..100_000u32 {
        map.push(0x64);
        map.extend(format!("{key:04x}").bytes().rev().take(4));
        map.push(0x60);
    }
    map.push(0xff);
    let refused = from_cbor::<AddTagsToStreamInput>(&map.into()).unwrap_err();
    assert!(
        matches!(refused, Refusal::Validation(text) if text.contains("less than or equal to 200"))
    );
}

/// A value in one of the forms it can have, chosen by `forms`.
fn encode(value: &Value, forms: &mut dyn Iterator<Item = u8>, body: &mut Vec<u8>) {
    let form = forms.next().unwrap_or(0);
    match value {
        Value::Null => body.push(if form < 128 { 0xf6 } else { 0xf7 }),
        Value::Bool(is) => body.push(0xf4 + u8::from(*is)),
        Value::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
            Some(float) => body.extend([&[0xfb][..], &float.to_be_bytes()].concat()),
            None => head(0, number.as_u64().unwrap_or(0), form, body),
        },
        Value::String(text) => run(3, text.as_bytes(), text, form, body),
        Value::Array(items) => {
            open(4, items.len(), form, body);
            items.iter().for_each(|item| encode(item, forms, body));
            close(form, body);
        }
        Value::Object(items) => {
            open(5, items.len(), form, body);
            for (name, item) in items {
                run(3, name.as_bytes(), name, form, body);
                encode(item, forms, body);
            }
            close(form, body);
        }
    }
}

fn head(major: u8, argument: u64, form: u8, body: &mut Vec<u8>) {
    let needed = match argument {
        0..=23 => 0,
        24..=0xff => 1,
        0x100..=0xffff => 2,
        0x1_0000..=0xffff_ffff => 3,
        _ => 4,
    };
    let wide = argument.to_be_bytes();
    match needed.max(form % 5) {
        0 => body.push(major << 5 | argument as u8),
        size => {
            body.push(major << 5 | (23 + size));
            body.extend_from_slice(&wide[8 - (1 << (size - 1))..]);
        }
    }
}

fn run(major: u8, bytes: &[u8], text: &str, form: u8, body: &mut Vec<u8>) {
    if form < 128 {
        head(major, bytes.len() as u64, form, body);
        return body.extend_from_slice(bytes);
    }
    body.push(major << 5 | 31);
    for letter in text.chars() {
        head(major, letter.len_utf8() as u64, form, body);
        body.extend(letter.encode_utf8(&mut [0; 4]).bytes());
    }
    body.push(0xff);
}

fn open(major: u8, count: usize, form: u8, body: &mut Vec<u8>) {
    if form < 128 {
        head(major, count as u64, form, body);
    } else {
        body.push(major << 5 | 31);
    }
}

fn close(form: u8, body: &mut Vec<u8>) {
    if form >= 128 {
        body.push(0xff);
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1e9f64..1e9).prop_map(Value::from),
        "\\PC{0,40}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..30).prop_map(Value::from),
            proptest::collection::btree_map("\\PC{0,30}", inner, 0..5)
                .prop_map(|map| Value::from(map.into_iter().collect::<serde_json::Map<_, _>>())),
        ]
    })
}

proptest! {
    #[test]
    fn a_value_is_the_same_in_all_its_forms(value in any_value(), forms: Vec<u8>) {
        let mut body = Vec::new();
        encode(&value, &mut forms.into_iter(), &mut body);
        let read = Value::deserialize(&mut Reader::new(&body)).unwrap();
        prop_assert_eq!(read, value);
    }

    #[test]
    fn what_is_written_is_read_back(
        entries in proptest::collection::vec((any::<Vec<u8>>(), "\\PC{1,20}", "0|[1-9][0-9]{0,20}"), 1..20),
        name in "[a-z]{1,20}",
    ) {
        let entry = |(data, key, hash)| PutRecordsRequestEntry {
            data: Vec::as_slice(data),
            explicit_hash_key: Some(String::as_str(hash)),
            partition_key: Some(String::as_str(key)),
        };
        let input = PutRecordsInput {
            dry_run: Some(true),
            records: entries.iter().map(|(data, key, hash)| entry((data, key, hash))).collect(),
            stream_name: Some(name),
            ..PutRecordsInput::default()
        };
        prop_assert_eq!(from_cbor(&to_bytes(&input).into()), Ok(input));
    }

    #[test]
    fn a_time_is_read_back_to_the_millisecond(millis in 0..1u64 << 62) {
        let input = GetShardIteratorInput {
            dry_run: None,
            shard_id: "s".to_owned(),
            shard_iterator_type: ShardIteratorType::AtTimestamp,
            starting_sequence_number: None,
            stream_arn: None,
            stream_id: None,
            stream_name: None,
            timestamp: Some(Timestamp::from_millis(millis)),
        };
        prop_assert_eq!(from_cbor(&to_bytes(&input).into()), Ok(input));
    }

    #[test]
    fn no_body_makes_the_reader_panic(body: Vec<u8>) {
        let _ = is_map(&body);
        let _ = from_cbor::<PutRecordsInput>(&body.into());
    }

    #[test]
    fn a_damaged_body_is_read_or_refused(changes: Vec<(usize, u8)>, cut: usize) {
        let input = PutRecordsInput {
            records: vec![PutRecordsRequestEntry { data: &b"abc"[..], ..Default::default() }; 3].into_iter().collect(),
            ..PutRecordsInput::default()
        };
        let mut body = to_bytes(&input);
        let length = body.len();
        changes.into_iter().for_each(|(at, byte)| body[at % length] = byte);
        body.truncate(length - cut % 3);
        if let Ok(input) = from_cbor::<PutRecordsInput>(&body.into()) {
            prop_assert!((1..=500).contains(&input.records.len()));
        }
    }
}
