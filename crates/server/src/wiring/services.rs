//! The assembly: every service on one log, each recovered before the first request.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use tidemill_destinations::{Queues, QueuesParts};
use tidemill_functions::{Functions, FunctionsParts, LocalProcesses, Queue};
use tidemill_log::{
    Blobs, Disk, LocalLog, Log, OpenError, PartitionId, Replicated, ServiceTag, StateLog,
};
use tidemill_mapping::{Mappings, MappingsParts};
use tidemill_model::fault::Faults;
use tidemill_model::{Clock, Entropy};
use tidemill_streams::{Streams, StreamsParts};

use crate::config::{Config, ConfigFile, LimitsMode, PaceMode};

#[cfg(feature = "views")]
use super::archives::Archives;
use super::destination::QueueDestination;
use super::invoker::FunctionInvoker;

/// The services; cheap to clone.
#[derive(Clone)]
pub struct Services {
    /// Kinesis.
    pub streams: Streams,
    /// Lambda's functions.
    pub functions: Functions,
    /// Lambda's event source mappings.
    pub mappings: Mappings,
    /// SQS.
    pub queues: Queues,
    /// What they stand on, when it is durable.
    pub local_log: Option<Arc<LocalLog>>,
    /// Large immutable things, by their hashes.
    pub blobs: Arc<dyn Blobs>,
    /// The archivers of streams.
    #[cfg(feature = "views")]
    pub archives: Archives,
    /// Views.
    #[cfg(feature = "views")]
    pub views: tidemill_views::service::Views,
}

