//! Reading inputs and writing outputs: [`FromWire`], [`from_json`], and the forms of blobs and times.
//!
//! What must hold: a value of the wrong type is refused with AWS's own text (a `SerializationException`)
//! before any constraint is reported; unknown members are ignored; `null` is the same as absent; blobs
//! are decoded straight from the body, which is not copied, and shared with it where they are bytes, but for
//! those of lists that are packed ([`crate::packed`]).
//! Text formats and binary ones (CBOR) read and write through the same shapes; a deserializer that
//! tells times from numbers hands them over as newtypes of milliseconds.
//!
//! Facts: AWS JSON 1.1, and the type errors that kinesalite recorded in production.

use std::collections::BTreeMap;
use std::fmt;

use base64_simd::AsOut;
use bytes::Bytes;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use tidemill_model::Timestamp;

use crate::constraint::{Checker, Rules};
use crate::fast_json::{Reader, Unusual, plain_text};

/// Why an input was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The body is not of the input's form. Without a text when it cannot be parsed at all.
    Serialization(Option<String>),
    /// The body violates the model's constraints.
    Validation(String),
}

/// What was read for a member.
#[derive(Debug)]
pub enum Field<T> {
    /// Nothing, or null.
    Absent,
    /// Something that violates a constraint so that no value can be made of it.
    Broken,
    /// A value.
    Given(T),
}

/// What the wire can hold in place of a value.
pub enum Token<'a> {
    /// A text.
    Text(&'a str),
    /// A byte string (CBOR).
    Bytes(&'a [u8]),
    /// The bytes of a text that nobody has looked at (plain JSON).
    Unread(&'a [u8]),
    /// A number with its whole part.
    Number(f64, i64),
    /// A boolean.
    Boolean(bool),
    /// A time in epoch milliseconds, where the format tells times from numbers (CBOR).
    Moment(i64),
}

impl Token<'_> {
    /// The Java class that AWS names in its type errors.
    fn class(&self) -> &'static str {
        match self {
            Token::Text(_) | Token::Unread(_) => "class java.lang.String",
            Token::Bytes(_) => "class java.nio.HeapByteBuffer",
            Token::Number(..) => "class com.amazon.coral.value.json.numbers.TruncatingBigNumber",
            Token::Boolean(_) => "class java.lang.Boolean",
            Token::Moment(_) => "class java.util.Date",
        }
    }
}

/// A type that can be read as a member of an input.
pub trait FromWire: Sized {
    /// Whether a reader of plain JSON hands over the bytes of a text for it, as they stand ([`Token::Unread`]).
    const IS_READ_AS_BYTES: bool = false;

    /// Whether a list or a map reports the violations of its elements itself, as AWS does for texts.
    const REPORTED_BY_LIST: bool = false;

    /// From a scalar, or AWS's text for why not.
    fn from_token(
        token: Token<'_>,
        rules: &Rules,
        check: &mut Checker,
    ) -> Result<Field<Self>, String>;

    /// From a list.
    fn from_list<'de, A: SeqAccess<'de>>(
        _list: A,
        _rules: &Rules,
        check: &mut Checker,
    ) -> Result<Field<Self>, A::Error> {
        Err(refuse(check, "Start of list found where not expected"))
    }

    /// Its members, where it is a structure of nothing but blobs and texts that a reader of plain JSON hands over at
    /// once ([`FromWire::from_texts`]); else none.
    const TEXTS: &'static [&'static str] = &[];

    /// From its members in the order of [`FromWire::TEXTS`], as [`next_text`] reads them.
    fn from_texts<'de, A: SeqAccess<'de>>(
        _texts: A,
        _check: &mut Checker,
    ) -> Result<Field<Self>, A::Error> {
        Err(A::Error::custom("is no structure of texts"))
    }

    /// From a structure or a map.
    fn from_map<'de, A: MapAccess<'de>>(
        _map: A,
        _rules: &Rules,
        check: &mut Checker,
    ) -> Result<Field<Self>, A::Error> {
        Err(refuse(
            check,
            "Start of structure or map found where not expected.",
        ))
    }

    /// The value as a text, where the list reports.
    fn as_text(&self) -> Option<&str> {
        None
    }
}

