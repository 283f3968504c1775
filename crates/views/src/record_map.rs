//! What is done with each record of a view: [`RecordMap`], the seam between the SQL engine and the layers.
//!
//! The layers add up what a map gives and know no SQL; the engine that makes maps knows no layers. What
//! must hold: what a map gives for a record depends on that record alone, never on the others in the same
//! batch, so that parts that were mapped in different batches come to the same answer. A record whose
//! expressions fail (an overflow, a division by zero, a text that is no number) is counted and left out,
//! and does not take others with it. What a stream's exclusions name is left out before anything is
//! computed of it ([`Excluding`]), so a record that was never right need not be readable either.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{ArrayRef, BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;
use thiserror::Error;

use tidemill_model::ShardId;

use crate::positions::{Span, covered};
use crate::state::Aggregate;
use crate::value::{Place, Type};

/// What is done with each record, compiled from a definition and a schema.
pub trait RecordMap: Send + Sync {
    /// The types of `_k0` and so on.
    fn keys(&self) -> &[Type];

    /// What `_a0` and so on are.
    fn aggregates(&self) -> &[Aggregate];

    /// What `rows`, which are as the master dataset has them, come to. Rows whose expressions fail are
    /// counted in [`Mapped::poisoned`]; an error is one of the whole.
    fn map(&self, rows: &RecordBatch) -> Result<Mapped, MapError>;
}

/// What rows come to. Places, keys and calls have one row for each record that passed the filter and each
/// group that it counts in, in the order of the rows; their columns are of [`arrow_type`](crate::columns::arrow_type).
#[derive(Clone, Debug, PartialEq)]
pub struct Mapped {
    /// How many records passed the filter. Where windows overlap, they have more rows than that.
    pub records: u64,
    /// Where the records stand.
    pub places: Vec<Place>,
    /// `_k0` and so on.
    pub keys: Vec<ArrayRef>,
    /// What `_a0` and so on look at.
    pub calls: Vec<MappedCall>,
    /// How many records the filter left out.
    pub filtered: u64,
    /// How many records were left out because an expression failed.
    pub poisoned: u64,
    /// How many records were left out because they stand where the stream's exclusions say.
    pub excluded: u64,
}

/// What one aggregate looks at.
#[derive(Clone, Debug, PartialEq)]
pub struct MappedCall {
    /// The argument; none for `count(*)`.
    pub argument: Option<ArrayRef>,
    /// What `min_by` and `max_by` order by; none for the others.
    pub order: Option<ArrayRef>,
    /// Which records count, without nulls; none when all do.
    pub counts: Option<BooleanArray>,
}

/// Why rows cannot be mapped at all.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MapError {
    /// They have other columns than the view was compiled for.
    #[error("the rows have not the columns that the view was compiled for: {what}")]
    Columns {
        /// Which.
        what: String,
    },
    /// The engine could not do its work, whatever the records are.
    #[error("the SQL engine failed: {what}")]
    Engine {
        /// What it says.
        what: String,
    },
}

/// A map that leaves out what stands in some spans, and does with the rest what another map does.
pub struct Excluding {
    map: Arc<dyn RecordMap>,
    spans: Vec<Span>,
}

impl Excluding {
    /// `map` without the records in `spans`, which may overlap.
    pub fn new(map: Arc<dyn RecordMap>, spans: Vec<Span>) -> Excluding {
        let spans = covered(spans);
        Excluding { map, spans }
    }

    fn excludes(&self, place: Place) -> bool {
        let begun = self
            .spans
            .partition_point(|span| (span.shard, span.from) <= (place.shard, place.position));
        let last = begun.checked_sub(1).map(|index| &self.spans[index]);
        last.is_some_and(|span| span.shard == place.shard && place.position < span.to)
    }

    /// Which of `rows` are kept.
    fn kept(&self, rows: &RecordBatch) -> Result<BooleanArray, MapError> {
        let column = |index: usize, name: &str| {
            let found = rows.columns().get(index);
            let what = name.to_owned();
            found.ok_or(MapError::Columns { what })
        };
        let wrong = |what: &str| MapError::Columns {
            what: what.to_owned(),
        };
        let shards = column(0, "_shard")?.as_primitive_opt::<Int32Type>();
        let shards = shards.ok_or_else(|| wrong("_shard"))?.values();
        let positions = column(1, "_position")?.as_primitive_opt::<Int64Type>();
        let positions = positions.ok_or_else(|| wrong("_position"))?.values();
        let kept = shards.iter().zip(positions).map(|(shard, position)| {
            !self.excludes(Place {
                shard: ShardId(*shard as u32),
                position: *position as u64,
            })
        });
        Ok(BooleanArray::from(kept.collect::<Vec<bool>>()))
    }
}

