//! Parts out of the master dataset: [`History`].
//!
//! What must hold: a part has every record of its spans once, whichever files they stand in, also where it
//! begins or ends in the middle of a file.

use std::ops::Bound;
use std::sync::Arc;

use arrow_array::RecordBatch;
use thiserror::Error;

use tidemill_model::{Clock, Record, ShardId};

use crate::batch_view::Range;
use crate::groups::GroupsError;
use crate::master::{DataFile, Subject, Table, TableError, rows};
use crate::part::Part;
use crate::positions::{Positions, Span};
use crate::record_map::{MapError, RecordMap};
use crate::schema::Schema;
use crate::store::Store;

/// The range that every key is in.
pub const EVERY_KEY: Range<'static> = (Bound::Unbounded, Bound::Unbounded);
/// Rows that are mapped at once: bounds the memory that takes.
const ROWS: usize = 32 * 1024;

/// The records of a stream that are in its master dataset, as one view sees them.
pub struct History {
    /// Where tables are kept.
    pub store: Arc<dyn Store>,
    /// The folder of the table.
    pub folder: String,
    /// Whose records they are.
    pub subject: Subject,
    /// The columns that the view was made over.
    pub schema: Schema,
    /// What is done with each record.
    pub map: Arc<dyn RecordMap>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// Why there is no part.
#[derive(Debug, Error)]
pub enum HistoryError {
    /// The table could not be read.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The records could not be mapped.
    #[error(transparent)]
    Map(#[from] MapError),
    /// The records could not be made into rows.
    #[error("rows cannot be made: {0}")]
    Rows(#[from] arrow_schema::ArrowError),
    /// The groups cannot take them.
    #[error(transparent)]
    Groups(#[from] GroupsError),
}

impl History {
    /// The table as it is now.
    pub fn table(&self) -> Result<Table, HistoryError> {
        let store = Arc::clone(&self.store);
        let now = self.clock.now();
        let table = Table::open(store, &self.folder, &self.subject, &self.schema, now)?;
        Ok(table)
    }

    /// What `table` has from `from` on and before `to`, or before its end: whole files, of which the last
    /// is the one that `records` are reached with. Nothing when there is nothing.
    pub fn part(
        &self,
        table: &Table,
        from: &Positions,
        to: Option<&Positions>,
        records: u64,
    ) -> Result<Part, HistoryError> {
        self.part_within(table, (from, to), records, EVERY_KEY)
    }

    /// The same with the groups of a range of keys only; what became of the records is of all of them.
    pub fn part_within(
        &self,
        table: &Table,
        (from, to): (&Positions, Option<&Positions>),
        records: u64,
        keys: Range<'_>,
    ) -> Result<Part, HistoryError> {
        let mut part = Part::default();
        for file in &table.snapshot().files {
            let cut = |span: &Span| cut(span, from, to);
            let spans: Vec<Span> = file.spans().filter_map(|span| cut(&span)).collect();
            if spans.is_empty() {
                continue;
            }
            let gone: Vec<Span> = file.gone.iter().filter_map(cut).collect();
            self.add_file(&mut part, table, file, (&spans, &gone), cut)?;
            if keys != EVERY_KEY {
                part.groups = part.groups.only(keys)?;
            }
            if part.counts.sum() >= records {
                break;
            }
        }
        Ok(part)
    }

    fn add_file(
        &self,
        part: &mut Part,
        table: &Table,
        file: &DataFile,
        (spans, gone): (&[Span], &[Span]),
        cut: impl Fn(&Span) -> Option<Span>,
    ) -> Result<(), HistoryError> {
        let spans = crate::positions::joined(spans.to_vec());
        let rows = match file.held.iter().any(|span| cut(span).is_some()) {
            true => Some(table.rows(file)?),
            false => None,
        };
        let mut first = true;
        let mut offset = 0;
        for held in &file.held {
            let start = offset;
            offset += held.count() as usize;
            let (Some(wanted), Some(rows)) = (cut(held), &rows) else {
                continue;
            };
            let mut at = start + (wanted.from - held.from) as usize;
            let end = at + wanted.count() as usize;
            while at < end {
                let count = ROWS.min(end - at);
                let mapped = self.map.map(&self.mapped_rows(&rows.slice(at, count))?)?;
                match std::mem::take(&mut first) {
                    true => part.add(&*self.map, &spans, gone, &mapped)?,
                    false => part.add(&*self.map, &[], &[], &mapped)?,
                }
                at += count;
            }
        }
        if first {
            part.account(&spans, gone);
        }
        Ok(())
    }

    /// The rows with the view's columns, which are read out of the payloads again. Those of the file say
    /// something else where the table has other columns than the view: older files, and what they were
    /// compacted into, have nulls in later ones, and a payload that is bad in a later column has nulls in all.
    fn mapped_rows(&self, rows: &RecordBatch) -> Result<RecordBatch, HistoryError> {
        let records = rows::records(rows);
        let records: Vec<(ShardId, &Record)> = records
            .iter()
            .map(|(shard, record)| (*shard, record))
            .collect();
        Ok(rows::batch(&self.schema, &records)?)
    }
}

/// What `span` has from `from` on and before `to`, if anything.
fn cut(span: &Span, from: &Positions, to: Option<&Positions>) -> Option<Span> {
    let at = |positions: &Positions| positions.get(&span.shard).copied().unwrap_or(0);
    let cut = Span {
        shard: span.shard,
        from: span.from.max(at(from)),
        to: to.map_or(span.to, |to| span.to.min(at(to))),
    };
    (cut.from < cut.to).then_some(cut)
}
