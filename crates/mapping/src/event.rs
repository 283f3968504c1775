//! The JSON document a function is invoked with, written straight into bytes.
//!
//! What must hold: the keys stand in AWS's order, and [`Envelope::record_bytes`] is exactly what
//! [`Envelope::write`] will write, so that a batch can be cut at the size limit before it is built.
//! The layout of one record, as recorded from AWS:
//!
//! ```text
//! {"kinesis":{"kinesisSchemaVersion":"1.0","partitionKey":K,"sequenceNumber":"N","data":"BASE64",
//!   "approximateArrivalTimestamp":SECONDS.MMM},"eventSource":"aws:kinesis","eventVersion":"1.0",
//!   "eventID":"SHARD:N","eventName":"aws:kinesis:record","invokeIdentityArn":ROLE,
//!   "awsRegion":"REGION","eventSourceARN":"STREAM"}
//! ```

use std::io::Write;
use std::sync::Arc;

use base64_simd::STANDARD;
use bytes::Bytes;

use tidemill_model::{Record, ShardId, StreamArn};

const BEFORE_KEY: &[u8] = br#"{"kinesis":{"kinesisSchemaVersion":"1.0","partitionKey":"#;
const BEFORE_NUMBER: &[u8] = br#","sequenceNumber":""#;
const BEFORE_DATA: &[u8] = br#"","data":""#;
const BEFORE_ARRIVAL: &[u8] = br#"","approximateArrivalTimestamp":"#;
const BEFORE_ID: &[u8] = br#"},"eventSource":"aws:kinesis","eventVersion":"1.0","eventID":""#;
const OPENING: &[u8] = br#"{"Records":["#;
const CLOSING: &[u8] = b"]}";
const SEQUENCE_NUMBER_DIGITS: usize = 56;

/// What is the same in every record of one mapping and shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    shard: String,
    tail: Vec<u8>,
}

impl Envelope {
    /// The envelope for records of `shard`, handed to a function that runs as `role`.
    pub fn new(stream: &StreamArn, shard: ShardId, role: &str) -> Envelope {
        let mut tail = br#"","eventName":"aws:kinesis:record","invokeIdentityArn":"#.to_vec();
        write_json_string(&mut tail, role);
        tail.extend_from_slice(br#","awsRegion":"#);
        write_json_string(&mut tail, stream.region.as_str());
        tail.extend_from_slice(br#","eventSourceARN":"#);
        write_json_string(&mut tail, &stream.to_string());
        tail.push(b'}');
        Envelope {
            shard: shard.to_string(),
            tail,
        }
    }

    /// How many bytes `record` takes in the document, without the comma between records.
    pub fn record_bytes(&self, record: &Record) -> usize {
        BEFORE_KEY.len()
            + json_string_bytes(&record.partition_key)
            + BEFORE_NUMBER.len()
            + SEQUENCE_NUMBER_DIGITS
            + BEFORE_DATA.len()
            + STANDARD.encoded_length(record.data.len())
            + BEFORE_ARRIVAL.len()
            + decimal_digits(record.arrival.as_secs())
            + ".000".len()
            + BEFORE_ID.len()
            + self.shard.len()
            + ":".len()
            + SEQUENCE_NUMBER_DIGITS
            + self.tail.len()
    }

    /// How many bytes the document takes when its records take `record_bytes` in sum.
    pub fn document_bytes(record_count: usize, record_bytes: usize) -> usize {
        OPENING.len() + record_bytes + record_count.saturating_sub(1) + CLOSING.len()
    }

    /// The document of `records`.
    pub fn write(&self, records: &[Arc<Record>]) -> Bytes {
        let record_bytes = records.iter().map(|record| self.record_bytes(record)).sum();
        let size = Envelope::document_bytes(records.len(), record_bytes);
        let mut document = Vec::with_capacity(size);
        document.extend_from_slice(OPENING);
        for (index, record) in records.iter().enumerate() {
            if index > 0 {
                document.push(b',');
            }
            self.write_record(&mut document, record);
        }
        document.extend_from_slice(CLOSING);
        assert_eq!(
            document.len(),
            size,
            "the size foretold is the size written"
        );
        Bytes::from(document)
    }

    fn write_record(&self, document: &mut Vec<u8>, record: &Record) {
        let number = record.sequence_number.to_string();
        document.extend_from_slice(BEFORE_KEY);
        write_json_string(document, &record.partition_key);
        document.extend_from_slice(BEFORE_NUMBER);
        document.extend_from_slice(number.as_bytes());
        document.extend_from_slice(BEFORE_DATA);
        STANDARD.encode_append(&record.data, document);
        document.extend_from_slice(BEFORE_ARRIVAL);
        let (secs, millis) = (record.arrival.as_secs(), record.arrival.as_millis() % 1000);
        write!(document, "{secs}.{millis:03}").expect("writing to memory does not fail");
        document.extend_from_slice(BEFORE_ID);
        document.extend_from_slice(self.shard.as_bytes());
        document.push(b':');
        document.extend_from_slice(number.as_bytes());
        document.extend_from_slice(&self.tail);
    }
}

/// How many bytes of JSON the character takes when it cannot stand for itself.
fn escape(byte: u8) -> Option<&'static str> {
    Some(match byte {
        b'"' => "\\\"",
        b'\\' => "\\\\",
        0x08 => "\\b",
        0x0c => "\\f",
        b'\n' => "\\n",
        b'\r' => "\\r",
        b'\t' => "\\t",
        _ => return None,
    })
}

fn json_string_bytes(text: &str) -> usize {
    let inside: usize = text
        .bytes()
        .map(|byte| match escape(byte) {
            Some(escaped) => escaped.len(),
            None if byte < 0x20 => "\\u0000".len(),
            None => 1,
        })
        .sum();
    inside + 2
}

fn write_json_string(document: &mut Vec<u8>, text: &str) {
    document.push(b'"');
    let plain = |byte: u8| byte >= 0x20 && byte != b'"' && byte != b'\\';
    if text.bytes().all(plain) {
        document.extend_from_slice(text.as_bytes());
    } else {
        for byte in text.bytes() {
            match escape(byte) {
                Some(escaped) => document.extend_from_slice(escaped.as_bytes()),
                None if byte < 0x20 => {
                    write!(document, "\\u{byte:04x}").expect("writing to memory does not fail");
                }
                None => document.push(byte),
            }
        }
    }
    document.push(b'"');
}

fn decimal_digits(number: u64) -> usize {
    number
        .checked_ilog10()
        .map_or(1, |power| power as usize + 1)
}

#[cfg(test)]
mod tests {
    use tidemill_model::{SequenceNumber, Timestamp};

