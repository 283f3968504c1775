//! A reader of plain JSON: [`Reader`], many times as fast as a full one on what clients send.
//!
//! What must hold: what it reads, serde_json reads as the same; whatever is unusual (an escape, a
//! fraction, a number of many digits, deep nesting, anything malformed) it gives up with [`Unusual`],
//! and the caller begins anew with serde_json, which has the last word. A text is found by its closing
//! quote, many bytes at a time. The bytes of a blob, those of a member's name, and those of texts that are asked for as
//! bytes are handed out as they stand in the body: decoding a blob finds what does not belong there, and who gets
//! others has to ask [`plain_text`] whether one that nobody knows is a text at all.
//!
//! A structure of nothing but texts is read at once, since a request has up to 500 of them. What does so is always
//! inlined: what is passed on through memory takes longer than finding it.

use std::fmt;

use serde::de::value::{BorrowedBytesDeserializer, UnitDeserializer};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

/// Deeper than any input of ours.
const DEPTH_MAX: u8 = 32;

/// No structure of nothing but texts has more of them.
const TEXTS_MAX: usize = 4;

/// So many digits fit into 64 bits, whatever they are.
const DIGITS_MAX: usize = 18;

/// What this reader leaves to a full one.
#[derive(Debug)]
pub struct Unusual;

impl fmt::Display for Unusual {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("not plain JSON")
    }
}

impl std::error::Error for Unusual {}

impl Error for Unusual {
    fn custom<T: fmt::Display>(_: T) -> Unusual {
        Unusual
    }
}

/// The text that stood between two quotes, if it is one.
pub(crate) fn plain_text(bytes: &[u8]) -> Option<&str> {
    is_plain(bytes)
        .then(|| std::str::from_utf8(bytes).ok())
        .flatten()
}

/// Whether no byte of a text is one that JSON has escaped. Without an early end, so that it is done in wide steps.
pub(crate) fn is_plain(bytes: &[u8]) -> bool {
    bytes.iter().fold(true, |all, byte| all & (*byte >= 0x20))
}

/// Where the first quote or backslash of `bytes` stands, if it is one of their first sixteen.
#[inline(always)]
fn short_end(bytes: &[u8]) -> Option<usize> {
    let eights = bytes.first_chunk::<16>()?.as_chunks().0;
    eights.iter().enumerate().find_map(|(number, eight)| {
        let eight = u64::from_le_bytes(*eight);
        let ends = zeros(eight ^ QUOTES) | zeros(eight ^ BACKSLASHES);
        (ends != 0).then(|| 8 * number + ends.trailing_zeros() as usize / 8)
    })
}

const ONES: u64 = 0x0101_0101_0101_0101;
const QUOTES: u64 = ONES * b'"' as u64;
const BACKSLASHES: u64 = ONES * b'\\' as u64;

/// The highest bit of the lowest byte that is zero; of higher bytes some that are not zero may have theirs set too.
#[inline(always)]
fn zeros(eight: u64) -> u64 {
    eight.wrapping_sub(ONES) & !eight & (ONES << 7)
}

/// Reads one value from a body.
pub struct Reader<'de> {
    body: &'de [u8],
    at: usize,
    depth: u8,
}

