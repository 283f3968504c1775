//! CBOR 1.1 of Kinesis: [`from_cbor`], [`to_bytes`], and whether a body is a map at all.
//!
//! ```text
//! structure, map   bf key value .. ff      read: definite maps as well; keys are texts
//! list             9f element .. ff        read: definite arrays as well
//! text             60-7b, then UTF-8       read: in pieces (7f .. ff) as well
//! blob             40-5b, then the bytes   read: in pieces (5f .. ff) as well
//! time             c1, then an integer     epoch MILLISECONDS, where RFC 8949 has seconds
//! integer          00-1b, 20-3b            read: any width, and floats of 16, 32 and 64 bits
//! f4 f5 f6 f7      false, true, null, undefined, which is read as null
//! ```
//!
//! What must hold: no body makes the reader panic, recurse without bound or reserve more than it has
//! seen; a blob that came in one piece shares the memory of the body, unless it is one of many records. Tags other than a time's are read
//! as what they tag.
//!
//! A codec of its own, because a general one gets three things wrong here: it takes the number behind
//! tag 1 for seconds, it writes definite lengths where the service writes indefinite ones, and it
//! copies blobs out of a reader. Facts: answers recorded in production, and the requests of the Java
//! SDK 2.33, which speaks CBOR for everything but SubscribeToShard.

mod read;
mod write;

use bytes::Bytes;
use serde::de::{Deserialize, IgnoredAny};
use tidemill_shapes::wire::{self, FromWire, Refusal};

use read::Reader;

pub(crate) use write::to_bytes;

/// Reads an input from a body.
pub(crate) fn from_cbor<T: FromWire>(body: &Bytes) -> Result<T, Refusal> {
    let mut reader = Reader::new(body);
    let read = wire::from_shared(body, &mut reader);
    if !matches!(read, Err(Refusal::Serialization(_))) && !reader.is_at_end() {
        return Err(Refusal::Serialization(None));
    }
    read
}

/// Whether `body` is one well-formed map and nothing behind it; builds nothing.
pub(crate) fn is_map(body: &[u8]) -> bool {
    let mut reader = Reader::new(body);
    reader.is_at_map() && IgnoredAny::deserialize(&mut reader).is_ok() && reader.is_at_end()
}

#[cfg(test)]
mod tests;
