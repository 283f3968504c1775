//! Carries out what the delivery of queued invocations wants: [`Deliverer`].
//!
//! One task owns the machine. Attempts and records run beside it and report back, so the machine is
//! never kept waiting. A record that cannot be made is told and not repeated: the queue still holds the
//! invocation, so it will be run again after a restart, which at-least-once allows.

use std::sync::Arc;

use tokio::sync::mpsc;

use tidemill_log::{Position, Replicated};
use tidemill_model::{BoxFuture, Clock, Timestamp};

use crate::delivery::{Attempt, Delivery, Effect, Input};
use crate::invocation::{Invocation, InvokeFailure, Reply};
use crate::metrics::{Metric, Metrics};
use crate::queue::{Command, Queue, Queued};

/// Runs a function.
pub type Invoke =
    Arc<dyn Fn(Invocation) -> BoxFuture<'static, Result<Reply, InvokeFailure>> + Send + Sync>;

/// What the delivery needs.
#[derive(Clone)]
pub struct Deliverer {
    /// The queue.
    pub queue: Replicated<Queue>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Where discarded invocations are counted.
    pub metrics: Arc<Metrics>,
    /// Most attempts at once.
    pub attempts_max: usize,
    /// Runs a function.
    pub invoke: Invoke,
    /// Leads back to the machine.
    pub inputs: mpsc::Sender<Input>,
}

impl Deliverer {
    /// Runs queued invocations, for ever; begins with those that an earlier run left.
    pub async fn run(self, mut inputs: mpsc::Receiver<Input>) {
        let mut delivery = Delivery::new(self.attempts_max);
        for (id, standing) in self.queue.read(Queue::standings) {
            let effects = delivery.step(self.clock.now(), Input::Queued(id, standing));
            self.carry_out(effects);
        }
        loop {
            let wake = self
                .clock
                .sleep_until(delivery.deadline().unwrap_or(Timestamp::MAX));
            let input = tokio::select! {
                input = inputs.recv() => match input {
                    Some(input) => input,
                    None => return,
                },
                () = wake => Input::TimerFired,
            };
            let effects = delivery.step(self.clock.now(), input);
            self.carry_out(effects);
        }
    }

    fn carry_out(&self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Invoke(id) => drop(tokio::spawn(self.clone().attempt(id))),
                Effect::Postpone(id, standing) => self.record(Command::Postpone { id, standing }),
                Effect::Finish(id) => self.record(Command::Finish { id }),
                Effect::Discard(id, reason) => {
                    if let Some(queued) = self.queue.read(|queue| queue.get(id).cloned()) {
                        tracing::warn!(
                            function = %queued.function,
                            request_id = queued.request_id,
                            ?reason,
                            "an asynchronous invocation was given up"
                        );
                    }
                    self.metrics.add(Metric::AsyncDiscarded);
                    self.record(Command::Finish { id });
                }
            }
        }
    }

    async fn attempt(self, id: Position) {
        let attempt = match self.queue.read(|queue| queue.get(id).cloned()) {
            Some(queued) => ended(&(self.invoke)(invocation(queued)).await),
            // It has ended and was told of twice.
            None => Attempt::Succeeded,
        };
        // The machine ends only with the server; the queue says the rest to the next one.
        let _ = self.inputs.send(Input::Ended(id, attempt)).await;
    }

    fn record(&self, command: Command) {
        let queue = self.queue.clone();
        tokio::spawn(async move {
            if let Err(error) = queue.submit(command).await {
                tracing::warn!(%error, "the fate of an asynchronous invocation was not recorded");
            }
        });
    }
}

fn invocation(queued: Queued) -> Invocation {
    Invocation {
        function: queued.function,
        payload: queued.payload.into(),
        request_id: queued.request_id,
        client_context: None,
        log_tail: false,
    }
}

fn ended(result: &Result<Reply, InvokeFailure>) -> Attempt {
    match result {
        Ok(reply) if reply.function_error.is_none() => Attempt::Succeeded,
        Ok(_) => Attempt::FunctionFailed,
        Err(InvokeFailure::NoFunction { .. }) => Attempt::FunctionGone,
        Err(
            InvokeFailure::Throttled { .. }
            | InvokeFailure::NotReady
            | InvokeFailure::Service { .. },
        ) => Attempt::NotRun,
    }
}
