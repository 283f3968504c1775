//! What views, schemas, exclusions and named queries exist: [`Catalog`], the replicated state of this crate.
//!
//! Pure. What must hold: a view's command carries its text and its schema, checked before it was
//! submitted, so a replay makes the same view whatever the program has learnt since; what two requests
//! could both find free is decided where the command is applied. Columns of a stream's schema are only
//! ever added, behind those there are: the tables are, and views that were made before mean theirs.

mod refused;
mod exclusions;
mod tables;
mod versions;

pub use exclusions::{Exclusion, Exclusions, NewExclusion, Undone};
pub use refused::Refused;
pub use tables::{TableEntry, Tables};
pub use versions::{Beside, Versions};

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use tidemill_log::{Position, RestoreError, ServiceTag, StateMachine};
use tidemill_model::{StreamArn, Timestamp};

use crate::limits::{ENDPOINTS_MAX, NAME_LETTERS_MAX, VIEWS_MAX};
use crate::schema::Schema;
use crate::static_table::TableVersion;

/// A view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// Differs from that of every other view and of every other version of it, one that had the same name
    /// included.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Which of its versions this is, from 1.
    #[serde(default = "first_version")]
    pub version: u32,
    /// The stream that it is over.
    pub stream: StreamArn,
    /// Which of the streams that had this name.
    pub incarnation: u64,
    /// Its `CREATE VIEW`, as it was written.
    pub statement: String,
    /// The columns that it was made over.
    pub schema: Schema,
    /// The versions of static tables that it was made over, in the order of its joins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<TableVersion>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Views that were made before they could be altered have no number.
fn first_version() -> u32 {
    1
}

impl View {
    /// What it is called while another version is served. No view has such a name.
    pub fn beside(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }
}

/// A view to make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewView {
    /// Its name.
    pub name: String,
    /// The stream that it is over.
    pub stream: StreamArn,
    /// Which of the streams that had this name.
    pub incarnation: u64,
    /// Its `CREATE VIEW`, as it was written.
    pub statement: String,
    /// The columns that it was made over.
    pub schema: Schema,
    /// The versions of static tables that it was made over, in the order of its joins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<TableVersion>,
}

/// The columns of a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamSchema {
    /// The stream.
    pub stream: StreamArn,
    /// Which of the streams that had this name.
    pub incarnation: u64,
    /// The columns.
    pub schema: Schema,
    /// Whether they were inferred, and not declared.
    pub inferred: bool,
}

/// A query with a name, and parameters written as `{{name}}` in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Its name.
    pub name: String,
    /// The query.
    pub sql: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What changes the catalog.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Makes a view.
    CreateView {
        /// What to make.
        view: NewView,
    },
    /// Drops a view, with all its versions.
    DropView {
        /// Its name.
        name: String,
    },
    /// Makes the next version of a view.
    AlterView {
        /// What to make.
        view: NewView,
    },
    /// Serves the next version of a view from now on.
    PromoteView {
        /// The view.
        name: String,
        /// The number of the version, which was looked at.
        version: u32,
    },
    /// Serves the previous version of a view again.
    RollBackView {
        /// The view.
        name: String,
        /// The number of the version, which was looked at.
        version: u32,
    },
    /// Drops a version that is not served.
    DropVersion {
        /// The view.
        name: String,
        /// Which version.
        place: Beside,
    },
    /// Says that records of a stream are not to be counted.
    Exclude {
        /// Which.
        exclusion: NewExclusion,
    },
    /// Says that they are to be counted again.
    UndoExclusion {
        /// The number of the exclusion.
        id: u64,
        /// Why.
        reason: String,
    },
    /// Says which columns a stream has.
    DeclareSchema {
        /// Of which stream, and which.
        schema: StreamSchema,
    },
    /// Makes the next version of a static table, whose bytes are kept.
    PutTable {
        /// Which.
        version: TableVersion,
    },
    /// Drops a static table, with all its versions.
    DropTable {
        /// Its name.
        name: String,
    },
    /// Gives a query a name.
    CreateEndpoint {
        /// The name.
        name: String,
        /// The query.
        sql: String,
    },
    /// Takes the name away.
    DropEndpoint {
        /// The name.
        name: String,
    },
}

