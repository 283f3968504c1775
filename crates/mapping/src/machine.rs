//! The event source mapping on one shard, as a pure machine.
//!
//! What must hold: records reach the function in order; one invocation is on its way at most; a
//! position is closed exactly once, after the function took it, the destination was told of it, or it
//! was discarded or expired; and a machine that is begun from the last checkpoint goes on where this
//! one would have, delivering again what it had not closed.
//!
//! It has three parts: reading (`reading`, `ahead`), work (here) and saving (`saving`). Work goes on
//! while a checkpoint is on its way, one batch far.

use std::time::Duration;

use tidemill_ledger::Outcome;
use tidemill_model::entropy::uuid_from;
use tidemill_model::given_up::{Condition, LastAnswer};
use tidemill_model::source::Fetched;
use tidemill_model::{Determinacy, Timestamp};

use crate::ahead::Ahead;
use crate::bisect;
use crate::chance::Chance;
use crate::checkpoint::GivingUp;
use crate::config::{Config, Place};
use crate::event::Envelope;
use crate::exchange::{Effect, Input, Reply};
use crate::failure_text;
use crate::give_up;
use crate::limits::{DELIVERY_ATTEMPTS_MAX, EVENT_BYTES_MAX};
use crate::partial_failure::{self, Report};
use crate::piece::Piece;
use crate::reading::{Ask, Reading};
use crate::resume::Resume;
use crate::retry::{self, Next, Ran};
use crate::saving::Saving;
use crate::status::{LastResult, Status};
use crate::work::Work;

/// The mapping on one shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    place: Place,
    config: Config,
    envelope: Envelope,
    chance: Chance,
    reading: Reading,
    read_failures: u32,
    ahead: Ahead,
    /// Everything before it has expired.
    readable: u64,
    work: Work,
    /// Pieces of the current batch that come after the one in work.
    rest: Vec<Piece>,
    saving: Saving,
    stopping: bool,
    last_result: Option<LastResult>,
}

impl Machine {
    /// A machine that goes on at `resume`. `seed` is what its jitter and request ids follow from.
    pub fn new(place: Place, config: Config, resume: Resume, seed: u64) -> Machine {
        assert!(config.batch_size > 0, "a batch has at least one record");
        let Resume {
            next,
            delivered_to,
            blocked,
            giving_up,
        } = resume;
        let read_from = giving_up.as_ref().map_or(next, |giving_up| giving_up.to);
        Machine {
            envelope: Envelope::new(&place.stream, place.shard, &place.role),
            place,
            config,
            chance: Chance::seeded(seed),
            reading: Reading::Idle,
            read_failures: 0,
            ahead: Ahead::beginning_at(read_from),
            readable: 0,
            work: match giving_up.clone() {
                Some(giving_up) => Work::Recording(giving_up),
                None => Work::Gathering { since: None },
            },
            rest: Vec::new(),
            saving: Saving::resumed(next, delivered_to, blocked, giving_up),
            stopping: false,
            last_result: None,
        }
    }

    /// Takes in what has happened; gives what is to be done about it.
    ///
    /// # Panics
    /// When `input` answers an effect that was not asked for.
    pub fn step(&mut self, now: Timestamp, input: Input) -> Vec<Effect> {
        match input {
            Input::Started | Input::TimerFired => {}
            Input::RecordsFetched(fetched) => self.fetched(now, fetched),
            Input::FetchFailed => {
                self.read_failures += 1;
                let pause = self.pause(self.read_failures);
                self.reading.failed(now.plus(pause));
            }
            Input::RecordsArrived => self.reading.woken(),
            Input::Checkpointed => self.saving.done(),
            Input::CheckpointFailed => {
                let failures = self.saving.failed();
                let pause = self.pause(failures);
                self.saving.rest(now.plus(pause));
            }
            Input::StopAsked => self.stopping = true,
            answer @ (Input::ReadabilityChecked { .. }
            | Input::ReadabilityUnknown
            | Input::InvocationSucceeded(_)
            | Input::InvocationFailed(_)
            | Input::InvocationThrottled
            | Input::InvocationUnavailable { .. }
            | Input::Delivered
            | Input::DeliveryFailed { .. }) => self.answered(now, answer),
        }
        self.go_on(now)
    }

