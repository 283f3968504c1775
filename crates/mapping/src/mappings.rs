//! [`Mappings`]: the service, as other code holds it.
//!
//! What must hold: a mapping has one supervisor at most that works; one that takes over waits for the
//! one before to have ended, so a changed mapping never runs beside its former self. Whatever is
//! running is forgotten by a restart and begun again from the catalog and the checkpoints:
//! [`Mappings::recover`] is the only way in.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio::task::JoinHandle;

use tidemill_ledger::{Outcome, Report};
use tidemill_log::AppendError;
use tidemill_model::Timestamp;

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
    running: Arc<Mutex<BTreeMap<String, Running>>>,
}

/// The task of a mapping.
struct Running {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
    board: Arc<Board>,
}

impl Mappings {
    /// The service made of `parts`; nothing runs yet.
    pub fn new(parts: MappingsParts) -> Mappings {
        Mappings {
            parts,
            running: Arc::default(),
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
    /// abandoned then is delivered again after the next start.
    pub async fn shutdown(&self) {
        let running = std::mem::take(&mut *self.lock());
        for one in running.values() {
            one.stop.send_replace(true);
        }
        let clock = &self.parts.clock;
        let deadline = clock.now().plus(self.parts.settings.shutdown_grace);
        for (uuid, mut one) in running {
            tokio::select! {
                biased;
                ended = &mut one.task => note_panic(&uuid, ended),
                () = clock.sleep_until(deadline) => {
                    tracing::warn!(mapping = uuid, "a running invocation is abandoned");
                    one.task.abort();
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
        let delay = self.parts.settings.state_delay;
        let command = catalog::Command::Create {
            mapping: Box::new(mapping),
            delay,
        };
        let created = self.parts.catalog.submit(command).await?;
        if let Ok(mapping) = &created {
            if delay.is_zero() {
                match supervisor::begin(&self.parts, mapping).await {
                    Ok(()) => {}
                    Err(BeginError::Log(error)) => return Err(error),
                    // The stream has gone since it was looked up; the supervisor waits for it.
                    Err(BeginError::Source(error)) => {
                        tracing::warn!(mapping = mapping.uuid, %error, "a mapping cannot begin");
                    }
                }
            }
            self.start(&mapping.uuid);
        }
        Ok(created)
    }

    /// Changes the catalog and has the mapping go on as it now stands.
    pub(crate) async fn change(
        &self,
        command: catalog::Command,
    ) -> Result<Result<Mapping, Refused>, AppendError> {
        let changed = self.parts.catalog.submit(command).await?;
        if let Ok(mapping) = &changed {
            self.start(&mapping.uuid);
        }
        Ok(changed)
    }

    /// What a mapping's last invocation came to, in AWS's words.
    pub(crate) fn last_processing_result(&self, uuid: &str) -> &'static str {
        let shown = self.board(uuid).and_then(|board| board.last_result());
        match shown.or_else(|| self.durable_result(uuid)) {
            None => "No records processed",
            Some(LastResult::Ok) => "OK",
            Some(LastResult::Problem) => "PROBLEM: Function call failed",
        }
    }

    /// What the checkpoints let one conclude when nothing has been invoked since the start.
    fn durable_result(&self, uuid: &str) -> Option<LastResult> {
        self.parts.checkpoints.read(|checkpoints| {
            let shards = &checkpoints.mapping(uuid)?.shards;
            if shards.values().any(|work| work.blocked.is_some()) {
                return Some(LastResult::Problem);
            }
            let processed = shards
                .values()
                .any(|work| work.account.count(Outcome::Processed) > 0);
            processed.then_some(LastResult::Ok)
        })
    }

    fn board(&self, uuid: &str) -> Option<Arc<Board>> {
        self.lock()
            .get(uuid)
            .map(|running| Arc::clone(&running.board))
    }

    /// Starts the task of a mapping as the catalog has it now; it begins when the one before has
    /// ended.
    fn start(&self, uuid: &str) {
        let mut running = self.lock();
        // Read under the lock: of two that start the same mapping, the later one sees the newer.
        let mapping = self
            .parts
            .catalog
            .read(|catalog| catalog.get(uuid).cloned());
        let Some(mapping) = mapping else { return };
        let before = running.remove(uuid);
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
        let task = tokio::spawn(async move {
            if let Some(before) = before {
                note_panic(&mapping.uuid, before.await);
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
        running.insert(uuid.to_owned(), Running { stop, task, board });
    }

    /// Forgets a deleted mapping once its deletion is settled; a restart takes up what is left.
    async fn finish_deletion(self, mapping: Mapping, mut stop: watch::Receiver<bool>) {
        tokio::select! {
            biased;
            () = supervisor::stopped(&mut stop) => return,
            () = self.parts.clock.sleep_until(mapping.settled_at) => {}
        }
        let uuid = mapping.uuid;
        forget(&self.parts, &uuid).await;
        let command = catalog::Command::Remove { uuid: uuid.clone() };
        if let Err(error) = self.parts.catalog.submit(command).await {
            tracing::error!(mapping = uuid, %error, "a deleted mapping stays until the next start");
        }
        self.lock().remove(&uuid);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Running>> {
        // The map is whole after every statement that changes it.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
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

fn note_panic(uuid: &str, ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(mapping = uuid, %error, "the task of a mapping has panicked");
    }
}