/// Why the services cannot take up their state. Nothing has been served.
#[derive(Debug, Error)]
pub enum AssembleError {
    /// Commands or a snapshot cannot be read.
    #[error("what was kept cannot be taken up again")]
    Open(#[from] OpenError),
    /// A stream's unfinished change cannot be finished.
    #[error("the streams cannot be taken up again")]
    Streams(#[from] tidemill_streams::Failure),
    /// The thread that starts functions cannot be started.
    #[error("functions cannot be started")]
    Processes(#[source] std::io::Error),
    /// A queue cannot be opened.
    #[error("the queues cannot be taken up again")]
    Queues(#[from] tidemill_destinations::RecoverError),
    /// The store of `[views]` in the configuration file cannot be used.
    #[cfg(feature = "views")]
    #[error("the store of views cannot be used")]
    ViewStore(#[from] super::view_store::StoreFailure),
}

/// What the services stand on.
pub struct Ground {
    /// The log.
    pub log: Arc<dyn Log>,
    /// The same, when it is durable.
    pub local_log: Option<Arc<LocalLog>>,
    /// Large immutable things.
    pub blobs: Arc<dyn Blobs>,
    /// Where the files of views are kept.
    pub disk: Arc<dyn Disk>,
    /// Where functions keep what can be made again.
    pub work_directory: PathBuf,
    /// The URL that functions reach the server at.
    pub endpoint: String,
    /// The armed faults.
    pub faults: Faults,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
}

/// The replicated state of every service.
struct States {
    streams: Replicated<tidemill_streams::Catalog>,
    functions: Replicated<tidemill_functions::Catalog>,
    queues: Replicated<tidemill_destinations::Catalog>,
    mappings: Replicated<tidemill_mapping::Catalog>,
    invocations: Replicated<Queue>,
    checkpoints: Replicated<tidemill_mapping::Checkpoints>,
    #[cfg(feature = "views")]
    views: Replicated<tidemill_views::catalog::Catalog>,
}

/// Builds the services on `ground` and takes up what they were doing.
pub async fn assemble(
    config: &Config,
    file: &ConfigFile,
    ground: Ground,
) -> Result<Services, AssembleError> {
    let states = open_states(&ground.log).await?;
    let streams = Streams::new(StreamsParts {
        log: ground.log.clone(),
        catalog: states.streams,
        clock: ground.clock.clone(),
        entropy: ground.entropy.clone(),
        settings: stream_settings(config, file),
    });
    let functions = Functions::new(FunctionsParts {
        catalog: states.functions,
        queue: states.invocations,
        blobs: ground.blobs.clone(),
        clock: ground.clock.clone(),
        entropy: ground.entropy.clone(),
        processes: Arc::new(LocalProcesses::new().map_err(AssembleError::Processes)?),
        faults: ground.faults.clone(),
        settings: function_settings(config, file, &ground),
    });
    let queues = Queues::new(QueuesParts {
        log: ground.log.clone(),
        catalog: states.queues,
        clock: ground.clock.clone(),
        entropy: ground.entropy.clone(),
    });
    let destination = QueueDestination {
        queues: queues.clone(),
        faults: ground.faults.clone(),
        clock: ground.clock.clone(),
    };
    let mappings = Mappings::new(MappingsParts {
        catalog: states.mappings,
        checkpoints: states.checkpoints,
        source: Arc::new(streams.clone()),
        invoker: Arc::new(FunctionInvoker {
            functions: functions.clone(),
        }),
        destination: Arc::new(destination),
        clock: ground.clock.clone(),
        entropy: ground.entropy.clone(),
        settings: mapping_settings(config),
    });
    // What feeds others is taken up before what it feeds on stops to wait for it.
    streams.recover().await?;
    queues.recover().await?;
    functions.recover().await;
    mappings.recover().await;
    #[cfg(feature = "views")]
    let disk_and_clock = (ground.disk, ground.clock);
    #[cfg(feature = "views")]
    let (archives, views) =
        super::views::assemble(config, file, states.views, streams.clone(), disk_and_clock).await?;
    let blobs = ground.blobs;
    Ok(Services {
        blobs,
        #[cfg(feature = "views")]
        archives,
        #[cfg(feature = "views")]
        views,
        streams,
        functions,
        mappings,
        queues,
        local_log: ground.local_log,
    })
}

async fn open_states(log: &Arc<dyn Log>) -> Result<States, OpenError> {
    let mut control = StateLog::new(log.clone(), PartitionId::CONTROL);
    let streams = control.register(tidemill_streams::Catalog::default());
    let functions = control.register(tidemill_functions::Catalog::default());
    let queues = control.register(tidemill_destinations::Catalog::default());
    let mappings = control.register(tidemill_mapping::Catalog::default());
    #[cfg(feature = "views")]
    let views = control.register(tidemill_views::catalog::Catalog::default());
    control.open().await?;
    let mut queued = StateLog::new(log.clone(), PartitionId::new(ServiceTag::Functions, 1));
    let invocations = queued.register(Queue::default());
    queued.open().await?;
    let mut kept = StateLog::new(log.clone(), tidemill_mapping::checkpoints::partition());
    let checkpoints = kept.register(tidemill_mapping::Checkpoints::default());
    kept.open().await?;
    Ok(States {
        streams,
        functions,
        queues,
        mappings,
        invocations,
        checkpoints,
        #[cfg(feature = "views")]
        views,
    })
}

fn stream_settings(config: &Config, file: &ConfigFile) -> tidemill_streams::Settings {
    let section = &file.streams;
    let mut settings = tidemill_streams::Settings {
        limits: match config.limits {
            LimitsMode::Aws => tidemill_streams::Limits::Aws,
            LimitsMode::None => tidemill_streams::Limits::None,
        },
        state_delay: config.state_delay,
        on_demand_shards: section.on_demand_shards_max,
        ..tidemill_streams::Settings::default()
    };
    if let Some(secs) = section.hot_secs_before_split {
        settings.eagerness.hot_before_split = Duration::from_secs(secs);
    }
    if let Some(secs) = section.cold_secs_before_merge {
        settings.eagerness.cold_before_merge = Duration::from_secs(secs);
    }
    settings
}

fn function_settings(
    config: &Config,
    file: &ConfigFile,
    ground: &Ground,
) -> tidemill_functions::Settings {
    let mut settings = tidemill_functions::Settings::new(&ground.work_directory);
    settings.state_delay = config.state_delay;
    settings.endpoint_url = Some(ground.endpoint.clone());
    if let Some(most) = file.functions.concurrency_max {
        settings.concurrency_max = most;
    }
    settings
}

fn mapping_settings(config: &Config) -> tidemill_mapping::Settings {
    let pace = match config.pace {
        PaceMode::Fast => tidemill_mapping::Pace::Fast,
        PaceMode::Aws => tidemill_mapping::Pace::Aws,
    };
    tidemill_mapping::Settings {
        state_delay: config.state_delay,
        ..tidemill_mapping::Settings::with_pace(pace)
    }
}
