//! When a queued invocation is tried, tried again and given up: [`Delivery`], a pure machine.
//!
//! An *attempt* is one try at a queued invocation. What must hold: an invocation has at most one
//! attempt running; a failure of the function is retried twice, a throttle or a failure of ours until
//! the invocation is too old; a wait that would end behind the age limit is not begun. Attempts
//! running at once are bounded. After a restart the machine is fed what the queue still holds, so the
//! start is no path of its own.

use std::collections::{BTreeMap, BTreeSet};

use tidemill_log::Position;
use tidemill_model::Timestamp;

use crate::limits::{QUEUED_AGE_MAX, RETRY_WAITS, SYSTEM_WAIT_MAX, SYSTEM_WAIT_MIN};
use crate::queue::Standing;

/// What has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// An invocation is durably queued.
    Queued(Position, Standing),
    /// An attempt has ended.
    Ended(Position, Attempt),
    /// The deadline has come.
    TimerFired,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// The function answered.
    Succeeded,
    /// The function failed.
    FunctionFailed,
    /// The function could not be run now: throttled, not ready, or a failure of ours.
    NotRun,
    /// There is no such function any more.
    FunctionGone,
}

/// Why an invocation is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The function failed on every attempt.
    RetriesExhausted,
    /// The next attempt would come too late.
    EventAgeExceeded,
    /// There is no such function any more.
    FunctionGone,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Run an attempt.
    Invoke(Position),
    /// Record that there will be another attempt.
    Postpone(Position, Standing),
    /// Record that the invocation has succeeded.
    Finish(Position),
    /// Record that the invocation is given up, and say so.
    Discard(Position, Reason),
}

/// The machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    attempts_max: usize,
    standings: BTreeMap<Position, Standing>,
    /// What waits for its time, in the order it is due.
    waiting: BTreeSet<(Timestamp, Position)>,
    running: BTreeSet<Position>,
}

impl Delivery {
    /// A machine that runs at most `attempts_max` attempts at once.
    pub fn new(attempts_max: usize) -> Delivery {
        Delivery {
            attempts_max,
            standings: BTreeMap::new(),
            waiting: BTreeSet::new(),
            running: BTreeSet::new(),
        }
    }

    /// Takes what has happened; gives what is to be done.
    pub fn step(&mut self, now: Timestamp, input: Input) -> Vec<Effect> {
        let mut effects = Vec::new();
        match input {
            // What was queued while the queue was read after a start is told of twice.
            Input::Queued(id, _) if self.standings.contains_key(&id) => {}
            Input::Queued(id, standing) => {
                self.standings.insert(id, standing);
                self.waiting.insert((standing.not_before, id));
            }
            Input::Ended(id, attempt) => {
                assert!(
                    self.running.remove(&id),
                    "attempt at {id} ended and was not running: {self:?}"
                );
                let standing = self.standings[&id];
                match next(now, standing, attempt) {
                    Next::Again(standing) => {
                        self.standings.insert(id, standing);
                        self.waiting.insert((standing.not_before, id));
                        effects.push(Effect::Postpone(id, standing));
                    }
                    Next::Done => {
                        self.standings.remove(&id);
                        effects.push(Effect::Finish(id));
                    }
                    Next::GiveUp(reason) => {
                        self.standings.remove(&id);
                        effects.push(Effect::Discard(id, reason));
                    }
                }
            }
            Input::TimerFired => {}
        }
        self.start_due(now, &mut effects);
        effects
    }

    /// When the next attempt is due, if one can be run then.
    pub fn deadline(&self) -> Option<Timestamp> {
        let has_room = self.running.len() < self.attempts_max;
        self.waiting
            .first()
            .filter(|_| has_room)
            .map(|(due, _)| *due)
    }

    fn start_due(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        while self.running.len() < self.attempts_max {
            let Some(&(due, id)) = self.waiting.first() else {
                break;
            };
            if due > now {
                break;
            }
            self.waiting.remove(&(due, id));
            self.running.insert(id);
            effects.push(Effect::Invoke(id));
        }
    }
}

