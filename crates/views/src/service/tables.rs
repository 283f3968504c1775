//! Static tables: put, told of, dropped, and given to the views and queries that look things up in them.

use std::sync::{Arc, PoisonError};

use futures_util::future::BoxFuture;
use tokio::task::spawn_blocking;

use crate::catalog::{Command, TableEntry};
use crate::definition::Definition;
use crate::static_table::{StaticTable, TableError, TableVersion};
use crate::view_reader::Denied;

use super::Shared;
use super::failure::Failure;

/// What putting a table did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutTable {
    /// The version that there is now.
    pub version: TableVersion,
    /// Whether it was made; the newest one had the same bytes already when not.
    pub is_new: bool,
    /// Fields that are no columns, and why.
    pub left_out: Vec<(String, String)>,
}

impl Shared {
    /// Makes `bytes` the newest version of the table called `name`.
    pub(super) async fn put_table(&self, name: &str, bytes: &[u8]) -> Result<PutTable, Failure> {
        let _changing = self.changing.lock().await;
        let newest = self.catalog(|catalog| catalog.tables().newest(name).cloned().ok());
        let number = newest.as_ref().map_or(1, |newest| newest.number + 1);
        let (called, content) = (name.to_owned(), bytes.to_vec());
        let table = aside(move || StaticTable::of(&called, number, &content)).await?;
        let left_out = table.left_out.clone();
        if let Some(newest) = newest.filter(|newest| newest.digest == table.version.digest) {
            // What was damaged is whole again.
            let version = newest.clone();
            self.keep(&StaticTable { version, ..table }, bytes)?;
            return Ok(PutTable {
                version: newest,
                is_new: false,
                left_out,
            });
        }
        let version = table.version.clone();
        self.catalog(|catalog| catalog.check_table(&version))?;
        self.keep(&table, bytes)?;
        self.submit(Command::PutTable {
            version: version.clone(),
        })
        .await?;
        Ok(PutTable {
            version,
            is_new: true,
            left_out,
        })
    }

    fn keep(&self, table: &StaticTable, bytes: &[u8]) -> Result<(), Failure> {
        let kept = table.keep(&*self.parts.tables, bytes);
        kept.map_err(|error| Failure::Storage(error.to_string()))
    }

    /// Drops the table called `name`, with all its versions.
    pub(super) async fn drop_table(&self, name: &str) -> Result<(), Failure> {
        let _changing = self.changing.lock().await;
        let versions: Vec<TableEntry> =
            self.catalog(|catalog| catalog.tables().versions(name).map(<[_]>::to_vec))?;
        let name = name.to_owned();
        self.submit(Command::DropTable { name: name.clone() })
            .await?;
        self.held_tables().remove(&name);
        for entry in versions {
            if let Err(error) = entry.version.remove(&*self.parts.tables) {
                tracing::warn!(%error, "a dropped table has left a file behind");
            }
        }
        Ok(())
    }

    /// The newest versions of the tables that `definition` joins.
    pub(super) fn newest_tables(
        &self,
        definition: &Definition,
    ) -> Result<Vec<TableVersion>, Failure> {
        let joins = definition.joins.iter();
        let newest = joins.map(|join| {
            self.catalog(|catalog| catalog.tables().newest(&join.table).cloned())
                .map_err(Failure::from)
        });
        newest.collect()
    }

    /// Reads versions of tables.
    pub(super) fn read_tables(
        &self,
        versions: &[TableVersion],
    ) -> Result<Vec<Arc<StaticTable>>, Failure> {
        let read = versions.iter().map(|version| {
            let table = version.read(&*self.parts.tables)?;
            Ok(Arc::new(table))
        });
        read.collect()
    }

    /// The version that a query means by `name`: the newest one of `stores`, or `stores@2`.
    pub(super) fn named_version(&self, name: &str) -> Option<TableVersion> {
        let (name, number) = match name.split_once('@') {
            Some((name, number)) => (name, Some(number.parse::<u32>().ok()?)),
            None => (name, None),
        };
        self.catalog(|catalog| {
            let versions = catalog.tables().versions(name).ok()?;
            let mut newest_first = versions.iter().rev().map(|entry| &entry.version);
            let is_it =
                |version: &&TableVersion| number.is_none_or(|wanted| version.number == wanted);
            newest_first.find(is_it).cloned()
        })
    }

    /// Reads a version for queries; the one that was read last is held.
    pub(super) fn queried_table<'a>(
        &'a self,
        version: &'a TableVersion,
    ) -> BoxFuture<'a, Result<Arc<StaticTable>, Denied>> {
        Box::pin(async move {
            let held = self.held_tables().get(&version.name).cloned();
            if let Some(table) = held.filter(|held| held.version == *version) {
                return Ok(table);
            }
            let (store, wanted) = (Arc::clone(&self.parts.tables), version.clone());
            let read = aside(move || wanted.read(&*store)).await;
            let table = Arc::new(read.map_err(|error| Failure::from(error).denied())?);
            self.held_tables()
                .insert(version.name.clone(), Arc::clone(&table));
            Ok(table)
        })
    }

    fn held_tables(&self) -> super::HeldTables<'_> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Does `work`, which may take its time, where it may block.
async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, TableError> + Send + 'static,
) -> Result<T, TableError> {
    let done = spawn_blocking(work).await;
    done.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}
