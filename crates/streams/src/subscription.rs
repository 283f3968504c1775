//! One subscription to a shard, from its beginning to its end: [`Subscription`].
//!
//! Pure. A subscription reads pages of its shard and sends each as one event; at the end of what there
//! is it waits for more, and says every few seconds that there is none. What must hold: no record is
//! left out or sent twice; the number to go on from never goes back; an event with children is the
//! last, and only a closed shard's last event has them; it ends when its time is over, when a newer one
//! takes its place, when what it reads is gone, and when its client takes nothing any more: it then
//! holds one page and no other subscription waits for it.
//!
//! Each step gives the one thing to do next, in place of what was under way; none means to go on with
//! that.

use std::time::Duration;

use tidemill_log::{Entry, Position};
use tidemill_model::Timestamp;

use crate::limits::{
    Limits, SUBSCRIPTION_BYTES_PER_SECOND, SUBSCRIPTION_SILENCE_MAX, SUBSCRIPTION_TIME,
    SUBSCRIPTION_UNTAKEN_MAX,
};

/// What was read of the shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The entries, dense.
    pub entries: Vec<Entry>,
    /// Where reading goes on.
    pub next: Position,
    /// One past the last position that can be read now.
    pub end: Position,
    /// Whether nothing will ever stand at the end.
    pub is_closed: bool,
}

/// What has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// What was asked for was read.
    PageRead(Page),
    /// The connection took the event, or has room for it.
    EventTaken,
    /// There is something to read, or the shard was closed.
    NewsArrived,
    /// The deadline has come.
    TimerFired,
    /// It cannot go on.
    Stopped(Ending),
}

/// Why a subscription ends before its time. The client is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// A newer subscription of the same consumer to the same shard.
    TakenOver,
    /// The consumer was deregistered, the stream deleted, or the shard forgotten.
    Gone,
    /// Our storage failed.
    Failed,
}

/// What the subscription sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The records' entries; none when there is nothing new.
    pub entries: Vec<Entry>,
    /// What to go on from: the position, and a time that never goes back. None at the shard's end.
    pub continuation: Option<(Position, Timestamp)>,
    /// Age of the last record sent when there are more; 0 when there are none.
    pub millis_behind: u64,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Read from this position on.
    Read(Position),
    /// Wait until there is something at or behind this position, or the shard is closed.
    Wait(Position),
    /// Wait for the deadline.
    Pause,
    /// Hand the event to the connection.
    Send(Event),
    /// End the answer; an exception says why when it is before its time.
    End(Option<Ending>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// A page is being read.
    Reading,
    /// An event waits for the connection since then.
    Sending {
        since: Timestamp,
        is_last: bool,
    },
    /// Everything has been sent.
    CaughtUp,
    /// More could be sent than the throughput allows.
    Paced,
    Ended,
}

/// A subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    limits: Limits,
    state: State,
    from: Position,
    ends_at: Timestamp,
    /// When something must be sent at the latest.
    silent_until: Timestamp,
    /// When what was sent has been paid for.
    paid_at: Timestamp,
    /// When the last step was.
    stepped_at: Timestamp,
    /// The latest time that a number to go on from had.
    continued_at: Timestamp,
    millis_behind: u64,
}

impl Subscription {
    /// One that begins at `now` to read at `from`; the effect is its first.
    pub fn begin(limits: Limits, from: Position, now: Timestamp) -> (Subscription, Effect) {
        let subscription = Subscription {
            limits,
            state: State::Reading,
            from,
            ends_at: now.plus(SUBSCRIPTION_TIME),
            // The first event is due at once: it tells the client where it stands.
            silent_until: now,
            paid_at: now,
            stepped_at: now,
            continued_at: now,
            millis_behind: 0,
        };
        (subscription, Effect::Read(from))
    }

    /// When to send [`Input::TimerFired`].
    pub fn deadline(&self) -> Option<Timestamp> {
        match &self.state {
            State::Reading | State::Ended => None,
            State::Sending { since, .. } => Some(since.plus(SUBSCRIPTION_UNTAKEN_MAX)),
            State::CaughtUp => Some(self.ends_at.min(self.silent_until)),
            State::Paced => Some(self.ends_at.min(self.silent_until).min(self.paid_at)),
        }
    }

