//! Settings of a stream that are changed one at a time.

use tidemill_model::{StreamArn, Timestamp};

use super::{Catalog, check_active};
use crate::command::Setting;
use crate::refused::Refused;
use crate::stream::Phase;

impl Catalog {
    pub(super) fn set(
        &mut self,
        arn: &StreamArn,
        setting: Setting,
        at: Timestamp,
        ready: Timestamp,
    ) -> Result<(), Refused> {
        check_active(self.stream(arn, at)?, at)?;
        let stream = self.stream_mut(arn);
        match setting {
            Setting::RecordKibMax(kib) => stream.record_kib_max = kib,
        }
        stream.phase = Phase::Updating(ready);
        Ok(())
    }
}
