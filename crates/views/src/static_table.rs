//! Tables that do not come from a stream: [`StaticTable`], one version of one.
//!
//! ```text
//! views/tables/<name>-<version>.ndjson     the bytes that were put, a JSON object in each line
//! ```
//!
//! What must hold: a version never changes; it is read only with the digest that the catalog has for it. Its
//! columns are those that its rows show, so what a view sees of a version is the same at every start.

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{Field, Schema as ArrowSchema};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use thiserror::Error;

use crate::columns::{arrow_type, column};
use crate::encoding::hex;
use crate::inference::infer;
use crate::limits::TABLE_ROWS_MAX;
use crate::payload;
use crate::schema::Schema;
use crate::store::{Put, Store, StoreError};

/// Which version of which table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableVersion {
    /// The name of the table.
    pub name: String,
    /// The number of the version, from 1.
    pub number: u32,
    /// Its columns.
    pub schema: Schema,
    /// How many rows it has.
    pub rows: u64,
    /// SHA-256 of its bytes.
    pub digest: String,
}

/// A version of a table, in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct StaticTable {
    /// Which.
    pub version: TableVersion,
    /// Its rows, in the order in which they were put; nullable columns of its schema.
    pub rows: RecordBatch,
    /// Fields that are no columns, and why.
    pub left_out: Vec<(String, String)>,
}

/// Why bytes are not a table, or a table cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TableError {
    /// A line is not what it should be.
    #[error("line {line} is no row: {why}")]
    Line {
        /// Which, from 1.
        line: usize,
        /// Why.
        why: String,
    },
    /// Nothing can be joined to it.
    #[error("it has no rows with columns: put a JSON object in each line")]
    Empty,
    /// It has to be in memory.
    #[error("it has more than {most} rows")]
    Many {
        /// How many it may have.
        most: usize,
    },
    /// The bytes that are there are not those that were put.
    #[error(
        "{path} is damaged: put back the file that was there, or put a new version of the table"
    )]
    Damaged {
        /// The file.
        path: String,
    },
    /// It cannot be kept or read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its rows cannot be columns.
    #[error("its rows cannot be columns: {0}")]
    Columns(String),
}

impl TableError {
    /// Whether it is the fault of what was put.
    pub fn is_of_the_table(&self) -> bool {
        match self {
            TableError::Line { .. }
            | TableError::Empty
            | TableError::Many { .. }
            | TableError::Columns(_) => true,
            TableError::Damaged { .. } | TableError::Store(_) => false,
        }
    }
}

impl TableVersion {
    fn path(&self) -> String {
        let TableVersion { name, number, .. } = self;
        format!("views/tables/{name}-{number}.ndjson")
    }

    /// Reads the version.
    pub fn read(&self, store: &dyn Store) -> Result<StaticTable, TableError> {
        let path = self.path();
        let bytes = store.read(&path)?;
        let bytes = bytes.filter(|bytes| hex(&Sha256::digest(bytes)) == self.digest);
        let bytes = bytes.ok_or(TableError::Damaged { path })?;
        Ok(StaticTable {
            rows: rows(&self.schema, &bytes)?,
            version: self.clone(),
            left_out: Vec::new(),
        })
    }

    /// Removes the version.
    pub fn remove(&self, store: &dyn Store) -> Result<(), StoreError> {
        store.delete(&self.path())
    }
}

impl StaticTable {
    /// What version `number` of the table called `name` is when it has `bytes`.
    pub fn of(name: &str, number: u32, bytes: &[u8]) -> Result<StaticTable, TableError> {
        let lines = lines(bytes);
        if lines.len() > TABLE_ROWS_MAX {
            return Err(TableError::Many {
                most: TABLE_ROWS_MAX,
            });
        }
        let inferred = infer(lines.iter().map(|(_, line)| *line));
        if inferred.schema.columns().is_empty() {
            return Err(TableError::Empty);
        }
        let left_out = inferred.left_out.into_iter();
        Ok(StaticTable {
            rows: rows(&inferred.schema, bytes)?,
            version: TableVersion {
                name: name.to_owned(),
                number,
                schema: inferred.schema,
                rows: lines.len() as u64,
                digest: hex(&Sha256::digest(bytes)),
            },
            left_out: left_out
                .map(|(field, why)| (field, why.to_owned()))
                .collect(),
        })
    }

