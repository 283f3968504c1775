//! A version of a view of the catalog with its layers: [`Hosted`], and what is told of it, [`Status`].

use std::sync::{Arc, Mutex};

use arrow_schema::SchemaRef;
use futures_util::future::BoxFuture;
use tokio::sync::watch;

use crate::catalog::View;
use crate::definition::{Definition, Mode, split};
use crate::positions::{Positions, Span};
use crate::record_map::{Excluding, RecordMap};
use crate::sql::{Answered, Answering, QueryError, compile, look_up};
use crate::view_reader::{AsOf, QueryOptions, ReadError, ViewReader};

use super::Shared;
use super::called::{Called, renamed};
use super::conditions;
use super::exactness;
use super::failure::Failure;
use super::plan::plan;
use super::ports::{Audited, Launch, Launched, Upkeep};

/// A version of a view of the catalog, running, or not able to, under the name that it is called by.
pub struct Hosted {
    view: View,
    name: String,
    plan: String,
    running: Arc<Result<Running, String>>,
    reader: Option<Arc<dyn ViewReader>>,
    stop: Arc<watch::Sender<bool>>,
}

struct Running {
    definition: Definition,
    answering: Answering,
    kept_by: &'static str,
    reader: Arc<dyn ViewReader>,
    sight: Box<dyn Fn() -> Result<AsOf, ReadError> + Send + Sync>,
    upkeep: Box<dyn Fn() -> Upkeep + Send + Sync>,
    audit: Arc<dyn Fn() -> Result<Audited, String> + Send + Sync>,
    stopped: Mutex<Option<BoxFuture<'static, ()>>>,
}

/// What a view's answers would be as of now.
pub type Sight = Result<AsOf, String>;

/// What is told of a view.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// Its entry in the catalog.
    pub view: View,
    /// What it is called: `sales` when it is the version that is served, else `sales@2`.
    pub name: String,
    /// Names all that decides what it computes.
    pub plan: String,
    /// `exact` and the like.
    pub class: &'static str,
    /// Within which relative error.
    pub error: Option<f64>,
    /// Why it has its class.
    pub reason: String,
    /// `lambda` or `kappa`.
    pub mode: &'static str,
    /// What keeps it: `layers` or `replay`.
    pub kept_by: &'static str,
    /// Its columns and their types.
    pub columns: Vec<(String, String)>,
    /// What it is as of, or why it cannot be answered.
    pub sight: Sight,
    /// How it is kept.
    pub upkeep: Upkeep,
}

impl Shared {
    /// Starts the layers of `view`. One that this program does not understand any more is kept and says so.
    pub fn host(&self, view: View) -> Hosted {
        let (stop, stopping) = watch::channel(false);
        let excluded =
            self.catalog(|catalog| catalog.exclusions().of(&view.stream, view.incarnation));
        let plan = plan(&view, &excluded);
        let running = self.run(&view, excluded, &plan, stopping);
        if let Err(why) = &running {
            tracing::error!(view = view.name, why, "a view cannot be run");
        }
        let reader = running.as_ref().ok();
        Hosted {
            name: view.name.clone(),
            plan,
            reader: reader.map(|running| Arc::clone(&running.reader)),
            running: Arc::new(running),
            stop: Arc::new(stop),
            view,
        }
    }

    fn run(
        &self,
        view: &View,
        excluded: Vec<Span>,
        plan: &str,
        stop: watch::Receiver<bool>,
    ) -> Result<Running, String> {
        let definition = split(&view.statement).map_err(|refusal| refusal.to_string())?;
        let tables = self.read_tables(&view.tables);
        let tables = tables.map_err(|failure| failure.to_string())?;
        let program = compile(&definition, &view.schema, &tables);
        let program = program.map_err(|refusal| refusal.to_string())?;
        let map: Arc<dyn RecordMap> = Arc::new(Excluding::new(Arc::new(program), excluded));
        let answering = Answering::new(&definition, map.keys(), map.aggregates());
        let answering = answering.map_err(|refusal| refusal.to_string())?;
        let launched = self.parts.layers.launch(Launch {
            view: view.clone(),
            definition: definition.clone(),
            map,
            plan: plan.to_owned(),
            stop,
        });
        let Launched {
            kept_by,
            reader,
            sight,
            upkeep,
            audit,
            stopped,
        } = launched;
        Ok(Running {
            definition,
            answering,
            kept_by,
            reader,
            sight,
            upkeep,
            audit,
            stopped: Mutex::new(Some(stopped)),
        })
    }
}