/// Notes a type error and makes the deserializer's error of it.
pub fn refuse<E: Error>(check: &mut Checker, text: impl Into<String>) -> E {
    check.type_error(text);
    E::custom("type error")
}

/// Reads an input from a JSON body.
pub fn from_json<T: FromWire>(body: &[u8]) -> Result<T, Refusal> {
    match plainly_from_json(body) {
        Ok(read) => read,
        Err(Unusual) => fully_from_json(body),
    }
}

/// The input, or what it violates, when the body is plain.
fn plainly_from_json<T: FromWire>(body: &[u8]) -> Result<Result<T, Refusal>, Unusual> {
    let mut reader = Reader::new(body);
    let mut check = Checker::over_plain_text(body.len());
    let seed = Seed::<T>::new(&Rules::NONE, &mut check);
    let field = seed.deserialize(&mut reader)?;
    reader.end()?;
    Ok(judged(field, &check))
}

fn fully_from_json<T: FromWire>(body: &[u8]) -> Result<T, Refusal> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let check = Checker::over_text(body.len());
    match read_with(check, &mut deserializer) {
        Err(refusal @ Refusal::Serialization(_)) => Err(refusal),
        read => {
            deserializer
                .end()
                .map_err(|_| Refusal::Serialization(None))?;
            read
        }
    }
}

/// Reads an input from any self-describing format.
pub fn from_deserializer<'de, T: FromWire, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, Refusal> {
    read_with(Checker::default(), deserializer)
}

/// Like [`from_deserializer`]; blobs that the deserializer borrows from `body` share its memory, but for those
/// of lists that are packed.
pub fn from_shared<'de, T: FromWire, D: Deserializer<'de>>(
    body: &Bytes,
    deserializer: D,
) -> Result<T, Refusal> {
    read_with(Checker::over(body.clone()), deserializer)
}

fn read_with<'de, T: FromWire, D: Deserializer<'de>>(
    mut check: Checker,
    deserializer: D,
) -> Result<T, Refusal> {
    let seed = Seed::<T>::new(&Rules::NONE, &mut check);
    let read = seed.deserialize(deserializer);
    let Ok(field) = read else {
        return Err(Refusal::Serialization(check.take_type_error()));
    };
    judged(field, &check)
}

/// What was read, unless it violates something.
fn judged<T>(field: Field<T>, check: &Checker) -> Result<T, Refusal> {
    match (check.message(), field) {
        (Some(message), _) => Err(Refusal::Validation(message)),
        (None, Field::Given(input)) => Ok(input),
        (None, Field::Absent | Field::Broken) => Err(Refusal::Serialization(None)),
    }
}

/// Carries the rules and the checker down to a value.
pub struct Seed<'c, T> {
    rules: &'c Rules,
    check: &'c mut Checker,
    value: std::marker::PhantomData<T>,
}

impl<'c, T> Seed<'c, T> {
    /// Reads a `T` under `rules`.
    pub fn new(rules: &'c Rules, check: &'c mut Checker) -> Seed<'c, T> {
        Seed {
            rules,
            check,
            value: std::marker::PhantomData,
        }
    }
}

impl<'de, T: FromWire> DeserializeSeed<'de> for Seed<'_, T> {
    type Value = Field<T>;

    #[inline(always)]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Field<T>, D::Error> {
        match self.check.is_plain() {
            true if T::IS_READ_AS_BYTES => deserializer.deserialize_bytes(self),
            true if !T::TEXTS.is_empty() => {
                deserializer.deserialize_struct("", T::TEXTS, AtOnce(self))
            }
            _ => deserializer.deserialize_any(self),
        }
    }
}

impl<T: FromWire> Seed<'_, T> {
    #[inline(always)]
    fn token<E: Error>(self, token: Token<'_>) -> Result<Field<T>, E> {
        T::from_token(token, self.rules, self.check).map_err(|text| refuse(self.check, text))
    }
}

