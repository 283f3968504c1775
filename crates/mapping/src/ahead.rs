//! [`Ahead`]: the records that have been read and belong to no batch yet.
//!
//! What must hold: the records are dense and in order; what it gives to a batch or drops as expired
//! adjoins what it gave before, so that no position is left out. It is bounded: [`Ahead::room`] says
//! how much more may be read.

use std::collections::VecDeque;
use std::sync::Arc;

use tidemill_model::Record;
use tidemill_model::source::{Fetched, ReadLimit};

use crate::event::Envelope;
use crate::limits::{AHEAD_BYTES_MAX, AHEAD_RECORDS_MAX, EVENT_BYTES_MAX};
use crate::piece::Piece;

/// The records that have been read and belong to no batch yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ahead {
    /// First position that was neither given to a batch nor dropped.
    next: u64,
    /// One past the last position that was read.
    read_to: u64,
    records: VecDeque<Arc<Record>>,
    payload_bytes: usize,
    /// How many records from the head on are known to fit into one event, and what they take there.
    fitting: usize,
    fitting_bytes: usize,
    /// Whether the record behind the fitting ones is known not to fit.
    overfull: bool,
}

impl Ahead {
    /// Nothing read; the first record will be the one at `next`.
    pub fn beginning_at(next: u64) -> Ahead {
        Ahead {
            next,
            read_to: next,
            records: VecDeque::new(),
            payload_bytes: 0,
            fitting: 0,
            fitting_bytes: 0,
            overfull: false,
        }
    }

    /// The position to read from.
    pub fn read_to(&self) -> u64 {
        self.read_to
    }

    /// First position that was neither given to a batch nor dropped.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Whether no record waits.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Takes in what was read at [`Ahead::read_to`], or at an earlier one since.
    ///
    /// # Panics
    /// When the records do not adjoin what was read before.
    pub fn take_in(&mut self, fetched: Fetched) {
        if fetched.first_readable > self.read_to {
            self.clear_records();
            self.read_to = fetched.first_readable;
        }
        for record in fetched.records {
            if record.position < self.read_to {
                continue;
            }
            assert_eq!(
                record.position, self.read_to,
                "a source skips no readable record"
            );
            self.read_to += 1;
            self.payload_bytes += record.data.len();
            self.records.push_back(Arc::new(record));
        }
    }

    /// Drops what lies before `readable`; gives the range of it.
    pub fn drop_expired(&mut self, readable: u64) -> Option<(u64, u64)> {
        if readable > self.read_to {
            self.clear_records();
            self.read_to = readable;
        }
        let head = |records: &VecDeque<Arc<Record>>| records.front().map(|head| head.position);
        while head(&self.records).is_some_and(|position| position < readable) {
            self.remove_head();
            self.forget_fitting();
        }
        let reached = head(&self.records).unwrap_or(self.read_to);
        let range = (self.next < reached).then_some((self.next, reached));
        self.next = reached;
        range
    }

    /// Whether the records fill a batch of `batch_size`, or an event.
    pub fn is_full(&mut self, batch_size: usize, envelope: &Envelope) -> bool {
        while !self.overfull && self.fitting < batch_size.min(self.records.len()) {
            let bytes = envelope.record_bytes(&self.records[self.fitting]);
            let document = Envelope::document_bytes(self.fitting + 1, self.fitting_bytes + bytes);
            // A record that is alone too large is a batch of its own, for the machine to refuse.
            if document > EVENT_BYTES_MAX && self.fitting > 0 {
                self.overfull = true;
            } else {
                self.fitting += 1;
                self.fitting_bytes += bytes;
                self.overfull = document > EVENT_BYTES_MAX;
            }
        }
        self.overfull || self.fitting >= batch_size
    }

    /// The next batch: as many records as are there, fit, and were asked for.
    pub fn take_batch(&mut self, batch_size: usize, envelope: &Envelope) -> Option<Piece> {
        self.is_full(batch_size, envelope);
        let count = self.fitting.min(batch_size);
        let records = (0..count).filter_map(|_| self.remove_head()).collect();
        self.forget_fitting();
        self.next += count as u64;
        Piece::of(records)
    }

