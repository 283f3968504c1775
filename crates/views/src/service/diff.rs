//! Two versions of a view, compared at one vector of positions: [`Diff`].
//!
//! What must hold: both answers are over the same records, so what differs between them is due to the
//! statements and to nothing else. Groups are told apart by what they are grouped by, and compared in the
//! columns that both have under the same name and type; doubles are equal when their bits are.

use std::cmp::Ordering;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_row::{Row, RowConverter, Rows, SortField};
use arrow_schema::ArrowError;
use arrow_select::concat::concat_batches;
use sqlparser::ast::{Expr, Ident, Value};
use tokio::task::spawn_blocking;

use tidemill_model::Timestamp;

use crate::catalog::{Beside, Refused};
use crate::definition::{Column, Definition};
use crate::positions::{Positions, as_vector};
use crate::sql::Answering;
use crate::view_reader::{QueryOptions, ReadError, Reading, ViewReader};

use super::Shared;
use super::called::{demanded, read_all};
use super::failure::Failure;
use super::hosted::Hosted;
use super::json::{rows_of, type_of};

/// How many groups that differ are shown.
const SHOWN: usize = 10;
/// How long it is tried to ask two versions at one vector.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often two versions are asked until both answer at one vector.
const TRIES_MAX: usize = 200;

/// How the answers of two versions of a view differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diff {
    /// What the version is called that is served.
    pub served: String,
    /// What the other one is called: the next, or the previous where there is no next.
    pub other: String,
    /// The vector that both were asked at.
    pub positions: Positions,
    /// The columns that were compared.
    pub compared: Vec<String>,
    /// Columns that only one of them has, or has with another type.
    pub not_compared: Vec<String>,
    /// Groups that are the same in both.
    pub equal: u64,
    /// Groups that are in both and differ.
    pub differ: u64,
    /// Groups that only the served one has.
    pub only_in_served: u64,
    /// Groups that only the other one has.
    pub only_in_other: u64,
    /// The first that are not the same, in the order of what is grouped by.
    pub first: Vec<Difference>,
}

/// A group that is not the same in both; each side is a row in JSON, and none where there is no such group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// In the served version.
    pub served: Option<String>,
    /// In the other one.
    pub other: Option<String>,
}

impl Diff {
    /// Whether both answer the same.
    pub fn is_empty(&self) -> bool {
        self.differ + self.only_in_served + self.only_in_other == 0 && self.not_compared.is_empty()
    }

    /// What there is to tell, a line each.
    pub fn lines(&self) -> Vec<String> {
        let Diff { served, other, .. } = self;
        let counts = [
            (self.equal, "groups are equal".to_owned()),
            (self.differ, "groups differ".to_owned()),
            (self.only_in_served, format!("groups are only in {served}")),
            (self.only_in_other, format!("groups are only in {other}")),
        ];
        let at = as_vector(&self.positions);
        let mut lines = vec![format!("{served} and {other} at {at}")];
        lines.extend(counts.map(|(count, what)| format!("{count} {what}")));
        if !self.not_compared.is_empty() {
            let columns = self.not_compared.join(", ");
            lines.push(format!("not compared, as only one has it so: {columns}"));
        }
        let side = |row: &Option<String>| row.clone().unwrap_or_else(|| "nothing".to_owned());
        let first = self.first.iter();
        lines.extend(first.map(|one| format!("{} -> {}", side(&one.served), side(&one.other))));
        lines
    }
}

impl Shared {
    /// Compares the served version of the view called `name` with the next, or else with the previous.
    pub(super) async fn diff(&self, name: &str) -> Result<Diff, Failure> {
        let versions = self.catalog(|catalog| catalog.versions(name))?;
        let other = versions.at(Beside::Next);
        let other = other.or_else(|_| versions.at(Beside::Previous));
        let name = name.to_owned();
        let other = other.map_err(|_| Refused::NoNext { name: name.clone() })?;
        let (served, other) = (self.find(&name)?, self.find(&other.beside())?);
        let (one, two) = (reader(&served)?, reader(&other)?);
        let (positions, rows) = self.at_one_vector(&one, &two).await?;
        let now = self.parts.clock.now();
        let served = Side::of(&*one, rows.0, now).await?;
        let other = Side::of(&*two, rows.1, now).await?;
        let compared = spawn_blocking(move || compare(&served, &other, positions)).await;
        compared.expect("comparing does not panic, and nobody cuts it off")
    }

