//! Uniform scaling: how the open shards of a stream become as many as are wanted, all of one size.
//!
//! Pure. The target ranges are those that a new stream of that size has. Rounds of reshards lead to
//! them: a shard with a target boundary inside is split there; neighbours in one target range are
//! merged in pairs. The reshards of a round have no shard in common, so a round is one step. Each round
//! is worked out from the ranges as they are, so nothing has to be remembered but the target.
//!
//! What must hold: the ranges of each round tile the whole space; the rounds come to an end, and then
//! there are exactly as many ranges as are wanted. Doubling a stream that was created so is one split of
//! each shard, halving it one merge of each pair.
//!
//! Two ways to divide the space place one and the same fraction of it some keys apart, because widths
//! are rounded down. A boundary that is there counts for a target boundary that close to it.

use tidemill_model::{HashKey, HashKeyRange};

/// Keys that two placings of one fraction can lie apart: the shards of both divisions together.
const ROUNDING_KEYS: u128 = 1 << 16;

/// What is done with ranges in one round. Indices are those of the ranges in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The range is split where its upper child begins.
    Split {
        /// Which range.
        index: usize,
        /// First key of the upper child.
        upper_start: HashKey,
    },
    /// The range is merged with the next one.
    Merge {
        /// The lower of the two.
        index: usize,
    },
}

/// The next round on the way from `ranges`, which tile the space in order, to `target` ranges; none
/// when they are there. At most `steps_max` steps.
pub fn round(ranges: &[HashKeyRange], target: u32, steps_max: usize) -> Vec<Step> {
    let boundaries = boundaries(ranges, target);
    let mut inside = boundaries.iter().copied().peekable();
    let mut steps = Vec::new();
    let mut index = 0;
    while index < ranges.len() && steps.len() < steps_max {
        let cuts = cuts(ranges[index], &mut inside);
        if let Some(upper_start) = cuts.get(cuts.len() / 2).copied() {
            steps.push(Step::Split { index, upper_start });
        } else if is_merged(ranges, index, &mut inside) {
            steps.push(Step::Merge { index });
            index += 1;
        }
        index += 1;
    }
    steps
}

/// The target boundaries inside `range`; those up to its end are taken off `boundaries`.
fn cuts(
    range: HashKeyRange,
    boundaries: &mut std::iter::Peekable<impl Iterator<Item = HashKey>>,
) -> Vec<HashKey> {
    let mut cuts = Vec::new();
    while let Some(boundary) = boundaries.next_if(|boundary| *boundary <= range.end) {
        if boundary > range.start {
            cuts.push(boundary);
        }
    }
    cuts
}

/// Whether the range and the next one lie in one target range, as a whole. `boundaries` are those
/// behind the range.
fn is_merged(
    ranges: &[HashKeyRange],
    index: usize,
    boundaries: &mut std::iter::Peekable<impl Iterator<Item = HashKey>>,
) -> bool {
    let Some(next) = ranges.get(index + 1) else {
        return false;
    };
    boundaries
        .peek()
        .is_none_or(|boundary| *boundary > next.end)
}

/// Where the target ranges begin, but for the first: on boundaries of `ranges` where they are as good.
fn boundaries(ranges: &[HashKeyRange], target: u32) -> Vec<HashKey> {
    let near = |wanted: HashKey| {
        let above = ranges.partition_point(|range| range.start < wanted);
        let candidates = ranges[above.saturating_sub(1)..].iter().take(2);
        let nearest = candidates
            .map(|range| range.start)
            .min_by_key(|start| start.0.abs_diff(wanted.0));
        match nearest {
            Some(start) if start.0.abs_diff(wanted.0) < ROUNDING_KEYS => start,
            _ => wanted,
        }
    };
    let targets = HashKeyRange::divide(target).into_iter().skip(1);
    targets.map(|range| near(range.start)).collect()
}

/// `ranges` after a round.
fn after(ranges: &[HashKeyRange], steps: &[Step]) -> Vec<HashKeyRange> {
    let mut next = Vec::with_capacity(ranges.len() + steps.len());
    let mut steps = steps.iter().copied().peekable();
    let mut index = 0;
    while let Some(range) = ranges.get(index).copied() {
        let step = steps.next_if(|step| match step {
            Step::Split { index: place, .. } | Step::Merge { index: place } => *place == index,
        });
        match step {
            None => next.push(range),
            Some(Step::Split { upper_start, .. }) => {
                let lower_end = HashKey(upper_start.0 - 1);
                next.push(HashKeyRange {
                    start: range.start,
                    end: lower_end,
                });
                next.push(HashKeyRange {
                    start: upper_start,
                    end: range.end,
                });
            }
            Some(Step::Merge { .. }) => {
                index += 1;
                next.push(HashKeyRange {
                    start: range.start,
                    end: ranges[index].end,
                });
            }
        }
        index += 1;
    }
    next
}

/// How many rounds it takes.
pub fn rounds(ranges: &[HashKeyRange], target: u32, steps_max: usize) -> u32 {
    let mut ranges = ranges.to_vec();
    let mut rounds = 0;
    loop {
        let steps = round(&ranges, target, steps_max);
        if steps.is_empty() {
            return rounds;
        }
        ranges = after(&ranges, &steps);
        rounds += 1;
    }
}

#[cfg(test)]
mod tests;
