//! Making a view: everything that can be wrong with it is found before its command is submitted.

use std::sync::Arc;

use tidemill_model::StreamArn;
use tidemill_model::source::SourceError;

use crate::catalog::{Command, NewView, StreamSchema, check_name};
use crate::definition::{Definition, split};
use crate::inference::infer;
use crate::record_map::RecordMap;
use crate::schema::Schema;
use crate::sql::{Answering, compile};
use crate::static_table::{StaticTable, TableVersion};
use crate::view_reader::Done;

use super::failure::Failure;
use super::ports::Audited;
use super::{Home, Shared, exactness, sample};

/// What a statement did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    /// What it is called: `CREATE VIEW`.
    pub tag: &'static str,
    /// What the view is called that was made or is another one now, if one is.
    pub view: Option<String>,
    /// The number of the exclusion that it is about, if it is about one.
    pub exclusion: Option<u64>,
    /// What was computed again, if it was an audit.
    pub audited: Option<Audited>,
    /// What is to be told of it, a line each.
    pub notices: Vec<String>,
    /// The columns that were inferred.
    pub inferred: Vec<String>,
}

impl Created {
    /// A statement of which there is nothing to tell.
    pub fn of(tag: &'static str) -> Created {
        Created {
            tag,
            view: None,
            exclusion: None,
            audited: None,
            notices: Vec::new(),
            inferred: Vec::new(),
        }
    }

    pub(super) fn done(self) -> Done {
        Done {
            tag: self.tag.to_owned(),
            notices: self.notices,
        }
    }
}

/// A definition that a view can be made of.
pub(super) struct Prepared {
    pub(super) definition: Definition,
    stream: StreamArn,
    incarnation: u64,
    schema: Schema,
    tables: Vec<TableVersion>,
}

impl Prepared {
    /// The view, made of `statement`.
    pub(super) fn view(self, statement: &str) -> NewView {
        NewView {
            name: self.definition.name,
            stream: self.stream,
            incarnation: self.incarnation,
            statement: statement.to_owned(),
            schema: self.schema,
            tables: self.tables,
        }
    }
}

impl Shared {
    pub(super) async fn create_view(&self, home: &Home, text: &str) -> Result<Created, Failure> {
        let _changing = self.changing.lock().await;
        let definition = split(text)?;
        check_name(&definition.name)?;
        if self.catalog(|catalog| catalog.view(&definition.name).is_ok()) {
            let name = definition.name.clone();
            return Err(crate::catalog::Refused::ViewExists { name }.into());
        }
        let mut created = Created::of("CREATE VIEW");
        let stream = home.stream(&definition.stream);
        let prepared = self.prepare(definition, stream, &mut created).await?;
        let name = prepared.definition.name.clone();
        let told = told(&prepared.definition);
        created.notices.insert(0, format!("{name} is {told}"));
        let view = prepared.view(text);
        self.submit(Command::CreateView { view }).await?;
        let view = self.catalog(|catalog| catalog.view(&name).cloned())?;
        self.place(&name, self.host(view));
        created.view = Some(name);
        Ok(created)
    }

    /// Finds everything that can be wrong with `definition`, and has its stream archived.
    pub(super) async fn prepare(
        &self,
        definition: Definition,
        stream: StreamArn,
        created: &mut Created,
    ) -> Result<Prepared, Failure> {
        let incarnation = self.incarnation(&stream)?;
        let known = self.catalog(|catalog| catalog.schema(&stream, incarnation).cloned());
        let columns = match known {
            Some(known) => known,
            None => self.inferred(&stream, incarnation, created).await?,
        };
        let tables = self.newest_tables(&definition)?;
        check(&definition, &columns.schema, &self.read_tables(&tables)?)?;
        for TableVersion { name, number, .. } in &tables {
            created.notices.push(format!(
                "it is made over version {number} of {name}, and stays so; ALTER VIEW takes the newest one"
            ));
        }
        // Before the archive has them: a table has no columns that the catalog does not know.
        if !created.inferred.is_empty() {
            let schema = columns.clone();
            self.submit(Command::DeclareSchema { schema }).await?;
        }
        self.archive(&stream, &columns.schema).await?;
        Ok(Prepared {
            definition,
            stream,
            incarnation,
            schema: columns.schema,
            tables,
        })
    }

    pub(super) async fn declare(
        &self,
        home: &Home,
        name: &str,
        schema: Schema,
    ) -> Result<Created, Failure> {
        let _changing = self.changing.lock().await;
        let stream = home.stream(name);
        let schema = StreamSchema {
            incarnation: self.incarnation(&stream)?,
            stream,
            schema,
            inferred: false,
        };
        self.submit(Command::DeclareSchema {
            schema: schema.clone(),
        })
        .await?;
        let is_viewed =
            self.catalog(|catalog| catalog.views().any(|view| view.stream == schema.stream));
        if is_viewed {
            self.archive(&schema.stream, &schema.schema).await?;
        }
        Ok(Created::of("CREATE SCHEMA"))
    }

    pub(super) fn incarnation(&self, stream: &StreamArn) -> Result<u64, Failure> {
        self.parts
            .source
            .incarnation(stream)
            .map_err(|error| of_source(&error, stream))
    }

    async fn archive(&self, stream: &StreamArn, schema: &Schema) -> Result<(), Failure> {
        let begun = self.parts.archiving.begin(stream, schema).await;
        begun.map_err(|failure| Failure::Archiving(failure.to_string()))
    }

    /// The columns that the records of `stream` show.
    async fn inferred(
        &self,
        stream: &StreamArn,
        incarnation: u64,
        created: &mut Created,
    ) -> Result<StreamSchema, Failure> {
        let payloads = sample::payloads(&*self.parts.source, stream).await;
        let payloads = payloads.map_err(|error| of_source(&error, stream))?;
        let inferred = infer(payloads.iter().map(Vec::as_slice));
        if inferred.schema.columns().is_empty() {
            let name = stream.name.clone();
            return Err(Failure::NoColumns { name });
        }
        let columns = inferred.schema.columns().iter();
        created.inferred = columns.map(|column| column.name.clone()).collect();
        created.notices.push(format!(
            "columns inferred from {} records: {}",
            inferred.objects,
            created.inferred.join(", ")
        ));
        for (field, why) in &inferred.left_out {
            created
                .notices
                .push(format!("field {field} is no column: {why}"));
        }
        Ok(StreamSchema {
            stream: stream.clone(),
            incarnation,
            schema: inferred.schema,
            inferred: true,
        })
    }
}

/// How exact a view is, and why.
pub(super) fn told(definition: &Definition) -> String {
    let class = exactness::class(definition.class);
    format!("{class}: {}", exactness::reason(definition))
}

/// Whether a view of `definition` can be computed over these columns.
fn check(
    definition: &Definition,
    schema: &Schema,
    tables: &[Arc<StaticTable>],
) -> Result<(), Failure> {
    let program = compile(definition, schema, tables)?;
    Answering::new(definition, program.keys(), program.aggregates())?;
    Ok(())
}

pub(super) fn of_source(error: &SourceError, stream: &StreamArn) -> Failure {
    let name = stream.name.clone();
    match error {
        SourceError::NoStream { .. } => Failure::NoStream { name },
        other => Failure::Source(other.to_string()),
    }
}
