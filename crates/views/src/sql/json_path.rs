//! Where a value stands in a JSON text: [`find`], one step at a time.
//!
//! The whole text is read, so one that is no JSON is an error wherever it breaks. Of a field that stands
//! twice the last one counts. A step that does not fit (a name in a list, anything in a number) finds
//! nothing and is no error.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// One step into a JSON value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// Into the field of an object.
    Field(&'a str),
    /// Into a member of a list, from 0; negative ones count from its end.
    Index(i64),
}

/// The text of the value that `step` leads to; none when it leads nowhere.
pub fn find<'a>(text: &'a [u8], step: Step<'_>) -> Result<Option<&'a str>, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let found = Seek(step).deserialize(&mut reader)?;
    reader.end()?;
    Ok(found.map(RawValue::get))
}

struct Seek<'s>(Step<'s>);

impl<'de> DeserializeSeed<'de> for Seek<'_> {
    type Value = Option<&'de RawValue>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seek<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let name = match self.0 {
            Step::Field(name) => Some(name),
            Step::Index(_) => None,
        };
        let mut found = None;
        while let Some(is_it) = map.next_key_seed(IsName(name))? {
            if is_it {
                found = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let index = match self.0 {
            Step::Index(index) => index,
            Step::Field(_) => {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                return Ok(None);
            }
        };
        let mut members = Vec::new();
        while let Some(member) = list.next_element::<&RawValue>()? {
            members.push(member);
        }
        let from_end = || members.len().checked_sub(index.unsigned_abs() as usize);
        let place = if index < 0 {
            from_end()
        } else {
            usize::try_from(index).ok()
        };
        Ok(place.and_then(|place| members.get(place).copied()))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

/// Whether a key is the name that is looked for; reads every key, right or wrong.
struct IsName<'s>(Option<&'s str>);

impl<'de> DeserializeSeed<'de> for IsName<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<bool, D::Error> {
        reader.deserialize_str(self)
    }
}

impl Visitor<'_> for IsName<'_> {
    type Value = bool;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the name of a field")
    }

    fn visit_str<E>(self, name: &str) -> Result<bool, E> {
        Ok(self.0 == Some(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_lead_to_values_or_nowhere() {
        let cases = [
            (r#"{"a":1}"#, Step::Field("a"), Some("1")),
            (
                r#"{"a":1,"b":2,"a": {"x":[1, 2]} }"#,
                Step::Field("a"),
                Some(r#"{"x":[1, 2]}"#),
            ),
            (
                r#"{"z\u00fcrich":"x"}"#,
                Step::Field("zürich"),
                Some(r#""x""#),
            ),
            (r#"{"a":null}"#, Step::Field("a"), Some("null")),
            (r#"{"a":1}"#, Step::Field("b"), None),
            (r#"{"0":1}"#, Step::Index(0), None),
            ("[1,2,3]", Step::Index(0), Some("1")),
            ("[1,2,3]", Step::Index(-1), Some("3")),
            ("[1,2,3]", Step::Index(3), None),
            ("[1,2,3]", Step::Index(-4), None),
            ("[1,2,3]", Step::Index(i64::MIN), None),
            ("[1,2,3]", Step::Field("a"), None),
            (" 17 ", Step::Field("a"), None),
            (r#""text""#, Step::Field("a"), None),
            ("null", Step::Index(0), None),
            ("true", Step::Index(0), None),
        ];
        for (text, step, expected) in cases {
            assert_eq!(
                find(text.as_bytes(), step).unwrap(),
                expected,
                "{text} {step:?}"
            );
        }
    }

    #[test]
    fn what_is_no_json_is_an_error_wherever_it_breaks() {
        let broken: [&[u8]; 6] = [
            b"",
            b"{",
            br#"{"a":1}}"#,
            br#"{"a":1,"b":tru}"#,
            b"[1,2",
            b"{\"a\":\"\xff\"}",
        ];
        for text in broken {
            assert!(find(text, Step::Field("a")).is_err(), "{text:?}");
        }
    }
}
