//! A record: one datum that a producer put, as a reader gets it back.

use bytes::Bytes;

use crate::sequence::SequenceNumber;
use crate::time::Timestamp;

/// One datum that a producer put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Dense place of the record in its shard, from 0.
    pub position: u64,
    /// The Kinesis spelling of the place.
    pub sequence_number: SequenceNumber,
    /// When the record became durable; never goes back within a shard.
    pub arrival: Timestamp,
    /// The producer's partition key, 1 to 256 characters.
    pub partition_key: String,
    /// The payload.
    pub data: Bytes,
}
