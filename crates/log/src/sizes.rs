//! Whether what is to be appended keeps the limits.

use crate::batch::Batch;
use crate::limits::{BATCH_BYTES_MAX, ENTRY_BYTES_MAX};
use crate::port::AppendError;

/// The payload bytes of `batch`, when it and each of its entries keep the limits.
pub fn checked_bytes(batch: &Batch) -> Result<usize, AppendError> {
    for entry in batch.entries() {
        checked_entry(entry.bytes as usize)?;
    }
    let sum = batch.payload_bytes();
    if sum > BATCH_BYTES_MAX {
        return Err(AppendError::TooLarge {
            bytes: sum,
            bytes_max: BATCH_BYTES_MAX,
        });
    }
    Ok(sum)
}

/// Refuses a payload of `bytes` when that is too large for an entry.
pub fn checked_entry(bytes: usize) -> Result<(), AppendError> {
    if bytes > ENTRY_BYTES_MAX {
        return Err(AppendError::TooLarge {
            bytes,
            bytes_max: ENTRY_BYTES_MAX,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::partition_id::PartitionId;

    #[test]
    fn an_entry_or_a_batch_above_its_limit_is_refused_with_its_size() {
        let entry = |bytes| (PartitionId(1), Bytes::from(vec![0; bytes]));
        let cases = [
            (vec![entry(ENTRY_BYTES_MAX)], Ok(ENTRY_BYTES_MAX)),
            (
                vec![entry(ENTRY_BYTES_MAX + 1)],
                Err((ENTRY_BYTES_MAX + 1, ENTRY_BYTES_MAX)),
            ),
            (
                vec![entry(ENTRY_BYTES_MAX), entry(ENTRY_BYTES_MAX)],
                Ok(BATCH_BYTES_MAX),
            ),
            (
                vec![entry(ENTRY_BYTES_MAX), entry(ENTRY_BYTES_MAX), entry(1)],
                Err((BATCH_BYTES_MAX + 1, BATCH_BYTES_MAX)),
            ),
        ];
        for (entries, expected) in cases {
            let expected =
                expected.map_err(|(bytes, bytes_max)| AppendError::TooLarge { bytes, bytes_max });
            assert_eq!(checked_bytes(&Batch::of(entries)), expected);
        }
    }
}
