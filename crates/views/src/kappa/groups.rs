//! Groups and their states, in the order of their keys: [`Groups`].

use std::collections::BTreeMap;
use std::ops::RangeBounds;
use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{ArrowError, Field, Schema};
use thiserror::Error;

use crate::record_map::{Mapped, RecordMap, arrow_type};
use crate::state::{Row, State, StateError};
use crate::value::Value;
use crate::view_reader::KeyFilter;

use super::columns::{column, value};

type Key = Vec<Option<Value>>;

/// Groups of one view.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Groups {
    states: BTreeMap<Key, Vec<State>>,
}

/// Why groups have no answer.
#[derive(Debug, Error)]
pub enum GroupsError {
    /// One of them has none.
    #[error("group ({group}): {error}")]
    Group {
        /// Its keys.
        group: String,
        /// Why.
        error: StateError,
    },
    /// They cannot be columns.
    #[error("the groups cannot be written as columns: {0}")]
    Arrow(#[from] ArrowError),
}

fn failed(key: &Key, error: StateError) -> GroupsError {
    let keys = key.iter().map(|value| match value {
        Some(value) => format!("{value:?}"),
        None => "null".to_owned(),
    });
    GroupsError::Group {
        group: keys.collect::<Vec<_>>().join(", "),
        error,
    }
}

impl Groups {
    /// Adds the records that `mapped` has, as `map` gave it.
    pub fn add(&mut self, map: &dyn RecordMap, mapped: &Mapped) -> Result<(), GroupsError> {
        for (row, place) in mapped.places.iter().enumerate() {
            let key: Key = mapped
                .keys
                .iter()
                .map(|column| value(column, row))
                .collect();
            let states = match self.states.get_mut(&key) {
                Some(states) => states,
                None => {
                    let fresh = map.aggregates().iter().copied().map(State::new);
                    self.states.entry(key.clone()).or_insert(fresh.collect())
                }
            };
            for (state, call) in states.iter_mut().zip(&mapped.calls) {
                if call
                    .counts
                    .as_ref()
                    .is_some_and(|counts| !counts.value(row))
                {
                    continue;
                }
                let argument = call.argument.as_ref().and_then(|column| value(column, row));
                let order = call.order.as_ref().and_then(|column| value(column, row));
                let added = state.add(Row {
                    value: argument.as_ref(),
                    order: order.as_ref(),
                    place: *place,
                });
                added.map_err(|error| failed(&key, error))?;
            }
        }
        Ok(())
    }

    /// `_k0`, …, `_a0`, … of the groups that pass `filters`.
    pub fn finals(
        &self,
        map: &dyn RecordMap,
        filters: &[KeyFilter],
    ) -> Result<RecordBatch, GroupsError> {
        let passes = |key: &Key| filters.iter().all(|filter| passes(filter, key));
        let groups = self.states.iter().filter(|(key, _)| passes(key));
        let groups: Vec<(&Key, &Vec<State>)> = groups.collect();
        let mut fields = Vec::new();
        let mut columns = Vec::new();
        for (index, of) in map.keys().iter().enumerate() {
            fields.push(Field::new(format!("_k{index}"), arrow_type(*of), true));
            let keys = groups.iter().map(|(key, _)| key[index].clone());
            columns.push(column(*of, keys.collect())?);
        }
        for (index, aggregate) in map.aggregates().iter().enumerate() {
            let of = aggregate.answer();
            fields.push(Field::new(format!("_a{index}"), arrow_type(of), true));
            let finals = groups.iter().map(|(key, states)| {
                let finished = states[index].finish();
                finished.map_err(|error| failed(key, error))
            });
            columns.push(column(of, finals.collect::<Result<_, _>>()?)?);
        }
        // A view without keys and aggregates has no columns, and still a group.
        let rows = RecordBatchOptions::new().with_row_count(Some(groups.len()));
        let schema = Arc::new(Schema::new(fields));
        Ok(RecordBatch::try_new_with_options(schema, columns, &rows)?)
    }
}

fn passes(filter: &KeyFilter, key: &Key) -> bool {
    let Some(value) = &key[filter.key] else {
        return false;
    };
    (filter.from.as_ref(), filter.to.as_ref()).contains(value)
}
