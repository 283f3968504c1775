//! Few large files out of many small ones: [`plan`], which is pure, and [`Table::compact`].
//!
//! What must hold: a compaction changes neither data nor positions. The new file accounts for the same
//! spans and epochs, and the digest of its rows is the sum of those it replaces; otherwise it is not
//! committed. The replaced files stay for a while, for those who have begun to read them.

use arrow_array::RecordBatch;
use arrow_select::concat::concat_batches;

use tidemill_model::Timestamp;

use crate::positions::{self, Span};

use super::action::{Action, Remove, Texts};
use super::data_file::DataFile;
use super::failure::TableError;
use super::rows;
use super::table::{Table, encoding};

/// What is worth compacting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aim {
    /// Size up to which files are put together; also what one compaction holds in memory, as files.
    pub file_bytes: u64,
    /// How many small files, at least, are worth the work.
    pub files_min: usize,
}

impl Default for Aim {
    fn default() -> Aim {
        Aim {
            file_bytes: 64 * 1024 * 1024,
            files_min: 8,
        }
    }
}

/// The first run of files, by their places in `files`, that should become one.
pub fn plan(files: &[DataFile], aim: Aim) -> Option<std::ops::Range<usize>> {
    let mut start = 0;
    while start < files.len() {
        let mut bytes = 0;
        let run = files[start..].iter().take_while(|file| {
            bytes += file.bytes;
            bytes <= aim.file_bytes
        });
        let count = run.count();
        if count >= aim.files_min.max(2) {
            return Some(start..start + count);
        }
        start += count.max(1);
    }
    None
}

impl Table {
    /// Puts the first run of small files together; says whether there was one.
    pub fn compact(&mut self, aim: Aim, now: Timestamp) -> Result<bool, TableError> {
        self.check_sure()?;
        let Some(run) = plan(&self.snapshot().files, aim) else {
            return Ok(false);
        };
        let before: Vec<DataFile> = self.snapshot().files[run].to_vec();
        let (first, last) = (&before[0], &before[before.len() - 1]);
        let epochs = (first.first_epoch, last.last_epoch);
        let all = |spans: fn(&DataFile) -> &Vec<Span>| {
            positions::joined(before.iter().flat_map(spans).copied().collect())
        };
        let rows = self.sorted_rows(&before)?;
        let after = self.put_rows(
            &rows,
            epochs,
            all(|file| &file.held),
            all(|file| &file.gone),
            now,
        )?;
        let digest = before
            .iter()
            .fold(0_u128, |sum, file| sum.wrapping_add(file.digest));
        let bad: u64 = before.iter().map(|file| file.bad).sum();
        assert_eq!(
            (after.digest, after.bad),
            (digest, bad),
            "a compaction keeps every row"
        );
        let snapshot = self.snapshot();
        let info = self.commit_info("OPTIMIZE", &snapshot.positions, snapshot.next_epoch, now);
        let removes = before.iter().map(|file| removed(file, now));
        let add = Action::Add(Box::new(after.add(false)));
        self.commit([info].into_iter().chain(removes).chain([add]).collect())?;
        Ok(true)
    }

    /// The rows of `files`, sorted by shard and position.
    fn sorted_rows(&self, files: &[DataFile]) -> Result<RecordBatch, TableError> {
        let mut parts: Vec<(Span, RecordBatch)> = Vec::new();
        for file in files {
            let rows = self.rows(file)?;
            let mut offset = 0;
            for span in &file.held {
                let count = span.count() as usize;
                parts.push((*span, rows.slice(offset, count)));
                offset += count;
            }
        }
        parts.sort_by_key(|(span, _)| *span);
        let batches = parts.iter().map(|(_, rows)| rows);
        concat_batches(&rows::arrow_schema(&self.snapshot().schema), batches).map_err(encoding)
    }
}

fn removed(file: &DataFile, now: Timestamp) -> Action {
    Action::Remove(Box::new(Remove {
        path: file.name.clone(),
        deletion_timestamp: Some(now.as_millis() as i64),
        data_change: false,
        extended_file_metadata: Some(true),
        partition_values: Some(Texts::new()),
        size: Some(file.bytes as i64),
    }))
}
