//! Enhanced fan-out: the driver that carries out what a [`Subscription`] wants, in a task of its own.
//!
//! Events go into a channel that holds one; the gateway takes them out as fast as the client reads.
//! What must hold: the task ends when the client is gone, and then the place of the subscription is
//! free; how it ends the client is told, unless it takes nothing.

use std::future::pending;
use std::pin::pin;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use tidemill_log::Position;
use tidemill_model::{BoxFuture, ConsumerArn, SequenceNumber, ShardId, Source, Timestamp};
use tidemill_shapes::kinesis::{
    InternalFailureException, ResourceInUseException, ResourceNotFoundException,
    SubscribeToShardEvent, SubscribeToShardEventStream,
};

use crate::consumer::{ConsumerStatus, FoundConsumer};
use crate::describe::{amount, children, records};
use crate::failure::Failure;
use crate::limits::{EVENT_BYTES_MAX, EVENT_RECORDS_MAX};
use crate::measured::{Pushed, Subject};
use crate::refused::Refused;
use crate::stream::FoundShard;
use crate::streams::Streams;
use crate::subscribers::{Place, Ticket};
use crate::subscription::{Effect, Ending, Event, Input, Page, Subscription};

/// A subscription with its place.
pub(crate) struct FanOut {
    pub streams: Streams,
    pub consumer: FoundConsumer,
    pub shard: ShardId,
    pub ticket: Ticket,
    /// Completes when the place is lost.
    pub taken_over: oneshot::Receiver<()>,
}

/// The place of `consumer` at `shard`.
pub(crate) fn place(consumer: &FoundConsumer, shard: ShardId) -> Place {
    (consumer.incarnation, shard)
}

type Events = mpsc::Sender<SubscribeToShardEventStream>;

impl FanOut {
    /// Sends the records from `from` on into `events`, until the subscription ends.
    pub async fn run(mut self, from: Position, events: Events) {
        let ending = self.serve(from, &events).await;
        let place = place(&self.consumer, self.shard);
        self.streams.subscribers().end(place, self.ticket);
        if let Some(ending) = ending {
            // A client that takes nothing is told nothing; it sees the end.
            let _ = events.try_send(self.exception(ending));
        }
    }

    async fn serve(&mut self, from: Position, events: &Events) -> Option<Ending> {
        let streams = self.streams.clone();
        let clock = streams.clock();
        let (mut subscription, first) =
            Subscription::begin(streams.settings().limits, from, clock.now());
        let (consumer, shard) = (self.consumer.clone(), self.shard);
        let mut gone = pin!(until_gone(&streams, &consumer));
        let mut action = carry_out(&streams, &consumer, shard, events, first);
        loop {
            let deadline = subscription.deadline().unwrap_or(Timestamp::MAX);
            let input = tokio::select! {
                biased;
                () = events.closed() => return None,
                _ = &mut self.taken_over => Input::Stopped(Ending::TakenOver),
                () = &mut gone => Input::Stopped(Ending::Gone),
                input = &mut action => input,
                () = clock.sleep_until(deadline) => Input::TimerFired,
            };
            match subscription.step(clock.now(), input) {
                Some(Effect::End(ending)) => return ending,
                Some(effect) => action = carry_out(&streams, &consumer, shard, events, effect),
                None => {}
            }
        }
    }

    fn exception(&self, ending: Ending) -> SubscribeToShardEventStream {
        let stream = self.consumer.arn.stream.clone();
        match ending {
            Ending::TakenOver => {
                let taken = Refused::Subscribed {
                    consumer: self.consumer.arn.clone(),
                    shard: self.shard,
                };
                ResourceInUseException::new(taken.to_string()).into()
            }
            Ending::Gone => {
                let name = self.consumer.arn.name.clone();
                let gone = Refused::ConsumerNotFound { stream, name };
                ResourceNotFoundException::new(gone.to_string()).into()
            }
            Ending::Failed => InternalFailureException::new("Internal Service Failure").into(),
        }
    }
}

