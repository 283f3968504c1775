//! Reads a view that is rebuilt by replay: [`Reader`].

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use tidemill_model::{Clock, Source, StreamArn, Timestamp};

use crate::definition::Definition;
use crate::positions::{Positions, as_vector};
use crate::record_map::RecordMap;
use crate::state::Aggregate;
use crate::value::Type;
use crate::view_reader::{
    AsOf, KeyFilter, MinPosition, QueryOptions, ReadError, Reading, ViewReader,
};

use super::held::{Contents, Held};

/// How long an answer waits for records that have to be in it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Reads a view.
pub struct Reader {
    definition: Definition,
    map: Arc<dyn RecordMap>,
    held: Arc<Held>,
    source: Arc<dyn Source>,
    stream: StreamArn,
    clock: Arc<dyn Clock>,
}

impl Reader {
    /// Of the view of `definition` over `stream`.
    pub fn new(
        definition: Definition,
        map: Arc<dyn RecordMap>,
        held: Arc<Held>,
        source: Arc<dyn Source>,
        stream: StreamArn,
        clock: Arc<dyn Clock>,
    ) -> Reader {
        Reader {
            definition,
            map,
            held,
            source,
            stream,
            clock,
        }
    }

    /// What an answer would be as of now.
    pub fn sight(&self) -> Result<AsOf, ReadError> {
        let contents = self.held.contents();
        self.check(&contents)?;
        Ok(self.as_of(&contents))
    }

    fn check(&self, contents: &Contents) -> Result<(), ReadError> {
        let positions: u64 = contents.positions.values().sum();
        let accounted = contents.counts.sum();
        let why = match &contents.broken {
            Some(why) => why.clone(),
            None if contents.missing() != Some(0) => rebuilding(contents),
            None if positions == accounted => return Ok(()),
            None => format!("{accounted} of {positions} positions are accounted for"),
        };
        Err(self.unanswerable(why))
    }

    fn unanswerable(&self, why: String) -> ReadError {
        let view = self.definition.name.clone();
        ReadError::Unanswerable { view, why }
    }

    fn demand(&self, why: String) -> ReadError {
        let view = self.definition.name.clone();
        ReadError::Demand { view, why }
    }

    fn as_of(&self, contents: &Contents) -> AsOf {
        AsOf {
            view: self.definition.name.clone(),
            positions: contents.positions.clone(),
            epoch: 0,
            lag: self.lag(&contents.positions, contents.complete_at),
            class: self.definition.class,
        }
    }

    /// Nothing when no record is missing, else how long ago nothing was: the newest that is missing is
    /// not older.
    fn lag(&self, positions: &Positions, complete_at: Timestamp) -> Duration {
        let shards = self.source.shards(&self.stream).unwrap_or_default();
        let is_missing = shards
            .iter()
            .any(|shard| shard.end > positions.get(&shard.id).copied().unwrap_or(0));
        match is_missing {
            true => self.clock.now().since(complete_at),
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
                    .positions
                    .get(&demanded.shard)
                    .is_some_and(|end| *end > demanded.position)
            }
        };
        let is_rebuilt = || {
            let contents = self.held.contents();
            contents.missing() == Some(0) || contents.broken.is_some()
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
            () = self.clock.sleep_until(self.clock.now().plus(PATIENCE)) => {
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

fn rebuilding(contents: &Contents) -> String {
    match contents.missing() {
        Some(missing) => format!("it is being rebuilt, and {missing} records are still missing"),
        None => "it is being rebuilt from the master dataset".to_owned(),
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
            let contents = self.held.contents();
            self.check(&contents)?;
            if let Some(wanted) = &options.as_of
                && *wanted != contents.positions
            {
                return Err(self.demand(format!(
                    "a view with mode = 'kappa' is answered at its newest vector only, {}",
                    as_vector(&contents.positions)
                )));
            }
            let rows = contents.groups.finals(&*self.map, filters);
            let rows = rows.map_err(|error| self.unanswerable(error.to_string()))?;
            Ok(Reading {
                rows: vec![rows],
                as_of: self.as_of(&contents),
            })
        })
    }
}
