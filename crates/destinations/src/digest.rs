//! The MD5 sums that clients compare with their own: of a body, and of attributes.
//!
//! Attributes are summed in the order of their names, each as
//! `length name  length type  transport value-length value`, where a length is four bytes, the
//! highest first, and the transport is 1 for text and 2 for bytes
//! (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html>).

use std::fmt::Write;

use md5::{Digest, Md5};

use crate::message::{Attribute, Value};

/// MD5 of `body` in lower-case hex.
pub fn of_body(body: &str) -> String {
    hex(&Md5::digest(body.as_bytes()))
}

/// MD5 of `attributes`, which come in the order of their names; none when there are none.
pub fn of_attributes<'a>(
    attributes: impl IntoIterator<Item = (&'a str, &'a Attribute)>,
) -> Option<String> {
    let mut attributes = attributes.into_iter().peekable();
    attributes.peek()?;
    let mut sum = Md5::new();
    for (name, attribute) in attributes {
        add_with_length(&mut sum, name.as_bytes());
        add_with_length(&mut sum, attribute.data_type.as_bytes());
        sum.update([transport(&attribute.value)]);
        add_with_length(&mut sum, attribute.value.as_bytes());
    }
    Some(hex(&sum.finalize()))
}

/// The first bytes of the MD5 of `bytes`, to tell a mangled token from one of ours.
pub fn check_bytes(bytes: &[u8]) -> [u8; 4] {
    let sum = Md5::digest(bytes);
    [sum[0], sum[1], sum[2], sum[3]]
}

fn transport(value: &Value) -> u8 {
    match value {
        Value::Text(_) => 1,
        Value::Binary(_) => 2,
    }
}

fn add_with_length(sum: &mut Md5, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).expect("a message is at most 1 MiB");
    sum.update(length.to_be_bytes());
    sum.update(bytes);
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            write!(text, "{byte:02x}").expect("a String takes every write");
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn text(data_type: &str, value: &str) -> Attribute {
        Attribute {
            data_type: data_type.into(),
            value: Value::Text(value.into()),
        }
    }

    #[test]
    fn a_body_has_the_md5_of_its_bytes() {
        assert_eq!(of_body("hello"), "5d41402abc4b2a76b9719d911017c592");
    }

    #[test]
    fn no_attributes_have_no_md5() {
        assert_eq!(of_attributes([]), None);
    }

    // The expected sums were computed with Python's hashlib over the layout above.
    #[test]
    fn attributes_have_the_md5_of_their_layout() {
        let number = text("Number", "7");
        let binary = Attribute {
            data_type: "Binary".into(),
            value: Value::Binary(Bytes::from_static(&[0, 1, 255])),
        };
        let string = text("String.label", "ünï");
        let cases = [
            (vec![("n", &number)], "3a734e6fc44468814b287b503a526bff"),
            (
                vec![("b", &binary), ("n", &number), ("s", &string)],
                "ce1e7216a0502e0689d7aae2cb19a2df",
            ),
        ];
        for (attributes, sum) in cases {
            assert_eq!(of_attributes(attributes).as_deref(), Some(sum));
        }
    }
}
