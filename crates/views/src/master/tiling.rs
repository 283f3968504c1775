//! Whether spans tile: [`check`].
//!
//! What must hold of a table: the spans of its files cover, for each shard, every position from 0 to
//! the shard's end exactly once. The end stands in the log a second time, as the version of the shard's
//! `txn`. A file that is lost or doubled, a table that was set back to an older version, and a commit by
//! somebody else all break that, and none of them is then taken for an answer.

use thiserror::Error;

use tidemill_model::ShardId;

use crate::positions::{Positions, Span};

/// Why spans do not tile.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Untiled {
    /// Positions are in no file.
    #[error("positions {from} to {to} of {shard} are in no file")]
    Gap {
        /// The shard.
        shard: ShardId,
        /// The first of them.
        from: u64,
        /// One past the last.
        to: u64,
    },
    /// A position is in two files.
    #[error("position {position} of {shard} is in two files")]
    Overlap {
        /// The shard.
        shard: ShardId,
        /// The first such position.
        position: u64,
    },
    /// The files end elsewhere than the log says.
    #[error("{shard} ends at {files} in the files and at {log} in the log")]
    End {
        /// The shard.
        shard: ShardId,
        /// Where the files end.
        files: u64,
        /// Where the log says they do.
        log: u64,
    },
}

/// The ends of the shards, when `spans` tile up to `ends`.
pub fn check(spans: impl IntoIterator<Item = Span>, ends: &Positions) -> Result<(), Untiled> {
    let mut spans: Vec<Span> = spans.into_iter().collect();
    spans.sort();
    let mut reached = Positions::new();
    for span in spans {
        let end = reached.entry(span.shard).or_insert(0);
        let shard = span.shard;
        if span.from > *end {
            let (from, to) = (*end, span.from);
            return Err(Untiled::Gap { shard, from, to });
        }
        if span.from < *end {
            let position = span.from;
            return Err(Untiled::Overlap { shard, position });
        }
        *end = span.to;
    }
    for shard in reached.keys().chain(ends.keys()) {
        let end_in = |positions: &Positions| positions.get(shard).copied().unwrap_or(0);
        let (files, log) = (end_in(&reached), end_in(ends));
        if files != log {
            let shard = *shard;
            return Err(Untiled::End { shard, files, log });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(spans: &[(u32, u64, u64)]) -> Vec<Span> {
        let span = |(shard, from, to): &(u32, u64, u64)| Span {
            shard: ShardId(*shard),
            from: *from,
            to: *to,
        };
        spans.iter().map(span).collect()
    }

    #[test]
    fn spans_that_meet_tile_in_any_order() {
        let ends = Positions::from([(ShardId(0), 9), (ShardId(2), 4), (ShardId(5), 0)]);
        let tiled = spans(&[(0, 5, 9), (2, 0, 4), (0, 0, 5)]);
        assert_eq!(check(tiled, &ends), Ok(()));
        assert_eq!(check([], &Positions::new()), Ok(()));
    }

    #[test]
    fn what_is_lost_doubled_or_set_back_is_found() {
        let shard = ShardId(0);
        let ends = Positions::from([(shard, 9)]);
        let overlap = |position| Err(Untiled::Overlap { shard, position });
        let gap = |from, to| Err(Untiled::Gap { shard, from, to });
        let end = |files| {
            Err(Untiled::End {
                shard,
                files,
                log: 9,
            })
        };
        let cases = [
            (spans(&[(0, 1, 9)]), gap(0, 1)),
            (spans(&[(0, 0, 4), (0, 5, 9)]), gap(4, 5)),
            (spans(&[(0, 0, 5), (0, 4, 9)]), overlap(4)),
            (spans(&[(0, 0, 9), (0, 0, 9)]), overlap(0)),
            (spans(&[(0, 0, 8)]), end(8)),
            (spans(&[(0, 0, 10)]), end(10)),
            (spans(&[]), end(0)),
        ];
        for (spans, expected) in cases {
            assert_eq!(check(spans.clone(), &ends), expected, "{spans:?}");
        }
        let foreign = check(spans(&[(0, 0, 9), (1, 0, 1)]), &ends);
        assert!(matches!(foreign, Err(Untiled::End { log: 0, .. })));
    }
}
