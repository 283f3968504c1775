//! Values to JSON: [`to_bytes`].
//!
//! What must hold: it is what serde_json writes, to the byte; one buffer is written from front to end.
//! It is our own because of what shapes are full of: base64 goes straight from a blob into the buffer,
//! and a text that needs no escapes, which is nearly every one, is looked at many bytes at a time.
//! Shapes have structures, lists, maps with text keys, texts, blobs, numbers and unit variants; nothing
//! else of serde's model can be written.

use std::fmt;

use serde::ser::{
    Error, Impossible, Serialize, SerializeMap, SerializeSeq, SerializeStruct, Serializer,
};
use tidemill_shapes::wire;

/// Most answers are smaller.
const FIRST_BYTES: usize = 512;

/// Most elements of the longest lists, results of puts, are a little smaller.
const ELEMENT_BYTES: usize = 128;

/// A shape as JSON.
pub(crate) fn to_bytes<T: Serialize>(value: &T) -> Vec<u8> {
    let mut writer = Writer {
        bytes: Vec::with_capacity(FIRST_BYTES),
        in_blob: false,
    };
    value
        .serialize(&mut writer)
        .expect("shapes have text keys and only what can be written");
    writer.bytes
}

struct Writer {
    bytes: Vec<u8>,
    /// What comes next is the bytes of a blob.
    in_blob: bool,
}

impl Writer {
    fn text(&mut self, text: &str) {
        self.bytes.reserve(text.len() + 2);
        self.bytes.push(b'"');
        if is_plain(text.as_bytes()) {
            self.bytes.extend_from_slice(text.as_bytes());
        } else {
            self.escaped(text.as_bytes());
        }
        self.bytes.push(b'"');
    }

    fn escaped(&mut self, text: &[u8]) {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        for byte in text {
            let short = match byte {
                b'"' | b'\\' => *byte,
                0x08 => b'b',
                0x09 => b't',
                0x0a => b'n',
                0x0c => b'f',
                0x0d => b'r',
                0x00..=0x1f => {
                    let (high, low) = (usize::from(byte >> 4), usize::from(byte & 0xf));
                    self.bytes.extend_from_slice(b"\\u00");
                    self.bytes.extend([HEX[high], HEX[low]]);
                    continue;
                }
                _ => {
                    self.bytes.push(*byte);
                    continue;
                }
            };
            self.bytes.extend([b'\\', short]);
        }
    }

    /// A number as serde_json has it.
    fn number<T: Serialize>(&mut self, number: &T) -> Written {
        serde_json::to_writer(&mut self.bytes, number)
            .map_err(|error| Unwritable(error.to_string()))
    }

    /// The comma before every item but the first.
    fn next(&mut self, is_first: &mut bool) {
        if !std::mem::take(is_first) {
            self.bytes.push(b',');
        }
    }
}

/// Whether no byte of `text` needs an escape. Sixteen are looked at in one step; the last sixteen overlap.
fn is_plain(text: &[u8]) -> bool {
    let special = |byte: &u8| u8::from((*byte < 0x20) | (*byte == b'"') | (*byte == b'\\'));
    let all_plain = |bytes: &[u8]| bytes.iter().fold(0, |any, byte| any | special(byte)) == 0;
    let Some(last) = text.last_chunk::<16>() else {
        return all_plain(text);
    };
    let blocks = text.as_chunks::<16>().0;
    blocks.iter().all(|block| all_plain(block)) && all_plain(last)
}

/// A value that no shape has.
#[derive(Debug)]
struct Unwritable(String);

impl fmt::Display for Unwritable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Unwritable {}

impl Error for Unwritable {
    fn custom<T: fmt::Display>(message: T) -> Unwritable {
        Unwritable(message.to_string())
    }
}

fn unwritable<R>(what: &str) -> Result<R, Unwritable> {
    Err(Unwritable(format!("{what} cannot be written as JSON")))
}

type Written = Result<(), Unwritable>;

macro_rules! numbers {
    ($($function:ident: $type:ty),* $(,)?) => {
        $(fn $function(self, value: $type) -> Written {
            self.number(&value)
        })*
    };
}

impl<'w> Serializer for &'w mut Writer {
    type Ok = ();
    type Error = Unwritable;
    type SerializeSeq = Items<'w>;
    type SerializeTuple = Impossible<(), Unwritable>;
    type SerializeTupleStruct = Impossible<(), Unwritable>;
    type SerializeTupleVariant = Impossible<(), Unwritable>;
    type SerializeMap = Items<'w>;
    type SerializeStruct = Items<'w>;
    type SerializeStructVariant = Impossible<(), Unwritable>;

    /// A blob's bytes are asked for as they are.
    fn is_human_readable(&self) -> bool {
        !self.in_blob
    }

    numbers! {
        serialize_bool: bool,
        serialize_i8: i8,
        serialize_i16: i16,
        serialize_i32: i32,
        serialize_i64: i64,
        serialize_u8: u8,
        serialize_u16: u16,
        serialize_u32: u32,
        serialize_u64: u64,
        serialize_f32: f32,
        serialize_f64: f64,
    }

    fn serialize_char(self, value: char) -> Written {
        self.text(value.encode_utf8(&mut [0; 4]));
        Ok(())
    }

