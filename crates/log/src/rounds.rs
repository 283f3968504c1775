//! What to sort next: [`next_step`] decides, from what stands on the disk and in memory.
//!
//! Entries of the write-ahead log are *gathered* into new chunks while they are still in memory, and the
//! chunks named when they hold enough sealed files, which can go then. What must hold: sealed files are
//! gathered before they are many, in memory or not, so that a start reads few of them; an entry is written
//! again only with a good part of others that are gone, or with so many small chunks that it ends up in
//! one much larger, so that it is written again a few times at most. Pure.

use std::time::Duration;

use crate::chunk::ChunkRow;
use crate::limits::{MERGE_BYTES_MAX, SORTED_FILES_MAX};
use crate::port::Retention;
use crate::table::Needed;

/// With so many times the files that are worth a set of chunks, sorting goes as fast as it can.
const BEHIND: usize = 4;

/// With so many times those files, those who put have to wait.
const FAR_BEHIND: usize = 6;

/// How long a frame waits for each file beyond that, and at most.
const BREATHER: Duration = Duration::from_millis(1);
const BREATHER_MAX: Duration = Duration::from_millis(20);

/// So many small chunks of one retention are merged into one.
const MERGE_CHUNKS: usize = 8;

/// What the sorter does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Take the next portion of the write-ahead log into the chunks in the making.
    Gather,
    /// Finish those chunks and have the log name them.
    Finish,
    /// Make one chunk of these.
    Merge(Merge),
}

/// Chunks that become one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merge {
    /// Their numbers.
    pub chunks: Vec<u64>,
    /// How long what is in them is kept.
    pub retention: Retention,
}

/// Where the next portion of the write-ahead log stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// In memory, and it is a whole portion or the rest of its file.
    InMemory,
    /// In a sealed file, a part of it at least on the disk only.
    OnDisk,
}

/// How far the write-ahead log has been gathered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// How many files are sealed, gathered or not.
    pub sealed: usize,
    /// How many of them have been gathered.
    pub gathered: usize,
    /// What would be gathered next.
    pub next: Option<Next>,
}

/// How much is sorted at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measure {
    /// So many sealed files are worth a set of chunks.
    pub after_files: usize,
    /// No more files fit on the disk once more, before they go.
    pub files_max: usize,
}

/// The next step, if there should be one. `chunks` come with what of them is still needed. Where room is
/// short, files are named one by one, nothing is gathered before it is due, and nothing is merged.
pub fn next_step(
    progress: Progress,
    measure: Measure,
    chunks: &[(ChunkRow, Needed)],
) -> Option<Step> {
    let Measure {
        after_files,
        files_max,
    } = measure;
    let limit = SORTED_FILES_MAX.min(files_max.max(1));
    let goes_on = progress.gathered < progress.sealed.min(limit) && progress.next.is_some();
    if progress.gathered >= after_files.min(limit) && !goes_on {
        return Some(Step::Finish);
    }
    let is_due = progress.sealed >= after_files;
    let is_at_hand = progress.next == Some(Next::InMemory) && files_max >= after_files;
    if (is_due && progress.next.is_some()) || is_at_hand {
        return Some(Step::Gather);
    }
    if files_max < 2 * after_files {
        return None;
    }
    let mut kinds = Retention::ALL.into_iter();
    kinds.find_map(|retention| merge(retention, chunks).map(Step::Merge))
}

/// Whether sorting has to catch up with `sealed` files of the write-ahead log.
pub fn is_behind(sealed: usize, after_files: usize) -> bool {
    sealed > BEHIND * after_files
}

/// How long the next frame is held back, so that the write-ahead log, and with it the next start, stays
/// short where sorting cannot follow.
pub fn breather(sealed: usize, after_files: usize) -> Duration {
    let beyond = sealed.saturating_sub(FAR_BEHIND * after_files);
    let beyond = u32::try_from(beyond).unwrap_or(u32::MAX);
    BREATHER.saturating_mul(beyond).min(BREATHER_MAX)
}

fn merge(retention: Retention, chunks: &[(ChunkRow, Needed)]) -> Option<Merge> {
    let same: Vec<&(ChunkRow, Needed)> = chunks
        .iter()
        .filter(|(row, _)| row.retention == retention)
        .collect();
    let sparse = same.iter().filter(|(row, needed)| is_sparse(row, needed));
    let mut merged: Vec<u64> = sparse.map(|(row, _)| row.number).collect();
    if merged.is_empty() {
        merged = small(&same)?;
    }
    Some(Merge {
        chunks: merged,
        retention,
    })
}

/// Whether half of the chunk or more is gone, and it is worth the trouble.
fn is_sparse(row: &ChunkRow, needed: &Needed) -> bool {
    needed.extents > 0 && 2 * needed.entries <= row.entries && row.bytes <= MERGE_BYTES_MAX
}

