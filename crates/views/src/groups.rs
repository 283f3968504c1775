//! Groups and their states, in the order of their keys: [`Groups`].
//!
//! A batch is added column by column: first the group of each row is found by the bytes of its key, then
//! each aggregate takes in its column. What must hold: the answer does not depend on the batches that the
//! records came in, nor on how groups were merged; no more than [`GROUPS_MAX`] groups are held.

use std::collections::BTreeMap;
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{ArrowError, Field, Schema};
use thiserror::Error;

use crate::cells::Cells;
use crate::columns::{arrow_type, column, value};
use crate::limits::GROUPS_MAX;
use crate::record_map::{Mapped, MappedCall, RecordMap};
use crate::state::{Function, Row, State, StateError};
use crate::value::{Place, Value};
use crate::view_reader::KeyFilter;

/// The values that a group is of.
pub type Key = Vec<Option<Value>>;

/// A group and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// What it is grouped by: `_k0` and so on.
    pub key: Key,
    /// One state for each aggregate: `_a0` and so on.
    pub states: Vec<State>,
}

/// Groups of one view.
#[derive(Clone, Debug, Default)]
pub struct Groups {
    /// Where a group stands, by the bytes of its key, which are ordered as keys are.
    index: BTreeMap<Box<[u8]>, usize>,
    groups: Vec<Group>,
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
    /// They are too many to be held.
    #[error("the view has more than {most} groups: group by something coarser, or filter")]
    Many {
        /// How many there may be.
        most: usize,
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
    /// Adds the records that `mapped` has, as `map` gave it. After an error they are not to be used.
    pub fn add(&mut self, map: &dyn RecordMap, mapped: &Mapped) -> Result<(), GroupsError> {
        self.add_within(map, mapped, GROUPS_MAX)
    }

    fn add_within(
        &mut self,
        map: &dyn RecordMap,
        mapped: &Mapped,
        most: usize,
    ) -> Result<(), GroupsError> {
        let rows = self.rows(map, mapped, most)?;
        for (index, call) in mapped.calls.iter().enumerate() {
            self.add_call(index, call, &rows, &mapped.places)?;
        }
        Ok(())
    }

    /// The group of each row; one that is new is made.
    fn rows(
        &mut self,
        map: &dyn RecordMap,
        mapped: &Mapped,
        most: usize,
    ) -> Result<Vec<usize>, GroupsError> {
        let cells: Vec<Cells<'_>> = mapped.keys.iter().map(Cells::of).collect();
        let mut bytes = Vec::new();
        let mut rows = Vec::with_capacity(mapped.places.len());
        for row in 0..mapped.places.len() {
            bytes.clear();
            for cells in &cells {
                cells.encode(row, &mut bytes);
            }
            let at = match self.index.get(bytes.as_slice()) {
                Some(at) => *at,
                None => {
                    let at = self.groups.len();
                    if at == most {
                        return Err(GroupsError::Many { most });
                    }
                    let key = mapped.keys.iter().map(|column| value(column, row));
                    let states = map.aggregates().iter().copied().map(State::new);
                    self.groups.push(Group {
                        key: key.collect(),
                        states: states.collect(),
                    });
                    self.index.insert(bytes.as_slice().into(), at);
                    at
                }
            };
            rows.push(at);
        }
        Ok(rows)
    }

    /// Lets the aggregate at `index` of each row's group take in what `call` has for it.
    fn add_call(
        &mut self,
        index: usize,
        call: &MappedCall,
        rows: &[usize],
        places: &[Place],
    ) -> Result<(), GroupsError> {
        let arguments = call.argument.as_ref().map(Cells::of);
        let orders = call.order.as_ref().map(Cells::of);
        let (mut argument, mut order) = (Value::Boolean(false), Value::Boolean(false));
        for (row, (at, place)) in rows.iter().zip(places).enumerate() {
            let counts = call.counts.as_ref();
            if counts.is_some_and(|counts| !counts.value(row)) {
                continue;
            }
            let Group { key, states } = &mut self.groups[*at];
            let state = &mut states[index];
            let is_count = state.aggregate().function() == Function::Count;
            let has_value = arguments.as_ref().is_some_and(|cells| match cells {
                // Which text it is, a count does not ask.
                Cells::Text(_) if is_count => {
                    argument = Value::Text(String::new());
                    !cells.is_null(row)
                }
                _ => cells.read(row, &mut argument),
            });
            let has_order = orders
                .as_ref()
                .is_some_and(|cells| cells.read(row, &mut order));
            let added = state.add(Row {
                value: has_value.then_some(&argument),
                order: has_order.then_some(&order),
                place: *place,
            });
            added.map_err(|error| failed(key, error))?;
        }
        Ok(())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.groups.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// The group whose key has these bytes.
    pub fn get(&self, key: &[u8]) -> Option<&Group> {
        self.index.get(key).map(|at| &self.groups[*at])
    }

    /// Puts in a group that is not there.
    ///
    /// # Panics
    /// When it is there.
    pub fn put(&mut self, key: &[u8], group: Group) -> Result<(), GroupsError> {
        if self.groups.len() == GROUPS_MAX {
            return Err(GroupsError::Many { most: GROUPS_MAX });
        }
        let before = self.index.insert(key.into(), self.groups.len());
        assert!(before.is_none(), "a group is put in once");
        self.groups.push(group);
        Ok(())
    }

    /// The groups and the bytes of their keys, in the order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &Group)> {
        let entries = self.index.iter();
        entries.map(|(key, at)| (&**key, &self.groups[*at]))
    }

    /// The groups from a key on and before another one.
    pub fn within<'a>(
        &'a self,
        from: Bound<&'a [u8]>,
        to: Bound<&'a [u8]>,
    ) -> impl Iterator<Item = (&'a [u8], &'a Group)> {
        let entries = self.index.range::<[u8], _>((from, to));
        entries.map(|(key, at)| (&**key, &self.groups[*at]))
    }

