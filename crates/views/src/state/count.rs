//! Counts of records or of values that are not null: [`Count`].
//!
//! Signed, because a part may hold only the retraction of what another part holds.
//! Bytes: the count, i64.

use crate::encoding::{Damaged, Reader, Writer};
use crate::value::Value;

use super::failure::StateError;

const WHAT: &str = "count";

/// How many there were.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Count {
    count: i64,
}

impl Count {
    /// Counts `times` more.
    pub fn add(&mut self, times: i64) -> Result<(), StateError> {
        let sum = self.count.checked_add(times);
        self.count = sum.ok_or(StateError::Overflow { what: WHAT })?;
        Ok(())
    }

    /// Counts what `other` counted.
    pub fn merge(&mut self, other: &Count) -> Result<(), StateError> {
        self.add(other.count)
    }

    /// The count, which is not negative.
    pub fn get(&self) -> Result<i64, StateError> {
        match self.count {
            0.. => Ok(self.count),
            _ => Err(StateError::Overdrawn { what: WHAT }),
        }
    }

    pub fn finish(&self) -> Result<Option<Value>, StateError> {
        self.get().map(|count| Some(Value::Integer(count)))
    }

    pub fn encode(&self, writer: &mut Writer) {
        writer.integer(self.count);
    }

    pub fn decode(reader: &mut Reader<'_>) -> Result<Count, Damaged> {
        let count = reader.integer()?;
        Ok(Count { count })
    }
}
