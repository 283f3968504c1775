//! Bytes of states: [`Writer`] and [`Reader`], and what can be wrong with them, [`Damaged`]; and [`hex`].
//!
//! Numbers are little-endian and of fixed width, except lengths, which are LEB128. What must hold: a
//! reader never panics and never takes more memory than its bytes justify, whatever they are; and each
//! content has one form, so that two states can be compared by their bytes.

use thiserror::Error;

use crate::value::{Float, Place, Value};
use tidemill_model::ShardId;

/// Why bytes are not a state.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Damaged {
    /// They end too early.
    #[error("the bytes end too early")]
    Short,
    /// Something stands behind the end.
    #[error("{count} bytes stand behind the end")]
    Trailing {
        /// How many.
        count: usize,
    },
    /// They are of another aggregate.
    #[error("the state is of family {found}, not {expected}")]
    Family {
        /// What the aggregate writes.
        expected: u8,
        /// What stands there.
        found: u8,
    },
    /// They were written by a version that this one cannot read: rebuild the view, never merge.
    #[error("version {found} of the state is not known here")]
    Version {
        /// What stands there.
        found: u8,
    },
    /// A field has a value that no state has.
    #[error("{what} cannot be so")]
    Field {
        /// Which.
        what: &'static str,
    },
}

/// Puts fields one behind the other.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }

    pub fn byte(&mut self, value: u8) {
        self.bytes.push(value);
    }

    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub fn length(&mut self, mut length: u64) {
        while length >= 0x80 {
            self.bytes.push(length as u8 | 0x80);
            length >>= 7;
        }
        self.bytes.push(length as u8);
    }

    pub fn integer(&mut self, value: i64) {
        self.raw(&value.to_le_bytes());
    }

    pub fn place(&mut self, place: Place) {
        self.raw(&place.shard.0.to_le_bytes());
        self.raw(&place.position.to_le_bytes());
    }

    /// A byte for the type, 0 for null, then the value.
    pub fn value(&mut self, value: Option<&Value>) {
        match value {
            None => self.byte(0),
            Some(Value::Boolean(value)) => self.raw(&[1, u8::from(*value)]),
            Some(Value::Integer(value)) => {
                self.byte(2);
                self.integer(*value);
            }
            Some(Value::Decimal(units)) => {
                self.byte(3);
                self.raw(&units.to_le_bytes());
            }
            Some(Value::Float(value)) => {
                self.byte(4);
                self.raw(&value.get().to_le_bytes());
            }
            Some(Value::Text(text)) => {
                self.byte(5);
                self.length(text.len() as u64);
                self.raw(text.as_bytes());
            }
            Some(Value::Timestamp(micros)) => {
                self.byte(6);
                self.integer(*micros);
            }
        }
    }
}

/// Takes fields off bytes.
#[derive(Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    /// Everything that is left.
    pub fn take_rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    pub fn finish(self) -> Result<(), Damaged> {
        match self.rest.len() {
            0 => Ok(()),
            count => Err(Damaged::Trailing { count }),
        }
    }

    pub fn raw(&mut self, count: usize) -> Result<&'a [u8], Damaged> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Damaged::Short)?;
        self.rest = rest;
        Ok(taken)
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Damaged> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(Damaged::Short)?;
        self.rest = rest;
        Ok(*taken)
    }

    pub fn byte(&mut self) -> Result<u8, Damaged> {
        self.array::<1>().map(|bytes| bytes[0])
    }

    pub fn length(&mut self) -> Result<u64, Damaged> {
        let wrong = Damaged::Field { what: "a length" };
        let mut length = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if (bits << shift) >> shift != bits || (byte == 0 && shift > 0) {
                return Err(wrong);
            }
            length |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(length);
            }
        }
        Err(wrong)
    }

    pub fn integer(&mut self) -> Result<i64, Damaged> {
        self.array().map(i64::from_le_bytes)
    }

    pub fn place(&mut self) -> Result<Place, Damaged> {
        Ok(Place {
            shard: ShardId(u32::from_le_bytes(self.array()?)),
            position: u64::from_le_bytes(self.array()?),
        })
    }

    pub fn value(&mut self) -> Result<Option<Value>, Damaged> {
        let what = "a value";
        let value = match self.byte()? {
            0 => return Ok(None),
            1 => match self.byte()? {
                0 => Value::Boolean(false),
                1 => Value::Boolean(true),
                _ => return Err(Damaged::Field { what }),
            },
            2 => Value::Integer(self.integer()?),
            3 => Value::Decimal(i128::from_le_bytes(self.array()?)),
            4 => {
                let double = f64::from_le_bytes(self.array()?);
                let value = Float::new(double);
                if value.get().to_bits() != double.to_bits() {
                    return Err(Damaged::Field { what });
                }
                Value::Float(value)
            }
            5 => {
                let length = usize::try_from(self.length()?).map_err(|_| Damaged::Short)?;
                let text = std::str::from_utf8(self.raw(length)?);
                Value::Text(text.map_err(|_| Damaged::Field { what })?.to_owned())
            }
            6 => Value::Timestamp(self.integer()?),
            _ => return Err(Damaged::Field { what }),
        };
        Ok(Some(value))
    }
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_has_one_form() {
        for length in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX] {
            let mut writer = Writer::default();
            writer.length(length);
            let bytes = writer.finish();
            let mut reader = Reader::new(&bytes);
            assert_eq!(reader.length(), Ok(length));
            assert_eq!(reader.finish(), Ok(()));
        }
        let wrong = Err(Damaged::Field { what: "a length" });
        assert_eq!(Reader::new(&[0x80, 0]).length(), wrong);
        assert_eq!(Reader::new(&[0xff; 11]).length(), wrong);
        assert_eq!(Reader::new(&[0x80]).length(), Err(Damaged::Short));
    }
}