impl<'de, T: FromWire> Visitor<'de> for Seed<'_, T> {
    type Value = Field<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Field<T>, E> {
        Ok(Field::Absent)
    }

    fn visit_none<E: Error>(self) -> Result<Field<T>, E> {
        Ok(Field::Absent)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Field<T>, E> {
        self.token(Token::Boolean(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Field<T>, E> {
        self.token(Token::Number(value as f64, value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Field<T>, E> {
        self.token(Token::Number(
            value as f64,
            i64::try_from(value).unwrap_or(i64::MAX),
        ))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Field<T>, E> {
        self.token(Token::Number(value, value as i64))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Field<T>, E> {
        self.token(Token::Text(value))
    }

    #[inline(always)]
    fn visit_borrowed_bytes<E: Error>(self, value: &'de [u8]) -> Result<Field<T>, E> {
        self.visit_bytes(value)
    }

    #[inline(always)]
    fn visit_bytes<E: Error>(self, value: &[u8]) -> Result<Field<T>, E> {
        if self.check.is_plain() {
            self.token(Token::Unread(value))
        } else {
            self.token(Token::Bytes(value))
        }
    }

    /// What a format that tells times from numbers makes of one.
    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<Field<T>, D::Error> {
        let millis = inner.deserialize_any(Millis)?;
        self.token(Token::Moment(millis))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Field<T>, A::Error> {
        T::from_list(list, self.rules, self.check)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Field<T>, A::Error> {
        T::from_map(map, self.rules, self.check)
    }
}

/// Reads a structure whose members are handed over at once.
struct AtOnce<'c, T>(Seed<'c, T>);

impl<'de, T: FromWire> Visitor<'de> for AtOnce<'_, T> {
    type Value = Field<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a structure of texts")
    }

    #[inline(always)]
    fn visit_seq<A: SeqAccess<'de>>(self, texts: A) -> Result<Field<T>, A::Error> {
        let field = T::from_texts(texts, self.0.check)?;
        // Where the path to a member is known, its violation is told.
        match self.0.check.message() {
            Some(message) => Err(A::Error::custom(message)),
            None => Ok(field),
        }
    }
}

/// Reads the number of a time.
struct Millis;

impl Visitor<'_> for Millis {
    type Value = i64;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a number of milliseconds")
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<i64, E> {
        Ok(value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<i64, E> {
        Ok(i64::try_from(value).unwrap_or(i64::MAX))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<i64, E> {
        Ok(value.round() as i64)
    }
}

/// The next member of a structure: its place in `names`, or none for an unknown one.
pub fn next_member<'de, A: MapAccess<'de>>(
    map: &mut A,
    names: &'static [&'static str],
) -> Result<Option<Option<usize>>, A::Error> {
    struct Name(&'static [&'static str]);
    impl<'de> DeserializeSeed<'de> for Name {
        type Value = Option<usize>;
        fn deserialize<D: Deserializer<'de>>(
            self,
            deserializer: D,
        ) -> Result<Self::Value, D::Error> {
            deserializer.deserialize_identifier(self)
        }
    }
    impl Visitor<'_> for Name {
        type Value = Option<usize>;
        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("a member name")
        }
        fn visit_str<E: Error>(self, value: &str) -> Result<Option<usize>, E> {
            Ok(self.0.iter().position(|name| *name == value))
        }
        /// As it stands in plain JSON: what is none of the names may be no text either.
        fn visit_bytes<E: Error>(self, value: &[u8]) -> Result<Option<usize>, E> {
            let place = self.0.iter().position(|name| name.as_bytes() == value);
            if place.is_none() && plain_text(value).is_none() {
                return Err(E::custom("a name that is no text"));
            }
            Ok(place)
        }
    }
    map.next_key_seed(Name(names))
}

/// Reads the value of the member `name` (in lower camel case).
pub fn member<'de, T: FromWire, A: MapAccess<'de>>(
    map: &mut A,
    name: &'static str,
    rules: &Rules,
    check: &mut Checker,
) -> Result<Field<T>, A::Error> {
    check.enter(name);
    let field = map.next_value_seed(Seed::new(rules, check))?;
    check.leave();
    Ok(field)
}

/// Reads the next member of a structure of texts.
#[inline(always)]
pub fn next_text<'de, T: FromWire, A: SeqAccess<'de>>(
    texts: &mut A,
    rules: &Rules,
    check: &mut Checker,
) -> Result<Field<T>, A::Error> {
    let next = texts.next_element_seed(Seed::new(rules, check))?;
    next.ok_or_else(|| A::Error::custom("too few texts"))
}

/// Skips the value of an unknown member.
pub fn skip<'de, A: MapAccess<'de>>(map: &mut A) -> Result<(), A::Error> {
    map.next_value::<IgnoredAny>().map(|_| ())
}

/// The value of a required member; a missing one is reported.
#[inline]
pub fn required<T>(field: Field<T>, name: &'static str, check: &mut Checker) -> Option<T> {
    match field {
        Field::Given(value) => Some(value),
        Field::Broken => None,
        Field::Absent => {
            check.enter(name);
            check.missing();
            check.leave();
            None
        }
    }
}

/// The value of an optional member; the outer none says that it is broken.
#[inline]
pub fn optional<T>(field: Field<T>) -> Option<Option<T>> {
    match field {
        Field::Given(value) => Some(Some(value)),
        Field::Absent => Some(None),
        Field::Broken => None,
    }
}

impl FromWire for String {
    const REPORTED_BY_LIST: bool = true;

    fn from_token(
        token: Token<'_>,
        rules: &Rules,
        check: &mut Checker,
    ) -> Result<Field<String>, String> {
        match token {
            Token::Text(text) => {
                check.text(rules, text);
                Ok(Field::Given(text.to_owned()))
            }
            other => Err(text_expected(&other)),
        }
    }

    fn as_text(&self) -> Option<&str> {
        Some(self)
    }
}

/// That something else stands where a text should, in AWS's words.
pub(crate) fn text_expected(found: &Token<'_>) -> String {
    format!("{} can not be converted to an String", found.class())
}

impl FromWire for bool {
    fn from_token(token: Token<'_>, _: &Rules, _: &mut Checker) -> Result<Field<bool>, String> {
        match token {
            Token::Boolean(value) => Ok(Field::Given(value)),
            other => Err(format!(
                "{} can not be converted to an Boolean",
                other.class()
            )),
        }
    }
}

impl FromWire for i32 {
    fn from_token(
        token: Token<'_>,
        rules: &Rules,
        check: &mut Checker,
    ) -> Result<Field<i32>, String> {
        match token {
            Token::Number(_, whole) => {
                check.number(rules, whole);
                let clamped = whole.clamp(i64::from(i32::MIN), i64::from(i32::MAX));
                Ok(Field::Given(
                    i32::try_from(clamped).expect("clamped to the range"),
                ))
            }
            other => Err(format!(
                "{} can not be converted to an Integer",
                other.class()
            )),
        }
    }
}

impl FromWire for i64 {
    fn from_token(
        token: Token<'_>,
        rules: &Rules,
        check: &mut Checker,
    ) -> Result<Field<i64>, String> {
        match token {
            Token::Number(_, whole) => {
                check.number(rules, whole);
                Ok(Field::Given(whole))
            }
            other => Err(format!("{} can not be converted to an Long", other.class())),
        }
    }
}

impl FromWire for f64 {
    fn from_token(token: Token<'_>, _: &Rules, _: &mut Checker) -> Result<Field<f64>, String> {
        match token {
            Token::Number(value, _) => Ok(Field::Given(value)),
            other => Err(format!(
                "{} can not be converted to an Double",
                other.class()
            )),
        }
    }
}

/// A time before the epoch is read as the epoch: older than anything we hold. None is so late that what
/// is written of it would not be read as the same.
fn moment_at(millis: i64) -> Timestamp {
    Timestamp::from_millis(u64::try_from(millis).unwrap_or(0))
}

impl FromWire for Timestamp {
    fn from_token(
        token: Token<'_>,
        _: &Rules,
        _: &mut Checker,
    ) -> Result<Field<Timestamp>, String> {
        match token {
            Token::Number(secs, _) => Ok(Field::Given(moment_at((secs * 1000.0).round() as i64))),
            Token::Moment(millis) => Ok(Field::Given(moment_at(millis))),
            other => Err(format!(
                "{} can not be converted to milliseconds since epoch",
                other.class()
            )),
        }
    }
}

impl FromWire for Bytes {
    const IS_READ_AS_BYTES: bool = true;

    fn from_token(
        token: Token<'_>,
        rules: &Rules,
        check: &mut Checker,
    ) -> Result<Field<Bytes>, String> {
        let bytes = match token {
            Token::Text(text) => decode_base64(text, check)?,
            // Why it is none is found out where all of the body is read as text.
            Token::Unread(text) => decoded(text, check).ok_or_else(String::new)?,
            Token::Bytes(bytes) => check.shared(bytes),
            other => return Err(format!("{} can not be converted to a Blob", other.class())),
        };
        check.length(rules, bytes.len(), None);
        Ok(Field::Given(bytes))
    }
}

/// Decodes base64, if it is that.
fn decoded(text: &[u8], check: &mut Checker) -> Option<Bytes> {
    let bytes_max = base64_simd::STANDARD.estimated_decoded_length(text.len());
    let decoded = check.blob(bytes_max, |room| {
        let decoded = base64_simd::STANDARD.decode(text, room.as_out());
        decoded.map(|decoded| decoded.len())
    });
    decoded.ok()
}

/// Decodes base64, or says in AWS's words why it is none.
fn decode_base64(text: &str, check: &mut Checker) -> Result<Bytes, String> {
    decoded(text.as_bytes(), check).ok_or_else(|| base64_failure(text))
}

/// Why `text` is no base64, in AWS's words.
pub(crate) fn base64_failure(text: &str) -> String {
    let reason = if !text.len().is_multiple_of(4) {
        format!(
            "Base64 encoded length is expected a multiple of 4 bytes but found: {}",
            text.len()
        )
    } else {
        let body = text
            .strip_suffix("==")
            .or(text.strip_suffix('='))
            .unwrap_or(text);
        let legal =
            |character: &char| character.is_ascii_alphanumeric() || "+/".contains(*character);
        match body.chars().find(|character| !legal(character)) {
            Some(character) => format!("Invalid Base64 character: '{character}'"),
            None => "Invalid last non-pad Base64 character dectected".to_owned(),
        }
    };
    format!("'{text}' can not be converted to a Blob: {reason}")
}

/// Most elements that are reserved before they are seen.
const RESERVED_MAX: usize = 512;

/// How many elements are kept: one too many is refused, and to keep all that a hostile body lists
/// would cost many times its size.
fn kept_max(rules: &Rules) -> usize {
    rules
        .max
        .and_then(|max| usize::try_from(max).ok())
        .unwrap_or(usize::MAX)
}

impl<T: FromWire> FromWire for Vec<T> {
    fn from_token(_: Token<'_>, _: &Rules, _: &mut Checker) -> Result<Field<Vec<T>>, String> {
        Err("Expected list or null".to_owned())
    }

    fn from_list<'de, A: SeqAccess<'de>>(
        mut list: A,
        rules: &Rules,
        check: &mut Checker,
    ) -> Result<Field<Vec<T>>, A::Error> {
        let element_rules = rules.element.unwrap_or(&Rules::NONE);
        let own_rules = if T::REPORTED_BY_LIST {
            &Rules::NONE
        } else {
            element_rules
        };
        let mut values = Vec::with_capacity(list.size_hint().unwrap_or(0).min(RESERVED_MAX));
        let kept_max = kept_max(rules);
        let mut index = 0;
        let mut broken = false;
        loop {
            check.enter_index(index);
            match list.next_element_seed(Seed::<T>::new(own_rules, check))? {
                None => break,
                Some(Field::Given(value)) if index < kept_max => values.push(value),
                Some(Field::Given(_)) => broken = true,
                Some(Field::Broken) => broken = true,
                Some(Field::Absent) => {
                    check.missing();
                    broken = true;
                }
            }
            check.leave();
            index += 1;
        }
        check.leave();
        check.length(rules, index, Some("[]"));
        if T::REPORTED_BY_LIST {
            check.elements(element_rules, values.iter().filter_map(FromWire::as_text));
        }
        Ok(if broken {
            Field::Broken
        } else {
            Field::Given(values)
        })
    }
}

impl<T: FromWire> FromWire for BTreeMap<String, T> {
    fn from_token(_: Token<'_>, _: &Rules, _: &mut Checker) -> Result<Field<Self>, String> {
        Err("Expected map or null".to_owned())
    }

    fn from_map<'de, A: MapAccess<'de>>(
        mut map: A,
        rules: &Rules,
        check: &mut Checker,
    ) -> Result<Field<Self>, A::Error> {
        let key_rules = rules.element.unwrap_or(&Rules::NONE);
        let value_rules = rules.value.unwrap_or(&Rules::NONE);
        let own_rules = if T::REPORTED_BY_LIST {
            &Rules::NONE
        } else {
            value_rules
        };
        let mut read = BTreeMap::new();
        let mut broken = false;
        let kept_max = kept_max(rules);
        while let Some(key) = map.next_key::<String>()? {
            check.enter_key(&key);
            match map.next_value_seed(Seed::<T>::new(own_rules, check))? {
                // One too many is kept, so that the length is refused.
                Field::Given(value) if read.len() <= kept_max => {
                    read.insert(key, value);
                }
                Field::Given(_) | Field::Broken => broken = true,
                Field::Absent => {}
            }
            check.leave();
        }
        check.length(rules, read.len(), Some("{}"));
        let texts = read
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_text().unwrap_or_default()));
        let value_rules = if T::REPORTED_BY_LIST {
            value_rules
        } else {
            &Rules::NONE
        };
        check.entries(key_rules, value_rules, texts);
        Ok(if broken {
            Field::Broken
        } else {
            Field::Given(read)
        })
    }
}

/// The name under which a binary format is handed the milliseconds of a time, as a newtype.
pub const MOMENT: &str = "tidemill::Moment";

/// Writes a time: in a text format as seconds with a millisecond fraction, in a binary one as
/// [`MOMENT`].
pub fn moment<S: serde::Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    if serializer.is_human_readable() {
        serializer.serialize_f64(at.as_secs_f64())
    } else {
        serializer.serialize_newtype_struct(MOMENT, &at.as_millis())
    }
}

