//! What a mapping needs of its neighbours: [`Invoker`] and [`Destination`]. The stream it reads is
//! behind [`tidemill_model::Source`].
//!
//! What must hold: every failure says whether the thing surely did not happen, because duplicates are
//! counted and messages repeated by that bit.

use bytes::Bytes;
use thiserror::Error;

use tidemill_model::given_up::GivenUp;
use tidemill_model::{AccountId, BoxFuture, Determinacy, FunctionArn, Region};

/// What a mapping must know of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionFacts {
    /// Its ARN, with a qualifier when the name had one.
    pub arn: FunctionArn,
    /// ARN of the role it runs as.
    pub role: String,
}

/// There is no such function, version or alias.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("function {name} does not exist")]
pub struct NoFunction {
    /// What was asked for.
    pub name: String,
}

/// What came of an invocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Invoked {
    /// The function ran, well or badly.
    Answered {
        /// HTTP status; 200 for a function that ran.
        status: u16,
        /// The version that ran.
        executed_version: String,
        /// `Unhandled` and the like when the function failed.
        function_error: Option<String>,
        /// The body.
        payload: Bytes,
    },
    /// It did not run: too many of it are running.
    Throttled,
    /// It did not run, or nothing is known of it.
    Unavailable {
        /// Whether it surely did not run.
        determinacy: Determinacy,
        /// What is known of the cause.
        detail: String,
    },
}

/// Functions, as mappings use them.
pub trait Invoker: Send + Sync {
    /// The function called `name` (a name, a partial or a full ARN, with or without a qualifier) for
    /// a caller in `account` and `region`.
    fn resolve(
        &self,
        account: &AccountId,
        region: &Region,
        name: &str,
    ) -> Result<FunctionFacts, NoFunction>;

    /// Runs `function` on `payload` and waits for its answer.
    fn invoke<'a>(
        &'a self,
        function: &'a FunctionArn,
        payload: Bytes,
        request_id: String,
    ) -> BoxFuture<'a, Invoked>;
}

/// Why an ARN cannot be a destination.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{reason}")]
pub struct Unsupported {
    /// What is wrong with it, for the user.
    pub reason: String,
}

/// A message was not delivered, or may not have been.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the message was not delivered: {detail}")]
pub struct DeliveryError {
    /// Whether it surely was not.
    pub determinacy: Determinacy,
    /// What is known of the cause.
    pub detail: String,
}

/// What is told of batches that were given up.
pub trait Destination: Send + Sync {
    /// Whether `arn` is one that can be told. It need not exist yet.
    fn supports(&self, arn: &str) -> Result<(), Unsupported>;

    /// Tells `arn` of `message`. A second message of the same id does nothing.
    fn deliver<'a>(
        &'a self,
        arn: &'a str,
        message: &'a GivenUp,
    ) -> BoxFuture<'a, Result<(), DeliveryError>>;
}
