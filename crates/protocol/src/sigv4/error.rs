//! Why a request's signature is refused: [`Error`], with AWS's words.
//!
//! What must hold: the display text is what the client sees as message, and [`Error::code`] its
//! exception name. All of them answer 400 in the JSON protocols. No text contains a secret or the
//! signature that would have been right.

use thiserror::Error;

/// Why a request's signature is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Error {
    /// The request is not signed at all.
    #[error("Missing Authentication Token")]
    MissingToken,
    /// The signature is there but cannot be read; the text lists what it lacks.
    #[error("{message}")]
    Incomplete {
        /// What is missing or malformed, then what was sent.
        message: String,
    },
    /// The request is signed in the header and in the query.
    #[error(
        "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header."
    )]
    SignedTwice,
    /// The access key is not configured.
    #[error("The security token included in the request is invalid.")]
    UnknownKey,
    /// The signing time lies more than the tolerance in the past.
    #[error("Signature expired: {signed} is now earlier than {limit} ({now} - 5 min.)")]
    Expired {
        /// The signing time.
        signed: String,
        /// The earliest signing time that is accepted.
        limit: String,
        /// The server's time.
        now: String,
    },
    /// The signing time lies more than the tolerance in the future.
    #[error("Signature not yet current: {signed} is still later than {limit} ({now} + 5 min.)")]
    NotYetCurrent {
        /// The signing time.
        signed: String,
        /// The latest signing time that is accepted.
        limit: String,
        /// The server's time.
        now: String,
    },
    /// The credential scope or the list of signed headers is not acceptable.
    #[error("{message}")]
    BadScope {
        /// What is wrong with it.
        message: String,
    },
    /// The signature is not the one the secret gives.
    #[error(
        "The request signature we calculated does not match the signature you provided. Check your \
         AWS Secret Access Key and signing method. Consult the service documentation for details."
    )]
    Mismatch,
}

impl Error {
    /// The name of the AWS exception.
    pub fn code(&self) -> &'static str {
        match self {
            Error::MissingToken => "MissingAuthenticationTokenException",
            Error::Incomplete { .. } => "IncompleteSignatureException",
            Error::UnknownKey => "UnrecognizedClientException",
            Error::SignedTwice
            | Error::Expired { .. }
            | Error::NotYetCurrent { .. }
            | Error::BadScope { .. }
            | Error::Mismatch => "InvalidSignatureException",
        }
    }
}