    use super::*;

    const NUMBER: &str = "49590338271490256608559692538361571095921575989136588898";

    fn record(partition_key: &str, data: &'static [u8]) -> Arc<Record> {
        let sequence_number: SequenceNumber = NUMBER.parse().expect("a real number");
        Arc::new(Record {
            position: 0,
            sequence_number,
            arrival: Timestamp::from_millis(1_545_084_650_987),
            partition_key: partition_key.to_owned(),
            data: Bytes::from_static(data),
        })
    }

    fn envelope() -> Envelope {
        let stream = "arn:aws:kinesis:us-east-2:123456789012:stream/lambda-stream";
        let stream = stream.parse().expect("an ARN");
        Envelope::new(
            &stream,
            ShardId(6),
            "arn:aws:iam::123456789012:role/lambda-role",
        )
    }

    #[test]
    fn a_record_looks_as_recorded_from_aws() {
        let document = envelope().write(&[record("1", b"Hello, this is a test.")]);
        let expected = concat!(
            r#"{"Records":[{"kinesis":{"kinesisSchemaVersion":"1.0","partitionKey":"1","#,
            r#""sequenceNumber":"49590338271490256608559692538361571095921575989136588898","#,
            r#""data":"SGVsbG8sIHRoaXMgaXMgYSB0ZXN0Lg==","#,
            r#""approximateArrivalTimestamp":1545084650.987},"#,
            r#""eventSource":"aws:kinesis","eventVersion":"1.0","eventID":"shardId-000000000006:"#,
            r#"49590338271490256608559692538361571095921575989136588898","#,
            r#""eventName":"aws:kinesis:record","#,
            r#""invokeIdentityArn":"arn:aws:iam::123456789012:role/lambda-role","#,
            r#""awsRegion":"us-east-2","#,
            r#""eventSourceARN":"arn:aws:kinesis:us-east-2:123456789012:stream/lambda-stream"}]}"#,
        );
        assert_eq!(std::str::from_utf8(&document), Ok(expected));
    }

    #[test]
    fn any_partition_key_is_read_back_from_the_document() {
        for key in [
            "plain",
            "quote\"",
            "back\\slash",
            "\u{0}\u{1f}\n\r\t\u{8}\u{c}",
            "ключ 🗝",
        ] {
            let document = envelope().write(&[record(key, b""), record(key, b"x")]);
            let value: serde_json::Value = serde_json::from_slice(&document).expect("JSON");
            assert_eq!(value["Records"][1]["kinesis"]["partitionKey"], key);
        }
    }
}
