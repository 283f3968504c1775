//! Groups of a range of keys, in the order of their keys: [`ViewFile`], in memory and as a Parquet file.
//!
//! ```text
//! _key    binary     the bytes of the key, see `cells`
//! _k0 …   any type   what is grouped by
//! _s0 …   binary     the states of the aggregates, see `state`
//! _a0 …   any type   their answers, for other readers; null as well where one has none
//! ```
//!
//! What must hold: a file is taken only with the digest that its manifest has for it, and its keys ascend
//! and are those of their columns. Other readers get the answers of one range of positions out of it and
//! need not know what a state is.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BinaryArray, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use arrow_select::concat::concat_batches;
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;

use crate::cells::Cells;
use crate::columns::{arrow_type, column, value};
use crate::groups::{Group, Groups, GroupsError, finals};
use crate::parquet_file::write;
use crate::record_map::RecordMap;
use crate::state::{Aggregate, State};

/// Rows of a row group, which is what other readers can skip.
const ROW_GROUP_ROWS: usize = 8 * 1024;

/// Groups of a range of keys.
pub struct ViewFile {
    aggregates: Vec<Aggregate>,
    keys: BinaryArray,
    key_columns: Vec<ArrayRef>,
    states: Vec<BinaryArray>,
    /// `_k0`, …, `_a0`, … of all groups; none when one of them has no answer.
    finals: Option<RecordBatch>,
    /// What it is on disk, when it is there.
    saved: Option<Saved>,
}

/// A file on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// Its name.
    pub name: String,
    /// Its size.
    pub bytes: u64,
}

impl ViewFile {
    /// `groups` in as many files as they take, with `most` groups at most in each.
    pub fn cut(
        map: &dyn RecordMap,
        groups: &Groups,
        most: usize,
    ) -> Result<Vec<ViewFile>, GroupsError> {
        let all: Vec<(&[u8], &Group)> = groups.iter().collect();
        // Two halves and not a full one and a rest: either may grow.
        let count = all.len().div_ceil(most).max(1);
        let each = all.len().div_ceil(count).max(1);
        all.chunks(each)
            .map(|groups| ViewFile::of(map, groups))
            .collect()
    }

    fn of(map: &dyn RecordMap, groups: &[(&[u8], &Group)]) -> Result<ViewFile, GroupsError> {
        let keys = BinaryArray::from_iter_values(groups.iter().map(|(key, _)| key));
        let key_columns = map.keys().iter().enumerate().map(|(index, of)| {
            let keys = groups.iter().map(|(_, group)| group.key[index].clone());
            column(*of, keys.collect())
        });
        let states = (0..map.aggregates().len()).map(|index| {
            let states = groups.iter().map(|(_, group)| group.states[index].encode());
            BinaryArray::from_iter_values(states)
        });
        let only: Vec<&Group> = groups.iter().map(|(_, group)| *group).collect();
        Ok(ViewFile {
            aggregates: map.aggregates().to_vec(),
            keys,
            key_columns: key_columns.collect::<Result<_, _>>()?,
            states: states.collect(),
            finals: finals(map, &only).ok(),
            saved: None,
        })
    }

    /// How many groups it has: one at least.
    pub fn count(&self) -> usize {
        self.keys.len()
    }

    /// The bytes of its first key.
    pub fn first(&self) -> &[u8] {
        self.keys.value(0)
    }

    /// The bytes of all keys.
    pub fn keys(&self) -> &BinaryArray {
        &self.keys
    }

    /// The bytes of the key in `row`.
    pub fn key(&self, row: usize) -> &[u8] {
        self.keys.value(row)
    }

    /// The row of a key, or the one that it would stand before.
    pub fn find(&self, key: &[u8]) -> Result<usize, usize> {
        find(&self.keys, key)
    }

    /// The group in `row`.
    pub fn group(&self, row: usize) -> Group {
        let states = self.aggregates.iter().zip(&self.states);
        let states = states.map(|(aggregate, states)| {
            let state = State::decode(*aggregate, states.value(row));
            state.expect("states were read once when the file was")
        });
        let key = self.key_columns.iter().map(|keys| value(keys, row));
        Group {
            key: key.collect(),
            states: states.collect(),
        }
    }

    /// All of them.
    pub fn groups(&self) -> Result<Groups, GroupsError> {
        let mut groups = Groups::default();
        for row in 0..self.count() {
            groups.put(self.key(row), self.group(row))?;
        }
        Ok(groups)
    }

    /// `_k0`, …, `_a0`, … of all groups; none when one of them has no answer.
    pub fn finals(&self) -> Option<&RecordBatch> {
        self.finals.as_ref()
    }

    /// What it is on disk, when it is there.
    pub fn saved(&self) -> Option<&Saved> {
        self.saved.as_ref()
    }

    /// The same groups, which are on disk now.
    pub fn saved_as(&self, saved: Saved) -> ViewFile {
        ViewFile {
            aggregates: self.aggregates.clone(),
            keys: self.keys.clone(),
            key_columns: self.key_columns.clone(),
            states: self.states.clone(),
            finals: self.finals.clone(),
            saved: Some(saved),
        }
    }

