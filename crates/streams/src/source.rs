//! [`Source`]: how mappings and views read a stream.
//!
//! Mappings read what has not expired, through [`Streams`] itself; each such read is a GetRecords call
//! of AWS's poller, and stands among the stream's metrics as one. They keep to the rates of the shard,
//! which they share with all who call GetRecords, and wait where those are refused.
//!
//! Views and archivers read what is still kept, through [`ArchiveSource`]: as nothing of an archived
//! stream is freed before they have it, they have all of it. They are no users of the stream, and no
//! rate counts their reads.

use std::future::pending;

use tidemill_log::{PartitionId, ReadError};
use tidemill_model::source::{Fetched, ReadLimit, SourceError, SourceShard, StartingPoint};
use tidemill_model::{BoxFuture, Record, SequenceNumber, ShardId, Source, StreamArn, Timestamp};

use crate::limits::MAPPING_PAGE_BYTES;
use crate::measured::{Amount, GetOutcome};
use crate::stored_record::StoredRecord;
use crate::stream::{FoundShard, Phase, Shard, Stream};
use crate::streams::Streams;

/// The streams as an archiver reads them: whatever retention says to others, until it is freed.
#[derive(Clone)]
pub struct ArchiveSource {
    /// The streams.
    pub streams: Streams,
}

/// Which records and shards a reader sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// Those that have not expired.
    Unexpired,
    /// Those that are still kept.
    Kept,
}

impl Reach {
    fn find(self, stream: &Stream, id: ShardId, now: Timestamp) -> Option<FoundShard> {
        match self {
            Reach::Unexpired => stream.find(id, now),
            Reach::Kept => stream.find_kept(id),
        }
    }

    fn sees(self, stream: &Stream, shard: &Shard, now: Timestamp) -> bool {
        self == Reach::Kept || !stream.is_expired(shard, now)
    }
}

impl Streams {
    /// Looks at a stream as a source.
    fn source<R>(
        &self,
        arn: &StreamArn,
        look: impl FnOnce(&Stream, Timestamp) -> R,
    ) -> Result<R, SourceError> {
        self.stream(arn, |stream, now| Ok(look(stream, now)))
            .map_err(|_| SourceError::NoStream {
                stream: arn.clone(),
            })
    }

    fn source_shard(
        &self,
        reach: Reach,
        arn: &StreamArn,
        id: ShardId,
    ) -> Result<FoundShard, SourceError> {
        let found = self.source(arn, |stream, now| reach.find(stream, id, now))?;
        found.ok_or_else(|| SourceError::NoShard {
            stream: arn.clone(),
            shard: id,
        })
    }

    /// One past the last position of a shard that was found: as it was closed, or as it is now.
    fn end_of(&self, shard: &Shard) -> u64 {
        match &shard.closed {
            Some(closing) => closing.end,
            None => self.log().partition(shard.partition_id()).end,
        }
    }

    async fn fetch(
        &self,
        found: &FoundShard,
        from: u64,
        limit: ReadLimit,
    ) -> Result<Fetched, String> {
        let partition = found.shard.partition_id();
        let text = |error: ReadError| error.to_string();
        let (records, bytes) = (limit.records.max(1), limit.bytes);
        let fresh = self
            .read_fresh(partition, from, found.horizon, records, bytes)
            .await;
        let records = fresh.map_err(text)?.entries.into_iter().map(|entry| {
            let stored = StoredRecord::decode(&entry.payload)
                .map_err(|error| format!("{} at {}: {error}", found.id, entry.position))?;
            Ok(Record {
                position: entry.position,
                sequence_number: SequenceNumber::of_record(
                    found.id,
                    found.shard.created_secs,
                    entry.position,
                    entry.at.as_secs(),
                ),
                arrival: entry.at,
                partition_key: stored.partition_key.unwrap_or_default(),
                data: stored.data,
            })
        });
        let records = records.collect::<Result<_, String>>()?;
        Ok(Fetched {
            records,
            first_readable: self
                .first_fresh(partition, found.horizon)
                .await
                .map_err(text)?,
            end: self.end_of(&found.shard),
            closed: found.shard.closed.is_some(),
        })
    }

    /// Waits until `is_over` says so of the stream, or until it is gone or another one.
    async fn wait_until(&self, arn: &StreamArn, is_over: impl Fn(&Stream, Timestamp) -> bool) {
        let mut changes = self.changes();
        let Ok(incarnation) = self.incarnation(arn) else {
            return;
        };
        loop {
            changes.mark_unchanged();
            let phase = self.source(arn, |stream, now| {
                let over = stream.incarnation != incarnation || is_over(stream, now);
                (!over).then_some(stream.phase)
            });
            let Ok(Some(phase)) = phase else { return };
            let gone = async {
                match phase {
                    Phase::Deleting(until) => self.clock().sleep_until(until).await,
                    Phase::Creating(_) | Phase::Updating(_) => pending().await,
                }
            };
            tokio::select! {
                biased;
                () = gone => {}
                changed = changes.changed() => changed.expect("self holds the sender"),
            }
        }
    }

