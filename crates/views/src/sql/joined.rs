//! Rows of static tables beside records: [`Lookup`], compiled, and [`Tables`], which they are compiled of.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch, UInt32Array};
use arrow_select::take::take;
use datafusion::common::Result;

use crate::cells::Cells;
use crate::definition::{Definition, Join, Refusal, Standing};
use crate::static_table::StaticTable;

use super::computed::Computed;

/// The tables of a definition, in the order of its joins.
pub type Tables = [Arc<StaticTable>];

/// Finds the row of each record.
#[derive(Clone, Debug)]
pub struct Lookup {
    /// What is looked up, over the record.
    on: Computed,
    /// Rows by the bytes of what stands in the column that it is looked up in.
    index: Arc<BTreeMap<Vec<u8>, u32>>,
    table: Arc<StaticTable>,
    /// The columns of the table that are used.
    used: Vec<usize>,
    is_outer: bool,
}

fn invalid(what: impl std::fmt::Display, why: &str) -> Refusal {
    Refusal::new(Standing::Invalid, what, why)
}

/// The tables of `definition` are as many as its joins.
pub fn check_count(definition: &Definition, tables: &Tables) -> std::result::Result<(), Refusal> {
    match definition.joins.get(tables.len()) {
        Some(join) => {
            let nearest = format!("tidemill views put-table {} FILE", join.table);
            Err(invalid(&join.table, "there is no such table").nearest(nearest))
        }
        None => Ok(()),
    }
}

impl Lookup {
    /// Of `join` in `table`: what is looked up is `on`, and the columns `used` are wanted.
    pub fn of(
        join: &Join,
        on: Computed,
        table: &Arc<StaticTable>,
        used: Vec<usize>,
    ) -> std::result::Result<Lookup, Refusal> {
        let schema = table.rows.schema();
        let fields = schema.fields().iter();
        let names: Vec<&str> = fields.map(|field| field.name().as_str()).collect();
        let Some(at) = names.iter().position(|name| *name == join.column) else {
            let why = format!("there is no such column; there are {}", names.join(", "));
            return Err(invalid(format!("{}.{}", join.alias, join.column), &why));
        };
        let of = table.version.schema.columns()[at].format.holds();
        if of != on.of {
            let why = format!("it is looked up among values of another type, {of:?}");
            return Err(invalid(&join.on, &why).nearest("CAST(… AS …)"));
        }
        let column = table.rows.column(at);
        let cells = Cells::of(column);
        let mut index = BTreeMap::new();
        for row in (0..column.len()).filter(|row| !cells.is_null(*row)) {
            let mut bytes = Vec::new();
            cells.encode(row, &mut bytes);
            if index.insert(bytes, row as u32).is_some() {
                let what = format!("{}.{}", join.alias, join.column);
                let why = "a value stands twice in it, and a record would count twice";
                return Err(invalid(what, why).nearest("a column that tells the rows apart"));
            }
        }
        Ok(Lookup {
            on,
            index: Arc::new(index),
            table: Arc::clone(table),
            used,
            is_outer: join.is_outer,
        })
    }

    /// The columns of the rows that go with `records`, and which records have one, when that decides whether
    /// they count.
    pub fn over(&self, records: &RecordBatch) -> Result<(Vec<ArrayRef>, Option<BooleanArray>)> {
        let wanted = self.on.over(records)?;
        let cells = Cells::of(&wanted);
        let mut bytes = Vec::new();
        let rows = (0..wanted.len()).map(|record| {
            if cells.is_null(record) {
                return None;
            }
            bytes.clear();
            cells.encode(record, &mut bytes);
            self.index.get(bytes.as_slice()).copied()
        });
        let rows: UInt32Array = rows.collect();
        let columns = self
            .used
            .iter()
            .map(|at| take(self.table.rows.column(*at), &rows, None));
        let columns = columns.collect::<std::result::Result<_, _>>()?;
        let found = (!self.is_outer).then(|| {
            let found = rows.iter().map(|row| row.is_some());
            BooleanArray::from(found.collect::<Vec<bool>>())
        });
        Ok((columns, found))
    }
}
