//! One group looked up by its whole key, past the planner: [`look_up`].
//!
//! What must hold: the answer is that of `SELECT * FROM view WHERE` each key is what it is; where it could
//! be another one there is none, and the query is asked.

use std::ops::Bound;
use std::sync::Arc;

use arrow_array::{BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;
use datafusion::common::DataFusionError;

use crate::columns::value;
use crate::value::Value;
use crate::view_reader::{KeyFilter, QueryOptions, ViewReader};

use super::answer::Answering;
use super::queries::Answered;
use super::query_error::{Kind, QueryError};

/// The group of `reader` whose keys are `key`, in columns as `answering` has them; none when these have to
/// be planned.
pub async fn look_up(
    reader: &dyn ViewReader,
    answering: &Answering,
    key: &[Value],
    options: &QueryOptions,
) -> Result<Option<Answered>, QueryError> {
    let Some(direct) = answering.direct() else {
        return Ok(None);
    };
    let filters = key.iter().enumerate().map(|(key, value)| KeyFilter {
        key,
        from: Bound::Included(value.clone()),
        to: Bound::Included(value.clone()),
    });
    let filters: Vec<KeyFilter> = filters.collect();
    let reading = reader.read(&filters, options).await;
    let reading =
        reading.map_err(|error| QueryError::new(Kind::Unanswerable, error.to_string()))?;
    let rows = || {
        let found = reading.rows.iter().map(|rows| with_key(rows, key));
        let found = found.collect::<Result<Vec<_>, _>>()?;
        let groups = answering.with_the_only_group(found).into_iter();
        let groups = groups.filter(|groups| groups.num_rows() > 0);
        let rows = groups.map(|groups| direct.over(&groups));
        rows.collect::<Result<Vec<_>, _>>()
    };
    let rows = rows().map_err(|error: DataFusionError| QueryError::of(&error, &[]))?;
    Ok(Some(Answered {
        columns: Arc::clone(answering.columns()),
        rows,
        as_of: vec![reading.as_of],
        tables: Vec::new(),
    }))
}

/// Those of `groups` whose keys are `key`: a reader gives them at least.
fn with_key(groups: &RecordBatch, key: &[Value]) -> Result<RecordBatch, DataFusionError> {
    let is_it = |row: usize| {
        let mut keys = key.iter().zip(groups.columns());
        keys.all(|(key, column)| value(column, row).as_ref() == Some(key))
    };
    let passes: BooleanArray = (0..groups.num_rows()).map(|row| Some(is_it(row))).collect();
    match passes.true_count() == groups.num_rows() {
        true => Ok(groups.clone()),
        false => Ok(filter_record_batch(groups, &passes)?),
    }
}
