//! Frames of an event stream: any bytes through the reader, and what we write read back.
//!
//! What must hold: no bytes bring the reader down; whatever texts and data an event has, its frame is
//! whole and names it.

#![no_main]

use aws_smithy_eventstream::frame::{MessageFrameDecoder, read_message_from};
use bytes::{Buf, Bytes};
use libfuzzer_sys::fuzz_target;
use tidemill_model::Timestamp;
use tidemill_protocol::event_stream::frame;
use tidemill_shapes::kinesis::{
    Record, ResourceInUseException, SubscribeToShardEvent, SubscribeToShardEventStream,
};

fuzz_target!(|data: &[u8]| {
    read(data);
    let text = String::from_utf8_lossy(data).into_owned();
    let event = SubscribeToShardEventStream::SubscribeToShardEvent(event(data, &text));
    written(&event, ":event-type", "SubscribeToShardEvent");
    let exception =
        SubscribeToShardEventStream::ResourceInUseException(ResourceInUseException::new(text));
    written(&exception, ":exception-type", "ResourceInUseException");
});

/// In one piece and as a stream.
fn read(data: &[u8]) {
    let whole = read_message_from(data);
    let mut decoder = MessageFrameDecoder::new();
    let mut rest = data;
    let mut frames = 0;
    while let Ok(decoded) = decoder.decode_frame(&mut rest) {
        let aws_smithy_eventstream::frame::DecodedFrame::Complete(message) = decoded else {
            break;
        };
        if frames == 0 && !rest.has_remaining() {
            assert_eq!(Some(message), whole.as_ref().ok().cloned());
        }
        frames += 1;
    }
}

fn event(data: &[u8], text: &str) -> SubscribeToShardEvent {
    let number = data.iter().fold(0_i64, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(i64::from(*byte))
    });
    SubscribeToShardEvent {
        records: vec![Record {
            approximate_arrival_timestamp: Some(Timestamp::from_millis(number.unsigned_abs())),
            data: Bytes::copy_from_slice(data),
            encryption_type: None,
            partition_key: Some(text.to_owned()),
            sequence_number: text.to_owned(),
        }],
        continuation_sequence_number: Some(text.to_owned()),
        millis_behind_latest: number,
        child_shards: None,
    }
}

fn written(streamed: &SubscribeToShardEventStream, header: &str, name: &str) {
    let message = read_message_from(frame(streamed)).expect("our own frame");
    let named = message
        .headers()
        .iter()
        .find(|candidate| candidate.name().as_str() == header)
        .and_then(|found| found.value().as_string().ok());
    assert_eq!(named.map(|value| value.as_str()), Some(name));
    assert!(std::str::from_utf8(message.payload()).is_ok());
}
