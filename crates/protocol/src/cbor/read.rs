//! Bytes to values: [`Reader`], a deserializer that borrows texts and blobs from the body.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

/// How deep values may be nested, as in JSON here.
const DEPTH_MAX: u32 = 128;
/// Ends what has no length.
const BREAK: u8 = 0xff;
/// The tag of a time.
const TAG_TIME: u64 = 1;

/// The bytes are no CBOR, or not of the form that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl fmt::Display for Malformed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("malformed CBOR")
    }
}

impl std::error::Error for Malformed {}

impl Error for Malformed {
    fn custom<T: fmt::Display>(_: T) -> Malformed {
        Malformed
    }
}

/// What is left of a body.
pub struct Reader<'de> {
    rest: &'de [u8],
    depth: u32,
}

/// The first byte of an item, taken apart.
struct Head {
    major: u8,
    /// The low five bits.
    info: u8,
    /// What they say, or the bytes behind them; none for an indefinite length.
    argument: Option<u64>,
}

/// A text or a byte string: a part of the body, or put together from pieces.
enum Run<'de> {
    Whole(&'de [u8]),
    Pieces(Vec<u8>),
}

impl<'de> Reader<'de> {
    /// Reads `body` from its beginning.
    pub fn new(body: &'de [u8]) -> Reader<'de> {
        Reader {
            rest: body,
            depth: 0,
        }
    }

    /// Whether nothing is left.
    pub fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// Whether a map begins here.
    pub fn is_at_map(&self) -> bool {
        self.rest.first().is_some_and(|first| first >> 5 == 5)
    }

    fn take(&mut self, count: u64) -> Result<&'de [u8], Malformed> {
        let count = usize::try_from(count).map_err(|_| Malformed)?;
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Malformed)?;
        self.rest = rest;
        Ok(taken)
    }

    fn number(&mut self, bytes: u64) -> Result<u64, Malformed> {
        let taken = self.take(bytes)?;
        Ok(taken
            .iter()
            .fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn head(&mut self) -> Result<Head, Malformed> {
        let first = self.take(1)?[0];
        let (major, info) = (first >> 5, first & 0x1f);
        let argument = match info {
            0..=23 => Some(u64::from(info)),
            24..=27 => Some(self.number(1 << (info - 24))?),
            31 => None,
            _ => return Err(Malformed),
        };
        Ok(Head {
            major,
            info,
            argument,
        })
    }

    /// Takes the break when it stands here.
    fn takes_break(&mut self) -> bool {
        let found = self.rest.first() == Some(&BREAK);
        if found {
            self.rest = &self.rest[1..];
        }
        found
    }

    /// The bytes of a text or a byte string whose head has been read.
    fn run(&mut self, head: &Head) -> Result<Run<'de>, Malformed> {
        if let Some(length) = head.argument {
            return self.take(length).map(Run::Whole);
        }
        let mut pieces = Vec::new();
        while !self.takes_break() {
            let piece = self.head()?;
            let length = piece.argument.filter(|_| piece.major == head.major);
            pieces.extend_from_slice(self.take(length.ok_or(Malformed)?)?);
        }
        Ok(Run::Pieces(pieces))
    }

    fn visit_text<V: Visitor<'de>>(
        &mut self,
        head: &Head,
        visitor: V,
    ) -> Result<V::Value, Malformed> {
        match self.run(head)? {
            Run::Whole(bytes) => {
                visitor.visit_borrowed_str(std::str::from_utf8(bytes).map_err(|_| Malformed)?)
            }
            Run::Pieces(bytes) => {
                visitor.visit_string(String::from_utf8(bytes).map_err(|_| Malformed)?)
            }
        }
    }

    fn visit_bytes<V: Visitor<'de>>(
        &mut self,
        head: &Head,
        visitor: V,
    ) -> Result<V::Value, Malformed> {
        match self.run(head)? {
            Run::Whole(bytes) => visitor.visit_borrowed_bytes(bytes),
            Run::Pieces(bytes) => visitor.visit_byte_buf(bytes),
        }
    }

    fn visit_tagged<V: Visitor<'de>>(
        &mut self,
        tag: Option<u64>,
        visitor: V,
    ) -> Result<V::Value, Malformed> {
        match tag {
            None => Err(Malformed),
            Some(TAG_TIME) => visitor.visit_newtype_struct(self),
            Some(_) => self.deserialize_any(visitor),
        }
    }

    fn visit_simple<V: Visitor<'de>>(
        &mut self,
        head: &Head,
        visitor: V,
    ) -> Result<V::Value, Malformed> {
        let bits = head.argument.ok_or(Malformed)?;
        match head.info {
            20 => visitor.visit_bool(false),
            21 => visitor.visit_bool(true),
            22 | 23 => visitor.visit_unit(),
            25 => visitor.visit_f64(half(bits)),
            26 => visitor.visit_f64(f64::from(f32::from_bits(bits as u32))),
            27 => visitor.visit_f64(f64::from_bits(bits)),
            _ => Err(Malformed),
        }
    }

    /// Goes one level down for the time of `inside`.
    fn deeper<R>(
        &mut self,
        inside: impl FnOnce(&mut Reader<'de>) -> Result<R, Malformed>,
    ) -> Result<R, Malformed> {
        if self.depth == DEPTH_MAX {
            return Err(Malformed);
        }
        self.depth += 1;
        let outcome = inside(self);
        self.depth -= 1;
        outcome
    }
}

