//! Whatever happens, in whatever order, every record is accounted for: the machine among random
//! answers, failures, crashes and expiries, and crashed between any two effects of a story.
//!
//! The checks that hold at every step stand in the world itself.

#[path = "support/world.rs"]
mod world;

use std::time::Duration;

use proptest::prelude::*;
use tidemill_ledger::Outcome;
use tidemill_mapping::config::Config;
use tidemill_mapping::exchange::Input;
use tidemill_mapping::retry::Policy;
use tidemill_model::Determinacy;
use tidemill_model::given_up::Condition;
use world::{START, World, config, reply};

/// Steps after which a world that is only answered well must have come to rest.
const STEPS_MAX: usize = 10_000;

/// Answers the first thing that waits for an answer; a batch with a record that `is_poison` fails.
/// Gives whether there was one.
fn answer_one(world: &mut World, is_poison: impl Fn(u64) -> bool) -> bool {
    if world.ended {
        return false;
    }
    if world.asked.fetch.is_some() {
        world.fetched();
    } else if world.has_news() {
        world.woken();
    } else if world.asked.check.is_some() {
        world.checked();
    } else if world.asked.checkpoint.is_some() {
        world.saved();
    } else if let Some(records) = &world.asked.invoke {
        if records.iter().any(|record| is_poison(record.position)) {
            world.failed("poison");
        } else {
            world.succeeded();
        }
    } else if world.asked.deliver.is_some() {
        world.delivered();
    } else if let Some(deadline) = world.machine.deadline() {
        world.now = world.now.max(deadline);
        world.step(Input::TimerFired);
    } else {
        return false;
    }
    true
}

fn answer_all(world: &mut World, is_poison: impl Fn(u64) -> bool) {
    for _ in 0..STEPS_MAX {
        if !answer_one(world, &is_poison) {
            return;
        }
    }
    panic!("the world does not come to rest: {:?}", world.machine);
}

/// Everything has an outcome, and the messages are about what was given up.
fn check_all_closed(world: &World) {
    let counts = world.counts();
    assert_eq!((counts.pending, counts.unaccounted()), (0, 0));
    assert!(world.outcomes.keys().copied().eq(START..world.end()));
}

#[test]
fn a_crash_between_any_two_effects_loses_nothing_and_tells_nothing_twice() {
    let config = Config {
        batch_size: 4,
        policy: Policy {
            retries_max: Some(1),
            bisect: true,
        },
        destination: Some("queue".to_owned()),
        ..config()
    };
    let is_poison = |position| position == 3 || position == 7 || position == 8;
    let begin = || {
        let mut world = World::new(config.clone());
        (0..10).for_each(|_| world.put(1));
        world
    };
    let mut whole = begin();
    let mut steps = 0;
    while answer_one(&mut whole, is_poison) {
        steps += 1;
    }
    let expected: Vec<String> = whole.distinct_messages().into_keys().collect();
    assert_eq!(expected.len(), 3);
    for crashed_after in 0..=steps {
        // What was on its way when the crash came may have happened or not.
        for (saved, received) in [(false, false), (true, false), (false, true), (true, true)] {
            let mut world = begin();
            for _ in 0..crashed_after {
                answer_one(&mut world, is_poison);
            }
            if received && world.asked.deliver.is_some() {
                world.receive_message();
            }
            if saved && world.asked.checkpoint.is_some() {
                world.apply_checkpoint();
            }
            world.put(1);
            world.restart();
            answer_all(&mut world, is_poison);
            check_all_closed(&world);
            assert_eq!(
                world.account.count(Outcome::Processed),
                8,
                "after {crashed_after}"
            );
            assert_eq!(world.account.count(Outcome::DeadLettered), 3);
            let told: Vec<String> = world.distinct_messages().into_keys().collect();
            assert_eq!(told, expected, "after {crashed_after}");
        }
    }
}

/// Something that may happen, if the machine is waiting for it.
#[derive(Clone, Debug)]
enum Happening {
    Put(usize),
    Read,
    ReadFails,
    Saved,
    NotSaved,
    Succeeds,
    Fails,
    Reports(u64),
    Confused,
    Throttled,
    Unavailable(bool),
    Delivered,
    NotDelivered,
    PerhapsDelivered,
    TimePasses(u64),
    Deadline,
    Expires(u64),
    Closes,
    Crashes { saved: bool, received: bool },
    Stops,
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        6 => (1usize..5).prop_map(Happening::Put),
        12 => Just(Happening::Read),
        1 => Just(Happening::ReadFails),
        8 => Just(Happening::Saved),
        1 => Just(Happening::NotSaved),
        5 => Just(Happening::Succeeds),
        6 => Just(Happening::Fails),
        3 => any::<u64>().prop_map(Happening::Reports),
        1 => Just(Happening::Confused),
        2 => Just(Happening::Throttled),
        2 => any::<bool>().prop_map(Happening::Unavailable),
        4 => Just(Happening::Delivered),
        1 => Just(Happening::NotDelivered),
        1 => Just(Happening::PerhapsDelivered),
        2 => (0u64..90_000).prop_map(Happening::TimePasses),
        8 => Just(Happening::Deadline),
        1 => any::<u64>().prop_map(Happening::Expires),
        1 => Just(Happening::Closes),
        1 => any::<(bool, bool)>()
            .prop_map(|(saved, received)| Happening::Crashes { saved, received }),
        1 => Just(Happening::Stops),
    ]
}