/// The smallest chunks, when there are enough of about one size to be merged.
fn small(same: &[&(ChunkRow, Needed)]) -> Option<Vec<u64>> {
    let mut by_size: Vec<(u64, u64)> = same
        .iter()
        .filter(|(_, needed)| needed.extents > 0)
        .map(|(row, _)| (row.bytes, row.number))
        .collect();
    by_size.sort_unstable();
    by_size.truncate(MERGE_CHUNKS);
    let total: u64 = by_size.iter().map(|(bytes, _)| bytes).sum();
    let (largest, _) = by_size.last()?;
    // The result is at least twice as large as any of them.
    let is_worth_it = by_size.len() == MERGE_CHUNKS && 2 * largest <= total;
    (is_worth_it && total <= MERGE_BYTES_MAX)
        .then(|| by_size.iter().map(|(_, number)| *number).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(number: u64, mib: u64, retention: Retention) -> ChunkRow {
        ChunkRow {
            number,
            bytes: mib << 20,
            entries: 100,
            retention,
            checksum: 0,
        }
    }

    fn with(row: ChunkRow, entries: u64) -> (ChunkRow, Needed) {
        let extents = u64::from(entries > 0);
        (row, Needed { extents, entries })
    }

    fn day(number: u64, mib: u64, entries: u64) -> (ChunkRow, Needed) {
        with(chunk(number, mib, Retention::Day), entries)
    }

    const AMPLE: Measure = Measure {
        after_files: 4,
        files_max: usize::MAX,
    };

    #[test]
    fn frames_are_held_back_the_longer_the_further_sorting_is_behind() {
        let millis = |sealed| breather(sealed, 4).as_millis();
        assert!(!is_behind(16, 4) && is_behind(17, 4));
        assert_eq!([0, 24, 25, 29, 1000].map(millis), [0, 0, 1, 5, 20]);
    }

    fn progress(sealed: usize, gathered: usize, next: Option<Next>) -> Progress {
        Progress {
            sealed,
            gathered,
            next,
        }
    }

    const NOTHING: Progress = Progress {
        sealed: 0,
        gathered: 0,
        next: None,
    };

    fn merged(chunks: &[(ChunkRow, Needed)]) -> Option<Merge> {
        match next_step(NOTHING, AMPLE, chunks)? {
            Step::Merge(merge) => Some(merge),
            step @ (Step::Gather | Step::Finish) => panic!("{step:?}"),
        }
    }

    #[test]
    fn what_is_in_memory_is_gathered_at_once_and_what_is_not_when_there_is_enough() {
        let step = |sealed, gathered, next| next_step(progress(sealed, gathered, next), AMPLE, &[]);
        assert_eq!(step(0, 0, None), None);
        assert_eq!(step(0, 0, Some(Next::InMemory)), Some(Step::Gather));
        assert_eq!(step(3, 0, Some(Next::OnDisk)), None);
        assert_eq!(step(4, 0, Some(Next::OnDisk)), Some(Step::Gather));
        assert_eq!(step(3, 3, None), None);
        assert_eq!(step(4, 3, Some(Next::InMemory)), Some(Step::Gather));
        assert_eq!(step(4, 4, Some(Next::InMemory)), Some(Step::Finish));
        assert_eq!(step(9, 4, Some(Next::OnDisk)), Some(Step::Gather));
        assert_eq!(step(40, 16, Some(Next::OnDisk)), Some(Step::Finish));
        assert_eq!(step(0, 4, None), Some(Step::Finish), "all has been trimmed");
    }

    #[test]
    fn where_room_is_short_files_are_named_one_by_one_and_nothing_is_merged() {
        let short = |files_max| Measure {
            after_files: 4,
            files_max,
        };
        let (memory, disk) = (Some(Next::InMemory), Some(Next::OnDisk));
        let step = |sealed, gathered, next, files_max| {
            next_step(progress(sealed, gathered, next), short(files_max), &[])
        };
        assert_eq!(step(3, 0, memory, 3), None);
        assert_eq!(step(4, 0, disk, 0), Some(Step::Gather));
        assert_eq!(step(4, 1, disk, 0), Some(Step::Finish));
        assert_eq!(step(4, 1, disk, 2), Some(Step::Gather));
        assert_eq!(step(4, 2, disk, 2), Some(Step::Finish));
        let chunks = [day(1, 100, 10)];
        assert_eq!(next_step(NOTHING, short(7), &chunks), None);
        assert!(next_step(NOTHING, short(8), &chunks).is_some());
    }

    #[test]
    fn a_chunk_of_which_half_is_gone_is_written_again() {
        assert_eq!(merged(&[day(1, 100, 51)]), None);
        let merge = merged(&[day(1, 100, 50), day(2, 100, 80)]).unwrap();
        assert_eq!(merge.chunks, [1]);
        assert_eq!(merge.retention, Retention::Day);
        assert_eq!(merged(&[day(1, 100, 0)]), None);
        assert_eq!(merged(&[day(1, 4096, 1)]), None);
    }

    #[test]
    fn eight_chunks_of_about_one_size_are_merged_and_a_large_one_is_left() {
        let mut chunks: Vec<_> = (1..=7).map(|number| day(number, 10, 100)).collect();
        chunks.push(with(chunk(8, 10, Retention::Week), 100));
        assert_eq!(merged(&chunks), None);
        chunks.push(day(9, 500, 100));
        assert_eq!(merged(&chunks), None, "one is too large");
        chunks.push(day(10, 12, 100));
        assert_eq!(merged(&chunks).unwrap().chunks, [1, 2, 3, 4, 5, 6, 7, 10]);
    }

    #[test]
    fn an_entry_is_written_again_a_few_times_at_most() {
        // Chunks of 64 MiB come in one after the other; all that is merged is counted.
        let (mut chunks, mut next) = (Vec::new(), 1);
        let (mut came, mut again) = (0, 0);
        for _ in 0..1000 {
            chunks.push(day(next, 64, 100));
            (next, came) = (next + 1, came + 64);
            while let Some(merge) = merged(&chunks) {
                let is_source = |row: &ChunkRow| merge.chunks.contains(&row.number);
                let mib = chunks
                    .iter()
                    .filter(|(row, _)| is_source(row))
                    .map(|(row, _)| row.bytes >> 20)
                    .sum::<u64>();
                chunks.retain(|(row, _)| !is_source(row));
                chunks.push(day(next, mib, 100));
                (next, again) = (next + 1, again + mib);
            }
        }
        assert!(again <= 2 * came, "{again} MiB for {came} MiB");
    }
}
