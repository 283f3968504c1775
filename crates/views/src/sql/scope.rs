//! What belongs to one query: [`Scope`], which its tables find in the settings of its session.
//!
//! What must hold: a query sees each view at one vector of positions, however often it names it. A view that
//! is named once is read with the filters of the query; one that is named more often is read once, whole.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use crate::static_table::TableVersion;
use crate::view_reader::{AsOf, KeyFilter, QueryOptions, ReadError, Reading, ViewReader};

/// What one query demands, and what it has read.
#[derive(Debug, Default)]
pub struct Scope {
    options: QueryOptions,
    /// The views that it names more than once.
    repeated: BTreeSet<String>,
    held: tokio::sync::Mutex<BTreeMap<String, Reading>>,
    read: Mutex<Vec<AsOf>>,
    tables: Mutex<BTreeSet<TableUsed>>,
}

/// A version of a static table that a query has read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TableUsed {
    /// The name of the table.
    pub name: String,
    /// The number of the version.
    pub number: u32,
    /// SHA-256 of its bytes.
    pub digest: String,
}

impl Scope {
    /// Of a query with these `options`, which names the views in `repeated` more than once.
    pub fn new(options: QueryOptions, repeated: BTreeSet<String>) -> Scope {
        Scope {
            options,
            repeated,
            ..Scope::default()
        }
    }

    /// Reads a view.
    pub async fn read(
        &self,
        reader: &Arc<dyn ViewReader>,
        filters: &[KeyFilter],
    ) -> Result<Reading, ReadError> {
        let view = &reader.definition().name;
        if !self.repeated.contains(view) {
            return self.read_anew(reader, filters).await;
        }
        let mut held = self.held.lock().await;
        if let Some(reading) = held.get(view) {
            return Ok(reading.clone());
        }
        let reading = self.read_anew(reader, &[]).await?;
        held.insert(view.clone(), reading.clone());
        Ok(reading)
    }

    async fn read_anew(
        &self,
        reader: &Arc<dyn ViewReader>,
        filters: &[KeyFilter],
    ) -> Result<Reading, ReadError> {
        let reading = reader.read(filters, &self.options).await?;
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.push(reading.as_of.clone());
        Ok(reading)
    }

    /// Notes that a version of a static table is read.
    pub fn note(&self, version: &TableVersion) {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        tables.insert(TableUsed {
            name: version.name.clone(),
            number: version.number,
            digest: version.digest.clone(),
        });
    }

    /// The versions of static tables that were read, in the order of their names.
    pub fn tables(&self) -> Vec<TableUsed> {
        let tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        tables.iter().cloned().collect()
    }

    /// What the views that were read are as of, in the order of their names.
    pub fn as_of(&self) -> Vec<AsOf> {
        let read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let mut as_of = read.clone();
        as_of.sort_by(|one, other| one.view.cmp(&other.view));
        as_of
    }
}
