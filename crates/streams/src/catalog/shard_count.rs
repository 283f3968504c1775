//! UpdateShardCount in the catalog: what is refused, and the beginning of a uniform scaling.

use std::time::Duration;

use tidemill_model::{StreamArn, Timestamp};

use super::{Catalog, check_active, check_stream_shards};
use crate::command::{NewShardCount, Quotas};
use crate::refused::Refused;
use crate::stream::{Mode, Phase};

impl Catalog {
    /// AWS takes some time for each round, and so do we with a delay.
    pub(super) fn update_shard_count(
        &mut self,
        arn: &StreamArn,
        count: NewShardCount,
        quotas: Quotas,
        at: Timestamp,
        delay: Duration,
    ) -> Result<(), Refused> {
        let stream = self.stream(arn, at)?;
        if stream.mode == Mode::OnDemand {
            return Err(Refused::OnDemand {
                stream: arn.clone(),
                operation: "UpdateShardCount",
            });
        }
        check_active(stream, at)?;
        let (open, target) = (stream.open_shards(), count.target);
        if target > open.saturating_mul(2) {
            return Err(Refused::OverDouble { open, target });
        }
        if target.saturating_mul(2) < open {
            return Err(Refused::BelowHalf { open, target });
        }
        if let Some(limit) = count.shards_max.filter(|limit| target > *limit) {
            return Err(Refused::TargetShards {
                limit,
                open,
                target,
            });
        }
        if let Some(limit) = count.updates_max
            && stream.shard_count_updates.count(at) >= limit as usize
        {
            return Err(Refused::ShardCountUpdates {
                stream: arn.clone(),
                limit,
            });
        }
        if let Some(additional) = target.checked_sub(open).filter(|more| *more > 0) {
            self.check_shards(arn, additional, quotas.shards, at)?;
            check_stream_shards(arn, open, additional)?;
        }
        let stream = self.stream_mut(arn);
        let rounds = stream.rounds(target);
        stream.scale(target);
        stream.shard_count_updates.add(at);
        stream.phase = Phase::Updating(at.plus(delay.saturating_mul(rounds)));
        Ok(())
    }
}