    /// Waits until `partition` has a durable entry at or after `from`.
    async fn wait_for_entry(&self, partition: PartitionId, from: u64) {
        loop {
            let news = self.log().wait(partition, from);
            let reach = self.log().partition(partition);
            if reach.end > from {
                return;
            }
            // A seal without new records is half of a reshard, and no reason to look again: the other
            // half is a change of the catalog.
            if reach.sealed {
                pending().await
            } else {
                news.await
            }
        }
    }

    /// What has expired since the last sweep still counts as readable here: to know it exactly takes
    /// a read. Reading and locating are exact.
    fn source_shards(
        &self,
        reach: Reach,
        stream: &StreamArn,
    ) -> Result<Vec<SourceShard>, SourceError> {
        let shards: Vec<(SourceShard, Shard)> = self.source(stream, |stream, now| {
            let is_seen = |shard: &Shard| reach.sees(stream, shard, now);
            let shards = stream.shards.iter().filter(|(_, shard)| is_seen(shard));
            let shards = shards.map(|(id, shard)| {
                let parents = shard.parents.iter().copied();
                let parents =
                    parents.filter(|parent| stream.shards.get(parent).is_some_and(is_seen));
                let found = SourceShard {
                    id: *id,
                    parents: parents.collect(),
                    closed: shard.closed.is_some(),
                    first_readable: 0,
                    end: 0,
                };
                (found, shard.clone())
            });
            shards.collect()
        })?;
        let shards = shards.into_iter().map(|(found, shard)| {
            let first_readable = self.log().partition(shard.partition_id()).start;
            SourceShard {
                first_readable,
                end: self.end_of(&shard),
                ..found
            }
        });
        Ok(shards.collect())
    }

    async fn source_locate(
        &self,
        reach: Reach,
        stream: &StreamArn,
        shard: ShardId,
        start: StartingPoint,
    ) -> Result<u64, SourceError> {
        let found = self.source_shard(reach, stream, shard)?;
        let time = match start {
            StartingPoint::TrimHorizon => found.horizon,
            StartingPoint::Latest => return Ok(self.end_of(&found.shard)),
            StartingPoint::AtTimestamp(time) => time.max(found.horizon),
        };
        let position = self.first_fresh(found.shard.partition_id(), time).await;
        position.map_err(|error| storage(stream, error.to_string()))
    }

    async fn source_read(
        &self,
        reach: Reach,
        stream: &StreamArn,
        shard: ShardId,
        from: u64,
        limit: ReadLimit,
    ) -> Result<Fetched, SourceError> {
        let found = self.source_shard(reach, stream, shard)?;
        let began = self.clock().now();
        let limit = self.within_rates(reach, limit);
        let fetched = self.fetch(&found, from, limit).await;
        if reach == Reach::Unexpired {
            self.count_poll(&found, began, &fetched);
        }
        // The partition may have been deleted under the read: then it looked empty, and was not.
        let still = self.source_shard(reach, stream, shard)?;
        if still.incarnation != found.incarnation {
            return Err(SourceError::NoStream {
                stream: stream.clone(),
            });
        }
        fetched.map_err(|detail| storage(stream, detail))
    }

    /// As much of `limit` as who keeps to the rates reads at once.
    fn within_rates(&self, reach: Reach, limit: ReadLimit) -> ReadLimit {
        if reach != Reach::Unexpired || self.throttle().is_none() {
            return limit;
        }
        ReadLimit {
            bytes: limit.bytes.min(MAPPING_PAGE_BYTES as usize),
            ..limit
        }
    }

    /// Counts a read in the rates of the shard and among the metrics.
    fn count_poll(&self, found: &FoundShard, began: Timestamp, fetched: &Result<Fetched, String>) {
        let outcome = |ended: Timestamp| match fetched {
            Ok(fetched) => GetOutcome::Answered {
                given: amount(&fetched.records),
                age: ended.since(fetched.records.last().map_or(ended, |last| last.arrival)),
            },
            Err(_) => GetOutcome::Failed,
        };
        let (subject, partition) = (found.subject(), found.shard.partition);
        if let Ok(fetched) = fetched
            && let Some(mut throttle) = self.throttle()
        {
            let bytes = amount(&fetched.records).bytes;
            throttle.charge_read(partition, bytes, self.clock().now());
        }
        self.measured(|measured, ended| {
            let latency = ended.since(began);
            measured.get(subject, partition, outcome(ended), latency, ended);
        });
    }

    /// Waits until `reader` may read; a shard that is gone keeps nobody waiting.
    async fn source_wait_for_rate(&self, stream: &StreamArn, shard: ShardId, reader: &str) {
        let mut has_waited = false;
        while let Ok(found) = self.source_shard(Reach::Unexpired, stream, shard)
            && let Err(again) = self.admit_poll(&found, reader, has_waited)
        {
            self.clock().sleep_until(again).await;
            has_waited = true;
        }
    }

