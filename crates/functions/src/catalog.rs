//! What functions exist: [`Catalog`], a replicated machine.
//!
//! What must hold: whether a change may happen is decided where it is applied, so two requests cannot
//! both pass a check. While an update settles, the configuration before it goes on serving; while a
//! creation settles, nothing serves. The position of the command that made a configuration is its
//! revision.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use tidemill_log::{Position, RestoreError, ServiceTag, StateMachine};
use tidemill_model::{AccountId, FunctionArn, Region, Timestamp};

use crate::configuration::{Code, Configuration};
use crate::pool::Revision;
use crate::runtime::Runtime;

/// One revision of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Serving {
    /// What it runs with.
    pub configuration: Arc<Configuration>,
    /// Which revision it is.
    pub revision: Revision,
}

/// The ids that guard a function against changes unseen: one while a change settles, one afterwards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevisionIds {
    /// As the answer to the change says it.
    pub settling: String,
    /// As every later answer says it.
    pub settled: String,
}

/// The last thing that happened to a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// It was created.
    Created,
    /// Its code or its configuration was updated.
    Updated,
}

/// A function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// The newest revision.
    pub latest: Serving,
    /// The revision before, while the newest settles.
    pub previous: Option<Serving>,
    /// The last thing that happened to it.
    pub change: Change,
    /// When the newest revision begins to serve; none when it does so at once.
    pub settles_at: Option<Timestamp>,
    /// When the newest revision was made.
    pub modified_at: Timestamp,
    /// Its guard.
    pub revision_ids: RevisionIds,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

impl Function {
    /// Whether the last change has settled at `now`.
    pub fn is_settled(&self, now: Timestamp) -> bool {
        self.settles_at.is_none_or(|at| at <= now)
    }

    /// The guard's value at `now`.
    pub fn revision_id(&self, now: Timestamp) -> &str {
        if self.is_settled(now) {
            &self.revision_ids.settled
        } else {
            &self.revision_ids.settling
        }
    }
}

/// What an update of the configuration changes; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// See [`Configuration::runtime`].
    pub runtime: Option<Runtime>,
    /// See [`Configuration::handler`].
    pub handler: Option<String>,
    /// See [`Configuration::role`].
    pub role: Option<String>,
    /// See [`Configuration::description`].
    pub description: Option<String>,
    /// See [`Configuration::timeout_seconds`].
    pub timeout_seconds: Option<u32>,
    /// See [`Configuration::memory_mb`].
    pub memory_mb: Option<u32>,
    /// See [`Configuration::ephemeral_storage_mb`].
    pub ephemeral_storage_mb: Option<u32>,
    /// See [`Configuration::variables`].
    pub variables: Option<BTreeMap<String, String>>,
    /// See [`Configuration::log_group`].
    pub log_group: Option<String>,
    /// See [`Configuration::code`].
    pub code: Option<Code>,
    /// See [`Configuration::architecture`].
    pub architecture: Option<String>,
}

impl Changes {
    fn made_to(self, configuration: &Configuration) -> Configuration {
        let old = configuration.clone();
        Configuration {
            arn: old.arn,
            runtime: self.runtime.unwrap_or(old.runtime),
            handler: self.handler.unwrap_or(old.handler),
            role: self.role.unwrap_or(old.role),
            code: self.code.unwrap_or(old.code),
            description: self.description.unwrap_or(old.description),
            timeout_seconds: self.timeout_seconds.unwrap_or(old.timeout_seconds),
            memory_mb: self.memory_mb.unwrap_or(old.memory_mb),
            ephemeral_storage_mb: self
                .ephemeral_storage_mb
                .unwrap_or(old.ephemeral_storage_mb),
            architecture: self.architecture.unwrap_or(old.architecture),
            variables: self.variables.or(old.variables),
            log_group: self.log_group.or(old.log_group),
        }
    }
}