enum Next {
    Done,
    Again(Standing),
    GiveUp(Reason),
}

fn next(now: Timestamp, standing: Standing, attempt: Attempt) -> Next {
    let (wait, standing) = match attempt {
        Attempt::Succeeded => return Next::Done,
        Attempt::FunctionGone => return Next::GiveUp(Reason::FunctionGone),
        Attempt::FunctionFailed => {
            let Some(wait) = RETRY_WAITS.get(standing.function_errors as usize) else {
                return Next::GiveUp(Reason::RetriesExhausted);
            };
            (
                *wait,
                Standing {
                    function_errors: standing.function_errors + 1,
                    ..standing
                },
            )
        }
        Attempt::NotRun => {
            let doublings = standing.system_errors.min(16);
            let wait = SYSTEM_WAIT_MIN
                .saturating_mul(1 << doublings)
                .min(SYSTEM_WAIT_MAX);
            (
                wait,
                Standing {
                    system_errors: standing.system_errors + 1,
                    ..standing
                },
            )
        }
    };
    let not_before = now.plus(wait);
    if not_before > standing.queued_at.plus(QUEUED_AGE_MAX) {
        return Next::GiveUp(Reason::EventAgeExceeded);
    }
    Next::Again(Standing {
        not_before,
        ..standing
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// Tells a story: `queued 1`, `ended 1 failed`, `advance 60s`; answers with the effects.
    fn teller() -> impl FnMut(&str) -> String {
        let mut now = Timestamp::EPOCH;
        let mut delivery = Delivery::new(2);
        move |directive| {
            let words: Vec<&str> = directive.split_whitespace().collect();
            let id = || words[1].parse().expect("an id");
            let input = match words[0] {
                "queued" => {
                    let standing = Standing {
                        queued_at: now,
                        not_before: now,
                        function_errors: 0,
                        system_errors: 0,
                    };
                    Input::Queued(id(), standing)
                }
                "restored" => {
                    let number = |index: usize| words[index].parse::<u32>().expect("a number");
                    let standing = Standing {
                        queued_at: Timestamp::EPOCH,
                        not_before: Timestamp::from_secs(number(2).into()),
                        function_errors: number(3),
                        system_errors: number(4),
                    };
                    Input::Queued(id(), standing)
                }
                "ended" => Input::Ended(id(), attempt(words[2])),
                "advance" => {
                    let seconds = words[1].trim_end_matches('s').parse().expect("seconds");
                    now = now.plus(Duration::from_secs(seconds));
                    Input::TimerFired
                }
                other => panic!("unknown directive {other}"),
            };
            told(&delivery.step(now, input), delivery.deadline())
        }
    }

    fn attempt(word: &str) -> Attempt {
        match word {
            "succeeded" => Attempt::Succeeded,
            "failed" => Attempt::FunctionFailed,
            "not-run" => Attempt::NotRun,
            "gone" => Attempt::FunctionGone,
            other => panic!("unknown end {other}"),
        }
    }

    fn told(effects: &[Effect], deadline: Option<Timestamp>) -> String {
        let mut lines: Vec<String> = effects
            .iter()
            .map(|effect| match effect {
                Effect::Invoke(id) => format!("invoke {id}"),
                Effect::Postpone(id, standing) => format!(
                    "postpone {id} until={}s function-errors={} system-errors={}",
                    standing.not_before.as_secs(),
                    standing.function_errors,
                    standing.system_errors
                ),
                Effect::Finish(id) => format!("finish {id}"),
                Effect::Discard(id, reason) => format!("discard {id} {reason:?}"),
            })
            .collect();
        match deadline {
            Some(at) => lines.push(format!("wake at {}s", at.as_secs())),
            None => lines.push("wait".to_owned()),
        }
        lines.join("\n")
    }

    #[test]
    fn queued_invocations_fare_as_the_scripts_tell() {
        let scripts = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripts/delivery");
        tidemill_testkit::script::run_all(scripts, teller);
    }
}
