//! Carries out what the machine asks for: the task that archives one stream, [`Archiver`].
//!
//! What must hold: every effect of a step is begun before the next input is handed in, and what came of
//! it comes back as exactly one input. Nothing is decided here. A task that is dropped leaves the table
//! as the last commit has it, or the one that is on its way.

use std::sync::{Arc, Mutex};

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tracing::{error, warn};

use tidemill_model::source::{ReadLimit, SourceError};
use tidemill_model::{BoxFuture, Clock, ShardId, Source, Timestamp};

use crate::master::{Sealed, Subject, Table, TableError};
use crate::schema::Schema;
use crate::store::Store;

use super::exchange::{Effect, Input};
use super::machine::Machine;
use super::ports::Retention;
use super::settings::Settings;

/// What an archiver works with.
#[derive(Clone)]
pub struct ArchiverParts {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// The streams. Gives records as long as they exist, whatever a stream's retention says to readers.
    pub source: Arc<dyn Source>,
    /// Who frees records.
    pub retention: Arc<dyn Retention>,
    /// Where tables are kept.
    pub store: Arc<dyn Store>,
}

/// How a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The stream is gone, and what was read of it is in the table.
    Finished,
    /// It was asked to stop.
    Stopped,
}

/// Archives one stream.
pub struct Archiver {
    parts: ArchiverParts,
    subject: Subject,
    folder: String,
    schema: Schema,
    settings: Settings,
    /// Used by one effect at a time; none until it was opened.
    table: Arc<Mutex<Option<Table>>>,
}

type Outgoing = FuturesUnordered<BoxFuture<'static, Input>>;

impl Archiver {
    /// An archiver of `subject` into the table in `folder`.
    pub fn new(
        parts: ArchiverParts,
        subject: Subject,
        folder: &str,
        schema: Schema,
        settings: Settings,
    ) -> Archiver {
        Archiver {
            parts,
            subject,
            folder: folder.to_owned(),
            schema,
            settings,
            table: Arc::default(),
        }
    }

    /// Archives until the stream is gone, or `stop` becomes true or is dropped.
    pub async fn run(self, mut stop: watch::Receiver<bool>) -> Ended {
        let archiver = Arc::new(self);
        let clock = Arc::clone(&archiver.parts.clock);
        let mut machine = Machine::new(archiver.settings.clone());
        let mut stop_asked = false;
        let mut outgoing = Outgoing::new();
        let mut input = Input::Started;
        loop {
            for effect in machine.step(clock.now(), input) {
                match effect {
                    Effect::Finished => return Ended::Finished,
                    Effect::Stopped => return Ended::Stopped,
                    Effect::Release(archived) => {
                        let Subject {
                            stream,
                            incarnation,
                        } = &archiver.subject;
                        archiver
                            .parts
                            .retention
                            .release(stream, *incarnation, &archived);
                    }
                    effect => outgoing.push(Arc::clone(&archiver).carry_out(effect)),
                }
            }
            let deadline = machine.deadline();
            input = tokio::select! {
                biased;
                // A sender that is gone asks for a stop as well.
                _ = stop.wait_for(|stop| *stop), if !stop_asked => {
                    stop_asked = true;
                    Input::StopAsked
                }
                Some(answer) = outgoing.next() => answer,
                () = clock.sleep_until(deadline.unwrap_or_default()), if deadline.is_some() => {
                    Input::TimerFired
                }
            };
        }
    }

