//! Why a change of a stream's capacity mode or warm throughput is refused.

use thiserror::Error;

use tidemill_model::StreamArn;

use super::{Exception, under};
use crate::limits::WARM_MIBPS_MAX;

/// One variant for each cause. The texts are ours: AWS publishes none.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CapacityRefused {
    #[error("Stream {} is already in {mode} mode.", under(.stream))]
    SameMode {
        stream: StreamArn,
        mode: &'static str,
    },
    #[error(
        "The mode of stream {} has been switched {limit} times within 24 hours, as often as it can \
         be.", under(.stream)
    )]
    ModeSwitches { stream: StreamArn, limit: u32 },
    #[error("Stream {} is in PROVISIONED mode, which has no warm throughput.", under(.stream))]
    WarmProvisioned { stream: StreamArn },
    #[error(
        "Warm throughput of stream {} needs the account's MinimumThroughputBillingCommitment to be \
         ENABLED.", under(.stream)
    )]
    NotCommitted { stream: StreamArn },
    #[error(
        "WarmThroughputMiBps {mibps} for stream {} is more than {WARM_MIBPS_MAX}.", under(.stream)
    )]
    TooWarm { stream: StreamArn, mibps: u32 },
    #[error(
        "Account {account} has streams with warm throughput. Set it to 0 before ending the commitment."
    )]
    StillWarm { account: String },
}

impl CapacityRefused {
    /// The exception that it is answered with.
    pub fn exception(&self) -> Exception {
        match self {
            CapacityRefused::ModeSwitches { .. } | CapacityRefused::TooWarm { .. } => {
                Exception::LimitExceeded
            }
            CapacityRefused::SameMode { .. }
            | CapacityRefused::WarmProvisioned { .. }
            | CapacityRefused::NotCommitted { .. }
            | CapacityRefused::StillWarm { .. } => Exception::InvalidArgument,
        }
    }
}
