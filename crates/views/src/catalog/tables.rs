//! Static tables and their versions: [`Tables`].
//!
//! What must hold: a version that is there stays as it is until its table is dropped, and a table is dropped
//! only when no view is made over any version of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use tidemill_model::Timestamp;

use crate::limits::{TABLE_VERSIONS_MAX, TABLES_MAX};
use crate::static_table::TableVersion;

use super::refused::Refused;

/// A version of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableEntry {
    /// Which, and what it is made of.
    pub version: TableVersion,
    /// When it was put.
    pub created_at: Timestamp,
}

/// All static tables, by their names; the newest version of each last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tables(BTreeMap<String, Vec<TableEntry>>);

impl Tables {
    /// The versions of each table, the newest last.
    pub fn all(&self) -> impl Iterator<Item = &[TableEntry]> {
        self.0.values().map(Vec::as_slice)
    }

    /// The versions of the table called `name`, the newest last.
    pub fn versions(&self, name: &str) -> Result<&[TableEntry], Refused> {
        let name = name.to_owned();
        let versions = self.0.get(&name).map(Vec::as_slice);
        versions.ok_or(Refused::NoTable { name })
    }

    /// The newest version of the table called `name`.
    pub fn newest(&self, name: &str) -> Result<&TableVersion, Refused> {
        let newest = self.versions(name)?.last();
        newest
            .map(|newest| &newest.version)
            .ok_or_else(|| Refused::NoTable {
                name: name.to_owned(),
            })
    }

    /// Whether `version` may be the next one of its table.
    pub fn check(&self, version: &TableVersion) -> Result<(), Refused> {
        let name = version.name.clone();
        let versions = self.0.get(&name).map_or(&[][..], Vec::as_slice);
        if versions.is_empty() && self.0.len() >= TABLES_MAX {
            return Err(Refused::TooManyTables { limit: TABLES_MAX });
        }
        if versions.len() >= TABLE_VERSIONS_MAX {
            let limit = TABLE_VERSIONS_MAX;
            return Err(Refused::TooManyTableVersions { name, limit });
        }
        let found = versions.last().map_or(0, |newest| newest.version.number);
        match version.number == found + 1 {
            true => Ok(()),
            false => Err(Refused::OtherTable { name, found }),
        }
    }

    pub(super) fn put(&mut self, at: Timestamp, version: TableVersion) -> Result<(), Refused> {
        self.check(&version)?;
        let versions = self.0.entry(version.name.clone()).or_default();
        versions.push(TableEntry {
            version,
            created_at: at,
        });
        Ok(())
    }

    pub(super) fn remove(&mut self, name: &str) -> Result<(), Refused> {
        let removed = self.0.remove(name);
        removed.map(|_| ()).ok_or_else(|| Refused::NoTable {
            name: name.to_owned(),
        })
    }
}
