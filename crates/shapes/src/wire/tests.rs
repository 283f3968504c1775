//! That plain JSON is read as a full reader does, or left to it.

use super::*;
use crate::kinesis::PutRecordsInput;

/// What is read of `body` plainly, if it is plain; and it is the same as when it is read in full.
fn read(body: &[u8]) -> Option<Result<PutRecordsInput, Refusal>> {
    let plain = plainly_from_json(body).ok()?;
    let shown = String::from_utf8_lossy(body);
    assert_eq!(plain, fully_from_json(body), "{shown}");
    Some(plain)
}

fn body_of(records: &[&[u8]]) -> Vec<u8> {
    let list = records.join(&b","[..]);
    [br#"{"StreamName":"s","Records":["#, &list[..], b"]}"].concat()
}

#[test]
fn records_that_are_plain_are_read_plainly() {
    let long = format!(
        r#"{{"PartitionKey":"{}","Data":"{}"}}"#,
        "長".repeat(256),
        "QUJD".repeat(50)
    );
    let records = [
        r#"{"Data":"YQ==","PartitionKey":"a"}"#,
        " { \"PartitionKey\" : \"é\" , \"Data\" : \"\" , \"ExplicitHashKey\" : \"17\" } ",
        r#"{"Data":"YWJj"}"#,
        "{\"Data\":\"AAAA\",\"PartitionKey\":\"🦀\"}",
        &long,
    ];
    let input = read(&body_of(&records.map(str::as_bytes)));
    let input = input.expect("is plain").expect("is valid");
    let keys: Vec<_> = input
        .records
        .iter()
        .map(|entry| entry.partition_key)
        .collect();
    let long = "長".repeat(256);
    assert_eq!(keys, [Some("a"), Some("é"), None, Some("🦀"), Some(&long)]);
}

#[test]
fn records_that_are_not_are_left_to_a_full_reader() {
    let long = format!(r#"{{"Data":"YQ==","PartitionKey":"{}"}}"#, "k".repeat(257));
    for record in [
        r#"{"Data":"YQ==","PartitionKey":"a\n"}"#,
        r#"{"Data":"YQ==","PartitionKey":"a","PartitionKey":"b"}"#,
        r#"{"Data":"YQ==","Other":"b"}"#,
        r#"{"Data":"YQ==","PartitionKey":null}"#,
        r#"{"Data":"YQ==","PartitionKey":""}"#,
        r#"{"Data":"YQ==","ExplicitHashKey":"x"}"#,
        r#"{"Data":"YQ=","PartitionKey":"a"}"#,
        r#"{"PartitionKey":"a"}"#,
        r#"["YQ==",null,"a"]"#,
        "{}",
        "null",
        &long,
    ] {
        assert!(read(&body_of(&[record.as_bytes()])).is_none(), "{record}");
    }
}

#[test]
fn texts_that_are_such_only_together_are_not_read() {
    let record = |key: &[u8]| [br#"{"Data":"","PartitionKey":""#, key, br#""}"#].concat();
    let read = |keys: [&[u8]; 2]| read(&body_of(&keys.map(record).each_ref().map(Vec::as_slice)));
    assert!(read(["é".as_bytes(), b"a"]).is_some());
    for keys in [
        [&b"a\xc3"[..], b"\xa9"],
        [b"a", b"\xa9"],
        [b"a\xc3", b"b"],
        [b"a", b"\x1f"],
    ] {
        assert!(read(keys).is_none(), "{keys:?}");
    }
    assert!(
        read(["a".as_bytes(), b""]).is_none(),
        "a key has a character"
    );
    let many = |key| self::read(&body_of(&vec![&record(key)[..]; 501]));
    assert!(many(b"a").expect("is plain").is_err());
    assert!(many(b"\xa9").is_none());
}

#[test]
fn of_a_list_that_comes_twice_the_last_counts() {
    let list = |key: &str| format!(r#"[{{"Data":"YQ==","PartitionKey":"{key}"}}]"#);
    let body = |first: &str, second: &str| {
        format!(r#"{{"Records":{first},"StreamName":"s","Records":{second}}}"#)
    };
    let last = read(body(&list("a"), &list("b")).as_bytes());
    let last = last.expect("is plain").expect("is valid");
    assert_eq!(last.records.iter().next().unwrap().partition_key, Some("b"));
    assert!(
        read(body(&list("a"), "null").as_bytes())
            .expect("is plain")
            .is_err()
    );
    assert!(
        read(body("null", &list("a")).as_bytes())
            .expect("is plain")
            .is_ok()
    );
    assert!(read(body(&list("\u{1f}"), &list("b")).as_bytes()).is_none());
}

#[test]
fn a_body_with_any_byte_changed_is_read_as_in_full_or_not_at_all() {
    let records: [&[u8]; 2] = [
        br#"{"Data":"YWJj","PartitionKey":"a-key"}"#,
        br#"{"ExplicitHashKey":"5","Data":""}"#,
    ];
    let valid = body_of(&records);
    assert!(read(&valid).is_some());
    for at in 0..valid.len() {
        read(&valid[..at]);
        for byte in *b"\"{}[]:,0-x\\ \0\xa9\xff=" {
            let mut body = valid.clone();
            body[at] = byte;
            read(&body);
            body.insert(at, byte);
            read(&body);
        }
    }
}
