//! What the catalog knows of accounts: their commitments, and what counts against their quotas.

use tidemill_model::{StreamArn, Timestamp};

use super::Catalog;
use crate::commitment::Commitment;
use crate::stream::{Mode, Stream};

impl Catalog {
    /// The commitment of the account and region of `stream`, if one was ever made.
    pub fn commitment(&self, stream: &StreamArn) -> Option<Commitment> {
        let account = (stream.account.clone(), stream.region.clone());
        self.commitments.get(&account).copied()
    }

    /// Open shards of the provisioned streams of the account and region of `stream`.
    pub fn provisioned_shards(&self, stream: &StreamArn, now: Timestamp) -> u32 {
        let provisioned = self
            .siblings(stream, now)
            .filter(|stream| stream.mode == Mode::Provisioned);
        provisioned.map(Stream::open_shards).sum()
    }

    /// On-demand streams of the account and region of `stream`.
    pub fn on_demand_streams(&self, stream: &StreamArn, now: Timestamp) -> usize {
        let on_demand = |stream: &&Stream| stream.mode == Mode::OnDemand;
        self.siblings(stream, now).filter(on_demand).count()
    }

    /// Makes or ends the commitment of the account and region of `stream`.
    pub(super) fn commit(&mut self, stream: StreamArn, committed: bool, at: Timestamp) {
        let earlier = self.commitment(&stream);
        let account = (stream.account, stream.region);
        let commitment = match (committed, earlier) {
            (true, earlier) => Commitment::enabled(earlier, at),
            (false, Some(earlier)) => earlier.disabled(at),
            (false, None) => return,
        };
        self.commitments.insert(account, commitment);
    }
}
