//! The port to where files are kept that never change: [`Store`].
//!
//! A table is files with names in folders, on a disk or in an object store. What must hold for every
//! implementation: a file is there whole or not at all; [`Store::put_new`] never replaces one, and of
//! several that race for a name exactly one is told that it is the first; what a call has returned, a
//! put as well as a file that was listed or read, is still so after a power cut. Paths have `/`. The
//! calls block; whoever calls from a task does it on a blocking thread.

use bytes::Bytes;
use thiserror::Error;

use tidemill_model::Determinacy;

/// What became of a put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// The file is there, durably.
    Done,
    /// Another file has the name; nothing was changed.
    Exists,
}

/// Why a store did not do as asked.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{path} could not be kept or read: {detail}")]
pub struct StoreError {
    /// Which file or folder.
    pub path: String,
    /// What the system said.
    pub detail: String,
    /// Whether the change surely did not happen.
    pub determinacy: Determinacy,
}

/// Keeps files that never change.
pub trait Store: Send + Sync {
    /// Keeps `bytes` under a name that no file has.
    fn put_new(&self, path: &str, bytes: &[u8]) -> Result<Put, StoreError>;

    /// Keeps `bytes` under a name, in place of what has it. Only for hints that can be made anew.
    fn replace(&self, path: &str, bytes: &[u8]) -> Result<(), StoreError>;

    /// The bytes of a file; none when there is none.
    fn read(&self, path: &str) -> Result<Option<Bytes>, StoreError>;

    /// The names of the files in a folder, in order; none when there is no such folder.
    fn list(&self, folder: &str) -> Result<Vec<String>, StoreError>;

    /// Removes a file, if it is there.
    fn delete(&self, path: &str) -> Result<(), StoreError>;
}

/// What holds for every store that is empty.
#[cfg(test)]
pub fn conforms(store: &dyn Store) {
    assert_eq!(store.put_new("a/b/one", b"1"), Ok(Put::Done));
    assert_eq!(store.put_new("a/b/one", b"2"), Ok(Put::Exists));
    assert_eq!(store.put_new("a/b/c/two", b"2"), Ok(Put::Done));
    assert_eq!(store.read("a/b/one"), Ok(Some(Bytes::from_static(b"1"))));
    assert_eq!(store.replace("a/b/one", b"3"), Ok(()));
    assert_eq!(store.read("a/b/one"), Ok(Some(Bytes::from_static(b"3"))));
    assert_eq!(store.list("a/b/c"), Ok(vec!["two".to_owned()]));
    assert_eq!(store.list("elsewhere"), Ok(vec![]));
    assert_eq!(store.delete("a/b/one"), Ok(()));
    assert_eq!(store.delete("a/b/one"), Ok(()));
    assert_eq!(store.read("a/b/one"), Ok(None));
}
