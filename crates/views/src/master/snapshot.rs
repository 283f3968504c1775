//! What a table is at a version of its log: [`Replay`] puts commits together, [`Snapshot`] is what has
//! been checked.
//!
//! What must hold of a snapshot: the protocol is the one we write; every file has our tags; the spans of
//! the files tile up to the positions in the log, and their epochs up to the last epoch in it; positions
//! and epochs have never gone back. A table that is not so is refused, whatever made it so.

use std::collections::BTreeMap;

use thiserror::Error;

use tidemill_model::{ShardId, Timestamp};

use crate::positions::Positions;
use crate::schema::Schema;

use super::action::{Action, Add, Metadata, PROTOCOL, Protocol, Remove, Txn};
use super::data_file::{DataFile, is_same_json};
use super::delta_schema;
use super::rows;
use super::tiling::{self, Untiled};

/// The `txn` that says which epoch was the last.
pub const EPOCH_TXN: &str = "tidemill.epoch";
/// What the `txn` of a shard's end begins with; the shard's number follows.
pub const SHARD_TXN: &str = "tidemill.shard.";
/// The setting that holds the schema.
pub const SCHEMA_SETTING: &str = "tidemill.schema";

/// Why commits do not come to a table of ours.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Malformed {
    /// A line that we do not write, or in another order.
    #[error("version {version}: {what}")]
    Commit {
        /// The version of the commit.
        version: u64,
        /// What is wrong with it.
        what: String,
    },
    /// There is no protocol or no metadata, or another one than ours.
    #[error("the table has no {what} that is known here")]
    Missing {
        /// What is missing.
        what: &'static str,
    },
    /// A file that we did not write.
    #[error("file {name} has no tags of ours")]
    Foreign {
        /// Its name.
        name: String,
    },
    /// Positions are lost or doubled.
    #[error(transparent)]
    Untiled(#[from] Untiled),
    /// Epochs are lost or doubled.
    #[error("epoch {expected} is in no file or in two")]
    Epochs {
        /// The first that is.
        expected: u64,
    },
}

/// The actions that are left of a log.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Replay {
    protocol: Option<Protocol>,
    metadata: Option<Metadata>,
    txns: BTreeMap<String, Txn>,
    files: BTreeMap<String, Add>,
    removed: BTreeMap<String, Remove>,
}

impl Replay {
    /// Takes in the actions of the next commit.
    pub fn apply(&mut self, version: u64, actions: Vec<Action>) -> Result<(), Malformed> {
        for action in actions {
            let applied = self.apply_one(action);
            applied.map_err(|what| Malformed::Commit { version, what })?;
        }
        Ok(())
    }

    fn apply_one(&mut self, action: Action) -> Result<(), String> {
        match action {
            Action::CommitInfo(_) => {}
            Action::Protocol(protocol) => self.protocol = Some(protocol),
            Action::MetaData(metadata) => self.metadata = Some(*metadata),
            Action::Txn(txn) => {
                let held = self.txns.get(&txn.app_id);
                if held.is_some_and(|held| held.version > txn.version) {
                    return Err(format!("{} goes back to {}", txn.app_id, txn.version));
                }
                self.txns.insert(txn.app_id.clone(), txn);
            }
            Action::Add(add) => {
                let add = Add {
                    data_change: false,
                    ..*add
                };
                let name = add.path.clone();
                if self.files.insert(name.clone(), add).is_some() {
                    return Err(format!("{name} is added twice"));
                }
                self.removed.remove(&name);
            }
            Action::Remove(remove) => {
                let remove = Remove {
                    data_change: false,
                    ..*remove
                };
                let name = remove.path.clone();
                self.removed.insert(name.clone(), remove);
                if self.files.remove(&name).is_none() {
                    return Err(format!("{name} is removed and was not there"));
                }
            }
        }
        Ok(())
    }

    /// Takes in the actions of a checkpoint.
    pub fn of_checkpoint(version: u64, actions: Vec<Action>) -> Result<Replay, Malformed> {
        let mut replay = Replay::default();
        let is_remove = |action: &Action| matches!(action, Action::Remove(_));
        let (removes, others): (Vec<_>, Vec<_>) = actions.into_iter().partition(is_remove);
        replay.apply(version, others)?;
        for action in removes {
            if let Action::Remove(remove) = action {
                replay.removed.insert(remove.path.clone(), *remove);
            }
        }
        Ok(replay)
    }

