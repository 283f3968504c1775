//! Streams and shards: routing, limits, iterators, resharding, retention.
//!
//! A *stream* is a named set of shards that together take every hash key. A *shard* is one partition
//! of the log: its records stand there in the order they were acknowledged in, and a record's sequence
//! number is the spelling of its position. A *consumer* is a name registered with a stream, under which
//! its shards can be subscribed to. What streams exist is a replicated catalog, changed by
//! commands and replayed at the start; nothing else is kept.
//!
//! What must hold: an acknowledged record is in the log; records of a shard have dense positions; no
//! record is added to a shard after its closing; none is given out after its retention. One file in
//! [`ops`] for each operation of AWS; [`Streams`] is the handle they work on.

mod limits;
mod md5_lanes;
mod routing;
mod stored_record;
mod throttle;
mod reshard;
mod uniform;
mod refused;
mod failure;
mod tags;
mod policy;
mod token;
mod distribution;
mod last_day;
mod capacity;
mod monitoring;
mod metrics;
mod series;
mod measured;
mod on_demand;
mod consumer;
mod commitment;
mod subscription;
mod subscribers;
mod archive;
mod stream;
mod places;
mod iterator;
mod shard_filter;
mod resource;
mod command;
mod catalog;
mod streams;
mod archiving;
mod show_metrics;
mod finish;
mod control;
mod write;
mod read;
mod start;
mod describe;
mod named_consumer;
mod named_resource;
mod source;
mod fan_out;
pub mod ops;
mod scaling;

pub use archive::Held;
pub use archiving::Archived;
pub use catalog::Catalog;
pub use failure::Failure;
pub use limits::Limits;
pub use on_demand::Eagerness;
pub use scaling::Scaler;
pub use source::ArchiveSource;
pub use streams::{Settings, Streams, StreamsParts};
