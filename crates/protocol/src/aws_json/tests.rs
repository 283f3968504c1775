//! The order of checks as a table, the forms of answers, and that no body makes a reader panic.

use bytes::Bytes;
use proptest::prelude::*;
use tidemill_shapes::kinesis::{
    CreateStreamOutput, GetRecordsInput, GetShardIteratorOutput, PutRecordInput, PutRecordsInput,
};
use tidemill_shapes::{Failure, sqs};

use super::*;
use crate::response::Response;
use crate::sent::Sent;
use crate::sigv4::{self, Identity};
use crate::target::{JsonOperation, JsonService};

const JSON: &str = "application/x-amz-json-1.1";
const CBOR: &str = "application/x-amz-cbor-1.1";
const PUT: &str = "Kinesis_20131202.PutRecord";

const KINESIS: Dialect = Dialect::json(JsonService::Kinesis);
const SQS: Dialect = Dialect::json(JsonService::Sqs);

fn copied(body: impl AsRef<[u8]>) -> Bytes {
    Bytes::copy_from_slice(body.as_ref())
}

fn body_of(response: &Response) -> String {
    String::from_utf8_lossy(&response.body).into_owned()
}

fn checked(method: &str, media_type: &str, target: &str, body: &'static str) -> (u16, String) {
    let headers = [("content-type", media_type), ("x-amz-target", target)];
    let sent = Sent::new(method, "/", &headers, body);
    match check(JsonService::Kinesis, &sent.request()) {
        Ok((_, operation)) => (0, operation.name().to_owned()),
        Err(response) => (response.status, body_of(&response)),
    }
}

#[test]
fn kinesis_says_nothing_of_a_failure_inside() {
    let failure = Failure {
        code: "InternalFailureException",
        status: 500,
        sender: false,
        message_key: "message",
        message: "Internal Service Failure".into(),
        members: vec![],
        headers: vec![],
    };
    let answered = |service| body_of(&super::failure(Dialect::json(service), &failure));
    assert_eq!(
        answered(JsonService::Kinesis),
        r#"{"__type":"InternalFailure"}"#
    );
    assert!(answered(JsonService::Sqs).contains("Internal Service Failure"));
}

#[test]
fn a_request_is_refused_in_the_services_order() {
    let denied = "<AccessDeniedException>\n  <Message>Unable to determine service/operation name to \
                  be authorized</Message>\n</AccessDeniedException>\n";
    let unknown_xml = "<UnknownOperationException/>\n";
    let serialization = r#"{"__type":"SerializationException"}"#;
    let unknown = r#"{"__type":"UnknownOperationException"}"#;
    let unsupported = r#"{"__type":"UnsupportedOperationException","message":"Tidemill does not support CreateQueue; docs/PARITY.md lists what it does."}"#;
    let plain_serialization = r#"{"Output":{"__type":"com.amazon.coral.service#SerializationException"},"Version":"1.0"}"#;
    let plain_unknown = r#"{"Output":{"__type":"com.amazon.coral.service#UnknownOperationException"},"Version":"1.0"}"#;
    let cbor_serialization = "\u{fffd}f__typevSerializationException\u{fffd}";
    let cbor_unknown = "\u{fffd}f__typex\u{19}UnknownOperationException\u{fffd}";
    let queue = "Kinesis_20131202.CreateQueue";
    let plain = "application/json";
    let cases = [
        (("GET", JSON, PUT, "{}"), (403, denied)),
        (("PUT", "", "", ""), (403, denied)),
        (("POST", JSON, PUT, ""), (400, serialization)),
        (("POST", JSON, "x.y", ""), (400, unknown)),
        (("POST", CBOR, PUT, ""), (400, cbor_serialization)),
        (("POST", "text/plain", PUT, ""), (400, cbor_serialization)),
        (("POST", "", "", ""), (400, cbor_unknown)),
        (("POST", "text/plain", "", "{}"), (403, denied)),
        (
            ("POST", "text/plain", "Kinesis_20131202", "{}"),
            (403, denied),
        ),
        (
            ("POST", "text/plain", "Kinesis_20131202.", "{}"),
            (403, denied),
        ),
        (("POST", "text/plain", "x.y", "{}"), (404, unknown_xml)),
        (("POST", "", PUT, "{}"), (404, unknown_xml)),
        (("POST", plain, PUT, "{"), (400, plain_serialization)),
        (("POST", plain, "", "{}"), (404, plain_unknown)),
        (("POST", JSON, "x.y", "hello"), (400, serialization)),
        (("POST", JSON, queue, "[]"), (400, serialization)),
        (
            ("POST", JSON, "Kinesis_20131202.NoSuch", "{}"),
            (400, unknown),
        ),
        (
            ("POST", JSON, "DynamoDB_20120810.PutItem", "{}"),
            (400, unknown),
        ),
        (("POST", JSON, "", "{}"), (400, unknown)),
        (("POST", JSON, queue, "{}"), (501, unsupported)),
        (("POST", JSON, PUT, "{}"), (0, "PutRecord")),
        (
            (
                "POST",
                "Application/X-Amz-Json-1.1; charset=utf-8",
                PUT,
                "{}",
            ),
            (0, "PutRecord"),
        ),
        // Whether this is JSON is found out when it is read.
        (("POST", JSON, PUT, "hello"), (0, "PutRecord")),
    ];
    for (call, (status, body)) in cases {
        let outcome = checked(call.0, call.1, call.2, call.3);
        assert_eq!((outcome.0, outcome.1.as_str()), (status, body), "{call:?}");
    }
}