    /// How much more may be read; none when it is at its bound.
    pub fn room(&self) -> Option<ReadLimit> {
        let records = AHEAD_RECORDS_MAX.saturating_sub(self.records.len());
        let bytes = AHEAD_BYTES_MAX.saturating_sub(self.payload_bytes);
        (records > 0 && bytes > 0).then_some(ReadLimit { records, bytes })
    }

    /// Whether so much waits that the next read can wait too.
    pub fn is_ample(&self) -> bool {
        self.records.len() > AHEAD_RECORDS_MAX / 2 || self.payload_bytes > AHEAD_BYTES_MAX / 2
    }

    fn remove_head(&mut self) -> Option<Arc<Record>> {
        let record = self.records.pop_front()?;
        self.payload_bytes -= record.data.len();
        Some(record)
    }

    fn clear_records(&mut self) {
        self.records.clear();
        self.payload_bytes = 0;
        self.forget_fitting();
    }

    fn forget_fitting(&mut self) {
        self.fitting = 0;
        self.fitting_bytes = 0;
        self.overfull = false;
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tidemill_model::{SequenceNumber, ShardId, Timestamp};

    use super::*;

    fn record(position: u64, data_bytes: usize) -> Record {
        Record {
            position,
            sequence_number: SequenceNumber::of_record(ShardId(0), 1, position, 1),
            arrival: Timestamp::from_secs(1),
            partition_key: "k".to_owned(),
            data: Bytes::from(vec![0; data_bytes]),
        }
    }

    fn fetched(first_readable: u64, records: Vec<Record>) -> Fetched {
        let end = records
            .last()
            .map_or(first_readable, |record| record.position + 1);
        Fetched {
            records,
            first_readable,
            end,
            closed: false,
        }
    }

    fn envelope() -> Envelope {
        let stream = "arn:aws:kinesis:us-east-1:000000000000:stream/s"
            .parse()
            .expect("an ARN");
        Envelope::new(&stream, ShardId(0), "role")
    }

    fn positions(piece: Option<Piece>) -> Option<(u64, u64)> {
        piece.map(|piece| (piece.from(), piece.to()))
    }

    #[test]
    fn a_batch_is_cut_where_the_event_would_grow_too_large() {
        let mut ahead = Ahead::beginning_at(0);
        // Three of them, in base64, take 6.3 million bytes and more: two fit.
        let records = (0..3).map(|position| record(position, 1_572_864)).collect();
        ahead.take_in(fetched(0, records));
        assert!(ahead.is_full(100, &envelope()));
        let piece = ahead.take_batch(100, &envelope()).expect("records");
        assert!(envelope().write(&piece.records).len() <= EVENT_BYTES_MAX);
        assert_eq!((piece.from(), piece.to()), (0, 2));
        assert!(!ahead.is_full(100, &envelope()));
    }

    #[test]
    fn a_record_that_fits_no_event_is_a_batch_of_its_own() {
        let mut ahead = Ahead::beginning_at(0);
        ahead.take_in(fetched(
            0,
            vec![record(0, 1), record(1, 5_000_000), record(2, 1)],
        ));
        for expected in [(0, 1), (1, 2), (2, 3)] {
            assert_eq!(
                positions(ahead.take_batch(100, &envelope())),
                Some(expected)
            );
        }
    }

    #[test]
    fn what_retention_took_is_given_back_as_one_range() {
        let mut ahead = Ahead::beginning_at(3);
        ahead.take_in(fetched(0, vec![record(3, 1), record(4, 1)]));
        ahead.take_in(fetched(7, vec![record(7, 1)]));
        assert_eq!(ahead.drop_expired(7), Some((3, 7)));
        assert_eq!(ahead.drop_expired(7), None);
        assert_eq!(positions(ahead.take_batch(1, &envelope())), Some((7, 8)));
        assert_eq!(ahead.drop_expired(20), Some((8, 20)));
        assert_eq!(ahead.read_to(), 20);
    }

    #[test]
    fn reading_stops_at_the_bound() {
        let mut ahead = Ahead::beginning_at(0);
        assert_eq!(
            ahead.room().map(|limit| limit.records),
            Some(AHEAD_RECORDS_MAX)
        );
        let count = AHEAD_RECORDS_MAX as u64;
        ahead.take_in(fetched(
            0,
            (0..count).map(|position| record(position, 0)).collect(),
        ));
        assert_eq!(ahead.room(), None);
    }
}
