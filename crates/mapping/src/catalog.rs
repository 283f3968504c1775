//! [`Catalog`]: which mappings exist, as replicated state on the control partition.
//!
//! What must hold: one mapping at most for a stream and a function (with its qualifier), which is
//! decided where the command is applied; a mapping that is changing cannot be changed. A mapping's
//! state follows from its last change and the moment that change is settled, so that no timer needs
//! to write anything:
//!
//! ```text
//! Creating  --settled--> Enabled | Disabled        Updating  --settled--> as before
//! Enabling  --settled--> Enabled                   Disabling --settled--> Disabled
//! Deleting  --settled--> gone
//! ```

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use tidemill_log::{Position, RestoreError, ServiceTag, StateMachine};
use tidemill_model::source::StartingPoint;
use tidemill_model::{AccountId, FunctionArn, Region, StreamArn, Timestamp};

use crate::parameters::{Changes, Parameters};

/// Where a mapping begins on a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StartingPosition {
    /// At the oldest readable record.
    TrimHorizon,
    /// Behind the newest record.
    Latest,
    /// At the first record that arrived at the time or later.
    AtTimestamp(Timestamp),
}

impl StartingPosition {
    /// As the source is asked.
    pub fn point(&self) -> StartingPoint {
        match *self {
            StartingPosition::TrimHorizon => StartingPoint::TrimHorizon,
            StartingPosition::Latest => StartingPoint::Latest,
            StartingPosition::AtTimestamp(at) => StartingPoint::AtTimestamp(at),
        }
    }
}

/// What was last done to a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// It was created.
    Creating,
    /// It was changed otherwise than below.
    Updating,
    /// It was enabled.
    Enabling,
    /// It was disabled.
    Disabling,
    /// It was deleted.
    Deleting,
}

impl Change {
    /// The state while the change is not settled.
    pub fn as_str(&self) -> &'static str {
        match self {
            Change::Creating => "Creating",
            Change::Updating => "Updating",
            Change::Enabling => "Enabling",
            Change::Disabling => "Disabling",
            Change::Deleting => "Deleting",
        }
    }
}

/// An event source mapping.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mapping {
    /// Its id.
    pub uuid: String,
    /// The account it belongs to.
    pub account: AccountId,
    /// The region it is in.
    pub region: Region,
    /// The stream.
    pub stream: StreamArn,
    /// The function, with a qualifier when the user named one.
    pub function: FunctionArn,
    /// The role that the function ran as when it was last resolved.
    pub role: String,
    /// Where it began.
    pub starting_position: StartingPosition,
    /// Whether it works, once settled.
    pub enabled: bool,
    /// What it is set to.
    pub parameters: Parameters,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// What was last done to it.
    pub change: Change,
    /// When.
    pub last_modified: Timestamp,
    /// From when on the change holds.
    pub settled_at: Timestamp,
}

impl Mapping {
    /// Its ARN.
    pub fn arn(&self) -> String {
        let Mapping {
            region,
            account,
            uuid,
            ..
        } = self;
        format!("arn:aws:lambda:{region}:{account}:event-source-mapping:{uuid}")
    }

    /// Whether its last change holds at `now`. A change without delay holds at once, also where the
    /// clock has been set back behind it.
    pub fn is_settled(&self, now: Timestamp) -> bool {
        now >= self.settled_at || self.settled_at == self.last_modified
    }

    /// Its state at `now`, in AWS's words; none when it is gone.
    pub fn state(&self, now: Timestamp) -> Option<&'static str> {
        if !self.is_settled(now) {
            return Some(self.change.as_str());
        }
        match (self.change, self.enabled) {
            (Change::Deleting, _) => None,
            (_, true) => Some("Enabled"),
            (_, false) => Some("Disabled"),
        }
    }

    fn changed(&mut self, change: Change, at: Timestamp, delay: Duration) {
        self.change = change;
        self.last_modified = at;
        self.settled_at = at.plus(delay);
    }
}

/// What changes the catalog.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Command {
    /// Adds a mapping; its times are set when the command is applied.
    Create {
        /// The mapping.
        mapping: Box<Mapping>,
        /// How long it is creating.
        delay: Duration,
    },
    /// Changes a mapping.
    Update {
        /// The mapping's id.
        uuid: String,
        /// What changes.
        changes: Box<Changes>,
        /// How long it is updating.
        delay: Duration,
    },
    /// Begins to delete a mapping.
    Delete {
        /// The mapping's id.
        uuid: String,
        /// How long it is deleting.
        delay: Duration,
    },
    /// Forgets a mapping that was deleted.
    Remove {
        /// The mapping's id.
        uuid: String,
    },
}

