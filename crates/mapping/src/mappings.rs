//! [`Mappings`]: the service, as other code holds it.
//!
//! What must hold: a mapping has one supervisor at most that works; one that takes over waits for the
//! one before to have ended, so a changed mapping never runs beside its former self. An operation that has
//! begun is carried out whole, also when its caller goes away: what the catalog says of a mapping and
//! what runs of it are never apart. Nothing starts once [`Mappings::shutdown`] has been called.
//! Whatever is running is forgotten by a restart and begun again from the catalog and the checkpoints:
//! [`Mappings::recover`] is the only way in.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};

use tidemill_ledger::{Outcome, Report};
use tidemill_log::AppendError;
use tidemill_model::Timestamp;
use tidemill_model::source::SourceError;

use crate::board::Board;
use crate::catalog::{self, Change, Mapping, Refused};
use crate::checkpoints;
use crate::parts::MappingsParts;
use crate::report::mapping_report;
use crate::status::LastResult;
use crate::supervisor::{self, BeginError, Supervisor};

/// The service; cheap to clone.
#[derive(Clone)]
pub struct Mappings {
    parts: MappingsParts,
    tasks: Arc<Mutex<Tasks>>,
}

/// What runs.
#[derive(Default)]
struct Tasks {
    running: BTreeMap<String, Running>,
    /// Whether the service has been shut down: nothing is started any more.
    closed: bool,
}

/// The task of a mapping.
struct Running {
    stop: watch::Sender<bool>,
    /// One task, which ends with the set; it holds the set of the one that it took over from.
    task: JoinSet<()>,
    board: Arc<Board>,
}

impl Mappings {
    /// The service made of `parts`; nothing runs yet.
    pub fn new(parts: MappingsParts) -> Mappings {
        Mappings {
            parts,
            tasks: Arc::default(),
        }
    }

    /// What the service is made of.
    pub fn parts(&self) -> &MappingsParts {
        &self.parts
    }

    /// Starts every mapping that exists, and ends those whose deletion was interrupted.
    pub async fn recover(&self) {
        let mappings: Vec<Mapping> = self
            .parts
            .catalog
            .read(|catalog| catalog.mappings().cloned().collect());
        let orphans: Vec<String> = self.parts.checkpoints.read(|checkpoints| {
            let known = |uuid: &&str| !mappings.iter().any(|mapping| mapping.uuid == *uuid);
            checkpoints
                .uuids()
                .filter(known)
                .map(str::to_owned)
                .collect()
        });
        for uuid in orphans {
            forget(&self.parts, &uuid).await;
        }
        for mapping in mappings {
            self.start(&mapping.uuid);
        }
    }

    /// Stops every mapping. Waits for what is running as long as the settings allow; what is
    /// abandoned then is delivered again after the next start. A mapping that is created or changed
    /// afterwards starts with the next start.
    pub async fn shutdown(&self) {
        let running = {
            let mut tasks = self.lock();
            tasks.closed = true;
            std::mem::take(&mut tasks.running)
        };
        for one in running.values() {
            one.stop.send_replace(true);
        }
        let clock = &self.parts.clock;
        let deadline = clock.now().plus(self.parts.settings.shutdown_grace);
        for (uuid, mut one) in running {
            tokio::select! {
                biased;
                () = ended(&uuid, &mut one.task) => {}
                () = clock.sleep_until(deadline) => {
                    tracing::warn!(mapping = uuid, "a running invocation is abandoned");
                    one.task.abort_all();
                }
            }
        }
    }

