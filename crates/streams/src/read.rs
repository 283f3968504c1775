//! Reading a partition of records without giving out what has expired.
//!
//! What must hold: no record is given out that arrived before the horizon, exactly to the record;
//! none after it is skipped. Arrival times never go back within a partition, so what has expired is
//! always at its beginning.

use tidemill_log::{Entry, PartitionId, Position, ReadError};
use tidemill_model::Timestamp;

use crate::streams::Streams;

/// What was read.
pub(crate) struct Fresh {
    /// The entries, dense.
    pub entries: Vec<Entry>,
    /// Where reading goes on: behind the entries, and behind what has expired.
    pub next: Position,
}

impl Streams {
    /// Entries of `partition` from `from` on, or from the first that arrived at `horizon` or later:
    /// at most `entries_max` and `bytes_max`, one at least if there is one.
    pub(crate) async fn read_fresh(
        &self,
        partition: PartitionId,
        from: Position,
        horizon: Timestamp,
        entries_max: usize,
        bytes_max: usize,
    ) -> Result<Fresh, ReadError> {
        let mut from = from.max(self.log().partition(partition).start);
        // Each turn moves `from` forward: two are enough unless a sweep trims at the same time.
        loop {
            match self
                .log()
                .read(partition, from, entries_max, bytes_max)
                .await
            {
                Ok(read) => match read.entries.first() {
                    Some(first) if first.at < horizon => {
                        let fresh = self.log().position_at(partition, horizon).await?;
                        from = fresh.max(from + 1);
                    }
                    Some(_) | None => {
                        let entries = read.entries;
                        let next = entries.last().map_or(from, |last| last.position + 1);
                        return Ok(Fresh { entries, next });
                    }
                },
                Err(ReadError::Trimmed { start, .. }) if start > from => from = start,
                Err(error) => return Err(error),
            }
        }
    }

    /// First position of `partition` that has not expired.
    pub(crate) async fn first_fresh(
        &self,
        partition: PartitionId,
        horizon: Timestamp,
    ) -> Result<Position, ReadError> {
        let fresh = self.log().position_at(partition, horizon).await?;
        Ok(fresh.max(self.log().partition(partition).start))
    }
}
