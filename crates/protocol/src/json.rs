//! JSON where no shape is involved: small objects of texts, and whether a body is an object at all.

use serde::de::IgnoredAny;
use serde::{Serialize, Serializer};

struct Members<'a>(&'a [(&'a str, &'a str)]);

impl Serialize for Members<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().copied())
    }
}

/// A JSON object of texts, in the order given.
pub(crate) fn object(members: &[(&str, &str)]) -> Vec<u8> {
    to_bytes(&Members(members))
}

/// A shape as JSON.
pub(crate) fn to_bytes<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("shapes have text keys and no failing serializer")
}

/// Whether `body` is one well-formed JSON object and nothing behind it; reads it without building
/// anything.
pub(crate) fn is_object(body: &[u8]) -> bool {
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    first == Some(&b'{') && serde_json::from_slice::<IgnoredAny>(body).is_ok()
}
