//! [`MappingsParts`]: what the service is made of, handed to each of its tasks.
//!
//! What must hold: nothing here is reached around; a test replaces a part and has replaced it all.

use std::sync::Arc;

use tidemill_log::Replicated;
use tidemill_model::{Clock, Entropy, Source};

use crate::catalog::Catalog;
use crate::checkpoints::Checkpoints;
use crate::ports::{Destination, Invoker};
use crate::settings::Settings;

/// What the service is made of; cheap to clone.
#[derive(Clone)]
pub struct MappingsParts {
    /// Which mappings exist.
    pub catalog: Replicated<Catalog>,
    /// How far each has got.
    pub checkpoints: Replicated<Checkpoints>,
    /// The streams.
    pub source: Arc<dyn Source>,
    /// The functions.
    pub invoker: Arc<dyn Invoker>,
    /// What is told of batches that are given up.
    pub destination: Arc<dyn Destination>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
    /// How mappings behave.
    pub settings: Settings,
}
