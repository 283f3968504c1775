//! All views as the tables of one schema: [`ViewsSchema`].
//!
//! A view that is made while others are asked is there for the next query. A view's table is a plan over its
//! groups, so that the engine's optimiser sees through it down to the keys.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use datafusion::catalog::{SchemaProvider, TableProvider};
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::ViewTable;

use crate::definition::Definition;
use crate::view_reader::{ViewReader, ViewSource};

use super::answer::Answering;
use super::groups_table::GroupsTable;
use super::version_table::VersionTable;

/// The schema that views stand in.
pub struct ViewsSchema {
    source: Arc<dyn ViewSource>,
    /// How the views that were asked are answered, so that this is planned once.
    answerings: Mutex<BTreeMap<String, (Definition, Arc<Answering>)>>,
}

impl ViewsSchema {
    /// Of the views in `source`.
    pub fn new(source: Arc<dyn ViewSource>) -> ViewsSchema {
        ViewsSchema {
            source,
            answerings: Mutex::default(),
        }
    }

    fn reader(&self, name: &str) -> Option<Arc<dyn ViewReader>> {
        let mut views = self.source.views().into_iter();
        views.find(|view| view.definition().name == name)
    }

    fn answering(&self, reader: &Arc<dyn ViewReader>) -> Result<Arc<Answering>> {
        let definition = reader.definition();
        let mut held = self
            .answerings
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some((same, answering)) = held.get(&definition.name)
            && same == definition
            && answering.is_of(reader.keys(), reader.aggregates())
        {
            return Ok(Arc::clone(answering));
        }
        let made = Answering::new(definition, reader.keys(), reader.aggregates());
        let made = made.map_err(|refusal| DataFusionError::External(Box::new(refusal)))?;
        let made = Arc::new(made);
        let entry = (definition.clone(), Arc::clone(&made));
        held.insert(definition.name.clone(), entry);
        Ok(made)
    }
}

impl fmt::Debug for ViewsSchema {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("views")
    }
}

#[async_trait]
impl SchemaProvider for ViewsSchema {
    fn table_names(&self) -> Vec<String> {
        let views = self.source.views().into_iter();
        let views = views.map(|view| view.definition().name.clone());
        views.chain(self.source.tables()).collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let Some(reader) = self.reader(name) else {
            let Some(version) = self.source.table_version(name) else {
                return Ok(None);
            };
            let table = self.source.table(&version).await;
            let table = table.map_err(|denied| DataFusionError::External(Box::new(denied)))?;
            return Ok(Some(Arc::new(VersionTable(table))));
        };
        let answering = self.answering(&reader)?;
        let groups = GroupsTable::new(Arc::clone(&reader), Arc::clone(&answering));
        let plan = answering.over(Arc::new(groups))?;
        let text = reader.definition().to_string();
        Ok(Some(Arc::new(ViewTable::new(plan, Some(text)))))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.reader(name).is_some() || self.source.table_version(name).is_some()
    }
}
