//! Removal of files that are no part of the table: [`Table::sweep`].
//!
//! Two kinds: files that no commit ever named, left by a process that died before its commit; and files
//! that a compaction replaced, once nobody can be reading them any more. What we did not name is left
//! alone.

use std::time::Duration;

use tidemill_model::Timestamp;

use super::data_file;
use super::failure::TableError;
use super::table::Table;

impl Table {
    /// Removes what is no part of the table, replaced files only when they were replaced `keep` ago.
    /// Gives the names.
    pub fn sweep(&mut self, keep: Duration, now: Timestamp) -> Result<Vec<String>, TableError> {
        self.check_sure()?;
        let names = self
            .store()
            .list(self.folder())
            .map_err(TableError::Store)?;
        let snapshot = self.snapshot();
        let is_garbage = |name: &String| {
            let is_live = snapshot.files.iter().any(|file| file.name == *name);
            let is_kept = snapshot
                .removed
                .get(name)
                .is_some_and(|since| now < since.plus(keep));
            data_file::is_name(name) && !is_live && !is_kept
        };
        let garbage: Vec<String> = names.into_iter().filter(is_garbage).collect();
        for name in &garbage {
            self.store()
                .delete(&self.path(name))
                .map_err(TableError::Store)?;
        }
        Ok(garbage)
    }
}
