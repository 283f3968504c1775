//! The exact number of different values: [`Distinct`] holds them all.
//!
//! Bytes: how many, then the values in their order.

use std::collections::BTreeSet;

use crate::encoding::{Damaged, Reader, Writer};
use crate::value::Value;

/// The different values so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Distinct {
    values: BTreeSet<Value>,
}

impl Distinct {
    /// Takes in a value.
    pub fn add(&mut self, value: &Value) {
        if !self.values.contains(value) {
            self.values.insert(value.clone());
        }
    }

    /// Takes in the values of `other`.
    pub fn merge(&mut self, other: &Distinct) {
        for value in &other.values {
            self.add(value);
        }
    }

    pub fn finish(&self) -> Option<Value> {
        let count = i64::try_from(self.values.len()).expect("memory holds fewer values");
        Some(Value::Integer(count))
    }

    pub fn encode(&self, writer: &mut Writer) {
        writer.length(self.values.len() as u64);
        for value in &self.values {
            writer.value(Some(value));
        }
    }

    pub fn decode(reader: &mut Reader<'_>) -> Result<Distinct, Damaged> {
        let wrong = Damaged::Field {
            what: "a set of values",
        };
        let count = reader.length()?;
        let mut values = BTreeSet::new();
        for _ in 0..count {
            let value = reader.value()?.ok_or_else(|| wrong.clone())?;
            if values.last().is_some_and(|last| *last >= value) {
                return Err(wrong);
            }
            values.insert(value);
        }
        Ok(Distinct { values })
    }

    /// What it holds, for a check of their type.
    pub fn held(&self) -> impl Iterator<Item = &Value> {
        self.values.iter()
    }
}
