//! One call of a function, and what came of it: [`Invocation`], [`Reply`], [`InvokeFailure`].
//!
//! What must hold: a function that fails is a reply, not a failure; a failure means that the function
//! gave no answer, and says whether it surely did not run.

use bytes::Bytes;
use thiserror::Error;

use tidemill_model::{Determinacy, FunctionArn};
use tidemill_shapes::lambda::ThrottleReason;

/// A synchronous call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// The function, with the qualifier that was asked for.
    pub function: FunctionArn,
    /// The payload: JSON, which the caller answers for.
    pub payload: Bytes,
    /// The id that the function sees as its request id.
    pub request_id: String,
    /// The client context as JSON, when there is one.
    pub client_context: Option<String>,
    /// Whether the end of the output is wanted.
    pub log_tail: bool,
}

/// What a function answered, or how it failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status, 200 even when the function failed.
    pub status_code: u16,
    /// The version that ran.
    pub executed_version: String,
    /// `Unhandled` when the function failed.
    pub function_error: Option<String>,
    /// Its result, or the report of its failure.
    pub payload: Bytes,
    /// The last 4 KB of its output in base64, when they were wanted.
    pub log_tail: Option<String>,
}

/// Why a function gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum InvokeFailure {
    /// It cannot run now; it surely did not.
    #[error("throttled: {}", reason.as_str())]
    Throttled {
        /// Which limit is reached.
        reason: ThrottleReason,
    },
    /// There is no such function.
    #[error("Function not found: {function}")]
    NoFunction {
        /// The function asked for.
        function: FunctionArn,
    },
    /// It exists and does not serve yet; it surely did not run.
    #[error(
        "The operation cannot be performed at this time. The function is currently in the following \
         state: Pending"
    )]
    NotReady,
    /// Something of ours failed.
    #[error("the function could not be run: {detail}")]
    Service {
        /// What failed.
        detail: String,
        /// Whether the function surely did not run.
        determinacy: Determinacy,
    },
}

impl InvokeFailure {
    /// Whether the function surely did not run.
    pub fn determinacy(&self) -> Determinacy {
        match self {
            InvokeFailure::Throttled { .. }
            | InvokeFailure::NoFunction { .. }
            | InvokeFailure::NotReady => Determinacy::Determinate,
            InvokeFailure::Service { determinacy, .. } => *determinacy,
        }
    }

    /// A failure of ours before the function could run.
    pub fn not_run(detail: impl ToString) -> InvokeFailure {
        InvokeFailure::Service {
            detail: detail.to_string(),
            determinacy: Determinacy::Determinate,
        }
    }

    /// A failure of ours after which the function may have run.
    pub fn unknown(detail: impl ToString) -> InvokeFailure {
        InvokeFailure::Service {
            detail: detail.to_string(),
            determinacy: Determinacy::Indeterminate,
        }
    }
}
