//! Expressions over records, ready to be computed: [`Program`], which is a [`RecordMap`].
//!
//! Records are computed many at once. When that fails, the records are halved until those that fail stand
//! alone, and these are poisoned. So what becomes of a record is always what becomes of it alone: an
//! engine that computes several at once may look at more of an expression than it would for one, never
//! at less.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow_schema::SchemaRef;
use arrow_select::concat::concat;
use arrow_select::filter::{filter_record_batch, prep_null_mask_filter};
use datafusion::arrow::compute::and;
use datafusion::common::{DataFusionError, Result};
use datafusion::physical_plan::PhysicalExpr;

use tidemill_model::ShardId;

use crate::definition::Hop;
use crate::record_map::{MapError, Mapped, MappedCall, RecordMap};
use crate::state::Aggregate;
use crate::value::{Place, Type};

use super::computed::Computed;
use super::engine::said;
use super::joined::Lookup;
use super::overlapping::in_each_window;

/// What one aggregate looks at.
#[derive(Clone, Debug)]
pub struct ComputedCall {
    /// The argument.
    pub argument: Option<Computed>,
    /// What it is ordered by.
    pub order: Option<Computed>,
    /// Which records count.
    pub filter: Option<Arc<dyn PhysicalExpr>>,
}

/// What is done with each record.
#[derive(Clone, Debug)]
pub struct Program {
    /// The columns of the master dataset.
    pub columns: SchemaRef,
    /// Which of them the expressions see.
    pub used: Vec<usize>,
    /// What is looked up for each record; what they see behind the columns.
    pub lookups: Vec<Lookup>,
    /// All that they see.
    pub seen: SchemaRef,
    /// Which records count.
    pub filter: Option<Arc<dyn PhysicalExpr>>,
    /// What is grouped by.
    pub keys: Vec<Computed>,
    /// Which of them are windows that overlap.
    pub hop: Option<Hop>,
    /// Their types.
    pub key_types: Vec<Type>,
    /// What aggregates look at.
    pub calls: Vec<ComputedCall>,
    /// What they are.
    pub aggregates: Vec<Aggregate>,
    /// The columns of the view's answers.
    pub answer: SchemaRef,
}

impl Program {
    /// The columns of the view's answers.
    pub fn answer(&self) -> &SchemaRef {
        &self.answer
    }
}

impl RecordMap for Program {
    fn keys(&self) -> &[Type] {
        &self.key_types
    }

    fn aggregates(&self) -> &[Aggregate] {
        &self.aggregates
    }

    fn map(&self, rows: &RecordBatch) -> Result<Mapped, MapError> {
        self.check(rows)?;
        let failed = |what: String| MapError::Engine { what };
        let seen = rows
            .project(&self.used)
            .map_err(|error| failed(error.to_string()))?;
        let places = places(rows);
        let mut pieces = Pieces::default();
        self.piece(&seen, &places, 0..places.len(), &mut pieces)
            .map_err(|error| failed(said(&error)))?;
        if pieces.kept.is_empty() {
            // Of no records, for columns of the right types.
            let none = self.compute(&seen.slice(0, 0), &[]);
            pieces
                .kept
                .push(none.map_err(|error| failed(said(&error)))?);
        }
        pieces.joined().map_err(|error| failed(error.to_string()))
    }
}

#[derive(Default)]
struct Pieces {
    kept: Vec<Mapped>,
    poisoned: u64,
}

impl Program {
    fn check(&self, rows: &RecordBatch) -> Result<(), MapError> {
        let (found, expected) = (rows.schema(), &self.columns);
        if Arc::ptr_eq(&found, expected) {
            return Ok(());
        }
        // A table may have been given more columns since; what is used has to be as it was.
        for index in [0, 1].iter().chain(&self.used) {
            let expected = expected.field(*index);
            let is_same = found.fields().get(*index).is_some_and(|found| {
                found.name() == expected.name() && found.data_type() == expected.data_type()
            });
            if !is_same {
                let what = format!("{} {}", expected.name(), expected.data_type());
                return Err(MapError::Columns { what });
            }
        }
        Ok(())
    }

    /// Maps the rows of `range`, by halves when that fails.
    fn piece(
        &self,
        seen: &RecordBatch,
        places: &[Place],
        range: Range<usize>,
        pieces: &mut Pieces,
    ) -> Result<()> {
        if range.is_empty() {
            return Ok(());
        }
        let rows = seen.slice(range.start, range.len());
        match self.compute(&rows, &places[range.clone()]) {
            Ok(mapped) => pieces.kept.push(mapped),
            Err(error) if !is_of_records(&error) => return Err(error),
            Err(_) if range.len() == 1 => pieces.poisoned += 1,
            Err(_) => {
                let middle = range.start + range.len() / 2;
                self.piece(seen, places, range.start..middle, pieces)?;
                self.piece(seen, places, middle..range.end, pieces)?;
            }
        }
        Ok(())
    }

    /// `rows` with what is looked up for them; those that are not found are left out where that is how they
    /// are joined.
    fn joined(&self, rows: &RecordBatch, places: &[Place]) -> Result<(RecordBatch, Vec<Place>)> {
        let mut columns = rows.columns().to_vec();
        let mut passes: Option<BooleanArray> = None;
        for lookup in &self.lookups {
            let (found, has_row) = lookup.over(rows)?;
            columns.extend(found);
            passes = match (passes, has_row) {
                (Some(one), Some(other)) => Some(and(&one, &other)?),
                (one, other) => one.or(other),
            };
        }
        let size = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        let rows = RecordBatch::try_new_with_options(Arc::clone(&self.seen), columns, &size)?;
        match passes {
            None => Ok((rows, places.to_vec())),
            Some(passes) => only(&rows, places, &passes),
        }
    }

