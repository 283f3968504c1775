//! The gateway: the only code that speaks AWS over HTTP.
//!
//! The way of a request: [`listen`] reads it, encrypted or not ([`tls`]) (its [`body`] within a budget), [`route`] finds the part of the server it is for and
//! asks who sent it ([`identify`]), the module of the service finds the operation, [`call`] reads
//! the input, runs the operation and writes the answer, and [`answer`] puts it on the connection, which is to get rid
//! of it ([`sending`]).

pub mod identify;
pub mod tls;
pub mod sending;
pub mod answer;
pub mod call;
pub mod kinesis;
pub mod lambda;
pub mod sqs;
pub mod metrics_page;
pub mod own_api;
pub mod views_api;
pub mod route;
pub mod body;
pub mod detach_on_drop;
pub mod listen;

#[cfg(test)]
mod hand;
