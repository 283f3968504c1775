//! Reads a view: [`Reader`].

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::task::spawn_blocking;

use arrow_array::RecordBatch;

use tidemill_model::{Source, Timestamp};

use crate::definition::{Definition, Mode};
use crate::groups::GroupsError;
use crate::part::follow;
use crate::positions::{Positions, as_vector, reaches};
use crate::record_map::RecordMap;
use crate::state::Aggregate;
use crate::value::Type;
use crate::view_reader::{
    AsOf, KeyFilter, MinPosition, QueryOptions, ReadError, Reading, ViewReader,
};

use super::held::Held;
use super::history::{History, HistoryError};
use super::pin::{NoAnswer, Pin};
use super::serving::answer_at;

/// How long an answer waits for records that have to be in it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Reads a view; cheap to clone.
#[derive(Clone)]
pub struct Reader {
    definition: Arc<Definition>,
    map: Arc<dyn RecordMap>,
    held: Arc<Held>,
    history: Arc<History>,
    source: Arc<dyn Source>,
}

impl Reader {
    /// Of the view of `definition`, whose records are in `history` and behind it in `source`.
    pub fn new(
        definition: Definition,
        held: Arc<Held>,
        history: Arc<History>,
        source: Arc<dyn Source>,
    ) -> Reader {
        Reader {
            definition: Arc::new(definition),
            map: Arc::clone(&history.map),
            held,
            history,
            source,
        }
    }

    /// What an answer would be as of now.
    pub fn sight(&self) -> Result<AsOf, ReadError> {
        let contents = self.held.contents();
        let (pin, complete_at) = (contents.answerable(), contents.complete_at);
        drop(contents);
        let pin = pin.map_err(|none| self.unanswerable(none.to_string()))?;
        pin.check().map_err(|why| self.unanswerable(why))?;
        Ok(self.as_of(&pin, complete_at))
    }

    fn unanswerable(&self, why: String) -> ReadError {
        let view = self.definition.name.clone();
        ReadError::Unanswerable { view, why }
    }

    fn demand(&self, why: String) -> ReadError {
        let view = self.definition.name.clone();
        ReadError::Demand { view, why }
    }

    fn as_of(&self, pin: &Pin, complete_at: Timestamp) -> AsOf {
        AsOf {
            view: self.definition.name.clone(),
            positions: pin.head.clone(),
            epoch: match self.definition.mode {
                Mode::Lambda => pin.batch.epoch,
                Mode::Kappa => 0,
            },
            lag: self.lag(&pin.head, complete_at),
            class: self.definition.class,
        }
    }

    /// Nothing when no record is missing, else how long ago nothing was: the newest that is missing is
    /// not older.
    fn lag(&self, positions: &Positions, complete_at: Timestamp) -> Duration {
        let shards = self
            .source
            .shards(&self.history.subject.stream)
            .unwrap_or_default();
        let is_missing = shards
            .iter()
            .any(|shard| shard.end > positions.get(&shard.id).copied().unwrap_or(0));
        match is_missing {
            true => self.history.clock.now().since(complete_at),
            false => Duration::ZERO,
        }
    }

    /// Waits until what was there before and what has to be in an answer is there.
    async fn wait_for(&self, demanded: &[MinPosition]) -> Result<(), ReadError> {
        let mut changes = self.held.changes();
        let is_there = |demanded: &MinPosition| {
            demanded.stream != self.definition.stream || {
                let contents = self.held.contents();
                contents
                    .head
                    .get(&demanded.shard)
                    .is_some_and(|end| *end > demanded.position)
            }
        };
        let is_rebuilt = || {
            let checked = self.held.contents().check();
            matches!(checked, Ok(()) | Err(NoAnswer::Broken(_)))
        };
        let waiting = async {
            while !(is_rebuilt() && demanded.iter().all(is_there)) {
                if changes.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        };
        tokio::select! {
            () = waiting => Ok(()),
            () = self.history.clock.sleep_until(self.history.clock.now().plus(PATIENCE)) => {
                let missing = demanded.iter().find(|demanded| !is_there(demanded));
                let text = missing.map(|missing| format!(
                    "position {} of {} in {} is not in it after {} s",
                    missing.position, missing.shard, missing.stream, PATIENCE.as_secs(),
                ));
                text.map_or(Ok(()), |text| Err(self.demand(text)))
            }
        }
    }
}

impl ViewReader for Reader {
    fn definition(&self) -> &Definition {
        &self.definition
    }

