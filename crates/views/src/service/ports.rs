//! What views need of their neighbours: [`Archiving`], and [`Layers`], which run them.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use thiserror::Error;
use tokio::sync::watch;

use tidemill_model::StreamArn;

use crate::catalog::View;
use crate::definition::Definition;
use crate::part::{Audits, Counts};
use crate::record_map::RecordMap;
use crate::schema::Schema;
use crate::view_reader::{AsOf, ReadError, ViewReader};

/// Brings streams into their master datasets.
pub trait Archiving: Send + Sync {
    /// From now on `stream` is archived, with these columns beside the payloads. To ask twice is the same
    /// as once.
    fn begin<'a>(
        &'a self,
        stream: &'a StreamArn,
        schema: &'a Schema,
    ) -> BoxFuture<'a, Result<(), ArchivingFailure>>;
}

/// Why a stream is not archived.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{detail}")]
pub struct ArchivingFailure {
    /// Why.
    pub detail: String,
}

/// Runs views.
pub trait Layers: Send + Sync {
    /// Starts a view: from what it has on disk, and otherwise from the beginning.
    fn launch(&self, launch: Launch) -> Launched;

    /// Removes what a view that was dropped has on disk.
    fn forget(&self, view: &View);
}

/// A view to start.
pub struct Launch {
    /// Its entry in the catalog.
    pub view: View,
    /// Its statement, split.
    pub definition: Definition,
    /// What is done with each record; those that are excluded are left out in it.
    pub map: Arc<dyn RecordMap>,
    /// Names all that decides what the view computes: what was kept under another plan is of no use.
    pub plan: String,
    /// Becomes true, or is dropped, when it is to stop.
    pub stop: watch::Receiver<bool>,
}

/// A view that runs.
pub struct Launched {
    /// What keeps it, in a word.
    pub kept_by: &'static str,
    /// Reads it.
    pub reader: Arc<dyn ViewReader>,
    /// Says what an answer would be as of now, or why there is none.
    pub sight: Box<dyn Fn() -> Result<AsOf, ReadError> + Send + Sync>,
    /// Says how it is kept.
    pub upkeep: Box<dyn Fn() -> Upkeep + Send + Sync>,
    /// Computes what the batch view has again, all of it, and compares; or says what differs, and then there
    /// are no answers any more. Blocks.
    pub audit: Arc<dyn Fn() -> Result<Audited, String> + Send + Sync>,
    /// Completes when it has stopped.
    pub stopped: BoxFuture<'static, ()>,
}

/// What a whole audit of a batch view looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Audited {
    /// Records that were computed again.
    pub records: u64,
    /// Groups that were compared.
    pub groups: u64,
}

/// How a view is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Upkeep {
    /// What became of the records before its head.
    pub counts: Counts,
    /// How many of these are behind the batch view.
    pub behind: u64,
    /// What audits of the batch view came to since the start.
    pub audits: Audits,
}