    /// What follows from `input`.
    pub fn step(&mut self, now: Timestamp, input: Input) -> Option<Effect> {
        self.follow(now);
        match (&self.state, input) {
            (State::Ended, _) => None,
            (_, Input::Stopped(ending)) => Some(self.end(Some(ending))),
            (State::Reading, Input::PageRead(page)) => Some(self.take(page, now)),
            (State::Sending { is_last: true, .. }, Input::EventTaken) => Some(self.end(None)),
            (State::Sending { .. }, Input::EventTaken) => {
                self.silent_until = now.plus(SUBSCRIPTION_SILENCE_MAX);
                Some(self.go_on(now))
            }
            (State::Sending { since, .. }, Input::TimerFired) => {
                let untaken = now >= since.plus(SUBSCRIPTION_UNTAKEN_MAX);
                untaken.then(|| self.end(None))
            }
            (State::CaughtUp, Input::NewsArrived) => Some(self.go_on(now)),
            (State::CaughtUp | State::Paced, Input::TimerFired) => self.wake(now),
            (
                State::Reading,
                input @ (Input::EventTaken | Input::NewsArrived | Input::TimerFired),
            )
            | (State::Sending { .. }, input @ (Input::PageRead(_) | Input::NewsArrived))
            | (State::CaughtUp, input @ (Input::PageRead(_) | Input::EventTaken))
            | (
                State::Paced,
                input @ (Input::PageRead(_) | Input::EventTaken | Input::NewsArrived),
            ) => unreachable!("{input:?} in {:?}", self.state),
        }
    }

    /// A clock that steps back takes all times of the subscription with it.
    fn follow(&mut self, now: Timestamp) {
        let back = self.stepped_at.since(now);
        self.stepped_at = now;
        for time in [&mut self.ends_at, &mut self.silent_until, &mut self.paid_at] {
            *time = time.minus(back);
        }
        if let State::Sending { since, .. } = &mut self.state {
            *since = since.minus(back);
        }
    }

    fn end(&mut self, ending: Option<Ending>) -> Effect {
        self.state = State::Ended;
        Effect::End(ending)
    }

    /// Reads on, when the time is not over and the throughput allows it.
    fn go_on(&mut self, now: Timestamp) -> Effect {
        if now >= self.ends_at {
            self.end(None)
        } else if now < self.paid_at {
            self.state = State::Paced;
            Effect::Pause
        } else {
            self.state = State::Reading;
            Effect::Read(self.from)
        }
    }

    fn wake(&mut self, now: Timestamp) -> Option<Effect> {
        if now >= self.ends_at {
            Some(self.end(None))
        } else if now >= self.silent_until {
            Some(self.send(Vec::new(), false, now))
        } else if self.state == State::Paced && now >= self.paid_at {
            Some(self.go_on(now))
        } else {
            None
        }
    }

    fn take(&mut self, page: Page, now: Timestamp) -> Effect {
        if now >= self.ends_at {
            return self.end(None);
        }
        self.from = page.next;
        let is_last = page.is_closed && page.next >= page.end;
        self.millis_behind = match page.entries.last() {
            Some(last) if page.next < page.end => millis(now.since(last.at)).max(1),
            Some(_) | None => 0,
        };
        if page.entries.is_empty() && !is_last && now < self.silent_until {
            self.state = State::CaughtUp;
            return Effect::Wait(self.from);
        }
        self.pay(&page.entries, now);
        self.send(page.entries, is_last, now)
    }

    fn send(&mut self, entries: Vec<Entry>, is_last: bool, now: Timestamp) -> Effect {
        self.state = State::Sending {
            since: now,
            is_last,
        };
        self.continued_at = self.continued_at.max(now);
        Effect::Send(Event {
            entries,
            continuation: (!is_last).then_some((self.from, self.continued_at)),
            millis_behind: self.millis_behind,
        })
    }

    /// Charges what is sent. A second's worth may be sent ahead.
    fn pay(&mut self, entries: &[Entry], now: Timestamp) {
        if self.limits == Limits::None {
            return;
        }
        let bytes: usize = entries.iter().map(|entry| entry.payload.len()).sum();
        let cost = bytes as u64 * 1000 / SUBSCRIPTION_BYTES_PER_SECOND;
        let from = self.paid_at.max(now.minus(Duration::from_secs(1)));
        self.paid_at = from.plus(Duration::from_millis(cost));
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
