//! What keeps views: a batch layer, a speed layer and what serves both as one answer, [`Running`].
//!
//! ```text
//! stream ──> speed layer: parts, one behind the other ─┐
//!    │                                                 ├──> serving: merged at one head
//!    └─> archiver ──> master dataset ──> batch view ───┘
//! ```
//!
//! The boundary between the two layers is a vector of positions, never a time: the batch view is what all
//! records before it came to, the parts are what those behind it did. To absorb is to compute the next of
//! the closed parts again out of the master dataset, to keep the batch view with them in it, and to swap
//! both in one step. What must hold: each position of each shard is in the batch view or in one part, or
//! counted as gone when retention took it before the master dataset had it; an answer is over what is before
//! one head, and is refused when it does not add up. After a crash the batch view is as its last manifest
//! has it, and the speed layer is read out of the stream again, from there on.
//!
//! A view with `mode = 'kappa'` has its batch view in memory only, made out of its own parts, and is
//! rebuilt by replay at each start.

mod settings;
mod exchange;
mod machine;
mod pin;
mod pages;
mod serving;
mod held;
mod history;
mod reader;
mod driver;

use std::sync::Arc;

use tidemill_model::{Clock, Source};

use crate::batch_view::Folder;
use crate::catalog::View;
use crate::definition::Mode;
use crate::master::Subject;
use crate::service::{Launch, Launched, Layers};
use crate::store::Store;

use self::driver::Driver;
use self::held::Held;
use self::history::History;
use self::reader::Reader;

pub use exchange::{Effect, Input};
pub use machine::Machine;
pub use settings::Settings;

/// Runs the layers of views.
pub struct Running {
    parts: LayersParts,
}

/// What layers work with.
#[derive(Clone)]
pub struct LayersParts {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// The streams, as archivers read them.
    pub source: Arc<dyn Source>,
    /// Where tables and batch views are kept.
    pub store: Arc<dyn Store>,
    /// The folder of the table of a stream.
    pub folder: fn(&Subject) -> String,
}

impl Running {
    /// Over these parts.
    pub fn new(parts: LayersParts) -> Running {
        Running { parts }
    }

    fn folder(&self, view: &View, plan: &str) -> Folder {
        let path = format!("views/batch/{}-{}", view.name, view.id);
        Folder::new(Arc::clone(&self.parts.store), path, plan)
    }
}

impl Layers for Running {
    fn launch(&self, launch: Launch) -> Launched {
        let Launch {
            view,
            definition,
            map,
            plan,
            stop,
        } = launch;
        let subject = Subject {
            stream: view.stream.clone(),
            incarnation: view.incarnation,
        };
        let history = Arc::new(History {
            store: Arc::clone(&self.parts.store),
            folder: (self.parts.folder)(&subject),
            subject,
            schema: view.schema.clone(),
            map,
            clock: Arc::clone(&self.parts.clock),
        });
        let settings = Settings::absorbing(definition.absorb);
        let held = Arc::new(Held::new(settings.page_groups));
        let mode = definition.mode;
        let driver = Driver {
            source: Arc::clone(&self.parts.source),
            history: Arc::clone(&history),
            held: Arc::clone(&held),
            folder: (mode == Mode::Lambda).then(|| self.folder(&view, &plan)),
            settings,
        };
        let source = Arc::clone(&self.parts.source);
        let kept = Arc::clone(&held);
        let reader = Arc::new(Reader::new(definition, held, history, source));
        let seen = Arc::clone(&reader);
        let auditor = driver.clone();
        let task = tokio::spawn(driver.run(stop));
        Launched {
            kept_by: match mode {
                Mode::Lambda => "layers",
                Mode::Kappa => "replay",
            },
            reader,
            sight: Box::new(move || seen.sight()),
            upkeep: Box::new(move || kept.upkeep()),
            audit: Arc::new(move || auditor.audit_all()),
            stopped: Box::pin(async move {
                if let Err(error) = task.await {
                    tracing::error!(%error, "a view ended badly");
                }
            }),
        }
    }

    fn forget(&self, view: &View) {
        if let Err(error) = self.folder(view, "").remove() {
            tracing::warn!(view = view.name, %error, "a dropped view has left files behind");
        }
    }
}

#[cfg(test)]
mod tests;
