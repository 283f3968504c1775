//! Where the entries of one partition lie, in order: [`Extents`].
//!
//! What must hold: what is appended moves nothing that is there, however much that is. A partition that is
//! written has thousands of extents until they are sorted, and memory that doubles is fresh memory, for
//! which the one that publishes a frame, and everybody behind it, would wait. So they stand in blocks of
//! bounded size, which the allocator gives out again. Pure.

use std::collections::VecDeque;

use crate::limits::BLOCK_EXTENTS_MAX;
use crate::place::Extent;

/// See the module. No block is empty.
#[derive(Debug, Default)]
pub struct Extents {
    blocks: VecDeque<VecDeque<Extent>>,
}

impl Extents {
    /// The first.
    pub fn front(&self) -> Option<&Extent> {
        self.blocks.front()?.front()
    }

    /// The last.
    pub fn back(&self) -> Option<&Extent> {
        self.blocks.back()?.back()
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Extent> {
        self.blocks.iter().flatten()
    }

    /// Those behind all that are `before`, as [`slice::partition_point`] finds them.
    pub fn behind(&self, before: impl Fn(&Extent) -> bool) -> impl Iterator<Item = &Extent> {
        let index = self.block_behind(&before);
        let within = self
            .blocks
            .get(index)
            .map_or(0, |block| block.partition_point(before));
        self.blocks.range(index..).flatten().skip(within)
    }

    /// Puts `extent` behind all others.
    pub fn push(&mut self, extent: Extent) {
        match self.blocks.back_mut() {
            Some(block) if block.len() < BLOCK_EXTENTS_MAX => block.push_back(extent),
            // The first block grows as it is filled: most partitions are small.
            None => self.blocks.push_back(VecDeque::from([extent])),
            Some(_) => {
                let mut block = VecDeque::with_capacity(BLOCK_EXTENTS_MAX);
                block.push_back(extent);
                self.blocks.push_back(block);
            }
        }
    }

    /// Takes the first.
    pub fn pop_front(&mut self) -> Option<Extent> {
        let block = self.blocks.front_mut()?;
        let extent = block.pop_front();
        if block.is_empty() {
            self.blocks.pop_front();
        }
        extent
    }

    /// Puts `extent` in place of those that are not `before` and not `behind`; gives these, in pieces.
    pub fn replace(
        &mut self,
        before: impl Fn(&Extent) -> bool,
        behind: impl Fn(&Extent) -> bool,
        extent: Extent,
    ) -> Vec<VecDeque<Extent>> {
        let mut concerned = self.blocks.split_off(self.block_behind(&before));
        // What is wholly behind stays as it is.
        let end = concerned.partition_point(|block| !block.front().is_some_and(&behind));
        let rest = concerned.split_off(end);
        let mut replaced = Vec::with_capacity(concerned.len());
        let mut kept = VecDeque::new();
        for mut block in concerned {
            let mut middle = block.split_off(block.partition_point(&before));
            // Of the last block only, something may be behind.
            kept = middle.split_off(middle.partition_point(|extent| !behind(extent)));
            for extent in block {
                self.push(extent);
            }
            replaced.push(middle);
        }
        self.push(extent);
        for extent in kept {
            self.push(extent);
        }
        self.blocks.extend(rest);
        self.blocks.shrink_to(4);
        replaced
    }

    /// The first block that has more than what is `before`.
    fn block_behind(&self, before: &impl Fn(&Extent) -> bool) -> usize {
        self.blocks
            .partition_point(|block| block.back().is_some_and(before))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Weak;

    use proptest::prelude::*;

    use tidemill_model::Timestamp;

    use super::*;
    use crate::place::Home;

    fn extent(first: u64, count: u32) -> Extent {
        Extent {
            first,
            count,
            first_at: Timestamp::EPOCH,
            last_at: Timestamp::EPOCH,
            home: Home::Wal(1),
            offset: 0,
            bytes: 0,
            cached: Weak::new(),
        }
    }

    fn firsts<'a>(extents: impl Iterator<Item = &'a Extent>) -> Vec<u64> {
        extents.map(|extent| extent.first).collect()
    }

    proptest! {
        #[test]
        fn they_are_as_in_one_list(
            actions in proptest::collection::vec((0..10_u8, 0..1000_u64, 1..300_u64), 1..60),
        ) {
            let mut extents = Extents::default();
            let mut model: VecDeque<(u64, u32)> = VecDeque::new();
            let mut end = 0;
            for (action, at, count) in actions {
                match action {
                    0..6 => for _ in 0..count {
                        extents.push(extent(end, 1));
                        model.push_back((end, 1));
                        end += 1;
                    },
                    6..8 => for _ in 0..count.min(model.len() as u64) {
                        let first = extents.pop_front().map(|extent| extent.first);
                        prop_assert_eq!(first, model.pop_front().map(|(first, _)| first));
                    },
                    _ => {
                        // From the border of one extent to that of another.
                        let len = model.len();
                        let from = at as usize % (len + 1);
                        let to = (from + count as usize).min(len);
                        if from == to {
                            continue;
                        }
                        let first = model[from].0;
                        let behind = model.get(to).map_or(end, |(first, _)| *first);
                        let new = extent(first, (behind - first) as u32);
                        let replaced = extents.replace(
                            |old| old.end() <= first,
                            |old| old.first >= behind,
                            new,
                        );
                        let gone: Vec<_> = model.drain(from..to).map(|(first, _)| first).collect();
                        prop_assert_eq!(firsts(replaced.iter().flatten()), gone);
                        model.insert(from, (first, (behind - first) as u32));
                    }
                }
                let expected: Vec<u64> = model.iter().map(|(first, _)| *first).collect();
                prop_assert_eq!(firsts(extents.iter()), &expected[..]);
                prop_assert_eq!(extents.front().map(|e| e.first), expected.first().copied());
                prop_assert_eq!(extents.back().map(|e| e.first), expected.last().copied());
                let found = firsts(extents.behind(|extent| extent.end() <= at));
                let index = model.partition_point(|(first, count)| first + u64::from(*count) <= at);
                prop_assert_eq!(found, &expected[index..]);
                prop_assert!(extents.blocks.iter().all(|block| !block.is_empty()));
            }
        }
    }
}
