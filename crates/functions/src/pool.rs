//! Which environment runs which invocation: [`Pool`], a pure machine.
//!
//! An *environment* is one running copy of a function; an *invocation* is one call of it. What must
//! hold: an environment runs one invocation at a time; it runs only invocations of its own function
//! and revision; never more environments than the ceiling exist, so an invocation beyond it is
//! throttled and waits nowhere. The environment used last is reused first, so that the others can grow
//! old and go.
//!
//! A process that crashed or was killed is no matter of the pool: the environment stays, and starts a
//! new process for its next invocation.

use std::collections::BTreeMap;
use std::time::Duration;

use tidemill_model::{FunctionArn, Timestamp};

/// Number of an environment, never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EnvironmentId(pub u64);

/// The number of a function's revision; a later one is greater.
pub type Revision = u64;

/// What has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Somebody wants to run `revision` of `function`.
    Invoked {
        /// The function, unqualified.
        function: FunctionArn,
        /// The revision that serves now.
        revision: Revision,
    },
    /// The environment has finished its invocation, one way or another.
    Finished(EnvironmentId),
    /// The environment has ended by itself.
    Lost(EnvironmentId),
    /// From now on a later revision of the function serves.
    Updated {
        /// The function, unqualified.
        function: FunctionArn,
        /// The revision that serves now.
        revision: Revision,
    },
    /// The function is gone.
    Deleted(FunctionArn),
    /// The deadline has come.
    TimerFired,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Make the environment; the invocation runs in it.
    Create(EnvironmentId),
    /// The invocation runs in this environment, which exists.
    Reuse(EnvironmentId),
    /// The invocation cannot run now: the ceiling is reached.
    Throttle,
    /// End the environment and remove what it left.
    Retire(EnvironmentId),
}

/// What an environment is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Situation {
    Busy,
    /// Busy, and to be ended when it has finished.
    Doomed,
    /// Idle since, and the how-manieth to become idle.
    Idle {
        since: Timestamp,
        turn: u64,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Environment {
    function: FunctionArn,
    revision: Revision,
    situation: Situation,
}

/// The bounds of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Most environments at a time.
    pub environments_max: usize,
    /// How long an environment may be idle.
    pub idle_max: Duration,
}

/// The machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    bounds: Bounds,
    environments: BTreeMap<EnvironmentId, Environment>,
    next_id: u64,
    next_turn: u64,
}

impl Pool {
    /// An empty pool.
    pub fn new(bounds: Bounds) -> Pool {
        Pool {
            bounds,
            environments: BTreeMap::new(),
            next_id: 1,
            next_turn: 0,
        }
    }

    /// Takes what has happened; gives what is to be done.
    pub fn step(&mut self, now: Timestamp, input: Input) -> Vec<Effect> {
        match input {
            Input::Invoked { function, revision } => {
                let mut effects = self.retire_older(&function, revision);
                match self.most_recent(&function, revision) {
                    Some(id) => {
                        self.environment(id).situation = Situation::Busy;
                        effects.push(Effect::Reuse(id));
                    }
                    None => self.create(function, revision, &mut effects),
                }
                effects
            }
            Input::Finished(id) => match self.environment(id).situation {
                Situation::Busy => {
                    let turn = self.next_turn;
                    self.next_turn += 1;
                    self.environment(id).situation = Situation::Idle { since: now, turn };
                    Vec::new()
                }
                Situation::Doomed => {
                    self.environments.remove(&id);
                    vec![Effect::Retire(id)]
                }
                Situation::Idle { .. } => unreachable!("{id:?} finished and was idle: {self:?}"),
            },
            Input::Lost(id) => {
                self.environments.remove(&id);
                vec![Effect::Retire(id)]
            }
            Input::Updated { function, revision } => self.retire_older(&function, revision),
            Input::Deleted(function) => self.retire_older(&function, Revision::MAX),
            Input::TimerFired => {
                let idle_max = self.bounds.idle_max;
                self.retire(|environment| match environment.situation {
                    Situation::Idle { since, .. } => since.plus(idle_max) <= now,
                    Situation::Busy | Situation::Doomed => false,
                })
            }
        }
    }

    /// When the next idle environment is to be ended.
    pub fn deadline(&self) -> Option<Timestamp> {
        let idle =
            self.environments
                .values()
                .filter_map(|environment| match environment.situation {
                    Situation::Idle { since, .. } => Some(since.plus(self.bounds.idle_max)),
                    Situation::Busy | Situation::Doomed => None,
                });
        idle.min()
    }

    /// How many environments exist, and how many of them run an invocation.
    pub fn count(&self) -> (usize, usize) {
        let idle = self
            .environments
            .values()
            .filter(|environment| turn(environment).is_some());
        (
            self.environments.len(),
            self.environments.len() - idle.count(),
        )
    }

