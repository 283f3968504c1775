//! Runs one mapping: a task for each shard whose turn it is.
//!
//! What must hold: every shard of the stream has an account before any child of it is read; children
//! are read when all their parents are done; a shard that comes to be while the mapping exists is
//! read from its first record. A stream that is deleted is waited for; when another takes its name,
//! the mapping has been there first, and reads it from the first record too.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};

use tidemill_log::AppendError;
use tidemill_model::source::{SourceError, SourceShard};
use tidemill_model::{ShardId, Timestamp};

use crate::board::Board;
use crate::catalog::Mapping;
use crate::checkpoints::{Command, MappingWork, ShardWork};
use crate::config::{Config, Place};
use crate::driver::{Driver, Ended};
use crate::limits::ABSENT_STREAM_POLL;
use crate::machine::Machine;
use crate::parts::MappingsParts;
use crate::resume::Resume;

/// Why the shards of a mapping could not be begun.
#[derive(Debug, thiserror::Error)]
pub enum BeginError {
    /// The stream could not be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The log could not be written.
    #[error(transparent)]
    Log(#[from] AppendError),
}

/// The shards of a mapping's stream.
struct Shards {
    incarnation: u64,
    shards: Vec<SourceShard>,
}

/// Gives every shard of the stream that has no account one, durably.
///
/// The shards that a mapping finds when it first begins are begun where its starting position says;
/// those that come later, or with another stream of the name, at their first record.
pub async fn begin(parts: &MappingsParts, mapping: &Mapping) -> Result<(), BeginError> {
    begin_shards(parts, mapping).await.map(drop)
}

async fn begin_shards(parts: &MappingsParts, mapping: &Mapping) -> Result<Shards, BeginError> {
    let stream = &mapping.stream;
    let incarnation = parts.source.incarnation(stream)?;
    let shards = parts.source.shards(stream)?;
    let known = parts.checkpoints.read(|checkpoints| {
        let ids = |work: &MappingWork| work.shards.keys().copied().collect::<BTreeSet<_>>();
        let work = checkpoints.mapping(&mapping.uuid)?;
        Some((work.incarnation == incarnation).then(|| ids(work)))
    });
    let mut begun = Vec::new();
    for shard in &shards {
        let start = match &known {
            None => {
                let point = mapping.starting_position.point();
                parts.source.locate(stream, shard.id, point).await?
            }
            Some(Some(known)) if known.contains(&shard.id) => continue,
            Some(_) => 0,
        };
        begun.push((shard.id, start));
    }
    if !matches!(known, Some(Some(_))) || !begun.is_empty() {
        let uuid = mapping.uuid.clone();
        let command = Command::Begin {
            uuid,
            incarnation,
            shards: begun,
        };
        // Beginning is never refused.
        let _ = parts.checkpoints.submit(command).await?;
    }
    Ok(Shards {
        incarnation,
        shards,
    })
}

fn work_of(parts: &MappingsParts, mapping: &Mapping, incarnation: u64) -> Option<MappingWork> {
    parts.checkpoints.read(|checkpoints| {
        let work = checkpoints.mapping(&mapping.uuid);
        work.filter(|work| work.incarnation == incarnation).cloned()
    })
}

/// One mapping that works.
pub struct Supervisor {
    /// The service.
    pub parts: MappingsParts,
    /// The mapping, as it was when the supervisor was started.
    pub mapping: Mapping,
    /// Where its machines are shown.
    pub board: Arc<Board>,
    /// Becomes true when the mapping is to stop.
    pub stop: watch::Receiver<bool>,
}

/// Why the tasks of a stream were stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    Stopped,
    StreamChanged,
}

impl Supervisor {
    /// Runs the mapping until it is stopped.
    pub async fn run(mut self) {
        let settled = tokio::select! {
            biased;
            () = stopped(&mut self.stop) => false,
            () = settled(&self.parts, &self.mapping) => true,
        };
        if !settled {
            return;
        }
        loop {
            if self.mapping.enabled {
                match self.run_stream().await {
                    Ok(Left::Stopped) => return,
                    Ok(Left::StreamChanged) => continue,
                    Err(error) => self.note(&error),
                }
            } else {
                match begin(&self.parts, &self.mapping).await {
                    Ok(()) => return,
                    Err(error) => self.note(&error),
                }
            }
            let again = self.parts.clock.now().plus(ABSENT_STREAM_POLL);
            if self.wait_until(again).await {
                return;
            }
        }
    }

    fn note(&self, error: &BeginError) {
        let mapping = &self.mapping.uuid;
        match error {
            BeginError::Source(SourceError::NoStream { .. } | SourceError::NoShard { .. }) => {
                tracing::debug!(mapping, %error, "a mapping waits for its stream");
            }
            BeginError::Source(SourceError::Storage { .. }) | BeginError::Log(_) => {
                tracing::error!(mapping, %error, "a mapping cannot begin on its stream");
            }
        }
    }

    /// Waits for a moment; gives whether it was stopped meanwhile.
    async fn wait_until(&mut self, moment: Timestamp) -> bool {
        tokio::select! {
            biased;
            () = stopped(&mut self.stop) => true,
            () = self.parts.clock.sleep_until(moment) => false,
        }
    }

