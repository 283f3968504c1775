//! How a record lies in the log: [`StoredRecord`].
//!
//! ```text
//! offset  size  field
//! 0       1     version, 1
//! 1       1     flags: bit 0 = an explicit hash key follows, bit 1 = the stream was said to be
//!               encrypted; the others are 0
//! 2       2     length of the partition key in bytes, little-endian; 0 when the producer sent none
//! 4       16    explicit hash key, big-endian; only when flagged
//! then          partition key, UTF-8
//! then          data, to the end
//! ```
//!
//! What must hold: what was encoded is decoded, bytes that were not are refused and never guessed at,
//! and decoding shares the data with the entry instead of copying it. The sequence number and the
//! arrival time are not here: the log keeps both.

use bytes::Bytes;
use thiserror::Error;

use tidemill_log::{Batch, PartitionId};
use tidemill_model::HashKey;

const VERSION: u8 = 1;
const EXPLICIT_HASH_KEY: u8 = 1;
const ENCRYPTED: u8 = 2;
const HEADER_BYTES: usize = 4;
const HASH_KEY_BYTES: usize = 16;

/// What a record takes in the log beside its partition key and its data, at most.
pub const RECORD_OVERHEAD_BYTES_MAX: usize = HEADER_BYTES + HASH_KEY_BYTES;

/// A record as the log holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRecord {
    /// At most 65,535 bytes; AWS's 256 characters are at most 1,024, and never none.
    pub partition_key: Option<String>,
    /// The hash key the producer named, if it did.
    pub explicit_hash_key: Option<HashKey>,
    /// Whether its stream had a key when it was put. The data is as it is either way.
    pub encrypted: bool,
    /// The payload.
    pub data: Bytes,
}

/// Bytes of the log that are not a record.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("an entry of {bytes} bytes is not a record: {detail}")]
pub struct NotARecord {
    /// Size of the entry.
    pub bytes: usize,
    /// What does not fit.
    pub detail: &'static str,
}

/// A record on its way into the log; what it is made of stands elsewhere.
#[derive(Clone, Copy, Debug)]
pub struct RecordToStore<'a> {
    /// As that of a [`StoredRecord`].
    pub partition_key: Option<&'a str>,
    /// As that of a [`StoredRecord`].
    pub explicit_hash_key: Option<HashKey>,
    /// As that of a [`StoredRecord`].
    pub encrypted: bool,
    /// The payload.
    pub data: &'a [u8],
}

impl RecordToStore<'_> {
    /// Puts the record as the layout above has it into `batch`, for `partition`.
    pub fn put_into(&self, batch: &mut Batch, partition: PartitionId) {
        let partition_key = self.partition_key.unwrap_or_default().as_bytes();
        let key_bytes = u16::try_from(partition_key.len())
            .expect("a partition key of 256 characters has at most 1,024 bytes");
        let flag = |set: bool, flag: u8| if set { flag } else { 0 };
        let flags = flag(self.explicit_hash_key.is_some(), EXPLICIT_HASH_KEY)
            | flag(self.encrypted, ENCRYPTED);
        let [low, high] = key_bytes.to_le_bytes();
        let header = [VERSION, flags, low, high];
        let hash_key = self.explicit_hash_key.map(|HashKey(key)| key.to_be_bytes());
        let hash_key = hash_key.as_ref().map_or(&[][..], |key| key);
        batch.push(partition, &[&header, hash_key, partition_key, self.data]);
    }
}

