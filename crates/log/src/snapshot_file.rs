//! Snapshot files: the state of a partition's owner, beside the write-ahead log.
//!
//! What must hold: the file is durable before a command in the log names it, and the command carries
//! its size and checksum, so that a file is never taken for another.
//!
//! ```text
//!  0  8  "TIDESNP" 0
//!  8  4  layout, 1
//! 12  4  CRC-32C of everything behind
//! 16  8  partition
//! 24  8  position
//! 32  .. state
//! ```

use std::io;

use bytes::Bytes;

use crate::checksum::{crc32c, crc32c_append};
use crate::disk::{Disk, join, read_whole, write_whole};
use crate::partition_id::PartitionId;
use crate::port::Snapshot;
use crate::run::SnapshotPointer;

/// Where the snapshots stand on the disk.
pub const DIRECTORY: &str = "snap";

const MAGIC: [u8; 8] = *b"TIDESNP\0";
const LAYOUT: u32 = 1;
const HEADER_BYTES: usize = 32;

/// Name of snapshot file `number`.
pub fn file_name(number: u64) -> String {
    format!("{number:016x}.snap")
}

/// The number of the snapshot file `name`, if it is one.
pub fn file_number(name: &str) -> Option<u64> {
    u64::from_str_radix(name.strip_suffix(".snap")?, 16).ok()
}

/// Writes `snapshot` as file `number`, durably; gives what a command names it with. Blocks.
pub fn write(
    disk: &dyn Disk,
    number: u64,
    partition: PartitionId,
    snapshot: &Snapshot,
) -> io::Result<SnapshotPointer> {
    let bytes = encode(partition, snapshot);
    write_whole(disk, DIRECTORY, &file_name(number), &bytes)?;
    Ok(SnapshotPointer {
        position: snapshot.position,
        number,
        bytes: snapshot.bytes.len() as u64,
        checksum: crc32c(&snapshot.bytes),
    })
}

/// Reads back what `pointer` names. `InvalidData` when it is not what was written. Blocks.
pub fn read(
    disk: &dyn Disk,
    partition: PartitionId,
    pointer: &SnapshotPointer,
) -> io::Result<Snapshot> {
    let bytes = read_whole(disk, &join(DIRECTORY, &file_name(pointer.number)))?;
    decode(partition, pointer, bytes.into())
        .map_err(|detail| io::Error::new(io::ErrorKind::InvalidData, detail))
}

fn encode(partition: PartitionId, snapshot: &Snapshot) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES + snapshot.bytes.len());
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&LAYOUT.to_le_bytes());
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(&partition.0.to_le_bytes());
    bytes.extend_from_slice(&snapshot.position.to_le_bytes());
    let checksum = crc32c_append(crc32c(&bytes[16..]), &snapshot.bytes);
    bytes[12..16].copy_from_slice(&checksum.to_le_bytes());
    bytes.extend_from_slice(&snapshot.bytes);
    bytes
}

fn decode(
    partition: PartitionId,
    pointer: &SnapshotPointer,
    bytes: Bytes,
) -> Result<Snapshot, &'static str> {
    if bytes.len() as u64 != HEADER_BYTES as u64 + pointer.bytes {
        return Err("its size is not the one that was written");
    }
    if bytes[..8] != MAGIC {
        return Err("its magic number is not there");
    }
    if bytes[8..12] != LAYOUT.to_le_bytes() {
        return Err("its layout is not known to this version");
    }
    if crc32c(&bytes[16..]).to_le_bytes() != bytes[12..16] {
        return Err("its checksum does not fit");
    }
    let state = bytes.slice(HEADER_BYTES..);
    let is_named = bytes[16..24] == partition.0.to_le_bytes()
        && bytes[24..32] == pointer.position.to_le_bytes()
        && crc32c(&state) == pointer.checksum;
    if !is_named {
        return Err("it is not the one that the log names");
    }
    Ok(Snapshot {
        position: pointer.position,
        bytes: state,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_is_frozen_and_every_flipped_bit_is_noticed() {
        let snapshot = Snapshot {
            position: 5,
            bytes: Bytes::from_static(b"state"),
        };
        let partition = PartitionId(0x0102);
        let pointer = SnapshotPointer {
            position: 5,
            number: 1,
            bytes: 5,
            checksum: crc32c(b"state"),
        };
        let mut tail = vec![2, 1, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0];
        tail.extend(b"state");
        let mut golden = b"TIDESNP\0\x01\0\0\0".to_vec();
        golden.extend(crc32c(&tail).to_le_bytes());
        golden.extend(tail);
        assert_eq!(encode(partition, &snapshot), golden);
        assert_eq!(
            decode(partition, &pointer, golden.clone().into()),
            Ok(snapshot)
        );
        for bit in 0..golden.len() * 8 {
            let mut flipped = golden.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(
                decode(partition, &pointer, flipped.into()).is_err(),
                "bit {bit}"
            );
        }
    }
}
