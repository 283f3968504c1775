//! REST-JSON: Lambda.
//!
//! The way of a request: [`route`] finds the operation its method and path name, [`read`] makes the
//! input of path, query, headers and body ([`read_invoke`] where the body is the payload), and
//! [`success`], [`invoked`] or [`failure`] writes the answer.

mod route;
mod merge;
mod answer;
mod read;

pub use answer::{failure, invoked, refuse, success, unauthenticated, unknown, unsupported};
pub use read::{read, read_invoke};
pub use route::{Route, route};

#[cfg(test)]
mod tests;
