//! SubscribeToShard:
//! <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_SubscribeToShard.html>.
//!
//! What can be refused is refused here, before the answer begins; the rest is the subscription's.
//!
//! Each call that the rate of its consumer and shard admits counts in it, whatever becomes of it, but a
//! dry run does not. Within five seconds of a subscription's beginning AWS documents one answer to every
//! call, that there is another subscription: it comes before what the rate says.

use tokio::sync::{mpsc, oneshot};

use tidemill_model::{Caller, ShardId, Timestamp};
use tidemill_shapes::kinesis::{
    SubscribeToShardError, SubscribeToShardEventStream, SubscribeToShardInput,
};

use crate::consumer::{ConsumerStatus, FoundConsumer};
use crate::failure::Failure;
use crate::fan_out::{FanOut, place};
use crate::named_consumer::named_consumer;
use crate::refused::Refused;
use crate::start::Start;
use crate::stream::FoundShard;
use crate::streams::Streams;
use crate::subscribers::Held;

/// Subscribes a consumer to a shard. The events come out of the receiver; dropping it ends the
/// subscription.
pub async fn subscribe_to_shard(
    streams: &Streams,
    caller: &Caller,
    input: SubscribeToShardInput,
) -> Result<mpsc::Receiver<SubscribeToShardEventStream>, SubscribeToShardError> {
    let arn = Some(input.consumer_arn.as_str());
    let named = named_consumer(caller, "SubscribeToShard", arn, None, None)?;
    let consumer = streams.consumer(&named)?;
    if consumer.status != ConsumerStatus::Active {
        let consumer = consumer.arn;
        return Err(Refused::ConsumerInactive { consumer }.into());
    }
    let found = find(streams, &consumer, input.shard_id)?;
    let now = streams.clock().now();
    let is_dry = input.dry_run == Some(true);
    if !is_dry {
        admit(streams, &consumer, found.id, now)?;
    }
    let position = input.starting_position;
    let start = Start::new(
        position.r#type,
        position.sequence_number,
        position.timestamp,
        now,
    )?;
    let from = streams
        .locate(&found, start)
        .await
        .map_err(|failure| declared(failure, &found))?;
    let (limits, shard) = (streams.settings().limits, found.id);
    let held = |_| Refused::Subscribed {
        consumer: consumer.arn.clone(),
        shard,
    };
    let place = place(&consumer, shard);
    if is_dry {
        streams
            .subscribers()
            .check(place, limits, now)
            .map_err(held)?;
        return Err(Refused::DryRun.into());
    }
    let (present, taken_over) = oneshot::channel();
    let begun = streams
        .subscribers()
        .begin(place, present, limits, now)
        .map_err(held);
    let (incarnation, has_begun) = (consumer.incarnation, begun.is_ok());
    streams.measured(|measured, now| measured.subscribed(incarnation, has_begun, now));
    let begun = begun?;
    // Dropping what stood there tells the subscription before that it has lost its place.
    let (ticket, _) = begun;
    let fan_out = FanOut {
        streams: streams.clone(),
        consumer,
        shard,
        ticket,
        taken_over,
    };
    let (events, receiver) = mpsc::channel(1);
    tokio::spawn(fan_out.run(from, events));
    Ok(receiver)
}

/// Counts the call in the rate of the consumer and the shard.
fn admit(
    streams: &Streams,
    consumer: &FoundConsumer,
    shard: ShardId,
    now: Timestamp,
) -> Result<(), Refused> {
    let incarnation = consumer.incarnation;
    let admitted = streams
        .throttle()
        .is_none_or(|mut throttle| throttle.admit_subscribe(incarnation, shard, now));
    if admitted {
        return Ok(());
    }
    streams.measured(|measured, now| measured.subscribed(incarnation, false, now));
    let limits = streams.settings().limits;
    let place = place(consumer, shard);
    let consumer = consumer.arn.clone();
    Err(match streams.subscribers().check(place, limits, now) {
        Err(Held) => Refused::Subscribed { consumer, shard },
        Ok(()) => Refused::SubscribeRate { consumer, shard },
    })
}

/// A number such as `0` is an internal failure to GetShardIterator and not declared here.
fn declared(failure: Failure, found: &FoundShard) -> Failure {
    match failure {
        Failure::Refused(Refused::NumberOfLayoutZero { number }) => {
            Failure::Refused(Refused::StartingNumber {
                stream: found.stream.clone(),
                shard: found.id,
                number,
            })
        }
        other => other,
    }
}

fn find(streams: &Streams, consumer: &FoundConsumer, shard: String) -> Result<FoundShard, Refused> {
    let arn = &consumer.arn.stream;
    streams.serving_stream(arn, |stream, now| {
        let id: Result<ShardId, _> = shard.parse();
        let id = id.map_err(|_| Refused::ShardNotFound {
            stream: arn.clone(),
            shard,
        })?;
        stream.find(id, now).ok_or(Refused::ShardDoesNotExist {
            stream: arn.clone(),
            shard: id,
        })
    })
}
