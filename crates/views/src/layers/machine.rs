//! When the layers of one view do what: a pure machine.
//!
//! What must hold: the speed layer is fed behind the batch view, and only when that is open; what changes
//! the layers is done one thing at a time; after a failure of the batch layer the speed layer goes on,
//! for answers need no absorbing. A start is a failure of everything, so a crash needs no path of its own.

use tidemill_model::Timestamp;

use super::exchange::{Effect, Input};
use super::settings::Settings;

/// The layers of a view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    settings: Settings,
    work: Work,
    is_open: bool,
    needs_catching_up: bool,
    feeding: Feeding,
    close_at: Timestamp,
    absorb_at: Timestamp,
    audit_at: Timestamp,
    work_failures: u32,
    feed_failures: u32,
    course: Course,
}

/// What changes the layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    Idle,
    Asked(Effect),
    /// Nothing until then, after a failure.
    Resting(Timestamp),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Feeding {
    /// To begin, not before then.
    Due(Timestamp),
    On,
    /// The stream is gone.
    Over {
        is_settled: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Course {
    On,
    Stopping,
    Ended,
}

impl Machine {
    /// A machine that has not begun.
    pub fn new(settings: Settings) -> Machine {
        Machine {
            settings,
            work: Work::Idle,
            is_open: false,
            needs_catching_up: false,
            feeding: Feeding::Due(Timestamp::EPOCH),
            close_at: Timestamp::EPOCH,
            absorb_at: Timestamp::EPOCH,
            audit_at: Timestamp::EPOCH,
            work_failures: 0,
            feed_failures: 0,
            course: Course::On,
        }
    }

    /// Takes in what has happened; gives what is to be done about it.
    pub fn step(&mut self, now: Timestamp, input: Input) -> Vec<Effect> {
        match input {
            Input::Started => {
                self.close_at = now.plus(self.settings.close);
                self.absorb_at = now.plus(self.settings.absorb);
                self.audit_at = now.plus(self.settings.audit);
            }
            Input::Opened => {
                self.done(Effect::Open);
                self.is_open = true;
            }
            Input::CaughtUp { is_news } => {
                // What the stream has freed and the master dataset lacks, it will have with its next epoch.
                let is_too_early = !is_news && !matches!(self.feeding, Feeding::Over { .. });
                if is_too_early {
                    self.work_failed(now);
                } else {
                    self.done(Effect::CatchUp);
                    self.needs_catching_up = false;
                }
            }
            Input::Closed => {
                self.done(Effect::Close);
                if self.feeding == Feeding::On {
                    self.feed_failures = 0;
                }
            }
            Input::Absorbed => self.done(Effect::Absorb),
            Input::Audited => self.done(Effect::Audit),
            Input::WorkFailed => self.work_failed(now),
            Input::FeedBehind => {
                self.fed(Feeding::Due(now));
                self.needs_catching_up = true;
            }
            Input::FeedFailed => {
                self.feed_failures += 1;
                let pause = self.settings.pause_after(self.feed_failures);
                self.fed(Feeding::Due(now.plus(pause)));
            }
            Input::StreamGone { fed } => {
                self.fed(Feeding::Over { is_settled: fed });
                self.needs_catching_up |= !fed;
            }
            Input::TimerFired => {}
            Input::StopAsked => {
                if self.course == Course::On {
                    self.course = Course::Stopping;
                }
            }
        }
        let mut effects = Vec::new();
        self.go_on(now, &mut effects);
        effects
    }

    /// When to send [`Input::TimerFired`], if ever.
    pub fn deadline(&self) -> Option<Timestamp> {
        match (self.course, self.work) {
            (Course::On, Work::Asked(_)) if !self.is_open || self.needs_catching_up => None,
            (Course::On, Work::Asked(_)) => self.feed_at(),
            (Course::On, Work::Resting(until)) => {
                let feed_at = self
                    .feed_at()
                    .filter(|_| self.is_open && !self.needs_catching_up);
                [Some(until), feed_at].into_iter().flatten().min()
            }
            (Course::On, Work::Idle) => {
                let due = [self.close_at, self.absorb_at, self.audit_at];
                due.into_iter().chain(self.feed_at()).min()
            }
            (Course::Stopping | Course::Ended, _) => None,
        }
    }

    fn feed_at(&self) -> Option<Timestamp> {
        match self.feeding {
            Feeding::Due(at) => Some(at),
            Feeding::On | Feeding::Over { .. } => None,
        }
    }

    fn done(&mut self, effect: Effect) {
        assert_eq!(
            self.work,
            Work::Asked(effect),
            "an answer to what was asked"
        );
        self.work = Work::Idle;
        self.work_failures = 0;
    }

    fn fed(&mut self, next: Feeding) {
        assert_eq!(self.feeding, Feeding::On, "feeding ends once");
        self.feeding = next;
    }

    fn work_failed(&mut self, now: Timestamp) {
        assert!(
            matches!(self.work, Work::Asked(_)),
            "only what was asked can fail"
        );
        self.work_failures += 1;
        let pause = self.settings.pause_after(self.work_failures);
        self.work = Work::Resting(now.plus(pause));
    }

    fn go_on(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        let is_busy = matches!(self.work, Work::Asked(_));
        match self.course {
            Course::Ended => return,
            Course::Stopping if is_busy => return,
            Course::Stopping => {
                self.course = Course::Ended;
                effects.push(Effect::Stopped);
                return;
            }
            Course::On => {}
        }
        if matches!(self.work, Work::Resting(until) if until <= now) {
            self.work = Work::Idle;
        }
        if self.work == Work::Idle
            && let Some(effect) = self.next_work(now)
        {
            self.work = Work::Asked(effect);
            effects.push(effect);
        }
        if self.is_open && !self.needs_catching_up {
            self.feed(now, effects);
        }
    }

    fn next_work(&mut self, now: Timestamp) -> Option<Effect> {
        if !self.is_open {
            return Some(Effect::Open);
        }
        if self.needs_catching_up {
            return Some(Effect::CatchUp);
        }
        if self.close_at <= now {
            self.close_at = now.plus(self.settings.close);
            return Some(Effect::Close);
        }
        if self.absorb_at <= now {
            self.absorb_at = now.plus(self.settings.absorb);
            return Some(Effect::Absorb);
        }
        if self.audit_at <= now {
            self.audit_at = now.plus(self.settings.audit);
            return Some(Effect::Audit);
        }
        None
    }

    fn feed(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        match self.feeding {
            Feeding::Due(at) if at <= now => {
                self.feeding = Feeding::On;
                effects.push(Effect::Feed);
            }
            Feeding::Over { is_settled: false } => {
                self.feeding = Feeding::Over { is_settled: true };
                effects.push(Effect::Settle);
            }
            Feeding::Due(_) | Feeding::On | Feeding::Over { is_settled: true } => {}
        }
    }
}

#[cfg(test)]
mod tests;
