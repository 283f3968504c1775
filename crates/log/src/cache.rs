//! The newest frames, in memory for readers: [`Cache`].
//!
//! What must hold: no more is kept than was allowed, but always the newest frame. Who reads a frame may
//! keep it longer.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use crate::place::CachedFrame;

/// Frames that are still in memory, within a budget of bytes.
#[derive(Debug)]
pub struct Cache {
    frames: VecDeque<Arc<CachedFrame>>,
    bytes: usize,
    bytes_max: usize,
}

impl Cache {
    /// Keeps at most `bytes_max`, but always the newest frame.
    pub fn new(bytes_max: usize) -> Cache {
        Cache {
            frames: VecDeque::new(),
            bytes: 0,
            bytes_max,
        }
    }

    /// Keeps `frame`, and the newest before it that fit.
    pub fn keep(&mut self, frame: Arc<CachedFrame>) {
        self.bytes += frame.bytes.len();
        self.frames.push_back(frame);
        while self.bytes > self.bytes_max && self.frames.len() > 1 {
            if let Some(oldest) = self.frames.pop_front() {
                self.bytes -= oldest.bytes.len();
            }
        }
    }

    /// Keeps nothing but the newest frame; gives the others, so that they are dropped behind a lock.
    pub fn forget(&mut self) -> Vec<Arc<CachedFrame>> {
        let older = self.frames.len().saturating_sub(1);
        let forgotten: Vec<_> = self.frames.drain(..older).collect();
        self.bytes = self.frames.iter().map(|frame| frame.bytes.len()).sum();
        forgotten
    }

    /// The frames that stand within `span` of file `file`, one behind the other up to its end, as far as
    /// they are in memory.
    pub fn frames_in(&self, file: u64, span: Range<u64>) -> Vec<Arc<CachedFrame>> {
        let place = |frame: &Arc<CachedFrame>| (frame.file, frame.offset);
        let from = self
            .frames
            .partition_point(|frame| place(frame) < (file, span.start));
        let to = self
            .frames
            .partition_point(|frame| place(frame) < (file, span.end));
        self.frames.range(from..to).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(file: u64, offset: u64) -> Arc<CachedFrame> {
        let bytes = vec![0; 100].into();
        Arc::new(CachedFrame {
            file,
            offset,
            bytes,
        })
    }

    #[test]
    fn the_frames_of_a_stretch_are_found_as_far_as_they_are_kept() {
        let mut cache = Cache::new(400);
        for (file, offset) in [(1, 50), (1, 150), (1, 250), (2, 60), (2, 160)] {
            cache.keep(frame(file, offset));
        }
        let found = |file, span| -> Vec<u64> {
            let frames = cache.frames_in(file, span);
            frames.iter().map(|frame| frame.offset).collect()
        };
        assert_eq!(found(1, 0..1000), [150, 250], "the oldest has gone");
        assert_eq!(found(1, 150..250), [150]);
        assert_eq!(found(2, 160..260), [160]);
        assert_eq!(found(2, 260..1000), [] as [u64; 0]);
        assert_eq!(found(3, 0..1000), [] as [u64; 0]);
    }

    #[test]
    fn all_but_the_newest_frame_are_forgotten_at_rest() {
        let mut cache = Cache::new(250);
        assert!(cache.forget().is_empty());
        for offset in [0, 100] {
            cache.keep(frame(1, offset));
        }
        assert_eq!(cache.forget().len(), 1);
        for offset in [200, 300] {
            cache.keep(frame(1, offset));
        }
        let kept = cache.frames_in(1, 0..1000);
        let kept: Vec<u64> = kept.iter().map(|frame| frame.offset).collect();
        assert_eq!(kept, [200, 300]);
    }
}
