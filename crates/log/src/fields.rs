//! Fixed numbers in bytes, little-endian: [`Fields`] takes them from the front, [`put`] puts one.
//!
//! What must hold: what is not there is refused, never read past the end.

use crate::frame::BadFrame;
use crate::port::Retention;

/// What is left to be taken.
pub struct Fields<'a>(pub &'a [u8]);

impl Fields<'_> {
    fn take<const COUNT: usize>(&mut self) -> Result<[u8; COUNT], BadFrame> {
        let (field, rest) = self.0.split_first_chunk().ok_or(BadFrame::Bounds("run"))?;
        self.0 = rest;
        Ok(*field)
    }

    /// A number of 4 bytes.
    pub fn u32(&mut self) -> Result<u32, BadFrame> {
        self.take().map(u32::from_le_bytes)
    }

    /// A number of 8 bytes.
    pub fn u64(&mut self) -> Result<u64, BadFrame> {
        self.take().map(u64::from_le_bytes)
    }

    /// How long entries are kept, in 4 bytes.
    pub fn retention(&mut self) -> Result<Retention, BadFrame> {
        Retention::from_number(self.u32()?).ok_or(BadFrame::Bounds("retention"))
    }
}

/// Puts `value` at `offset`.
pub fn put(bytes: &mut [u8], offset: usize, value: &[u8]) {
    bytes[offset..offset + value.len()].copy_from_slice(value);
}
