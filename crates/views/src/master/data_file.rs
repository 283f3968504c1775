//! A file of the master dataset and what its tags say: [`DataFile`].
//!
//! ```text
//! tidemill.epochs   5-9              first and last epoch in it
//! tidemill.spans    0:0-1500,1:0-7   positions whose records it holds, in the order of its rows
//! tidemill.gone     0:1500-1510      positions whose records retention took before they were read
//! tidemill.bad      3                rows whose payload is not of the schema
//! tidemill.digest   32 hex digits    digest of the rows
//! ```
//!
//! The name is made of the epochs and a hash of the content, so a second try at an epoch can never put
//! other bytes under a name that is taken, and bytes that do not belong to a name are found out.

use sha2::{Digest, Sha256};

use tidemill_model::Timestamp;

use crate::encoding::hex;
use crate::positions::{self, Span};

use super::action::{Add, Texts};

/// A file that is part of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataFile {
    /// Its name in the table's folder.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// When it was written.
    pub written: Timestamp,
    /// The first epoch in it.
    pub first_epoch: u64,
    /// The last epoch in it.
    pub last_epoch: u64,
    /// The positions whose records it holds.
    pub held: Vec<Span>,
    /// The positions it accounts for without a record.
    pub gone: Vec<Span>,
    /// How many of its rows have a payload that is not of the schema.
    pub bad: u64,
    /// The digest of its rows.
    pub digest: u128,
}

/// Whether `name` is one that this module gives.
pub fn is_name(name: &str) -> bool {
    let Some((epochs, hash)) = name
        .strip_suffix(".parquet")
        .and_then(|name| name.strip_prefix("epoch-"))
        .and_then(|name| name.rsplit_once('-'))
    else {
        return false;
    };
    hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) && !epochs.is_empty()
}

/// The name of a file with `content`.
pub fn name_of(first_epoch: u64, last_epoch: u64, content: &[u8]) -> String {
    let hash = hex(&Sha256::digest(content)[..8]);
    if first_epoch == last_epoch {
        format!("epoch-{first_epoch:012}-{hash}.parquet")
    } else {
        format!("epoch-{first_epoch:012}-{last_epoch:012}-{hash}.parquet")
    }
}

impl DataFile {
    /// Its rows.
    pub fn rows(&self) -> u64 {
        positions::count(&self.held)
    }

    /// All positions it accounts for.
    pub fn spans(&self) -> impl Iterator<Item = Span> {
        self.held.iter().chain(&self.gone).copied()
    }

    /// Whether `content` is what the name was made of.
    pub fn is_content(&self, content: &[u8]) -> bool {
        name_of(self.first_epoch, self.last_epoch, content) == self.name
    }

    /// The action that makes it part of the table.
    pub fn add(&self, data_change: bool) -> Add {
        let epochs = format!("{}-{}", self.first_epoch, self.last_epoch);
        let tags = [
            ("tidemill.epochs", epochs),
            ("tidemill.spans", positions::written(&self.held)),
            ("tidemill.gone", positions::written(&self.gone)),
            ("tidemill.bad", self.bad.to_string()),
            ("tidemill.digest", format!("{:032x}", self.digest)),
        ];
        Add {
            path: self.name.clone(),
            partition_values: Texts::new(),
            size: self.bytes as i64,
            modification_time: self.written.as_millis() as i64,
            data_change,
            stats: Some(self.stats()),
            tags: Some(tags.map(|(name, tag)| (name.to_owned(), tag)).into()),
        }
    }

    fn stats(&self) -> String {
        let rows = self.rows();
        let shards = self.held.iter().map(|span| span.shard.0);
        let from = self.held.iter().map(|span| span.from).min();
        let last = self.held.iter().map(|span| span.to - 1).max();
        let bounds = shards.clone().min().zip(shards.max()).zip(from.zip(last));
        let stats = match bounds {
            None => serde_json::json!({ "numRecords": rows }),
            Some(((least_shard, greatest_shard), (from, last))) => serde_json::json!({
                "numRecords": rows,
                "minValues": { "_shard": least_shard, "_position": from },
                "maxValues": { "_shard": greatest_shard, "_position": last },
                "nullCount": { "_shard": 0, "_position": 0 },
            }),
        };
        stats.to_string()
    }

    /// The file of an action; none when it is not one of ours.
    pub fn of(add: &Add) -> Option<DataFile> {
        let tags = add.tags.as_ref()?;
        let tag = |name: &str| tags.get(name).map(String::as_str);
        let (first, last) = tag("tidemill.epochs")?.split_once('-')?;
        let file = DataFile {
            name: add.path.clone(),
            bytes: u64::try_from(add.size).ok()?,
            written: Timestamp::from_millis(u64::try_from(add.modification_time).ok()?),
            first_epoch: first.parse().ok()?,
            last_epoch: last.parse().ok()?,
            held: positions::read(tag("tidemill.spans")?)?,
            gone: positions::read(tag("tidemill.gone")?)?,
            bad: tag("tidemill.bad")?.parse().ok()?,
            digest: u128::from_str_radix(tag("tidemill.digest")?, 16).ok()?,
        };
        let is_whole = file.first_epoch <= file.last_epoch
            && is_name(&file.name)
            && is_same_json(add.stats.as_deref()?, &file.stats());
        is_whole.then_some(file)
    }
}

/// Whether two texts are the same JSON, whatever the order of their fields.
pub fn is_same_json(one: &str, other: &str) -> bool {
    let parsed = |text| serde_json::from_str::<serde_json::Value>(text).ok();
    parsed(one).is_some() && parsed(one) == parsed(other)
}