    /// Whether `reader` may read, or when to ask again; that is a GetRecords call which was throttled.
    fn admit_poll(
        &self,
        found: &FoundShard,
        reader: &str,
        has_waited: bool,
    ) -> Result<(), Timestamp> {
        let (subject, partition) = (found.subject(), found.shard.partition);
        let began = self.clock().now();
        let admitted = self.throttle().map_or(Ok(()), |mut throttle| {
            // Read under the lock: an older time than the last refill's counts as a clock stepping back.
            throttle.admit_mapping(partition, reader, has_waited, self.clock().now())
        });
        if admitted.is_err() {
            let outcome = GetOutcome::Throttled;
            self.measured(|measured, ended| {
                measured.get(subject, partition, outcome, ended.since(began), ended);
            });
        }
        admitted
    }

    async fn source_wait(&self, reach: Reach, stream: &StreamArn, shard: ShardId, from: u64) {
        let Ok(found) = self.source_shard(reach, stream, shard) else {
            return;
        };
        let is_over = |stream: &Stream, now: Timestamp| {
            let found = reach.find(stream, shard, now);
            found.is_none_or(|found| found.shard.closed.is_some())
        };
        tokio::select! {
            biased;
            () = self.wait_for_entry(found.shard.partition_id(), from) => {}
            () = self.wait_until(stream, is_over) => {}
        }
    }
}

impl Source for Streams {
    fn incarnation(&self, stream: &StreamArn) -> Result<u64, SourceError> {
        self.source(stream, |stream, _| stream.incarnation)
    }

    fn shards(&self, stream: &StreamArn) -> Result<Vec<SourceShard>, SourceError> {
        self.source_shards(Reach::Unexpired, stream)
    }

    fn locate<'a>(
        &'a self,
        stream: &'a StreamArn,
        shard: ShardId,
        start: StartingPoint,
    ) -> BoxFuture<'a, Result<u64, SourceError>> {
        Box::pin(self.source_locate(Reach::Unexpired, stream, shard, start))
    }

    fn read<'a>(
        &'a self,
        stream: &'a StreamArn,
        shard: ShardId,
        from: u64,
        limit: ReadLimit,
    ) -> BoxFuture<'a, Result<Fetched, SourceError>> {
        Box::pin(self.source_read(Reach::Unexpired, stream, shard, from, limit))
    }

    fn wait_for_rate<'a>(
        &'a self,
        stream: &'a StreamArn,
        shard: ShardId,
        reader: &'a str,
    ) -> BoxFuture<'a, ()> {
        Box::pin(self.source_wait_for_rate(stream, shard, reader))
    }

    fn wait<'a>(&'a self, stream: &'a StreamArn, shard: ShardId, from: u64) -> BoxFuture<'a, ()> {
        Box::pin(self.source_wait(Reach::Unexpired, stream, shard, from))
    }

    fn wait_for_shard<'a>(&'a self, stream: &'a StreamArn, from: ShardId) -> BoxFuture<'a, ()> {
        Box::pin(self.wait_until(stream, move |stream, _| stream.next_shard > from.0))
    }
}

impl Source for ArchiveSource {
    fn incarnation(&self, stream: &StreamArn) -> Result<u64, SourceError> {
        self.streams.incarnation(stream)
    }

    fn shards(&self, stream: &StreamArn) -> Result<Vec<SourceShard>, SourceError> {
        self.streams.source_shards(Reach::Kept, stream)
    }

    fn locate<'a>(
        &'a self,
        stream: &'a StreamArn,
        shard: ShardId,
        start: StartingPoint,
    ) -> BoxFuture<'a, Result<u64, SourceError>> {
        Box::pin(
            self.streams
                .source_locate(Reach::Kept, stream, shard, start),
        )
    }

    fn read<'a>(
        &'a self,
        stream: &'a StreamArn,
        shard: ShardId,
        from: u64,
        limit: ReadLimit,
    ) -> BoxFuture<'a, Result<Fetched, SourceError>> {
        Box::pin(
            self.streams
                .source_read(Reach::Kept, stream, shard, from, limit),
        )
    }

    fn wait<'a>(&'a self, stream: &'a StreamArn, shard: ShardId, from: u64) -> BoxFuture<'a, ()> {
        Box::pin(self.streams.source_wait(Reach::Kept, stream, shard, from))
    }

    fn wait_for_shard<'a>(&'a self, stream: &'a StreamArn, from: ShardId) -> BoxFuture<'a, ()> {
        self.streams.wait_for_shard(stream, from)
    }
}

fn amount(records: &[Record]) -> Amount {
    let bytes = records
        .iter()
        .map(|record| record.data.len() + record.partition_key.len());
    Amount {
        bytes: bytes.sum::<usize>() as u64,
        records: records.len() as u64,
    }
}

fn storage(stream: &StreamArn, detail: String) -> SourceError {
    SourceError::Storage {
        stream: stream.clone(),
        detail,
    }
}