impl<'de> Reader<'de> {
    /// At the beginning of `body`.
    pub fn new(body: &'de [u8]) -> Reader<'de> {
        Reader {
            body,
            at: 0,
            depth: 0,
        }
    }

    /// Gives up unless nothing but space is left.
    pub fn end(mut self) -> Result<(), Unusual> {
        self.skip_space();
        if self.at == self.body.len() {
            Ok(())
        } else {
            Err(Unusual)
        }
    }

    #[inline(always)]
    fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\t' | b'\r') = self.body.get(self.at) {
            self.at += 1;
        }
    }

    /// The first byte that is no space, which is left where it is.
    #[inline(always)]
    fn peek(&mut self) -> Result<u8, Unusual> {
        self.skip_space();
        self.body.get(self.at).copied().ok_or(Unusual)
    }

    #[inline(always)]
    fn take(&mut self, wanted: u8) -> Result<(), Unusual> {
        if self.peek()? == wanted {
            self.at += 1;
            Ok(())
        } else {
            Err(Unusual)
        }
    }

    fn literal(&mut self, text: &[u8]) -> Result<(), Unusual> {
        if self.body[self.at..].starts_with(text) {
            self.at += text.len();
            Ok(())
        } else {
            Err(Unusual)
        }
    }

    /// What stands between the quotes, which has no escape.
    #[inline(always)]
    fn quoted(&mut self) -> Result<&'de [u8], Unusual> {
        self.take(b'"')?;
        let rest = &self.body[self.at..];
        let length = short_end(rest).or_else(|| memchr::memchr2(b'"', b'\\', rest));
        let length = length.ok_or(Unusual)?;
        if rest[length] == b'\\' {
            return Err(Unusual);
        }
        self.at += length + 1;
        Ok(&rest[..length])
    }

    fn text(&mut self) -> Result<&'de str, Unusual> {
        plain_text(self.quoted()?).ok_or(Unusual)
    }

    fn number<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, Unusual> {
        let is_negative = self.body[self.at] == b'-';
        self.at += usize::from(is_negative);
        let rest = &self.body[self.at..];
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let has_more = matches!(rest.get(digits), Some(b'.' | b'e' | b'E'));
        let is_spelt_oddly =
            digits > 1 && rest[0] == b'0' || is_negative && rest.first() == Some(&b'0');
        if digits == 0 || digits > DIGITS_MAX || has_more || is_spelt_oddly {
            return Err(Unusual);
        }
        self.at += digits;
        let number = rest[..digits].iter().fold(0, |number: u64, digit| {
            number * 10 + u64::from(digit - b'0')
        });
        if is_negative {
            visitor.visit_i64(-i64::try_from(number).map_err(|_| Unusual)?)
        } else {
            visitor.visit_u64(number)
        }
    }

    /// The members of a structure that are called `names`, each a text.
    #[inline(always)]
    fn texts(&mut self, names: &[&str]) -> Result<[Option<&'de [u8]>; TEXTS_MAX], Unusual> {
        let mut texts = [None; TEXTS_MAX];
        self.take(b'{')?;
        loop {
            let name = self.quoted()?;
            let place = names.iter().position(|known| known.as_bytes() == name);
            let text = place.and_then(|place| texts.get_mut(place));
            let text = text.filter(|text| text.is_none()).ok_or(Unusual)?;
            self.take(b':')?;
            *text = Some(self.quoted()?);
            match self.peek()? {
                b',' => self.at += 1,
                _ => break,
            }
        }
        self.take(b'}')?;
        Ok(texts)
    }

    /// Reads the items up to `end` with what `read` makes of them.
    fn inside<T>(
        &mut self,
        end: u8,
        read: impl FnOnce(Items<'_, 'de>) -> Result<T, Unusual>,
    ) -> Result<T, Unusual> {
        if self.depth == DEPTH_MAX {
            return Err(Unusual);
        }
        self.depth += 1;
        self.at += 1;
        let value = read(Items {
            reader: self,
            is_first: true,
            end,
        })?;
        self.take(end)?;
        self.depth -= 1;
        Ok(value)
    }
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = Unusual;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unusual> {
        match self.peek()? {
            b'"' => visitor.visit_borrowed_str(self.text()?),
            b'{' => self.inside(b'}', |items| visitor.visit_map(items)),
            b'[' => self.inside(b']', |items| visitor.visit_seq(items)),
            b'n' => {
                self.literal(b"null")?;
                visitor.visit_unit()
            }
            b't' => {
                self.literal(b"true")?;
                visitor.visit_bool(true)
            }
            b'f' => {
                self.literal(b"false")?;
                visitor.visit_bool(false)
            }
            b'-' | b'0'..=b'9' => self.number(visitor),
            _ => Err(Unusual),
        }
    }

    /// A text, whose bytes are not looked at; what is none is left to a full reader.
    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unusual> {
        visitor.visit_borrowed_bytes(self.quoted()?)
    }

    /// A structure whose members are all texts, in the order of their `names`. Whatever else there is is left to a
    /// full reader.
    #[inline(always)]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unusual> {
        let found = self.texts(names)?;
        let texts = found.get(..names.len()).ok_or(Unusual)?.iter();
        visitor.visit_seq(Texts { texts })
    }

    /// The name of a member, whose bytes are not looked at.
    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unusual> {
        visitor.visit_borrowed_bytes(self.quoted()?)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum ignored_any
    }
}

/// The items of a list or of an object.
struct Items<'r, 'de> {
    reader: &'r mut Reader<'de>,
    is_first: bool,
    end: u8,
}