    fn serialize_str(self, value: &str) -> Written {
        self.text(value);
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Written {
        self.bytes.push(b'"');
        base64_simd::STANDARD.encode_append(value, &mut self.bytes);
        self.bytes.push(b'"');
        Ok(())
    }

    fn serialize_none(self) -> Written {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Written {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Written {
        self.bytes.extend_from_slice(b"null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Written {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Written {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Written {
        self.in_blob = name == wire::BLOB;
        let written = value.serialize(&mut *self);
        self.in_blob = false;
        written
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Written {
        unwritable(name)
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Items<'w>, Unwritable> {
        self.bytes.reserve(length.unwrap_or(0) * ELEMENT_BYTES);
        self.bytes.push(b'[');
        Ok(Items::of(self, b']'))
    }

    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, Unwritable> {
        unwritable("a tuple")
    }

    fn serialize_tuple_struct(
        self,
        name: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleStruct, Unwritable> {
        unwritable(name)
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Unwritable> {
        unwritable(name)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Items<'w>, Unwritable> {
        self.bytes.push(b'{');
        Ok(Items::of(self, b'}'))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Items<'w>, Unwritable> {
        self.serialize_map(None)
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Unwritable> {
        unwritable(name)
    }
}

/// A list, a map or a structure that is being written.
struct Items<'w> {
    writer: &'w mut Writer,
    is_first: bool,
    end: u8,
}

impl<'w> Items<'w> {
    fn of(writer: &'w mut Writer, end: u8) -> Items<'w> {
        Items {
            writer,
            is_first: true,
            end,
        }
    }

    fn ended(self) -> Written {
        self.writer.bytes.push(self.end);
        Ok(())
    }
}

impl SerializeSeq for Items<'_> {
    type Ok = ();
    type Error = Unwritable;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        self.writer.next(&mut self.is_first);
        value.serialize(&mut *self.writer)
    }

    fn end(self) -> Written {
        self.ended()
    }
}

impl SerializeMap for Items<'_> {
    type Ok = ();
    type Error = Unwritable;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Written {
        self.writer.next(&mut self.is_first);
        key.serialize(&mut *self.writer)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        self.writer.bytes.push(b':');
        value.serialize(&mut *self.writer)
    }

    fn end(self) -> Written {
        self.ended()
    }
}

impl SerializeStruct for Items<'_> {
    type Ok = ();
    type Error = Unwritable;

    #[inline(always)]
    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Written {
        self.writer.next(&mut self.is_first);
        // The name of a member is a word.
        let bytes = &mut self.writer.bytes;
        bytes.push(b'"');
        bytes.extend_from_slice(key.as_bytes());
        bytes.extend_from_slice(b"\":");
        value.serialize(&mut *self.writer)
    }

    fn end(self) -> Written {
        self.ended()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use bytes::Bytes;
    use proptest::prelude::*;
    use tidemill_model::Timestamp;
    use tidemill_shapes::kinesis::{EncryptionType, GetRecordsOutput, Record};

    use super::*;

    fn same<T: Serialize>(value: &T) {
        let ours = to_bytes(value);
        let theirs = serde_json::to_vec(value).expect("serde_json writes it");
        assert_eq!(
            String::from_utf8_lossy(&ours),
            String::from_utf8_lossy(&theirs)
        );
    }

    #[test]
    fn an_output_is_what_serde_json_makes_of_it() {
        let record = |data: &'static [u8], key: &str| Record {
            data: Bytes::from_static(data),
            partition_key: Some(key.to_owned()),
            sequence_number: "1".repeat(56),
            approximate_arrival_timestamp: Some(Timestamp::from_millis(1_764_102_015_123)),
            encryption_type: Some(EncryptionType::Kms),
        };
        same(&GetRecordsOutput {
            records: vec![record(b"", "a"), record(b"\x00\xff~", "\"\\\u{7}é\n")],
            millis_behind_latest: Some(-1),
            next_shard_iterator: None,
            child_shards: Some(vec![]),
        });
        same(&GetRecordsOutput::default());
    }

    #[test]
    fn a_special_byte_is_found_wherever_it_stands() {
        for bytes in 0..50 {
            let plain = vec![b'x'; bytes];
            assert!(is_plain(&plain));
            for at in 0..bytes {
                for special in [b'"', b'\\', 0x1f, 0] {
                    let mut text = plain.clone();
                    text[at] = special;
                    assert!(!is_plain(&text), "{special} at {at} of {bytes}");
                }
            }
        }
    }

    #[test]
    fn every_character_is_escaped_as_serde_json_does() {
        let all: String = (0..=0x2ff).filter_map(char::from_u32).collect();
        same(&all);
        for character in all.chars() {
            same(&character);
        }
    }

    proptest! {
        #[test]
        fn texts_and_numbers_are_what_serde_json_makes_of_them(
            map in proptest::collection::btree_map(".{0,20}", proptest::option::of(any::<f64>()), 0..5),
            list in proptest::collection::vec((any::<i64>().prop_map(Some), any::<bool>()), 0..5),
        ) {
            same(&map);
            let flat: BTreeMap<String, Vec<Option<i64>>> = list
                .iter()
                .map(|(number, flag)| (flag.to_string(), vec![*number, None]))
                .collect();
            same(&flat);
        }
    }
}