/// Names that stand for something else in the paths of the API.
const RESERVED: [&str; 7] = [
    "archives",
    "endpoints",
    "exclusions",
    "query",
    "schemas",
    "statements",
    "tables",
];

/// Whether views and named queries can be called `name`.
pub fn check_name(name: &str) -> Result<(), Refused> {
    let is_plain =
        |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
    let why = if RESERVED.contains(&name) {
        "the API has paths of this name"
    } else if name.len() > NAME_LETTERS_MAX {
        "it has more than 63 letters"
    } else if !name.starts_with(|first: char| first.is_ascii_lowercase())
        || !name.chars().all(is_plain)
    {
        "small letters, digits and underscores are allowed, first a letter"
    } else {
        return Ok(());
    };
    let name = name.to_owned();
    Err(Refused::Name { name, why })
}

/// What views, schemas, exclusions and named queries exist.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalog {
    next_id: u64,
    /// Those that are served.
    views: BTreeMap<String, View>,
    /// Of those that were altered.
    versions: BTreeMap<String, Versions>,
    exclusions: Exclusions,
    schemas: BTreeMap<StreamArn, StreamSchema>,
    tables: Tables,
    endpoints: BTreeMap<String, Endpoint>,
}

/// The catalog as its snapshot has it. A snapshot from before there were versions, exclusions and tables has
/// none.
#[derive(Serialize, Deserialize)]
struct Kept {
    next_id: u64,
    views: Vec<View>,
    #[serde(default)]
    versions: Vec<Versions>,
    #[serde(default)]
    exclusions: Exclusions,
    schemas: Vec<StreamSchema>,
    #[serde(default)]
    tables: Tables,
    endpoints: Vec<Endpoint>,
}

impl Catalog {
    /// The views, in the order of their names.
    pub fn views(&self) -> impl Iterator<Item = &View> {
        self.views.values()
    }

    /// The view called `name`.
    pub fn view(&self, name: &str) -> Result<&View, Refused> {
        let name = name.to_owned();
        self.views.get(&name).ok_or(Refused::NoView { name })
    }

    /// All versions of all views, and what they are called.
    pub fn called(&self) -> impl Iterator<Item = (String, &View)> {
        let served = self.views.iter().map(|(name, view)| (name.clone(), view));
        let beside = self.versions.values().flat_map(Versions::all);
        served.chain(beside.map(|view| (view.beside(), view)))
    }

    /// The versions of the view called `name` beside the one that is served.
    pub fn versions(&self, name: &str) -> Result<Versions, Refused> {
        self.view(name)?;
        let altered = self.versions.get(name).cloned();
        Ok(altered.unwrap_or_else(|| Versions::none(name)))
    }

    /// The records that no view counts.
    pub fn exclusions(&self) -> &Exclusions {
        &self.exclusions
    }

    /// The columns of a stream, if they are known.
    pub fn schema(&self, stream: &StreamArn, incarnation: u64) -> Option<&StreamSchema> {
        let known = self.schemas.get(stream);
        known.filter(|schema| schema.incarnation == incarnation)
    }

    /// The columns of all streams that have some.
    pub fn schemas(&self) -> impl Iterator<Item = &StreamSchema> {
        self.schemas.values()
    }

    /// The static tables.
    pub fn tables(&self) -> &Tables {
        &self.tables
    }

    /// The named queries, in the order of their names.
    pub fn endpoints(&self) -> impl Iterator<Item = &Endpoint> {
        self.endpoints.values()
    }

