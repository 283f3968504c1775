//! What queues exist: [`Catalog`], the machine whose commands stand among the control commands.
//!
//! What must hold: a queue's number is given out once and never again, because the log never takes a
//! partition's id a second time. The messages stand in the partition of that number, under a machine
//! of their own.
//!
//! AWS makes a creator wait for 60 seconds after a queue of the same name was deleted; here the name
//! is free at once.

use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use tidemill_log::replicated::{RestoreError, StateMachine};
use tidemill_log::{PartitionId, Position, ServiceTag};
use tidemill_model::{AccountId, QueueArn, Region, Timestamp};

use crate::settings::{Requested, Setting, Settings};

/// The queues that exist.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Catalog {
    /// How many queues were ever created: the number of the next.
    created: u64,
    #[serde(with = "pairs")]
    queues: BTreeMap<QueueArn, Listed>,
}

/// A queue as the catalog lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// The number of its partition.
    pub number: u64,
    /// When it was created; its settings have not changed since.
    pub created_at: Timestamp,
    /// What it obeys.
    pub settings: Settings,
}

impl Listed {
    /// The partition of its messages.
    pub fn partition(&self) -> PartitionId {
        PartitionId::new(ServiceTag::Destinations, self.number)
    }
}

/// What is done to the catalog.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Adds a queue, unless it is there and obeys what is asked for.
    Create {
        /// The queue.
        arn: QueueArn,
        /// What it shall obey.
        requested: Vec<(Setting, u32)>,
    },
    /// Removes a queue.
    Delete {
        /// The queue.
        arn: QueueArn,
    },
}

/// What became of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The queue is there: new, or as it was.
    Exists(Listed),
    /// A queue of this name is there and differs in this setting; nothing changed.
    Differs(Setting),
    /// The queue was there and is not any more.
    Deleted(Listed),
    /// There is no such queue; nothing changed.
    Missing,
}

impl Catalog {
    /// The queue called `arn`.
    pub fn get(&self, arn: &QueueArn) -> Option<Listed> {
        self.queues.get(arn).copied()
    }

    /// All queues.
    pub fn iter(&self) -> impl Iterator<Item = (&QueueArn, &Listed)> {
        self.queues.iter()
    }

    /// Up to `count_max` names of an account's queues in a region that begin with `prefix` and come
    /// behind `after`, in order; and whether there are more.
    pub fn names(
        &self,
        (account, region): (&AccountId, &Region),
        prefix: &str,
        after: Option<&str>,
        count_max: usize,
    ) -> (Vec<String>, bool) {
        let arn = |name: &str| QueueArn {
            region: region.clone(),
            account: account.clone(),
            name: name.to_owned(),
        };
        let start = match after {
            Some(after) if after >= prefix => Bound::Excluded(arn(after)),
            _ => Bound::Included(arn(prefix)),
        };
        let own = |found: &&QueueArn| found.account == *account && found.region == *region;
        let mut found = self
            .queues
            .range((start, Bound::Unbounded))
            .map(|(found, _)| found)
            .take_while(own)
            .take_while(|found| found.name.starts_with(prefix))
            .map(|found| found.name.clone());
        let names = found.by_ref().take(count_max).collect();
        (names, found.next().is_some())
    }

    fn create(&mut self, at: Timestamp, arn: QueueArn, requested: &Requested) -> Outcome {
        if let Some(listed) = self.get(&arn) {
            return match listed.settings.difference(requested) {
                Some(setting) => Outcome::Differs(setting),
                None => Outcome::Exists(listed),
            };
        }
        let settings = Settings::new(requested);
        let listed = Listed {
            number: self.created,
            created_at: at,
            settings,
        };
        self.created += 1;
        self.queues.insert(arn, listed);
        Outcome::Exists(listed)
    }
}

impl StateMachine for Catalog {
    type Command = Command;
    type Outcome = Outcome;
    const SERVICE: ServiceTag = ServiceTag::Destinations;
    const VERSION: u16 = 1;

    fn apply(&mut self, at: Timestamp, _: Position, command: Command) -> Outcome {
        match command {
            Command::Create { arn, requested } => {
                self.create(at, arn, &requested.into_iter().collect())
            }
            Command::Delete { arn } => match self.queues.remove(&arn) {
                Some(listed) => Outcome::Deleted(listed),
                None => Outcome::Missing,
            },
        }
    }

    fn snapshot(&self) -> Bytes {
        serde_json::to_vec(self)
            .expect("texts, numbers and lists always serialize")
            .into()
    }

    fn restore(snapshot: &[u8]) -> Result<Catalog, RestoreError> {
        Ok(serde_json::from_slice(snapshot)?)
    }
}