    /// What both versions have at one vector. Layers that keep no older vectors agree by chance only, when
    /// no record has come in between; so it is tried again.
    async fn at_one_vector(
        &self,
        one: &Arc<dyn ViewReader>,
        two: &Arc<dyn ViewReader>,
    ) -> Result<(Positions, (Vec<RecordBatch>, Vec<RecordBatch>)), Failure> {
        let deadline = self.parts.clock.now().plus(PATIENCE);
        let mut last = None;
        for attempt in 1..=TRIES_MAX {
            // Whoever is behind is asked first, so that the other one can still come to its vector.
            let swapped = attempt % 2 == 0;
            let (first, second) = if swapped { (two, one) } else { (one, two) };
            let read = read_all(first, QueryOptions::default()).await?;
            let vector = read.as_of.positions;
            let wanted = QueryOptions {
                min_positions: demanded(&first.definition().stream, &vector),
                as_of: Some(vector.clone()),
            };
            match read_all(second, wanted).await {
                Ok(Reading { rows, .. }) if swapped => return Ok((vector, (rows, read.rows))),
                Ok(Reading { rows, .. }) => return Ok((vector, (read.rows, rows))),
                Err(ReadError::Demand { why, .. }) => last = Some(why),
                Err(error) => return Err(error.into()),
            }
            if self.parts.clock.now() >= deadline {
                break;
            }
            tokio::task::yield_now().await;
        }
        let why = last.unwrap_or_default();
        let what = "records came in faster than both versions could be asked at one vector";
        Err(Failure::Incomparable {
            why: format!("{what}: try again ({why})"),
        })
    }
}

fn reader(of: &Hosted) -> Result<Arc<dyn ViewReader>, Failure> {
    // Whether it runs is asked of its columns, which say why it does not.
    of.columns()?;
    of.reader().ok_or_else(|| Failure::Broken {
        name: of.name().to_owned(),
        why: "it does not run".to_owned(),
    })
}

/// The answer of one version, with what is grouped by in front.
struct Side {
    name: String,
    keys: usize,
    rows: RecordBatch,
}

impl Side {
    async fn of(
        reader: &dyn ViewReader,
        groups: Vec<RecordBatch>,
        now: Timestamp,
    ) -> Result<Side, Failure> {
        let definition = keyed(reader.definition());
        let answering = Answering::new(&definition, reader.keys(), reader.aggregates())?;
        let rows = answering.answer(groups, now).await?;
        let rows = concat_batches(answering.columns(), &rows).map_err(|error| written(&error))?;
        Ok(Side {
            name: definition.name,
            keys: definition.keys.len() + 1,
            rows,
        })
    }

    /// The column `name`, with its type.
    fn column(&self, name: &str) -> Option<(&ArrayRef, String)> {
        let schema = self.rows.schema();
        let fields = schema.fields().iter().enumerate().skip(self.keys);
        let (index, field) = fields.into_iter().find(|(_, field)| field.name() == name)?;
        Some((self.rows.column(index), type_of(field)))
    }

    fn names(&self) -> Vec<String> {
        let schema = self.rows.schema();
        let fields = schema.fields().iter().skip(self.keys);
        fields.map(|field| field.name().clone()).collect()
    }

    /// The answer's own columns of one row, as JSON.
    fn shown(&self, row: usize) -> Result<String, ArrowError> {
        let own: Vec<usize> = (self.keys..self.rows.num_columns()).collect();
        let row = self.rows.slice(row, 1).project(&own)?;
        Ok(rows_of(&[row])?.pop().unwrap_or_default())
    }
}

/// `definition` with columns in front that tell its groups apart, also where its answers do not.
fn keyed(definition: &Definition) -> Definition {
    let column = |index: usize, value: Expr| Column {
        name: format!("key {index} of a group"),
        value,
    };
    // A view that groups by nothing has one group, and something has to tell it from none.
    let one = Expr::Value(Value::Number("1".to_owned(), false).into());
    let keys = (0..definition.keys.len()).map(|key| {
        let name = Ident::new(format!("_k{key}"));
        column(key + 1, Expr::Identifier(name))
    });
    let own = definition.columns.iter().cloned();
    let columns = [column(0, one)].into_iter().chain(keys).chain(own);
    Definition {
        columns: columns.collect(),
        ..definition.clone()
    }
}

