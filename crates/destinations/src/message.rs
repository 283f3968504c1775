//! A message as a queue keeps it: [`Message`], its [`Content`] and the [`Attribute`]s on it.
//!
//! What must hold: the serialized form stands in the log and in snapshots, so its field names never
//! change meaning. Binary values are base64 in it, because JSON has no bytes.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use tidemill_model::Timestamp;

/// A message in a queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// A UUID, or the id a failure was delivered under.
    pub id: String,
    /// Who sent it: the account.
    pub sender: String,
    /// When it became durable.
    pub sent_at: Timestamp,
    /// Seconds from then until it is shown for the first time.
    pub delay_secs: u32,
    /// What was sent.
    #[serde(flatten)]
    pub content: Content,
}

/// What a sender puts into a message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// The body.
    pub body: String,
    /// The sender's attributes, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, Attribute>,
    /// The X-Ray header; the only system attribute a sender can set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_header: Option<Attribute>,
}

/// A typed value beside the body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribute {
    /// `String`, `Number` or `Binary`, and possibly a label of the sender's behind a dot.
    pub data_type: String,
    /// The value.
    pub value: Value,
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Value {
    /// Of the types `String` and `Number`.
    #[serde(rename = "text")]
    Text(String),
    /// Of the type `Binary`.
    #[serde(
        rename = "base64",
        serialize_with = "to_base64",
        deserialize_with = "from_base64"
    )]
    Binary(Bytes),
}

impl Value {
    /// The value's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Value::Text(text) => text.as_bytes(),
            Value::Binary(bytes) => bytes,
        }
    }
}

impl Content {
    /// The size that counts against a queue's largest message: body, and names, types and values of
    /// the attributes. System attributes are free.
    pub fn counted_bytes(&self) -> usize {
        let attributes = self.attributes.iter().map(|(name, attribute)| {
            name.len() + attribute.data_type.len() + attribute.value.as_bytes().len()
        });
        self.body.len() + attributes.sum::<usize>()
    }
}

fn to_base64<S: Serializer>(bytes: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&base64_simd::STANDARD.encode_to_string(bytes))
}

fn from_base64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
    let text = String::deserialize(deserializer)?;
    base64_simd::STANDARD
        .decode_to_vec(text)
        .map(Bytes::from)
        .map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(data_type: &str, value: Value) -> Attribute {
        Attribute {
            data_type: data_type.into(),
            value,
        }
    }

    #[test]
    fn the_stored_form_of_a_message_stays_as_it_is() {
        let attributes = BTreeMap::from([
            (
                "b".to_owned(),
                attribute("Binary", Value::Binary(Bytes::from_static(&[0, 255]))),
            ),
            (
                "n".to_owned(),
                attribute("Number.int", Value::Text("7".into())),
            ),
        ]);
        let trace_header = Some(attribute("String", Value::Text("Root=1".into())));
        let message = Message {
            id: "i".into(),
            sender: "000000000000".into(),
            sent_at: Timestamp::from_millis(5),
            delay_secs: 3,
            content: Content {
                body: "hello".into(),
                attributes,
                trace_header,
            },
        };
        let golden = concat!(
            r#"{"id":"i","sender":"000000000000","sent_at":5,"delay_secs":3,"body":"hello","#,
            r#""attributes":{"b":{"data_type":"Binary","value":{"base64":"AP8="}},"#,
            r#""n":{"data_type":"Number.int","value":{"text":"7"}}},"#,
            r#""trace_header":{"data_type":"String","value":{"text":"Root=1"}}}"#,
        );
        assert_eq!(serde_json::to_string(&message).unwrap(), golden);
        assert_eq!(serde_json::from_str::<Message>(golden).unwrap(), message);
        assert_eq!(
            message.content.counted_bytes(),
            5 + (1 + 6 + 2) + (1 + 10 + 1)
        );
    }
}
