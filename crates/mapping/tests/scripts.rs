//! Stories of one machine, in `tests/scripts`.
//!
//! Reads, wake-ups, checks and checkpoints are answered at once, unless `hold` says otherwise; what
//! the function and the destination answer is for the story to say. Positions count from 1.

#![expect(
    clippy::unwrap_used,
    reason = "a directive that cannot be read ends the test"
)]

#[path = "support/world.rs"]
mod world;

use std::time::Duration;

use tidemill_ledger::Closed;
use tidemill_mapping::config::Config;
use tidemill_mapping::exchange::{Effect, Input};
use tidemill_model::given_up::GivenUp;
use tidemill_model::{Determinacy, Record};
use world::{World, config, reply};

#[test]
fn every_story_goes_as_it_is_written() {
    let scripts = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripts");
    tidemill_testkit::script::run_all(scripts, || {
        let mut story = Story {
            world: World::new(config()),
            holding: false,
        };
        move |directive: &str| story.tell(directive)
    });
}

struct Story {
    world: World,
    /// Whether checkpoints wait for `save`.
    holding: bool,
}

impl Story {
    fn tell(&mut self, directive: &str) -> String {
        let (word, rest) = directive.split_once(' ').unwrap_or((directive, ""));
        let mut lines = self.act(word, rest);
        lines.extend(self.settle());
        if lines.is_empty() {
            "ok".to_owned()
        } else {
            lines.join("\n")
        }
    }

    fn act(&mut self, word: &str, rest: &str) -> Vec<String> {
        let asked = &self.world.asked;
        let (has_invocation, has_delivery) = (asked.invoke.is_some(), asked.deliver.is_some());
        let has_checkpoint = asked.checkpoint.is_some();
        let effects = match word {
            "wait" => return self.wait(rest),
            "ledger" => return vec![self.ledger()],
            "mapping" | "put" | "put-large" | "expire-before" | "close" | "hold" => {
                self.arrange(word, rest);
                Vec::new()
            }
            "reconfigure" => self.world.restart_with(configured(rest)),
            "restart" => self.world.restart(),
            "stop" => self.world.step(Input::StopAsked),
            "retry" => match self.world.machine.deadline() {
                Some(deadline) => {
                    self.world.now = deadline;
                    self.world.step(Input::TimerFired)
                }
                None => return vec!["nothing is waited for".to_owned()],
            },
            "save" if has_checkpoint => self.world.saved(),
            "unsaved" if has_checkpoint => self.world.unsaved(),
            "delivered" if has_delivery => self.world.delivered(),
            "undelivered" if has_delivery => self.undelivered(determinacy(rest)),
            word if has_invocation => self.function_answers(word, rest),
            word => panic!("{word} answers nothing that is on its way"),
        };
        effects.iter().filter_map(line).collect()
    }

    /// What the machine does not see at once.
    fn arrange(&mut self, word: &str, rest: &str) {
        let world = &mut self.world;
        match word {
            "mapping" => *world = World::new(configured(rest)),
            "put" => rest.split(' ').for_each(|_| world.put(1)),
            "put-large" => world.put(rest.parse().unwrap()),
            "expire-before" => world.readable = rest.parse().unwrap(),
            "close" => world.closed = true,
            "hold" => self.holding = true,
            other => panic!("no such directive: {other}"),
        }
    }

    fn function_answers(&mut self, word: &str, rest: &str) -> Vec<Effect> {
        let world = &mut self.world;
        match word {
            "succeeded" => world.succeeded(),
            "failed" => world.failed(rest),
            "reported" => world.reported(rest.parse().unwrap()),
            "answered" => {
                let records = world.asked.invoke.clone().unwrap();
                let payload = with_numbers(rest, &records.iter().map(|r| &**r).collect::<Vec<_>>());
                world.answered(
                    usize::MAX,
                    Input::InvocationSucceeded(reply(None, &payload)),
                )
            }
            "throttled" => world.answered(0, Input::InvocationThrottled),
            "unavailable" => {
                let determinacy = determinacy(rest);
                let detail = "the service failed".to_owned();
                world.answered(
                    0,
                    Input::InvocationUnavailable {
                        determinacy,
                        detail,
                    },
                )
            }
            other => panic!("no such directive: {other}"),
        }
    }

    fn undelivered(&mut self, determinacy: Determinacy) -> Vec<Effect> {
        match determinacy {
            Determinacy::Indeterminate => self.world.receive_message(),
            Determinacy::Determinate => self.world.asked.deliver = None,
        }
        self.world.step(Input::DeliveryFailed { determinacy })
    }

    /// Lets time pass; what falls due on the way happens on the way.
    fn wait(&mut self, rest: &str) -> Vec<String> {
        let millis = match rest.strip_suffix("ms") {
            Some(millis) => millis.parse::<u64>().unwrap(),
            None => rest.strip_suffix('s').unwrap().parse::<u64>().unwrap() * 1000,
        };
        let until = self.world.now.plus(Duration::from_millis(millis));
        let mut lines = Vec::new();
        while let Some(deadline) = self.world.machine.deadline().filter(|at| *at <= until) {
            self.world.now = self.world.now.max(deadline);
            let effects = self.world.step(Input::TimerFired);
            lines.extend(effects.iter().filter_map(line));
            lines.extend(self.settle());
        }
        self.world.now = until;
        lines
    }

