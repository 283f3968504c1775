//! The machine by itself.

use std::time::Duration;

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const NEWS: Input = Input::CaughtUp { is_news: true };
const NO_NEWS: Input = Input::CaughtUp { is_news: false };

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_secs(1_000 + seconds)
}

fn machine() -> Machine {
    Machine::new(Settings {
        close: 5 * SECOND,
        absorb: 20 * SECOND,
        audit: 3600 * SECOND,
        pause: SECOND,
        ..Settings::default()
    })
}

/// Opened and fed.
fn running() -> Machine {
    let mut machine = machine();
    assert_eq!(machine.step(at(0), Input::Started), [Effect::Open]);
    assert_eq!(machine.step(at(0), Input::Opened), [Effect::Feed]);
    machine
}

#[test]
fn it_closes_and_absorbs_in_its_rhythm() {
    let mut machine = running();
    for round in 1..=4 {
        let now = at(5 * round);
        assert_eq!(machine.deadline(), Some(now));
        assert_eq!(machine.step(now, Input::TimerFired), [Effect::Close]);
        let next = machine.step(now, Input::Closed);
        assert_eq!(
            next,
            if round == 4 {
                vec![Effect::Absorb]
            } else {
                vec![]
            }
        );
    }
    assert_eq!(machine.deadline(), None, "one thing at a time");
    assert_eq!(machine.step(at(27), Input::Absorbed), [Effect::Close]);
}

#[test]
fn a_failed_absorb_is_tried_again_with_longer_and_longer_pauses_while_it_is_fed() {
    let mut machine = running();
    machine.step(at(20), Input::TimerFired);
    assert_eq!(machine.step(at(20), Input::Closed), [Effect::Absorb]);
    assert_eq!(machine.step(at(20), Input::WorkFailed), []);
    assert_eq!(machine.deadline(), Some(at(21)));
    assert_eq!(machine.step(at(21), Input::FeedFailed), []);
    assert_eq!(machine.step(at(22), Input::TimerFired), [Effect::Feed]);
}

#[test]
fn records_that_only_the_master_dataset_has_are_caught_up_with_before_it_is_fed_again() {
    let mut machine = running();
    assert_eq!(machine.step(at(1), Input::FeedBehind), [Effect::CatchUp]);
    assert_eq!(machine.deadline(), None);
    assert_eq!(machine.step(at(2), Input::WorkFailed), []);
    assert_eq!(machine.deadline(), Some(at(3)));
    assert_eq!(machine.step(at(3), Input::TimerFired), [Effect::CatchUp]);
    assert_eq!(machine.step(at(4), NEWS), [Effect::Feed]);
}

#[test]
fn what_the_stream_has_freed_and_the_master_dataset_lacks_is_waited_for() {
    let mut machine = running();
    assert_eq!(machine.step(at(1), Input::FeedBehind), [Effect::CatchUp]);
    assert_eq!(machine.step(at(1), NO_NEWS), []);
    assert_eq!(machine.deadline(), Some(at(2)));
    assert_eq!(machine.step(at(2), Input::TimerFired), [Effect::CatchUp]);
    assert_eq!(machine.step(at(2), NEWS), [Effect::Feed]);
}

#[test]
fn it_audits_in_its_rhythm() {
    let mut machine = running();
    let now = at(3600);
    assert_eq!(machine.step(now, Input::TimerFired), [Effect::Close]);
    assert_eq!(machine.step(now, Input::Closed), [Effect::Absorb]);
    assert_eq!(machine.step(now, Input::Absorbed), [Effect::Audit]);
    assert_eq!(machine.step(now, Input::Audited), []);
    assert_eq!(machine.deadline(), Some(at(3605)));
}

#[test]
fn it_is_not_fed_before_it_is_open() {
    let mut machine = machine();
    machine.step(at(0), Input::Started);
    assert_eq!(machine.step(at(0), Input::WorkFailed), []);
    assert_eq!(machine.deadline(), Some(at(1)));
    assert_eq!(machine.step(at(1), Input::TimerFired), [Effect::Open]);
    assert_eq!(machine.step(at(1), Input::Opened), [Effect::Feed]);
}

#[test]
fn a_stream_that_is_gone_leaves_what_the_master_dataset_has() {
    let mut machine = running();
    let gone = Input::StreamGone { fed: false };
    assert_eq!(machine.step(at(1), gone), [Effect::CatchUp]);
    assert_eq!(machine.step(at(2), NO_NEWS), [Effect::Settle]);
    let mut machine = running();
    assert_eq!(machine.step(at(1), Input::StreamGone { fed: true }), []);
    assert_eq!(machine.deadline(), Some(at(5)), "what is there is absorbed");
}

#[test]
fn it_stops_when_what_it_does_is_done() {
    let mut machine = running();
    assert_eq!(machine.step(at(5), Input::TimerFired), [Effect::Close]);
    assert_eq!(machine.step(at(5), Input::StopAsked), []);
    assert_eq!(machine.step(at(6), Input::Closed), [Effect::Stopped]);
    assert_eq!(machine.deadline(), None);
    assert_eq!(running().step(at(1), Input::StopAsked), [Effect::Stopped]);
}
