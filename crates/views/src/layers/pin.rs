//! What an answer is made of, [`Pin`], or why there is none.
//!
//! What must hold: a pin never changes, and it is whole: batch view and parts tile, shard by shard, from 0 to
//! the head, and what became of the records adds up to that, in each of them.

use std::sync::Arc;

use thiserror::Error;

use crate::batch_view::BatchView;
use crate::part::{Part, follow};
use crate::positions::{Positions, Span};

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NoAnswer {
    /// There will be none.
    #[error("{0}")]
    Broken(String),
    /// Not all is there again that was there when it began.
    #[error("it is being rebuilt, and {missing} records are still missing")]
    Missing {
        /// How many are not.
        missing: u64,
    },
    /// Nobody knows yet what was there.
    #[error("it is being rebuilt from the master dataset")]
    Beginning,
}

/// What an answer is made of: never changed, and whole.
#[derive(Clone)]
pub struct Pin {
    /// How often the parts had begun anew.
    pub pass: u64,
    /// What the batch layer had.
    pub batch: Arc<BatchView>,
    /// What came behind that.
    pub parts: Vec<Arc<Part>>,
    /// One past the last position of each shard that is in them.
    pub head: Positions,
}

impl Pin {
    /// Whether batch view and parts tile up to the head and everything adds up; or what does not.
    pub fn check(&self) -> Result<(), String> {
        let accounted = self.batch.counts.sum();
        let positions: u64 = self.batch.positions.values().sum();
        if accounted != positions {
            return Err(format!(
                "the batch view accounts for {accounted} of {positions} positions"
            ));
        }
        let mut reached = self.batch.positions.clone();
        for part in &self.parts {
            follow(&mut reached, &part.spans).map_err(|span| untiled(&reached, span))?;
            if !part.is_conserved() {
                let counts = part.counts;
                return Err(format!("{counts:?} do not add up to {:?}", part.spans));
            }
        }
        match reached == self.head {
            true => Ok(()),
            false => Err("what it is made of does not end at its head".to_owned()),
        }
    }
}

fn untiled(reached: &Positions, span: Span) -> String {
    let end = reached.get(&span.shard).copied().unwrap_or(0);
    let Span { shard, from, .. } = span;
    format!("{shard} is known up to {end}, and then from {from} on")
}
