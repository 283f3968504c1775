//! What two operations that change a stream have in common.

use tidemill_model::{ShardId, StreamArn};

use crate::command::{Change, Command, Direction, NewShardCount};
use crate::failure::Failure;
use crate::limits::{RETENTION_HOURS_MAX, SHARD_COUNT_UPDATES, TARGET_SHARDS};
use crate::monitoring::{Monitored, Monitoring};
use crate::on_demand::demand;
use crate::refused::Refused;
use crate::streams::Streams;

/// The throughput that a request asks to be kept ready; 0 asks for nothing.
pub(crate) fn warm_mibps(asked: Option<i32>) -> Option<u32> {
    asked
        .and_then(|mibps| u32::try_from(mibps).ok())
        .filter(|mibps| *mibps > 0)
}

/// Reads the id of a shard of `stream`; whether there is such a stream and such a shard is for the catalog to say.
pub(crate) fn shard_id(stream: &StreamArn, text: &str) -> Result<ShardId, Refused> {
    text.parse().map_err(|_| Refused::ShardNotFound {
        stream: stream.clone(),
        shard: text.to_owned(),
    })
}

impl Streams {
    /// Begins a reshard and finishes it. Once it has begun it will be done: what fails after that
    /// leaves the stream in UPDATING until the next sweep, and is no failure of the request.
    pub(crate) async fn reshard(&self, stream: StreamArn, change: Change) -> Result<(), Failure> {
        let quotas = self.quotas(&stream);
        let delay = self.settings().state_delay;
        self.submit(Command::BeginReshard {
            stream: stream.clone(),
            change,
            quotas,
            delay,
        })
        .await?;
        self.finish_begun(&stream).await;
        Ok(())
    }

    /// Begins a uniform scaling and finishes it, as [`Streams::reshard`] does a reshard; gives how many
    /// shards were open before.
    pub(crate) async fn scale_uniformly(
        &self,
        stream: &StreamArn,
        target: u32,
    ) -> Result<u32, Failure> {
        let open = self.stream(stream, |stream, _| Ok(stream.open_shards()))?;
        let count = NewShardCount {
            target,
            shards_max: self.limited(TARGET_SHARDS),
            updates_max: self.limited(SHARD_COUNT_UPDATES),
        };
        self.submit(Command::UpdateShardCount {
            stream: stream.clone(),
            count,
            quotas: self.quotas(stream),
            delay: self.settings().state_delay,
        })
        .await?;
        self.finish_begun(stream).await;
        Ok(open)
    }

    pub(crate) async fn finish_begun(&self, stream: &StreamArn) {
        if let Err(error) = self.finish_scaling(stream).await {
            tracing::warn!(%error, %stream, "a reshard is left to the next sweep");
        }
    }

    /// Sets the throughput that is kept ready, and scales the stream so.
    pub(crate) async fn set_warm_throughput(
        &self,
        stream: &StreamArn,
        mibps: u32,
    ) -> Result<(), Failure> {
        let incarnation = self.stream(stream, |stream, _| Ok(stream.incarnation))?;
        let needed = self.measured(|measured, now| {
            let highest = measured.highest_minute(incarnation, now);
            demand(highest)
        });
        let delay = self.settings().state_delay;
        self.submit(Command::SetWarmThroughput {
            stream: stream.clone(),
            mibps,
            needed,
            delay,
        })
        .await?;
        self.finish_begun(stream).await;
        Ok(())
    }

    /// Switches shard-level metrics; gives what was on before and what is on now.
    pub(crate) async fn set_monitoring(
        &self,
        stream: &StreamArn,
        monitoring: Monitoring,
        metrics: Monitored,
    ) -> Result<(Monitored, Monitored), Failure> {
        let current = self.stream(stream, |stream, _| Ok(stream.monitored.clone()))?;
        let desired = monitoring.apply(&current, &metrics);
        let delay = self.settings().state_delay;
        self.submit(Command::SetMonitoring {
            stream: stream.clone(),
            monitoring,
            metrics,
            delay,
        })
        .await?;
        Ok((current, desired))
    }

    /// Changes the retention.
    pub(crate) async fn set_retention(
        &self,
        stream: StreamArn,
        hours: i32,
        direction: Direction,
    ) -> Result<(), Failure> {
        if u32::try_from(hours).is_ok_and(|hours| hours > RETENTION_HOURS_MAX) {
            let violation = format!(
                "Value '{hours}' at 'retentionPeriodHours' failed to satisfy constraint: Member \
                 must have value less than or equal to {RETENTION_HOURS_MAX}"
            );
            return Err(Refused::Violations(vec![violation]).into());
        }
        let delay = self.settings().state_delay;
        self.submit(Command::SetRetention {
            stream,
            hours,
            direction,
            delay,
        })
        .await?;
        Ok(())
    }
}