    /// What `rows` come to; an error when an expression fails for any of them.
    pub fn compute(&self, rows: &RecordBatch, places: &[Place]) -> Result<Mapped> {
        let count = places.len();
        let (rows, places) = self.joined(rows, places)?;
        let (rows, places) = match &self.filter {
            None => (rows, places),
            Some(filter) => only(&rows, &places, &truths(filter, &rows)?)?,
        };
        let keys = self.keys.iter().map(|key| key.over(&rows));
        let keys = keys.collect::<Result<_>>()?;
        let calls = self.calls.iter().map(|call| {
            let over = |computed: &Option<Computed>| {
                let computed = computed.as_ref();
                computed.map(|computed| computed.over(&rows)).transpose()
            };
            let counts = call.filter.as_ref().map(|filter| truths(filter, &rows));
            Ok(MappedCall {
                argument: over(&call.argument)?,
                order: over(&call.order)?,
                counts: counts.transpose()?,
            })
        });
        let calls = calls.collect::<Result<_>>()?;
        let records = places.len() as u64;
        let mapped = Mapped {
            records,
            places,
            keys,
            calls,
            filtered: count as u64 - records,
            poisoned: 0,
            excluded: 0,
        };
        match &self.hop {
            None => Ok(mapped),
            Some(hop) => Ok(in_each_window(mapped, hop)?),
        }
    }
}

impl Pieces {
    fn joined(mut self) -> Result<Mapped, arrow_schema::ArrowError> {
        if let [_] = self.kept.as_slice() {
            let one = self.kept.remove(0);
            let poisoned = self.poisoned;
            return Ok(Mapped { poisoned, ..one });
        }
        let first = &self.kept[0];
        let keys = (0..first.keys.len()).map(|index| {
            let parts = self.kept.iter().map(|piece| &piece.keys[index]);
            all(parts.collect())
        });
        let keys = keys.collect::<Result<_, _>>()?;
        let calls = (0..first.calls.len()).map(|index| {
            let parts = || self.kept.iter().map(|piece| &piece.calls[index]);
            let of = |part: fn(&MappedCall) -> Option<&ArrayRef>| {
                let parts: Option<Vec<&ArrayRef>> = parts().map(part).collect();
                parts.map(all).transpose()
            };
            let counts: Option<Vec<&BooleanArray>> =
                parts().map(|part| part.counts.as_ref()).collect();
            let counts = counts.map(|counts| {
                let flags = counts.into_iter().flat_map(|part| part.values().iter());
                BooleanArray::from(flags.collect::<Vec<bool>>())
            });
            Ok(MappedCall {
                argument: of(|part| part.argument.as_ref())?,
                order: of(|part| part.order.as_ref())?,
                counts,
            })
        });
        let calls = calls.collect::<Result<_, arrow_schema::ArrowError>>()?;
        Ok(Mapped {
            keys,
            calls,
            records: self.kept.iter().map(|piece| piece.records).sum(),
            places: self
                .kept
                .iter()
                .flat_map(|piece| &piece.places)
                .copied()
                .collect(),
            filtered: self.kept.iter().map(|piece| piece.filtered).sum(),
            poisoned: self.poisoned,
            excluded: 0,
        })
    }
}

fn all(parts: Vec<&ArrayRef>) -> Result<ArrayRef, arrow_schema::ArrowError> {
    let parts: Vec<&dyn Array> = parts.into_iter().map(AsRef::as_ref).collect();
    concat(&parts)
}

/// The rows that pass, and their places.
fn only(
    rows: &RecordBatch,
    places: &[Place],
    passes: &BooleanArray,
) -> Result<(RecordBatch, Vec<Place>)> {
    let kept = places.iter().zip(passes.values());
    let kept = kept.filter(|(_, passes)| *passes).map(|(place, _)| *place);
    Ok((filter_record_batch(rows, passes)?, kept.collect()))
}

/// Where `condition` is true: null counts as false.
fn truths(condition: &Arc<dyn PhysicalExpr>, rows: &RecordBatch) -> Result<BooleanArray> {
    let truths = condition.evaluate(rows)?.into_array(rows.num_rows())?;
    let truths = truths.as_boolean();
    Ok(if truths.null_count() == 0 {
        BooleanArray::new(truths.values().clone(), None)
    } else {
        prep_null_mask_filter(truths)
    })
}

/// Whether an expression failed because of what it was given, and not for want of memory.
fn is_of_records(error: &DataFusionError) -> bool {
    !matches!(
        error.find_root(),
        DataFusionError::ResourcesExhausted(_) | DataFusionError::IoError(_)
    )
}

fn places(rows: &RecordBatch) -> Vec<Place> {
    let shards = rows.column(0).as_primitive::<Int32Type>().values();
    let positions = rows.column(1).as_primitive::<Int64Type>().values();
    let places = shards.iter().zip(positions);
    places
        .map(|(shard, position)| Place {
            shard: ShardId(*shard as u32),
            position: *position as u64,
        })
        .collect()
}
