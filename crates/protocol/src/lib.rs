//! Bytes to shapes and back, signatures and constraint checks; no sockets.
//!
//! What must hold: no request makes anything here panic, and nothing here reads a clock. A request is
//! borrowed as it was read ([`request::Request`]), an answer is a [`response::Response`]; the gateway
//! stands between these and the connection. The order in which a request can be refused is the
//! service's own. Modules are declared lowest first, and a module uses only modules declared above it.

pub mod request;
pub mod response;
#[cfg(test)]
mod sent;
mod json;
mod cbor;
pub mod encoding;
pub mod event_stream;
pub mod cors;
pub mod sigv4;
pub mod target;
pub mod aws_json;
pub mod rest_json;