impl Hosted {
    /// The same layers, called `name`; everything before `floor` is in every answer.
    pub fn called(&self, name: &str, floor: &Positions) -> Hosted {
        let running = self.running.as_ref().as_ref().ok();
        let reader = running.map(|running| -> Arc<dyn ViewReader> {
            Arc::new(Called::new(Arc::clone(&running.reader), name, floor))
        });
        Hosted {
            view: self.view.clone(),
            name: name.to_owned(),
            plan: self.plan.clone(),
            running: Arc::clone(&self.running),
            reader,
            stop: Arc::clone(&self.stop),
        }
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its entry in the catalog.
    pub fn view(&self) -> &View {
        &self.view
    }

    /// Names all that decides what it computes.
    pub fn plan(&self) -> &str {
        &self.plan
    }

    /// Reads it, if it runs.
    pub fn reader(&self) -> Option<Arc<dyn ViewReader>> {
        self.reader.clone()
    }

    /// What it computes.
    pub fn definition(&self) -> Result<&Definition, Failure> {
        self.running().map(|running| &running.definition)
    }

    /// The columns of its answers.
    pub fn columns(&self) -> Result<&SchemaRef, Failure> {
        self.running().map(|running| running.answering.columns())
    }

    fn running(&self) -> Result<&Running, Failure> {
        self.running
            .as_ref()
            .as_ref()
            .map_err(|why| Failure::Broken {
                name: self.name.clone(),
                why: why.clone(),
            })
    }

    /// The one group that `conditions` name the whole key of; none when they name something else, or when
    /// it takes a query to answer that.
    pub async fn look_up(
        &self,
        conditions: &[(String, String)],
        options: &QueryOptions,
    ) -> Result<Option<Answered>, QueryError> {
        let (Ok(running), Some(reader)) = (self.running.as_ref(), &self.reader) else {
            return Ok(None);
        };
        match conditions::whole_key(&running.definition, reader.keys(), conditions) {
            Some(key) if options.as_of.is_none() => {
                look_up(reader.as_ref(), &running.answering, &key, options).await
            }
            _ => Ok(None),
        }
    }

    /// Computes what the batch view has again, and compares.
    pub async fn audit(&self) -> Result<Audited, Failure> {
        let audit = Arc::clone(&self.running()?.audit);
        let audited = tokio::task::spawn_blocking(move || audit()).await;
        let audited = audited.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
        audited.map_err(|why| Failure::Broken {
            name: self.name.clone(),
            why,
        })
    }

    pub fn status(&self) -> Status {
        let view = self.view.clone();
        let (name, plan) = (self.name.clone(), self.plan.clone());
        let running = match self.running.as_ref() {
            Ok(running) => running,
            Err(why) => {
                return Status {
                    view,
                    name,
                    plan,
                    class: "unknown",
                    error: None,
                    reason: String::new(),
                    mode: "unknown",
                    kept_by: "nothing",
                    columns: Vec::new(),
                    sight: Err(why.clone()),
                    upkeep: Upkeep::default(),
                };
            }
        };
        let definition = &running.definition;
        let columns = running.answering.columns().fields().iter();
        let columns = columns.map(|field| (field.name().clone(), super::json::type_of(field)));
        let sight = match (running.sight)() {
            Ok(as_of) => Ok(AsOf {
                view: name.clone(),
                ..as_of
            }),
            Err(error) => Err(renamed(error, &name).to_string()),
        };
        Status {
            view,
            name,
            plan,
            class: exactness::class(definition.class),
            error: exactness::error(definition.class),
            reason: exactness::reason(definition),
            mode: match definition.mode {
                Mode::Lambda => "lambda",
                Mode::Kappa => "kappa",
            },
            kept_by: running.kept_by,
            columns: columns.collect(),
            sight,
            upkeep: (running.upkeep)(),
        }
    }

    pub fn ask_to_stop(&self) {
        // Layers that have ended need no telling.
        let _ = self.stop.send(true);
    }

    /// Completes when its layers have stopped.
    pub async fn stopped(&self) {
        let Ok(running) = self.running.as_ref() else {
            return;
        };
        let stopped = running.stopped.lock();
        let stopped = stopped.expect("no holder of this lock panics").take();
        if let Some(stopped) = stopped {
            stopped.await;
        }
    }
}
