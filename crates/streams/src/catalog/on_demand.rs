//! What changes the capacity of on-demand streams: switches of the mode, warm throughput, demand,
//! reshards by the service.

use std::time::Duration;

use tidemill_model::{StreamArn, Timestamp};

use crate::command::{Change, Quotas};
use crate::limits::WARM_MIBPS_MAX;
use crate::refused::{CapacityRefused, Refused};
use crate::stream::{Mode, Phase, Stream};

use super::settings::check_distribution;
use super::{Catalog, check_active, plan};

/// A switch of the mode as it is asked for.
pub(super) struct Switch {
    /// The mode to switch to.
    pub mode: Mode,
    /// The throughput to keep ready, in MiB a second.
    pub warm_mibps: Option<u32>,
    /// How often a stream may be switched in a day.
    pub switches_max: Option<u32>,
}

impl Catalog {
    /// Shards stay as they are, unless a throughput is to be kept ready. What a stream has when it
    /// becomes on-demand counts as asked for, so that it keeps its capacity for as long as a peak would.
    pub(super) fn switch_mode(
        &mut self,
        arn: &StreamArn,
        wanted: Switch,
        quotas: Quotas,
        at: Timestamp,
        delay: Duration,
    ) -> Result<(), Refused> {
        let stream = self.stream(arn, at)?;
        check_active(stream, at)?;
        if stream.mode == wanted.mode {
            return Err(CapacityRefused::SameMode {
                stream: arn.clone(),
                mode: stream.mode.as_str(),
            }
            .into());
        }
        if let Some(limit) = wanted.switches_max
            && stream.capacity.switches(at) >= limit as usize
        {
            return Err(CapacityRefused::ModeSwitches {
                stream: arn.clone(),
                limit,
            }
            .into());
        }
        check_distribution(arn, wanted.mode, stream.distribution)?;
        let open = stream.open_shards();
        match wanted.mode {
            Mode::Provisioned => self.check_shards(arn, open, quotas.shards, at)?,
            Mode::OnDemand => self.check_on_demand(arn, quotas.on_demand_streams, at)?,
        }
        if let Some(mibps) = wanted.warm_mibps {
            self.check_warm(arn, wanted.mode, mibps, at)?;
        }
        let stream = self.stream_mut(arn);
        stream.mode = wanted.mode;
        stream.capacity.switched(at);
        stream.phase = Phase::Updating(at.plus(delay));
        match wanted.mode {
            Mode::Provisioned => stream.capacity.cool(),
            Mode::OnDemand => stream.capacity.asked(open, at),
        }
        if let Some(mibps) = wanted.warm_mibps {
            warm(stream, mibps, open, at, delay);
        }
        Ok(())
    }

    /// A lower throughput than before gives back what the last hour does not need.
    pub(super) fn set_warm_throughput(
        &mut self,
        arn: &StreamArn,
        mibps: u32,
        needed: u32,
        at: Timestamp,
        delay: Duration,
    ) -> Result<(), Refused> {
        let stream = self.stream(arn, at)?;
        check_active(stream, at)?;
        self.check_warm(arn, stream.mode, mibps, at)?;
        warm(self.stream_mut(arn), mibps, needed, at, delay);
        Ok(())
    }

    /// Whether a stream in `mode` may keep `mibps` ready.
    pub(super) fn check_warm(
        &self,
        arn: &StreamArn,
        mode: Mode,
        mibps: u32,
        at: Timestamp,
    ) -> Result<(), Refused> {
        let stream = arn.clone();
        if mode != Mode::OnDemand {
            return Err(CapacityRefused::WarmProvisioned { stream }.into());
        }
        let committed = self.commitment(arn).is_some_and(|made| made.holds(at));
        if !committed {
            return Err(CapacityRefused::NotCommitted { stream }.into());
        }
        if mibps > WARM_MIBPS_MAX {
            return Err(CapacityRefused::TooWarm { stream, mibps }.into());
        }
        Ok(())
    }

    /// Whether a stream of the account and region of `stream` keeps throughput ready.
    pub(super) fn keeps_warm(&self, stream: &StreamArn, at: Timestamp) -> bool {
        let mut siblings = self.siblings(stream, at);
        siblings.any(|stream| stream.capacity.warm_mibps() > 0)
    }

    pub(super) fn record_demand(
        &mut self,
        arn: &StreamArn,
        incarnation: u64,
        shards: u32,
        at: Timestamp,
    ) {
        if let Some(stream) = self.streams.get_mut(arn)
            && stream.incarnation == incarnation
        {
            stream.capacity.asked(shards, at);
        }
    }

    /// The stream stays ACTIVE but for the moment of the reshard itself: nobody has asked for a change.
    pub(super) fn scale(
        &mut self,
        arn: &StreamArn,
        incarnation: u64,
        change: &Change,
        at: Timestamp,
    ) -> Result<(), Refused> {
        let stream = self.stream(arn, at)?;
        if stream.incarnation != incarnation || stream.mode != Mode::OnDemand {
            return Err(Refused::StreamNotFound {
                stream: arn.clone(),
            });
        }
        let reshard = plan(stream, change, at)?;
        self.stream_mut(arn).reshard = Some(reshard);
        Ok(())
    }
}

/// Keeps `mibps` ready, and begins to scale `stream` to what it is to have then.
fn warm(stream: &mut Stream, mibps: u32, needed: u32, at: Timestamp, delay: Duration) {
    stream.capacity.keep_warm(mibps, needed, at);
    let target = stream.capacity.wanted(at);
    let rounds = stream.rounds(target).max(1);
    stream.scale(target);
    stream.phase = Phase::Updating(at.plus(delay.saturating_mul(rounds)));
}