/// Starts what `effect` wants; completes with what came of it.
fn carry_out<'a>(
    streams: &'a Streams,
    consumer: &'a FoundConsumer,
    shard: ShardId,
    events: &'a Events,
    effect: Effect,
) -> BoxFuture<'a, Input> {
    let stream = &consumer.arn.stream;
    match effect {
        Effect::Read(from) => Box::pin(async move {
            match read(streams, &consumer.arn, shard, from).await {
                Ok(page) => Input::PageRead(page),
                Err(failure) => Input::Stopped(stopped(failure)),
            }
        }),
        Effect::Wait(from) => Box::pin(async move {
            streams.wait(stream, shard, from).await;
            Input::NewsArrived
        }),
        Effect::Send(event) => Box::pin(async move {
            match write(streams, consumer, shard, event) {
                Ok((event, subject, pushed)) => {
                    // Whether the client is still there is watched beside this.
                    if events.send(event).await.is_ok() {
                        streams.measured(|measured, now| measured.pushed(subject, pushed, now));
                    }
                    Input::EventTaken
                }
                Err(failure) => Input::Stopped(stopped(failure)),
            }
        }),
        Effect::Pause => Box::pin(pending()),
        Effect::End(_) => unreachable!("the loop ends with it"),
    }
}

/// Completes when the consumer is no longer what it was.
async fn until_gone(streams: &Streams, consumer: &FoundConsumer) {
    let mut changes = streams.changes();
    let (name, secs) = (&consumer.arn.name, Some(consumer.arn.created_secs));
    loop {
        changes.mark_unchanged();
        let found = streams.stream(&consumer.arn.stream, |stream, now| {
            stream.consumer(name, secs, now)
        });
        let is_there = found.is_ok_and(|found| {
            found.incarnation == consumer.incarnation && found.status == ConsumerStatus::Active
        });
        if !is_there {
            return;
        }
        changes
            .changed()
            .await
            .expect("the streams hold the sender");
    }
}

fn find(streams: &Streams, consumer: &ConsumerArn, shard: ShardId) -> Result<FoundShard, Refused> {
    let stream = &consumer.stream;
    streams.stream(stream, |found, now| {
        found.find(shard, now).ok_or(Refused::ShardDoesNotExist {
            stream: stream.clone(),
            shard,
        })
    })
}

async fn read(
    streams: &Streams,
    consumer: &ConsumerArn,
    shard: ShardId,
    from: Position,
) -> Result<Page, Failure> {
    let found = find(streams, consumer, shard)?;
    let partition = found.shard.partition_id();
    let fresh = streams
        .read_fresh(
            partition,
            from,
            found.horizon,
            EVENT_RECORDS_MAX,
            EVENT_BYTES_MAX,
        )
        .await?;
    let (end, is_closed) = match &found.shard.closed {
        Some(closing) => (closing.end, true),
        None => (streams.log().partition(partition).end, false),
    };
    Ok(Page {
        entries: fresh.entries,
        next: fresh.next,
        end,
        is_closed,
    })
}

/// `event` in AWS's shape, and what is measured of it.
fn write(
    streams: &Streams,
    consumer: &FoundConsumer,
    shard: ShardId,
    event: Event,
) -> Result<(SubscribeToShardEventStream, Subject, Pushed), Failure> {
    let arn = &consumer.arn;
    let found = find(streams, arn, shard)?;
    let number = |(position, at): (Position, Timestamp)| {
        let created_secs = found.shard.created_secs;
        SequenceNumber::before(shard, created_secs, position, at.as_secs()).to_string()
    };
    let child_shards = match event.continuation {
        Some(_) => None,
        None => Some(streams.stream(&arn.stream, |stream, _| Ok(children(stream, &found.shard)))?),
    };
    let records = records(&found, &event.entries)?;
    let now = streams.clock().now();
    let pushed = Pushed {
        consumer: consumer.incarnation,
        partition: found.shard.partition,
        given: amount(&records),
        age: now.since(event.entries.last().map_or(now, |last| last.at)),
        behind: Duration::from_millis(event.millis_behind),
    };
    let event = SubscribeToShardEvent {
        records,
        continuation_sequence_number: event.continuation.map(number),
        millis_behind_latest: i64::try_from(event.millis_behind).unwrap_or(i64::MAX),
        child_shards,
    };
    Ok((event.into(), found.subject(), pushed))
}

fn stopped(failure: Failure) -> Ending {
    match failure {
        Failure::Refused(_) => Ending::Gone,
        Failure::Storage(error) => {
            tracing::error!(%error, "a subscription ends because the log could not be read");
            Ending::Failed
        }
    }
}
