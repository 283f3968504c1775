//! How queries read views: [`ViewReader`] and [`ViewSource`], the seam between the SQL engine and what
//! serves views.
//!
//! The engine asks for the groups of a view, with the finals of their aggregates, and computes columns,
//! `HAVING`, order and limit above them itself. What must hold: the groups of one reading are those of one
//! vector of positions, and the reading says which. Filters are hints: a reader gives at least the groups
//! that pass them, and the engine looks again.

use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::RecordBatch;
use futures_util::future::BoxFuture;
use thiserror::Error;

use tidemill_model::ShardId;

use crate::definition::Definition;
use crate::positions::Positions;
use crate::state::{Aggregate, Class};
use crate::static_table::{StaticTable, TableVersion};
use crate::value::{Type, Value};

/// One view, as queries see it.
pub trait ViewReader: Send + Sync {
    /// What it was made of.
    fn definition(&self) -> &Definition;

    /// The types of `_k0` and so on.
    fn keys(&self) -> &[Type];

    /// What `_a0` and so on are.
    fn aggregates(&self) -> &[Aggregate];

    /// The groups that pass `filters`, at least.
    fn read<'a>(
        &'a self,
        filters: &'a [KeyFilter],
        options: &'a QueryOptions,
    ) -> BoxFuture<'a, Result<Reading, ReadError>>;
}

/// All views, and what can be said about them other than queries.
pub trait ViewSource: Send + Sync {
    /// The views that can be queried, in the order of their names.
    fn views(&self) -> Vec<Arc<dyn ViewReader>>;

    /// The names of the tables that can be queried beside them, in their order.
    fn tables(&self) -> Vec<String> {
        Vec::new()
    }

    /// The version that is meant by `name`: the newest one of `stores`, or `stores@2`.
    fn table_version(&self, _name: &str) -> Option<TableVersion> {
        None
    }

    /// Reads a version.
    fn table<'a>(
        &'a self,
        version: &'a TableVersion,
    ) -> BoxFuture<'a, Result<Arc<StaticTable>, Denied>> {
        let why = format!("there is no table {}", version.name);
        let hint = String::new();
        Box::pin(async move { Err(Denied { why, hint }) })
    }

    /// Carries out `statement`, a `CREATE VIEW` or the like, and gives what is to be told of it; or says
    /// why not, in words for the one who typed it.
    fn carry_out<'a>(&'a self, statement: &'a str) -> BoxFuture<'a, Result<Done, Denied>>;
}

/// Which groups a query wants, by one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFilter {
    /// Which key: 0 is `_k0`.
    pub key: usize,
    /// From which value on.
    pub from: Bound<Value>,
    /// Up to which value. Nulls pass no filter.
    pub to: Bound<Value>,
}

impl KeyFilter {
    /// The one value that passes, when there is one.
    pub fn equals(&self) -> Option<&Value> {
        match (&self.from, &self.to) {
            (Bound::Included(from), Bound::Included(to)) if from == to => Some(from),
            _ => None,
        }
    }
}

/// What a query demands of what it reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueryOptions {
    /// Records that have to be in the answer, of any streams.
    pub min_positions: Vec<MinPosition>,
    /// The vector that is to be answered at; none for the newest.
    pub as_of: Option<Positions>,
}

/// A record that has to be in an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MinPosition {
    /// The name of its stream.
    pub stream: String,
    /// Its shard.
    pub shard: ShardId,
    /// Its place there.
    pub position: u64,
}

/// Groups of a view, and what they are as of.
#[derive(Clone, Debug)]
pub struct Reading {
    /// `_k0`, …, `_a0`, …: the types are those of the reader, a row is a group.
    pub rows: Vec<RecordBatch>,
    /// What they are as of.
    pub as_of: AsOf,
}

/// What an answer is as of.
#[derive(Clone, Debug, PartialEq)]
pub struct AsOf {
    /// The view.
    pub view: String,
    /// One past the last position of each shard that is in the answer.
    pub positions: Positions,
    /// How many times the batch view has been swapped.
    pub epoch: u64,
    /// How long ago the newest record that is missing became durable; none is missing when it is zero.
    pub lag: Duration,
    /// How exact the answer is.
    pub class: Class,
}

/// Why a view cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReadError {
    /// The answer would be wrong, or there is none.
    #[error("{view} cannot be answered: {why}")]
    Unanswerable {
        /// The view.
        view: String,
        /// Why, and what to do.
        why: String,
    },
    /// What was demanded is not there yet, or not any more.
    #[error("{view} cannot be answered as demanded: {why}")]
    Demand {
        /// The view.
        view: String,
        /// Which demand, and why.
        why: String,
    },
}

/// What a statement did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// What it is called when it is done: `CREATE VIEW`.
    pub tag: String,
    /// What is to be told of it, a line each: how exact the view is, which columns were inferred.
    pub notices: Vec<String>,
}

/// Why a statement was not carried out, and what to type next.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{why}")]
pub struct Denied {
    /// Why.
    pub why: String,
    /// What to type next; empty when nothing comes to mind.
    pub hint: String,
}