/// Why a command was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Another mapping has the same stream and function.
    Exists {
        /// Its id.
        uuid: String,
        /// ARN of the stream.
        stream: String,
        /// Name of the function.
        function: String,
    },
    /// There is no such mapping.
    Missing,
    /// The mapping is changing.
    InUse,
}

/// Which mappings exist.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Catalog {
    mappings: BTreeMap<String, Mapping>,
}

impl Catalog {
    /// The mapping `uuid`; also one that is deleted and not yet forgotten.
    pub fn get(&self, uuid: &str) -> Option<&Mapping> {
        self.mappings.get(uuid)
    }

    /// All mappings, in the order of their ids.
    pub fn mappings(&self) -> impl Iterator<Item = &Mapping> {
        self.mappings.values()
    }

    /// The mapping that keeps another of `stream` and `function` from being, but for `uuid` itself.
    fn check_unique(
        &self,
        at: Timestamp,
        uuid: &str,
        stream: &StreamArn,
        function: &FunctionArn,
    ) -> Result<(), Refused> {
        let same = |mapping: &&Mapping| {
            mapping.uuid != uuid
                && mapping.stream == *stream
                && mapping.function == *function
                && mapping.state(at).is_some()
        };
        match self.mappings.values().find(same) {
            None => Ok(()),
            Some(mapping) => Err(Refused::Exists {
                uuid: mapping.uuid.clone(),
                stream: stream.to_string(),
                function: function.name.clone(),
            }),
        }
    }

    fn settled(&self, at: Timestamp, uuid: &str) -> Result<&Mapping, Refused> {
        let mapping = self.mappings.get(uuid).ok_or(Refused::Missing)?;
        if mapping.state(at).is_none() {
            return Err(Refused::Missing);
        }
        if mapping.is_settled(at) {
            Ok(mapping)
        } else {
            Err(Refused::InUse)
        }
    }

    fn create(
        &mut self,
        at: Timestamp,
        mut mapping: Mapping,
        delay: Duration,
    ) -> Result<Mapping, Refused> {
        self.check_unique(at, &mapping.uuid, &mapping.stream, &mapping.function)?;
        mapping.changed(Change::Creating, at, delay);
        self.mappings.insert(mapping.uuid.clone(), mapping.clone());
        Ok(mapping)
    }

    fn update(
        &mut self,
        at: Timestamp,
        uuid: &str,
        changes: &Changes,
        delay: Duration,
    ) -> Result<Mapping, Refused> {
        let mut mapping = self.settled(at, uuid)?.clone();
        if let Some((function, role)) = &changes.function {
            self.check_unique(at, uuid, &mapping.stream, function)?;
            mapping.function = function.clone();
            mapping.role = role.clone();
        }
        changes.apply_to(&mut mapping.parameters);
        let enabled = changes.enabled.unwrap_or(mapping.enabled);
        let change = match (mapping.enabled, enabled) {
            (false, true) => Change::Enabling,
            (true, false) => Change::Disabling,
            (true, true) | (false, false) => Change::Updating,
        };
        mapping.enabled = enabled;
        mapping.changed(change, at, delay);
        self.mappings.insert(uuid.to_owned(), mapping.clone());
        Ok(mapping)
    }

    fn delete(&mut self, at: Timestamp, uuid: &str, delay: Duration) -> Result<Mapping, Refused> {
        let mut mapping = self.settled(at, uuid)?.clone();
        mapping.changed(Change::Deleting, at, delay);
        self.mappings.insert(uuid.to_owned(), mapping.clone());
        Ok(mapping)
    }
}

impl StateMachine for Catalog {
    type Command = Command;
    type Outcome = Result<Mapping, Refused>;
    const SERVICE: ServiceTag = ServiceTag::Mapping;
    const VERSION: u16 = 1;

    fn apply(&mut self, at: Timestamp, _: Position, command: Command) -> Self::Outcome {
        match command {
            Command::Create { mapping, delay } => self.create(at, *mapping, delay),
            Command::Update {
                uuid,
                changes,
                delay,
            } => self.update(at, &uuid, &changes, delay),
            Command::Delete { uuid, delay } => self.delete(at, &uuid, delay),
            Command::Remove { uuid } => self.mappings.remove(&uuid).ok_or(Refused::Missing),
        }
    }

    fn snapshot(&self) -> Bytes {
        let bytes = serde_json::to_vec(self).expect("the catalog has text keys only");
        Bytes::from(bytes)
    }

