//! The master dataset of a stream: [`Table`], a Delta table that is only ever appended to.
//!
//! ```text
//! <folder>/epoch-000000000007-1f0c….parquet               the records of one epoch
//! <folder>/epoch-000000000000-000000000006-….parquet      of several, after compaction
//! <folder>/_delta_log/00000000000000000042.json           a commit: files and positions, together
//! <folder>/_delta_log/00000000000000000042.checkpoint.parquet
//! ```
//!
//! What must hold: files and positions change in one commit, which is one file that is put only where
//! none is; data files are durable before the commit that names them. So a crash at any point leaves the
//! version before or the version after, and files that no commit names, which [`Table::sweep`] removes.
//! Everything that must hold of a snapshot is checked at every open and after every commit.
//!
//! One writer has a table at a time. A second one loses the race for a version and is told so.

use std::sync::Arc;

use arrow_array::RecordBatch;
use bytes::Bytes;
use serde_json::json;
use sha2::{Digest, Sha256};

use tidemill_model::entropy::uuid_from;
use tidemill_model::{Record, ShardId, StreamArn, Timestamp};

use crate::positions::{self, Span};
use crate::schema::Schema;
use crate::store::{Put, Store};

use super::action::{Action, FileFormat, Metadata, PROTOCOL, Texts, Txn};
use super::checkpoint;
use super::data_file::{self, DataFile};
use super::delta_schema;
use super::failure::TableError;
use super::log_folder::LogFolder;
use super::rows::{self, Encoded};
use super::snapshot::{EPOCH_TXN, Replay, SCHEMA_SETTING, SHARD_TXN, Snapshot};

const STREAM_SETTING: &str = "tidemill.stream";
const INCARNATION_SETTING: &str = "tidemill.incarnation";

/// Which stream a table is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The stream.
    pub stream: StreamArn,
    /// Which of those that had its name, as `Source::incarnation` says.
    pub incarnation: u64,
}

/// A part of a shard that an epoch seals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The positions.
    pub span: Span,
    /// Their records, all of them; or none, when retention took them before they were read.
    pub records: Vec<Record>,
}

/// A table that is open for writing.
pub struct Table {
    store: Arc<dyn Store>,
    folder: String,
    replay: Replay,
    snapshot: Snapshot,
    checkpointed: Option<u64>,
    /// Whether a change has failed in a way that leaves open what the table is.
    is_unsure: bool,
}

impl Table {
    /// Opens the table in `folder`, and makes it if there is none.
    pub fn open(
        store: Arc<dyn Store>,
        folder: &str,
        subject: &Subject,
        schema: &Schema,
        now: Timestamp,
    ) -> Result<Table, TableError> {
        let log = LogFolder::new(&*store, folder);
        let (replay, snapshot, checkpointed) = match log.load()? {
            Some(loaded) => loaded,
            None => {
                let actions = first_commit(subject, schema, now);
                let put = log.put(0, &actions)?;
                // When another one was first, its table is as good.
                let (Put::Done | Put::Exists) = put;
                log.load()?.ok_or(TableError::Unsure)?
            }
        };
        check_subject(subject, replay.metadata())?;
        let table = Table {
            store,
            folder: folder.to_owned(),
            replay,
            snapshot,
            checkpointed,
            is_unsure: false,
        };
        table.check_files()?;
        Ok(table)
    }

    /// What the table is now.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Commits the next epoch: `sealed` begins, for each of its shards, where the table ends. The
    /// records are durable in the table when this returns.
    ///
    /// # Panics
    /// When `sealed` is empty, does not begin where the table ends, or has some of its records only.
    pub fn append(&mut self, mut sealed: Vec<Sealed>, now: Timestamp) -> Result<(), TableError> {
        self.check_sure()?;
        assert!(!sealed.is_empty(), "an epoch has positions");
        sealed.sort_by_key(|part| part.span);
        let mut ends = self.snapshot.positions.clone();
        for Sealed { span, records } in &sealed {
            let end = ends.insert(span.shard, span.to).unwrap_or(0);
            assert_eq!(span.from, end, "an epoch begins where the table ends");
            let mut expected = span.from..span.to;
            let is_dense = records
                .iter()
                .all(|record| Some(record.position) == expected.next());
            let is_all = records.is_empty() || expected.next().is_none();
            assert!(
                is_dense && is_all && span.count() > 0,
                "an epoch has every record of its spans"
            );
        }
        let rows = sealed
            .iter()
            .flat_map(|part| part.records.iter().map(|record| (part.span.shard, record)));
        let rows: Vec<(ShardId, &Record)> = rows.collect();
        let batch = rows::batch(&self.snapshot.schema, &rows).map_err(encoding)?;
        let spans = |is_gone: bool| {
            let parts = sealed
                .iter()
                .filter(|part| part.records.is_empty() == is_gone);
            positions::joined(parts.map(|part| part.span).collect())
        };
        let epoch = self.snapshot.next_epoch;
        let file = self.put_rows(&batch, (epoch, epoch), spans(false), spans(true), now)?;
        let moved = positions::joined(sealed.iter().map(|part| part.span).collect());
        let mut actions = vec![self.commit_info("WRITE", &ends, epoch + 1, now)];
        actions.extend(moved.iter().map(|span| {
            txn(
                format!("{SHARD_TXN}{}", span.shard.0),
                ends[&span.shard],
                now,
            )
        }));
        actions.push(txn(EPOCH_TXN.to_owned(), epoch, now));
        actions.push(Action::Add(Box::new(file.add(true))));
        self.commit(actions)
    }