impl RecordMap for Excluding {
    fn keys(&self) -> &[Type] {
        self.map.keys()
    }

    fn aggregates(&self) -> &[Aggregate] {
        self.map.aggregates()
    }

    fn map(&self, rows: &RecordBatch) -> Result<Mapped, MapError> {
        let kept = self.kept(rows)?;
        let excluded = (kept.len() - kept.true_count()) as u64;
        if excluded == 0 {
            return self.map.map(rows);
        }
        let rows = filter_record_batch(rows, &kept).map_err(|error| MapError::Engine {
            what: error.to_string(),
        })?;
        let mapped = self.map.map(&rows)?;
        Ok(Mapped { excluded, ..mapped })
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::{Int32Array, Int64Array};

    use super::*;

    /// Gives the places of its rows.
    struct Places;

    impl RecordMap for Places {
        fn keys(&self) -> &[Type] {
            &[]
        }

        fn aggregates(&self) -> &[Aggregate] {
            &[]
        }

        fn map(&self, rows: &RecordBatch) -> Result<Mapped, MapError> {
            let shards = rows.column(0).as_primitive::<Int32Type>().values();
            let positions = rows.column(1).as_primitive::<Int64Type>().values();
            let places = shards.iter().zip(positions);
            let place = |(shard, position): (&i32, &i64)| Place {
                shard: ShardId(*shard as u32),
                position: *position as u64,
            };
            Ok(Mapped {
                records: rows.num_rows() as u64,
                places: places.map(place).collect(),
                keys: Vec::new(),
                calls: Vec::new(),
                filtered: 0,
                poisoned: 0,
                excluded: 0,
            })
        }
    }

    fn span(shard: u32, from: u64, to: u64) -> Span {
        let shard = ShardId(shard);
        Span { shard, from, to }
    }

    fn rows(places: &[(i32, i64)]) -> RecordBatch {
        let (shards, positions): (Vec<i32>, Vec<i64>) = places.iter().copied().unzip();
        let columns: [(&str, ArrayRef); 2] = [
            ("_shard", Arc::new(Int32Array::from(shards))),
            ("_position", Arc::new(Int64Array::from(positions))),
        ];
        RecordBatch::try_from_iter(columns).expect("a batch")
    }

    fn left(spans: Vec<Span>, places: &[(i32, i64)]) -> (Vec<(u32, u64)>, u64) {
        let map = Excluding::new(Arc::new(Places), spans);
        let mapped = map.map(&rows(places)).expect("mapped");
        let places = mapped.places.iter();
        let places = places.map(|place| (place.shard.0, place.position));
        (places.collect(), mapped.excluded)
    }

    #[test]
    fn what_stands_in_a_span_is_left_out_and_counted() {
        let spans = vec![span(1, 3, 5), span(1, 4, 6), span(0, 9, 10), span(2, 0, 1)];
        let places = [
            (0, 8),
            (0, 9),
            (0, 10),
            (1, 2),
            (1, 3),
            (1, 5),
            (1, 6),
            (2, 0),
            (3, 0),
        ];
        let expected = vec![(0, 8), (0, 10), (1, 2), (1, 6), (3, 0)];
        assert_eq!(left(spans, &places), (expected, 4));
        assert_eq!(left(vec![span(0, 0, 9)], &[(0, 0), (0, 8)]), (vec![], 2));
        assert_eq!(left(vec![], &[(0, 1)]), (vec![(0, 1)], 0));
        assert_eq!(left(vec![span(0, 0, 9)], &[]), (vec![], 0));
    }

    #[test]
    fn rows_without_places_are_refused() {
        let map = Excluding::new(Arc::new(Places), vec![span(0, 0, 1)]);
        let columns: [(&str, ArrayRef); 1] = [("_shard", Arc::new(Int32Array::from(vec![0])))];
        let rows = RecordBatch::try_from_iter(columns).expect("a batch");
        let what = "_position".to_owned();
        assert_eq!(map.map(&rows), Err(MapError::Columns { what }));
    }
}
