//! Stories of the archiver's machine, in `tests/scripts`.
//!
//! The stream answers by itself; what the table answers is for the story to say.

mod support;

use std::time::Duration;

use tidemill_model::{ShardId, Timestamp};
use tidemill_views::archiver::{Effect, Input, Machine, Settings};
use tidemill_views::positions::{self, Positions};

use support::source::Stream;

#[test]
fn every_story_goes_as_it_is_written() {
    let scripts = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripts");
    tidemill_testkit::script::run_all(scripts, || {
        let mut story = Story::default();
        move |directive: &str| story.tell(directive)
    });
}

struct Story {
    stream: Stream,
    machine: Machine,
    now: Timestamp,
}

impl Default for Story {
    fn default() -> Story {
        Story {
            stream: Stream::default(),
            machine: Machine::new(settings()),
            now: Timestamp::from_secs(1_000),
        }
    }
}

/// Epochs of ten records and more or of ten seconds; reads of at most four records.
fn settings() -> Settings {
    Settings {
        epoch_bytes: 1_800,
        epoch_age: Duration::from_secs(10),
        fetch_bytes: 400,
        fetch_records: 4,
        pause: Duration::from_secs(1),
        pause_max: Duration::from_secs(8),
        ..Settings::default()
    }
}

impl Story {
    fn tell(&mut self, directive: &str) -> String {
        let (word, rest) = directive.split_once(' ').unwrap_or((directive, ""));
        let mut lines = match word {
            "wait" => self.wait(number(rest)),
            "start" => self.step(Input::Started),
            "opened" => self.step(Input::TableOpened(ends(rest))),
            "committed" => self.step(Input::EpochCommitted),
            "tended" => self.step(Input::TableTended),
            "table-failed" => self.step(Input::TableFailed),
            "stop" => self.step(Input::StopAsked),
            word => {
                self.arrange(word, rest);
                Vec::new()
            }
        };
        while let Some(input) = self.stream.woken() {
            lines.extend(self.step(input));
        }
        if lines.is_empty() {
            "ok".to_owned()
        } else {
            lines.join("\n")
        }
    }

    fn arrange(&mut self, word: &str, rest: &str) {
        let mut numbers = rest.split_whitespace().map(number);
        let (shard, count) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        match word {
            "put" => self.stream.put(shard as u32, count),
            "put-expired" => {
                self.stream.put(shard as u32, count);
                let shard = self.stream.shard(shard as u32);
                shard.readable = shard.records.len() as u64;
            }
            "expire" => self.stream.shard(shard as u32).readable = count,
            "close" => self.stream.shard(shard as u32).closed = true,
            "remove" => self.stream.shard(shard as u32).removed = true,
            "fail-reads" => self.stream.failing_reads = shard as u32,
            "delete-stream" => self.stream.is_gone = true,
            other => panic!("no such directive: {other}"),
        }
    }

    /// Hands in `input` and every answer of the stream that follows from it; gives the other effects.
    fn step(&mut self, input: Input) -> Vec<String> {
        let mut lines = Vec::new();
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            for effect in self.machine.step(self.now, input) {
                match self.stream.answer(&effect) {
                    Some(answer) => inputs.extend(answer),
                    None => lines.push(line(&effect)),
                }
            }
        }
        lines
    }

    fn wait(&mut self, secs: u64) -> Vec<String> {
        let until = self.now.plus(Duration::from_secs(secs));
        let mut lines = Vec::new();
        while let Some(deadline) = self.machine.deadline().filter(|at| *at <= until) {
            self.now = self.now.max(deadline);
            let at = self.now.as_secs() - 1_000;
            let stepped = self.step(Input::TimerFired);
            lines.extend(stepped.into_iter().map(|line| format!("at {at}s: {line}")));
        }
        self.now = until;
        lines
    }
}

fn line(effect: &Effect) -> String {
    match effect {
        Effect::OpenTable => "open the table".to_owned(),
        Effect::TendTable => "tend the table".to_owned(),
        Effect::Release(ends) => format!("release {}", written(ends)),
        Effect::CommitEpoch(sealed) => {
            let spans = |is_gone: bool| {
                let parts = sealed
                    .iter()
                    .filter(|part| part.records.is_empty() == is_gone);
                positions::written(&positions::joined(parts.map(|part| part.span).collect()))
            };
            match (spans(false), spans(true)) {
                (held, gone) if gone.is_empty() => format!("commit {held}"),
                (held, gone) => format!("commit {held} gone {gone}"),
            }
        }
        Effect::Finished => "finished".to_owned(),
        Effect::Stopped => "stopped".to_owned(),
        other => unreachable!("{other:?} is answered by the stream"),
    }
}

fn written(ends: &Positions) -> String {
    let ends = ends.iter().map(|(shard, end)| format!("{}:{end}", shard.0));
    ends.collect::<Vec<_>>().join(",")
}

fn ends(text: &str) -> Positions {
    let ends = text.split(',').filter(|end| !end.is_empty());
    let ends = ends.map(|end| {
        let (shard, end) = end.split_once(':').expect("shard:end");
        (ShardId(number(shard) as u32), number(end))
    });
    ends.collect()
}

fn number(text: &str) -> u64 {
    let text = text.trim_end_matches('s');
    text.parse()
        .unwrap_or_else(|_| panic!("`{text}` is no number"))
}
