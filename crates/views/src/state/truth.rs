//! Whether all or any of some booleans are true: [`Truth`].
//!
//! Bytes: one; 1 for having seen false, 2 for having seen true, 3 for both.

use crate::encoding::{Damaged, Reader, Writer};
use crate::value::Value;

/// Which of the two values there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Truth {
    has_false: bool,
    has_true: bool,
}

impl Truth {
    /// Takes in a value.
    pub fn add(&mut self, value: bool) {
        self.has_true |= value;
        self.has_false |= !value;
    }

    /// Takes in what `other` has seen.
    pub fn merge(&mut self, other: Truth) {
        self.has_true |= other.has_true;
        self.has_false |= other.has_false;
    }

    /// Whether all are true; null of none.
    pub fn finish_and(self) -> Option<Value> {
        self.seen(!self.has_false)
    }

    /// Whether any is true; null of none.
    pub fn finish_or(self) -> Option<Value> {
        self.seen(self.has_true)
    }

    fn seen(self, value: bool) -> Option<Value> {
        (self.has_false || self.has_true).then_some(Value::Boolean(value))
    }

    pub fn encode(self, writer: &mut Writer) {
        writer.byte(u8::from(self.has_false) | u8::from(self.has_true) << 1);
    }

    pub fn decode(reader: &mut Reader<'_>) -> Result<Truth, Damaged> {
        match reader.byte()? {
            seen @ 0..4 => Ok(Truth {
                has_false: seen & 1 != 0,
                has_true: seen & 2 != 0,
            }),
            _ => Err(Damaged::Field {
                what: "what was seen",
            }),
        }
    }
}
