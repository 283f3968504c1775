//! What the targets for bodies share: [`read_body`], one body through the order of checks and into an input.
//!
//! What must hold: no body brings a reader down; what was read can be written, and reads as the same
//! again; and the reader of plain JSON has read nothing otherwise than a full one. The first byte of what
//! the fuzzer gives picks the operation, the others are the body.

use std::fmt::Debug;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Uri};
use serde::Serialize;
use tidemill_protocol::aws_json::{self, Dialect};
use tidemill_protocol::encoding::Encoding;
use tidemill_protocol::request::Request;
use tidemill_protocol::sigv4::Identity;
use tidemill_shapes::kinesis;
use tidemill_shapes::wire::{FromWire, Refusal, from_deserializer, from_json};

/// Reads `data` as a request to Kinesis in `dialect`.
pub fn read_body(dialect: Dialect, data: &[u8]) {
    let Some((choice, body)) = data.split_first() else {
        return;
    };
    let body = Bytes::copy_from_slice(body);
    match choice % 6 {
        0 => read::<kinesis::PutRecordsInput>(dialect, "PutRecords", &body),
        1 => read::<kinesis::PutRecordInput>(dialect, "PutRecord", &body),
        2 => read::<kinesis::GetRecordsInput>(dialect, "GetRecords", &body),
        3 => read::<kinesis::ListShardsInput>(dialect, "ListShards", &body),
        4 => read::<kinesis::CreateStreamInput>(dialect, "CreateStream", &body),
        _ => refuse(dialect, &body),
    }
}

fn read<T>(dialect: Dialect, operation: &str, body: &Bytes)
where
    T: FromWire + Serialize + PartialEq + Debug,
{
    if dialect.encoding == Encoding::Json {
        same::<T>(body);
    }
    let checked = check(dialect, operation, body);
    assert_eq!(checked, !body.is_empty(), "{operation} is supported");
    let Ok((_, input)) = aws_json::read::<T>(dialect, body, Ok(Identity::default())) else {
        return;
    };
    let written = aws_json::success(dialect, &input).body;
    match aws_json::read::<T>(dialect, &written, Ok(Identity::default())) {
        Ok((_, again)) => assert_eq!(again, input, "written as {written:?}"),
        Err(refusal) => panic!("{input:?}, written as {written:?}, is refused: {refusal:?}"),
    }
}

/// A body in JSON is read as serde_json has it, whether plain or not.
fn same<T: FromWire + PartialEq + Debug>(body: &[u8]) {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let full = match from_deserializer::<T, _>(&mut deserializer) {
        Err(refusal @ Refusal::Serialization(_)) => Err(refusal),
        read => match deserializer.end() {
            Ok(()) => read,
            Err(_) => Err(Refusal::Serialization(None)),
        },
    };
    assert_eq!(from_json::<T>(body), full);
}

/// An operation that nobody knows: only here does the order of checks look into the body itself.
fn refuse(dialect: Dialect, body: &Bytes) {
    assert!(!check(dialect, "Nonesuch", body), "nobody knows it");
}

/// Whether the order of checks lets `operation` through, and in `dialect`.
fn check(dialect: Dialect, operation: &str, body: &Bytes) -> bool {
    let target = format!("{}.{operation}", dialect.service.target_prefix());
    let target = HeaderValue::from_str(&target).expect("names are plain");
    let headers = HeaderMap::from_iter([
        (
            http::header::CONTENT_TYPE,
            HeaderValue::from_static(dialect.media_type()),
        ),
        (http::HeaderName::from_static("x-amz-target"), target),
    ]);
    let request = Request {
        method: &Method::POST,
        uri: &Uri::from_static("/"),
        headers: &headers,
        body,
    };
    aws_json::check(dialect.service, &request).is_ok_and(|(spoken, _)| spoken == dialect)
}
