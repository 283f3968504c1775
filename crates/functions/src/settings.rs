//! What an operator can set, and what an environment needs of its surroundings.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tidemill_log::blobs::Blobs;
use tidemill_model::fault::Faults;
use tidemill_model::{Clock, Entropy};

use crate::ports::Processes;
use crate::sandbox::code_directory::CodeDirectories;
use crate::variables::Credentials;

/// What an operator can set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Directory for unpacked code and for the environments' temporary files; a cache, made as needed.
    pub work_directory: PathBuf,
    /// Most environments at a time.
    pub concurrency_max: usize,
    /// How long an environment may be idle.
    pub idle_max: Duration,
    /// How long a creation or an update takes until it serves.
    pub state_delay: Duration,
    /// What functions sign with.
    pub credentials: Credentials,
    /// The server's address, for the functions' own AWS clients.
    pub endpoint_url: Option<String>,
}

impl Settings {
    /// The defaults, with everything below `work_directory`.
    pub fn new(work_directory: impl Into<PathBuf>) -> Settings {
        Settings {
            work_directory: work_directory.into(),
            concurrency_max: 100,
            idle_max: Duration::from_secs(600),
            state_delay: Duration::ZERO,
            credentials: Credentials::default(),
            endpoint_url: None,
        }
    }
}

/// What an environment needs.
pub struct Surroundings {
    /// Archives.
    pub blobs: Arc<dyn Blobs>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
    /// Processes.
    pub processes: Arc<dyn Processes>,
    /// Faults that are armed.
    pub faults: Faults,
    /// Where the code is unpacked.
    pub directories: CodeDirectories,
    /// What the operator set.
    pub settings: Settings,
}
