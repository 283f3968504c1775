//! Which partition, and whose it is: [`PartitionId`] and [`ServiceTag`].

/// The service that owns a partition. The numbers are persisted: never change or reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum ServiceTag {
    /// The control commands of all services.
    Control = 0,
    /// The shards of streams.
    Streams = 1,
    /// Queued invocations.
    Functions = 2,
    /// The messages of queues.
    Destinations = 3,
    /// Checkpoints.
    Mapping = 4,
    /// Views; it owns no partition.
    Views = 5,
}

impl ServiceTag {
    /// All tags.
    pub const ALL: [ServiceTag; 6] = [
        ServiceTag::Control,
        ServiceTag::Streams,
        ServiceTag::Functions,
        ServiceTag::Destinations,
        ServiceTag::Mapping,
        ServiceTag::Views,
    ];

    /// The tag persisted as `number`.
    pub fn from_number(number: u8) -> Option<ServiceTag> {
        ServiceTag::ALL.into_iter().find(|tag| *tag as u8 == number)
    }
}

/// Identifies a partition: the owner in the upper 8 bits, the owner's number in the lower 56.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartitionId(pub u64);

impl PartitionId {
    /// The partition of all control commands.
    pub const CONTROL: PartitionId = PartitionId(0);

    /// Partition `number` of `owner`.
    ///
    /// # Panics
    /// When `number` needs more than 56 bits.
    pub fn new(owner: ServiceTag, number: u64) -> PartitionId {
        assert!(number < 1 << 56, "a partition number has 56 bits");
        PartitionId((owner as u64) << 56 | number)
    }

    /// The service that owns the partition, when the tag is known.
    pub fn owner(&self) -> Option<ServiceTag> {
        ServiceTag::from_number((self.0 >> 56) as u8)
    }

    /// The owner's number of the partition.
    pub fn number(&self) -> u64 {
        self.0 & ((1 << 56) - 1)
    }
}
