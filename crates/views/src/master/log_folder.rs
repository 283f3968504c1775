//! The folder of a table's log: which versions there are, and what they come to, [`LogFolder`].

use serde::{Deserialize, Serialize};
use tracing::warn;

use tidemill_log::blobs;

use crate::store::{Put, Store};

use super::action::{self, Action, Texts};
use super::checkpoint;
use super::failure::TableError;
use super::snapshot::{Malformed, Replay, Snapshot};

const FOLDER: &str = "_delta_log";
const COMMIT: &str = ".json";
const CHECKPOINT: &str = ".checkpoint.parquet";
const LAST_CHECKPOINT: &str = "_last_checkpoint";
const SHA256_TAG: &str = "tidemill.sha256";

/// Which checkpoint is the last.
#[derive(Debug, Serialize, Deserialize)]
struct Hint {
    version: u64,
    /// How many actions it has.
    size: usize,
    tags: Texts,
}

/// The log of the table in a folder.
pub struct LogFolder<'a> {
    store: &'a dyn Store,
    folder: String,
}

/// What a log comes to: its actions, the table, and the version of its last checkpoint.
pub type Loaded = (Replay, Snapshot, Option<u64>);

impl<'a> LogFolder<'a> {
    /// The log of the table in `table`.
    pub fn new(store: &'a dyn Store, table: &str) -> LogFolder<'a> {
        LogFolder {
            store,
            folder: format!("{table}/{FOLDER}"),
        }
    }

    /// What the log comes to; none when there is no log.
    pub fn load(&self) -> Result<Option<Loaded>, TableError> {
        let names = self.store.list(&self.folder).map_err(TableError::Store)?;
        let commits = names.iter().filter_map(|name| version_of(name));
        let Some(newest) = commits.max() else {
            return Ok(None);
        };
        let base = self.checkpoint().filter(|(version, _)| *version <= newest);
        let (mut replay, next) = match &base {
            Some((version, replay)) => (replay.clone(), version + 1),
            None => (Replay::default(), 0),
        };
        for version in next..=newest {
            replay.apply(version, self.commit(version)?)?;
        }
        let snapshot = Snapshot::check(newest, &replay)?;
        Ok(Some((replay, snapshot, base.map(|(version, _)| version))))
    }

    /// The last checkpoint; none when it cannot be read or is damaged, because the commits can be read.
    fn checkpoint(&self) -> Option<(u64, Replay)> {
        match self.read_checkpoint() {
            Ok(found) => found,
            Err(what) => {
                warn!(log = %self.folder, %what, "no checkpoint: the commits are read from the first");
                None
            }
        }
    }

    fn read_checkpoint(&self) -> Result<Option<(u64, Replay)>, String> {
        let read = |path: &str| self.store.read(path).map_err(|error| error.to_string());
        let Some(hint) = read(&self.hint_path())? else {
            return Ok(None);
        };
        let hint: Hint = serde_json::from_slice(&hint).map_err(|error| error.to_string())?;
        let path = self.path(hint.version, CHECKPOINT);
        let bytes = read(&path)?.ok_or_else(|| format!("{path} is gone"))?;
        if hint.tags.get(SHA256_TAG) != Some(&blobs::name_of(&bytes)) {
            return Err(format!("{path} is damaged"));
        }
        let actions = checkpoint::decode(bytes).map_err(|error| error.to_string())?;
        let replay = Replay::of_checkpoint(hint.version, actions);
        let replay = replay.map_err(|error| error.to_string())?;
        Ok(Some((hint.version, replay)))
    }

    fn commit(&self, version: u64) -> Result<Vec<Action>, TableError> {
        let bytes = self
            .store
            .read(&self.path(version, COMMIT))
            .map_err(TableError::Store)?;
        let malformed = |what: String| Malformed::Commit { version, what };
        let bytes = bytes.ok_or_else(|| malformed("the commit is missing".to_owned()))?;
        let actions = action::read(&bytes).map_err(|error| malformed(error.to_string()))?;
        Ok(actions)
    }

    /// Puts a commit, if there is none of this version.
    pub fn put(&self, version: u64, actions: &[Action]) -> Result<Put, TableError> {
        let path = self.path(version, COMMIT);
        let put = self.store.put_new(&path, &action::written(actions));
        put.map_err(|source| TableError::Commit { version, source })
    }

    /// Puts the checkpoint of a version, and a hint for those who look for it.
    pub fn put_checkpoint(
        &self,
        version: u64,
        bytes: &[u8],
        actions: usize,
    ) -> Result<(), TableError> {
        let path = self.path(version, CHECKPOINT);
        if self
            .store
            .put_new(&path, bytes)
            .map_err(TableError::Store)?
            == Put::Exists
        {
            // Left behind by a process that died, or damaged.
            self.store
                .replace(&path, bytes)
                .map_err(TableError::Store)?;
        }
        let tags = [(SHA256_TAG.to_owned(), blobs::name_of(bytes))].into();
        let hint = Hint {
            version,
            size: actions,
            tags,
        };
        let hint = serde_json::to_vec(&hint).expect("a hint has texts and numbers only");
        let put = self.store.replace(&self.hint_path(), &hint);
        put.map_err(TableError::Store)
    }

    fn hint_path(&self) -> String {
        format!("{}/{LAST_CHECKPOINT}", self.folder)
    }

    fn path(&self, version: u64, suffix: &str) -> String {
        format!("{}/{version:020}{suffix}", self.folder)
    }
}

fn version_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(COMMIT)?;
    let is_version = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| is_version)
}