/// Writes an optional time; used where an absent member is skipped.
pub fn moment_if_given<S: serde::Serializer>(
    at: &Option<Timestamp>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => moment(at, serializer),
        None => serializer.serialize_none(),
    }
}

/// The name under which a format is handed a blob, as a newtype, so that it can write the bytes its own
/// way.
pub const BLOB: &str = "tidemill::Blob";

/// Writes a blob: in a text format as base64, in a binary one as it is.
pub fn blob<B: AsRef<[u8]>, S: serde::Serializer>(
    bytes: &B,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_newtype_struct(BLOB, &Blob(bytes.as_ref()))
}

struct Blob<'a>(&'a [u8]);

impl serde::Serialize for Blob<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.serialize_str(&base64_simd::STANDARD.encode_to_string(self.0))
        } else {
            serializer.serialize_bytes(self.0)
        }
    }
}

/// Writes an optional blob; used where an absent member is skipped.
pub fn blob_if_given<S: serde::Serializer>(
    bytes: &Option<Bytes>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match bytes {
        Some(bytes) => blob(bytes, serializer),
        None => serializer.serialize_none(),
    }
}

/// Writes an optional list of blobs; used where an absent member is skipped.
pub fn blobs_if_given<S: serde::Serializer>(
    list: &Option<Vec<Bytes>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    struct Named<'a>(&'a Bytes);
    impl serde::Serialize for Named<'_> {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            blob(self.0, serializer)
        }
    }
    serializer.collect_seq(list.iter().flatten().map(Named))
}

#[cfg(test)]
mod tests;
