//! [`Wire`]: calls that outlive a server's restart.
//!
//! What must hold: a call is repeated only after trouble that passes (no answer, a server error, a
//! throttle), and for no longer than [`PATIENCE`] in a row; the caller learns how many answers were
//! lost on the way, for each of them may have done what was asked.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use serde_json::Value;

use tidemill_bench::client::{Client, Failure};
use tidemill_model::{Clock, Determinacy, Entropy};

/// How long a server may be away; enough to be killed and started again by hand.
const PATIENCE: Duration = Duration::from_secs(60);
const BACKOFF_BASE: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_secs(2);

/// What AWS calls the errors that pass by themselves.
const THROTTLES: [&str; 4] = [
    "ProvisionedThroughputExceededException",
    "LimitExceededException",
    "ThrottlingException",
    "TooManyRequestsException",
];

/// A call to a service.
#[derive(Clone, Debug)]
pub enum Call {
    /// Operation and input.
    Kinesis(&'static str, Value),
    /// Operation and input.
    Sqs(&'static str, Value),
    /// Method, path and input.
    Lambda(Method, String, Option<Value>),
    /// The path of one of the server's own pages.
    Own(&'static str),
    /// Method, path below the API of views, and input.
    Views(Method, String, Option<Value>),
}

/// How a call ended.
#[derive(Clone, Debug)]
pub struct Called {
    /// The last answer.
    pub result: Result<Value, Failure>,
    /// Earlier attempts of this call whose outcome is unknown.
    pub lost_answers: u32,
}

/// The client with patience; cheap to clone.
#[derive(Clone)]
pub struct Wire {
    client: Client,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl Wire {
    /// Calls through `client`.
    pub fn new(client: Client, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Wire {
        Wire {
            client,
            clock,
            entropy,
        }
    }

    /// Time, as the demo sees it.
    pub fn clock(&self) -> &dyn Clock {
        self.clock.as_ref()
    }

    /// Chance, as the demo sees it.
    pub fn entropy(&self) -> &dyn Entropy {
        self.entropy.as_ref()
    }

    /// Waits.
    pub async fn pause(&self, duration: Duration) {
        self.clock
            .sleep_until(self.clock.now().plus(duration))
            .await;
    }

    /// Calls until there is an answer that will not change by itself.
    pub async fn call(&self, call: &Call) -> Called {
        let given_up_at = self.clock.now().plus(PATIENCE);
        let (mut attempt, mut lost_answers) = (1, 0);
        loop {
            let result = self.once(call).await;
            match &result {
                Err(failure) if passes(failure) && self.clock.now() < given_up_at => {
                    lost_answers += u32::from(failure.determinacy() == Determinacy::Indeterminate);
                }
                Ok(_) | Err(_) => {
                    return Called {
                        result,
                        lost_answers,
                    };
                }
            }
            self.pause(self.backoff(attempt)).await;
            attempt += 1;
        }
    }

    /// As [`Wire::call`], for calls that may be done twice.
    pub async fn ask(&self, call: &Call) -> Result<Value, Failure> {
        self.call(call).await.result
    }

    async fn once(&self, call: &Call) -> Result<Value, Failure> {
        match call {
            Call::Kinesis(operation, input) => self.client.kinesis(operation, input).await,
            Call::Sqs(operation, input) => self.client.sqs(operation, input).await,
            Call::Lambda(method, path, input) => {
                self.client
                    .lambda(method.clone(), path, input.as_ref())
                    .await
            }
            Call::Own(path) => self.client.own(path).await,
            Call::Views(method, path, input) => {
                let path = format!("/_tidemill/views{path}");
                let (method, input) = (method.clone(), input.as_ref());
                self.client.own_call(method, &path, input).await
            }
        }
    }

    fn backoff(&self, attempt: u32) -> Duration {
        let bound = BACKOFF_BASE
            .saturating_mul(1 << attempt.min(16))
            .min(BACKOFF_MAX);
        Duration::from_millis(self.entropy.below(bound.as_millis() as u64 + 1))
    }
}

/// Whether the same call may succeed later.
fn passes(failure: &Failure) -> bool {
    match failure {
        Failure::Unanswered { .. } => true,
        Failure::Refused { status, code, .. } => {
            *status >= 500 || THROTTLES.contains(&code.as_str())
        }
        Failure::Garbled { status, .. } => *status >= 500,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_trouble_that_passes_is_waited_out() {
        let refused = |status, code: &str| Failure::Refused {
            status,
            code: code.to_owned(),
            message: String::new(),
            hint: None,
        };
        let unanswered = Failure::Unanswered {
            endpoint: String::new(),
            detail: String::new(),
            determinacy: Determinacy::Determinate,
        };
        let garbled = |status| Failure::Garbled {
            status,
            detail: String::new(),
        };
        let cases = [
            (unanswered, true),
            (refused(500, "InternalFailure"), true),
            (refused(503, "ServiceUnavailable"), true),
            (refused(400, "ProvisionedThroughputExceededException"), true),
            (refused(429, "TooManyRequestsException"), true),
            (refused(400, "ValidationException"), false),
            (refused(404, "ResourceNotFoundException"), false),
            (garbled(502), true),
            (garbled(200), false),
        ];
        for (failure, expected) in cases {
            assert_eq!(passes(&failure), expected, "{failure}");
        }
    }
}