#[test]
fn cbor_is_checked_in_the_same_order_and_refused_in_cbor() {
    let outcome = |target: &str, body: &'static [u8]| {
        let headers = [("content-type", CBOR), ("x-amz-target", target)];
        let sent = Sent::new("POST", "/", &headers, body);
        match check(JsonService::Kinesis, &sent.request()) {
            Ok((dialect, operation)) => {
                assert_eq!(dialect, Dialect::CBOR);
                (0, operation.name().to_owned())
            }
            Err(response) => {
                assert_eq!(response.header("content-type"), Some(CBOR));
                (response.status, body_of(&response))
            }
        }
    };
    let create = "Kinesis_20131202.CreateChannel";
    assert_eq!(outcome(PUT, b"\xbf\xff"), (0, "PutRecord".to_owned()));
    assert!(
        outcome(create, b"\xbf\xff")
            .1
            .contains("not support CreateChannel")
    );
    for (body, code) in [
        (&b"\xbf\xff"[..], "UnknownOperationException"),
        (b"\xa0", "UnknownOperationException"),
        (b"\xa0\xa0", "SerializationException"),
        (b"\x9f\xff", "SerializationException"),
        (b"\xbf", "SerializationException"),
        (b"{}", "SerializationException"),
    ] {
        let (status, text) = outcome("Kinesis_20131202.NoSuch", body);
        assert!(status == 400 && text.contains(code), "{body:x?}: {text}");
    }
}

#[test]
fn sqs_has_its_own_media_type_and_names() {
    let outcome = |media_type: &str, target: &str, body: &'static str| {
        let headers = [("content-type", media_type), ("x-amz-target", target)];
        check(
            JsonService::Sqs,
            &Sent::new("POST", "/", &headers, body).request(),
        )
        .map(|(_, operation)| operation)
    };
    let json = "application/x-amz-json-1.0";
    let send = Ok(JsonOperation::Sqs(sqs::Operation::SendMessage));
    assert_eq!(outcome(json, "AmazonSQS.SendMessage", "{}"), send);
    let unknown = outcome(json, "AmazonSQS.NoSuch", "{}").unwrap_err();
    let body = r#"{"__type":"com.amazon.coral.service#UnknownOperationException"}"#;
    assert_eq!((unknown.status, body_of(&unknown).as_str()), (400, body));
    let query = outcome(
        "application/x-www-form-urlencoded",
        "",
        "Action=SendMessage",
    )
    .unwrap_err();
    assert!(body_of(&query).contains("query protocol"));
}

fn unsigned() -> Result<Identity, sigv4::Error> {
    Ok(Identity::default())
}

#[test]
fn syntax_comes_before_authentication_and_types_after_it() {
    let refused = |body: &str, authenticated| {
        let outcome = read::<PutRecordInput>(KINESIS, &copied(body), authenticated);
        body_of(&outcome.map(|(_, input)| input).unwrap_err())
    };
    let missing = || Err(sigv4::Error::MissingToken);
    let malformed = r#"{"__type":"SerializationException"}"#;
    let unsigned_text = r#"{"__type":"MissingAuthenticationTokenException","message":"Missing Authentication Token"}"#;
    for body in [
        "{",
        "[]",
        "null",
        "7",
        "\"x\"",
        "{} {}",
        "{\"Data\":7}x",
        "{\"Data\":7,}",
        "\u{c}{}",
    ] {
        assert_eq!(refused(body, missing()), malformed, "{body}");
        assert_eq!(refused(body, unsigned()), malformed, "{body}");
    }
    for body in ["{}", "{\"Data\":7}", " {\"StreamName\":\"\"} "] {
        assert_eq!(refused(body, missing()), unsigned_text, "{body}");
    }
    let cases = [
        (
            r#"{"StreamName":7,"Data":""}"#,
            r#"{"__type":"SerializationException","Message":"class com.amazon.coral.value.json.numbers.TruncatingBigNumber can not be converted to an String"}"#,
        ),
        (
            "{}",
            r#"{"__type":"ValidationException","message":"1 validation error detected: Value null at 'data' failed to satisfy constraint: Member must not be null"}"#,
        ),
    ];
    for (body, expected) in cases {
        assert_eq!(refused(body, unsigned()), expected);
    }
}

#[test]
fn a_body_becomes_its_input() {
    let body =
        br#"{"StreamName":"s","PartitionKey":"k","Data":"aGk=","Unknown":[{}],"StreamId":null}"#;
    let read = read::<PutRecordInput>(KINESIS, &copied(body), unsigned());
    let (_, input) = read.unwrap();
    assert_eq!(
        (input.stream_name.as_deref(), input.stream_id),
        (Some("s"), None)
    );
    assert_eq!(&input.data[..], b"hi");
}

