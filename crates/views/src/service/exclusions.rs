//! Records that are not to be counted: said, taken back, and all views of the stream computed anew.

use tidemill_model::{ShardId, StreamArn};

use crate::catalog::{Command, NewExclusion, Refused};

use super::create::{Created, of_source};
use super::failure::Failure;
use super::hosted::Hosted;
use super::{Home, Shared};

impl Shared {
    /// Leaves records out of all views of a stream.
    pub(super) async fn exclude(
        &self,
        home: &Home,
        stream: &str,
        (shard, from, to): (ShardId, u64, u64),
        reason: String,
    ) -> Result<Created, Failure> {
        let _changing = self.changing.lock().await;
        let stream = home.stream(stream);
        let exclusion = NewExclusion {
            incarnation: self.incarnation(&stream)?,
            stream: stream.clone(),
            shard,
            from,
            to,
            reason,
        };
        self.catalog(|catalog| catalog.exclusions().check(&exclusion))?;
        let end = self.end(&stream, shard)?;
        if to > end {
            let name = stream.name;
            return Err(Failure::NotThereYet { name, shard, end });
        }
        self.submit(Command::Exclude { exclusion }).await?;
        let id = self.catalog(|catalog| catalog.exclusions().all().last().map(|last| last.id));
        let mut created = Created::of("EXCLUDE");
        created.exclusion = id;
        if let Some(id) = id {
            created.notices.push(format!(
                "exclusion {id}: {} positions of {shard}; UNDO EXCLUSION {id} REASON '…' counts them again",
                to - from
            ));
        }
        self.compute_anew(&stream, &mut created).await;
        Ok(created)
    }

    /// Counts the records of an exclusion again.
    pub(super) async fn undo_exclusion(&self, id: u64, reason: String) -> Result<Created, Failure> {
        let _changing = self.changing.lock().await;
        let stream = self.catalog(|catalog| {
            let mut all = catalog.exclusions().all().iter();
            let found = all.find(|exclusion| exclusion.id == id);
            found.map(|exclusion| exclusion.stream.clone())
        });
        let stream = stream.ok_or(Refused::NoExclusion { id })?;
        self.submit(Command::UndoExclusion { id, reason }).await?;
        let mut created = Created::of("UNDO EXCLUSION");
        created.exclusion = Some(id);
        self.compute_anew(&stream, &mut created).await;
        Ok(created)
    }

    /// One past the last position of a shard, as the stream or a view of it has it: the stream forgets
    /// shards that are closed and expired.
    fn end(&self, stream: &StreamArn, shard: ShardId) -> Result<u64, Failure> {
        let shards = self.parts.source.shards(stream);
        let shards = shards.map_err(|error| of_source(&error, stream))?;
        let in_stream = shards.iter().find(|one| one.id == shard);
        let in_stream = in_stream.map(|one| one.end);
        let in_views = self.hosted_over(stream).into_iter().filter_map(|view| {
            let as_of = view.status().sight.ok()?;
            as_of.positions.get(&shard).copied()
        });
        let end = in_views.chain(in_stream).max();
        let name = stream.name.clone();
        end.ok_or(Failure::NoShard { name, shard })
    }

    /// Starts the layers of all views of `stream` anew. Until one has stopped it answers as before.
    async fn compute_anew(&self, stream: &StreamArn, created: &mut Created) {
        let views = self.hosted_over(stream);
        for view in &views {
            view.ask_to_stop();
        }
        for view in &views {
            view.stopped().await;
            let anew = self.host(view.view().clone());
            self.place(view.name(), anew);
        }
        let names: Vec<&str> = views.iter().map(|view| view.name()).collect();
        if !names.is_empty() {
            let names = names.join(", ");
            created.notices.push(format!("computed anew: {names}"));
        }
    }

    fn hosted_over(&self, stream: &StreamArn) -> Vec<std::sync::Arc<Hosted>> {
        let hosted = self.hosted();
        let over = hosted.values().filter(|view| view.view().stream == *stream);
        over.cloned().collect()
    }
}
