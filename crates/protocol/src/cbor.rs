//! The CBOR of a refusal, for clients that speak CBOR and would not understand JSON.
//!
//! Requests in CBOR are not read yet; only errors are written, in the form that the service uses: a map
//! of indefinite length with text keys.

/// A map of texts, in the order given.
pub(crate) fn object(members: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = vec![0xbf];
    for (name, value) in members {
        text(&mut bytes, name);
        text(&mut bytes, value);
    }
    bytes.push(0xff);
    bytes
}

/// Major type 3: the length in the first byte, or behind it in one or four bytes.
fn text(bytes: &mut Vec<u8>, text: &str) {
    match text.len() {
        length @ 0..=23 => bytes.push(0x60 | length as u8),
        length @ 24..=255 => bytes.extend([0x78, length as u8]),
        length => {
            bytes.push(0x7a);
            bytes.extend(u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
        }
    }
    bytes.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_a_map_of_indefinite_length() {
        let bytes = object(&[("__type", "UnknownOperationException")]);
        assert_eq!(
            bytes,
            b"\xbf\x66__type\x78\x19UnknownOperationException\xff"
        );
        assert_eq!(object(&[("a", &"x".repeat(256))])[3..8], *b"\x7a\0\0\x01\0");
    }
}
