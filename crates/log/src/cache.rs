//! The newest frames, in memory for readers: [`Cache`].
//!
//! What must hold: no more is kept than was allowed, but always the newest frame. Who reads a frame may
//! keep it longer.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::table::CachedFrame;

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
}
