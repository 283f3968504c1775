//! What an operation's failure looks like on the wire: [`Failure`], and the one failure that AWS does
//! not declare, [`StorageFailure`].

use thiserror::Error;

use tidemill_model::Determinacy;

/// An exception as the gateway writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// AWS's name of the exception.
    pub code: &'static str,
    /// HTTP status.
    pub status: u16,
    /// Whether the caller is to blame.
    pub sender: bool,
    /// The key of the message in the body: `message` or `Message`, as the model has it.
    pub message_key: &'static str,
    /// The text.
    pub message: String,
    /// Further members of the body.
    pub members: Vec<(&'static str, String)>,
    /// Members that travel as headers.
    pub headers: Vec<(&'static str, String)>,
}

/// An operation's error: exactly the exceptions AWS declares for it, and our storage failing.
pub trait OperationError: std::fmt::Debug {
    /// How it looks on the wire.
    fn failure(&self) -> Failure;
}

/// Our storage failed below an operation. On the wire an internal failure, status 500.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("storage failed: {detail}")]
pub struct StorageFailure {
    /// What the storage said; logged, not sent.
    pub detail: String,
    /// Whether the action surely did not happen.
    pub determinacy: Determinacy,
}

impl StorageFailure {
    /// How it looks on the wire: no detail leaves the process.
    pub fn failure(&self, code: &'static str, message_key: &'static str) -> Failure {
        Failure {
            code,
            status: 500,
            sender: false,
            message_key,
            message: "Internal Service Failure".to_owned(),
            members: Vec::new(),
            headers: Vec::new(),
        }
    }
}
