//! Another version of a view: made beside the served one, compared with it, served in its place, and back.
//!
//! What must hold: the served version goes on answering whatever is done beside it; which one is served
//! changes in one step, in the catalog first and in the answers then, and only to one that has what the
//! other has. The version before stays, fed as ever, so that going back is as quick.

use std::sync::Arc;

use crate::catalog::{Beside, Command, View};
use crate::definition::split;
use crate::positions::Positions;
use crate::view_reader::QueryOptions;

use super::called::{demanded, read_all};
use super::create::{Created, Prepared};
use super::failure::Failure;
use super::hosted::Hosted;
use super::{Home, Shared};

impl Shared {
    /// Makes the next version of a view of `statement`, a `CREATE VIEW`.
    pub(super) async fn alter(&self, home: &Home, statement: &str) -> Result<Created, Failure> {
        let _changing = self.changing.lock().await;
        let definition = split(statement)?;
        let name = definition.name.clone();
        self.catalog(|catalog| catalog.versions(&name)?.check_alter())?;
        let served = self.catalog(|catalog| catalog.view(&name).cloned())?;
        let mut created = Created::of("ALTER VIEW");
        let stream = home.stream(&definition.stream);
        if stream != served.stream {
            let stream = served.stream.name;
            return Err(crate::catalog::Refused::OtherStream { name, stream }.into());
        }
        let prepared = self.prepare(definition, stream, &mut created).await?;
        let Prepared { definition, .. } = &prepared;
        let told = super::create::told(definition);
        let view = prepared.view(statement);
        self.submit(Command::AlterView { view }).await?;
        let next = self.version(&name, Beside::Next)?;
        let called = next.beside();
        created.notices.insert(0, format!("{called} is {told}"));
        created.notices.push(format!(
            "{called} is built beside {name}: DIFF VIEW {name} compares them, PROMOTE VIEW {name} serves it"
        ));
        self.place(&called, self.host(next));
        created.view = Some(called);
        Ok(created)
    }

    /// Serves the next version of the view called `name`.
    pub(super) async fn promote(&self, name: &str) -> Result<Created, Failure> {
        let _changing = self.changing.lock().await;
        let next = self.version(name, Beside::Next)?;
        let gone = self.version(name, Beside::Previous).ok();
        let command = Command::PromoteView {
            name: name.to_owned(),
            version: next.version,
        };
        let mut created = self.exchange(&next, command, "PROMOTE VIEW").await?;
        let kept = self.version(name, Beside::Previous)?.beside();
        created.notices.push(format!(
            "the version before is kept as {kept}: ROLLBACK VIEW {name} serves it again"
        ));
        if let Some(gone) = gone {
            self.remove(&gone.beside()).await;
        }
        Ok(created)
    }

    /// Serves the previous version of the view called `name`.
    pub(super) async fn roll_back(&self, name: &str) -> Result<Created, Failure> {
        let _changing = self.changing.lock().await;
        let previous = self.version(name, Beside::Previous)?;
        let command = Command::RollBackView {
            name: name.to_owned(),
            version: previous.version,
        };
        self.exchange(&previous, command, "ROLLBACK VIEW").await
    }

    /// Drops the version of the view called `name` that is not served.
    pub(super) async fn drop_version(&self, name: &str, place: Beside) -> Result<Created, Failure> {
        let _changing = self.changing.lock().await;
        let called = self.version(name, place)?.beside();
        let name = name.to_owned();
        self.submit(Command::DropVersion { name, place }).await?;
        self.remove(&called).await;
        Ok(Created::of("DROP VIEW"))
    }

    /// Serves `with` in place of the version that is served, by `command`.
    async fn exchange(
        &self,
        with: &View,
        command: Command,
        tag: &'static str,
    ) -> Result<Created, Failure> {
        let name = &with.name;
        let served = self.find(name)?;
        let other = self.find(&with.beside())?;
        has_caught_up(&served, &other).await?;
        self.submit(command).await?;
        let mut hosted = self.hosted();
        let seen = served.status().sight;
        let seen = seen.map_or_else(|_| Positions::new(), |as_of| as_of.positions);
        hosted.remove(&with.beside());
        let beside = served.view().beside();
        let none = Positions::new();
        hosted.insert(beside.clone(), Arc::new(served.called(&beside, &none)));
        hosted.insert(name.clone(), Arc::new(other.called(name, &seen)));
        drop(hosted);
        let mut created = Created::of(tag);
        created.view = Some(name.clone());
        created
            .notices
            .push(format!("{name} is version {} now", with.version));
        Ok(created)
    }

    fn version(&self, name: &str, place: Beside) -> Result<View, Failure> {
        let found = self.catalog(|catalog| catalog.versions(name)?.at(place).cloned());
        Ok(found?)
    }
}

/// Whether `other` can be answered, and has all that `served` has.
async fn has_caught_up(served: &Hosted, other: &Hosted) -> Result<(), Failure> {
    let behind = |why: String| Failure::Behind {
        name: other.name().to_owned(),
        why,
    };
    other.status().sight.map_err(behind)?;
    // One that cannot be answered is no measure: it may be why there is another one.
    let positions = served.status().sight.map(|as_of| as_of.positions);
    let options = QueryOptions {
        min_positions: demanded(&other.view().stream.name, &positions.unwrap_or_default()),
        as_of: None,
    };
    let reader = other
        .reader()
        .ok_or_else(|| behind("it does not run".to_owned()))?;
    let reading = read_all(&reader, options).await;
    reading
        .map(|_| ())
        .map_err(|error| behind(error.to_string()))
}
