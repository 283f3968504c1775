//! Streams to the master datasets of views: [`Archives`], an archiver for each archived stream.
//!
//! What must hold: that a stream is archived stands in the streams' catalog and nowhere else; before an
//! archiver is started the catalog says so, and after it was ended the catalog says that too, so nothing
//! is freed in between; two archivers never run for one table.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;

use tidemill_model::{Clock, ShardId, Source, StreamArn};
use tidemill_streams::{ArchiveSource, Archived, Failure, Streams};
use tidemill_views::archiver::{Archiver, ArchiverParts, Ended, Retention, Settings};
use tidemill_views::master::Subject;
use tidemill_views::positions::Positions;
use tidemill_views::{Schema, Store};

/// The columns that the table of a stream has beside its payloads.
pub type Columns = Box<dyn Fn(&StreamArn, u64) -> Schema + Send + Sync>;

/// Tells streams what they may free.
struct StreamRetention {
    streams: Streams,
}

impl Retention for StreamRetention {
    fn release(&self, _stream: &StreamArn, incarnation: u64, archived: &Positions) {
        self.streams.release(incarnation, archived);
    }
}

/// What [`Archives`] is made of.
pub struct ArchivesParts {
    /// The streams.
    pub streams: Streams,
    /// Where tables are kept.
    pub store: Arc<dyn Store>,
    /// What the folders of tables are called by those who read them begins with this.
    pub place: String,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// How archivers work.
    pub settings: Settings,
    /// Which columns the streams have.
    pub columns: Columns,
}

/// The archivers of streams; cheap to clone.
#[derive(Clone)]
pub struct Archives {
    shared: Arc<Shared>,
}

struct Shared {
    streams: Streams,
    parts: ArchiverParts,
    place: String,
    settings: Settings,
    columns: Columns,
    /// By the incarnations of their streams. Held while an archiver is started or stopped.
    running: Mutex<BTreeMap<u64, Running>>,
}

struct Running {
    schema: Schema,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// An archived stream and how far its table is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The stream, and what waits for its archiver.
    pub archived: Archived,
    /// Its table: a URL, or a folder of the data directory.
    pub folder: String,
    /// One past the last durable position of each shard that is there.
    pub ends: BTreeMap<ShardId, u64>,
}

impl Status {
    /// Records that the table has not.
    pub fn lag(&self) -> u64 {
        let lags = self.ends.iter().map(|(shard, end)| {
            let archived = self.archived.released.get(shard).copied().unwrap_or(0);
            end.saturating_sub(archived)
        });
        lags.sum()
    }
}

impl Archives {
    /// No archiver runs before [`Archives::recover`].
    pub fn new(parts: ArchivesParts) -> Archives {
        let ArchivesParts {
            streams,
            store,
            place,
            clock,
            settings,
            columns,
        } = parts;
        let source = ArchiveSource {
            streams: streams.clone(),
        };
        let retention = StreamRetention {
            streams: streams.clone(),
        };
        let parts = ArchiverParts {
            clock,
            source: Arc::new(source),
            retention: Arc::new(retention),
            store,
        };
        let shared = Shared {
            streams,
            parts,
            place,
            settings,
            columns,
            running: Mutex::default(),
        };
        Archives {
            shared: Arc::new(shared),
        }
    }

    /// Starts the archivers of all streams that are archived.
    pub async fn recover(&self) {
        let mut running = self.shared.running.lock().await;
        for archived in self.shared.streams.archived() {
            let (stream, incarnation) = (&archived.stream, archived.incarnation);
            let schema = (self.shared.columns)(stream, incarnation);
            running.insert(incarnation, self.start(stream, incarnation, schema));
        }
    }

