//! The life of a subscription, told step by step; no time passes but what a test says.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + millis)
}

fn entry(position: Position, bytes: usize, arrival: Timestamp) -> Entry {
    Entry {
        position,
        at: arrival,
        payload: Bytes::from(vec![0; bytes]),
    }
}

fn page(entries: Vec<Entry>, next: Position, end: Position) -> Input {
    Input::PageRead(Page {
        entries,
        next,
        end,
        is_closed: false,
    })
}

fn nothing(next: Position) -> Input {
    page(Vec::new(), next, next)
}

fn sent(effect: Option<Effect>) -> Event {
    match effect {
        Some(Effect::Send(event)) => event,
        other => panic!("nothing is sent: {other:?}"),
    }
}

/// One that has told its client where it stands and waits for news.
fn caught_up(from: Position) -> Subscription {
    let (mut subscription, effect) = Subscription::begin(Limits::Aws, from, at(0));
    assert_eq!(effect, Effect::Read(from));
    let first = sent(subscription.step(at(0), nothing(from)));
    assert_eq!((first.entries.len(), first.millis_behind), (0, 0));
    assert_eq!(first.continuation, Some((from, at(0))));
    assert_eq!(
        subscription.step(at(0), Input::EventTaken),
        Some(Effect::Read(from))
    );
    assert_eq!(
        subscription.step(at(0), nothing(from)),
        Some(Effect::Wait(from))
    );
    subscription
}

#[test]
fn a_record_is_sent_as_soon_as_it_is_there() {
    let mut subscription = caught_up(7);
    assert_eq!(
        subscription.step(at(20), Input::NewsArrived),
        Some(Effect::Read(7))
    );
    let event = sent(subscription.step(at(20), page(vec![entry(7, 10, at(19))], 8, 8)));
    assert_eq!(event.entries[0].position, 7);
    assert_eq!(
        (event.continuation, event.millis_behind),
        (Some((8, at(20))), 0)
    );
    assert_eq!(
        subscription.step(at(21), Input::EventTaken),
        Some(Effect::Read(8))
    );
}

#[test]
fn silence_is_broken_every_five_seconds_and_the_number_moves_on() {
    let mut subscription = caught_up(3);
    let mut before = at(0);
    for turn in 1..=3 {
        let now = at(turn * 5000);
        assert_eq!(subscription.deadline(), Some(now));
        let event = sent(subscription.step(now, Input::TimerFired));
        assert_eq!((event.entries.len(), event.millis_behind), (0, 0));
        let (position, time) = event.continuation.unwrap();
        assert!(position == 3 && time > before);
        before = time;
        subscription.step(now, Input::EventTaken);
        subscription.step(now, nothing(3));
    }
}

#[test]
fn the_number_does_not_go_back_with_the_clock() {
    let mut subscription = caught_up(3);
    subscription.step(at(9000), Input::NewsArrived);
    let event = sent(subscription.step(at(9000), page(vec![entry(3, 1, at(9000))], 4, 4)));
    assert_eq!(event.continuation, Some((4, at(9000))));
    subscription.step(at(1000), Input::EventTaken);
    let event = sent(subscription.step(at(1000), page(vec![entry(4, 1, at(9000))], 5, 5)));
    assert_eq!(event.continuation, Some((5, at(9000))));
    subscription.step(at(1000), Input::EventTaken);
    subscription.step(at(1000), nothing(5));
    assert_eq!(
        subscription.deadline(),
        Some(at(6000)),
        "its times go back with it"
    );
}