fn written(error: &ArrowError) -> Failure {
    Failure::Incomparable {
        why: error.to_string(),
    }
}

/// Columns as rows that are ordered and equal as their values are.
fn rows(columns: &[ArrayRef]) -> Result<Rows, ArrowError> {
    let fields = columns.iter();
    let fields = fields.map(|column| SortField::new(column.data_type().clone()));
    RowConverter::new(fields.collect())?.convert_columns(columns)
}

fn compare(served: &Side, other: &Side, positions: Positions) -> Result<Diff, Failure> {
    let types = |side: &Side| -> Vec<String> {
        let schema = side.rows.schema();
        let keys = schema.fields().iter().skip(1).take(side.keys - 1);
        keys.map(|field| type_of(field)).collect()
    };
    let (one, two) = (types(served), types(other));
    if one != two {
        let listed = |types: Vec<String>| types.join(", ");
        let why = format!(
            "{} groups by ({}) and {} by ({})",
            served.name,
            listed(one),
            other.name,
            listed(two)
        );
        return Err(Failure::Incomparable { why });
    }
    let mut names = served.names();
    let more = other.names();
    names.extend(
        more.into_iter()
            .filter(|name| served.column(name).is_none()),
    );
    let is_in_both = |name: &String| match (served.column(name), other.column(name)) {
        (Some((_, one)), Some((_, two))) => one == two,
        _ => false,
    };
    let (compared, not_compared): (Vec<String>, Vec<String>) =
        names.into_iter().partition(is_in_both);
    let diff = Diff {
        served: served.name.clone(),
        other: other.name.clone(),
        positions,
        compared,
        not_compared,
        equal: 0,
        differ: 0,
        only_in_served: 0,
        only_in_other: 0,
        first: Vec::new(),
    };
    counted(diff, served, other).map_err(|error| written(&error))
}

/// `diff` with its counts: both sides are walked through in the order of what they are grouped by.
fn counted(mut diff: Diff, served: &Side, other: &Side) -> Result<Diff, ArrowError> {
    let values = |side: &Side| {
        let columns = diff.compared.iter();
        let columns = columns.filter_map(|name| side.column(name));
        let mut columns: Vec<ArrayRef> = columns.map(|(column, _)| column.clone()).collect();
        // The first column is the same in all rows: no columns in common are no difference.
        columns.push(side.rows.column(0).clone());
        rows(&columns)
    };
    let (values, others) = (values(served)?, values(other)?);
    let keys = rows(&served.rows.columns()[..served.keys])?;
    let other_keys = rows(&other.rows.columns()[..other.keys])?;
    let (mut left, mut right) = (ordered(&keys), ordered(&other_keys));
    loop {
        let order = match (left.last(), right.last()) {
            (None, None) => return Ok(diff),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((one, _)), Some((two, _))) => one.cmp(two),
        };
        let one = (order != Ordering::Greater).then(|| left.pop()).flatten();
        let two = (order != Ordering::Less).then(|| right.pop()).flatten();
        let (one, two) = (one.map(|(_, row)| row), two.map(|(_, row)| row));
        match (one, two) {
            (Some(one), Some(two)) if values.row(one) == others.row(two) => {
                diff.equal += 1;
                continue;
            }
            (Some(_), Some(_)) => diff.differ += 1,
            (Some(_), None) => diff.only_in_served += 1,
            (None, _) => diff.only_in_other += 1,
        }
        if diff.first.len() < SHOWN {
            diff.first.push(Difference {
                served: one.map(|row| served.shown(row)).transpose()?,
                other: two.map(|row| other.shown(row)).transpose()?,
            });
        }
    }
}

/// The rows and where they stand, the first at the end.
fn ordered(rows: &Rows) -> Vec<(Row<'_>, usize)> {
    let mut rows: Vec<(Row<'_>, usize)> = rows.iter().zip(0..).collect();
    rows.sort_unstable_by(|one, other| other.cmp(one));
    rows
}
