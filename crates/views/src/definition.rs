//! Definitions of views: SQL that is split into what each record does, what adds up, and what is done
//! with the sums.
//!
//! ```text
//! SELECT date_bin(interval '1 hour', at) AS hour, sum(fare) / count(*) AS mean FROM STREAM rides
//! WHERE fare > 0 GROUP BY hour
//!
//! of each record   filter fare > 0; key _k0 = date_bin(interval '1 hour', at)
//! adding up        _a0 = sum(fare); _a1 = count(*)
//! above            hour = _k0; mean = _a0 / _a1
//! ```
//!
//! What must hold: what is done with a record depends on the record only, so it may be done now, again
//! after a crash, or in a year; what adds up has a [`crate::State`] that merges; everything else stands
//! above the merge. A definition of which that is not known is refused with what stands in the way and
//! the nearest form that can be split. It is pure code over the syntax tree: it knows no columns and no
//! types, and a name it does not know counts as unknown and not as harmless.

mod refusal;
mod functions;
mod statement;
mod map;
mod duration;
mod hop;
mod join;
mod calls;
mod finals;
mod plan;
mod split;

pub use calls::Call;
pub use hop::Hop;
pub use join::Join;
pub use plan::{Column, Definition, Mode};
pub use refusal::{Refusal, Standing};
pub use split::split;