    /// When to send [`Input::TimerFired`], if ever.
    pub fn deadline(&self) -> Option<Timestamp> {
        let work = match (&self.work, self.stopping) {
            (Work::Ended, _) => return None,
            // A machine that stops waits for what is on its way and for nothing else.
            (_, true) => None,
            (Work::Gathering { .. }, false) if self.saving.is_behind() => None,
            (work, false) => work.deadline(self.config.batching_window),
        };
        [work, self.reading.deadline(), self.saving.deadline()]
            .into_iter()
            .flatten()
            .min()
    }

    /// What can be seen of it.
    pub fn status(&self) -> Status {
        Status {
            last_result: self.last_result.clone(),
            blocked: self.saving.blocked().cloned(),
            unsaved_duplicates: self.saving.unsaved_duplicates(),
        }
    }

    fn fetched(&mut self, now: Timestamp, fetched: Fetched) {
        let Fetched {
            first_readable,
            end,
            closed,
            ..
        } = fetched;
        self.read_failures = 0;
        self.readable = self.readable.max(first_readable);
        self.ahead.take_in(fetched);
        let reached_end = self.ahead.read_to() >= end;
        self.reading
            .came_back(now, reached_end, closed, self.config.poll_interval);
    }

    /// What came of the work that was on its way.
    fn answered(&mut self, now: Timestamp, input: Input) {
        let work = std::mem::replace(&mut self.work, Work::Ended);
        self.work = match (work, input) {
            (Work::Checking(piece), Input::ReadabilityChecked { first_readable }) => {
                self.readable = self.readable.max(first_readable);
                Work::Due(piece)
            }
            (Work::Checking(piece), Input::ReadabilityUnknown) => self.wait(now, piece),
            (Work::Invoking(piece), Input::InvocationSucceeded(reply)) => {
                self.saving.note_delivery(piece.from(), piece.to());
                self.succeeded(now, piece, reply)
            }
            (Work::Invoking(piece), Input::InvocationFailed(reply)) => {
                self.saving.note_delivery(piece.from(), piece.to());
                let text = failure_text::of_function(&reply);
                self.decide(now, piece, Ran::Badly, text, Some(reply))
            }
            (Work::Invoking(piece), Input::InvocationThrottled) => self.decide(
                now,
                piece,
                Ran::NotAtAll,
                failure_text::THROTTLED.to_owned(),
                None,
            ),
            (
                Work::Invoking(piece),
                Input::InvocationUnavailable {
                    determinacy,
                    detail,
                },
            ) => {
                if determinacy == Determinacy::Indeterminate {
                    self.saving.note_delivery(piece.from(), piece.to());
                }
                self.decide(
                    now,
                    piece,
                    Ran::NotAtAll,
                    failure_text::bounded(&detail),
                    None,
                )
            }
            (Work::Delivering { giving_up, .. }, Input::Delivered) => {
                self.close(giving_up.from, giving_up.to, Outcome::DeadLettered)
            }
            (Work::Delivering { giving_up, attempt }, Input::DeliveryFailed { determinacy }) => {
                self.undelivered(now, giving_up, attempt, determinacy)
            }
            (work, input) => panic!("{input:?} answers nothing that was asked in {work:?}"),
        };
    }

    fn succeeded(&mut self, now: Timestamp, piece: Piece, reply: Reply) -> Work {
        let report = match self.config.report_item_failures {
            true => partial_failure::read(&reply.payload, &piece.records),
            false => Report::NoFailures,
        };
        let (ran, text) = match report {
            Report::NoFailures => (Ran::Well, String::new()),
            Report::FailedFrom(index) => (
                Ran::UpTo(index),
                failure_text::reported(&piece.records[index]),
            ),
            Report::Malformed => (Ran::Badly, failure_text::MALFORMED.to_owned()),
        };
        self.decide(now, piece, ran, text, Some(reply))
    }

    /// Goes on after an invocation of `piece`, whose failure, if it was one, says `text`.
    fn decide(
        &mut self,
        now: Timestamp,
        mut piece: Piece,
        ran: Ran,
        text: String,
        reply: Option<Reply>,
    ) -> Work {
        piece.attempts += u32::from(ran != Ran::NotAtAll);
        self.last_result = Some(match ran {
            Ran::Well => LastResult::Ok,
            Ran::UpTo(_) | Ran::Badly => LastResult::Failed,
            Ran::NotAtAll => LastResult::NotRun {
                reason: text.clone(),
            },
        });
        let (from, to) = (piece.from(), piece.to());
        let next = retry::decide(self.config.policy, ran, piece.records.len(), piece.attempts);
        if matches!(next, Next::Halve | Next::Again) {
            let first = piece.records[0].sequence_number;
            self.saving.note_failure(now, first, to - from, text);
        }
        match next {
            Next::Close => self.close(from, to, Outcome::Processed),
            Next::Cut(index) => {
                self.rest.extend(piece.rest_from(index));
                self.close(from, from + index as u64, Outcome::Processed)
            }
            Next::Halve => {
                let (first, second) = bisect::halves(piece);
                self.rest.push(second);
                Work::Due(first)
            }
            Next::Again => self.wait(now, piece),
            Next::GiveUp => {
                let answer = reply.map(|reply| LastAnswer {
                    status_code: reply.status_code,
                    executed_version: reply.executed_version,
                    function_error: reply.function_error,
                });
                self.give_up(now, piece, Condition::RetryAttemptsExhausted, answer)
            }
        }
    }

