//! Settings of a stream that are changed one at a time.

use tidemill_model::{StreamArn, Timestamp};

use super::{Catalog, check_active};
use crate::command::Setting;
use crate::distribution::Distribution;
use crate::last_day::LastDay;
use crate::refused::Refused;
use crate::stream::{Mode, Phase, Stream};

impl Catalog {
    pub(super) fn set(
        &mut self,
        arn: &StreamArn,
        setting: Setting,
        at: Timestamp,
        ready: Timestamp,
    ) -> Result<(), Refused> {
        let stream = self.stream(arn, at)?;
        check_active(stream, at)?;
        check(stream, &setting, at)?;
        let stream = self.stream_mut(arn);
        match setting {
            Setting::Distribution(distribution) => {
                stream.distribution = distribution;
                return Ok(());
            }
            Setting::RecordKibMax(kib) => stream.record_kib_max = kib,
            Setting::StartEncryption { key_id, .. } => {
                stream.key_id = Some(key_id);
                stream.encryption_starts.add(at);
            }
            Setting::StopEncryption { .. } => {
                stream.key_id = None;
                stream.encryption_stops.add(at);
            }
        }
        stream.phase = Phase::Updating(ready);
        Ok(())
    }
}

fn check(stream: &Stream, setting: &Setting, at: Timestamp) -> Result<(), Refused> {
    match setting {
        Setting::RecordKibMax(_) => Ok(()),
        Setting::StartEncryption { calls_max, .. } => {
            check_calls(stream, &stream.encryption_starts, *calls_max, at)
        }
        Setting::StopEncryption { calls_max } => {
            if stream.key_id.is_none() {
                let stream = stream.arn.clone();
                return Err(Refused::NotEncrypted { stream });
            }
            check_calls(stream, &stream.encryption_stops, *calls_max, at)
        }
        Setting::Distribution(distribution) => {
            check_distribution(&stream.arn, stream.mode, *distribution)
        }
    }
}

fn check_calls(
    stream: &Stream,
    calls: &LastDay,
    calls_max: Option<u32>,
    at: Timestamp,
) -> Result<(), Refused> {
    match calls_max {
        Some(limit) if calls.count(at) >= limit as usize => {
            let stream = stream.arn.clone();
            Err(Refused::EncryptionCalls { stream, limit })
        }
        _ => Ok(()),
    }
}

/// Only on-demand streams can leave the distribution of records to the service.
pub(super) fn check_distribution(
    stream: &StreamArn,
    mode: Mode,
    distribution: Distribution,
) -> Result<(), Refused> {
    match (mode, distribution) {
        (Mode::Provisioned, Distribution::Auto) => Err(Refused::AutoProvisioned {
            stream: stream.clone(),
        }),
        _ => Ok(()),
    }
}
