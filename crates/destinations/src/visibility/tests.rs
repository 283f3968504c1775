//! Who sees which message when; and, over random runs, that no message is lost or invented.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use tidemill_log::StateMachine;

use super::*;
use crate::message::Content;
use crate::queue::{Command, Outcome};

const RETENTION_SECS: u32 = 10_000;

fn send(id: &str, once: bool, delay_secs: u32) -> Command {
    let content = Content {
        body: "b".into(),
        ..Content::default()
    };
    Command::Send {
        id: id.into(),
        once,
        sender: "s".into(),
        delay_secs,
        content,
    }
}

/// A queue, who sees what of it, and the time.
struct World {
    queue: Queue,
    visibility: Visibility,
    now: Timestamp,
}

impl World {
    fn new() -> World {
        let now = Timestamp::from_secs(1_000_000);
        World {
            queue: Queue::new(RETENTION_SECS),
            visibility: Visibility::default(),
            now,
        }
    }

    fn apply(&mut self, command: Command) -> Outcome {
        self.queue.apply(self.now, 0, command)
    }

    fn advance(&mut self, seconds: u64) {
        self.now = self.now.plus(Duration::from_secs(seconds));
    }

    fn receive(&mut self, count_max: usize, hide_secs: u64) -> Vec<Received> {
        let hide_for = Duration::from_secs(hide_secs);
        self.visibility
            .receive(&self.queue, self.now, count_max, hide_for)
            .unwrap()
    }

    fn ids(&mut self, count_max: usize, hide_secs: u64) -> String {
        let received = self.receive(count_max, hide_secs);
        received
            .iter()
            .map(|one| one.message.id.as_str())
            .collect::<Vec<_>>()
            .join(" ")
    }

    fn counts(&mut self) -> (usize, usize, usize) {
        let counts = self.visibility.counts(&self.queue, self.now);
        (counts.visible, counts.in_flight, counts.delayed)
    }

    fn restart(&mut self) {
        self.queue = Queue::restore(&self.queue.snapshot()).unwrap();
        self.visibility = Visibility::default();
    }
}

#[test]
fn a_received_message_is_hidden_until_its_timeout_and_then_counted_again() {
    let mut world = World::new();
    let first_received_at = world.now;
    world.apply(send("a", false, 0));
    assert_eq!(world.ids(10, 30), "a");
    assert_eq!(
        world.visibility.next_visible_at(),
        Some(world.now.plus(Duration::from_secs(30)))
    );
    world.advance(29);
    assert_eq!(world.ids(10, 30), "");
    world.advance(1);
    let received = world.receive(10, 30);
    assert_eq!(received[0].receive_count, 2);
    assert_eq!(received[0].first_received_at, first_received_at);
}

#[test]
fn a_delayed_message_is_not_shown_before_its_time() {
    let mut world = World::new();
    world.apply(send("late", false, 5));
    world.apply(send("now", false, 0));
    assert_eq!(world.counts(), (1, 0, 1));
    assert_eq!(world.ids(10, 30), "now");
    assert_eq!(world.counts(), (0, 1, 1));
    world.advance(5);
    assert_eq!(world.ids(10, 30), "late");
    assert_eq!(world.counts(), (0, 2, 0));
}

#[test]
fn a_message_that_comes_back_waits_behind_those_that_were_not_seen() {
    let mut world = World::new();
    for id in ["a", "b", "c"] {
        world.apply(send(id, false, 0));
        world.advance(1);
    }
    assert_eq!(world.ids(1, 0), "a");
    assert_eq!(world.ids(2, 0), "b c");
    assert_eq!(world.ids(3, 0), "a b c");
}

#[test]
fn a_clock_that_steps_back_hides_no_new_message() {
    let mut world = World::new();
    world.apply(send("a", false, 0));
    world.now = world.now.minus(Duration::from_secs(3600));
    assert_eq!(world.ids(10, 30), "a");
}

#[test]
fn what_the_queue_has_lost_is_not_given_out_or_counted() {
    let mut world = World::new();
    for id in ["a", "b", "c"] {
        world.apply(send(id, false, 0));
    }
    assert_eq!(world.ids(1, 30), "a");
    world.apply(Command::Purge);
    assert_eq!(world.counts(), (0, 0, 0));
    assert_eq!(world.ids(10, 30), "");
    world.visibility.forget_missing(&world.queue, world.now);
    assert_eq!(
        world.visibility,
        Visibility {
            taken_in: 3,
            ..Visibility::default()
        }
    );
}

#[test]
fn no_more_messages_are_given_out_than_may_be_in_flight() {
    let mut world = World::new();
    for _ in 0..=limits::IN_FLIGHT_MAX {
        world.apply(send("x", false, 0));
    }
    assert_eq!(
        world.receive(limits::IN_FLIGHT_MAX, 30).len(),
        limits::IN_FLIGHT_MAX
    );
    let hide_for = Duration::from_secs(30);
    let refused = world
        .visibility
        .receive(&world.queue, world.now, 10, hide_for);
    assert_eq!(refused, Err(TooManyInFlight));
    world.apply(Command::Delete { key: 0 });
    world.visibility.forget(0);
    assert_eq!(world.receive(10, 30).len(), 1);
}

/// What a run does.
#[derive(Clone, Debug)]
enum Step {
    Send {
        delay_secs: u32,
    },
    Deliver {
        id: u8,
    },
    Receive {
        count_max: usize,
        hide_secs: u64,
    },
    /// Deletes one of the messages that were ever received.
    Delete {
        which: usize,
    },
    Purge,
    Advance {
        secs: u64,
    },
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..3u32).prop_map(|tens| Step::Send { delay_secs: tens * 10 }),
        3 => (0..6u8).prop_map(|id| Step::Deliver { id }),
        6 => (1..=10usize, 0..4u64)
            .prop_map(|(count_max, tens)| Step::Receive { count_max, hide_secs: tens * 10 }),
        4 => (0..100usize).prop_map(|which| Step::Delete { which }),
        1 => Just(Step::Purge),
        4 => prop_oneof![4 => 0..25u64, 1 => Just(3_000)].prop_map(|secs| Step::Advance { secs }),
        1 => Just(Step::Restart),
    ]
}