/// What changes the catalog.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Create a function.
    Create {
        /// What it is.
        configuration: Box<Configuration>,
        /// Its tags.
        tags: BTreeMap<String, String>,
        /// Its guard.
        revision_ids: RevisionIds,
        /// How long it takes until it serves.
        settles_after_ms: u64,
    },
    /// Update its code or its configuration.
    Update {
        /// The function, unqualified.
        function: FunctionArn,
        /// What changes.
        changes: Box<Changes>,
        /// The value its guard must have, when one was given.
        guard: Option<String>,
        /// Its guard from now on.
        revision_ids: RevisionIds,
        /// How long it takes until the update serves.
        settles_after_ms: u64,
    },
    /// Delete it.
    Delete {
        /// The function, unqualified.
        function: FunctionArn,
    },
}

/// Why a command was refused; nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    /// The name is taken.
    #[error("Function already exist: {name}")]
    Exists {
        /// The name.
        name: String,
    },
    /// There is no such function.
    #[error("Function not found: {function}")]
    NotFound {
        /// The function asked for.
        function: FunctionArn,
    },
    /// The guard has another value.
    #[error(
        "The Revision Id provided does not match the latest Revision Id. Call the \
         GetFunction/GetAlias API to retrieve the latest Revision Id"
    )]
    GuardDiffers,
    /// An update has not settled.
    #[error(
        "The operation cannot be performed at this time. An update is in progress for resource: {function}"
    )]
    UpdateInProgress {
        /// The function.
        function: FunctionArn,
    },
    /// The creation has not settled.
    #[error(
        "The operation cannot be performed at this time. The function is currently in the following \
         state: Pending"
    )]
    Pending,
}

/// Why no revision of a function serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotServing {
    /// There is no such function.
    NotFound,
    /// It is being created.
    Pending,
}

/// The machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalog {
    functions: BTreeMap<FunctionArn, Function>,
}

impl Catalog {
    /// The function `arn`, whatever its qualifier is.
    pub fn find(&self, arn: &FunctionArn) -> Option<&Function> {
        match arn.qualifier {
            None => self.functions.get(arn),
            Some(_) => self.functions.get(&arn.unqualified()),
        }
    }

    /// The revision of `arn` that serves at `now`.
    pub fn serving(&self, arn: &FunctionArn, now: Timestamp) -> Result<Serving, NotServing> {
        let function = self.find(arn).ok_or(NotServing::NotFound)?;
        if function.is_settled(now) {
            return Ok(function.latest.clone());
        }
        function.previous.clone().ok_or(NotServing::Pending)
    }

    /// Up to `count` functions of `account` in `region`, in the order of their names, behind `after`;
    /// and whether there are more.
    pub fn list(
        &self,
        account: &AccountId,
        region: &Region,
        after: Option<&str>,
        count: usize,
    ) -> (Vec<Function>, bool) {
        let from = FunctionArn {
            region: region.clone(),
            account: account.clone(),
            name: after.unwrap_or_default().to_owned(),
            qualifier: None,
        };
        let behind = (std::ops::Bound::Excluded(&from), std::ops::Bound::Unbounded);
        let mut own = self
            .functions
            .range::<FunctionArn, _>(behind)
            .take_while(|(arn, _)| arn.region == *region && arn.account == *account)
            .map(|(_, function)| function);
        let page: Vec<Function> = own.by_ref().take(count).cloned().collect();
        let more = own.next().is_some();
        (page, more)
    }

    fn update(
        &mut self,
        at: Timestamp,
        revision: Revision,
        update: (FunctionArn, Changes, Option<String>, RevisionIds, u64),
    ) -> Result<Function, Refused> {
        let (arn, changes, guard, revision_ids, settles_after_ms) = update;
        let Some(function) = self.functions.get_mut(&arn) else {
            return Err(Refused::NotFound { function: arn });
        };
        if guard.is_some_and(|guard| guard != function.revision_id(at)) {
            return Err(Refused::GuardDiffers);
        }
        if !function.is_settled(at) {
            return Err(match function.change {
                Change::Created => Refused::Pending,
                Change::Updated => Refused::UpdateInProgress { function: arn },
            });
        }
        let configuration = Arc::new(changes.made_to(&function.latest.configuration));
        let before = std::mem::replace(
            &mut function.latest,
            Serving {
                configuration,
                revision,
            },
        );
        function.settles_at = settles_at(at, settles_after_ms);
        function.previous = function.settles_at.map(|_| before);
        function.change = Change::Updated;
        function.modified_at = at;
        function.revision_ids = revision_ids;
        Ok(function.clone())
    }
}

