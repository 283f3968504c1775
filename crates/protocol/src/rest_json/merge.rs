//! Members from path, query and headers, and members from the body, as one structure: [`Merged`].
//!
//! What must hold: a member has one place. One that travels outside the body is skipped when the body
//! names it too, so that a body cannot speak for the path.

use serde::de::value::{Error as ValueError, StringDeserializer};
use serde::de::{
    DeserializeSeed, Deserializer, Error, IgnoredAny, IntoDeserializer, MapAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use tidemill_shapes::rest::{Kind, Located};

/// A member from outside the body.
pub(super) struct Outer<'a> {
    pub located: &'a Located,
    pub text: String,
}

/// What is read as the input: outer members, then those of `body` where there is one.
pub(super) struct Merged<'a, D> {
    pub outer: Vec<Outer<'a>>,
    /// The members that never come from the body.
    pub located: &'a [Located],
    pub body: D,
}

impl<'de, 'a, D: Deserializer<'de>> Deserializer<'de> for Merged<'a, D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        let Merged {
            outer,
            located,
            body,
        } = self;
        body.deserialize_map(Bridge {
            outer,
            located,
            visitor,
        })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// Takes the body's map and hands the visitor one with the outer members in front.
struct Bridge<'a, V> {
    outer: Vec<Outer<'a>>,
    located: &'a [Located],
    visitor: V,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Bridge<'_, V> {
    type Value = V::Value;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, body: A) -> Result<V::Value, A::Error> {
        let Bridge {
            outer,
            located,
            visitor,
        } = self;
        visitor.visit_map(Members {
            outer: outer.into_iter(),
            current: None,
            located,
            body,
        })
    }
}

struct Members<'a, A> {
    outer: std::vec::IntoIter<Outer<'a>>,
    /// The outer member whose name was given and whose value is due.
    current: Option<Outer<'a>>,
    located: &'a [Located],
    body: A,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Members<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        if let Some(outer) = self.outer.next() {
            let name = outer.located.member;
            self.current = Some(outer);
            return seed.deserialize(name.into_deserializer()).map(Some);
        }
        while let Some(name) = self.body.next_key::<String>()? {
            if self.located.iter().any(|located| located.member == name) {
                self.body.next_value::<IgnoredAny>()?;
                continue;
            }
            let name: StringDeserializer<A::Error> = name.into_deserializer();
            return seed.deserialize(name).map(Some);
        }
        Ok(None)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        match self.current.take() {
            None => self.body.next_value_seed(seed),
            Some(Outer { located, text }) => {
                let value = Text {
                    kind: located.kind,
                    text,
                };
                seed.deserialize(value).map_err(A::Error::custom)
            }
        }
    }
}

/// A text from outside the body. One that is no number or boolean where it should be stays a text, which
/// the input then refuses as a wrong type.
struct Text {
    kind: Kind,
    text: String,
}

impl<'de> Deserializer<'de> for Text {
    type Error = ValueError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        match self.kind {
            Kind::Text => {}
            Kind::Boolean => {
                if let Ok(value) = self.text.parse() {
                    return visitor.visit_bool(value);
                }
            }
            Kind::Number => {
                if let Ok(value) = self.text.parse() {
                    return visitor.visit_i64(value);
                }
            }
        }
        visitor.visit_string(self.text)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}