impl Items<'_, '_> {
    /// Whether there is another item, which is next then.
    #[inline(always)]
    fn goes_on(&mut self) -> Result<bool, Unusual> {
        if self.reader.peek()? == self.end {
            return Ok(false);
        }
        if !std::mem::take(&mut self.is_first) {
            self.reader.take(b',')?;
            // No item may follow a comma but a real one.
            if self.reader.peek()? == self.end {
                return Err(Unusual);
            }
        }
        Ok(true)
    }
}

impl<'de> SeqAccess<'de> for Items<'_, 'de> {
    type Error = Unusual;

    #[inline(always)]
    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Unusual> {
        match self.goes_on()? {
            true => seed.deserialize(&mut *self.reader).map(Some),
            false => Ok(None),
        }
    }
}

impl<'de> MapAccess<'de> for Items<'_, 'de> {
    type Error = Unusual;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Unusual> {
        if !self.goes_on()? {
            return Ok(None);
        }
        if self.reader.peek()? != b'"' {
            return Err(Unusual);
        }
        seed.deserialize(&mut *self.reader).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Unusual> {
        self.reader.take(b':')?;
        seed.deserialize(&mut *self.reader)
    }
}

/// The members of a structure, each a text or nothing.
struct Texts<'t, 'de> {
    texts: std::slice::Iter<'t, Option<&'de [u8]>>,
}

impl<'de> SeqAccess<'de> for Texts<'_, 'de> {
    type Error = Unusual;

    #[inline(always)]
    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Unusual> {
        let value = match self.texts.next() {
            Some(Some(text)) => seed.deserialize(BorrowedBytesDeserializer::new(text))?,
            Some(None) => seed.deserialize(UnitDeserializer::new())?,
            None => return Ok(None),
        };
        Ok(Some(value))
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::Value;

    use super::*;

    fn read(text: &[u8]) -> Option<Value> {
        let mut reader = Reader::new(text);
        let value = Value::deserialize(&mut reader).ok()?;
        reader.end().ok()?;
        Some(value)
    }

    #[test]
    fn plain_json_is_read_as_serde_json_does() {
        for text in [
            "{}",
            " [ ] ",
            r#"{"a":[1,-2,{"b":"é"},null,true,false],"c":""}"#,
            "{ \"a\" : 999999999999999999 ,\t\"a\":0}\r\n",
            "\"x\u{7f}\"",
        ] {
            let full: Value = serde_json::from_str(text).expect("is JSON");
            assert_eq!(read(text.as_bytes()), Some(full), "{text}");
        }
    }

    #[test]
    fn a_text_ends_at_its_first_quote_wherever_that_is() {
        for before in 0..40 {
            for behind in 0..20 {
                let text = format!("\"{}\"{}", "é".repeat(before), " ".repeat(behind));
                assert_eq!(read(text.as_bytes()), Some("é".repeat(before).into()));
                let text = format!("\"{}\\\"{}", "x".repeat(before), "x".repeat(behind));
                assert_eq!(read(text.as_bytes()), None, "{text}");
            }
        }
    }

    #[test]
    fn what_serde_json_refuses_is_never_read() {
        let valid = br#"{"a":[1,-2,{"b":"x"},null,true,false],"c":"yy"}"#;
        let mut texts: Vec<Vec<u8>> = (0..valid.len()).map(|end| valid[..end].to_vec()).collect();
        for at in 0..valid.len() {
            for byte in [
                b'"', b'{', b'}', b'[', b']', b',', b':', b'0', b'-', b'x', 0, 0xff, b'\\',
            ] {
                let mut text = valid.to_vec();
                text[at] = byte;
                texts.push(text.clone());
                text.insert(at, byte);
                texts.push(text);
            }
        }
        let deep = [vec![b'['; 200], vec![b']'; 200]].concat();
        let more: [&[u8]; 8] = [
            b"01",
            b"-0",
            b"1.5",
            b"1e3",
            b"-",
            b"[1,]",
            b"{\"a\":1,}",
            b"1 2",
        ];
        texts.extend(more.map(<[u8]>::to_vec));
        texts.push(deep);
        for text in texts {
            if let Some(value) = read(&text) {
                let full = serde_json::from_slice(&text).ok();
                assert_eq!(full, Some(value), "{}", String::from_utf8_lossy(&text));
            }
        }
    }
}