impl StoredRecord {
    /// The record that `entry` holds; its data shares `entry`'s memory.
    pub fn decode(entry: &Bytes) -> Result<StoredRecord, NotARecord> {
        let refuse = |detail| NotARecord {
            bytes: entry.len(),
            detail,
        };
        let (header, rest) = entry
            .split_at_checked(HEADER_BYTES)
            .ok_or(refuse("no header"))?;
        if header[0] != VERSION {
            return Err(refuse("unknown version"));
        }
        if header[1] & !(EXPLICIT_HASH_KEY | ENCRYPTED) != 0 {
            return Err(refuse("unknown flags"));
        }
        let key_bytes = usize::from(u16::from_le_bytes([header[2], header[3]]));
        let (explicit_hash_key, rest) = if header[1] & EXPLICIT_HASH_KEY == 0 {
            (None, rest)
        } else {
            let (key, rest) = rest
                .split_first_chunk()
                .ok_or(refuse("hash key cut short"))?;
            (Some(HashKey(u128::from_be_bytes(*key))), rest)
        };
        let (key, data) = rest
            .split_at_checked(key_bytes)
            .ok_or(refuse("partition key cut short"))?;
        let partition_key = std::str::from_utf8(key)
            .map_err(|_| refuse("partition key is not UTF-8"))?
            .to_owned();
        Ok(StoredRecord {
            partition_key: Some(partition_key).filter(|key| !key.is_empty()),
            explicit_hash_key,
            encrypted: header[1] & ENCRYPTED != 0,
            data: entry.slice_ref(data),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    impl StoredRecord {
        fn bytes(&self) -> Bytes {
            let record = RecordToStore {
                partition_key: self.partition_key.as_deref(),
                explicit_hash_key: self.explicit_hash_key,
                encrypted: self.encrypted,
                data: &self.data,
            };
            let mut batch = Batch::default();
            record.put_into(&mut batch, PartitionId(1));
            let run = batch.runs().next().expect("there is one entry");
            Bytes::copy_from_slice(run.bytes)
        }
    }

    fn record(key: &str, explicit: Option<u128>, data: &'static [u8]) -> StoredRecord {
        StoredRecord {
            partition_key: Some(key.to_owned()).filter(|key| !key.is_empty()),
            explicit_hash_key: explicit.map(HashKey),
            encrypted: false,
            data: Bytes::from_static(data),
        }
    }

    #[test]
    fn the_bytes_are_golden() {
        let encrypted = StoredRecord {
            encrypted: true,
            ..record("k", Some(1), b"x")
        };
        let cases: [(StoredRecord, &[u8]); 5] = [
            (record("pk", None, b"data"), b"\x01\x00\x02\x00pkdata"),
            (
                record("é", Some(258), b"x"),
                b"\x01\x01\x02\x00\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x02\xc3\xa9x",
            ),
            (record("k", None, b""), b"\x01\x00\x01\x00k"),
            (record("", None, b"x"), b"\x01\x00\x00\x00x"),
            (
                encrypted,
                b"\x01\x03\x01\x00\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01kx",
            ),
        ];
        for (record, golden) in cases {
            assert_eq!(&record.bytes()[..], golden);
            assert_eq!(
                StoredRecord::decode(&Bytes::from_static(golden)),
                Ok(record)
            );
        }
    }

    #[test]
    fn what_is_not_a_record_is_refused() {
        let cases: [(&'static [u8], &str); 7] = [
            (b"", "no header"),
            (b"\x01\x00\x00", "no header"),
            (b"\x02\x00\x00\x00", "unknown version"),
            (b"\x01\x04\x00\x00", "unknown flags"),
            (b"\x01\x01\x00\x00123456789012345", "hash key cut short"),
            (b"\x01\x00\x03\x00pk", "partition key cut short"),
            (b"\x01\x00\x01\x00\xff", "partition key is not UTF-8"),
        ];
        for (bytes, detail) in cases {
            let refused = StoredRecord::decode(&Bytes::from_static(bytes));
            assert_eq!(
                refused,
                Err(NotARecord {
                    bytes: bytes.len(),
                    detail
                })
            );
        }
    }

    #[test]
    fn decoding_copies_no_data() {
        let entry = record("pk", None, b"payload").bytes();
        let decoded = StoredRecord::decode(&entry).expect("just encoded");
        assert_eq!(decoded.data.as_ptr(), entry[6..].as_ptr());
    }

    proptest! {
        #[test]
        fn every_record_comes_back(
            partition_key in proptest::option::of("\\PC{1,256}"),
            explicit in proptest::option::of(any::<u128>()),
            encrypted in any::<bool>(),
            data in proptest::collection::vec(any::<u8>(), 0..2000),
        ) {
            let record = StoredRecord {
                partition_key,
                explicit_hash_key: explicit.map(HashKey),
                encrypted,
                data: data.into(),
            };
            prop_assert_eq!(StoredRecord::decode(&record.bytes()), Ok(record));
        }
    }
}
