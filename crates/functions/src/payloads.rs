//! What a caller gets when a function fails: the error payloads, in AWS's words.
//!
//! Recorded from AWS; the order of the keys differs from cause to cause and is kept.

use bytes::Bytes;
use serde_json::json;

use crate::limits::RESPONSE_BYTES_MAX;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It exited with a status.
    Code(i32),
    /// A signal killed it.
    Signal(i32),
}

/// Why an invocation ended without a word from the runtime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The function's timeout, in seconds, has passed.
    TimedOut {
        /// The timeout.
        seconds: u32,
    },
    /// The process ended.
    Exited(Exit),
    /// The answer was larger than AWS allows.
    ResponseTooLarge,
    /// The process could not be started; the detail is the system's reason.
    InvalidEntrypoint {
        /// What was started and why it failed.
        detail: String,
    },
}

impl Ending {
    /// The error type, as the payload and the report line name it.
    pub fn error_type(&self) -> &'static str {
        match self {
            Ending::TimedOut { .. } => "Sandbox.Timedout",
            Ending::Exited(_) => "Runtime.ExitError",
            Ending::ResponseTooLarge => "Function.ResponseSizeTooLarge",
            Ending::InvalidEntrypoint { .. } => "Runtime.InvalidEntrypoint",
        }
    }

    fn reason(&self) -> String {
        match self {
            Ending::TimedOut { seconds } => format!("Task timed out after {seconds}.00 seconds"),
            Ending::Exited(Exit::Code(0)) => "Runtime exited without providing a reason".to_owned(),
            Ending::Exited(Exit::Code(code)) => {
                format!("Runtime exited with error: exit status {code}")
            }
            Ending::Exited(Exit::Signal(number)) => {
                format!(
                    "Runtime exited with error: signal: {}",
                    signal_name(*number)
                )
            }
            Ending::ResponseTooLarge => format!(
                "Response payload size exceeded maximum allowed payload size ({RESPONSE_BYTES_MAX} bytes)."
            ),
            Ending::InvalidEntrypoint { detail } => detail.clone(),
        }
    }

    /// The payload of the answer to invocation `request_id`.
    pub fn payload(&self, request_id: &str) -> Bytes {
        let (kind, reason) = (self.error_type(), self.reason());
        let text = match self {
            Ending::ResponseTooLarge => format!(
                "{{\"errorMessage\":{},\"errorType\":{}}}",
                json!(reason),
                json!(kind)
            ),
            Ending::TimedOut { .. } | Ending::Exited(_) | Ending::InvalidEntrypoint { .. } => {
                format!(
                    "{{\"errorType\":{},\"errorMessage\":{}}}",
                    json!(kind),
                    json!(format!("RequestId: {request_id} Error: {reason}"))
                )
            }
        };
        Bytes::from(text)
    }
}

/// The word that Go, and so AWS, has for a signal.
fn signal_name(number: i32) -> String {
    let name = match number {
        1 => "hangup",
        2 => "interrupt",
        3 => "quit",
        4 => "illegal instruction",
        5 => "trace/breakpoint trap",
        6 => "aborted",
        7 => "bus error",
        8 => "floating point exception",
        9 => "killed",
        10 => "user defined signal 1",
        11 => "segmentation fault",
        12 => "user defined signal 2",
        13 => "broken pipe",
        14 => "alarm clock",
        15 => "terminated",
        other => return format!("signal {other}"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_ending_has_its_recorded_payload() {
        let cases = [
            (
                Ending::TimedOut { seconds: 1 },
                r#"{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: r Error: Task timed out after 1.00 seconds"}"#,
            ),
            (
                Ending::Exited(Exit::Code(0)),
                r#"{"errorType":"Runtime.ExitError","errorMessage":"RequestId: r Error: Runtime exited without providing a reason"}"#,
            ),
            (
                Ending::Exited(Exit::Code(1)),
                r#"{"errorType":"Runtime.ExitError","errorMessage":"RequestId: r Error: Runtime exited with error: exit status 1"}"#,
            ),
            (
                Ending::Exited(Exit::Signal(9)),
                r#"{"errorType":"Runtime.ExitError","errorMessage":"RequestId: r Error: Runtime exited with error: signal: killed"}"#,
            ),
            (
                Ending::ResponseTooLarge,
                r#"{"errorMessage":"Response payload size exceeded maximum allowed payload size (6291556 bytes).","errorType":"Function.ResponseSizeTooLarge"}"#,
            ),
            (
                Ending::InvalidEntrypoint {
                    detail: "fork/exec /var/task/bootstrap: exec format error".into(),
                },
                r#"{"errorType":"Runtime.InvalidEntrypoint","errorMessage":"RequestId: r Error: fork/exec /var/task/bootstrap: exec format error"}"#,
            ),
        ];
        for (ending, payload) in cases {
            assert_eq!(ending.payload("r"), payload);
        }
    }
}