    fn carry_out(self: Arc<Self>, effect: Effect) -> BoxFuture<'static, Input> {
        Box::pin(async move {
            let stream = &self.subject.stream;
            match effect {
                Effect::OpenTable => self.open_table().await,
                Effect::CommitEpoch(sealed) => self.commit(sealed).await,
                Effect::TendTable => self.tend().await,
                Effect::ListShards => self.list(),
                Effect::AwaitShard(from) => {
                    self.parts.source.wait_for_shard(stream, from).await;
                    Input::ShardAppeared
                }
                Effect::Fetch { shard, from, limit } => self.fetch(shard, from, limit).await,
                Effect::AwaitRecords { shard, from } => {
                    self.parts.source.wait(stream, shard, from).await;
                    Input::RecordsArrived { shard }
                }
                Effect::Release(_) | Effect::Finished | Effect::Stopped => {
                    unreachable!("what has no answer is not carried out here")
                }
            }
        })
    }

    /// Runs `work` where it may block; what it says when it failed is logged.
    async fn blocking(
        &self,
        work: impl FnOnce(&mut Option<Table>, Timestamp) -> Result<Input, TableError> + Send + 'static,
    ) -> Input {
        let table = Arc::clone(&self.table);
        let now = self.parts.clock.now();
        let done = spawn_blocking(move || {
            let mut table = table.lock().expect("no holder of this lock panics");
            work(&mut table, now)
        });
        match done.await {
            Ok(Ok(input)) => input,
            Ok(Err(error)) => {
                error!(folder = self.folder, %error, "a master dataset failed");
                Input::TableFailed
            }
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }

    async fn open_table(&self) -> Input {
        let (store, folder) = (Arc::clone(&self.parts.store), self.folder.clone());
        let (subject, schema) = (self.subject.clone(), self.schema.clone());
        self.blocking(move |table, now| {
            let mut opened = Table::open(store, &folder, &subject, &schema, now)?;
            opened.change_schema(&schema, now)?;
            let positions = opened.snapshot().positions.clone();
            *table = Some(opened);
            Ok(Input::TableOpened(positions))
        })
        .await
    }

    async fn commit(&self, sealed: Vec<Sealed>) -> Input {
        self.blocking(move |table, now| {
            open(table).append(sealed, now)?;
            Ok(Input::EpochCommitted)
        })
        .await
    }

    async fn tend(&self) -> Input {
        let settings = self.settings.clone();
        self.blocking(move |table, now| {
            let table = open(table);
            table.compact(settings.compaction, now)?;
            table.checkpoint(settings.checkpoint_commits)?;
            table.sweep(settings.keep_replaced, now)?;
            Ok(Input::TableTended)
        })
        .await
    }

    /// Whether the stream is still the one that the table is of.
    fn is_gone(&self) -> Result<bool, SourceError> {
        match self.parts.source.incarnation(&self.subject.stream) {
            Ok(found) => Ok(found != self.subject.incarnation),
            Err(SourceError::NoStream { .. }) => Ok(true),
            Err(error) => Err(error),
        }
    }

    fn list(&self) -> Input {
        let shards = self.parts.source.shards(&self.subject.stream);
        match (self.is_gone(), shards) {
            (Ok(true), _) | (_, Err(SourceError::NoStream { .. })) => {
                Input::StreamGone { shard: None }
            }
            (Ok(false), Ok(shards)) => Input::ShardsListed(shards),
            (Err(error), _) | (_, Err(error)) => {
                warn!(stream = %self.subject.stream, %error, "shards could not be listed");
                Input::ListFailed
            }
        }
    }

    async fn fetch(&self, shard: ShardId, from: u64, limit: ReadLimit) -> Input {
        let stream = &self.subject.stream;
        let read = self.parts.source.read(stream, shard, from, limit).await;
        // Asked behind the read: then what was read is of the stream that the table is of.
        match (self.is_gone(), read) {
            (Ok(true), _) | (_, Err(SourceError::NoStream { .. })) => {
                Input::StreamGone { shard: Some(shard) }
            }
            (Ok(false), Ok(fetched)) => Input::RecordsFetched { shard, fetched },
            (Ok(false), Err(SourceError::NoShard { .. })) => Input::ShardGone { shard },
            (Err(error), _) | (_, Err(error)) => {
                warn!(%stream, %shard, %error, "a shard could not be read");
                Input::FetchFailed { shard }
            }
        }
    }
}

fn open(table: &mut Option<Table>) -> &mut Table {
    table.as_mut().expect("the machine opens the table first")
}