#[test]
fn after_five_minutes_it_ends_cleanly() {
    let mut idle = caught_up(0);
    assert_eq!(
        idle.step(at(300_000), Input::TimerFired),
        Some(Effect::End(None))
    );
    assert_eq!(idle.deadline(), None);

    let mut reading = caught_up(0);
    reading.step(at(299_999), Input::NewsArrived);
    let late = reading.step(at(300_000), page(vec![entry(0, 1, at(0))], 1, 1));
    assert_eq!(late, Some(Effect::End(None)));

    let mut sending = caught_up(0);
    sending.step(at(299_999), Input::NewsArrived);
    sent(sending.step(at(299_999), page(vec![entry(0, 1, at(0))], 1, 1)));
    assert_eq!(
        sending.step(at(300_001), Input::EventTaken),
        Some(Effect::End(None))
    );
}

#[test]
fn a_closed_shard_ends_with_its_children_and_without_a_number() {
    let last = |entries: Vec<Entry>, next| {
        Input::PageRead(Page {
            entries,
            next,
            end: 2,
            is_closed: true,
        })
    };
    let (mut subscription, _) = Subscription::begin(Limits::Aws, 0, at(0));
    let first = sent(subscription.step(at(0), last(vec![entry(0, 1, at(0))], 1)));
    assert!(first.continuation.is_some(), "there is more of it");
    assert_eq!(first.millis_behind, 1);
    assert_eq!(
        subscription.step(at(0), Input::EventTaken),
        Some(Effect::Read(1))
    );
    let second = sent(subscription.step(at(0), last(vec![entry(1, 1, at(0))], 2)));
    assert_eq!((second.entries.len(), second.continuation), (1, None));
    assert_eq!(
        subscription.step(at(0), Input::EventTaken),
        Some(Effect::End(None))
    );

    let mut waiting = caught_up(2);
    waiting.step(at(50), Input::NewsArrived);
    let empty = sent(waiting.step(at(50), last(Vec::new(), 2)));
    assert_eq!((empty.entries.len(), empty.continuation), (0, None));
    assert_eq!(
        waiting.step(at(51), Input::EventTaken),
        Some(Effect::End(None))
    );
}

#[test]
fn a_backlog_is_paced_to_two_megabytes_a_second_and_says_how_old_it_is() {
    const MIB: usize = 1024 * 1024;
    let (mut subscription, _) = Subscription::begin(Limits::Aws, 0, at(10_000));
    let mut now = at(10_000);
    let mut bytes = 0;
    for position in 0..40 {
        let event = sent(subscription.step(
            now,
            page(vec![entry(position, MIB, at(0))], position + 1, 100),
        ));
        assert_eq!(event.millis_behind, now.as_millis() - at(0).as_millis());
        bytes += event.entries[0].payload.len();
        let mut effect = subscription.step(now, Input::EventTaken);
        while effect != Some(Effect::Read(position + 1)) {
            now = subscription.deadline().unwrap();
            effect = match subscription.step(now, Input::TimerFired) {
                Some(Effect::Send(event)) => {
                    assert!(event.entries.is_empty() && event.millis_behind > 0);
                    subscription.step(now, Input::EventTaken)
                }
                other => other,
            };
        }
    }
    let seconds = (now.as_millis() - at(10_000).as_millis()) as f64 / 1000.0;
    let rate = bytes as f64 / MIB as f64 / seconds;
    assert!((1.9..2.2).contains(&rate), "{rate} MiB/s");
}

#[test]
fn without_limits_nothing_is_paced() {
    let (mut subscription, _) = Subscription::begin(Limits::None, 0, at(0));
    for position in 0..40 {
        sent(subscription.step(
            at(0),
            page(vec![entry(position, 10_000_000, at(0))], position + 1, 100),
        ));
        let next = subscription.step(at(0), Input::EventTaken);
        assert_eq!(next, Some(Effect::Read(position + 1)));
    }
}

#[test]
fn a_client_that_takes_nothing_is_let_go() {
    let (mut subscription, _) = Subscription::begin(Limits::Aws, 0, at(0));
    sent(subscription.step(at(0), page(vec![entry(0, 1, at(0))], 1, 1)));
    assert_eq!(
        subscription.deadline(),
        Some(at(0).plus(SUBSCRIPTION_UNTAKEN_MAX))
    );
    assert_eq!(subscription.step(at(1), Input::TimerFired), None, "not yet");
    let late = at(0).plus(SUBSCRIPTION_UNTAKEN_MAX);
    assert_eq!(
        subscription.step(late, Input::TimerFired),
        Some(Effect::End(None))
    );
}