    /// The ledger of every mapping, with the heads of the streams as of now.
    pub fn report(&self) -> Report {
        let now = self.parts.clock.now();
        let mappings: Vec<Mapping> = self.parts.catalog.read(|catalog| {
            catalog
                .mappings()
                .filter(|mapping| mapping.state(now).is_some())
                .cloned()
                .collect()
        });
        let report = |mapping: &Mapping| {
            // The account is read before the heads: it can then never be ahead of them.
            let work = self
                .parts
                .checkpoints
                .read(|checkpoints| checkpoints.mapping(&mapping.uuid).cloned());
            let incarnation = self.parts.source.incarnation(&mapping.stream).ok();
            let heads = match incarnation == work.as_ref().map(|work| work.incarnation) {
                true => self
                    .parts
                    .source
                    .shards(&mapping.stream)
                    .unwrap_or_default(),
                false => Vec::new(),
            };
            let heads = heads
                .into_iter()
                .map(|shard| (shard.id, shard.end))
                .collect();
            let board = self.board(&mapping.uuid);
            let shown = |shard| board.as_ref().and_then(|board| board.shard(shard));
            mapping_report(mapping, work.as_ref(), &heads, shown)
        };
        Report {
            mappings: mappings.iter().map(report).collect(),
        }
    }

    /// The mapping `uuid`, when it exists at `now`.
    pub(crate) fn get(&self, uuid: &str, now: Timestamp) -> Option<Mapping> {
        self.parts.catalog.read(|catalog| {
            catalog
                .get(uuid)
                .filter(|mapping| mapping.state(now).is_some())
                .cloned()
        })
    }

    /// Adds a mapping and starts it. When it completes, the position of every shard that exists is
    /// durable, unless the mapping takes its time to be created.
    pub(crate) async fn create(
        &self,
        mapping: Mapping,
    ) -> Result<Result<Mapping, Refused>, AppendError> {
        let mappings = self.clone();
        to_its_end(async move { mappings.create_whole(mapping).await }).await
    }

    async fn create_whole(
        &self,
        mapping: Mapping,
    ) -> Result<Result<Mapping, Refused>, AppendError> {
        let delay = self.parts.settings.state_delay;
        let command = catalog::Command::Create {
            mapping: Box::new(mapping),
            delay,
        };
        let created = self.parts.catalog.submit(command).await?;
        let Ok(mapping) = &created else {
            return Ok(created);
        };
        let begun = match delay.is_zero() {
            true => supervisor::begin(&self.parts, mapping).await,
            false => Ok(()),
        };
        // The mapping exists whatever came of that, and its supervisor tries again.
        self.start(&mapping.uuid);
        match begun {
            Err(BeginError::Log(error)) => return Err(error),
            // The stream has gone since it was looked up.
            Err(BeginError::Source(error)) => {
                tracing::warn!(mapping = mapping.uuid, %error, "a mapping cannot begin");
            }
            Ok(()) => {}
        }
        Ok(created)
    }

    /// Changes the catalog and has the mapping go on as it now stands.
    pub(crate) async fn change(
        &self,
        command: catalog::Command,
    ) -> Result<Result<Mapping, Refused>, AppendError> {
        let mappings = self.clone();
        to_its_end(async move {
            let changed = mappings.parts.catalog.submit(command).await?;
            if let Ok(mapping) = &changed {
                mappings.start(&mapping.uuid);
            }
            Ok(changed)
        })
        .await
    }

    /// What a mapping's last invocation came to, in AWS's words where they are known.
    pub(crate) fn last_processing_result(&self, mapping: &Mapping) -> String {
        let stream = self.parts.source.incarnation(&mapping.stream);
        if matches!(stream, Err(SourceError::NoStream { .. })) {
            return "PROBLEM: Stream not found".to_owned();
        }
        let uuid = &mapping.uuid;
        let shown = self.board(uuid).and_then(|board| board.last_result());
        match shown.or_else(|| self.durable_result(uuid)) {
            None => "No records processed".to_owned(),
            Some(LastResult::Ok) => "OK".to_owned(),
            Some(LastResult::Failed) => "PROBLEM: Function call failed".to_owned(),
            Some(LastResult::NotRun { reason }) => format!("PROBLEM: {reason}"),
        }
    }

