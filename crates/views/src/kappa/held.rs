//! What a view holds: its groups, up to which positions, and how that adds up, [`Held`].
//!
//! What must hold: groups, positions and counts change together. `rows_in + filtered + poisoned +
//! excluded + gone` is the number of positions before the vector; an answer is given only while that is so.

use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::watch;

use tidemill_model::Timestamp;

use crate::positions::{self, Positions, Span};
use crate::record_map::{Mapped, RecordMap};

use super::groups::Groups;

/// What became of the positions before a vector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records in a group.
    pub rows_in: u64,
    /// Records that the filter left out.
    pub filtered: u64,
    /// Records whose expressions failed.
    pub poisoned: u64,
    /// Records that the stream's exclusions name.
    pub excluded: u64,
    /// Positions whose records retention took before the master dataset had them.
    pub gone: u64,
}

impl Counts {
    /// All of them.
    pub fn sum(self) -> u64 {
        self.rows_in + self.filtered + self.poisoned + self.excluded + self.gone
    }
}

/// What is known at one moment.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    /// The groups.
    pub groups: Groups,
    /// One past the last position of each shard that is in them.
    pub positions: Positions,
    /// What became of these.
    pub counts: Counts,
    /// Why there is no answer, for good: a state cannot take what it was given.
    pub broken: Option<String>,
    /// When it was last known to have everything.
    pub complete_at: Timestamp,
    /// What there was when this pass began; nothing is answered before it has that.
    target: Option<Positions>,
    /// How often everything has begun anew. What was read before the last time is not added after it.
    pass: u64,
}

impl Contents {
    /// How many positions are missing of what there was when this pass began; none when nobody has
    /// looked yet. An answer before that would be older than one that was given before a crash.
    pub fn missing(&self) -> Option<u64> {
        let missing = self.target.as_ref()?.iter().map(|(shard, end)| {
            let reached = self.positions.get(shard).copied().unwrap_or(0);
            end.saturating_sub(reached)
        });
        Some(missing.sum())
    }
}

/// What a view holds; shared by who adds and who reads.
pub struct Held {
    map: Arc<dyn RecordMap>,
    contents: Mutex<Contents>,
    /// Counts changes.
    changes: watch::Sender<u64>,
}

impl Held {
    /// Nothing yet.
    pub fn new(map: Arc<dyn RecordMap>) -> Held {
        Held {
            map,
            contents: Mutex::default(),
            changes: watch::Sender::new(0),
        }
    }

    /// What it holds now.
    pub fn contents(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().expect("no holder of this lock panics")
    }

    /// Tells of changes.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Begins anew; gives the number to add with from now on.
    pub fn begin(&self) -> u64 {
        let mut contents = self.contents();
        let pass = contents.pass + 1;
        *contents = Contents {
            pass,
            ..Contents::default()
        };
        pass
    }

    /// Says what there was when this pass began.
    pub fn aim(&self, pass: u64, target: Positions) {
        let mut contents = self.contents();
        if contents.pass == pass {
            contents.target = Some(target);
        }
        drop(contents);
        self.changes.send_modify(|count| *count += 1);
    }

    /// Adds `mapped`, which is what `spans` came to, but those of them that are `gone`. Each span begins
    /// where its shard ends.
    pub fn add(&self, pass: u64, mut spans: Vec<Span>, gone: &[Span], mapped: &Mapped) {
        let mut contents = self.contents();
        if contents.pass != pass {
            return;
        }
        spans.sort();
        for span in spans {
            let end = contents.positions.insert(span.shard, span.to).unwrap_or(0);
            assert_eq!(span.from, end, "positions are added in their order");
        }
        let counts = &mut contents.counts;
        counts.rows_in += mapped.places.len() as u64;
        counts.filtered += mapped.filtered;
        counts.poisoned += mapped.poisoned;
        counts.excluded += mapped.excluded;
        counts.gone += positions::count(gone);
        if let Err(error) = contents.groups.add(&*self.map, mapped) {
            contents.broken.get_or_insert(error.to_string());
        }
        drop(contents);
        self.changes.send_modify(|count| *count += 1);
    }
}