    /// Where tables are kept.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.shared.parts.store
    }

    /// The streams, as archivers read them.
    pub fn source(&self) -> &Arc<dyn Source> {
        &self.shared.parts.source
    }

    /// Archives `stream` from now on; to do it twice is the same as once.
    pub async fn begin(&self, stream: &StreamArn) -> Result<(), Failure> {
        let incarnation = self.shared.parts.source.incarnation(stream);
        let schema = incarnation.map(|incarnation| (self.shared.columns)(stream, incarnation));
        self.begin_with(stream, &schema.unwrap_or_default()).await
    }

    /// Archives `stream` from now on, with the columns of `schema`.
    pub async fn begin_with(&self, stream: &StreamArn, schema: &Schema) -> Result<(), Failure> {
        let mut running = self.shared.running.lock().await;
        let incarnation = self.shared.streams.archive(stream).await?;
        match running.remove(&incarnation) {
            Some(archiver) if archiver.has(schema) => {
                running.insert(incarnation, archiver);
                return Ok(());
            }
            Some(archiver) => archiver.end().await,
            None => {}
        }
        let started = self.start(stream, incarnation, schema.clone());
        running.insert(incarnation, started);
        Ok(())
    }

    /// Stops archiving `stream`, which is then left to its retention. Its table stays.
    pub async fn end(&self, stream: &StreamArn) -> Result<(), Failure> {
        let mut running = self.shared.running.lock().await;
        let incarnation = self.shared.parts.source.incarnation(stream).ok();
        if let Some(archiver) = incarnation.and_then(|incarnation| running.remove(&incarnation)) {
            archiver.end().await;
        }
        self.shared.streams.end_archiving(stream).await
    }

    /// The archived streams, in the order of region, account and name.
    pub fn list(&self) -> Vec<Status> {
        let archived = self.shared.streams.archived();
        archived
            .into_iter()
            .map(|archived| self.status(archived))
            .collect()
    }

    /// Stops all archivers; what is archived stays so.
    pub async fn shutdown(&self) {
        let running = std::mem::take(&mut *self.shared.running.lock().await);
        for archiver in running.values() {
            archiver.ask_to_stop();
        }
        for archiver in running.into_values() {
            archiver.end().await;
        }
    }

    fn status(&self, archived: Archived) -> Status {
        // A stream that went in between has no shards any more.
        let shards = self
            .shared
            .parts
            .source
            .shards(&archived.stream)
            .unwrap_or_default();
        let folder = folder(&Subject {
            stream: archived.stream.clone(),
            incarnation: archived.incarnation,
        });
        Status {
            folder: format!("{}{folder}", self.shared.place),
            ends: shards
                .into_iter()
                .map(|shard| (shard.id, shard.end))
                .collect(),
            archived,
        }
    }

    fn start(&self, stream: &StreamArn, incarnation: u64, schema: Schema) -> Running {
        let subject = Subject {
            stream: stream.clone(),
            incarnation,
        };
        let folder = folder(&subject);
        let archiver = Archiver::new(
            self.shared.parts.clone(),
            subject,
            &folder,
            schema.clone(),
            self.shared.settings.clone(),
        );
        let (stop, stopping) = watch::channel(false);
        let stream = stream.clone();
        let task = tokio::spawn(async move {
            match archiver.run(stopping).await {
                Ended::Finished => tracing::info!(%stream, "an archived stream is gone"),
                Ended::Stopped => {}
            }
        });
        Running { schema, stop, task }
    }
}

impl Running {
    /// Whether its table has these columns already.
    fn has(&self, schema: &Schema) -> bool {
        self.schema.columns().starts_with(schema.columns())
    }

    fn ask_to_stop(&self) {
        // A task that has ended needs no telling.
        let _ = self.stop.send(true);
    }

    async fn end(self) {
        self.ask_to_stop();
        if let Err(error) = self.task.await {
            tracing::error!(%error, "an archiver ended badly");
        }
    }
}

/// Where the table of a stream stands. No two streams share an incarnation, so none finds the table of
/// one that had its name.
pub fn folder(subject: &Subject) -> String {
    format!(
        "views/master/{}-{}",
        subject.stream.name, subject.incarnation
    )
}
