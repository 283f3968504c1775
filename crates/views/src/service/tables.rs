//! Static tables: put, told of, dropped, and given to the views that are made over them.

use std::sync::Arc;

use crate::catalog::{Command, Refused, TableVersion, check_name};
use crate::definition::Definition;
use crate::static_table::{Pinned, StaticTable};

use super::Shared;
use super::failure::Failure;

/// What putting a table did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutTable {
    /// The version that there is now.
    pub pinned: Pinned,
    /// Whether it was made; the newest one had the same bytes already when not.
    pub is_new: bool,
    /// Fields that are no columns, and why.
    pub left_out: Vec<(String, String)>,
}

impl Shared {
    /// Makes `bytes` the newest version of the table called `name`.
    pub(super) async fn put_table(&self, name: &str, bytes: &[u8]) -> Result<PutTable, Failure> {
        let _changing = self.changing.lock().await;
        check_name(name)?;
        self.catalog(|catalog| match catalog.view(name) {
            Ok(_) => Err(Refused::ViewExists {
                name: name.to_owned(),
            }),
            Err(_) => Ok(()),
        })?;
        let newest = self.catalog(|catalog| catalog.tables().newest(name).cloned().ok());
        let version = newest.as_ref().map_or(1, |newest| newest.version + 1);
        let table = StaticTable::of(name, version, bytes)?;
        let left_out = table.left_out.clone();
        if let Some(newest) = newest.filter(|newest| newest.digest == table.pinned.digest) {
            // What was damaged is whole again.
            let pinned = newest.clone();
            self.keep(&StaticTable { pinned, ..table }, bytes)?;
            return Ok(PutTable {
                pinned: newest,
                is_new: false,
                left_out,
            });
        }
        self.keep(&table, bytes)?;
        let pinned = table.pinned.clone();
        self.submit(Command::PutTable {
            table: pinned.clone(),
        })
        .await?;
        Ok(PutTable {
            pinned,
            is_new: true,
            left_out,
        })
    }

    fn keep(&self, table: &StaticTable, bytes: &[u8]) -> Result<(), Failure> {
        let kept = table.keep(&*self.parts.store, bytes);
        kept.map_err(|error| Failure::Storage(error.to_string()))
    }

    /// Drops the table called `name`, with all its versions.
    pub(super) async fn drop_table(&self, name: &str) -> Result<(), Failure> {
        let _changing = self.changing.lock().await;
        let versions: Vec<TableVersion> =
            self.catalog(|catalog| catalog.tables().versions(name).map(<[_]>::to_vec))?;
        let name = name.to_owned();
        self.submit(Command::DropTable { name }).await?;
        for version in versions {
            if let Err(error) = version.pinned.remove(&*self.parts.store) {
                tracing::warn!(%error, "a dropped table has left a file behind");
            }
        }
        Ok(())
    }

    /// The newest versions of the tables that `definition` joins.
    pub(super) fn newest_tables(&self, definition: &Definition) -> Result<Vec<Pinned>, Failure> {
        let joins = definition.joins.iter();
        let newest = joins.map(|join| {
            self.catalog(|catalog| catalog.tables().newest(&join.table).cloned())
                .map_err(Failure::from)
        });
        newest.collect()
    }

    /// Reads versions of tables.
    pub(super) fn read_tables(&self, pinned: &[Pinned]) -> Result<Vec<Arc<StaticTable>>, Failure> {
        let read = pinned.iter().map(|pinned| {
            let table = pinned.read(&*self.parts.store)?;
            Ok(Arc::new(table))
        });
        read.collect()
    }

    /// The rows of a table as queries see them: the newest version of `carriers`, or `carriers@2`.
    pub(super) fn queried_table(&self, name: &str) -> Option<Arc<StaticTable>> {
        let (name, version) = match name.split_once('@') {
            Some((name, version)) => (name, Some(version.parse::<u32>().ok()?)),
            None => (name, None),
        };
        let pinned = self.catalog(|catalog| {
            let versions = catalog.tables().versions(name).ok()?;
            let mut newest_first = versions.iter().rev().map(|version| &version.pinned);
            let found = newest_first.find(|one| version.is_none_or(|wanted| one.version == wanted));
            found.cloned()
        })?;
        let mut held = self
            .tables
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(table) = held.get(&pinned.table).filter(|held| held.pinned == pinned) {
            return Some(Arc::clone(table));
        }
        match pinned.read(&*self.parts.store) {
            Ok(table) => {
                let table = Arc::new(table);
                held.insert(pinned.table, Arc::clone(&table));
                Some(table)
            }
            Err(error) => {
                tracing::error!(%error, "a static table cannot be read");
                None
            }
        }
    }
}
