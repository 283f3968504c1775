//! Streams and shards: routing, limits, iterators, resharding, retention.
