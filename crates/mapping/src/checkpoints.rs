//! [`Checkpoints`]: how far each mapping has got on each shard, as replicated state on a partition of
//! its own.
//!
//! What must hold: account and position are one thing and change with one command; a checkpoint that
//! does not adjoin the account is refused whole, so that a task which does not know that it was
//! replaced can change nothing. A stream that was deleted and created anew (another incarnation) has
//! other records: its accounts begin anew and the old ones go.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use tidemill_ledger::Account;
use tidemill_log::{PartitionId, Position, RestoreError, ServiceTag, StateMachine};
use tidemill_model::{ShardId, Timestamp};

use crate::checkpoint::{Blocked, Checkpoint, GivingUp};

/// The number of the partition that carries the commands, among those of the service.
const PARTITION_NUMBER: u64 = 1;

/// The partition that carries the commands.
pub fn partition() -> PartitionId {
    PartitionId::new(ServiceTag::Mapping, PARTITION_NUMBER)
}

/// What is durable of a mapping on one shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardWork {
    /// The account, which is also the position.
    pub account: Account,
    /// Records before it may have reached the function.
    pub delivered_to: u64,
    /// What the shard stands still behind.
    pub blocked: Option<Blocked>,
    /// What is being given up.
    pub giving_up: Option<GivingUp>,
}

/// What is durable of a mapping.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappingWork {
    /// Which stream of the name it is.
    pub incarnation: u64,
    /// The shards begun.
    pub shards: BTreeMap<ShardId, ShardWork>,
}

/// What changes the checkpoints.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Command {
    /// Begins the shards that are not begun yet, each at a position; forgets other incarnations.
    Begin {
        /// The mapping's id.
        uuid: String,
        /// Which stream of the name it is.
        incarnation: u64,
        /// The shards and the first position of each.
        shards: Vec<(ShardId, u64)>,
    },
    /// Writes a checkpoint down.
    Save {
        /// The mapping's id.
        uuid: String,
        /// Which stream of the name it is.
        incarnation: u64,
        /// The shard.
        shard: ShardId,
        /// What has happened.
        checkpoint: Box<Checkpoint>,
    },
    /// Forgets a mapping.
    Forget {
        /// The mapping's id.
        uuid: String,
    },
}

/// The checkpoint does not adjoin the account, or there is no such account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stale;

/// How far each mapping has got.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Checkpoints {
    mappings: BTreeMap<String, MappingWork>,
}

impl Checkpoints {
    /// What is durable of the mapping `uuid`.
    pub fn mapping(&self, uuid: &str) -> Option<&MappingWork> {
        self.mappings.get(uuid)
    }

    /// The ids of the mappings that have begun a shard.
    pub fn uuids(&self) -> impl Iterator<Item = &str> {
        self.mappings.keys().map(String::as_str)
    }

    fn begin(&mut self, uuid: String, incarnation: u64, shards: Vec<(ShardId, u64)>) {
        let fresh = || MappingWork {
            incarnation,
            shards: BTreeMap::new(),
        };
        let work = self.mappings.entry(uuid).or_insert_with(fresh);
        if work.incarnation != incarnation {
            *work = fresh();
        }
        for (shard, start) in shards {
            work.shards.entry(shard).or_insert_with(|| ShardWork {
                account: Account::begun_at(start),
                delivered_to: start,
                blocked: None,
                giving_up: None,
            });
        }
    }

    fn save(
        &mut self,
        uuid: &str,
        incarnation: u64,
        shard: ShardId,
        checkpoint: Checkpoint,
    ) -> Result<(), Stale> {
        let mapping = self.mappings.get_mut(uuid).ok_or(Stale)?;
        if mapping.incarnation != incarnation {
            return Err(Stale);
        }
        let work = mapping.shards.get_mut(&shard).ok_or(Stale)?;
        let mut account = work.account.clone();
        for closed in checkpoint.closed {
            if !account.adjoins(&closed) {
                return Err(Stale);
            }
            account.close(closed);
        }
        account.note_duplicates(checkpoint.duplicates);
        *work = ShardWork {
            account,
            delivered_to: checkpoint.delivered_to,
            blocked: checkpoint.blocked,
            giving_up: checkpoint.giving_up,
        };
        Ok(())
    }
}

impl StateMachine for Checkpoints {
    type Command = Command;
    type Outcome = Result<(), Stale>;
    const SERVICE: ServiceTag = ServiceTag::Mapping;
    const VERSION: u16 = 1;

    fn apply(&mut self, _: Timestamp, _: Position, command: Command) -> Result<(), Stale> {
        match command {
            Command::Begin {
                uuid,
                incarnation,
                shards,
            } => {
                self.begin(uuid, incarnation, shards);
                Ok(())
            }
            Command::Save {
                uuid,
                incarnation,
                shard,
                checkpoint,
            } => self.save(&uuid, incarnation, shard, *checkpoint),
            Command::Forget { uuid } => self.mappings.remove(&uuid).map(drop).ok_or(Stale),
        }
    }