    fn wait(&mut self, now: Timestamp, mut piece: Piece) -> Work {
        piece.failures += 1;
        let until = now.plus(self.pause(piece.failures));
        Work::Waiting { piece, until }
    }

    fn give_up(
        &mut self,
        now: Timestamp,
        piece: Piece,
        condition: Condition,
        answer: Option<LastAnswer>,
    ) -> Work {
        if self.config.destination.is_none() {
            return self.close(piece.from(), piece.to(), Outcome::Discarded);
        }
        let giving_up = give_up::giving_up(&self.place, &piece, condition, answer, now);
        self.saving.note_giving_up(giving_up.clone());
        Work::Recording(giving_up)
    }

    /// A message that may have arrived is sent until it surely has: the copies have one id. One that
    /// surely has not is sent a few times.
    fn undelivered(
        &mut self,
        now: Timestamp,
        giving_up: GivingUp,
        attempt: u32,
        determinacy: Determinacy,
    ) -> Work {
        if determinacy == Determinacy::Determinate && attempt >= DELIVERY_ATTEMPTS_MAX {
            return self.close(giving_up.from, giving_up.to, Outcome::Discarded);
        }
        let until = now.plus(self.pause(attempt));
        Work::AwaitingRedelivery {
            giving_up,
            attempt,
            until,
        }
    }

    fn close(&mut self, from: u64, to: u64, outcome: Outcome) -> Work {
        self.saving.close(from, to, outcome);
        Work::Gathering { since: None }
    }

    fn pause(&mut self, failures: u32) -> Duration {
        self.config.backoff.pause(failures, self.chance.draw())
    }

    /// Does all that can be done without waiting.
    fn go_on(&mut self, now: Timestamp) -> Vec<Effect> {
        let mut effects = Vec::new();
        // Each turn closes, takes off or hands over records, so that the turns come to an end.
        loop {
            let work = std::mem::replace(&mut self.work, Work::Ended);
            let before = effects.len();
            let (work, moved) = self.turn(now, work, &mut effects);
            self.work = work;
            assert!(effects.len() - before <= 1, "a turn has one effect at most");
            if !moved {
                break;
            }
        }
        if self.work == Work::Ended {
            return effects;
        }
        let handed_to = match &self.work {
            Work::Invoking(piece) => piece.to(),
            _ => 0,
        };
        if let Some(checkpoint) = self.saving.next_checkpoint(now, handed_to) {
            effects.push(Effect::Checkpoint(Box::new(checkpoint)));
        }
        effects.extend(self.read_on(now));
        effects
    }

    fn read_on(&mut self, now: Timestamp) -> Option<Effect> {
        let room = self.ahead.room();
        let full = self.ahead.is_full(self.config.batch_size, &self.envelope);
        let wanted = !self.stopping && room.is_some() && !(full && self.ahead.is_ample());
        let from = self.ahead.read_to();
        match (self.reading.next_ask(now, wanted)?, room) {
            (Ask::Read, Some(limit)) => Some(Effect::Fetch { from, limit }),
            (Ask::Read, None) => unreachable!("a read is wanted only where there is room"),
            (Ask::Listen, _) => Some(Effect::Listen { from }),
        }
    }

