//! What may be in a message: [`check`].
//!
//! The rules are SQS's: XML's characters, at most ten attributes, names and types of a fixed alphabet,
//! and one limit over body and attributes together
//! (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html>).

use thiserror::Error;

use crate::limits;
use crate::message::{Attribute, Content, Value};

/// Why a message is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ContentError {
    /// There is no body.
    #[error("The request must contain the parameter MessageBody.")]
    NoBody,
    /// A character that XML 1.0 does not have, in the body or in a text attribute.
    #[error(
        "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | \
         #xE000 to #xFFFD | #x10000 to #x10FFFF"
    )]
    Characters,
    /// Body and attributes together are too long.
    #[error(
        "One or more parameters are invalid. Reason: Message must be shorter than {bytes_max} bytes."
    )]
    TooLong {
        /// What the queue takes.
        bytes_max: u32,
    },
    /// Too many attributes.
    #[error("Number of message attributes [{count}] exceeds the allowed maximum [{max}].", max = limits::MESSAGE_ATTRIBUTES_MAX)]
    TooManyAttributes {
        /// How many there are.
        count: usize,
    },
    /// An attribute's name is not allowed.
    #[error(
        "The message attribute name '{name}' is invalid: it has 1 to 256 of A-Z, a-z, 0-9, '_', '-' and \
         '.', no period at either end or beside another, and does not begin with AWS. or Amazon."
    )]
    AttributeName {
        /// The name.
        name: String,
    },
    /// An attribute's type is none of the three.
    #[error(
        "The type of message attribute '{name}' is invalid. You must use only the following supported \
         type prefixes: Binary, Number, String."
    )]
    AttributeType {
        /// The attribute's name.
        name: String,
    },
    /// An attribute's value is empty or of another kind than its type says.
    #[error(
        "The message attribute '{name}' must contain a non-empty value of its type '{data_type}'."
    )]
    AttributeValue {
        /// The attribute's name.
        name: String,
        /// The attribute's type.
        data_type: String,
    },
    /// A value of the type `Number` is not one.
    #[error("Can't cast the value of message attribute '{name}' to a number.")]
    NotANumber {
        /// The attribute's name.
        name: String,
    },
}

/// Checks `content` for a queue that takes messages of up to `bytes_max` bytes.
///
/// # Errors
/// The first rule that is broken.
pub fn check(content: &Content, bytes_max: u32) -> Result<(), ContentError> {
    if content.body.is_empty() {
        return Err(ContentError::NoBody);
    }
    if !is_xml_text(&content.body) {
        return Err(ContentError::Characters);
    }
    let count = content.attributes.len();
    if count > limits::MESSAGE_ATTRIBUTES_MAX {
        return Err(ContentError::TooManyAttributes { count });
    }
    for (name, attribute) in &content.attributes {
        check_name(name)?;
        check_attribute(name, attribute)?;
    }
    if content.counted_bytes() > bytes_max as usize {
        return Err(ContentError::TooLong { bytes_max });
    }
    Ok(())
}

/// Checks type and value of the attribute called `name`.
///
/// # Errors
/// The first rule that is broken.
pub fn check_attribute(name: &str, attribute: &Attribute) -> Result<(), ContentError> {
    let Attribute { data_type, value } = attribute;
    let (kind, label) = data_type.split_once('.').unwrap_or((data_type, "label"));
    if data_type.len() > limits::ATTRIBUTE_NAME_CHARS_MAX || label.is_empty() {
        return Err(ContentError::AttributeType {
            name: name.to_owned(),
        });
    }
    match (kind, value) {
        ("String" | "Number", Value::Text(text)) if !is_xml_text(text) => {
            Err(ContentError::Characters)
        }
        ("String", Value::Text(text)) if !text.is_empty() => Ok(()),
        ("Number", Value::Text(text)) if is_number(text) => Ok(()),
        ("Number", Value::Text(text)) if !text.is_empty() => Err(ContentError::NotANumber {
            name: name.to_owned(),
        }),
        ("Binary", Value::Binary(bytes)) if !bytes.is_empty() => Ok(()),
        ("String" | "Number" | "Binary", _) => Err(ContentError::AttributeValue {
            name: name.to_owned(),
            data_type: data_type.clone(),
        }),
        _ => Err(ContentError::AttributeType {
            name: name.to_owned(),
        }),
    }
}

fn check_name(name: &str) -> Result<(), ContentError> {
    let lower = name.to_ascii_lowercase();
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let valid = !name.is_empty()
        && name.len() <= limits::ATTRIBUTE_NAME_CHARS_MAX
        && name.bytes().all(allowed)
        && !name.starts_with('.')
        && !name.ends_with('.')
        && !name.contains("..")
        && !lower.starts_with("aws.")
        && !lower.starts_with("amazon.");
    if valid {
        Ok(())
    } else {
        Err(ContentError::AttributeName {
            name: name.to_owned(),
        })
    }
}

/// Whether `text` has only characters of XML 1.0. Surrogates cannot stand in a `str`.
fn is_xml_text(text: &str) -> bool {
    text.chars().all(|character| {
        matches!(character, '\t' | '\n' | '\r' | '\u{20}'..='\u{FFFD}' | '\u{10000}'..='\u{10FFFF}')
    })
}