    /// What the checkpoints let one conclude when nothing has been invoked since the start.
    fn durable_result(&self, uuid: &str) -> Option<LastResult> {
        self.parts.checkpoints.read(|checkpoints| {
            let shards = &checkpoints.mapping(uuid)?.shards;
            if shards.values().any(|work| work.blocked.is_some()) {
                return Some(LastResult::Failed);
            }
            let processed = shards
                .values()
                .any(|work| work.account.count(Outcome::Processed) > 0);
            processed.then_some(LastResult::Ok)
        })
    }

    fn board(&self, uuid: &str) -> Option<Arc<Board>> {
        self.lock()
            .running
            .get(uuid)
            .map(|running| Arc::clone(&running.board))
    }

    /// Starts the task of a mapping as the catalog has it now; it begins when the one before has
    /// ended.
    fn start(&self, uuid: &str) {
        let mut tasks = self.lock();
        if tasks.closed {
            return;
        }
        // Read under the lock: of two that start the same mapping, the later one sees the newer.
        let mapping = self
            .parts
            .catalog
            .read(|catalog| catalog.get(uuid).cloned());
        let Some(mapping) = mapping else { return };
        let before = tasks.running.remove(uuid);
        let board = match &before {
            Some(before) => {
                before.stop.send_replace(true);
                Arc::clone(&before.board)
            }
            None => Arc::default(),
        };
        let before = before.map(|before| before.task);
        let (stop, stopped) = watch::channel(false);
        let mappings = self.clone();
        let shown = Arc::clone(&board);
        let mut task = JoinSet::new();
        task.spawn(async move {
            if let Some(mut before) = before {
                ended(&mapping.uuid, &mut before).await;
            }
            if mapping.change == Change::Deleting {
                mappings.finish_deletion(mapping, stopped).await;
            } else {
                let parts = mappings.parts.clone();
                Supervisor {
                    parts,
                    mapping,
                    board: shown,
                    stop: stopped,
                }
                .run()
                .await;
            }
        });
        let running = Running { stop, task, board };
        tasks.running.insert(uuid.to_owned(), running);
    }

    /// Forgets a deleted mapping once its deletion is settled; a restart takes up what is left.
    async fn finish_deletion(self, mapping: Mapping, mut stop: watch::Receiver<bool>) {
        tokio::select! {
            biased;
            () = supervisor::stopped(&mut stop) => return,
            () = supervisor::settled(&self.parts, &mapping) => {}
        }
        let uuid = mapping.uuid;
        forget(&self.parts, &uuid).await;
        let command = catalog::Command::Remove { uuid: uuid.clone() };
        if let Err(error) = self.parts.catalog.submit(command).await {
            tracing::error!(mapping = uuid, %error, "a deleted mapping stays until the next start");
        }
        self.lock().running.remove(&uuid);
    }

    fn lock(&self) -> MutexGuard<'_, Tasks> {
        // They are whole after every statement that changes them.
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn forget(parts: &MappingsParts, uuid: &str) {
    let command = checkpoints::Command::Forget {
        uuid: uuid.to_owned(),
    };
    if let Err(error) = parts.checkpoints.submit(command).await {
        tracing::error!(mapping = uuid, %error, "the account of a deleted mapping stays");
    }
}

/// Waits for the task of a mapping.
async fn ended(uuid: &str, task: &mut JoinSet<()>) {
    while let Some(ended) = task.join_next().await {
        if let Err(error) = ended
            && error.is_panic()
        {
            tracing::error!(mapping = uuid, %error, "the task of a mapping has panicked");
        }
    }
}

/// Does `work` to its end, also when nobody waits for it any more.
async fn to_its_end<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    match tokio::spawn(work).await.map_err(JoinError::try_into_panic) {
        Ok(done) => done,
        Err(Ok(panic)) => std::panic::resume_unwind(panic),
        // The runtime is going, and with it whoever waits.
        Err(Err(_)) => std::future::pending().await,
    }
}