    /// Adds columns behind those that the table has.
    pub fn change_schema(&mut self, schema: &Schema, now: Timestamp) -> Result<(), TableError> {
        self.check_sure()?;
        if !schema.columns().starts_with(self.snapshot.schema.columns()) {
            return Err(TableError::ColumnsChanged);
        }
        if *schema == self.snapshot.schema {
            return Ok(());
        }
        let metadata = self
            .replay
            .metadata()
            .expect("a checked table has metadata");
        let mut metadata = metadata.clone();
        metadata.schema_string = delta_schema::written(&rows::arrow_schema(schema));
        let settings = &mut metadata.configuration;
        settings.insert(SCHEMA_SETTING.to_owned(), schema_text(schema));
        let info = self.commit_info(
            "CHANGE SCHEMA",
            &self.snapshot.positions,
            self.snapshot.next_epoch,
            now,
        );
        self.commit(vec![info, Action::MetaData(Box::new(metadata))])
    }

    /// Writes a checkpoint when `commits` have come since the last one, so that an open replays no more
    /// than these. One that could not be written does no harm.
    pub fn checkpoint(&mut self, commits: u64) -> Result<(), TableError> {
        self.check_sure()?;
        let version = self.snapshot.version;
        if version - self.checkpointed.unwrap_or(0) < commits {
            return Ok(());
        }
        let actions = self.replay.actions();
        let bytes = checkpoint::encode(&actions).map_err(encoding)?;
        LogFolder::new(&*self.store, &self.folder).put_checkpoint(
            version,
            &bytes,
            actions.len(),
        )?;
        self.checkpointed = Some(version);
        Ok(())
    }

    /// The rows of a file of the table, checked against its name, its digest and its spans.
    pub fn rows(&self, file: &DataFile) -> Result<RecordBatch, TableError> {
        let path = self.path(&file.name);
        let damaged = |what: String| TableError::Damaged {
            path: path.clone(),
            what,
        };
        let bytes = self.store.read(&path).map_err(TableError::Store)?;
        let bytes: Bytes = bytes.ok_or_else(|| damaged("the file is gone".to_owned()))?;
        if !file.is_content(&bytes) {
            return Err(damaged(
                "its bytes are not those it was named by".to_owned(),
            ));
        }
        let rows = rows::decode(&self.snapshot.schema, bytes);
        let rows = rows.map_err(|error| damaged(error.to_string()))?;
        if rows.num_rows() as u64 != file.rows() || rows::digest(&rows) != file.digest {
            return Err(damaged("it has other rows than the log says".to_owned()));
        }
        Ok(rows)
    }

    /// Writes `rows` as a file that accounts for `held` and `gone`. Not part of the table yet.
    pub(super) fn put_rows(
        &self,
        rows: &RecordBatch,
        (first_epoch, last_epoch): (u64, u64),
        held: Vec<Span>,
        gone: Vec<Span>,
        now: Timestamp,
    ) -> Result<DataFile, TableError> {
        let Encoded {
            bytes,
            rows,
            bad,
            digest,
        } = rows::encode(rows).map_err(encoding)?;
        assert_eq!(
            rows,
            positions::count(&held),
            "there is one row for each position"
        );
        let file = DataFile {
            name: data_file::name_of(first_epoch, last_epoch, &bytes),
            bytes: bytes.len() as u64,
            written: now,
            first_epoch,
            last_epoch,
            held,
            gone,
            bad,
            digest,
        };
        // A file of this name, from a try that did not get to its commit, has these very bytes.
        let put = self.store.put_new(&self.path(&file.name), &bytes);
        put.map_err(TableError::Store)?;
        Ok(file)
    }