#[test]
fn whatever_it_is_doing_it_can_be_stopped_and_then_does_nothing() {
    let reading = Subscription::begin(Limits::Aws, 0, at(0)).0;
    let mut sending = reading.clone();
    sent(sending.step(at(0), page(vec![entry(0, 4 << 20, at(0))], 1, 2)));
    let mut paced = sending.clone();
    assert_eq!(paced.step(at(0), Input::EventTaken), Some(Effect::Pause));
    for mut subscription in [reading, sending, paced, caught_up(0)] {
        for ending in [Ending::TakenOver, Ending::Gone, Ending::Failed] {
            let mut stopped = subscription.clone();
            let effect = stopped.step(at(1), Input::Stopped(ending));
            assert_eq!(effect, Some(Effect::End(Some(ending))));
            assert_eq!(
                (stopped.step(at(2), Input::TimerFired), stopped.deadline()),
                (None, None)
            );
        }
        subscription.step(at(1), Input::Stopped(Ending::Gone));
        assert_eq!(subscription.step(at(2), Input::EventTaken), None);
    }
}

proptest! {
    /// Whatever arrives when, and however slowly the client takes it: every record once, in order.
    #[test]
    fn every_record_is_sent_once_and_in_order(
        puts in proptest::collection::vec((0u64..3000, 1usize..3_000_000), 1..40),
        taking in proptest::collection::vec(0u64..2000, 1..10),
    ) {
        let mut arrivals = Vec::new();
        let mut time = 0;
        for (position, (pause, bytes)) in puts.iter().enumerate() {
            time += pause;
            arrivals.push(entry(position as u64, *bytes, at(time)));
        }
        let there = |now: Timestamp| arrivals.iter().filter(|entry| entry.at <= now).count() as u64;
        let closes = at(time + 1000);
        let (mut subscription, first) = Subscription::begin(Limits::Aws, 0, at(0));
        let (mut now, mut effect, mut seen, mut turn) = (at(0), Some(first), Vec::new(), 0);
        let ending = loop {
            let input = match effect.take() {
                Some(Effect::Read(from)) => {
                    let end = there(now);
                    let entries: Vec<Entry> = arrivals[from as usize..end as usize].iter().take(3).cloned().collect();
                    let next = from + entries.len() as u64;
                    Input::PageRead(Page { entries, next, end, is_closed: now >= closes })
                }
                Some(Effect::Send(event)) => {
                    seen.extend(event.entries.iter().map(|entry| entry.position));
                    now = now.plus(Duration::from_millis(taking[turn % taking.len()]));
                    turn += 1;
                    Input::EventTaken
                }
                Some(Effect::Wait(from)) => {
                    let deadline = subscription.deadline().unwrap();
                    let news = arrivals.get(from as usize).map_or(closes, |entry| entry.at).max(now);
                    now = news.min(deadline).max(now);
                    if news <= deadline { Input::NewsArrived } else { Input::TimerFired }
                }
                Some(Effect::Pause) | None => {
                    now = subscription.deadline().unwrap().max(now);
                    Input::TimerFired
                }
                Some(Effect::End(ending)) => break ending,
            };
            effect = subscription.step(now, input);
        };
        prop_assert_eq!(ending, None);
        let all: Vec<u64> = (0..arrivals.len() as u64).collect();
        if now < at(300_000) {
            prop_assert_eq!(seen, all);
        } else {
            prop_assert_eq!(&seen[..], &all[..seen.len()]);
        }
        prop_assert!(now <= at(300_000 + 2000).plus(SECOND));
    }
}
