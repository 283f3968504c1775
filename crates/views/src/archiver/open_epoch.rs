//! The epoch that is being filled: [`OpenEpoch`].

use tidemill_model::{Record, Timestamp};

use crate::master::Sealed;
use crate::positions::Span;

/// What a record counts for beside its payload and key: its other columns.
const RECORD_BYTES: usize = 96;

/// Records that were read and are in no epoch yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenEpoch {
    parts: Vec<Sealed>,
    bytes: usize,
    since: Option<Timestamp>,
}

impl OpenEpoch {
    /// Takes in positions and their records, or none when the records are gone.
    pub fn put(&mut self, now: Timestamp, span: Span, records: Vec<Record>) {
        if span.count() == 0 {
            return;
        }
        let size = |record: &Record| RECORD_BYTES + record.partition_key.len() + record.data.len();
        self.bytes += records.iter().map(size).sum::<usize>();
        self.since.get_or_insert(now);
        self.parts.push(Sealed { span, records });
    }

    /// How many bytes it has.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// When its first part was put; none when it is empty.
    pub fn since(&self) -> Option<Timestamp> {
        self.since
    }

    /// Gives what it has, and is empty then.
    pub fn seal(&mut self) -> Vec<Sealed> {
        std::mem::take(self).parts
    }
}
