//! The superblock: which file of the write-ahead log is the newest.
//!
//! What must hold: it names a file only when that file's header and checkpoint are durable, and a file
//! takes its first change only when the superblock names it. So a file that is newer than the
//! superblock says holds nothing, and one that the superblock names and that is not there is lost.
//!
//! ```text
//!  0  8  "TIDESUP" 0
//!  8  4  layout, 1
//! 12  4  zero
//! 16  8  number of the newest file
//! 24  8  its salt
//! 32  4  CRC-32C of the bytes before
//! ```

use std::io;

use crate::checksum::crc32c;
use crate::disk::{Disk, put_in_place, read_whole, write_unfinished};
use crate::frame::BadFrame;

/// Name of the file, in the data directory.
pub const SUPERBLOCK: &str = "SUPER";

const MAGIC: [u8; 8] = *b"TIDESUP\0";
const LAYOUT: u32 = 1;
const BYTES: usize = 36;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Superblock {
    /// Number of the newest file.
    pub newest: u64,
    /// Its salt.
    pub salt: u64,
}

impl Superblock {
    /// Its bytes.
    pub fn encode(&self) -> [u8; BYTES] {
        let mut bytes = [0; BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&LAYOUT.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.newest.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.salt.to_le_bytes());
        let checksum = crc32c(&bytes[..32]);
        bytes[32..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Reads it back.
    pub fn decode(bytes: &[u8]) -> Result<Superblock, BadFrame> {
        let bytes: &[u8; BYTES] = bytes.try_into().map_err(|_| BadFrame::Bounds("size"))?;
        let number = |offset: usize| {
            u64::from_le_bytes(
                bytes[offset..offset + 8]
                    .try_into()
                    .expect("it has 8 bytes"),
            )
        };
        if bytes[..8] != MAGIC {
            return Err(BadFrame::Magic);
        }
        if crc32c(&bytes[..32]).to_le_bytes() != bytes[32..] {
            return Err(BadFrame::Checksum("content"));
        }
        let layout = number(8);
        if layout != u64::from(LAYOUT) {
            return Err(BadFrame::Layout(layout as u32));
        }
        Ok(Superblock {
            newest: number(16),
            salt: number(24),
        })
    }

    /// Writes it beside the one before, durably.
    pub fn prepare(&self, disk: &dyn Disk) -> io::Result<()> {
        write_unfinished(disk, "", SUPERBLOCK, &self.encode())
    }

    /// Puts what was prepared in place of the one before, durably.
    pub fn put_in_place(disk: &dyn Disk) -> io::Result<()> {
        put_in_place(disk, "", SUPERBLOCK)
    }

    /// Reads it from the disk; none when it was never written.
    pub fn read(disk: &dyn Disk) -> io::Result<Option<Result<Superblock, BadFrame>>> {
        match read_whole(disk, SUPERBLOCK) {
            Ok(bytes) => Ok(Some(Superblock::decode(&bytes))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_is_frozen() {
        let superblock = Superblock {
            newest: 0x0102,
            salt: 0x0304,
        };
        let mut golden = b"TIDESUP\0".to_vec();
        golden.extend([1, 0, 0, 0, 0, 0, 0, 0]);
        golden.extend([2, 1, 0, 0, 0, 0, 0, 0]);
        golden.extend([4, 3, 0, 0, 0, 0, 0, 0]);
        golden.extend(crc32c(&golden).to_le_bytes());
        assert_eq!(superblock.encode(), golden.as_slice());
        assert_eq!(Superblock::decode(&golden), Ok(superblock));
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let bytes = Superblock { newest: 1, salt: 2 }.encode();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Superblock::decode(&flipped).is_err(), "bit {bit}");
        }
    }
}
