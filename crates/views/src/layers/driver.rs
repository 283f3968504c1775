//! Carries out what the machine asks for: the task that keeps one view, [`Driver`].
//!
//! What must hold: what changes the layers runs where it may block, one thing at a time; each position of
//! each shard is put into the speed layer once, in its order. What absorbs compares what the master dataset
//! comes to with what the speed layer came to, group by group: they are two ways to one answer, and when
//! they differ there is none. Nothing is decided here about when.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::stream::{FuturesUnordered, StreamExt};
use thiserror::Error;
use tokio::sync::watch;
use tokio::task::{JoinSet, spawn_blocking};

use tidemill_model::source::{ReadLimit, SourceError};
use tidemill_model::{BoxFuture, Record, ShardId, Source};

use crate::batch_view::{BatchView, Folder, FolderError, Range};
use crate::groups::{Groups, GroupsError};
use crate::limits::CATCH_UP_RECORDS;
use crate::master::rows;
use crate::part::Part;
use crate::positions::{Positions, Span, reaches};
use crate::record_map::MapError;
use crate::service::Audited;

use super::exchange::{Effect, Input};
use super::held::Held;
use super::history::{EVERY_KEY, History, HistoryError};
use super::machine::Machine;
use super::settings::Settings;

/// How much of a shard is read at once.
const LIMIT: ReadLimit = ReadLimit {
    records: 10_000,
    bytes: 4 * 1024 * 1024,
};

/// Keeps one view; cheap to clone.
#[derive(Clone)]
pub struct Driver {
    /// The streams, as archivers read them.
    pub source: Arc<dyn Source>,
    /// What the master dataset has.
    pub history: Arc<History>,
    /// What the view holds.
    pub held: Arc<Held>,
    /// Where the batch view is kept; none when it is rebuilt at each start.
    pub folder: Option<Folder>,
    /// How often what is done.
    pub settings: Settings,
}

