//! The driver of on-demand scaling: [`Scaler`] tells a machine for each on-demand stream what was
//! measured, and carries out what it wants.
//!
//! What became of a change shows in the next measurement, so nothing else is brought back: a change that
//! failed is wanted again. A reshard that the stop of the server cuts off is finished by the next start,
//! like any other.

use std::collections::BTreeMap;

use tidemill_model::{StreamArn, Timestamp};

use crate::catalog::Catalog;
use crate::command::{Change, Command};
use crate::failure::Failure;
use crate::limits::{SCALING_INTERVAL, on_demand_shards};
use crate::measured::{Amount, Measured};
use crate::on_demand::{Effect, MinuteMeasured, OnDemand, OpenShard};
use crate::stream::{Mode, Status, Stream};
use crate::streams::Streams;

/// Scales the on-demand streams of one node.
pub struct Scaler {
    streams: Streams,
    /// By the incarnation of the stream.
    machines: BTreeMap<u64, OnDemand>,
}

/// An on-demand stream as it stands.
struct Scaled {
    arn: StreamArn,
    incarnation: u64,
    /// What is to be told; the amounts are still missing.
    measured: MinuteMeasured,
    /// The partitions of the open shards, in their order.
    open: Vec<u64>,
    /// The partitions of all shards.
    all: Vec<u64>,
}

impl Scaler {
    /// Scales `streams`; nothing happens before [`Scaler::run`].
    pub fn new(streams: Streams) -> Scaler {
        Scaler {
            streams,
            machines: BTreeMap::new(),
        }
    }

    /// Scales for as long as it is polled.
    pub async fn run(mut self) {
        loop {
            let now = self.streams.clock().now();
            let deadlines = self.machines.values().map(OnDemand::deadline);
            let next = deadlines.min().unwrap_or(now.plus(SCALING_INTERVAL));
            self.streams.clock().sleep_until(next).await;
            self.round().await;
        }
    }

    /// Measures every on-demand stream that is ACTIVE and does what its machine wants.
    pub async fn round(&mut self) {
        let now = self.streams.clock().now();
        let scaled = self.measure();
        let mut before = std::mem::take(&mut self.machines);
        for stream in scaled {
            let eagerness = self.streams.settings().eagerness;
            let machine = before.remove(&stream.incarnation);
            let mut machine = machine.unwrap_or_else(|| OnDemand::new(eagerness, now));
            let effects = machine.step(now, &stream.measured);
            self.machines.insert(stream.incarnation, machine);
            for effect in effects {
                if let Err(error) = self.carry_out(&stream, effect).await {
                    let stream = &stream.arn;
                    tracing::warn!(%error, %stream, ?effect, "a stream is not scaled for now");
                    break;
                }
            }
        }
    }

    fn measure(&self) -> Vec<Scaled> {
        let shards_max = self.streams.settings().on_demand_shards;
        let mut scaled = self
            .streams
            .catalog(|catalog, now| scaled(catalog, shards_max, now));
        self.streams.measured(|measured, now| {
            for stream in &mut scaled {
                fill_in(stream, measured, now);
            }
        });
        scaled
    }

    async fn carry_out(&self, scaled: &Scaled, effect: Effect) -> Result<(), Failure> {
        let (stream, incarnation) = (scaled.arn.clone(), scaled.incarnation);
        let change = match effect {
            Effect::RecordDemand { shards } => {
                let command = Command::RecordDemand {
                    stream,
                    incarnation,
                    shards,
                };
                return self.streams.submit(command).await.map(|_| ());
            }
            Effect::Split { shard, at } => Change::Split {
                shard,
                new_starting_hash_key: at.to_string(),
            },
            Effect::Merge { lower, upper } => Change::Merge { lower, upper },
        };
        self.streams
            .submit(Command::Scale {
                stream,
                incarnation,
                change,
            })
            .await?;
        self.streams.finish_scaling(&scaled.arn).await
    }
}

fn scaled(catalog: &Catalog, shards_max: Option<u32>, now: Timestamp) -> Vec<Scaled> {
    let streams = catalog.streams(now).filter(|stream| {
        stream.mode == Mode::OnDemand && stream.status(now) == Some(Status::Active)
    });
    streams
        .map(|stream| {
            let most = shards_max.unwrap_or_else(|| on_demand_shards(&stream.arn.region));
            stand(stream, most)
        })
        .collect()
}

fn stand(stream: &Stream, shards_max: u32) -> Scaled {
    let open: Vec<_> = stream.in_order().collect();
    let shards = open.iter().map(|(id, shard)| OpenShard {
        id: *id,
        range: shard.range,
        minute: Amount::default(),
    });
    Scaled {
        arn: stream.arn.clone(),
        incarnation: stream.incarnation,
        measured: MinuteMeasured {
            shards: shards.collect(),
            total: Amount::default(),
            capacity: stream.capacity.clone(),
            shards_max,
        },
        open: open.iter().map(|(_, shard)| shard.partition).collect(),
        all: stream
            .shards
            .values()
            .map(|shard| shard.partition)
            .collect(),
    }
}

fn fill_in(stream: &mut Scaled, measured: &Measured, now: Timestamp) {
    for (shard, partition) in stream.measured.shards.iter_mut().zip(&stream.open) {
        shard.minute = measured.last_minute(*partition, now);
    }
    for partition in &stream.all {
        let minute = measured.last_minute(*partition, now);
        stream.measured.total.bytes += minute.bytes;
        stream.measured.total.records += minute.records;
    }
}

#[cfg(test)]
mod tests;
