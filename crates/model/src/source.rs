//! The port through which mappings and views read a stream: [`Source`].
//!
//! What must hold, for every implementation: positions are dense within a shard; only durable records
//! are given out; a read never skips a readable record silently. When retention has taken records,
//! [`Fetched::first_readable`] says from where on records exist, so that the reader can account for
//! the ones that are gone.

use std::future::ready;

use thiserror::Error;

use crate::BoxFuture;
use crate::failure::Determinacy;
use crate::ident::{ShardId, StreamArn};
use crate::record::Record;
use crate::time::Timestamp;

/// Where a reader that has no position of its own begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartingPoint {
    /// At the oldest record that is still readable.
    TrimHorizon,
    /// Behind the newest record at the moment of the call.
    Latest,
    /// At the first record that arrived at or after the time.
    AtTimestamp(Timestamp),
}

/// A shard as a reader sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceShard {
    /// The shard's id.
    pub id: ShardId,
    /// The shards it was split or merged from, that still exist.
    pub parents: Vec<ShardId>,
    /// Whether no record can be added to it.
    pub closed: bool,
    /// First position that is still readable.
    pub first_readable: u64,
    /// One past the last durable position.
    pub end: u64,
}

/// How much one read may give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadLimit {
    /// Most records, at least 1.
    pub records: usize,
    /// Most payload bytes; one record is given even when it alone is larger.
    pub bytes: usize,
}

/// What one read gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The records from the asked position on, or from `first_readable` on when that is later.
    pub records: Vec<Record>,
    /// First position that is still readable: everything asked for below it has expired.
    pub first_readable: u64,
    /// One past the last durable position.
    pub end: u64,
    /// Whether the shard is closed: at `end` there will never be more.
    pub closed: bool,
}

/// Why a source could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SourceError {
    /// The stream does not exist (any more).
    #[error("stream {stream} does not exist")]
    NoStream {
        /// The stream asked for.
        stream: StreamArn,
    },
    /// The shard does not exist (any more).
    #[error("shard {shard} of stream {stream} does not exist")]
    NoShard {
        /// The stream asked for.
        stream: StreamArn,
        /// The shard asked for.
        shard: ShardId,
    },
    /// The storage below failed.
    #[error("reading stream {stream} failed: {detail}")]
    Storage {
        /// The stream asked for.
        stream: StreamArn,
        /// What the storage said.
        detail: String,
    },
}

impl SourceError {
    /// A read changes nothing, so a failed one surely did not happen.
    pub fn determinacy(&self) -> Determinacy {
        Determinacy::Determinate
    }
}

/// Streams, as mappings and views read them.
pub trait Source: Send + Sync {
    /// Something that changes when the stream is deleted and created anew under the same name.
    fn incarnation(&self, stream: &StreamArn) -> Result<u64, SourceError>;

    /// The shards that exist now, open and closed, in the order of their ids.
    fn shards(&self, stream: &StreamArn) -> Result<Vec<SourceShard>, SourceError>;

    /// The position in `shard` where a reader begins at `start`.
    fn locate<'a>(
        &'a self,
        stream: &'a StreamArn,
        shard: ShardId,
        start: StartingPoint,
    ) -> BoxFuture<'a, Result<u64, SourceError>>;

    /// Records of `shard` from position `from` on. An empty answer means that none is durable yet.
    fn read<'a>(
        &'a self,
        stream: &'a StreamArn,
        shard: ShardId,
        from: u64,
        limit: ReadLimit,
    ) -> BoxFuture<'a, Result<Fetched, SourceError>>;

    /// Completes when the rates of `shard` let `reader` read it; when it has gone, no later than they
    /// would have. A reader that has to keep to them waits before each read; what it reads counts in
    /// them. A source without rates keeps nobody waiting.
    fn wait_for_rate<'a>(
        &'a self,
        _stream: &'a StreamArn,
        _shard: ShardId,
        _reader: &'a str,
    ) -> BoxFuture<'a, ()> {
        Box::pin(ready(()))
    }

    /// Completes when `shard` has a durable record at or after `from`, is closed, or is gone.
    fn wait<'a>(&'a self, stream: &'a StreamArn, shard: ShardId, from: u64) -> BoxFuture<'a, ()>;

    /// Completes when `stream` has a shard whose number is at least `from`, or is gone.
    fn wait_for_shard<'a>(&'a self, stream: &'a StreamArn, from: ShardId) -> BoxFuture<'a, ()>;
}
