//! What the machine is told and what it asks for: [`Input`] and [`Effect`].
//!
//! What must hold: each effect that is answered is answered by exactly one input, and none is asked for
//! again before.
//!
//! | effect | answered by |
//! | --- | --- |
//! | `OpenTable` | `TableOpened`, `TableFailed` |
//! | `CommitEpoch` | `EpochCommitted`, `TableFailed` |
//! | `TendTable` | `TableTended`, `TableFailed` |
//! | `ListShards` | `ShardsListed`, `ListFailed`, `StreamGone` |
//! | `AwaitShard` | `ShardAppeared` |
//! | `Fetch` | `RecordsFetched`, `FetchFailed`, `ShardGone`, `StreamGone` |
//! | `AwaitRecords` | `RecordsArrived` |
//! | `Release` | nothing |
//! | `Finished`, `Stopped` | nothing: the machine has ended |

use tidemill_model::ShardId;
use tidemill_model::source::{Fetched, ReadLimit, SourceShard};

use crate::master::Sealed;
use crate::positions::Positions;

/// Something that has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The machine may begin. Comes once, first.
    Started,
    /// The table is open and ends here.
    TableOpened(Positions),
    /// The epoch is durable.
    EpochCommitted,
    /// The table is in good order.
    TableTended,
    /// What was asked of the table failed; what it is now, only opening it can tell.
    TableFailed,
    /// The shards there are.
    ShardsListed(Vec<SourceShard>),
    /// They could not be listed.
    ListFailed,
    /// There is, or may be, another shard.
    ShardAppeared,
    /// A read came back.
    RecordsFetched {
        /// Of which shard.
        shard: ShardId,
        /// What it gave.
        fetched: Fetched,
    },
    /// A read failed.
    FetchFailed {
        /// Of which shard.
        shard: ShardId,
    },
    /// A shard was removed: it was closed, and its last record has expired.
    ShardGone {
        /// Which.
        shard: ShardId,
    },
    /// A shard has, or may have, more records, or is closed.
    RecordsArrived {
        /// Which.
        shard: ShardId,
    },
    /// The stream was deleted; another of its name is another stream.
    StreamGone {
        /// The shard whose read said so; none when the list of shards did.
        shard: Option<ShardId>,
    },
    /// The deadline has passed.
    TimerFired,
    /// The server stops, or the stream is not archived any more.
    StopAsked,
}

/// Something the machine wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Open the table, and say where it ends.
    OpenTable,
    /// Make these records the next epoch of the table.
    CommitEpoch(Vec<Sealed>),
    /// Compact, write a checkpoint and remove garbage, where due.
    TendTable,
    /// Tell the stream that it may free the records before these positions.
    Release(Positions),
    /// List the shards.
    ListShards,
    /// Say when there is a shard with this number or a greater one.
    AwaitShard(ShardId),
    /// Read a shard.
    Fetch {
        /// Which.
        shard: ShardId,
        /// First position wanted.
        from: u64,
        /// How much at most.
        limit: ReadLimit,
    },
    /// Say when a shard has a record at or behind a position, or is closed.
    AwaitRecords {
        /// Which.
        shard: ShardId,
        /// That position.
        from: u64,
    },
    /// The stream is gone and what was read of it is in the table.
    Finished,
    /// The machine has stopped as it was asked to.
    Stopped,
}
