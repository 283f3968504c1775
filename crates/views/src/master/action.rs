//! The lines of a Delta log: [`Action`].
//!
//! A commit is a file of such lines, named by its version. The names of fields are those of the Delta
//! protocol, and so are their meanings:
//! <https://github.com/delta-io/delta/blob/master/PROTOCOL.md>. Only what this crate writes is read
//! here; a line of another kind means that somebody else has written to the table.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Names and values.
pub type Texts = BTreeMap<String, String>;

/// One line of a commit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// Who may read and write.
    Protocol(Protocol),
    /// What the table is.
    MetaData(Box<Metadata>),
    /// How far an application has got.
    Txn(Txn),
    /// A file is part of the table.
    Add(Box<Add>),
    /// A file is part of it no more.
    Remove(Box<Remove>),
    /// Where the commit came from; means nothing to the table.
    CommitInfo(serde_json::Value),
}

/// What a reader and a writer must know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Protocol {
    /// The version a reader must know.
    pub min_reader_version: u32,
    /// The version a writer must know.
    pub min_writer_version: u32,
}

/// The oldest protocol that knows append-only tables: every reader knows it.
pub const PROTOCOL: Protocol = Protocol {
    min_reader_version: 1,
    min_writer_version: 2,
};

/// What the table is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    /// A UUID.
    pub id: String,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How its files are written.
    pub format: FileFormat,
    /// Its columns, as JSON.
    pub schema_string: String,
    /// None here.
    pub partition_columns: Vec<String>,
    /// When it was made, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_time: Option<i64>,
    /// Settings.
    pub configuration: Texts,
}

/// How files are written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileFormat {
    /// Always `parquet`.
    pub provider: String,
    /// None.
    pub options: Texts,
}

/// How far an application has got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Txn {
    /// Which.
    pub app_id: String,
    /// How far.
    pub version: i64,
    /// When, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_updated: Option<i64>,
}

/// A file of the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Add {
    /// Its name below the table's folder.
    pub path: String,
    /// None here.
    pub partition_values: Texts,
    /// Its bytes.
    pub size: i64,
    /// When it was written, in milliseconds.
    pub modification_time: i64,
    /// Whether it brings rows that were not there.
    pub data_change: bool,
    /// Its rows and bounds, as JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stats: Option<String>,
    /// What we know of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Texts>,
}

/// A file that is replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Remove {
    /// Its name.
    pub path: String,
    /// When, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_timestamp: Option<i64>,
    /// Whether rows go with it.
    pub data_change: bool,
    /// Whether the next two are there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extended_file_metadata: Option<bool>,
    /// None here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition_values: Option<Texts>,
    /// Its bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<i64>,
}

/// The bytes of a commit.
pub fn written(actions: &[Action]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for action in actions {
        serde_json::to_writer(&mut bytes, action)
            .expect("actions have text keys and finite numbers");
        bytes.push(b'\n');
    }
    bytes
}

/// The actions of a commit.
pub fn read(bytes: &[u8]) -> Result<Vec<Action>, serde_json::Error> {
    let lines = bytes.split(|byte| *byte == b'\n');
    let lines = lines.filter(|line| !line.is_empty());
    lines.map(serde_json::from_slice).collect()
}