    /// Puts the next version, and takes over what the table is with it.
    pub(super) fn commit(&mut self, actions: Vec<Action>) -> Result<(), TableError> {
        let version = self.snapshot.version + 1;
        let mut replay = self.replay.clone();
        replay.apply(version, actions.clone())?;
        // A commit that would break the table is refused here, before anybody can read it.
        let snapshot = Snapshot::check(version, &replay)?;
        match LogFolder::new(&*self.store, &self.folder).put(version, &actions) {
            Ok(Put::Done) => {
                self.replay = replay;
                self.snapshot = snapshot;
                Ok(())
            }
            Ok(Put::Exists) => {
                self.is_unsure = true;
                Err(TableError::Conflict { version })
            }
            Err(error) => {
                self.is_unsure = true;
                Err(error)
            }
        }
    }

    pub(super) fn commit_info(
        &self,
        operation: &str,
        ends: &positions::Positions,
        next_epoch: u64,
        now: Timestamp,
    ) -> Action {
        let ends: Vec<_> = ends
            .iter()
            .map(|(shard, end)| (shard.0.to_string(), json!(end)))
            .collect();
        Action::CommitInfo(json!({
            "timestamp": now.as_millis(),
            "operation": operation,
            "operationParameters": {},
            "engineInfo": concat!("tidemill/", env!("CARGO_PKG_VERSION")),
            "tidemill": {
                "nextEpoch": next_epoch,
                "positions": serde_json::Map::from_iter(ends),
            },
        }))
    }

    pub(super) fn store(&self) -> &dyn Store {
        &*self.store
    }

    pub(super) fn folder(&self) -> &str {
        &self.folder
    }

    pub(super) fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.folder)
    }

    pub(super) fn check_sure(&self) -> Result<(), TableError> {
        if self.is_unsure {
            return Err(TableError::Unsure);
        }
        Ok(())
    }

    /// Whether every file of the table is there.
    fn check_files(&self) -> Result<(), TableError> {
        let names = self.store.list(&self.folder).map_err(TableError::Store)?;
        let missing = self
            .snapshot
            .files
            .iter()
            .find(|file| names.binary_search(&file.name).is_err());
        missing.map_or(Ok(()), |file| {
            Err(TableError::Damaged {
                path: self.path(&file.name),
                what: "the file is gone".to_owned(),
            })
        })
    }
}

pub(super) fn encoding(error: impl std::fmt::Display) -> TableError {
    TableError::Encoding {
        detail: error.to_string(),
    }
}

fn schema_text(schema: &Schema) -> String {
    serde_json::to_string(schema).expect("a schema has texts and numbers only")
}

fn txn(app_id: String, version: u64, now: Timestamp) -> Action {
    Action::Txn(Txn {
        app_id,
        version: version as i64,
        last_updated: Some(now.as_millis() as i64),
    })
}

fn first_commit(subject: &Subject, schema: &Schema, now: Timestamp) -> Vec<Action> {
    let stream = subject.stream.to_string();
    let hash: [u8; 32] = Sha256::digest(format!("{stream} {}", subject.incarnation)).into();
    let (half, _) = hash.split_first_chunk().expect("a hash has 32 bytes");
    let settings = [
        ("delta.appendOnly", "true".to_owned()),
        (STREAM_SETTING, stream),
        (INCARNATION_SETTING, subject.incarnation.to_string()),
        (SCHEMA_SETTING, schema_text(schema)),
    ];
    let settings = settings.map(|(name, text)| (name.to_owned(), text));
    let metadata = Metadata {
        id: uuid_from(*half),
        name: Some(subject.stream.name.clone()),
        format: FileFormat {
            provider: "parquet".to_owned(),
            options: Texts::new(),
        },
        schema_string: delta_schema::written(&rows::arrow_schema(schema)),
        partition_columns: Vec::new(),
        created_time: Some(now.as_millis() as i64),
        configuration: settings.into(),
    };
    let info = json!({
        "timestamp": now.as_millis(),
        "operation": "CREATE TABLE",
        "operationParameters": {},
        "engineInfo": concat!("tidemill/", env!("CARGO_PKG_VERSION")),
    });
    vec![
        Action::CommitInfo(info),
        Action::Protocol(PROTOCOL),
        Action::MetaData(Box::new(metadata)),
    ]
}

fn check_subject(subject: &Subject, metadata: Option<&Metadata>) -> Result<(), TableError> {
    let said =
        |stream: &str, incarnation: &str| format!("stream {stream}, incarnation {incarnation}");
    let settings = metadata.map(|metadata| &metadata.configuration);
    let setting = |name: &str| {
        let text = settings.and_then(|settings| settings.get(name));
        text.map_or("?", String::as_str)
    };
    let found = said(setting(STREAM_SETTING), setting(INCARNATION_SETTING));
    let expected = said(
        &subject.stream.to_string(),
        &subject.incarnation.to_string(),
    );
    if found == expected {
        Ok(())
    } else {
        Err(TableError::Other { expected, found })
    }
}