/// Why feeding ended.
#[derive(Debug, Error)]
pub(super) enum Stopped {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Map(#[from] MapError),
    #[error(transparent)]
    Groups(#[from] GroupsError),
    #[error("rows cannot be made: {0}")]
    Rows(#[from] arrow_schema::ArrowError),
    /// What comes next is in the master dataset only.
    #[error("the stream goes on behind what was read of it")]
    Behind,
    #[error("another stream has the name")]
    Gone,
}

/// Why the layers could not be changed.
#[derive(Debug, Error)]
pub(super) enum Failed {
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(transparent)]
    History(#[from] HistoryError),
    #[error(transparent)]
    Groups(#[from] GroupsError),
}

/// Closed parts, and what the master dataset comes to for them.
type Recomputed = (Vec<Arc<Part>>, Part);

type Outgoing = FuturesUnordered<BoxFuture<'static, Input>>;

impl Driver {
    /// Keeps the view until `stop` becomes true or is dropped.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let clock = Arc::clone(&self.history.clock);
        let mut machine = Machine::new(self.settings.clone());
        let mut stop_asked = false;
        let mut outgoing = Outgoing::new();
        let mut input = Input::Started;
        loop {
            for effect in machine.step(clock.now(), input) {
                match effect {
                    Effect::Stopped => return,
                    Effect::Settle => self.held.aim(self.held.pass(), Positions::new()),
                    effect => outgoing.push(self.clone().carry_out(effect)),
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

    fn carry_out(self, effect: Effect) -> BoxFuture<'static, Input> {
        Box::pin(async move {
            match effect {
                Effect::Open => self.blocking(Driver::open).await,
                Effect::CatchUp => self.blocking(Driver::catch_up).await,
                Effect::Close => self.blocking(Driver::close).await,
                Effect::Absorb => self.blocking(Driver::absorb).await,
                Effect::Audit => self.blocking(Driver::audit).await,
                Effect::Feed => self.feed().await,
                Effect::Settle | Effect::Stopped => {
                    unreachable!("what has no answer is not carried out here")
                }
            }
        })
    }

    /// Runs `work` where it may block; what it says when it failed is logged.
    async fn blocking(&self, work: fn(&Driver) -> Result<Input, Failed>) -> Input {
        let this = self.clone();
        match spawn_blocking(move || work(&this)).await {
            Ok(Ok(done)) => done,
            Ok(Err(error)) => {
                let stream = &self.history.subject.stream;
                tracing::error!(%stream, %error, "the batch layer of a view failed");
                Input::WorkFailed
            }
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }

    pub(super) fn open(&self) -> Result<Input, Failed> {
        let view = match &self.folder {
            None => BatchView::empty(0),
            Some(folder) => match folder.open(&*self.history.map) {
                Ok(view) => {
                    self.sweep(folder, &view);
                    view
                }
                Err(error @ FolderError::Damaged { epoch, .. }) => {
                    tracing::error!(%error, "a batch view is damaged and is recomputed");
                    BatchView::empty(epoch)
                }
                Err(error) => return Err(error.into()),
            },
        };
        self.held.begin(view);
        Ok(Input::Opened)
    }

    pub(super) fn catch_up(&self) -> Result<Input, Failed> {
        let table = self.history.table()?;
        let mut view = BatchView::clone(&self.held.contents().batch);
        let epoch = view.epoch;
        loop {
            let part = self
                .history
                .part(&table, &view.positions, None, CATCH_UP_RECORDS)?;
            if part.spans.is_empty() {
                break;
            }
            view = self.keep(self.absorbed(&view, &part)?)?;
        }
        let is_news = view.epoch > epoch;
        self.held.begin(view);
        Ok(Input::CaughtUp { is_news })
    }

    fn absorbed(&self, view: &BatchView, part: &Part) -> Result<BatchView, GroupsError> {
        view.absorbed(&*self.history.map, part, self.settings.file_groups)
    }

    /// `view`, durably where it is to be.
    fn keep(&self, view: BatchView) -> Result<BatchView, Failed> {
        let Some(folder) = &self.folder else {
            return Ok(view);
        };
        let kept = folder.publish(&*self.history.map, view)?;
        self.sweep(folder, &kept);
        Ok(kept)
    }

    /// Removes what `view` does not need. What is left lies there until the next time.
    fn sweep(&self, folder: &Folder, view: &BatchView) {
        if let Err(error) = folder.sweep(view) {
            let stream = &self.history.subject.stream;
            tracing::warn!(%stream, %error, "an old batch view has left files behind");
        }
    }

    pub(super) fn close(&self) -> Result<Input, Failed> {
        self.held.close()?;
        Ok(Input::Closed)
    }

    pub(super) fn absorb(&self) -> Result<Input, Failed> {
        let batch = Arc::clone(&self.held.contents().batch);
        let (parts, part) = match &self.folder {
            None => {
                let parts = self.held.absorbable(None);
                let part = Part::of(&parts)?;
                (parts, part)
            }
            Some(_) => match self.recomputed(&batch)? {
                Some(recomputed) => recomputed,
                None => return Ok(Input::Absorbed),
            },
        };
        if !parts.is_empty() {
            match self.absorbed(&batch, &part) {
                Ok(view) => {
                    let view = self.keep(view)?;
                    self.held.swap(&*self.history.map, view, parts.len());
                }
                Err(error) => self.held.break_for(error.to_string()),
            }
        }
        Ok(Input::Absorbed)
    }

    /// The closed parts that the master dataset has, and what that comes to for them; none when the two
    /// differ, and then there are no answers any more.
    fn recomputed(&self, batch: &BatchView) -> Result<Option<Recomputed>, Failed> {
        let table = self.history.table()?;
        let parts = self.held.absorbable(Some(&table.snapshot().positions));
        let speed = Part::of(&parts)?;
        let mut to = batch.positions.clone();
        to.extend(speed.spans.iter().map(|span| (span.shard, span.to)));
        let part = self
            .history
            .part(&table, &batch.positions, Some(&to), u64::MAX)?;
        match difference(&part, &speed) {
            None => Ok(Some((parts, part))),
            Some(difference) => {
                self.held.break_for(format!(
                    "the master dataset and the stream come to different answers: {difference}"
                ));
                Ok(None)
            }
        }
    }

    /// Audits the range of the batch view whose turn it is.
    pub(super) fn audit(&self) -> Result<Input, Failed> {
        let batch = Arc::clone(&self.held.contents().batch);
        let turn = self.held.audits().ranges as usize % batch.files.len().max(1);
        if let Some((Some(file), keys)) = batch.ranges().nth(turn) {
            self.compared(&batch, keys, file.groups()?)?;
        }
        Ok(Input::Audited)
    }

    /// Audits all of the batch view; or says what is wrong, or why it cannot be told.
    pub(super) fn audit_all(&self) -> Result<Audited, String> {
        let batch = Arc::clone(&self.held.contents().batch);
        let compared = batch.groups().map_err(Failed::from);
        let compared = compared.and_then(|groups| self.compared(&batch, EVERY_KEY, groups));
        match compared.map_err(|error| error.to_string())? {
            Compared::Same(audited) => Ok(audited),
            Compared::Different(why) => Err(why),
            Compared::Ahead => Err(
                "the master dataset has not all that is in it yet: ask again in a minute"
                    .to_owned(),
            ),
        }
    }

    /// Computes the groups of a range of keys of `batch` again out of the master dataset, from the first
    /// record on, and compares. When they differ there are no answers any more.
    fn compared(
        &self,
        batch: &BatchView,
        keys: Range<'_>,
        groups: Groups,
    ) -> Result<Compared, Failed> {
        let table = self.history.table()?;
        if !reaches(&table.snapshot().positions, &batch.positions) {
            return Ok(Compared::Ahead);
        }
        let from = Positions::new();
        let span = (&from, Some(&batch.positions));
        let again = self.history.part_within(&table, span, u64::MAX, keys)?;
        let audited = Audited {
            records: again.counts.sum(),
            groups: groups.len() as u64,
        };
        let kept = Part {
            spans: again.spans.clone(),
            counts: batch.counts,
            groups,
        };
        let found = difference(&again, &kept);
        let now = self.history.clock.now();
        self.held.audited(now, audited.groups, found.is_some());
        let Some(difference) = found else {
            return Ok(Compared::Same(audited));
        };
        let why = format!(
            "the batch view differs from a recompute out of the master dataset: {difference}"
        );
        self.held.break_for(why.clone());
        Ok(Compared::Different(why))
    }

    /// Puts the records of the stream into the speed layer, until that does not go on.
    async fn feed(&self) -> Input {
        let pass = self.held.pass();
        let stopped = match self.feed_all(pass).await {
            Ok(never) => match never {},
            Err(stopped) => stopped,
        };
        match stopped {
            Stopped::Behind => Input::FeedBehind,
            Stopped::Gone | Stopped::Source(SourceError::NoStream { .. }) => Input::StreamGone {
                fed: self.held.is_aimed(),
            },
            Stopped::Groups(error) => {
                self.held.break_for(error.to_string());
                Input::FeedFailed
            }
            error => {
                let stream = &self.history.subject.stream;
                tracing::warn!(%stream, %error, "a view could not read its stream");
                Input::FeedFailed
            }
        }
    }

    async fn feed_all(&self, pass: u64) -> Result<std::convert::Infallible, Stopped> {
        let stream = &self.history.subject.stream;
        let mut feeders = JoinSet::new();
        let mut fed: BTreeSet<ShardId> = BTreeSet::new();
        loop {
            if self.source.incarnation(stream)? != self.history.subject.incarnation {
                return Err(Stopped::Gone);
            }
            let shards = self.source.shards(stream)?;
            let ends = shards.iter().map(|shard| (shard.id, shard.end));
            self.held.aim(pass, ends.collect());
            for shard in shards {
                if fed.insert(shard.id) {
                    let this = self.clone();
                    feeders.spawn(async move { this.feed_shard(pass, shard.id).await });
                }
            }
            let next = fed.last().map_or(0, |last| last.0 + 1);
            tokio::select! {
                () = self.source.wait_for_shard(stream, ShardId(next)) => {}
                Some(ended) = feeders.join_next() => {
                    ended.expect("feeding does not panic, and nobody cuts it off")?;
                }
            }
        }
    }

    /// Adds what comes in one shard; ends when it is closed and done.
    async fn feed_shard(&self, pass: u64, shard: ShardId) -> Result<(), Stopped> {
        let (source, stream) = (&self.source, &self.history.subject.stream);
        loop {
            let from = self.held.contents().head.get(&shard).copied().unwrap_or(0);
            let fetched = match source.read(stream, shard, from, LIMIT).await {
                // Forgotten, because the master dataset has all of it, and so has the view.
                Err(SourceError::NoShard { .. }) => return Ok(()),
                fetched => fetched?,
            };
            if fetched.first_readable > from {
                return Err(Stopped::Behind);
            }
            if fetched.records.is_empty() {
                if fetched.closed && from >= fetched.end {
                    return Ok(());
                }
                self.note_complete();
                source.wait(stream, shard, from).await;
                continue;
            }
            let this = self.clone();
            let added = spawn_blocking(move || this.add(pass, shard, from, &fetched.records)).await;
            added.expect("adding does not panic")?;
        }
    }

    pub(super) fn add(
        &self,
        pass: u64,
        shard: ShardId,
        from: u64,
        records: &[Record],
    ) -> Result<(), Stopped> {
        let History { schema, map, .. } = &*self.history;
        let rows: Vec<(ShardId, &Record)> = records.iter().map(|record| (shard, record)).collect();
        let mapped = map.map(&rows::batch(schema, &rows)?)?;
        let to = from + records.len() as u64;
        let mut part = Part::default();
        part.add(&**map, &[Span { shard, from, to }], &[], &mapped)?;
        self.held.push(pass, part);
        self.held.condense()?;
        Ok(())
    }

    /// Notes that nothing is missing, if that is so in every shard.
    fn note_complete(&self) {
        let now = self.history.clock.now();
        let shards = self.source.shards(&self.history.subject.stream);
        let shards = shards.unwrap_or_default();
        let mut contents = self.held.contents();
        let end = |shard| contents.head.get(&shard).copied().unwrap_or(0);
        if shards.iter().all(|shard| end(shard.id) >= shard.end) {
            contents.complete_at = now;
        }
    }
}

/// What an audit found.
enum Compared {
    /// Nothing.
    Same(Audited),
    /// What differs.
    Different(String),
    /// What is kept by replay may be ahead of its archive: there is nothing to be compared with yet.
    Ahead,
}

/// In what two parts of the same records differ, if they do.
fn difference(one: &Part, other: &Part) -> Option<String> {
    if one.spans != other.spans || one.counts != other.counts {
        let (Part { spans, counts, .. }, more) = (one, other);
        return Some(format!(
            "{counts:?} of {spans:?} and {:?} of {:?}",
            more.counts, more.spans
        ));
    }
    if one.groups.len() != other.groups.len() {
        return Some("they have other groups".to_owned());
    }
    let mut pairs = one.groups.iter().zip(other.groups.iter());
    let differing = pairs.find(|((key, group), (same, twin))| key != same || !group.is_as(twin));
    differing.map(|((_, group), _)| format!("group {:?}", group.key))
}
