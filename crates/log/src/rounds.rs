//! What to sort next: [`next_round`] decides, from what stands on the disk.
//!
//! A *round* takes the entries that are still needed out of some files and puts them into new chunks,
//! behind which those files can go. What must hold: sealed files of the write-ahead log are sorted
//! before they are many, so that a start reads few of them; an entry is written again only with a good
//! part of others that are gone, or with so many small chunks that it ends up in one much larger, so
//! that it is written again a few times at most. Pure.

use std::time::Duration;

use crate::chunk::ChunkRow;
use crate::limits::MERGE_BYTES_MAX;
use crate::port::Retention;
use crate::table::{Home, Needed};

/// The most files that are sorted together, so that where sorting has fallen behind, the write-ahead log
/// gets shorter soon.
const ROUND_FILES_MAX: usize = 16;

/// With so many times the files that are worth a round, sorting goes as fast as it can.
const BEHIND: usize = 2;

/// With so many times the files that are worth a round, those who put have to wait.
const FAR_BEHIND: usize = 3;

/// How long a frame waits for each file beyond that, and at most.
const BREATHER: Duration = Duration::from_millis(1);
const BREATHER_MAX: Duration = Duration::from_millis(20);

/// So many small chunks of one retention are merged into one.
const MERGE_CHUNKS: usize = 8;

/// What a round takes entries out of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Round {
    /// The files.
    pub sources: Vec<Home>,
    /// The retention of the new chunk; none when each partition's own counts.
    pub retention: Option<Retention>,
}

/// How much is sorted at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measure {
    /// So many sealed files are worth a round.
    pub after_files: usize,
    /// No more files fit on the disk once more, before they go.
    pub files_max: usize,
}

/// The next round, if there should be one. `sealed` are the files of the write-ahead log that take no
/// more frames, oldest first; `chunks` come with what of them is still needed. Where room is short,
/// nothing is merged.
pub fn next_round(
    sealed: &[u64],
    measure: Measure,
    chunks: &[(ChunkRow, Needed)],
) -> Option<Round> {
    let Measure {
        after_files,
        files_max,
    } = measure;
    if sealed.len() >= after_files {
        let files = sealed.iter().take(files_max.clamp(1, ROUND_FILES_MAX));
        return Some(Round {
            sources: files.map(|file| Home::Wal(*file)).collect(),
            retention: None,
        });
    }
    if files_max < 2 * after_files {
        return None;
    }
    Retention::ALL
        .into_iter()
        .find_map(|retention| merge(retention, chunks))
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

fn merge(retention: Retention, chunks: &[(ChunkRow, Needed)]) -> Option<Round> {
    let same: Vec<&(ChunkRow, Needed)> = chunks
        .iter()
        .filter(|(row, _)| row.retention == retention)
        .collect();
    let sparse = same.iter().filter(|(row, needed)| is_sparse(row, needed));
    let mut merged: Vec<u64> = sparse.map(|(row, _)| row.number).collect();
    if merged.is_empty() {
        merged = small(&same)?;
    }
    let sources = merged.into_iter().map(Home::Chunk).collect();
    Some(Round {
        sources,
        retention: Some(retention),
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
        assert!(!is_behind(8, 4) && is_behind(9, 4));
        assert_eq!([0, 12, 13, 17, 1000].map(millis), [0, 0, 1, 5, 20]);
    }

    #[test]
    fn sealed_files_are_sorted_when_there_are_enough() {
        assert_eq!(next_round(&[1, 2, 3], AMPLE, &[]), None);
        let round = next_round(&[1, 2, 3, 4, 5], AMPLE, &[]).unwrap();
        assert_eq!(round.sources, [1, 2, 3, 4, 5].map(Home::Wal));
        assert_eq!(round.retention, None);
        let many: Vec<u64> = (1..=100).collect();
        let round = next_round(&many, AMPLE, &[]).unwrap();
        assert_eq!(round.sources.len(), ROUND_FILES_MAX);
        assert_eq!(round.sources[0], Home::Wal(1));
    }

    #[test]
    fn where_room_is_short_the_oldest_files_are_sorted_and_nothing_is_merged() {
        let short = |after_files, files_max| Measure {
            after_files,
            files_max,
        };
        let round = next_round(&[3, 4, 5], short(1, 2), &[]).unwrap();
        assert_eq!(round.sources, [3, 4].map(Home::Wal));
        let round = next_round(&[3, 4], short(1, 0), &[]).unwrap();
        assert_eq!(round.sources, [Home::Wal(3)]);
        assert_eq!(next_round(&[], short(1, 1), &[day(1, 100, 10)]), None);
    }

    #[test]
    fn a_chunk_of_which_half_is_gone_is_written_again() {
        assert_eq!(next_round(&[], AMPLE, &[day(1, 100, 51)]), None);
        let round = next_round(&[], AMPLE, &[day(1, 100, 50), day(2, 100, 80)]).unwrap();
        assert_eq!(round.sources, [Home::Chunk(1)]);
        assert_eq!(round.retention, Some(Retention::Day));
        assert_eq!(next_round(&[], AMPLE, &[day(1, 100, 0)]), None);
        assert_eq!(next_round(&[], AMPLE, &[day(1, 4096, 1)]), None);
    }

    #[test]
    fn eight_chunks_of_about_one_size_are_merged_and_a_large_one_is_left() {
        let mut chunks: Vec<_> = (1..=7).map(|number| day(number, 10, 100)).collect();
        chunks.push(with(chunk(8, 10, Retention::Week), 100));
        assert_eq!(next_round(&[], AMPLE, &chunks), None);
        chunks.push(day(9, 500, 100));
        assert_eq!(next_round(&[], AMPLE, &chunks), None, "one is too large");
        chunks.push(day(10, 12, 100));
        let round = next_round(&[], AMPLE, &chunks).unwrap();
        assert_eq!(
            round.sources,
            [1, 2, 3, 4, 5, 6, 7, 10].map(Home::Chunk).to_vec()
        );
    }

    #[test]
    fn an_entry_is_written_again_a_few_times_at_most() {
        // Chunks of 256 MiB come in one after the other; all that is merged is counted.
        let (mut chunks, mut next) = (Vec::new(), 1);
        let (mut came, mut merged) = (0, 0);
        for _ in 0..1000 {
            chunks.push(day(next, 64, 100));
            (next, came) = (next + 1, came + 64);
            while let Some(round) = next_round(&[], AMPLE, &chunks) {
                let is_source = |row: &ChunkRow| round.sources.contains(&Home::Chunk(row.number));
                let mib = chunks
                    .iter()
                    .filter(|(row, _)| is_source(row))
                    .map(|(row, _)| row.bytes >> 20)
                    .sum::<u64>();
                chunks.retain(|(row, _)| !is_source(row));
                chunks.push(day(next, mib, 100));
                (next, merged) = (next + 1, merged + mib);
            }
        }
        assert!(merged <= 2 * came, "{merged} MiB for {came} MiB");
    }
}
