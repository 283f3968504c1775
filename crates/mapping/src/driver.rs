//! Carries out what one machine asks for: the task of a mapping on one shard.
//!
//! What must hold: every effect of a step is begun before the next input is handed in, and what came
//! of it comes back as exactly one input. Nothing is decided here. A task that is dropped leaves its
//! shard where the last checkpoint has it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::watch;

use tidemill_ledger::Outcome;
use tidemill_model::given_up::GivenUp;
use tidemill_model::source::{Fetched, ReadLimit, SourceError, StartingPoint};
use tidemill_model::{BoxFuture, Determinacy, Record};

use crate::board::Board;
use crate::checkpoint::Checkpoint;
use crate::checkpoints::{Command, Stale};
use crate::config::Place;
use crate::event::Envelope;
use crate::exchange::{Effect, Input, Reply};
use crate::machine::Machine;
use crate::partial_failure::looks_like_report;
use crate::parts::MappingsParts;
use crate::ports::Invoked;

/// How a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The shard is closed and done.
    Finished,
    /// It was asked to stop.
    Stopped,
    /// Another task has taken the shard over: begin again from the checkpoint.
    Replaced,
}

/// What the task works with.
pub struct Driver {
    /// The service.
    pub parts: MappingsParts,
    /// Which mapping, on which shard.
    pub place: Place,
    /// Which stream of the name.
    pub incarnation: u64,
    /// One past the last durable position, as far as it is known.
    pub end: AtomicU64,
    /// Whether the mapping reads the function's reports of failures.
    pub reads_reports: bool,
    /// Where the machine is shown.
    pub board: Arc<Board>,
    /// Whether it has been said that the function reports failures and nobody reads them.
    pub said_unread: AtomicBool,
    /// Becomes true when the task is to stop.
    pub stop: watch::Receiver<bool>,
}

type Outgoing = FuturesUnordered<BoxFuture<'static, Result<Input, Stale>>>;

impl Driver {
    /// Runs `machine` to its end.
    pub async fn run(self, mut machine: Machine) -> Ended {
        let driver = Arc::new(self);
        let mut stop = driver.stop.clone();
        let mut stop_asked = false;
        let mut outgoing = Outgoing::new();
        let mut input = Input::Started;
        loop {
            let invoked = is_answer_of_function(&input);
            let effects = machine.step(driver.parts.clock.now(), input);
            driver
                .board
                .show(driver.place.shard, machine.status(), invoked);
            for effect in effects {
                match effect {
                    Effect::ShardFinished => return driver.ended(Ended::Finished),
                    Effect::Stopped => return driver.ended(Ended::Stopped),
                    effect => outgoing.push(Arc::clone(&driver).carry_out(effect)),
                }
            }
            let deadline = machine.deadline();
            input = tokio::select! {
                biased;
                // A sender that is gone asks for a stop as well.
                _ = stop.wait_for(|stop| *stop), if !stop_asked => {
                    stop_asked = true;
                    Input::StopAsked
                }
                Some(answer) = outgoing.next() => match answer {
                    Ok(input) => input,
                    Err(Stale) => return driver.ended(Ended::Replaced),
                },
                () = driver.parts.clock.sleep_until(deadline.unwrap_or_default()),
                    if deadline.is_some() => Input::TimerFired,
            };
        }
    }

    fn ended(&self, ended: Ended) -> Ended {
        self.board.clear(self.place.shard);
        ended
    }