    /// Keeps it, durably, in place of a file that is no version: one that is damaged, or that was kept and
    /// never came to be.
    pub fn keep(&self, store: &dyn Store, bytes: &[u8]) -> Result<(), StoreError> {
        let path = self.version.path();
        match store.put_new(&path, bytes)? {
            Put::Done => Ok(()),
            Put::Exists if store.read(&path)?.is_some_and(|there| there == bytes) => Ok(()),
            Put::Exists => {
                store.delete(&path)?;
                store.put_new(&path, bytes).map(drop)
            }
        }
    }
}

/// The lines that are not empty, and their numbers.
fn lines(bytes: &[u8]) -> Vec<(usize, &[u8])> {
    let lines = bytes.split(|byte| *byte == b'\n').enumerate();
    let lines = lines.map(|(index, line)| (index + 1, line.trim_ascii()));
    lines.filter(|(_, line)| !line.is_empty()).collect()
}

fn rows(schema: &Schema, bytes: &[u8]) -> Result<RecordBatch, TableError> {
    let mut columns = vec![Vec::new(); schema.columns().len()];
    for (line, text) in lines(bytes) {
        let values = payload::read(schema, text).map_err(|why| TableError::Line { line, why })?;
        for (column, value) in columns.iter_mut().zip(values) {
            column.push(value);
        }
    }
    let fields = schema.columns().iter().map(|column| {
        let of = arrow_type(column.format.holds());
        Field::new(&column.name, of, true)
    });
    let fields = ArrowSchema::new(fields.collect::<Vec<_>>());
    let failed = |error: arrow_schema::ArrowError| TableError::Columns(error.to_string());
    let arrays = schema
        .columns()
        .iter()
        .zip(columns)
        .map(|(held, values)| column(held.format.holds(), values).map_err(failed));
    let arrays: Vec<ArrayRef> = arrays.collect::<Result<_, _>>()?;
    RecordBatch::try_new(Arc::new(fields), arrays).map_err(failed)
}

#[cfg(test)]
mod tests {
    use tidemill_testkit::SimDisk;

    use crate::DiskStore;

    use super::*;

    const ROWS: &[u8] = b"{\"code\":\"AA\",\"name\":\"American\",\"fleet\":900}\n\n\
                          {\"code\":\"B6\",\"name\":null,\"fleet\":230,\"tags\":[]}";

    #[test]
    fn rows_are_kept_and_read_again_with_their_columns() {
        let store = DiskStore::new(Arc::new(SimDisk::new()));
        let table = StaticTable::of("carriers", 3, ROWS).expect("it is a table");
        let columns = table.version.schema.columns().iter();
        let columns: Vec<_> = columns.map(|column| column.name.as_str()).collect();
        assert_eq!(columns, ["code", "fleet", "name"]);
        assert_eq!((table.version.rows, table.rows.num_rows()), (2, 2));
        assert_eq!(table.left_out.len(), 1);
        table.keep(&store, ROWS).expect("kept");
        let read = table.version.read(&store).expect("it is there");
        assert_eq!(read.rows, table.rows);
        let path = table.version.path();
        store.replace(&path, b"{}").expect("damaged");
        assert_eq!(
            table.version.read(&store),
            Err(TableError::Damaged { path })
        );
        table.keep(&store, ROWS).expect("made whole");
        assert_eq!(
            table.version.read(&store).expect("it is there").rows,
            table.rows
        );
    }

    #[test]
    fn what_is_no_table_is_refused_with_its_line() {
        let of = |bytes: &[u8]| StaticTable::of("t", 1, bytes).map(|table| table.version.rows);
        assert_eq!(of(b""), Err(TableError::Empty));
        assert_eq!(of(b"{}\n{}"), Err(TableError::Empty));
        let line = |line, why: &str| {
            let why = why.to_owned();
            Err(TableError::Line { line, why })
        };
        let no_object = "the payload is not a JSON object";
        assert_eq!(of(b"{\"a\":1}\n\n[1]"), line(3, no_object));
        assert_eq!(of(b"{\"a\":1}\n{\"a\":"), line(2, no_object));
    }
}
