//! Checking chunks in the background: [`Scrubber`], so that damage is known while copies still exist.
//!
//! What must hold: what is read takes no room in the system's cache and little time of the disk; what is
//! told as damaged is what `tidemill log verify` would tell, by the same code; a chunk that goes while it
//! is read is no damage. Nothing is mended here: a read of what is damaged fails by itself. What to
//! check, and when, is decided in `scrub`.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tidemill_model::Clock;

use crate::chunk::{ChunkRow, chunk_path};
use crate::files::Files;
use crate::inspect::{Damage, Met, Stop, walk_chunks};
use crate::scrub::{Scrub, Turn};
use crate::shared::Shared;

/// How many bytes are checked in a second: a chunk of 256 MiB in half a minute.
const BYTES_PER_SECOND: u64 = 8 * 1024 * 1024;

/// So many bytes are checked between two rests.
const STRETCH_BYTES: u64 = 256 * 1024;

/// The most damages that are remembered of one chunk.
const DAMAGES_MAX: usize = 100;

/// What checking has come to since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scrubbed {
    /// How many chunks were read whole.
    pub chunks: u64,
    /// How many bytes of entries were checked.
    pub bytes: u64,
    /// What is damaged in chunks that are still needed, by the number of the chunk; at most
    /// a hundred places of each.
    pub damage: BTreeMap<u64, Vec<Damage>>,
}

/// See the module.
pub struct Scrubber {
    shared: Arc<Shared>,
    files: Arc<Files>,
    clock: Arc<dyn Clock>,
    scrubbed: Mutex<Scrubbed>,
}

impl Scrubber {
    /// Of the log behind `shared`.
    pub fn new(shared: Arc<Shared>, files: Arc<Files>, clock: Arc<dyn Clock>) -> Scrubber {
        Scrubber {
            shared,
            files,
            clock,
            scrubbed: Mutex::default(),
        }
    }

    /// What has been found.
    pub fn scrubbed(&self) -> Scrubbed {
        let chunks = self.shared.lock().chunks_in_use();
        let mut scrubbed = self.scrubbed.lock().expect("no holder of this lock panics");
        let is_needed = |number: &u64| chunks.iter().any(|row| row.number == *number);
        scrubbed.damage.retain(|number, _| is_needed(number));
        scrubbed.clone()
    }

    /// Checks what is due, slowly, until the log takes no more changes. Blocks.
    pub fn run(&self) {
        let mut scrub = Scrub::default();
        while self.shared.takes_changes() {
            let chunks = self.shared.lock().chunks_in_use();
            match scrub.next(self.clock.now(), &chunks) {
                Turn::Check(row) => {
                    self.check(&row, true);
                    scrub.checked(self.clock.now(), row.number);
                }
                Turn::Wait(time) => self.shared.rest(time),
            }
        }
    }

    /// Checks all chunks that there are, at once. Blocks.
    pub fn check_all(&self) {
        let chunks = self.shared.lock().chunks_in_use();
        for row in &chunks {
            self.check(row, false);
        }
    }

    fn check(&self, row: &ChunkRow, is_paced: bool) {
        let open = |path: &str| self.files.disk().open_beside(path);
        let (mut bytes, mut rested) = (0, 0);
        let mut damage = Vec::new();
        let walked = walk_chunks(&open, [*row].into_iter(), &mut |met| {
            match met {
                Met::Entry { row, .. } => bytes += row.payload_bytes as u64,
                Met::Damage(found) if damage.len() < DAMAGES_MAX => damage.push(found),
                Met::Damage(_)
                | Met::File { .. }
                | Met::Chunk { .. }
                | Met::Frame { .. }
                | Met::Change { .. }
                | Met::Torn(_) => {}
            }
            if is_paced && bytes - rested >= STRETCH_BYTES {
                self.shared.rest(time_for(bytes - rested));
                rested = bytes;
                if !self.shared.takes_changes() {
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(())
        });
        match walked {
            Ok(()) => {}
            Err(Stop::Asked) => return,
            Err(Stop::Failed(error)) => damage.push(Damage {
                file: chunk_path(row.number),
                offset: 0,
                what: error.to_string(),
            }),
        }
        let is_needed = {
            let chunks = self.shared.lock().chunks_in_use();
            chunks.iter().any(|other| other.number == row.number)
        };
        let mut scrubbed = self.scrubbed.lock().expect("no holder of this lock panics");
        scrubbed.chunks += 1;
        scrubbed.bytes += bytes;
        scrubbed.damage.remove(&row.number);
        if is_needed && !damage.is_empty() {
            for Damage { file, offset, what } in &damage {
                tracing::error!(file, offset, what, "a chunk is damaged");
            }
            scrubbed.damage.insert(row.number, damage);
        }
    }
}

fn time_for(bytes: u64) -> Duration {
    Duration::from_millis(bytes * 1000 / BYTES_PER_SECOND)
}
