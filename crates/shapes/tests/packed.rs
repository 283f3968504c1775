//! Lists that are packed: they are read, refused, written and compared as lists of their elements are.

use proptest::prelude::*;

use tidemill_shapes::arena::{BlobSlot, TextSlot};
use tidemill_shapes::kinesis::{PutRecordsInput, PutRecordsRequestEntry};
use tidemill_shapes::packed::Packed;
use tidemill_shapes::wire::{Refusal, from_json};

type Entry<'a> = PutRecordsRequestEntry<&'a [u8], &'a str>;
type Entries = Packed<PutRecordsRequestEntry<BlobSlot, TextSlot>>;

fn read(records: &str) -> Result<PutRecordsInput, Refusal> {
    from_json(format!(r#"{{"StreamName":"s","Records":{records}}}"#).as_bytes())
}

#[test]
fn members_stand_in_any_order_and_the_last_of_a_name_counts() {
    let input = read(
        r#"[{"PartitionKey":"a","Data":"AQI="},{"Data":"Aw==","ExplicitHashKey":"7","PartitionKey":"é"},
            {"Data":"BA==","Data":"","PartitionKey":"x","PartitionKey":null,"Other":[1,{}]}]"#,
    );
    let input = input.expect("is one");
    let entry = |data, partition_key, explicit_hash_key| Entry {
        data,
        partition_key,
        explicit_hash_key,
    };
    let expected = [
        entry(&[1, 2], Some("a"), None),
        entry(&[3], Some("é"), Some("7")),
        entry(&[], None, None),
    ];
    let found: Vec<Entry<'_>> = input.records.iter().collect();
    assert_eq!(found, expected);
    assert_eq!(input.records, expected.into_iter().collect::<Entries>());
    assert_ne!(
        input.records,
        expected[..2].iter().copied().collect::<Entries>()
    );
    let other = [expected[1], expected[0], expected[2]];
    assert_ne!(input.records, other.into_iter().collect::<Entries>());
    assert!(!input.records.is_empty() && Entries::default().is_empty());
}

#[test]
fn an_escape_in_one_text_changes_nothing_else() {
    let input =
        read(r#"[{"Data":"AQI=","PartitionKey":"a\n"},{"Data":"Aw==","PartitionKey":"b"}]"#);
    let input = input.expect("is one");
    let found: Vec<(&[u8], Option<&str>)> = input
        .records
        .iter()
        .map(|entry| (entry.data, entry.partition_key))
        .collect();
    assert_eq!(found, [(&[1, 2][..], Some("a\n")), (&[3][..], Some("b"))]);
}

#[test]
fn what_is_none_is_refused_in_the_words_for_a_blob_and_a_text() {
    let text = |records| match read(records) {
        Err(Refusal::Serialization(Some(text))) => text,
        other => panic!("{other:?}"),
    };
    let cases = [
        (
            r#"[{"Data":1}]"#,
            "class com.amazon.coral.value.json.numbers.TruncatingBigNumber can not be converted to a Blob",
        ),
        (
            r#"[{"Data":"AQI=","PartitionKey":true}]"#,
            "class java.lang.Boolean can not be converted to an String",
        ),
        (
            r#"[{"Data":"A"}]"#,
            "'A' can not be converted to a Blob: Base64 encoded length is expected a multiple of 4 bytes but found: 1",
        ),
        (
            r#"[{"Data":"AQI=","PartitionKey":"k"},{"Data":"A*I="}]"#,
            "'A*I=' can not be converted to a Blob: Invalid Base64 character: '*'",
        ),
        (
            r#"[{"Data":{}}]"#,
            "Start of structure or map found where not expected.",
        ),
        ("5", "Expected list or null"),
    ];
    for (records, expected) in cases {
        assert_eq!(text(records), expected, "{records}");
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        entries in proptest::collection::vec((any::<Vec<u8>>(), ".{1,40}", proptest::option::of("0|[1-9][0-9]{0,30}")), 1..40),
    ) {
        let entry = |(data, key, hash): &'_ (Vec<u8>, String, Option<String>)| -> PutRecordsRequestEntry<Vec<u8>, String> {
            PutRecordsRequestEntry {
                data: data.clone(),
                partition_key: Some(key.clone()),
                explicit_hash_key: hash.clone(),
            }
        };
        let owned: Vec<_> = entries.iter().map(entry).collect();
        let records: Entries = owned
            .iter()
            .map(|entry| Entry {
                data: &entry.data,
                partition_key: entry.partition_key.as_deref(),
                explicit_hash_key: entry.explicit_hash_key.as_deref(),
            })
            .collect();
        let written = serde_json::to_string(&records).expect("is written");
        prop_assert_eq!(&written, &serde_json::to_string(&owned).expect("is written"));
        let read = read(&written);
        prop_assert_eq!(read.expect("is one").records, records);
    }
}