    /// The actions of a checkpoint.
    pub fn actions(&self) -> Vec<Action> {
        let mut actions = Vec::new();
        actions.extend(self.protocol.map(Action::Protocol));
        actions.extend(
            self.metadata
                .clone()
                .map(|metadata| Action::MetaData(Box::new(metadata))),
        );
        actions.extend(self.txns.values().cloned().map(Action::Txn));
        actions.extend(
            self.files
                .values()
                .cloned()
                .map(|add| Action::Add(Box::new(add))),
        );
        let removes = self.removed.values().cloned();
        actions.extend(removes.map(|remove| Action::Remove(Box::new(remove))));
        actions
    }

    /// What the table is.
    pub fn metadata(&self) -> Option<&Metadata> {
        self.metadata.as_ref()
    }
}

/// A table as it is at a version, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// The version of the log.
    pub version: u64,
    /// The columns that are read out of payloads.
    pub schema: Schema,
    /// The files, in the order of their epochs.
    pub files: Vec<DataFile>,
    /// Files that are part of it no more, and since when.
    pub removed: BTreeMap<String, Timestamp>,
    /// One past the last position of each shard.
    pub positions: Positions,
    /// The epoch that comes next.
    pub next_epoch: u64,
}

impl Snapshot {
    /// The snapshot that `replay` comes to, when everything holds that must.
    pub fn check(version: u64, replay: &Replay) -> Result<Snapshot, Malformed> {
        if replay.protocol != Some(PROTOCOL) {
            return Err(Malformed::Missing { what: "protocol" });
        }
        let schema = replay.metadata.as_ref().and_then(schema_of);
        let schema = schema.ok_or(Malformed::Missing { what: "schema" })?;
        let files = replay.files.values().map(|add| {
            let name = add.path.clone();
            DataFile::of(add).ok_or(Malformed::Foreign { name })
        });
        let mut files = files.collect::<Result<Vec<_>, _>>()?;
        files.sort_by_key(|file| file.first_epoch);
        let (positions, next_epoch) = ends(version, &replay.txns)?;
        tiling::check(files.iter().flat_map(DataFile::spans), &positions)?;
        check_epochs(&files, next_epoch)?;
        let removed = replay.removed.values().map(|remove| {
            let millis = u64::try_from(remove.deletion_timestamp.unwrap_or(0)).unwrap_or(0);
            (remove.path.clone(), Timestamp::from_millis(millis))
        });
        Ok(Snapshot {
            version,
            schema,
            removed: removed.collect(),
            files,
            positions,
            next_epoch,
        })
    }

    /// One past the last position of `shard`.
    pub fn position(&self, shard: ShardId) -> u64 {
        self.positions.get(&shard).copied().unwrap_or(0)
    }
}

/// The schema of a table, when the columns that others see are those that it has.
fn schema_of(metadata: &Metadata) -> Option<Schema> {
    let text = metadata.configuration.get(SCHEMA_SETTING)?;
    let schema: Schema = serde_json::from_str(text).ok()?;
    let columns = delta_schema::written(&rows::arrow_schema(&schema));
    is_same_json(&columns, &metadata.schema_string).then_some(schema)
}

fn ends(version: u64, txns: &BTreeMap<String, Txn>) -> Result<(Positions, u64), Malformed> {
    let mut positions = Positions::new();
    let mut next_epoch = 0;
    for txn in txns.values() {
        let number = u64::try_from(txn.version).ok();
        let shard = txn.app_id.strip_prefix(SHARD_TXN).map(str::parse);
        match (number, shard) {
            (Some(end), Some(Ok(shard))) => {
                positions.insert(ShardId(shard), end);
            }
            (Some(epoch), None) if txn.app_id == EPOCH_TXN => next_epoch = epoch + 1,
            _ => {
                let what = format!("{} {} is not of ours", txn.app_id, txn.version);
                return Err(Malformed::Commit { version, what });
            }
        }
    }
    Ok((positions, next_epoch))
}

fn check_epochs(files: &[DataFile], next_epoch: u64) -> Result<(), Malformed> {
    let mut expected = 0;
    for file in files {
        if file.first_epoch != expected {
            return Err(Malformed::Epochs { expected });
        }
        expected = file.last_epoch + 1;
    }
    if expected == next_epoch {
        Ok(())
    } else {
        Err(Malformed::Epochs { expected })
    }
}
