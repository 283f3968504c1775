//! What is told of a data directory: what is damaged, how its log ends, how a partition is called.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::partition_id::{PartitionId, ServiceTag};

/// Something that is not what was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Damage {
    /// The file, relative to the data directory.
    pub file: String,
    /// Where in it, in bytes.
    pub offset: u64,
    /// What is wrong.
    pub what: String,
}

/// A write that was cut short at the end of the log; nothing of it was acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Torn {
    /// The file, relative to the data directory.
    pub file: String,
    /// Where it begins, in bytes.
    pub offset: u64,
    /// How many bytes stand there.
    pub bytes: u64,
}

/// A partition as people read and type it: its owner and the owner's number, `streams/3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PartitionName(pub PartitionId);

/// Why a text names no partition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an owner and its number are needed, such as control/0 or streams/3")]
pub struct BadPartitionName;

const OWNERS: [(&str, ServiceTag); 6] = [
    ("control", ServiceTag::Control),
    ("streams", ServiceTag::Streams),
    ("functions", ServiceTag::Functions),
    ("destinations", ServiceTag::Destinations),
    ("mapping", ServiceTag::Mapping),
    ("views", ServiceTag::Views),
];
const _: () = assert!(OWNERS.len() == ServiceTag::ALL.len());

/// The word for `owner`.
pub fn owner_word(owner: ServiceTag) -> &'static str {
    let found = OWNERS.iter().find(|(_, tag)| *tag == owner);
    found.expect("every owner has its word").0
}

impl fmt::Display for PartitionName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.0.number();
        match self.0.owner() {
            Some(owner) => write!(formatter, "{}/{number}", owner_word(owner)),
            None => write!(formatter, "{}/{number}", self.0.0 >> 56),
        }
    }
}

impl FromStr for PartitionName {
    type Err = BadPartitionName;

    fn from_str(text: &str) -> Result<PartitionName, BadPartitionName> {
        let (owner, number) = text.split_once('/').ok_or(BadPartitionName)?;
        let named = OWNERS.iter().find(|(word, _)| *word == owner);
        let owner = match named {
            Some((_, tag)) => *tag as u8,
            None => owner.parse().map_err(|_| BadPartitionName)?,
        };
        let number: u64 = number.parse().map_err(|_| BadPartitionName)?;
        if number >= 1 << 56 {
            return Err(BadPartitionName);
        }
        Ok(PartitionName(PartitionId(u64::from(owner) << 56 | number)))
    }
}

impl Serialize for PartitionName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
