//! Bytes to shapes and back, signatures and constraint checks; no sockets.

pub mod request;
pub mod response;
pub mod sigv4;