    /// Runs the tasks of the stream that exists now.
    async fn run_stream(&mut self) -> Result<Left, BeginError> {
        let mut incarnation = None;
        let (stop_shards, stop) = watch::channel(false);
        let mut tasks = Tasks {
            running: BTreeMap::new(),
            set: JoinSet::new(),
            stop,
        };
        let left = loop {
            let shards = match begin_shards(&self.parts, &self.mapping).await {
                Ok(shards) => shards,
                Err(error) if incarnation.is_none() => return Err(error),
                Err(BeginError::Source(SourceError::NoStream { .. })) => {
                    break Left::StreamChanged;
                }
                Err(error) => {
                    self.note(&error);
                    let again = self.parts.clock.now().plus(ABSENT_STREAM_POLL);
                    if self.wait_until(again).await {
                        break Left::Stopped;
                    }
                    continue;
                }
            };
            if *incarnation.get_or_insert(shards.incarnation) != shards.incarnation {
                break Left::StreamChanged;
            }
            self.start_due(&shards, &mut tasks);
            let last = shards.shards.iter().map(|shard| shard.id.0).max();
            let next = ShardId(last.map_or(0, |last| last + 1));
            let ended = tokio::select! {
                biased;
                () = stopped(&mut self.stop) => break Left::Stopped,
                Some(ended) = tasks.set.join_next_with_id() => Some(ended),
                () = self.parts.source.wait_for_shard(&self.mapping.stream, next) => None,
            };
            if let Some(ended) = ended
                && self.note_end(&mut tasks, ended).await
            {
                break Left::Stopped;
            }
        };
        stop_shards.send_replace(true);
        while tasks.set.join_next().await.is_some() {}
        Ok(left)
    }

    /// Starts a task for each shard whose turn it is and that has none.
    fn start_due(&self, shards: &Shards, tasks: &mut Tasks) {
        let Some(work) = work_of(&self.parts, &self.mapping, shards.incarnation) else {
            return;
        };
        let is_done = |shard: &SourceShard| {
            let next = work.shards.get(&shard.id).map(|work| work.account.next());
            shard.closed && next.is_some_and(|next| next >= shard.end)
        };
        let by_id: BTreeMap<ShardId, &SourceShard> = shards
            .shards
            .iter()
            .map(|shard| (shard.id, shard))
            .collect();
        for shard in &shards.shards {
            let mut parents = shard.parents.iter().filter_map(|parent| by_id.get(parent));
            let due = !is_done(shard) && parents.all(|parent| is_done(parent));
            if let Some(work) = work.shards.get(&shard.id)
                && due
                && !tasks.running.values().any(|running| *running == shard.id)
            {
                self.start_shard(shards.incarnation, shard, work, tasks);
            }
        }
    }

    fn start_shard(
        &self,
        incarnation: u64,
        shard: &SourceShard,
        work: &ShardWork,
        tasks: &mut Tasks,
    ) {
        let place = self.place(shard.id);
        let resume = Resume {
            next: work.account.next(),
            delivered_to: work.delivered_to,
            blocked: work.blocked.clone(),
            giving_up: work.giving_up.clone(),
        };
        let seed = self.parts.entropy.next_u64();
        let machine = Machine::new(place.clone(), self.config(), resume, seed);
        let driver = Driver {
            parts: self.parts.clone(),
            place,
            incarnation,
            end: AtomicU64::new(shard.end),
            reads_reports: self.mapping.parameters.report_item_failures,
            board: Arc::clone(&self.board),
            said_unread: AtomicBool::new(false),
            stop: tasks.stop.clone(),
        };
        let task = tasks.set.spawn(driver.run(machine));
        tasks.running.insert(task.id(), shard.id);
    }

    /// A task has ended. One that did not end as it should is begun again after a while; gives
    /// whether the mapping was stopped meanwhile.
    async fn note_end(
        &mut self,
        tasks: &mut Tasks,
        ended: Result<(tokio::task::Id, Ended), JoinError>,
    ) -> bool {
        let (id, fault) = match ended {
            Ok((id, Ended::Finished | Ended::Stopped)) => (id, None),
            Ok((id, Ended::Replaced)) => (id, Some("its checkpoint was overtaken".to_owned())),
            Err(error) => (error.id(), Some(error.to_string())),
        };
        let shard = tasks.running.remove(&id);
        let Some(fault) = fault else { return false };
        let uuid = &self.mapping.uuid;
        tracing::error!(
            mapping = uuid,
            ?shard,
            fault,
            "a shard's task ended and is begun again"
        );
        let again = self.parts.clock.now().plus(ABSENT_STREAM_POLL);
        self.wait_until(again).await
    }

    fn place(&self, shard: ShardId) -> Place {
        let Mapping {
            uuid,
            function,
            role,
            stream,
            ..
        } = self.mapping.clone();
        Place {
            uuid,
            function,
            role,
            stream,
            shard,
        }
    }

    fn config(&self) -> Config {
        let parameters = &self.mapping.parameters;
        Config {
            batch_size: parameters.batch_size as usize,
            batching_window: std::time::Duration::from_secs(parameters.batching_window_secs.into()),
            policy: parameters.policy(),
            record_age_max: parameters.record_age_max(),
            report_item_failures: parameters.report_item_failures,
            destination: parameters.destination().map(str::to_owned),
            backoff: self.parts.settings.backoff,
            poll_interval: self.parts.settings.poll_interval,
        }
    }
}

/// Completes when the last change of `mapping` holds.
pub async fn settled(parts: &MappingsParts, mapping: &Mapping) {
    if !mapping.is_settled(parts.clock.now()) {
        parts.clock.sleep_until(mapping.settled_at).await;
    }
}

/// Completes when a stop is asked for, or nobody is left to ask.
pub async fn stopped(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|stop| *stop).await);
}

/// The tasks of a mapping's shards.
struct Tasks {
    running: BTreeMap<tokio::task::Id, ShardId>,
    set: JoinSet<Ended>,
    stop: watch::Receiver<bool>,
}