    /// Those of a range of keys.
    pub fn only(&self, (from, to): (Bound<&[u8]>, Bound<&[u8]>)) -> Result<Groups, GroupsError> {
        let mut only = Groups::default();
        only.merge_each(self.within(from, to))?;
        Ok(only)
    }

    /// Takes in what `others` know. After an error they are not to be used.
    pub fn merge(&mut self, others: &Groups) -> Result<(), GroupsError> {
        self.merge_each(others.iter())
    }

    /// Takes in what `others` know, by the bytes of their keys.
    pub fn merge_each<'a>(
        &mut self,
        others: impl Iterator<Item = (&'a [u8], &'a Group)>,
    ) -> Result<(), GroupsError> {
        self.merge_over(others, |_| None)
    }

    /// Takes in what `others` know; a group that is not there yet begins as what `base` has of it.
    pub fn merge_over<'a>(
        &mut self,
        others: impl Iterator<Item = (&'a [u8], &'a Group)>,
        base: impl Fn(&[u8]) -> Option<Group>,
    ) -> Result<(), GroupsError> {
        for (key, other) in others {
            if let Some(at) = self.index.get(key) {
                self.groups[*at].merge(other)?;
                continue;
            }
            let group = match base(key) {
                Some(mut group) => {
                    group.merge(other)?;
                    group
                }
                None => other.clone(),
            };
            self.put(key, group)?;
        }
        Ok(())
    }

    /// `_k0`, …, `_a0`, … of the groups that pass `filters`.
    pub fn finals(
        &self,
        map: &dyn RecordMap,
        filters: &[KeyFilter],
    ) -> Result<RecordBatch, GroupsError> {
        let groups = self.index.values().map(|at| &self.groups[*at]);
        let groups: Vec<&Group> = groups.filter(|group| group.passes(filters)).collect();
        finals(map, &groups)
    }
}

impl Group {
    /// Takes in what `other` knows, which is of the same key.
    pub fn merge(&mut self, other: &Group) -> Result<(), GroupsError> {
        for (state, more) in self.states.iter_mut().zip(&other.states) {
            let merged = state.merge(more);
            merged.map_err(|error| failed(&self.key, error))?;
        }
        Ok(())
    }

    /// Whether it has the answers that `other` has.
    pub fn is_as(&self, other: &Group) -> bool {
        let mut pairs = self.states.iter().zip(&other.states);
        self.key == other.key && pairs.all(|(state, twin)| state.finish() == twin.finish())
    }

    /// Whether its key passes `filters`.
    pub fn passes(&self, filters: &[KeyFilter]) -> bool {
        filters.iter().all(|filter| passes(filter, &self.key))
    }
}

/// `_k0`, …, `_a0`, … of `groups`, a row for each.
pub fn finals(map: &dyn RecordMap, groups: &[&Group]) -> Result<RecordBatch, GroupsError> {
    let mut fields = Vec::new();
    let mut columns = Vec::new();
    for (index, of) in map.keys().iter().enumerate() {
        fields.push(Field::new(format!("_k{index}"), arrow_type(*of), true));
        let keys = groups.iter().map(|group| group.key[index].clone());
        columns.push(column(*of, keys.collect())?);
    }
    for (index, aggregate) in map.aggregates().iter().enumerate() {
        let of = aggregate.answer();
        fields.push(Field::new(format!("_a{index}"), arrow_type(of), true));
        let finals = groups.iter().map(|group| {
            let finished = group.states[index].finish();
            finished.map_err(|error| failed(&group.key, error))
        });
        columns.push(column(of, finals.collect::<Result<_, _>>()?)?);
    }
    // A view without keys and aggregates has no columns, and still a group.
    let rows = RecordBatchOptions::new().with_row_count(Some(groups.len()));
    let schema = Arc::new(Schema::new(fields));
    Ok(RecordBatch::try_new_with_options(schema, columns, &rows)?)
}

fn passes(filter: &KeyFilter, key: &Key) -> bool {
    let Some(value) = &key[filter.key] else {
        return false;
    };
    (filter.from.as_ref(), filter.to.as_ref()).contains(value)
}

#[cfg(test)]
mod tests;