/// A decimal number with optional sign, fraction and exponent.
fn is_number(text: &str) -> bool {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = unsigned(mantissa)
        .split_once('.')
        .unwrap_or((unsigned(mantissa), ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let exponent = unsigned(exponent);
    digits(whole)
        && digits(fraction)
        && digits(exponent)
        && !exponent.is_empty()
        && !(whole.is_empty() && fraction.is_empty())
}

fn unsigned(text: &str) -> &str {
    text.strip_prefix(['+', '-']).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use bytes::Bytes;

    use super::*;

    const MAX: u32 = limits::MESSAGE_BYTES.max;

    fn body(body: impl Into<String>) -> Content {
        Content {
            body: body.into(),
            ..Content::default()
        }
    }

    fn with(name: &str, data_type: &str, value: Value) -> Content {
        let attribute = Attribute {
            data_type: data_type.into(),
            value,
        };
        let attributes = BTreeMap::from([(name.to_owned(), attribute)]);
        Content {
            attributes,
            ..body("b")
        }
    }

    fn text(value: &str) -> Value {
        Value::Text(value.into())
    }

    #[test]
    fn a_body_has_one_character_or_more_and_only_those_of_xml() {
        assert_eq!(check(&body(""), MAX), Err(ContentError::NoBody));
        for allowed in ["x", "\t\n\r", "\u{fffd}", "🌊", "\u{7f}"] {
            assert_eq!(check(&body(allowed), MAX), Ok(()), "{allowed:?}");
        }
        for refused in ["\0", "a\u{8}", "\u{b}", "\u{1f}", "\u{fffe}", "\u{ffff}"] {
            assert_eq!(
                check(&body(refused), MAX),
                Err(ContentError::Characters),
                "{refused:?}"
            );
        }
    }

    #[test]
    fn a_message_may_be_exactly_as_long_as_its_queue_takes() {
        assert_eq!(check(&body("x".repeat(1_048_576)), MAX), Ok(()));
        let too_long = Err(ContentError::TooLong { bytes_max: MAX });
        assert_eq!(check(&body("x".repeat(1_048_577)), MAX), too_long);
        let attribute = with("name", "String", text("value"));
        assert_eq!(check(&attribute, 1 + 4 + 6 + 5), Ok(()));
        assert_eq!(
            check(&attribute, 15),
            Err(ContentError::TooLong { bytes_max: 15 })
        );
    }

    #[test]
    fn an_eleventh_attribute_is_refused() {
        let attribute = Attribute {
            data_type: "String".into(),
            value: text("v"),
        };
        let attributes = |count: usize| {
            (0..count)
                .map(|n| (format!("a{n}"), attribute.clone()))
                .collect()
        };
        assert_eq!(
            check(
                &Content {
                    attributes: attributes(10),
                    ..body("b")
                },
                MAX
            ),
            Ok(())
        );
        assert_eq!(
            check(
                &Content {
                    attributes: attributes(11),
                    ..body("b")
                },
                MAX
            ),
            Err(ContentError::TooManyAttributes { count: 11 })
        );
    }

    #[test]
    fn attribute_names_have_their_alphabet() {
        for name in ["a", "a.b_c-D9", "awsome", &"n".repeat(256)] {
            assert_eq!(
                check(&with(name, "String", text("v")), MAX),
                Ok(()),
                "{name}"
            );
        }
        for name in [
            "",
            ".a",
            "a.",
            "a..b",
            "a b",
            "AWS.x",
            "amazon.x",
            "ä",
            &"n".repeat(257),
        ] {
            let refused = Err(ContentError::AttributeName {
                name: name.to_owned(),
            });
            assert_eq!(
                check(&with(name, "String", text("v")), MAX),
                refused,
                "{name}"
            );
        }
    }

    #[test]
    fn an_attribute_has_a_value_of_its_type() {
        let binary = || Value::Binary(Bytes::from_static(b"x"));
        for (data_type, value) in [
            ("String", text("x")),
            ("String.label", text("x")),
            ("Number", text("-1.5e10")),
            ("Number.float", text(".5")),
            ("Binary", binary()),
            ("Binary.png", binary()),
        ] {
            assert_eq!(
                check(&with("a", data_type, value), MAX),
                Ok(()),
                "{data_type}"
            );
        }
        let name = || "a".to_owned();
        let value_error = |data_type: &str| ContentError::AttributeValue {
            name: name(),
            data_type: data_type.to_owned(),
        };
        for (data_type, value, error) in [
            ("String", text(""), value_error("String")),
            ("String", binary(), value_error("String")),
            ("Binary", text("x"), value_error("Binary")),
            ("Binary", Value::Binary(Bytes::new()), value_error("Binary")),
            (
                "Number",
                text("x1"),
                ContentError::NotANumber { name: name() },
            ),
            (
                "Number",
                text("1e"),
                ContentError::NotANumber { name: name() },
            ),
            (
                "Number",
                text("."),
                ContentError::NotANumber { name: name() },
            ),
            (
                "Number",
                text("NaN"),
                ContentError::NotANumber { name: name() },
            ),
            ("String", text("\0"), ContentError::Characters),
            (
                "string",
                text("x"),
                ContentError::AttributeType { name: name() },
            ),
            (
                "String.",
                text("x"),
                ContentError::AttributeType { name: name() },
            ),
            ("", text("x"), ContentError::AttributeType { name: name() }),
        ] {
            assert_eq!(
                check(&with("a", data_type, value), MAX),
                Err(error),
                "{data_type}"
            );
        }
    }
}