    /// The bytes of the Parquet file.
    pub fn encode(&self, map: &dyn RecordMap) -> Result<Vec<u8>, ParquetError> {
        let mut columns: Vec<ArrayRef> = vec![Arc::new(self.keys.clone())];
        columns.extend(self.key_columns.iter().cloned());
        for states in &self.states {
            columns.push(Arc::new(states.clone()));
        }
        for (index, aggregate) in map.aggregates().iter().enumerate() {
            let finals = (0..self.count()).map(|row| {
                let state = State::decode(*aggregate, self.states[index].value(row));
                state.ok().and_then(|state| state.finish().ok().flatten())
            });
            columns.push(column(aggregate.answer(), finals.collect())?);
        }
        let rows = RecordBatch::try_new(schema(map), columns)?;
        write(&rows, ROW_GROUP_ROWS)
    }

    /// The groups of a Parquet file; or what is wrong with it.
    pub fn decode(map: &dyn RecordMap, saved: Saved, bytes: Bytes) -> Result<ViewFile, String> {
        let rows = read(map, bytes).map_err(|error| error.to_string())?;
        if rows.num_rows() == 0 {
            return Err("it has no groups".to_owned());
        }
        let (keys, rest) = rows.columns().split_first().ok_or("it has no columns")?;
        let (key_columns, rest) = rest.split_at(map.keys().len());
        let (states, _) = rest.split_at(map.aggregates().len());
        let mut file = ViewFile {
            aggregates: map.aggregates().to_vec(),
            keys: keys.as_binary::<i32>().clone(),
            key_columns: key_columns.to_vec(),
            states: states
                .iter()
                .map(|column| column.as_binary().clone())
                .collect(),
            finals: None,
            saved: Some(saved),
        };
        file.check_keys()?;
        let groups = file.checked_groups()?;
        let groups: Vec<&Group> = groups.iter().collect();
        file.finals = finals(map, &groups).ok();
        Ok(file)
    }

    fn check_keys(&self) -> Result<(), String> {
        let cells: Vec<Cells<'_>> = self.key_columns.iter().map(Cells::of).collect();
        let mut bytes = Vec::new();
        for row in 0..self.count() {
            bytes.clear();
            for cells in &cells {
                cells.encode(row, &mut bytes);
            }
            if self.key(row) != bytes || (row > 0 && self.key(row - 1) >= self.key(row)) {
                return Err(format!("the key of group {row} is not its own"));
            }
        }
        Ok(())
    }

    fn checked_groups(&self) -> Result<Vec<Group>, String> {
        let columns = self.aggregates.iter().zip(&self.states);
        for (aggregate, states) in columns {
            for row in 0..self.count() {
                let state = State::decode(*aggregate, states.value(row));
                state.map_err(|damaged| format!("group {row}: {damaged}"))?;
            }
        }
        Ok((0..self.count()).map(|row| self.group(row)).collect())
    }
}

/// The place of `key` among `keys`, which ascend, or the one that it would stand before.
pub fn find(keys: &BinaryArray, key: &[u8]) -> Result<usize, usize> {
    let (mut from, mut to) = (0, keys.len());
    while from < to {
        let middle = from.midpoint(to);
        match keys.value(middle).cmp(key) {
            Ordering::Less => from = middle + 1,
            Ordering::Equal => return Ok(middle),
            Ordering::Greater => to = middle,
        }
    }
    Err(from)
}

fn schema(map: &dyn RecordMap) -> SchemaRef {
    let mut fields = vec![Field::new("_key", DataType::Binary, false)];
    for (index, of) in map.keys().iter().enumerate() {
        fields.push(Field::new(format!("_k{index}"), arrow_type(*of), true));
    }
    for index in 0..map.aggregates().len() {
        fields.push(Field::new(format!("_s{index}"), DataType::Binary, false));
    }
    for (index, aggregate) in map.aggregates().iter().enumerate() {
        let of = arrow_type(aggregate.answer());
        fields.push(Field::new(format!("_a{index}"), of, true));
    }
    Arc::new(Schema::new(fields))
}

fn read(map: &dyn RecordMap, bytes: Bytes) -> Result<RecordBatch, ParquetError> {
    let expected = schema(map);
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes)?;
    let found = reader.schema().fields();
    let is_same = |(found, expected): (&Arc<Field>, &Arc<Field>)| {
        found.name() == expected.name() && found.data_type() == expected.data_type()
    };
    let is_whole = found.len() == expected.fields().len();
    if !is_whole || !found.iter().zip(expected.fields()).all(is_same) {
        let what = "it has other columns than the view".to_owned();
        return Err(ParquetError::General(what));
    }
    let batches = reader.build()?;
    let batches = batches.map(|batch| {
        let columns = batch?.columns().to_vec();
        RecordBatch::try_new(Arc::clone(&expected), columns)
    });
    Ok(concat_batches(
        &expected,
        &batches.collect::<Result<Vec<_>, _>>()?,
    )?)
}
