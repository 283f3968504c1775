//! Minimum and maximum: [`Extreme`]. The greatest double is NaN, as in Postgres and Spark.
//!
//! Bytes: the value, or null.

use crate::encoding::{Damaged, Reader, Writer};
use crate::value::Value;

/// Which end of the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// The smallest.
    Least,
    /// The greatest.
    Greatest,
}

impl End {
    /// Whether `value` is nearer to this end than `other`.
    pub fn prefers<T: Ord>(self, value: &T, other: &T) -> bool {
        match self {
            End::Least => value < other,
            End::Greatest => value > other,
        }
    }
}

/// The smallest or the greatest value so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extreme {
    end: End,
    value: Option<Value>,
}

impl Extreme {
    /// Of no values.
    pub fn new(end: End) -> Extreme {
        Extreme { end, value: None }
    }

    /// Takes in a value.
    pub fn add(&mut self, value: &Value) {
        let held = self.value.as_ref();
        if held.is_none_or(|held| self.end.prefers(value, held)) {
            self.value = Some(value.clone());
        }
    }

    /// Takes in the value of `other`.
    pub fn merge(&mut self, other: &Extreme) {
        if let Some(value) = &other.value {
            self.add(value);
        }
    }

    pub fn finish(&self) -> Option<Value> {
        self.value.clone()
    }

    pub fn encode(&self, writer: &mut Writer) {
        writer.value(self.value.as_ref());
    }

    pub fn decode(end: End, reader: &mut Reader<'_>) -> Result<Extreme, Damaged> {
        let value = reader.value()?;
        Ok(Extreme { end, value })
    }

    /// What it holds, for a check of its type.
    pub fn held(&self) -> Option<&Value> {
        self.value.as_ref()
    }
}