    fn restore(snapshot: &[u8]) -> Result<Catalog, RestoreError> {
        Ok(serde_json::from_slice(snapshot)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    fn mapping(uuid: &str, function: &str) -> Box<Mapping> {
        let function = format!("arn:aws:lambda:us-east-1:000000000000:function:{function}");
        Box::new(Mapping {
            uuid: uuid.to_owned(),
            account: "000000000000".parse().expect("an account"),
            region: Region::new("us-east-1"),
            stream: "arn:aws:kinesis:us-east-1:000000000000:stream/s"
                .parse()
                .expect("an ARN"),
            function: function.parse().expect("an ARN"),
            role: "role".to_owned(),
            starting_position: StartingPosition::AtTimestamp(at(7)),
            enabled: true,
            parameters: Parameters::default(),
            tags: BTreeMap::new(),
            change: Change::Creating,
            last_modified: Timestamp::EPOCH,
            settled_at: Timestamp::EPOCH,
        })
    }

    fn create(catalog: &mut Catalog, now: u64, uuid: &str, function: &str) -> bool {
        let mapping = mapping(uuid, function);
        let command = Command::Create {
            mapping,
            delay: Duration::from_secs(10),
        };
        catalog.apply(at(now), 0, command).is_ok()
    }

    fn update(catalog: &mut Catalog, now: u64, changes: Changes) -> Result<Mapping, Refused> {
        let changes = Box::new(changes);
        let delay = Duration::from_secs(10);
        catalog.apply(
            at(now),
            0,
            Command::Update {
                uuid: "a".to_owned(),
                changes,
                delay,
            },
        )
    }

    fn state(catalog: &Catalog, now: u64) -> Option<&'static str> {
        catalog.get("a").and_then(|mapping| mapping.state(at(now)))
    }

    #[test]
    fn a_mapping_goes_through_the_states_of_its_life() {
        let mut catalog = Catalog::default();
        assert!(create(&mut catalog, 100, "a", "f"));
        assert_eq!(state(&catalog, 109), Some("Creating"));
        assert_eq!(state(&catalog, 110), Some("Enabled"));
        let disable = Changes {
            enabled: Some(false),
            ..Changes::default()
        };
        assert_eq!(
            update(&mut catalog, 109, disable.clone()),
            Err(Refused::InUse)
        );
        assert!(update(&mut catalog, 120, disable).is_ok());
        assert_eq!(
            (state(&catalog, 120), state(&catalog, 130)),
            (Some("Disabling"), Some("Disabled"))
        );
        assert!(update(&mut catalog, 130, Changes::default()).is_ok());
        assert_eq!(
            (state(&catalog, 130), state(&catalog, 140)),
            (Some("Updating"), Some("Disabled"))
        );
        let enable = Changes {
            enabled: Some(true),
            ..Changes::default()
        };
        assert!(update(&mut catalog, 140, enable).is_ok());
        assert_eq!(
            (state(&catalog, 140), state(&catalog, 150)),
            (Some("Enabling"), Some("Enabled"))
        );
        let delete = Command::Delete {
            uuid: "a".to_owned(),
            delay: Duration::from_secs(10),
        };
        assert!(catalog.apply(at(150), 0, delete.clone()).is_ok());
        assert_eq!(
            (state(&catalog, 150), state(&catalog, 160)),
            (Some("Deleting"), None)
        );
        assert_eq!(catalog.apply(at(160), 0, delete), Err(Refused::Missing));
    }

    #[test]
    fn a_change_without_delay_holds_though_the_clock_is_set_back() {
        let mut catalog = Catalog::default();
        let mapping = mapping("a", "f");
        let delay = Duration::ZERO;
        assert!(
            catalog
                .apply(at(100), 0, Command::Create { mapping, delay })
                .is_ok()
        );
        assert_eq!(state(&catalog, 50), Some("Enabled"));
        let uuid = "a".to_owned();
        assert!(
            catalog
                .apply(at(100), 0, Command::Delete { uuid, delay })
                .is_ok()
        );
        assert_eq!(state(&catalog, 50), None);
    }

    #[test]
    fn a_stream_and_a_function_have_one_mapping() {
        let mut catalog = Catalog::default();
        assert!(create(&mut catalog, 100, "a", "f"));
        assert!(!create(&mut catalog, 100, "b", "f"));
        assert!(create(&mut catalog, 100, "c", "f:live"));
        let function = mapping("x", "f:live").function;
        let changes = Changes {
            function: Some((function, String::new())),
            ..Changes::default()
        };
        assert!(matches!(
            update(&mut catalog, 200, changes),
            Err(Refused::Exists { .. })
        ));
        let delete = Command::Delete {
            uuid: "a".to_owned(),
            delay: Duration::ZERO,
        };
        assert!(catalog.apply(at(200), 0, delete).is_ok());
        assert!(create(&mut catalog, 200, "b", "f"));
    }

    #[test]
    fn a_snapshot_is_restored_as_it_was() {
        let mut catalog = Catalog::default();
        assert!(create(&mut catalog, 100, "a", "f"));
        let snapshot = catalog.snapshot();
        assert_eq!(Catalog::restore(&snapshot), Ok(catalog));
    }
}
