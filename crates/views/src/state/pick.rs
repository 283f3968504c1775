//! The value of one record out of many: [`Pick`], for first, last, min_by and max_by.
//!
//! Records are ordered by the ordering value, if there is one, and then by their place, so that there
//! is exactly one first and one last in any split. Records whose ordering value is null are left out.
//!
//! Bytes: 0 for none, or 1, the ordering value, the place, the value.

use crate::encoding::{Damaged, Reader, Writer};
use crate::value::{Place, Value};

use super::extreme::End;

/// The record so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pick {
    end: End,
    picked: Option<Picked>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Picked {
    order: Option<Value>,
    place: Place,
    value: Option<Value>,
}

impl Picked {
    fn key(&self) -> (Option<&Value>, Place) {
        (self.order.as_ref(), self.place)
    }
}

impl Pick {
    /// Of no records.
    pub fn new(end: End) -> Pick {
        Pick { end, picked: None }
    }

    /// Takes in a record.
    pub fn add(&mut self, order: Option<&Value>, place: Place, value: Option<&Value>) {
        let held = self.picked.as_ref();
        if held.is_none_or(|held| self.end.prefers(&(order, place), &held.key())) {
            self.picked = Some(Picked {
                order: order.cloned(),
                place,
                value: value.cloned(),
            });
        }
    }

    /// Takes in the record of `other`.
    pub fn merge(&mut self, other: &Pick) {
        if let Some(picked) = &other.picked {
            let (order, place) = picked.key();
            self.add(order, place, picked.value.as_ref());
        }
    }

    pub fn finish(&self) -> Option<Value> {
        self.picked.as_ref()?.value.clone()
    }

    pub fn encode(&self, writer: &mut Writer) {
        writer.byte(u8::from(self.picked.is_some()));
        if let Some(picked) = &self.picked {
            writer.value(picked.order.as_ref());
            writer.place(picked.place);
            writer.value(picked.value.as_ref());
        }
    }

    pub fn decode(end: End, reader: &mut Reader<'_>) -> Result<Pick, Damaged> {
        let picked = match reader.byte()? {
            0 => None,
            1 => Some(Picked {
                order: reader.value()?,
                place: reader.place()?,
                value: reader.value()?,
            }),
            _ => return Err(Damaged::Field { what: "a record" }),
        };
        Ok(Pick { end, picked })
    }

    /// What it holds, for a check of its type.
    pub fn held(&self) -> Option<&Value> {
        self.picked.as_ref()?.value.as_ref()
    }
}
