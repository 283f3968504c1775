//! What two operations that change a stream have in common.

use tidemill_model::{ShardId, StreamArn};

use crate::command::{Change, Command, Direction};
use crate::failure::Failure;
use crate::limits::RETENTION_HOURS_MAX;
use crate::monitoring::{Monitored, Monitoring};
use crate::refused::Refused;
use crate::streams::Streams;

impl Streams {
    /// Reads a shard's id; whether there is such a shard is for the catalog to say.
    pub(crate) fn shard_id(&self, stream: &StreamArn, text: &str) -> Result<ShardId, Refused> {
        self.stream(stream, |stream, _| {
            let (stream, shard) = (stream.arn.clone(), text.to_owned());
            text.parse()
                .map_err(|_| Refused::ShardNotFound { stream, shard })
        })
    }

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
        if let Err(error) = self.finish_reshard(&stream).await {
            tracing::warn!(%error, %stream, "a reshard is left to the next sweep");
        }
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