    /// One turn of work; gives whether another may follow at once.
    fn turn(&mut self, now: Timestamp, work: Work, effects: &mut Vec<Effect>) -> (Work, bool) {
        match work {
            Work::Gathering { .. }
            | Work::Due(_)
            | Work::Waiting { .. }
            | Work::Recording(_)
            | Work::AwaitingRedelivery { .. }
                if self.stopping =>
            {
                self.stop(work, effects)
            }
            Work::Gathering { since } => self.gather(now, since, effects),
            Work::Due(piece) => self.attempt(now, piece, effects),
            Work::Waiting { piece, until } if now >= until => {
                effects.push(Effect::CheckReadable { from: piece.from() });
                (Work::Checking(piece), false)
            }
            Work::Recording(giving_up) if self.saving.is_clean() => {
                self.deliver(giving_up, 1, effects)
            }
            Work::AwaitingRedelivery {
                giving_up,
                attempt,
                until,
            } if now >= until => self.deliver(giving_up, attempt + 1, effects),
            work @ (Work::Waiting { .. }
            | Work::Invoking(_)
            | Work::Checking(_)
            | Work::Recording(_)
            | Work::Delivering { .. }
            | Work::AwaitingRedelivery { .. }
            | Work::Ended) => (work, false),
        }
    }

    /// Ends as soon as nothing is left to be saved, or cannot be.
    fn stop(&mut self, work: Work, effects: &mut Vec<Effect>) -> (Work, bool) {
        self.saving.flush();
        if self.saving.is_clean() || self.saving.is_resting() {
            effects.push(Effect::Stopped);
            return (Work::Ended, false);
        }
        (work, false)
    }

    fn gather(
        &mut self,
        now: Timestamp,
        since: Option<Timestamp>,
        effects: &mut Vec<Effect>,
    ) -> (Work, bool) {
        if let Some(piece) = self.rest.pop() {
            return (Work::Due(piece), true);
        }
        if self.saving.is_behind() {
            return (Work::Gathering { since }, false);
        }
        if let Some((from, to)) = self.ahead.drop_expired(self.readable) {
            return (self.close(from, to, Outcome::Expired), true);
        }
        let at_end = self.reading == Reading::AtEnd;
        if self.ahead.is_empty() {
            if at_end && self.saving.is_clean() {
                effects.push(Effect::ShardFinished);
                return (Work::Ended, false);
            }
            return (Work::Gathering { since: None }, false);
        }
        let since = since.unwrap_or(now);
        let full = self.ahead.is_full(self.config.batch_size, &self.envelope);
        if full || at_end || now >= since.plus(self.config.batching_window) {
            let piece = self
                .ahead
                .take_batch(self.config.batch_size, &self.envelope);
            return (Work::Due(piece.expect("records are waiting")), true);
        }
        (Work::Gathering { since: Some(since) }, false)
    }

    /// Takes off what has expired, gives up what is too old or too large, and hands over the rest.
    fn attempt(&mut self, now: Timestamp, piece: Piece, effects: &mut Vec<Effect>) -> (Work, bool) {
        if self.saving.is_behind() {
            return (Work::Due(piece), false);
        }
        let gone = piece.heads_below(self.readable);
        if gone > 0 {
            let from = piece.from();
            self.rest.extend(piece.split_heads(gone).1);
            return (self.close(from, from + gone as u64, Outcome::Expired), true);
        }
        let old = piece.heads_older(now, self.config.record_age_max);
        if old > 0 {
            let (heads, rest) = piece.split_heads(old);
            self.rest.extend(rest);
            let heads = heads.expect("at least one head is too old");
            return (
                self.give_up(now, heads, Condition::RecordAgeExceeded, None),
                true,
            );
        }
        if piece.records.len() == 1 && self.is_too_large(&piece) {
            return (
                self.give_up(now, piece, Condition::RetryAttemptsExhausted, None),
                true,
            );
        }
        let request_id = uuid_from(self.chance.draw_bytes());
        effects.push(Effect::Invoke {
            request_id: request_id.clone(),
            attempt: piece.attempts + 1,
            records: piece.records.clone(),
        });
        (
            Work::Invoking(Piece {
                request_id: Some(request_id),
                ..piece
            }),
            false,
        )
    }

    fn is_too_large(&self, piece: &Piece) -> bool {
        let record_bytes = self.envelope.record_bytes(&piece.records[0]);
        Envelope::document_bytes(1, record_bytes) > EVENT_BYTES_MAX
    }

    /// Tells the destination, or nobody when the mapping has lost its destination since.
    fn deliver(
        &mut self,
        giving_up: GivingUp,
        attempt: u32,
        effects: &mut Vec<Effect>,
    ) -> (Work, bool) {
        let Some(destination) = self.config.destination.clone() else {
            return (
                self.close(giving_up.from, giving_up.to, Outcome::Discarded),
                true,
            );
        };
        let message = Box::new(giving_up.message.clone());
        effects.push(Effect::Deliver {
            destination,
            message,
        });
        (Work::Delivering { giving_up, attempt }, false)
    }
}