    fn environment(&mut self, id: EnvironmentId) -> &mut Environment {
        self.environments
            .get_mut(&id)
            .expect("an environment is removed only by its own retirement")
    }

    fn most_recent(&self, function: &FunctionArn, revision: Revision) -> Option<EnvironmentId> {
        let fitting = self.environments.iter().filter(|(_, environment)| {
            environment.revision == revision && environment.function == *function
        });
        let idle = fitting.filter_map(|(id, environment)| Some((turn(environment)?, *id)));
        idle.max().map(|(_, id)| id)
    }

    fn create(&mut self, function: FunctionArn, revision: Revision, effects: &mut Vec<Effect>) {
        if self.environments.len() >= self.bounds.environments_max {
            // An idle environment of another function makes room; a busy one does not.
            let idle = self.environments.iter();
            let oldest = idle
                .filter_map(|(id, environment)| Some((turn(environment)?, *id)))
                .min();
            let Some((_, oldest)) = oldest else {
                effects.push(Effect::Throttle);
                return;
            };
            self.environments.remove(&oldest);
            effects.push(Effect::Retire(oldest));
        }
        let id = EnvironmentId(self.next_id);
        self.next_id += 1;
        self.environments.insert(
            id,
            Environment {
                function,
                revision,
                situation: Situation::Busy,
            },
        );
        effects.push(Effect::Create(id));
    }

    /// Ends the idle environments of revisions before `revision`, and dooms the busy ones.
    fn retire_older(&mut self, function: &FunctionArn, revision: Revision) -> Vec<Effect> {
        let older = |environment: &Environment| {
            environment.revision < revision && environment.function == *function
        };
        for environment in self.environments.values_mut() {
            if environment.situation == Situation::Busy && older(environment) {
                environment.situation = Situation::Doomed;
            }
        }
        self.retire(|environment| turn(environment).is_some() && older(environment))
    }

    fn retire(&mut self, which: impl Fn(&Environment) -> bool) -> Vec<Effect> {
        let going: Vec<EnvironmentId> = self
            .environments
            .iter()
            .filter(|(_, environment)| which(environment))
            .map(|(id, _)| *id)
            .collect();
        for id in &going {
            self.environments.remove(id);
        }
        going.into_iter().map(Effect::Retire).collect()
    }
}

/// The turn of an idle environment.
fn turn(environment: &Environment) -> Option<u64> {
    match environment.situation {
        Situation::Idle { turn, .. } => Some(turn),
        Situation::Busy | Situation::Doomed => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tells a story: `invoked f 1`, `finished 1`, `updated f 2`, `deleted f`, `advance 600s`.
    fn teller() -> impl FnMut(&str) -> String {
        let mut now = Timestamp::EPOCH;
        let bounds = Bounds {
            environments_max: 3,
            idle_max: Duration::from_secs(600),
        };
        let mut pool = Pool::new(bounds);
        move |directive| {
            let words: Vec<&str> = directive.split_whitespace().collect();
            let number = |index: usize| words[index].parse::<u64>().expect("a number");
            let input = match words[0] {
                "invoked" => Input::Invoked {
                    function: function(words[1]),
                    revision: number(2),
                },
                "finished" => Input::Finished(EnvironmentId(number(1))),
                "lost" => Input::Lost(EnvironmentId(number(1))),
                "updated" => Input::Updated {
                    function: function(words[1]),
                    revision: number(2),
                },
                "deleted" => Input::Deleted(function(words[1])),
                "advance" => {
                    let seconds = words[1].trim_end_matches('s').parse().expect("seconds");
                    now = now.plus(Duration::from_secs(seconds));
                    Input::TimerFired
                }
                other => panic!("unknown directive {other}"),
            };
            let effects = pool.step(now, input);
            assert!(pool.count().0 <= 3, "the ceiling holds: {pool:?}");
            told(&effects, pool.deadline())
        }
    }

    fn function(name: &str) -> FunctionArn {
        let arn = format!("arn:aws:lambda:us-east-1:123456789012:function:{name}");
        arn.parse().expect("a function ARN")
    }

    fn told(effects: &[Effect], deadline: Option<Timestamp>) -> String {
        let mut lines: Vec<String> = effects
            .iter()
            .map(|effect| match effect {
                Effect::Create(id) => format!("create {}", id.0),
                Effect::Reuse(id) => format!("reuse {}", id.0),
                Effect::Throttle => "throttle".to_owned(),
                Effect::Retire(id) => format!("retire {}", id.0),
            })
            .collect();
        lines.push(match deadline {
            Some(at) => format!("wake at {}s", at.as_secs()),
            None => "wait".to_owned(),
        });
        lines.join("\n")
    }

    #[test]
    fn environments_live_as_the_scripts_tell() {
        let scripts = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripts/pool");
        tidemill_testkit::script::run_all(scripts, teller);
    }
}