    fn carry_out(self: Arc<Self>, effect: Effect) -> BoxFuture<'static, Result<Input, Stale>> {
        Box::pin(async move {
            match effect {
                Effect::Fetch { from, limit } => Ok(self.fetch(from, limit).await),
                Effect::Listen { from } => {
                    let Place { stream, shard, .. } = &self.place;
                    self.parts.source.wait(stream, *shard, from).await;
                    Ok(Input::RecordsArrived)
                }
                Effect::CheckReadable { from } => Ok(self.check_readable(from).await),
                Effect::Invoke {
                    request_id,
                    records,
                    ..
                } => Ok(self.invoke(request_id, &records).await),
                Effect::Deliver {
                    destination,
                    message,
                } => Ok(self.deliver(&destination, &message).await),
                Effect::Checkpoint(checkpoint) => self.save(checkpoint).await,
                Effect::ShardFinished | Effect::Stopped => {
                    unreachable!("a machine that has ended asks for nothing")
                }
            }
        })
    }

    async fn read(&self, from: u64, limit: ReadLimit) -> Result<Fetched, SourceError> {
        let Place {
            uuid,
            stream,
            shard,
            ..
        } = &self.place;
        let source = &self.parts.source;
        source.wait_for_rate(stream, *shard, uuid).await;
        match source.read(stream, *shard, from, limit).await {
            Err(SourceError::NoShard { .. }) => {
                let end = self.end_of_removed(from);
                Ok(Fetched {
                    records: Vec::new(),
                    first_readable: end,
                    end,
                    closed: true,
                })
            }
            Ok(fetched) => {
                self.end.fetch_max(fetched.end, Ordering::Relaxed);
                Ok(fetched)
            }
            Err(error) => Err(error),
        }
    }

    /// The end, `from` or later, of a shard that is removed: it was closed, and its last record has expired.
    fn end_of_removed(&self, from: u64) -> u64 {
        self.end.load(Ordering::Relaxed).max(from)
    }

    async fn fetch(&self, from: u64, limit: ReadLimit) -> Input {
        match self.read(from, limit).await {
            Ok(fetched) => Input::RecordsFetched(fetched),
            Err(error) => {
                tracing::warn!(mapping = self.place.uuid, %error, "a shard could not be read");
                Input::FetchFailed
            }
        }
    }

    async fn check_readable(&self, from: u64) -> Input {
        let Place { stream, shard, .. } = &self.place;
        let oldest = StartingPoint::TrimHorizon;
        match self.parts.source.locate(stream, *shard, oldest).await {
            Ok(first_readable) => Input::ReadabilityChecked { first_readable },
            Err(SourceError::NoShard { .. }) => Input::ReadabilityChecked {
                first_readable: self.end_of_removed(from),
            },
            Err(error) => {
                tracing::warn!(mapping = self.place.uuid, %error, "a shard could not be read");
                Input::ReadabilityUnknown
            }
        }
    }

    async fn invoke(&self, request_id: String, records: &[Arc<Record>]) -> Input {
        let Place {
            function,
            stream,
            shard,
            ..
        } = &self.place;
        let invoker = &self.parts.invoker;
        let name = function.to_string();
        let facts = match invoker.resolve(&function.account, &function.region, &name) {
            Ok(facts) => facts,
            Err(missing) => {
                return Input::InvocationUnavailable {
                    determinacy: Determinacy::Determinate,
                    detail: missing.to_string(),
                };
            }
        };
        let payload = Envelope::new(stream, *shard, &facts.role).write(records);
        match invoker.invoke(function, payload, request_id).await {
            Invoked::Answered {
                status,
                executed_version,
                function_error,
                payload,
            } => {
                let failed = function_error.is_some();
                let reply = Reply {
                    status_code: status,
                    executed_version,
                    function_error,
                    payload,
                };
                if failed {
                    return Input::InvocationFailed(reply);
                }
                self.warn_of_unread_report(&reply);
                Input::InvocationSucceeded(reply)
            }
            Invoked::Throttled => Input::InvocationThrottled,
            Invoked::Unavailable {
                determinacy,
                detail,
            } => {
                tracing::warn!(mapping = self.place.uuid, detail, "a function was not run");
                Input::InvocationUnavailable {
                    determinacy,
                    detail,
                }
            }
        }
    }

    /// Once in the life of a task: the function would say it with every batch.
    fn warn_of_unread_report(&self, reply: &Reply) {
        let is_unread = !self.reads_reports && !self.said_unread.load(Ordering::Relaxed);
        if is_unread && looks_like_report(&reply.payload) {
            self.said_unread.store(true, Ordering::Relaxed);
            tracing::warn!(
                mapping = self.place.uuid,
                "the function reports failures and the mapping does not read them: set \
                 FunctionResponseTypes to ReportBatchItemFailures"
            );
        }
    }

    async fn deliver(&self, destination: &str, message: &GivenUp) -> Input {
        match self.parts.destination.deliver(destination, message).await {
            Ok(()) => Input::Delivered,
            Err(error) => {
                tracing::warn!(
                    mapping = self.place.uuid,
                    destination,
                    message = message.message_id,
                    %error,
                    "a destination could not be told of a batch that was given up"
                );
                Input::DeliveryFailed {
                    determinacy: error.determinacy,
                }
            }
        }
    }

    async fn save(&self, checkpoint: Box<Checkpoint>) -> Result<Input, Stale> {
        let Place { uuid, shard, .. } = &self.place;
        for closed in &checkpoint.closed {
            if closed.outcome == Outcome::Discarded {
                let (from, to) = (closed.from, closed.to);
                tracing::warn!(mapping = uuid, %shard, from, to, "records are discarded");
            }
        }
        let command = Command::Save {
            uuid: uuid.clone(),
            incarnation: self.incarnation,
            shard: *shard,
            checkpoint,
        };
        match self.parts.checkpoints.submit(command).await {
            Ok(saved) => saved.map(|()| Input::Checkpointed),
            Err(error) => {
                tracing::error!(mapping = uuid, %shard, %error, "a checkpoint was not written");
                Ok(Input::CheckpointFailed)
            }
        }
    }
}

fn is_answer_of_function(input: &Input) -> bool {
    matches!(
        input,
        Input::InvocationSucceeded(_)
            | Input::InvocationFailed(_)
            | Input::InvocationThrottled
            | Input::InvocationUnavailable { .. }
    )
}
