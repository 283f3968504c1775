//! Entries to append at once: [`Batch`].
//!
//! What must hold: the payloads stand one behind the other in one piece of memory, in the order of the
//! entries; each has its checksum from the moment when its bytes had just been put there. Why: what is
//! appended is copied into a frame, and entries of one partition that stand beside each other go there
//! with one copy, whoever made them.

use std::sync::Arc;

use crate::buffers::Buffers;
use crate::checksum::crc32c;
use crate::partition_id::PartitionId;

/// Entries to append, atomically, in order; usually to few partitions.
///
/// Per partition, the entries get consecutive positions in the order of the batch.
#[derive(Debug, Default)]
pub struct Batch {
    entries: Vec<BatchEntry>,
    bytes: Vec<u8>,
    /// Who gets the memory of `bytes` back.
    buffers: Option<Arc<Buffers>>,
}

/// What a batch says of one entry beside its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchEntry {
    /// Its partition.
    pub partition: PartitionId,
    /// Size of its payload.
    pub bytes: u32,
    /// Checksum of its payload alone.
    pub checksum: u32,
}

/// Entries of one partition that stand beside each other in a batch; at least one.
#[derive(Clone, Copy, Debug)]
pub struct BatchRun<'a> {
    /// Their partition.
    pub partition: PartitionId,
    /// The entries.
    pub entries: &'a [BatchEntry],
    /// Their payloads, one behind the other.
    pub bytes: &'a [u8],
}

impl Batch {
    /// Empty, with room for `entries` of `bytes` together.
    pub fn with_capacity(entries: usize, bytes: usize) -> Batch {
        Batch {
            entries: Vec::with_capacity(entries),
            bytes: Vec::with_capacity(bytes),
            buffers: None,
        }
    }

    /// The same, in memory of `buffers`, who get it back.
    pub(crate) fn within(buffers: &Arc<Buffers>, entries: usize, bytes: usize) -> Batch {
        Batch {
            entries: Vec::with_capacity(entries),
            bytes: buffers.take(bytes),
            buffers: Some(Arc::clone(buffers)),
        }
    }

    /// Of `entries`, each a partition and a payload.
    pub fn of<P: AsRef<[u8]>>(entries: impl IntoIterator<Item = (PartitionId, P)>) -> Batch {
        let mut batch = Batch::default();
        for (partition, payload) in entries {
            batch.push(partition, &[payload.as_ref()]);
        }
        batch
    }

    /// Puts an entry behind the others, whose payload is `pieces` one behind the other.
    ///
    /// # Panics
    /// When the payload has 4 GiB or more.
    pub fn push(&mut self, partition: PartitionId, pieces: &[&[u8]]) {
        let start = self.bytes.len();
        for piece in pieces {
            self.bytes.extend_from_slice(piece);
        }
        let payload = &self.bytes[start..];
        self.entries.push(BatchEntry {
            partition,
            bytes: u32::try_from(payload.len()).expect("a payload has less than 4 GiB"),
            checksum: crc32c(payload),
        });
    }

    /// What is said of each entry.
    pub fn entries(&self) -> &[BatchEntry] {
        &self.entries
    }

    /// Size of all payloads.
    pub fn payload_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The entries, as many at a time as stand beside each other and are of one partition.
    pub fn runs(&self) -> impl Iterator<Item = BatchRun<'_>> {
        let same = |left: &BatchEntry, right: &BatchEntry| left.partition == right.partition;
        let mut rest = &self.bytes[..];
        self.entries.chunk_by(same).map(move |entries| {
            let count = entries.iter().map(|entry| entry.bytes as usize).sum();
            let (bytes, behind) = rest.split_at(count);
            rest = behind;
            BatchRun {
                partition: entries[0].partition,
                entries,
                bytes,
            }
        })
    }
}

impl<'a> BatchRun<'a> {
    /// The payload of each entry.
    pub fn payloads(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut rest = self.bytes;
        self.entries.iter().map(move |entry| {
            let (payload, behind) = rest.split_at(entry.bytes as usize);
            rest = behind;
            payload
        })
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        if let Some(buffers) = &self.buffers {
            buffers.put_back(std::mem::take(&mut self.bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_one_partition_that_stand_beside_each_other_are_a_run() {
        let mut batch = Batch::default();
        let entries: [(u64, &[&[u8]]); 5] = [
            (7, &[b"a", b"", b"bc"]),
            (7, &[]),
            (3, &[b"d"]),
            (7, &[b"ef"]),
            (7, &[b"g"]),
        ];
        for (partition, pieces) in entries {
            batch.push(PartitionId(partition), pieces);
        }
        let runs: Vec<(u64, Vec<&[u8]>)> = batch
            .runs()
            .map(|run| (run.partition.0, run.payloads().collect()))
            .collect();
        let expected: [(u64, Vec<&[u8]>); 3] = [
            (7, vec![b"abc", b""]),
            (3, vec![b"d"]),
            (7, vec![b"ef", b"g"]),
        ];
        assert_eq!(runs, expected);
        let (sizes, checksums): (Vec<u32>, Vec<u32>) = batch
            .entries()
            .iter()
            .map(|entry| (entry.bytes, entry.checksum))
            .unzip();
        assert_eq!(sizes, [3, 0, 1, 2, 1]);
        let payloads: [&[u8]; 5] = [b"abc", b"", b"d", b"ef", b"g"];
        assert_eq!(checksums, payloads.map(crc32c));
        assert_eq!(batch.payload_bytes(), 7);
        assert_eq!(Batch::default().runs().count(), 0);
    }

    #[test]
    fn memory_that_was_lent_is_given_back() {
        let buffers = Arc::new(Buffers::new(1 << 20));
        let mut batch = Batch::within(&buffers, 1, 100_000);
        batch.push(PartitionId(1), &[&[1; 100_000]]);
        let place = batch.bytes.as_ptr();
        let other = buffers.take(100_000);
        assert_ne!(other.as_ptr(), place);
        drop(batch);
        let same = buffers.take(100_000);
        assert_eq!(same.as_ptr(), place);
    }
}