/// Queues as a list of pairs: an ARN is no key of JSON's.
mod pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serializer};
    use tidemill_model::QueueArn;

    use super::Listed;

    pub fn serialize<S: Serializer>(
        queues: &BTreeMap<QueueArn, Listed>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(queues)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<QueueArn, Listed>, D::Error> {
        Ok(Vec::<(QueueArn, Listed)>::deserialize(deserializer)?
            .into_iter()
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arn(name: &str) -> QueueArn {
        format!("arn:aws:sqs:eu-west-1:000000000000:{name}")
            .parse()
            .unwrap()
    }

    fn create(catalog: &mut Catalog, name: &str, requested: &[(Setting, u32)]) -> Outcome {
        let command = Command::Create {
            arn: arn(name),
            requested: requested.to_vec(),
        };
        catalog.apply(Timestamp::from_secs(9), 0, command)
    }

    #[test]
    fn creating_again_gives_the_same_queue_unless_it_differs() {
        let mut catalog = Catalog::default();
        let first = create(&mut catalog, "q", &[(Setting::DelaySeconds, 5)]);
        assert!(
            matches!(first, Outcome::Exists(Listed { number: 0, .. })),
            "{first:?}"
        );
        assert_eq!(create(&mut catalog, "q", &[]), first);
        assert_eq!(
            create(&mut catalog, "q", &[(Setting::DelaySeconds, 5)]),
            first
        );
        let differs = Outcome::Differs(Setting::DelaySeconds);
        assert_eq!(
            create(&mut catalog, "q", &[(Setting::DelaySeconds, 6)]),
            differs
        );
    }

    #[test]
    fn a_number_is_never_given_out_twice() {
        let mut catalog = Catalog::default();
        create(&mut catalog, "q", &[]);
        let delete = || Command::Delete { arn: arn("q") };
        let deleted = catalog.apply(Timestamp::EPOCH, 1, delete());
        assert!(
            matches!(deleted, Outcome::Deleted(Listed { number: 0, .. })),
            "{deleted:?}"
        );
        assert_eq!(
            catalog.apply(Timestamp::EPOCH, 2, delete()),
            Outcome::Missing
        );
        let mut catalog = Catalog::restore(&catalog.snapshot()).unwrap();
        let anew = create(&mut catalog, "q", &[]);
        assert!(
            matches!(anew, Outcome::Exists(Listed { number: 1, .. })),
            "{anew:?}"
        );
    }

    #[test]
    fn names_come_in_pages_and_only_of_the_account_and_region() {
        let mut catalog = Catalog::default();
        for name in ["b2", "a", "b1", "b3", "c"] {
            create(&mut catalog, name, &[]);
        }
        let other: QueueArn = "arn:aws:sqs:eu-west-1:111111111111:b4".parse().unwrap();
        let command = Command::Create {
            arn: other,
            requested: vec![],
        };
        catalog.apply(Timestamp::EPOCH, 9, command);
        let owner = (&arn("a").account, &arn("a").region);
        let names = |prefix, after, count_max| {
            let (names, more) = catalog.names(owner, prefix, after, count_max);
            (names.join(" "), more)
        };
        assert_eq!(names("", None, 10), ("a b1 b2 b3 c".into(), false));
        assert_eq!(names("b", None, 2), ("b1 b2".into(), true));
        assert_eq!(names("b", Some("b2"), 2), ("b3".into(), false));
        assert_eq!(names("b", Some("a"), 3), ("b1 b2 b3".into(), false));
        assert_eq!(names("x", None, 3), (String::new(), false));
    }

    #[test]
    fn the_stored_form_of_the_catalog_stays_as_it_is() {
        let mut catalog = Catalog::default();
        create(&mut catalog, "q", &[(Setting::DelaySeconds, 5)]);
        let golden = concat!(
            r#"{"created":1,"queues":[[{"region":"eu-west-1","account":"000000000000","name":"q"},"#,
            r#"{"number":0,"created_at":9000,"settings":{"visibility_timeout_secs":30,"#,
            r#""retention_secs":345600,"delay_secs":5,"message_bytes_max":1048576,"wait_secs":0}}]]}"#,
        );
        assert_eq!(
            String::from_utf8(catalog.snapshot().to_vec()).unwrap(),
            golden
        );
        assert_eq!(Catalog::restore(golden.as_bytes()).unwrap(), catalog);
        let command = Command::Create {
            arn: arn("q"),
            requested: vec![(Setting::DelaySeconds, 5)],
        };
        let golden = concat!(
            r#"{"Create":{"arn":{"region":"eu-west-1","account":"000000000000","name":"q"},"#,
            r#""requested":[["DelaySeconds",5]]}}"#,
        );
        assert_eq!(serde_json::to_string(&command).unwrap(), golden);
    }
}