/// What is known of a message.
#[derive(Clone, Copy)]
struct Kept {
    sent_at: Timestamp,
    /// When its delay ends.
    shown_at: Timestamp,
    /// When its last receive ends.
    hidden_until: Timestamp,
}

/// What must be in the queue, worked out in the plainest way.
#[derive(Default)]
struct Shadow {
    messages: BTreeMap<Key, Kept>,
    delivered: BTreeMap<u8, Timestamp>,
    purged_at: Option<Timestamp>,
    ever_received: Vec<Key>,
    sent: Key,
}

impl Shadow {
    fn expire(&mut self, now: Timestamp) {
        let alive = |at: Timestamp| now.since(at) < Duration::from_secs(RETENTION_SECS.into());
        self.messages.retain(|_, kept| alive(kept.sent_at));
        self.delivered.retain(|_, at| alive(*at));
    }

    fn send(&mut self, now: Timestamp, delay_secs: u32) {
        let shown_at = now.plus(secs(delay_secs));
        let kept = Kept {
            sent_at: now,
            shown_at,
            hidden_until: Timestamp::EPOCH,
        };
        self.messages.insert(self.sent, kept);
        self.sent += 1;
    }

    fn visible(&self, now: Timestamp) -> BTreeSet<Key> {
        let is_visible = |kept: &Kept| kept.shown_at <= now && kept.hidden_until <= now;
        let visible = self.messages.iter().filter(|(_, kept)| is_visible(kept));
        visible.map(|(key, _)| *key).collect()
    }
}

fn run(world: &mut World, shadow: &mut Shadow, step: Step) {
    shadow.expire(world.now);
    match step {
        Step::Send { delay_secs } => {
            assert_eq!(world.apply(send("own", false, delay_secs)), Outcome::Sent);
            shadow.send(world.now, delay_secs);
        }
        Step::Deliver { id } => {
            let outcome = world.apply(send(&id.to_string(), true, 0));
            let is_new = !shadow.delivered.contains_key(&id);
            assert_eq!(
                outcome == Outcome::Sent,
                is_new,
                "delivery of {id}: {outcome:?}"
            );
            if is_new {
                shadow.delivered.insert(id, world.now);
                shadow.send(world.now, 0);
            }
        }
        Step::Receive {
            count_max,
            hide_secs,
        } => receive(world, shadow, count_max, hide_secs),
        Step::Delete { which } => {
            if let Some(key) = shadow.ever_received.get(which).copied() {
                assert_eq!(world.apply(Command::Delete { key }), Outcome::Deleted);
                world.visibility.forget(key);
                shadow.messages.remove(&key);
            }
        }
        Step::Purge => {
            let recently = shadow
                .purged_at
                .is_some_and(|at| world.now.since(at).as_secs() < 60);
            assert_eq!(
                world.apply(Command::Purge) == Outcome::PurgedRecently,
                recently
            );
            if !recently {
                shadow.purged_at = Some(world.now);
                shadow.messages.clear();
            }
        }
        Step::Advance { secs } => world.advance(secs),
        Step::Restart => {
            world.restart();
            // Who has received what is forgotten; a delay is not.
            for kept in shadow.messages.values_mut() {
                kept.hidden_until = Timestamp::EPOCH;
            }
        }
    }
}

fn receive(world: &mut World, shadow: &mut Shadow, count_max: usize, hide_secs: u64) {
    let visible = shadow.visible(world.now);
    let received: Vec<Key> = world
        .receive(count_max, hide_secs)
        .into_iter()
        .map(|one| one.key)
        .collect();
    let distinct: BTreeSet<Key> = received.iter().copied().collect();
    assert_eq!(
        distinct.len(),
        received.len(),
        "one receive gives a message once"
    );
    assert!(
        distinct.is_subset(&visible),
        "received {distinct:?}, visible were {visible:?}"
    );
    assert_eq!(
        received.len(),
        count_max.min(visible.len()),
        "a visible message is given out"
    );
    for key in received {
        let hidden_until = world.now.plus(Duration::from_secs(hide_secs));
        shadow
            .messages
            .get_mut(&key)
            .expect("it was visible")
            .hidden_until = hidden_until;
        shadow.ever_received.push(key);
    }
}

/// Receives and deletes until nothing is left, and gives what was received.
fn drain(world: &mut World) -> BTreeSet<Key> {
    world.advance(100);
    let mut drained = BTreeSet::new();
    loop {
        let received = world.receive(10, 30);
        if received.is_empty() {
            return drained;
        }
        for one in received {
            assert!(drained.insert(one.key), "message {} came twice", one.key);
            world.apply(Command::Delete { key: one.key });
            world.visibility.forget(one.key);
        }
    }
}

proptest! {
    #[test]
    fn every_message_is_received_until_it_is_deleted_and_none_is_invented(
        steps in prop::collection::vec(step(), 0..80)
    ) {
        let mut world = World::new();
        let mut shadow = Shadow::default();
        for step in steps {
            run(&mut world, &mut shadow, step);
        }
        shadow.expire(world.now.plus(Duration::from_secs(100)));
        let expected: BTreeSet<Key> = shadow.messages.keys().copied().collect();
        prop_assert_eq!(drain(&mut world), expected);
    }
}
