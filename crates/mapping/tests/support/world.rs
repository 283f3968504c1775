//! The world around one machine, for scripts and property tests: a shard, a durable account, and what
//! the machine has asked for and not been answered.
//!
//! What must hold, and is checked at every step: one invocation at most is on its way; invocations go
//! forward through the shard; checkpoints adjoin; a range is told to the destination under one id, and
//! no two messages overlap; nothing counts as processed that the function did not take.

#![expect(dead_code, reason = "each test uses a part of the world")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tidemill_ledger::{Account, Counts, Outcome};
use tidemill_mapping::checkpoint::{Blocked, Checkpoint, GivingUp};
use tidemill_mapping::config::{Config, Place};
use tidemill_mapping::exchange::{Effect, Input, Reply};
use tidemill_mapping::machine::Machine;
use tidemill_mapping::resume::Resume;
use tidemill_mapping::retry::{Backoff, Policy};
use tidemill_model::given_up::GivenUp;
use tidemill_model::source::{Fetched, ReadLimit};
use tidemill_model::{Record, SequenceNumber, ShardId, Timestamp};

/// The first record of the mapping; the one before it belongs to nobody.
pub const START: u64 = 1;

/// What the machine has asked for and not been answered.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    pub fetch: Option<(u64, ReadLimit)>,
    pub listen: Option<u64>,
    pub check: Option<u64>,
    pub invoke: Option<Vec<Arc<Record>>>,
    pub deliver: Option<GivenUp>,
    pub checkpoint: Option<Checkpoint>,
}

/// The world around one machine.
#[derive(Clone, Debug)]
pub struct World {
    pub now: Timestamp,
    pub machine: Machine,
    pub asked: Asked,
    pub records: Vec<Record>,
    pub readable: u64,
    pub closed: bool,
    /// Ended with its shard, or was stopped.
    pub ended: bool,
    pub account: Account,
    pub delivered_to: u64,
    pub blocked: Option<Blocked>,
    pub giving_up: Option<GivingUp>,
    pub outcomes: BTreeMap<u64, Outcome>,
    /// Every message that was sent, copies included.
    pub messages: Vec<GivenUp>,
    /// Every invocation, as its range.
    pub invocations: Vec<(u64, u64)>,
    taken: BTreeSet<u64>,
    reached: u64,
    config: Config,
    lives: u64,
}

/// AWS's defaults, with the fast backoff.
pub fn config() -> Config {
    Config {
        batch_size: 100,
        batching_window: Duration::ZERO,
        policy: Policy {
            retries_max: None,
            bisect: false,
        },
        record_age_max: None,
        report_item_failures: false,
        destination: None,
        backoff: Backoff {
            base: Duration::from_millis(20),
            cap: Duration::from_secs(1),
        },
        poll_interval: None,
    }
}

fn place() -> Place {
    Place {
        uuid: "00000000-0000-4000-8000-000000000000".to_owned(),
        function: "arn:aws:lambda:r:000000000000:function:f"
            .parse()
            .expect("an ARN"),
        role: "arn:aws:iam::000000000000:role/r".to_owned(),
        stream: "arn:aws:kinesis:r:000000000000:stream/s"
            .parse()
            .expect("an ARN"),
        shard: ShardId(0),
    }
}

pub fn number(position: u64) -> SequenceNumber {
    SequenceNumber::of_record(ShardId(0), 1_000, position, 2_000)
}

pub fn reply(function_error: Option<&str>, payload: &str) -> Reply {
    Reply {
        status_code: 200,
        executed_version: "$LATEST".to_owned(),
        function_error: function_error.map(str::to_owned),
        payload: Bytes::copy_from_slice(payload.as_bytes()),
    }
}

impl World {
    pub fn new(config: Config) -> World {
        let machine = Machine::new(place(), config.clone(), Resume::fresh(START), 3);
        let mut world = World {
            now: Timestamp::from_secs(2_000),
            machine,
            asked: Asked::default(),
            records: Vec::new(),
            readable: 0,
            closed: false,
            ended: false,
            account: Account::begun_at(START),
            delivered_to: START,
            blocked: None,
            giving_up: None,
            outcomes: BTreeMap::new(),
            messages: Vec::new(),
            invocations: Vec::new(),
            taken: BTreeSet::new(),
            reached: START,
            config,
            lives: 1,
        };
        let before = world.record(0, 0);
        world.records.push(before);
        world.step(Input::Started);
        world
    }

