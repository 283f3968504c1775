//! What changes the capacity of on-demand streams: switches of the mode, demand, reshards by the service.

use tidemill_model::{StreamArn, Timestamp};

use crate::command::{Change, Quotas};
use crate::refused::Refused;
use crate::stream::{Mode, Phase};

use super::{Catalog, check_active, plan};

impl Catalog {
    /// Shards stay as they are. What a stream has when it becomes on-demand counts as asked for, so
    /// that it keeps its capacity for as long as a peak would.
    pub(super) fn switch_mode(
        &mut self,
        arn: &StreamArn,
        mode: Mode,
        quotas: Quotas,
        switches_max: Option<u32>,
        at: Timestamp,
        ready: Timestamp,
    ) -> Result<(), Refused> {
        let stream = self.stream(arn, at)?;
        check_active(stream, at)?;
        if stream.mode == mode {
            return Err(Refused::SameMode {
                stream: arn.clone(),
                mode: mode.as_str(),
            });
        }
        if let Some(limit) = switches_max
            && stream.capacity.switches(at) >= limit as usize
        {
            return Err(Refused::ModeSwitches {
                stream: arn.clone(),
                limit,
            });
        }
        let open = stream.open_shards();
        match mode {
            Mode::Provisioned => self.check_shards(arn, open, quotas.shards, at)?,
            Mode::OnDemand => self.check_on_demand(arn, quotas.on_demand_streams, at)?,
        }
        let stream = self.stream_mut(arn);
        stream.mode = mode;
        stream.capacity.switched(at);
        if mode == Mode::OnDemand {
            stream.capacity.asked(open, at);
        }
        stream.phase = Phase::Updating(ready);
        Ok(())
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