    fn snapshot(&self) -> Bytes {
        let bytes = serde_json::to_vec(self).expect("ids and shard numbers are text keys");
        Bytes::from(bytes)
    }

    fn restore(snapshot: &[u8]) -> Result<Checkpoints, RestoreError> {
        Ok(serde_json::from_slice(snapshot)?)
    }
}

#[cfg(test)]
mod tests {
    use tidemill_ledger::{Closed, Outcome};
    use tidemill_model::SequenceNumber;
    use tidemill_model::given_up::{Condition, GivenUp, LastAnswer};

    use super::*;

    fn begun() -> Checkpoints {
        let mut checkpoints = Checkpoints::default();
        let uuid = "a".to_owned();
        let shards = vec![(ShardId(0), 5), (ShardId(1), 0)];
        let begin = Command::Begin {
            uuid,
            incarnation: 1,
            shards,
        };
        assert_eq!(apply(&mut checkpoints, begin), Ok(()));
        checkpoints
    }

    fn apply(checkpoints: &mut Checkpoints, command: Command) -> Result<(), Stale> {
        checkpoints.apply(Timestamp::EPOCH, 0, command)
    }

    fn save(from: u64, to: u64) -> Command {
        let closed = vec![Closed {
            from,
            to,
            outcome: Outcome::Processed,
        }];
        let checkpoint = Checkpoint {
            closed,
            delivered_to: to,
            duplicates: 1,
            blocked: None,
            giving_up: Some(giving_up()),
        };
        let checkpoint = Box::new(checkpoint);
        Command::Save {
            uuid: "a".to_owned(),
            incarnation: 1,
            shard: ShardId(0),
            checkpoint,
        }
    }

    fn giving_up() -> GivingUp {
        let number = |position| SequenceNumber::of_record(ShardId(0), 1, position, 2);
        let message = GivenUp {
            message_id: "m".to_owned(),
            request_id: "r".to_owned(),
            function: "arn:aws:lambda:r:000000000000:function:f"
                .parse()
                .expect("an ARN"),
            condition: Condition::RetryAttemptsExhausted,
            approximate_invoke_count: 3,
            last_answer: Some(LastAnswer {
                status_code: 200,
                executed_version: "$LATEST".to_owned(),
                function_error: None,
            }),
            at: Timestamp::from_secs(9),
            stream: "arn:aws:kinesis:r:000000000000:stream/s"
                .parse()
                .expect("an ARN"),
            shard: ShardId(0),
            first: number(7),
            last: number(8),
            first_arrival: Timestamp::from_secs(2),
            last_arrival: Timestamp::from_secs(2),
            batch_size: 2,
        };
        GivingUp {
            from: 7,
            to: 9,
            message,
        }
    }

    #[test]
    fn a_checkpoint_that_does_not_adjoin_is_refused_whole() {
        let mut checkpoints = begun();
        assert_eq!(apply(&mut checkpoints, save(5, 7)), Ok(()));
        let before = checkpoints.clone();
        assert_eq!(apply(&mut checkpoints, save(5, 7)), Err(Stale));
        assert_eq!(apply(&mut checkpoints, save(8, 9)), Err(Stale));
        assert_eq!(checkpoints, before);
    }

    #[test]
    fn a_shard_is_begun_once_in_each_incarnation() {
        let mut checkpoints = begun();
        let begin = |incarnation| Command::Begin {
            uuid: "a".to_owned(),
            incarnation,
            shards: vec![(ShardId(0), 70)],
        };
        let start = |checkpoints: &Checkpoints| {
            checkpoints
                .mapping("a")
                .map(|work| work.shards[&ShardId(0)].account.start())
        };
        assert_eq!(apply(&mut checkpoints, begin(1)), Ok(()));
        assert_eq!(start(&checkpoints), Some(5));
        assert_eq!(apply(&mut checkpoints, begin(2)), Ok(()));
        assert_eq!(start(&checkpoints), Some(70));
        assert_eq!(apply(&mut checkpoints, save(70, 71)), Err(Stale));
    }

    #[test]
    fn a_snapshot_and_a_command_read_back_as_they_were_written() {
        let mut checkpoints = begun();
        let bytes = serde_json::to_vec(&save(5, 7)).expect("JSON");
        let command: Command = serde_json::from_slice(&bytes).expect("its own form");
        assert_eq!(apply(&mut checkpoints, command), Ok(()));
        let work = checkpoints
            .mapping("a")
            .map(|work| &work.shards[&ShardId(0)]);
        assert_eq!(
            work.and_then(|work| work.giving_up.clone()),
            Some(giving_up())
        );
        assert_eq!(
            Checkpoints::restore(&checkpoints.snapshot()),
            Ok(checkpoints)
        );
    }
}
