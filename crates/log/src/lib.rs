//! Durable append-only partitions behind one port, [`Log`].
//!
//! Everything durable is in it: records, control commands, checkpoints, queued invocations. What must
//! hold for every implementation: positions are dense per partition and start at 0; an append is
//! atomic over all partitions of its batch; what [`Log::append`] has acknowledged survives as the
//! chosen durability says; only durable entries are ever read; the timestamps of a partition never go
//! back. The crate knows bytes and positions, not shards.

mod checksum;
pub mod limits;
mod buffers;
mod partition_id;
mod batch;
pub mod port;
mod sizes;
mod waiters;
pub mod memory;
pub mod envelope;
pub mod replicated;
pub mod disk;
mod aligned;
mod ballast;
pub mod file_disk;
pub mod scheduling;
pub mod blobs;
mod frame;
mod fields;
mod chunk;
mod run;
mod tail;
mod place;
mod extents;
mod table;
mod line;
mod files;
mod ahead;
mod reader;
mod chunk_writer;
mod chunk_file;
mod superblock;
mod snapshot_file;
mod recovery;
pub mod inspect;
mod waiting;
mod status;
mod cache;
mod portion;
mod turns;
mod bell;
mod shared;
mod reading;
mod rounds;
mod gathering;
mod idle;
mod sorter;
mod scrub;
mod scrubber;
mod committer;
mod log_writer;
pub mod local;

pub use batch::{Batch, BatchEntry, BatchRun};
pub use blobs::{BlobError, Blobs, DiskBlobs, MemoryBlobs};
pub use committer::Durability;
pub use disk::{Disk, DiskFile, Room};
pub use file_disk::{FileDisk, FileDiskError};
pub use idle::when_idle;
pub use local::{LocalLog, LocalOptions};
pub use memory::MemoryLog;
pub use partition_id::{PartitionId, ServiceTag};
pub use port::{
    AppendError, Appended, Entry, Log, Partition, Position, Read, ReadError, Retention, Snapshot,
};
pub use recovery::LocalError;
pub use replicated::{OpenError, Replicated, RestoreError, StateLog, StateMachine};
pub use scheduling::Scheduling;
pub use scrubber::Scrubbed;
pub use sorter::{SortError, Sorting};
