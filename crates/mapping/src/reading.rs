//! [`Reading`]: the part of a machine that decides when to read its shard.
//!
//! What must hold: at most one read is on its way. A shard that has been read to its end is listened
//! to, or looked at once in an interval when one is set; a closed shard that has been read to its end
//! is not read again.

use std::time::Duration;

use tidemill_model::Timestamp;

/// Whether and when the shard is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// May read.
    Idle,
    /// A read is on its way.
    Asked,
    /// Everything was read; the source has yet to be asked to say when there is more.
    CaughtUp,
    /// The source will say when there is more.
    Listening,
    /// Will read again later.
    Resting {
        /// When.
        until: Timestamp,
    },
    /// Everything was read and nothing more can come.
    AtEnd,
}

/// What to ask of the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Records.
    Read,
    /// A sign when there are records.
    Listen,
}

impl Reading {
    /// A read came back: whether it reached the end of a shard that is closed, or open.
    pub fn came_back(
        &mut self,
        now: Timestamp,
        reached_end: bool,
        closed: bool,
        poll_interval: Option<Duration>,
    ) {
        assert_eq!(*self, Reading::Asked, "no read is on its way");
        *self = match (reached_end, closed, poll_interval) {
            (false, ..) => Reading::Idle,
            (true, true, _) => Reading::AtEnd,
            (true, false, None) => Reading::CaughtUp,
            (true, false, Some(interval)) => Reading::Resting {
                until: now.plus(interval),
            },
        };
    }

    /// A read failed.
    pub fn failed(&mut self, until: Timestamp) {
        assert_eq!(*self, Reading::Asked, "no read is on its way");
        *self = Reading::Resting { until };
    }

    /// The source says that there is more.
    pub fn woken(&mut self) {
        assert_eq!(*self, Reading::Listening, "the source was not asked");
        *self = Reading::Idle;
    }

    /// What to ask of the source now; `wanted` says whether records are.
    pub fn next_ask(&mut self, now: Timestamp, wanted: bool) -> Option<Ask> {
        if let Reading::Resting { until } = *self
            && now >= until
        {
            *self = Reading::Idle;
        }
        match self {
            Reading::Idle if wanted => {
                *self = Reading::Asked;
                Some(Ask::Read)
            }
            Reading::CaughtUp => {
                *self = Reading::Listening;
                Some(Ask::Listen)
            }
            Reading::Idle
            | Reading::Asked
            | Reading::Listening
            | Reading::Resting { .. }
            | Reading::AtEnd => None,
        }
    }

    /// When to read again, if resting.
    pub fn deadline(&self) -> Option<Timestamp> {
        match self {
            Reading::Resting { until } => Some(*until),
            Reading::Idle
            | Reading::Asked
            | Reading::CaughtUp
            | Reading::Listening
            | Reading::AtEnd => None,
        }
    }
}
