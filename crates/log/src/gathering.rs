//! What has been taken out of the write-ahead log and is not yet named: [`Gathering`].
//!
//! What must hold: the files of the write-ahead log are gathered in their order, each from its start to
//! its end, so that what chunks hold of a partition lies before what they do not. The chunks in the making
//! are named when whole files are in them. Until then nothing is lost with them, and a start removes them.

use std::collections::BTreeMap;

use crate::chunk_writer::ChunkWriter;
use crate::port::Retention;
use crate::portion::Portion;
use crate::rounds::Next;
use crate::shared::State;

/// See the module.
#[derive(Default)]
pub struct Gathering {
    /// The chunks in the making.
    pub writers: BTreeMap<Retention, ChunkWriter>,
    /// The sealed files of which everything has been gathered.
    pub files: Vec<u64>,
    /// How far the file behind them has been gathered.
    reached: Option<(u64, u64)>,
}

impl Gathering {
    /// What comes next: about `bytes_max` of the oldest file that is not gathered. None when there is
    /// nothing, and when it is not worth it yet.
    pub fn next(&mut self, state: &State, bytes_max: u64) -> Option<(Next, Portion)> {
        if let Some((file, _)) = self.reached
            && !state.spans.contains_key(&file)
        {
            // Nothing of it is needed any more.
            self.files.push(file);
            self.reached = None;
        }
        for (file, span) in &state.spans {
            if self.files.contains(file) {
                continue;
            }
            let is_sealed = state.sealed.contains(file);
            let start = match self.reached {
                Some((reached, offset)) if reached == *file => offset,
                _ => span.start,
            };
            if start < span.end {
                let portion = Portion::choose(&state.cache, *file, start..span.end, bytes_max);
                let is_worth_it = is_sealed || portion.span.end - start >= bytes_max;
                let next = match portion.missing().is_empty() {
                    true if is_worth_it => Next::InMemory,
                    true | false => Next::OnDisk,
                };
                return (is_sealed || next == Next::InMemory).then_some((next, portion));
            }
            if !is_sealed {
                return None;
            }
            self.files.push(*file);
            self.reached = None;
        }
        None
    }

    /// Notes that `portion` has been gathered.
    pub fn took(&mut self, portion: &Portion) {
        self.reached = Some((portion.file, portion.span.end));
    }
}
