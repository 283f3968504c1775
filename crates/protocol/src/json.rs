//! JSON beside the reading of inputs: writing, and whether a body is an object at all.

use serde::Serialize;
use serde::de::IgnoredAny;

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
