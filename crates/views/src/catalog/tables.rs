//! Static tables and their versions: [`Tables`].
//!
//! What must hold: a version that is there stays as it is until its table is dropped, and a table is dropped
//! only when no view is made over any version of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use tidemill_model::Timestamp;

use crate::limits::{TABLE_VERSIONS_MAX, TABLES_MAX};
use crate::static_table::Pinned;

use super::refused::Refused;

/// A version of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableVersion {
    /// Which, and what it is made of.
    pub pinned: Pinned,
    /// When it was put.
    pub created_at: Timestamp,
}

/// All static tables, by their names; the newest version of each last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tables(BTreeMap<String, Vec<TableVersion>>);

impl Tables {
    /// The versions of each table, the newest last.
    pub fn all(&self) -> impl Iterator<Item = &[TableVersion]> {
        self.0.values().map(Vec::as_slice)
    }

    /// The versions of the table called `name`, the newest last.
    pub fn versions(&self, name: &str) -> Result<&[TableVersion], Refused> {
        let name = name.to_owned();
        let versions = self.0.get(&name).map(Vec::as_slice);
        versions.ok_or(Refused::NoTable { name })
    }

    /// The newest version of the table called `name`.
    pub fn newest(&self, name: &str) -> Result<&Pinned, Refused> {
        let newest = self.versions(name)?.last();
        newest
            .map(|newest| &newest.pinned)
            .ok_or_else(|| Refused::NoTable {
                name: name.to_owned(),
            })
    }

    pub(super) fn put(&mut self, at: Timestamp, pinned: Pinned) -> Result<(), Refused> {
        let is_new = !self.0.contains_key(&pinned.table);
        if is_new && self.0.len() >= TABLES_MAX {
            return Err(Refused::TooManyTables { limit: TABLES_MAX });
        }
        let newest = self
            .newest(&pinned.table)
            .map_or(0, |newest| newest.version);
        let name = pinned.table.clone();
        if pinned.version != newest + 1 {
            return Err(Refused::OtherTable {
                name,
                found: newest,
            });
        }
        let versions = self.0.entry(name).or_default();
        if versions.len() >= TABLE_VERSIONS_MAX {
            return Err(Refused::TooManyTableVersions {
                name: pinned.table,
                limit: TABLE_VERSIONS_MAX,
            });
        }
        versions.push(TableVersion {
            pinned,
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
