//! The durable queue of asynchronous invocations: [`Queue`], a replicated machine.
//!
//! What must hold: what was queued stays queued until its end is recorded, so it is run at least once;
//! the count of its failures survives a restart. The position of the command that queued an
//! invocation is its id. The queue is bounded, because it is held in memory: when it is full, the next
//! invocation is refused before anything is promised for it.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use tidemill_log::{Position, RestoreError, ServiceTag, StateMachine};
use tidemill_model::{FunctionArn, Timestamp};

use crate::limits::{QUEUED_BYTES_MAX, QUEUED_COUNT_MAX};

/// How an invocation has fared so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// When it was queued.
    pub queued_at: Timestamp,
    /// It is not tried before.
    pub not_before: Timestamp,
    /// How often the function failed on it.
    pub function_errors: u32,
    /// How often it could not be run.
    pub system_errors: u32,
}

/// A queued invocation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queued {
    /// The function, with the qualifier that was asked for.
    pub function: FunctionArn,
    /// The request id, the same for each attempt.
    pub request_id: String,
    /// The payload: JSON, and so text.
    pub payload: String,
    /// How it has fared.
    pub standing: Standing,
}

/// What changes the queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Queue an invocation.
    Enqueue {
        /// The function, with the qualifier that was asked for.
        function: FunctionArn,
        /// The request id.
        request_id: String,
        /// The payload.
        payload: String,
    },
    /// An attempt has failed; there will be another.
    Postpone {
        /// The invocation.
        id: Position,
        /// How it has fared.
        standing: Standing,
    },
    /// The invocation has succeeded or was given up.
    Finish {
        /// The invocation.
        id: Position,
    },
}

/// What a command came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is queued, and stands so.
    Queued(Position, Standing),
    /// The queue is full; nothing was queued.
    Full,
    /// The end, or the delay, is recorded.
    Recorded,
}

/// The machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queue {
    waiting: BTreeMap<Position, Queued>,
    bytes: usize,
}

impl Queue {
    /// The invocation `id`, if it has not ended.
    pub fn get(&self, id: Position) -> Option<&Queued> {
        self.waiting.get(&id)
    }

    /// The invocations that have not ended, in the order they were queued.
    pub fn standings(&self) -> Vec<(Position, Standing)> {
        self.waiting
            .iter()
            .map(|(id, queued)| (*id, queued.standing))
            .collect()
    }

    /// How many invocations have not ended.
    pub fn count(&self) -> usize {
        self.waiting.len()
    }

    fn enqueue(
        &mut self,
        at: Timestamp,
        id: Position,
        queued: (FunctionArn, String, String),
    ) -> Outcome {
        let (function, request_id, payload) = queued;
        if self.waiting.len() >= QUEUED_COUNT_MAX || self.bytes + payload.len() > QUEUED_BYTES_MAX {
            return Outcome::Full;
        }
        let standing = Standing {
            queued_at: at,
            not_before: at,
            function_errors: 0,
            system_errors: 0,
        };
        self.bytes += payload.len();
        self.waiting.insert(
            id,
            Queued {
                function,
                request_id,
                payload,
                standing,
            },
        );
        Outcome::Queued(id, standing)
    }
}

impl StateMachine for Queue {
    type Command = Command;
    type Outcome = Outcome;
    const SERVICE: ServiceTag = ServiceTag::Functions;
    const VERSION: u16 = 1;

    fn apply(&mut self, at: Timestamp, position: Position, command: Command) -> Outcome {
        match command {
            Command::Enqueue {
                function,
                request_id,
                payload,
            } => self.enqueue(at, position, (function, request_id, payload)),
            Command::Postpone { id, standing } => {
                if let Some(queued) = self.waiting.get_mut(&id) {
                    queued.standing = standing;
                }
                Outcome::Recorded
            }
            Command::Finish { id } => {
                if let Some(queued) = self.waiting.remove(&id) {
                    self.bytes -= queued.payload.len();
                }
                Outcome::Recorded
            }
        }
    }

    fn snapshot(&self) -> Bytes {
        Bytes::from(serde_json::to_vec(self).expect("numbers and texts can be written as JSON"))
    }

    fn restore(snapshot: &[u8]) -> Result<Queue, RestoreError> {
        Ok(serde_json::from_slice(snapshot)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enqueue(payload: &str) -> Command {
        Command::Enqueue {
            function: "arn:aws:lambda:us-east-1:123456789012:function:f"
                .parse()
                .expect("a literal ARN"),
            request_id: "r".into(),
            payload: payload.into(),
        }
    }

    #[test]
    fn what_is_queued_stays_until_its_end_is_recorded_and_survives_a_snapshot() {
        let now = Timestamp::from_secs(7);
        let mut queue = Queue::default();
        let Outcome::Queued(id, standing) = queue.apply(now, 3, enqueue("{\"a\":1}")) else {
            panic!("an empty queue takes it");
        };
        let later = Standing {
            not_before: Timestamp::from_secs(67),
            function_errors: 1,
            ..standing
        };
        queue.apply(
            now,
            4,
            Command::Postpone {
                id,
                standing: later,
            },
        );
        let mut restored = Queue::restore(&queue.snapshot()).expect("own snapshot");
        assert_eq!(restored, queue);
        assert_eq!(restored.standings(), [(3, later)]);
        restored.apply(now, 5, Command::Finish { id });
        restored.apply(
            now,
            6,
            Command::Postpone {
                id,
                standing: later,
            },
        );
        assert_eq!(restored, Queue::default());
    }

    #[test]
    fn the_persisted_layout_is_what_it_was() {
        let standing = Standing {
            queued_at: Timestamp::from_millis(1),
            not_before: Timestamp::from_millis(2),
            function_errors: 3,
            system_errors: 4,
        };
        let cases = [
            (
                enqueue("{}"),
                concat!(
                    r#"{"Enqueue":{"function":{"region":"us-east-1","account":"123456789012","#,
                    r#""name":"f","qualifier":null},"request_id":"r","payload":"{}"}}"#,
                ),
            ),
            (
                Command::Postpone { id: 9, standing },
                concat!(
                    r#"{"Postpone":{"id":9,"standing":{"queued_at":1,"not_before":2,"#,
                    r#""function_errors":3,"system_errors":4}}}"#,
                ),
            ),
            (Command::Finish { id: 9 }, r#"{"Finish":{"id":9}}"#),
        ];
        for (command, text) in cases {
            assert_eq!(serde_json::to_string(&command).expect("plain values"), text);
        }
    }

    #[test]
    fn a_full_queue_refuses() {
        let now = Timestamp::EPOCH;
        let mut queue = Queue::default();
        let large = "x".repeat(QUEUED_BYTES_MAX / 2);
        assert!(matches!(
            queue.apply(now, 1, enqueue(&large)),
            Outcome::Queued(1, _)
        ));
        assert!(matches!(
            queue.apply(now, 2, enqueue(&large)),
            Outcome::Queued(2, _)
        ));
        assert_eq!(queue.apply(now, 3, enqueue("1")), Outcome::Full);
        queue.apply(now, 4, Command::Finish { id: 1 });
        assert!(matches!(
            queue.apply(now, 5, enqueue("1")),
            Outcome::Queued(5, _)
        ));
    }
}