#[test]
fn only_an_output_without_members_has_an_empty_body() {
    let empty = success(KINESIS, &CreateStreamOutput {});
    assert_eq!((empty.status, &empty.body[..]), (200, &b""[..]));
    assert_eq!(empty.header("content-type"), Some(JSON));
    let output = GetShardIteratorOutput {
        shard_iterator: None,
    };
    assert_eq!(&success(KINESIS, &output).body[..], b"{}");
}

#[test]
fn an_answer_speaks_as_its_request_did() {
    let output = GetShardIteratorOutput {
        shard_iterator: Some("i".to_owned()),
    };
    let answer = success(Dialect::CBOR, &output);
    assert_eq!(answer.header("content-type"), Some(CBOR));
    assert_eq!(&answer.body[..], b"\xbf\x6dShardIterator\x61i\xff");
    let empty = success(Dialect::CBOR, &CreateStreamOutput {});
    assert_eq!((empty.status, &empty.body[..]), (200, &b""[..]));
    let refused = read::<PutRecordInput>(Dialect::CBOR, &copied(b"\xbf\xff"), unsigned());
    let refused = body_of(&refused.map(|(_, input)| input).unwrap_err());
    assert!(refused.contains("ValidationException") && refused.contains("gmessage"));
    let unread = read::<PutRecordInput>(Dialect::CBOR, &copied(b"{}"), unsigned());
    let expected = b"\xbf\x66__type\x76SerializationException\xff";
    assert_eq!(
        &unread.map(|(_, input)| input).unwrap_err().body[..],
        expected
    );
}

#[test]
fn an_exception_is_written_in_its_services_form() {
    let failed = |code| Failure {
        code,
        status: 400,
        sender: true,
        message_key: "message",
        message: "a \"b\"".to_owned(),
        members: Vec::new(),
        headers: Vec::new(),
    };
    let kinesis = failure(KINESIS, &failed("ResourceInUseException"));
    assert_eq!(
        body_of(&kinesis),
        r#"{"__type":"ResourceInUseException","message":"a \"b\""}"#
    );
    assert_eq!(kinesis.header("x-amzn-query-error"), None);
    let sqs = failure(SQS, &failed("QueueDoesNotExist"));
    assert_eq!(
        body_of(&sqs),
        r#"{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"a \"b\""}"#
    );
    let query = Some("AWS.SimpleQueueService.NonExistentQueue;Sender");
    assert_eq!(sqs.header("x-amzn-query-error"), query);
}

#[test]
fn a_large_put_is_read_whole() {
    let entry = format!(r#"{{"PartitionKey":"k","Data":"{}"}}"#, "QUJD".repeat(350));
    let body = format!(
        r#"{{"StreamName":"s","Records":[{}]}}"#,
        vec![entry; 500].join(",")
    );
    assert!(body.len() > 700_000);
    let read = read::<PutRecordsInput>(KINESIS, &copied(&body), unsigned());
    let (_, input) = read.unwrap();
    assert_eq!(input.records.len(), 500);
    assert!(input.records.iter().all(|entry| entry.data.len() == 1050));
}

const VALID: &str = r#"{"StreamName":"s","Records":[{"PartitionKey":"k","Data":"aGk=","ExplicitHashKey":"1"},{"PartitionKey":"é","Data":""}],"DryRun":false}"#;

proptest! {
    #[test]
    fn no_body_makes_a_reader_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read::<PutRecordsInput>(KINESIS, &copied(&body), unsigned());
        let _ = read::<PutRecordsInput>(Dialect::CBOR, &copied(&body), unsigned());
        let _ = read::<GetRecordsInput>(KINESIS, &copied(&body), unsigned());
        let _ = read::<sqs::SendMessageInput>(SQS, &copied(&body), unsigned());
    }

    #[test]
    fn a_damaged_body_is_read_or_refused(
        changes in proptest::collection::vec((0..VALID.len(), "[ -~]|\\\\u[dD][89abcdef]00|\u{e9}|1e400"), 1..6),
        cut in 0..VALID.len() * 4,
    ) {
        let mut body = VALID.as_bytes().to_vec();
        for (at, text) in changes {
            let at = at.min(body.len() - 1);
            body.splice(at..=at, text.bytes());
        }
        body.truncate(cut);
        match read::<PutRecordsInput>(KINESIS, &copied(&body), unsigned()) {
            Ok((_, input)) => prop_assert!((1..=500).contains(&input.records.len())),
            Err(response) => prop_assert_eq!(response.status, 400),
        }
    }

    #[test]
    fn deep_nesting_is_refused_or_skipped(depth in 1usize..3000, known in any::<bool>()) {
        let name = if known { "Records" } else { "Other" };
        let open = r#"{"a":["#.repeat(depth);
        let close = "]}".repeat(depth);
        let body = format!(r#"{{"{name}":{open}{close},"Records":[]}}"#);
        prop_assert!(read::<PutRecordsInput>(KINESIS, &copied(&body), unsigned()).is_err());
    }
}
