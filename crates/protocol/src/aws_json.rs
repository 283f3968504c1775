//! AWS JSON 1.0 and 1.1, and CBOR 1.1 in the same forms: Kinesis and SQS.
//!
//! The way of a request: [`check`] says which operation it is, and in which
//! [`Dialect`], or refuses it, [`read`] makes the input of
//! its body, and [`success`] or [`failure`] writes the answer. Types are checked before constraints and
//! both after authentication; syntax before it. The body is read once and not copied; a second look is
//! taken only at a body that is refused.

mod dialect;
mod answer;
mod order;
mod read;

pub use answer::{failure, refuse, success, unauthenticated};
pub use dialect::Dialect;
pub use order::check;
pub use read::read;

#[cfg(test)]
mod tests;
