//! [`Piece`]: records that are handed to the function together, a batch or what remains of one.
//!
//! What must hold: a piece is never empty and its positions are dense, so that it is named by a range.
//! Its counters begin anew when it is cut or halved, and go on when only expired heads are taken off.
//!
//! Words: a *batch* is what was gathered; a *piece* is it, or a half, or a rest of it.

use std::sync::Arc;
use std::time::Duration;

use tidemill_model::{Record, Timestamp};

/// Records that are handed to the function together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The records; at least one.
    pub records: Vec<Arc<Record>>,
    /// How often the function has run on them.
    pub attempts: u32,
    /// How often an invocation has failed in a row, run or not.
    pub failures: u32,
    /// Id of the last invocation.
    pub request_id: Option<String>,
}

impl Piece {
    /// A piece that has not been tried; none of no records.
    pub fn of(records: Vec<Arc<Record>>) -> Option<Piece> {
        let dense = records
            .windows(2)
            .all(|pair| pair[0].position + 1 == pair[1].position);
        assert!(dense, "a piece has no gaps");
        let piece = Piece {
            records,
            attempts: 0,
            failures: 0,
            request_id: None,
        };
        (!piece.records.is_empty()).then_some(piece)
    }

    /// First position.
    pub fn from(&self) -> u64 {
        self.records[0].position
    }

    /// One past the last position.
    pub fn to(&self) -> u64 {
        self.from() + self.records.len() as u64
    }

    /// The first `count` records, and the others; the counters go with both.
    pub fn split_heads(mut self, count: usize) -> (Option<Piece>, Option<Piece>) {
        let rest = self.records.split_off(count.min(self.records.len()));
        let rest = Piece {
            records: rest,
            ..self.clone()
        };
        let some = |piece: Piece| (!piece.records.is_empty()).then_some(piece);
        (some(self), some(rest))
    }

    /// The records from `index` on, as a piece that has not been tried.
    pub fn rest_from(mut self, index: usize) -> Option<Piece> {
        Piece::of(self.records.split_off(index))
    }

    /// How many records lie before `position`.
    pub fn heads_below(&self, position: u64) -> usize {
        let count = position.saturating_sub(self.from());
        usize::try_from(count)
            .unwrap_or(usize::MAX)
            .min(self.records.len())
    }

    /// How many records at its head are older than `age_max` at `now`.
    pub fn heads_older(&self, now: Timestamp, age_max: Option<Duration>) -> usize {
        let Some(age_max) = age_max else { return 0 };
        self.records
            .iter()
            .take_while(|record| now.since(record.arrival) > age_max)
            .count()
    }
}
