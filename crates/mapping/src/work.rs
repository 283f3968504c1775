//! [`Work`]: the situations a machine can be in with the records next in line.
//!
//! What must hold: each situation holds exactly what it needs, so that none can be built that means
//! nothing. The way through them:
//!
//! ```text
//! Gathering --> Due --> Invoking --> Gathering                  taken, or cut
//!                ^         |-------> Due                        halved: the first half
//!                |         |-------> Waiting --> Checking --+   tried again
//!                +------------------------------------------+
//!               Due, Invoking --> Recording --> Delivering --> Gathering          given up
//!                                                |     ^
//!                                                v     |
//!                                          AwaitingRedelivery
//! Gathering --> Ended     the shard is done; from anywhere but Invoking, Checking and Delivering: stopped
//! ```

use std::time::Duration;

use tidemill_model::Timestamp;

use crate::checkpoint::GivingUp;
use crate::piece::Piece;

/// What is being done with the records next in line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// No piece is in work. `since`: when the first record of the next batch was there.
    Gathering { since: Option<Timestamp> },
    /// A piece is about to be handed to the function.
    Due(Piece),
    /// The function has it.
    Invoking(Piece),
    /// It failed and is tried again later.
    Waiting { piece: Piece, until: Timestamp },
    /// It is time to try again; the source is asked whether the records still exist.
    Checking(Piece),
    /// It is given up; the message about it becomes durable.
    Recording(GivingUp),
    /// The destination is being told, for the `attempt`th time.
    Delivering { giving_up: GivingUp, attempt: u32 },
    /// The destination could not be told and is told again later.
    AwaitingRedelivery {
        giving_up: GivingUp,
        attempt: u32,
        until: Timestamp,
    },
    /// The shard is done, or the machine was stopped.
    Ended,
}

impl Work {
    /// When it goes on by itself, if ever.
    pub(crate) fn deadline(&self, batching_window: Duration) -> Option<Timestamp> {
        match self {
            Work::Waiting { until, .. } | Work::AwaitingRedelivery { until, .. } => Some(*until),
            Work::Gathering { since } => since.map(|since| since.plus(batching_window)),
            Work::Due(_)
            | Work::Invoking(_)
            | Work::Checking(_)
            | Work::Recording(_)
            | Work::Delivering { .. }
            | Work::Ended => None,
        }
    }
}
