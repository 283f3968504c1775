//! Signature version 4: who signed a request, whether that is true, and how to sign our own.
//!
//! What must hold: the signature is computed by the `aws-sigv4` crate over what was really sent, and
//! compared in constant time; a request that names no configured key never counts as verified. As long
//! as no credentials are configured, signatures are read (they name region and service) but not
//! verified, so that any made-up key works.
//!
//! A presigned address holds five minutes like any signature, whatever `X-Amz-Expires` says (inferred:
//! nobody is known to presign Kinesis). A body may go unsigned to S3 only.
//!
//! Absent on purpose: chunked payload signatures and temporary credentials. A security token is covered
//! by the signature when the client signed it, and its content means nothing here.

pub mod error;
pub mod moment;
pub mod claim;
pub mod credentials;
mod compute;
mod authenticate;
mod sign;

pub use authenticate::{Identity, authenticate};
pub use claim::Claim;
pub use credentials::{Credentials, Key};
pub use error::Error;
pub use sign::{Signer, sign};

#[cfg(test)]
mod tests;