    /// A machine begun from what is durable, and nothing on its way.
    pub fn restart(&mut self) -> Vec<Effect> {
        let resume = Resume {
            next: self.account.next(),
            delivered_to: self.delivered_to,
            blocked: self.blocked.clone(),
            giving_up: self.giving_up.clone(),
        };
        self.machine = Machine::new(place(), self.config.clone(), resume, self.lives);
        self.lives += 1;
        self.asked = Asked::default();
        self.reached = self.account.next();
        self.ended = false;
        self.step(Input::Started)
    }

    /// The same, under a changed configuration.
    pub fn restart_with(&mut self, config: Config) -> Vec<Effect> {
        self.config = config;
        self.restart()
    }

    fn record(&self, position: u64, data_bytes: usize) -> Record {
        Record {
            position,
            sequence_number: number(position),
            arrival: self.now,
            partition_key: format!("key {position}"),
            data: Bytes::from(vec![b'x'; data_bytes]),
        }
    }

    pub fn put(&mut self, data_bytes: usize) {
        let record = self.record(self.records.len() as u64, data_bytes);
        self.records.push(record);
    }

    pub fn end(&self) -> u64 {
        self.records.len() as u64
    }

    pub fn counts(&self) -> Counts {
        Counts::of(&self.account, self.end())
    }

    /// Hands `input` in, notes what is asked for, and checks what must hold.
    pub fn step(&mut self, input: Input) -> Vec<Effect> {
        assert!(!self.ended, "{input:?} comes to a machine that has ended");
        let effects = self.machine.step(self.now, input);
        for effect in &effects {
            self.note(effect.clone());
        }
        assert_eq!(self.counts().unaccounted(), 0);
        effects
    }

    fn note(&mut self, effect: Effect) {
        let asked = &mut self.asked;
        match effect {
            Effect::Fetch { from, limit } => {
                assert_eq!(asked.fetch.replace((from, limit)), None);
                assert!(limit.records > 0 && limit.bytes > 0);
            }
            Effect::Listen { from } => assert_eq!(asked.listen.replace(from), None),
            Effect::CheckReadable { from } => assert_eq!(asked.check.replace(from), None),
            Effect::Invoke {
                records, attempt, ..
            } => {
                let retries = self.config.policy.retries_max;
                assert!(
                    retries.is_none_or(|retries| attempt <= retries + 1),
                    "retries are limited"
                );
                let (from, to) = (records[0].position, records[records.len() - 1].position + 1);
                assert!(from >= self.reached, "records come in order");
                assert!(records.len() <= self.config.batch_size);
                self.reached = from;
                self.invocations.push((from, to));
                assert!(
                    asked.invoke.replace(records).is_none(),
                    "one invocation at a time"
                );
            }
            Effect::Deliver { message, .. } => {
                let durable = self.giving_up.as_ref().map(|giving_up| &giving_up.message);
                assert_eq!(
                    durable,
                    Some(&*message),
                    "a message is durable before it is sent"
                );
                assert_eq!(asked.deliver.replace(*message), None);
            }
            Effect::Checkpoint(checkpoint) => {
                assert_eq!(asked.checkpoint.replace(*checkpoint), None);
            }
            Effect::ShardFinished => {
                assert!(self.closed && self.account.next() == self.end());
                self.ended = true;
            }
            Effect::Stopped => self.ended = true,
        }
    }

    /// Answers the read on its way.
    pub fn fetched(&mut self) -> Vec<Effect> {
        let (from, limit) = self.asked.fetch.take().expect("a read is on its way");
        let records = self.records.iter().skip(from.max(self.readable) as usize);
        let mut bytes = 0;
        let fits = |record: &&Record| {
            bytes += record.data.len();
            bytes <= limit.bytes || bytes == record.data.len()
        };
        let records = records
            .take(limit.records)
            .take_while(fits)
            .cloned()
            .collect();
        let (first_readable, end, closed) = (self.readable, self.end(), self.closed);
        self.step(Input::RecordsFetched(Fetched {
            records,
            first_readable,
            end,
            closed,
        }))
    }

    /// Whether the source has something to say to the one who listens.
    pub fn has_news(&self) -> bool {
        self.asked
            .listen
            .is_some_and(|from| from < self.end() || self.closed)
    }

