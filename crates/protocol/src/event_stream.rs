//! Event-stream framing: what SubscribeToShard answers with, [`initial_response`] and then [`frame`]s.
//!
//! ```text
//! u32 length of all | u32 length of the headers | u32 CRC-32 of these eight bytes
//! headers, each: u8 length, name, u8 type (7 = text), u16 length, value
//! payload, JSON     | u32 CRC-32 of all before it                       all numbers big-endian
//! ```
//!
//! What must hold: the first frame is the `initial-response`, without which botocore raises and Java
//! never says that the subscription has begun; payloads are JSON, whatever the request was in, because
//! that is all that any client reads here.

use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use bytes::Bytes;
use serde::Serialize;
use tidemill_shapes::event_stream::{Streamed, StreamedEvent};

use crate::encoding::Encoding;

/// The media type of an answer in frames.
pub const MEDIA_TYPE: &str = "application/vnd.amazon.eventstream";
/// The media type of each payload.
const PAYLOAD: &str = "application/x-amz-json-1.1";

/// The frame that an answer begins with: what `output` has beside its events.
pub fn initial_response<O: Serialize>(output: &O) -> Bytes {
    event("initial-response", Encoding::Json.to_bytes(output))
}

/// The frame of one event or exception.
pub fn frame<E: StreamedEvent>(streamed: &E) -> Bytes {
    match streamed.streamed() {
        Streamed::Event(name) => event(name, Encoding::Json.to_bytes(streamed)),
        Streamed::Exception(failure) => {
            let members = [(failure.message_key, failure.message.as_str())];
            let kind = [
                (":message-type", "exception"),
                (":exception-type", failure.code),
            ];
            write(kind, Encoding::Json.object(&members))
        }
    }
}

fn event(name: &'static str, payload: Vec<u8>) -> Bytes {
    write([(":message-type", "event"), (":event-type", name)], payload)
}

fn write(kind: [(&'static str, &'static str); 2], payload: Vec<u8>) -> Bytes {
    let mut message = Message::new(payload);
    for (name, value) in kind.into_iter().chain([(":content-type", PAYLOAD)]) {
        message = message.add_header(Header::new(name, HeaderValue::String(value.into())));
    }
    let mut bytes = Vec::with_capacity(message.payload().len() + 256);
    write_message_to(&message, &mut bytes)
        .expect("the headers are short, and no payload has four gigabytes");
    bytes.into()
}

#[cfg(test)]
mod tests {
    use aws_smithy_eventstream::frame::read_message_from;
    use tidemill_model::Timestamp;
    use tidemill_shapes::kinesis::{
        Record, ResourceInUseException, SubscribeToShardEvent, SubscribeToShardEventStream,
        SubscribeToShardOutput,
    };

    use super::*;

    fn parts(frame: Bytes) -> (Vec<(String, String)>, String) {
        let message = read_message_from(frame).unwrap();
        let headers = message.headers().iter().map(|header| {
            let value = header.value().as_string().unwrap().as_str().to_owned();
            (header.name().as_str().to_owned(), value)
        });
        let payload = String::from_utf8(message.payload().to_vec()).unwrap();
        (headers.collect(), payload)
    }

    fn header(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn the_first_frame_is_golden() {
        let hex: String = initial_response(&SubscribeToShardOutput {})
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let golden = "0000007200000060ab820d9e0d3a6d6573736167652d747970650700056576656e740b3a657665\
                      6e742d74797065070010696e697469616c2d726573706f6e73650d3a636f6e74656e742d747970\
                      6507001a6170706c69636174696f6e2f782d616d7a2d6a736f6e2d312e317b7de16e66e4";
        assert_eq!(hex, golden);
    }

    #[test]
    fn an_event_has_its_records_as_json() {
        let event = SubscribeToShardEvent {
            records: vec![Record {
                approximate_arrival_timestamp: Some(Timestamp::from_millis(1_700_000_000_123)),
                data: Bytes::from_static(b"x"),
                encryption_type: None,
                partition_key: Some("k".to_owned()),
                sequence_number: "7".to_owned(),
            }],
            continuation_sequence_number: None,
            millis_behind_latest: 0,
            child_shards: Some(Vec::new()),
        };
        let (headers, payload) = parts(frame(&SubscribeToShardEventStream::SubscribeToShardEvent(
            event,
        )));
        let expected = [
            header(":message-type", "event"),
            header(":event-type", "SubscribeToShardEvent"),
            header(":content-type", "application/x-amz-json-1.1"),
        ];
        assert_eq!(headers, expected);
        assert_eq!(
            payload,
            r#"{"ChildShards":[],"MillisBehindLatest":0,"Records":[{"ApproximateArrivalTimestamp":1700000000.123,"Data":"eA==","PartitionKey":"k","SequenceNumber":"7"}]}"#
        );
    }

    #[test]
    fn an_exception_names_itself_in_a_header() {
        let exception = ResourceInUseException::new("taken");
        let (headers, payload) = parts(frame(
            &SubscribeToShardEventStream::ResourceInUseException(exception),
        ));
        assert_eq!(headers[0], header(":message-type", "exception"));
        assert_eq!(
            headers[1],
            header(":exception-type", "ResourceInUseException")
        );
        assert_eq!(payload, r#"{"message":"taken"}"#);
    }
}
