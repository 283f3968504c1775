//! The checksum of all that stands on the disk: CRC-32C, as iSCSI has it (RFC 3720).
//!
//! What must hold: it never changes, for what older versions wrote is read with it. Each record is summed four
//! times on its way into a chunk, so it is done as wide as the processor can.

use crc_fast::{CrcAlgorithm, Digest, crc32_iscsi};

/// The checksum of `bytes`.
pub fn crc32c(bytes: &[u8]) -> u32 {
    crc32_iscsi(bytes)
}

/// The checksum of what has `checksum` with `bytes` behind it.
pub fn crc32c_append(checksum: u32, bytes: &[u8]) -> u32 {
    // What is told is the complement of what is gone on with.
    let mut digest = Digest::new_with_init_state(CrcAlgorithm::Crc32Iscsi, u64::from(!checksum));
    digest.update(bytes);
    digest.finalize() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bit by bit, as the RFC says.
    fn slowly(bytes: &[u8]) -> u32 {
        let mut rest = !0;
        for byte in bytes {
            rest ^= u32::from(*byte);
            for _ in 0..8 {
                let carry = rest & 1;
                rest = (rest >> 1) ^ (carry * 0x82f6_3b78);
            }
        }
        !rest
    }

    #[test]
    fn it_is_that_of_the_rfc() {
        // RFC 3720, B.4.
        let ascending: Vec<u8> = (0..32).collect();
        let cases: [(&[u8], u32); 4] = [
            (&[0; 32], 0x8a91_36aa),
            (&[0xff; 32], 0x62a8_ab43),
            (&ascending, 0x46dd_794e),
            (b"", 0),
        ];
        for (bytes, expected) in cases {
            assert_eq!(crc32c(bytes), expected);
        }
    }

    #[test]
    fn it_is_the_same_however_it_is_divided() {
        let bytes: Vec<u8> = (0..3000_u32).map(|index| (index * index) as u8).collect();
        for length in (0..300).chain([511, 512, 1024, 2047, 3000]) {
            let bytes = &bytes[..length];
            assert_eq!(crc32c(bytes), slowly(bytes), "{length}");
            for end in [0, 1, 7, length / 3, length / 2, length] {
                let (before, behind) = bytes.split_at(end.min(length));
                let appended = crc32c_append(crc32c(before), behind);
                assert_eq!(appended, crc32c(bytes), "{end} of {length}");
            }
        }
    }
}
