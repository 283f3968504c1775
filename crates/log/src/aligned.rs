//! Memory that the system reads and writes past its cache as it is: [`Aligned`].
//!
//! What must hold: it begins at a multiple of the block size, and never moves. Why: bytes that stand
//! elsewhere are copied on their way to the disk, and fresh memory costs more than any copy.

use std::ops::{Deref, DerefMut};

use crate::disk::BLOCK_BYTES;

/// See the module.
#[derive(Debug, Default)]
pub struct Aligned {
    memory: Vec<u8>,
    start: usize,
    bytes: usize,
}

impl Aligned {
    /// `bytes` zeros.
    pub fn new(bytes: usize) -> Aligned {
        let memory = vec![0; bytes + BLOCK_BYTES];
        let start = memory.as_ptr().align_offset(BLOCK_BYTES);
        Aligned {
            memory,
            start,
            bytes,
        }
    }
}

/// Whether `bytes` can be had past the system's cache at `offset` as they are.
pub fn is_aligned(offset: u64, bytes: &[u8]) -> bool {
    bytes.as_ptr().align_offset(BLOCK_BYTES) == 0
        && bytes.len().is_multiple_of(BLOCK_BYTES)
        && offset.is_multiple_of(BLOCK_BYTES as u64)
}

impl Deref for Aligned {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.memory[self.start..self.start + self.bytes]
    }
}

impl DerefMut for Aligned {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..self.start + self.bytes]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_begins_at_a_block_and_has_the_size_that_was_asked_for() {
        for bytes in [0, 1, BLOCK_BYTES, 3 * BLOCK_BYTES] {
            let aligned = Aligned::new(bytes);
            assert_eq!(aligned.len(), bytes);
            assert_eq!(aligned.as_ptr().align_offset(BLOCK_BYTES), 0);
            assert_eq!(is_aligned(0, &aligned), bytes != 1);
            assert!(!is_aligned(512, &aligned));
        }
    }
}