    /// The query called `name`.
    pub fn endpoint(&self, name: &str) -> Result<&Endpoint, Refused> {
        let name = name.to_owned();
        self.endpoints
            .get(&name)
            .ok_or(Refused::NoEndpoint { name })
    }

    /// Whether `schema` may be what a stream has from now on.
    pub fn check_schema(&self, schema: &StreamSchema) -> Result<(), Refused> {
        match self.schema(&schema.stream, schema.incarnation) {
            Some(known) if !schema.schema.columns().starts_with(known.schema.columns()) => {
                let columns = known.schema.columns().iter();
                let columns: Vec<&str> = columns.map(|column| column.name.as_str()).collect();
                Err(Refused::ColumnsChanged {
                    stream: schema.stream.name.clone(),
                    columns: columns.join(", "),
                })
            }
            _ => Ok(()),
        }
    }

    fn create_view(&mut self, at: Timestamp, new: NewView) -> Result<(), Refused> {
        check_name(&new.name)?;
        if self.views.contains_key(&new.name) {
            return Err(Refused::ViewExists { name: new.name });
        }
        let name = new.name.clone();
        if self.tables.versions(&name).is_ok() {
            return Err(Refused::TableExists { name });
        }
        let view = self.numbered(at, new, 1)?;
        self.views.insert(name, view);
        Ok(())
    }

    fn numbered(&mut self, at: Timestamp, new: NewView, version: u32) -> Result<View, Refused> {
        if self.called().count() >= VIEWS_MAX {
            return Err(Refused::TooManyViews { limit: VIEWS_MAX });
        }
        for version in &new.tables {
            self.tables.versions(&version.name)?;
        }
        let id = self.next_id;
        self.next_id += 1;
        Ok(View {
            id,
            name: new.name,
            version,
            stream: new.stream,
            incarnation: new.incarnation,
            statement: new.statement,
            schema: new.schema,
            tables: new.tables,
            created_at: at,
        })
    }

    fn alter_view(&mut self, at: Timestamp, new: NewView) -> Result<(), Refused> {
        let (name, served) = (new.name.clone(), self.view(&new.name)?);
        if (&new.stream, new.incarnation) != (&served.stream, served.incarnation) {
            let stream = served.stream.name.clone();
            return Err(Refused::OtherStream { name, stream });
        }
        let mut versions = self.versions(&name)?;
        versions.check_alter()?;
        versions.latest += 1;
        versions.next = Some(self.numbered(at, new, versions.latest)?);
        self.versions.insert(name, versions);
        Ok(())
    }

    fn drop_view(&mut self, name: String) -> Result<(), Refused> {
        self.versions.remove(&name);
        match self.views.remove(&name) {
            Some(_) => Ok(()),
            None => Err(Refused::NoView { name }),
        }
    }

    /// Changes which version is served.
    fn exchange(
        &mut self,
        name: &str,
        change: impl FnOnce(&mut Versions, &mut View) -> Result<(), Refused>,
    ) -> Result<(), Refused> {
        let mut versions = self.versions(name)?;
        if let Some(served) = self.views.get_mut(name) {
            change(&mut versions, served)?;
        }
        self.versions.insert(name.to_owned(), versions);
        Ok(())
    }

    fn declare(&mut self, schema: StreamSchema) -> Result<(), Refused> {
        self.check_schema(&schema)?;
        self.schemas.insert(schema.stream.clone(), schema);
        Ok(())
    }

    /// Whether `version` may be the next one of its table.
    pub fn check_table(&self, version: &TableVersion) -> Result<(), Refused> {
        check_name(&version.name)?;
        if self.views.contains_key(&version.name) {
            let name = version.name.clone();
            return Err(Refused::ViewExists { name });
        }
        self.tables.check(version)
    }

    fn put_table(&mut self, at: Timestamp, version: TableVersion) -> Result<(), Refused> {
        self.check_table(&version)?;
        self.tables.put(at, version)
    }