    fn keys(&self) -> &[Type] {
        self.map.keys()
    }

    fn aggregates(&self) -> &[Aggregate] {
        self.map.aggregates()
    }

    fn read<'a>(
        &'a self,
        filters: &'a [KeyFilter],
        options: &'a QueryOptions,
    ) -> BoxFuture<'a, Result<Reading, ReadError>> {
        Box::pin(async move {
            self.wait_for(&options.min_positions).await?;
            match &options.as_of {
                Some(wanted) => self.read_back(wanted, filters).await,
                None => self.read_now(filters),
            }
        })
    }
}

impl Reader {
    fn read_now(&self, filters: &[KeyFilter]) -> Result<Reading, ReadError> {
        let complete_at = self.held.contents().complete_at;
        let answer = self.held.answer(&*self.map, filters);
        let (pin, rows) = answer.map_err(|none| self.unanswerable(none.to_string()))?;
        let reading = self.reading(&pin, complete_at, rows)?;
        self.held.remember(pin);
        Ok(reading)
    }

    /// What may take as long as reading the whole master dataset is done where it may block.
    async fn read_back(
        &self,
        wanted: &Positions,
        filters: &[KeyFilter],
    ) -> Result<Reading, ReadError> {
        let (this, wanted, filters) = (self.clone(), wanted.clone(), filters.to_vec());
        let read = spawn_blocking(move || this.read_at(&wanted, &filters)).await;
        read.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
    }

    /// The answer at `wanted`: out of what is held, or else computed again out of the master dataset.
    fn read_at(&self, wanted: &Positions, filters: &[KeyFilter]) -> Result<Reading, ReadError> {
        let (found, now, complete_at) = {
            let contents = self.held.contents();
            let now = contents.answerable();
            (contents.pin_at(wanted), now, contents.complete_at)
        };
        let now = now.map_err(|none| self.unanswerable(none.to_string()))?;
        let pin = match found {
            Some(pin) => pin,
            None => self.recomputed(&now, wanted)?,
        };
        let rows = answer_at(&pin, &*self.map, filters);
        self.reading(&pin, complete_at, rows)
    }

    fn reading(
        &self,
        pin: &Pin,
        complete_at: Timestamp,
        rows: Result<Vec<RecordBatch>, GroupsError>,
    ) -> Result<Reading, ReadError> {
        pin.check().map_err(|why| self.unanswerable(why))?;
        let rows = rows.map_err(|error| self.unanswerable(error.to_string()))?;
        let as_of = self.as_of(pin, complete_at);
        Ok(Reading { rows, as_of })
    }

    /// Everything up to `wanted`, out of the master dataset.
    fn recomputed(&self, now: &Pin, wanted: &Positions) -> Result<Pin, ReadError> {
        if !reaches(&now.head, wanted) {
            let head = as_vector(&now.head);
            return Err(self.demand(format!("that lies ahead: it is at {head} now")));
        }
        let failed = |error: HistoryError| self.unanswerable(error.to_string());
        let table = self.history.table().map_err(failed)?;
        let from = Positions::new();
        let part = self.history.part(&table, &from, Some(wanted), u64::MAX);
        let part = part.map_err(failed)?;
        let mut head = Positions::new();
        if follow(&mut head, &part.spans).is_err() || !is_same(&head, wanted) {
            let archived = as_vector(&table.snapshot().positions);
            return Err(self.demand(format!(
                "no answer of then is kept, and the master dataset reaches to {archived} only"
            )));
        }
        Ok(Pin {
            batch: Arc::default(),
            parts: vec![Arc::new(part)],
            head,
            ..now.clone()
        })
    }
}

/// Whether both come to the same, where nothing of a shard is as good as no shard.
fn is_same(one: &Positions, other: &Positions) -> bool {
    let some = |positions: &Positions| {
        let some = positions.iter().filter(|(_, end)| **end > 0);
        some.map(|(shard, end)| (*shard, *end)).collect::<Vec<_>>()
    };
    some(one) == some(other)
}
