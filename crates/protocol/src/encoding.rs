//! How the bodies of a conversation are encoded: [`Encoding`].

use bytes::Bytes;
use serde::{Serialize, Serializer};
use tidemill_shapes::wire::{self, FromWire, Refusal};

use crate::{cbor, json};

/// The two encodings of the AWS JSON protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// JSON.
    Json,
    /// CBOR, which Kinesis takes and gives as well.
    Cbor,
}

impl Encoding {
    /// Reads an input from a body.
    pub(crate) fn read<T: FromWire>(self, body: &Bytes) -> Result<T, Refusal> {
        match self {
            Encoding::Json => wire::from_json(body),
            Encoding::Cbor => cbor::from_cbor(body),
        }
    }

    /// Whether `body` is one well-formed object and nothing behind it; builds nothing.
    pub(crate) fn is_object(self, body: &[u8]) -> bool {
        match self {
            Encoding::Json => json::is_object(body),
            Encoding::Cbor => cbor::is_map(body),
        }
    }

    /// A shape as a body.
    pub(crate) fn to_bytes<T: Serialize>(self, value: &T) -> Vec<u8> {
        match self {
            Encoding::Json => json::to_bytes(value),
            Encoding::Cbor => cbor::to_bytes(value),
        }
    }

    /// An object of texts, in the order given.
    pub(crate) fn object(self, members: &[(&str, &str)]) -> Vec<u8> {
        self.to_bytes(&Members(members))
    }
}

struct Members<'a>(&'a [(&'a str, &'a str)]);

impl Serialize for Members<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().copied())
    }
}