    fn drop_table(&mut self, name: &str) -> Result<(), Refused> {
        let joins = |view: &View| view.tables.iter().any(|version| version.name == name);
        let joined = self.called().find(|(_, view)| joins(view));
        if let Some((view, _)) = joined {
            let name = name.to_owned();
            return Err(Refused::TableJoined { name, view });
        }
        self.tables.remove(name)
    }

    fn create_endpoint(&mut self, at: Timestamp, name: String, sql: String) -> Result<(), Refused> {
        check_name(&name)?;
        if self.endpoints.contains_key(&name) {
            return Err(Refused::EndpointExists { name });
        }
        if self.endpoints.len() >= ENDPOINTS_MAX {
            let limit = ENDPOINTS_MAX;
            return Err(Refused::TooManyEndpoints { limit });
        }
        let endpoint = Endpoint {
            name: name.clone(),
            sql,
            created_at: at,
        };
        self.endpoints.insert(name, endpoint);
        Ok(())
    }
}

impl StateMachine for Catalog {
    type Command = Command;
    type Outcome = Result<(), Refused>;
    const SERVICE: ServiceTag = ServiceTag::Views;
    const VERSION: u16 = 1;

    fn apply(&mut self, at: Timestamp, _position: Position, command: Command) -> Self::Outcome {
        match command {
            Command::CreateView { view } => self.create_view(at, view),
            Command::DropView { name } => self.drop_view(name),
            Command::AlterView { view } => self.alter_view(at, view),
            Command::PromoteView { name, version } => {
                self.exchange(&name, |versions, served| versions.promote(served, version))
            }
            Command::RollBackView { name, version } => self.exchange(&name, |versions, served| {
                versions.roll_back(served, version)
            }),
            Command::DropVersion { name, place } => {
                self.exchange(&name, |versions, _| versions.drop_at(place))
            }
            Command::Exclude { exclusion } => self.exclusions.add(at, exclusion),
            Command::UndoExclusion { id, reason } => self.exclusions.undo(at, id, reason),
            Command::DeclareSchema { schema } => self.declare(schema),
            Command::PutTable { version } => self.put_table(at, version),
            Command::DropTable { name } => self.drop_table(&name),
            Command::CreateEndpoint { name, sql } => self.create_endpoint(at, name, sql),
            Command::DropEndpoint { name } => match self.endpoints.remove(&name) {
                Some(_) => Ok(()),
                None => Err(Refused::NoEndpoint { name }),
            },
        }
    }

    fn snapshot(&self) -> Bytes {
        let kept = Kept {
            next_id: self.next_id,
            views: self.views.values().cloned().collect(),
            versions: self.versions.values().cloned().collect(),
            exclusions: self.exclusions.clone(),
            schemas: self.schemas.values().cloned().collect(),
            tables: self.tables.clone(),
            endpoints: self.endpoints.values().cloned().collect(),
        };
        serde_json::to_vec(&kept)
            .expect("a catalog can be written as JSON")
            .into()
    }

    fn restore(snapshot: &[u8]) -> Result<Catalog, RestoreError> {
        let kept: Kept = serde_json::from_slice(snapshot)?;
        let views = kept.views.into_iter();
        let versions = kept.versions.into_iter();
        let schemas = kept.schemas.into_iter();
        let endpoints = kept.endpoints.into_iter();
        Ok(Catalog {
            next_id: kept.next_id,
            views: views.map(|view| (view.name.clone(), view)).collect(),
            versions: versions
                .map(|versions| (versions.name.clone(), versions))
                .collect(),
            exclusions: kept.exclusions,
            tables: kept.tables,
            schemas: schemas
                .map(|schema| (schema.stream.clone(), schema))
                .collect(),
            endpoints: endpoints
                .map(|endpoint| (endpoint.name.clone(), endpoint))
                .collect(),
        })
    }
}

#[cfg(test)]
mod tests;
