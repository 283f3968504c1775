//! JSON beside the reading of inputs: writing, and whether a body is an object at all.

mod write;

use serde::de::IgnoredAny;

pub(crate) use write::to_bytes;

/// Whether `body` is one well-formed JSON object and nothing behind it; reads it without building
/// anything.
pub(crate) fn is_object(body: &[u8]) -> bool {
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    first == Some(&b'{') && serde_json::from_slice::<IgnoredAny>(body).is_ok()
}
