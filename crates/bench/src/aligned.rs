//! [`Aligned`]: bytes as a disk takes them past the system's cache.
//!
//! What must hold: they begin at a multiple of the block size in memory, and what is written of them is
//! whole blocks.

/// What sizes and places of writes are multiples of.
pub const BLOCK_BYTES: usize = 4096;

/// Bytes that begin at a multiple of the block size.
#[derive(Debug)]
pub struct Aligned {
    room: Vec<u8>,
    start: usize,
    used: usize,
}

impl Aligned {
    /// None yet, with room for `bytes`.
    pub fn with_capacity(bytes: usize) -> Aligned {
        let room = vec![0; bytes.next_multiple_of(BLOCK_BYTES) + BLOCK_BYTES];
        let start = room.as_ptr().align_offset(BLOCK_BYTES);
        Aligned {
            room,
            start,
            used: 0,
        }
    }

    /// Forgets them.
    pub fn clear(&mut self) {
        self.used = 0;
    }

    /// Puts `bytes` behind those that are there.
    pub fn extend(&mut self, bytes: &[u8]) {
        let used = self.used + bytes.len();
        if self.room.len() < used.next_multiple_of(BLOCK_BYTES) + BLOCK_BYTES {
            let mut larger = Aligned::with_capacity(2 * used);
            larger.extend(&self.room[self.start..self.start + self.used]);
            *self = larger;
        }
        self.room[self.start + self.used..self.start + used].copy_from_slice(bytes);
        self.used = used;
    }

    /// All that is there, with zeros up to the end of the last block.
    pub fn blocks(&mut self) -> &[u8] {
        let (used, whole) = (self.used, self.used.next_multiple_of(BLOCK_BYTES));
        self.room[self.start + used..self.start + whole].fill(0);
        &self.room[self.start..self.start + whole]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_for_the_disk_are_whole_blocks_however_they_came() {
        let mut aligned = Aligned::with_capacity(10);
        for size in [1, BLOCK_BYTES, 3 * BLOCK_BYTES + 1] {
            aligned.clear();
            aligned.extend(&vec![7; size - 1]);
            aligned.extend(&[7]);
            let bytes = aligned.blocks();
            assert_eq!(bytes.as_ptr() as usize % BLOCK_BYTES, 0);
            assert_eq!(bytes.len(), size.next_multiple_of(BLOCK_BYTES));
            assert!(bytes[..size].iter().all(|byte| *byte == 7));
            assert!(bytes[size..].iter().all(|byte| *byte == 0));
        }
    }
}