fn configs() -> impl Strategy<Value = Config> {
    let retries = proptest::option::of(0u32..3);
    let age = proptest::option::of(60u64..120);
    (
        1usize..9,
        0u64..3,
        retries,
        any::<bool>(),
        age,
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(
            |(batch_size, window, retries_max, bisect, age, report, told)| Config {
                batch_size,
                batching_window: Duration::from_secs(window),
                policy: Policy {
                    retries_max,
                    bisect,
                },
                record_age_max: age.map(Duration::from_secs),
                report_item_failures: report,
                destination: told.then(|| "queue".to_owned()),
                ..config()
            },
        )
}

fn happen(world: &mut World, happening: Happening) {
    if world.ended {
        if !world.closed || world.account.next() < world.end() {
            world.restart();
        }
        return;
    }
    match happening {
        Happening::Put(count) if !world.closed => (0..count).for_each(|_| world.put(1)),
        Happening::Read if world.asked.fetch.is_some() => drop(world.fetched()),
        Happening::Read if world.has_news() => drop(world.woken()),
        Happening::Read if world.asked.check.is_some() => drop(world.checked()),
        Happening::ReadFails if world.asked.fetch.is_some() => {
            world.asked.fetch = None;
            world.step(Input::FetchFailed);
        }
        Happening::ReadFails if world.asked.check.is_some() => {
            world.asked.check = None;
            world.step(Input::ReadabilityUnknown);
        }
        Happening::Saved if world.asked.checkpoint.is_some() => drop(world.saved()),
        Happening::NotSaved if world.asked.checkpoint.is_some() => drop(world.unsaved()),
        Happening::TimePasses(millis) => {
            world.now = world.now.plus(Duration::from_millis(millis));
            if world
                .machine
                .deadline()
                .is_some_and(|deadline| deadline <= world.now)
            {
                world.step(Input::TimerFired);
            }
        }
        Happening::Deadline => {
            if let Some(deadline) = world.machine.deadline() {
                world.now = world.now.max(deadline);
                world.step(Input::TimerFired);
            }
        }
        Happening::Expires(chance) => {
            world.readable = world.readable.max(chance % (world.end() + 1));
        }
        Happening::Closes => world.closed = world.end() > 20,
        Happening::Crashes { saved, received } => {
            if saved && world.asked.checkpoint.is_some() {
                world.apply_checkpoint();
            }
            if received && world.asked.deliver.is_some() {
                world.receive_message();
            }
            world.restart();
        }
        Happening::Stops => drop(world.step(Input::StopAsked)),
        answer if world.asked.invoke.is_some() => function_answers(world, answer),
        answer if world.asked.deliver.is_some() => destination_answers(world, answer),
        _ => {}
    }
}

fn function_answers(world: &mut World, answer: Happening) {
    let records = world
        .asked
        .invoke
        .clone()
        .expect("an invocation is on its way");
    match answer {
        Happening::Succeeds => drop(world.succeeded()),
        Happening::Fails => drop(world.failed("boom")),
        Happening::Reports(chance) => {
            // A mapping that does not listen counts everything as taken, and so does the world.
            let index = chance as usize % records.len();
            world.reported(records[index].position);
        }
        Happening::Confused => {
            let payload = r#"{"batchItemFailures":[{"itemIdentifier":"7"}]}"#;
            let listens = world.listens();
            let taken = if listens { 0 } else { records.len() };
            world.answered(taken, Input::InvocationSucceeded(reply(None, payload)));
        }
        Happening::Throttled => drop(world.answered(0, Input::InvocationThrottled)),
        Happening::Unavailable(surely) => {
            let determinacy = determinacy(surely);
            let detail = "failed".to_owned();
            world.answered(
                0,
                Input::InvocationUnavailable {
                    determinacy,
                    detail,
                },
            );
        }
        _ => {}
    }
}

fn destination_answers(world: &mut World, answer: Happening) {
    match answer {
        Happening::Delivered => drop(world.delivered()),
        Happening::NotDelivered => {
            world.asked.deliver = None;
            world.step(Input::DeliveryFailed {
                determinacy: determinacy(true),
            });
        }
        Happening::PerhapsDelivered => {
            world.receive_message();
            world.step(Input::DeliveryFailed {
                determinacy: determinacy(false),
            });
        }
        _ => {}
    }
}

fn determinacy(surely: bool) -> Determinacy {
    if surely {
        Determinacy::Determinate
    } else {
        Determinacy::Indeterminate
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn every_record_is_accounted_for_whatever_happens(
        config in configs(),
        happenings in proptest::collection::vec(happening(), 0..300),
    ) {
        let retries = config.policy.retries_max;
        let mut world = World::new(config);
        for happening in happenings {
            happen(&mut world, happening);
        }
        if world.ended {
            world.restart();
        }
        answer_all(&mut world, |_| false);
        if world.ended && world.account.next() < world.end() {
            // It had been asked to stop.
            world.restart();
            answer_all(&mut world, |_| false);
        }
        check_all_closed(&world);
        for message in &world.messages {
            if message.condition == Condition::RetryAttemptsExhausted {
                let attempts = retries.map(|retries| retries + 1);
                prop_assert_eq!(Some(message.approximate_invoke_count), attempts);
            }
        }
    }
}