    pub fn woken(&mut self) -> Vec<Effect> {
        self.asked.listen.take().expect("the source is listened to");
        self.step(Input::RecordsArrived)
    }

    pub fn checked(&mut self) -> Vec<Effect> {
        self.asked.check.take().expect("a check is on its way");
        self.step(Input::ReadabilityChecked {
            first_readable: self.readable,
        })
    }

    /// Makes the checkpoint on its way durable, without saying so.
    pub fn apply_checkpoint(&mut self) {
        let checkpoint = self
            .asked
            .checkpoint
            .take()
            .expect("a checkpoint is on its way");
        for closed in checkpoint.closed {
            self.account.close(closed);
            for position in closed.from..closed.to {
                let before = self.outcomes.insert(position, closed.outcome);
                assert_eq!(before, None, "a position is closed once");
            }
            if closed.outcome == Outcome::Processed {
                let taken = (closed.from..closed.to).all(|position| self.taken.contains(&position));
                assert!(taken, "{closed:?} was not taken by the function");
            }
            if closed.outcome == Outcome::DeadLettered {
                self.check_told(closed.from, closed.to);
            }
        }
        self.account.note_duplicates(checkpoint.duplicates);
        self.delivered_to = checkpoint.delivered_to;
        self.blocked = checkpoint.blocked;
        self.giving_up = checkpoint.giving_up;
    }

    fn check_told(&self, from: u64, to: u64) {
        let told = |position| {
            let number = number(position);
            self.messages
                .iter()
                .any(|message| message.first <= number && number <= message.last)
        };
        assert!(
            (from..to).all(told),
            "{from}..{to} is dead-lettered and nobody was told"
        );
    }

    pub fn saved(&mut self) -> Vec<Effect> {
        self.apply_checkpoint();
        self.step(Input::Checkpointed)
    }

    pub fn unsaved(&mut self) -> Vec<Effect> {
        self.asked
            .checkpoint
            .take()
            .expect("a checkpoint is on its way");
        self.step(Input::CheckpointFailed)
    }

    /// Answers the invocation on its way; the function took the first `taken` of its records.
    pub fn answered(&mut self, taken: usize, input: Input) -> Vec<Effect> {
        let records = self
            .asked
            .invoke
            .take()
            .expect("an invocation is on its way");
        self.taken
            .extend(records.iter().take(taken).map(|record| record.position));
        self.step(input)
    }

    pub fn succeeded(&mut self) -> Vec<Effect> {
        self.answered(usize::MAX, Input::InvocationSucceeded(reply(None, "null")))
    }

    pub fn failed(&mut self, text: &str) -> Vec<Effect> {
        let payload = format!(r#"{{"errorMessage":"{text}","errorType":"Error"}}"#);
        self.answered(
            0,
            Input::InvocationFailed(reply(Some("Unhandled"), &payload)),
        )
    }

    /// Whether the mapping reads the function's report.
    pub fn listens(&self) -> bool {
        self.config.report_item_failures
    }

    /// The function reports the record at `position`.
    pub fn reported(&mut self, position: u64) -> Vec<Effect> {
        let item = format!(r#"{{"itemIdentifier":"{}"}}"#, number(position));
        let payload = format!(r#"{{"batchItemFailures":[{item}]}}"#);
        let from = self.asked.invoke.as_ref().expect("an invocation")[0].position;
        let input = Input::InvocationSucceeded(reply(None, &payload));
        let taken = if self.listens() {
            (position - from) as usize
        } else {
            usize::MAX
        };
        self.answered(taken, input)
    }

    /// The destination gets the message on its way, without the machine being told.
    pub fn receive_message(&mut self) {
        let message = self.asked.deliver.take().expect("a delivery is on its way");
        for other in &self.messages {
            let same = other.message_id == message.message_id;
            let apart = other.last < message.first || message.last < other.first;
            assert!(
                if same { *other == message } else { apart },
                "{other:?} and {message:?}"
            );
        }
        self.messages.push(message);
    }

    pub fn delivered(&mut self) -> Vec<Effect> {
        self.receive_message();
        self.step(Input::Delivered)
    }

    /// Messages without their copies.
    pub fn distinct_messages(&self) -> BTreeMap<String, &GivenUp> {
        self.messages
            .iter()
            .map(|message| (message.message_id.clone(), message))
            .collect()
    }
}
