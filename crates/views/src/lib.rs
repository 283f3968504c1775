//! The data side: the states that views are merged from.
//!
//! A view's answer is `finish(merge of parts)`: each part is the state of a span of positions, and the
//! spans tile what the answer covers. So what must hold is that states merge: in any split, order and
//! tree they come to what one pass comes to ([`state`]). What they look like on disk is frozen, with a
//! version in it. Nothing here knows SQL. Modules stand lowest first.

pub mod value;
mod encoding;
pub mod state;

pub use state::{Aggregate, Class, Function, State};
pub use value::{Type, Value};