fn settles_at(at: Timestamp, settles_after_ms: u64) -> Option<Timestamp> {
    (settles_after_ms > 0).then(|| at.plus(std::time::Duration::from_millis(settles_after_ms)))
}

impl StateMachine for Catalog {
    type Command = Command;
    type Outcome = Result<Function, Refused>;
    const SERVICE: ServiceTag = ServiceTag::Functions;
    const VERSION: u16 = 1;

    /// Gives the function as it is after the command; a deleted one as it was before.
    fn apply(
        &mut self,
        at: Timestamp,
        position: Position,
        command: Command,
    ) -> Result<Function, Refused> {
        match command {
            Command::Create {
                configuration,
                tags,
                revision_ids,
                settles_after_ms,
            } => {
                let arn = configuration.arn.clone();
                if self.functions.contains_key(&arn) {
                    return Err(Refused::Exists { name: arn.name });
                }
                let configuration = Arc::new(*configuration);
                let function = Function {
                    latest: Serving {
                        configuration,
                        revision: position,
                    },
                    previous: None,
                    change: Change::Created,
                    settles_at: settles_at(at, settles_after_ms),
                    modified_at: at,
                    revision_ids,
                    tags,
                };
                self.functions.insert(arn, function.clone());
                Ok(function)
            }
            Command::Update {
                function,
                changes,
                guard,
                revision_ids,
                settles_after_ms,
            } => self.update(
                at,
                position,
                (function, *changes, guard, revision_ids, settles_after_ms),
            ),
            Command::Delete { function } => self
                .functions
                .remove(&function)
                .ok_or(Refused::NotFound { function }),
        }
    }

    fn snapshot(&self) -> Bytes {
        let kept: Vec<Kept> = self.functions.values().map(Kept::from).collect();
        Bytes::from(serde_json::to_vec(&kept).expect("numbers and texts can be written as JSON"))
    }

    fn restore(snapshot: &[u8]) -> Result<Catalog, RestoreError> {
        let kept: Vec<Kept> = serde_json::from_slice(snapshot)?;
        let functions = kept.into_iter().map(Function::from);
        let by_arn =
            functions.map(|function| (function.latest.configuration.arn.clone(), function));
        Ok(Catalog {
            functions: by_arn.collect(),
        })
    }
}

/// A function in a snapshot. Persisted: add members with defaults, never rename one.
#[derive(Serialize, Deserialize)]
struct Kept {
    latest: (Configuration, Revision),
    previous: Option<(Configuration, Revision)>,
    change: Change,
    settles_at: Option<Timestamp>,
    modified_at: Timestamp,
    revision_ids: RevisionIds,
    tags: BTreeMap<String, String>,
}

impl From<&Function> for Kept {
    fn from(function: &Function) -> Kept {
        let kept = |serving: &Serving| ((*serving.configuration).clone(), serving.revision);
        Kept {
            latest: kept(&function.latest),
            previous: function.previous.as_ref().map(kept),
            change: function.change,
            settles_at: function.settles_at,
            modified_at: function.modified_at,
            revision_ids: function.revision_ids.clone(),
            tags: function.tags.clone(),
        }
    }
}

impl From<Kept> for Function {
    fn from(kept: Kept) -> Function {
        let serving = |(configuration, revision)| Serving {
            configuration: Arc::new(configuration),
            revision,
        };
        Function {
            latest: serving(kept.latest),
            previous: kept.previous.map(serving),
            change: kept.change,
            settles_at: kept.settles_at,
            modified_at: kept.modified_at,
            revision_ids: kept.revision_ids,
            tags: kept.tags,
        }
    }
}

#[cfg(test)]
mod tests;