/// The value of a float of 16 bits.
fn half(bits: u64) -> f64 {
    let (exponent, fraction) = ((bits >> 10 & 0x1f) as i32, (bits & 0x3ff) as f64);
    let size = match exponent {
        0 => fraction * f64::powi(2.0, -24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1024.0 + fraction) * f64::powi(2.0, exponent - 25),
    };
    if bits & 0x8000 == 0 { size } else { -size }
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = Malformed;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        let head = self.head()?;
        match head.major {
            0 => visitor.visit_u64(head.argument.ok_or(Malformed)?),
            1 => {
                let below = head.argument.ok_or(Malformed)?;
                visitor.visit_i64(i64::try_from(below).map_or(i64::MIN, |below| -1 - below))
            }
            2 => self.visit_bytes(&head, visitor),
            3 => self.visit_text(&head, visitor),
            4 => self.deeper(|reader| {
                let mut items = Items::new(reader, head.argument);
                let value = visitor.visit_seq(&mut items)?;
                items.end()?;
                Ok(value)
            }),
            5 => self.deeper(|reader| {
                let mut items = Items::new(reader, head.argument);
                let value = visitor.visit_map(&mut items)?;
                items.end()?;
                Ok(value)
            }),
            6 => self.deeper(|reader| reader.visit_tagged(head.argument, visitor)),
            _ => self.visit_simple(&head, visitor),
        }
    }

    /// A member's name is a text and nothing else.
    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        let head = self.head()?;
        if head.major != 3 {
            return Err(Malformed);
        }
        self.visit_text(&head, visitor)
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum ignored_any
    }
}

/// The elements of a list or the pairs of a map, as they are read.
struct Items<'r, 'de> {
    reader: &'r mut Reader<'de>,
    left: Left,
}

/// How many items are still to come.
enum Left {
    Known(u64),
    UntilBreak,
    Ended,
}

impl<'r, 'de> Items<'r, 'de> {
    fn new(reader: &'r mut Reader<'de>, count: Option<u64>) -> Items<'r, 'de> {
        let left = count.map_or(Left::UntilBreak, Left::Known);
        Items { reader, left }
    }

    /// Whether one more comes; counts it.
    fn has_next(&mut self) -> bool {
        match &mut self.left {
            Left::Known(0) | Left::Ended => false,
            Left::Known(count) => {
                *count -= 1;
                true
            }
            Left::UntilBreak if self.reader.takes_break() => {
                self.left = Left::Ended;
                false
            }
            Left::UntilBreak => true,
        }
    }

    /// Whoever was given the items must have read all of them.
    fn end(mut self) -> Result<(), Malformed> {
        if self.has_next() {
            return Err(Malformed);
        }
        Ok(())
    }

    /// How many can come at most: each takes a byte.
    fn hint(&self) -> Option<usize> {
        match self.left {
            Left::Known(count) => {
                let count = usize::try_from(count).unwrap_or(usize::MAX);
                Some(count.min(self.reader.rest.len()))
            }
            Left::UntilBreak | Left::Ended => None,
        }
    }
}

impl<'de> SeqAccess<'de> for &mut Items<'_, 'de> {
    type Error = Malformed;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Malformed> {
        if !self.has_next() {
            return Ok(None);
        }
        seed.deserialize(&mut *self.reader).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        self.hint()
    }
}

impl<'de> MapAccess<'de> for &mut Items<'_, 'de> {
    type Error = Malformed;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Malformed> {
        if !self.has_next() {
            return Ok(None);
        }
        seed.deserialize(&mut *self.reader).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Malformed> {
        seed.deserialize(&mut *self.reader)
    }

    fn size_hint(&self) -> Option<usize> {
        self.hint()
    }
}
