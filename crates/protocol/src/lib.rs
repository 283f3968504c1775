//! Bytes to shapes and back, signatures and constraint checks; no sockets.
