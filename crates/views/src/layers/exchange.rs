//! What the machine is told and what it asks for: [`Input`] and [`Effect`].
//!
//! What must hold: each effect that is answered is answered by exactly one input, and none is asked for
//! again before. `Open`, `CatchUp`, `Close`, `Absorb` and `Audit` are done one at a time; `Feed` goes on
//! beside them.
//!
//! | effect | answered by |
//! | --- | --- |
//! | `Open` | `Opened`, `WorkFailed` |
//! | `CatchUp` | `CaughtUp`, `WorkFailed` |
//! | `Close` | `Closed` |
//! | `Absorb` | `Absorbed`, `WorkFailed` |
//! | `Audit` | `Audited`, `WorkFailed` |
//! | `Feed` | `FeedBehind`, `FeedFailed`, `StreamGone` |
//! | `Settle` | nothing |
//! | `Stopped` | nothing: the machine has ended |

/// Something that has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// The machine may begin. Comes once, first.
    Started,
    /// The batch view is open; the speed layer is empty and begins behind it.
    Opened,
    /// The batch view has everything that the master dataset had; the speed layer begins anew.
    CaughtUp {
        /// Whether there was anything that it had not.
        is_news: bool,
    },
    /// What came in is closed.
    Closed,
    /// The batch view has absorbed what it could.
    Absorbed,
    /// A part of the batch view was computed again and compared.
    Audited,
    /// What was asked for could not be done, and nothing has changed.
    WorkFailed,
    /// Records between the layers and the stream are in the master dataset only.
    FeedBehind,
    /// The stream could not be read.
    FeedFailed,
    /// The stream was deleted; another of its name is another stream.
    StreamGone {
        /// Whether anything of it was read since the layers began.
        fed: bool,
    },
    /// The deadline has passed.
    TimerFired,
    /// The server stops, or the view is dropped.
    StopAsked,
}

/// Something the machine wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Open the batch view, or begin a new one.
    Open,
    /// Let the batch view absorb everything that the master dataset has.
    CatchUp,
    /// Put the records of the stream into the speed layer, on and on.
    Feed,
    /// Close what came in.
    Close,
    /// Absorb what is closed and archived.
    Absorb,
    /// Compute the next range of the batch view again out of the master dataset, and compare.
    Audit,
    /// There will be nothing more: what is there is the answer.
    Settle,
    /// The machine has stopped as it was asked to.
    Stopped,
}
