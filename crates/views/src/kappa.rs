//! Views that are rebuilt by replay only, `mode = 'kappa'`: [`Kappa`].
//!
//! One state for each group, in memory; at every start all records are added up anew, from the master
//! dataset as far as it goes and from the stream behind that. What must hold: each position of each shard
//! is added once, in its order, or counted as gone when retention took it before the master dataset had it;
//! an answer is over what is before one vector of positions, and is refused when the counts do not add up
//! to that vector. There is nothing on disk, so there is nothing to be damaged, and nothing but time to
//! wait for after a crash.

mod columns;
mod cells;
mod groups;
mod held;
mod replay;
mod reader;

use std::sync::Arc;

use tidemill_model::{Clock, Source};

use crate::catalog::View;
use crate::master::Subject;
use crate::service::{Launch, Launched, Layers};
use crate::store::Store;

use self::held::Held;
use self::reader::Reader;
use self::replay::Replay;

/// Runs views by replay.
pub struct Kappa {
    parts: KappaParts,
}

/// What [`Kappa`] works with.
#[derive(Clone)]
pub struct KappaParts {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// The streams, as archivers read them.
    pub source: Arc<dyn Source>,
    /// Where tables are kept.
    pub store: Arc<dyn Store>,
    /// The folder of the table of a stream.
    pub folder: fn(&Subject) -> String,
}

impl Kappa {
    /// Over these parts.
    pub fn new(parts: KappaParts) -> Kappa {
        Kappa { parts }
    }
}

impl Layers for Kappa {
    fn launch(&self, launch: Launch) -> Launched {
        let Launch {
            view,
            definition,
            map,
            plan: _,
            stop,
        } = launch;
        let held = Arc::new(Held::new(Arc::clone(&map)));
        let replay = Replay::new(
            self.parts.clone(),
            view,
            Arc::clone(&map),
            Arc::clone(&held),
        );
        let reader = Arc::new(Reader::new(
            definition,
            map,
            held,
            Arc::clone(&self.parts.source),
            replay.stream().clone(),
            Arc::clone(&self.parts.clock),
        ));
        let seen = Arc::clone(&reader);
        let task = tokio::spawn(replay.run(stop));
        Launched {
            kept_by: "replay",
            reader,
            sight: Box::new(move || seen.sight()),
            stopped: Box::pin(async move {
                if let Err(error) = task.await {
                    tracing::error!(%error, "a view ended badly");
                }
            }),
        }
    }

    /// There is nothing on disk.
    fn forget(&self, _: &View) {}
}