    fn settle(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let world = &mut self.world;
            let effects = if world.ended {
                break;
            } else if world.asked.fetch.is_some() {
                world.fetched()
            } else if world.has_news() {
                world.woken()
            } else if world.asked.check.is_some() {
                world.checked()
            } else if world.asked.checkpoint.is_some() && !self.holding {
                world.saved()
            } else {
                break;
            };
            lines.extend(effects.iter().filter_map(line));
        }
        lines
    }

    fn ledger(&self) -> String {
        let counts = self.world.counts();
        let blocked = self.world.machine.status().blocked;
        let blocked = blocked.map_or(String::new(), |blocked| {
            let since = self.world.now.since(blocked.since).as_millis();
            format!(
                "\nblocked since {since} ms ago by {} records after {} failures: {}",
                blocked.records, blocked.attempts, blocked.last_error
            )
        });
        let unsaved = self.world.machine.status().unsaved_duplicates;
        format!(
            "acked={} processed={} dead_lettered={} discarded={} expired={} pending={} \
             duplicates={}+{unsaved} unaccounted={}{blocked}",
            counts.acked,
            counts.processed,
            counts.dead_lettered,
            counts.discarded,
            counts.expired,
            counts.pending,
            counts.duplicates,
            counts.unaccounted()
        )
    }
}

/// Of what failed: whether it surely did not happen, or may have.
fn determinacy(text: &str) -> Determinacy {
    match text {
        "maybe" => Determinacy::Indeterminate,
        "" => Determinacy::Determinate,
        other => panic!("maybe, or nothing: {other}"),
    }
}

/// `batch=4 window=2s retries=1 bisect=on report=on age=60s on-failure=queue pace=aws`
fn configured(text: &str) -> Config {
    let mut config = config();
    for (key, value) in text.split(' ').filter_map(|word| word.split_once('=')) {
        let secs = || Duration::from_secs(value.strip_suffix('s').unwrap().parse().unwrap());
        match key {
            "batch" => config.batch_size = value.parse().unwrap(),
            "window" => config.batching_window = secs(),
            "retries" => config.policy.retries_max = Some(value.parse().unwrap()),
            "bisect" => config.policy.bisect = value == "on",
            "report" => config.report_item_failures = value == "on",
            "age" => config.record_age_max = Some(secs()),
            "on-failure" => config.destination = Some(value.to_owned()),
            "poll" => config.poll_interval = Some(secs()),
            other => panic!("no such setting: {other}"),
        }
    }
    config
}

/// `{1}` stands for the sequence number of the first record of the batch, and so on.
fn with_numbers(text: &str, records: &[&Record]) -> String {
    records
        .iter()
        .enumerate()
        .fold(text.to_owned(), |text, (index, record)| {
            text.replace(
                &format!("{{{}}}", index + 1),
                &record.sequence_number.to_string(),
            )
        })
}

fn line(effect: &Effect) -> Option<String> {
    match effect {
        Effect::Fetch { .. } | Effect::Listen { .. } | Effect::CheckReadable { .. } => None,
        Effect::Invoke {
            attempt, records, ..
        } => {
            let positions = records.iter().map(|record| record.position);
            Some(format!("invoke attempt={attempt} {}", list(positions)))
        }
        Effect::Deliver { message, .. } => Some(format!("deliver {}", told(message))),
        Effect::Checkpoint(checkpoint) => {
            let closed = checkpoint
                .closed
                .iter()
                .map(|Closed { from, to, outcome }| format!("{} {outcome:?}", list(*from..*to)));
            let blocked = checkpoint.blocked.iter().map(|blocked| {
                let from = blocked.first.position_at();
                format!("blocked by {}", list(from..from + blocked.records))
            });
            let giving_up = checkpoint.giving_up.iter();
            let giving_up = giving_up.map(|it| format!("giving up {}", list(it.from..it.to)));
            let parts: Vec<String> = closed.chain(blocked).chain(giving_up).collect();
            Some(format!("checkpoint {}", parts.join(", ")))
        }
        Effect::ShardFinished => Some("shard finished".to_owned()),
        Effect::Stopped => Some("stopped".to_owned()),
    }
}

fn told(message: &GivenUp) -> String {
    let range = list(message.first.position_at()..message.last.position_at() + 1);
    let answer = message
        .last_answer
        .as_ref()
        .map_or("none".to_owned(), |answer| {
            format!(
                "{} {}",
                answer.status_code,
                answer.function_error.as_deref().unwrap_or("null")
            )
        });
    let id = &message.message_id[..8];
    let (condition, count) = (message.condition.as_str(), message.approximate_invoke_count);
    format!("{range} {condition} count={count} answer={answer} id={id}")
}

fn list(positions: impl Iterator<Item = u64>) -> String {
    let positions: Vec<String> = positions.map(|position| position.to_string()).collect();
    match positions.len() {
        0..=8 => format!("[{}]", positions.join(" ")),
        count => format!("[{}..={}]", positions[0], positions[count - 1]),
    }
}
