//! A version of a view under the name that it is called by: [`Called`].
//!
//! Layers know the name of their view; which version of it is served is none of their business, and
//! changes while they run. What must hold: who has read one version of a view reads nothing older when
//! another one is served in its place.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

use crate::definition::Definition;
use crate::positions::Positions;
use crate::state::Aggregate;
use crate::value::Type;
use crate::view_reader::{KeyFilter, MinPosition, QueryOptions, ReadError, Reading, ViewReader};

/// Reads a view as another one does, under another name.
pub struct Called {
    reader: Arc<dyn ViewReader>,
    definition: Definition,
    /// What was in answers under this name before.
    floor: Vec<MinPosition>,
}

impl Called {
    /// What `reader` reads, called `name`; everything before `floor` is in every answer.
    pub fn new(reader: Arc<dyn ViewReader>, name: &str, floor: &Positions) -> Called {
        let definition = Definition {
            name: name.to_owned(),
            ..reader.definition().clone()
        };
        let floor = demanded(&definition.stream, floor);
        Called {
            reader,
            definition,
            floor,
        }
    }
}

/// The demand that everything before `positions` of `stream` is in an answer.
pub fn demanded(stream: &str, positions: &Positions) -> Vec<MinPosition> {
    let ends = positions.iter().filter(|(_, end)| **end > 0);
    let demanded = ends.map(|(shard, end)| MinPosition {
        stream: stream.to_owned(),
        shard: *shard,
        position: end - 1,
    });
    demanded.collect()
}

/// All groups of what `reader` reads, read where that may take its time.
pub async fn read_all(
    reader: &Arc<dyn ViewReader>,
    options: QueryOptions,
) -> Result<Reading, ReadError> {
    let (reader, handle) = (Arc::clone(reader), Handle::current());
    let reading = spawn_blocking(move || handle.block_on(reader.read(&[], &options)));
    reading
        .await
        .expect("reading does not panic, and nobody cuts it off")
}

/// `error`, of the view called `name`.
pub fn renamed(error: ReadError, name: &str) -> ReadError {
    let view = name.to_owned();
    match error {
        ReadError::Unanswerable { why, .. } => ReadError::Unanswerable { view, why },
        ReadError::Demand { why, .. } => ReadError::Demand { view, why },
    }
}

impl ViewReader for Called {
    fn definition(&self) -> &Definition {
        &self.definition
    }

    fn keys(&self) -> &[Type] {
        self.reader.keys()
    }

    fn aggregates(&self) -> &[Aggregate] {
        self.reader.aggregates()
    }

    fn read<'a>(
        &'a self,
        filters: &'a [KeyFilter],
        options: &'a QueryOptions,
    ) -> BoxFuture<'a, Result<Reading, ReadError>> {
        Box::pin(async move {
            let mut options = options.clone();
            // Who asks for an older vector by name has it as far as it is kept.
            if options.as_of.is_none() {
                options.min_positions.extend(self.floor.iter().cloned());
            }
            let name = &self.definition.name;
            let reading = self.reader.read(filters, &options).await;
            let mut reading = reading.map_err(|error| renamed(error, name))?;
            reading.as_of.view.clone_from(name);
            Ok(reading)
        })
    }
}
