//! One rule of the queue machine each.

use tidemill_log::StateMachine;

use super::*;

const RETENTION: u32 = 60;

fn second(secs: u64) -> Timestamp {
    Timestamp::from_secs(secs)
}

fn send(id: &str, once: bool) -> Command {
    Command::Send {
        id: id.into(),
        once,
        sender: "000000000000".into(),
        delay_secs: 0,
        content: Content {
            body: format!("body of {id}"),
            ..Content::default()
        },
    }
}

fn apply(queue: &mut Queue, secs: u64, command: Command) -> Outcome {
    queue.apply(second(secs), 0, command)
}

fn ids(queue: &Queue, secs: u64) -> Vec<&str> {
    let alive = queue
        .from(0)
        .filter(|(key, _)| queue.get(*key, second(secs)).is_some());
    alive.map(|(_, message)| message.id.as_str()).collect()
}

#[test]
fn a_message_stays_until_it_is_deleted() {
    let mut queue = Queue::new(RETENTION);
    apply(&mut queue, 1, send("a", false));
    apply(&mut queue, 1, send("b", false));
    assert_eq!(ids(&queue, 2), ["a", "b"]);
    assert_eq!(
        apply(&mut queue, 2, Command::Delete { key: 0 }),
        Outcome::Deleted
    );
    assert_eq!(
        apply(&mut queue, 2, Command::Delete { key: 0 }),
        Outcome::Deleted
    );
    assert_eq!(ids(&queue, 2), ["b"]);
}

#[test]
fn a_message_is_too_old_exactly_when_the_retention_has_passed() {
    let mut queue = Queue::new(RETENTION);
    apply(&mut queue, 1, send("a", false));
    apply(&mut queue, 2, send("b", false));
    assert_eq!(ids(&queue, 60), ["a", "b"]);
    assert_eq!(ids(&queue, 61), ["b"]);
    assert!(queue.has_expired(second(61)));
    apply(&mut queue, 61, Command::Expire);
    assert!(!queue.has_expired(second(61)));
    assert_eq!(queue.from(0).count(), 1);
}

#[test]
fn a_second_copy_is_dropped_even_when_the_first_is_gone() {
    let mut queue = Queue::new(RETENTION);
    assert_eq!(apply(&mut queue, 1, send("a", true)), Outcome::Sent);
    assert_eq!(apply(&mut queue, 1, send("a", true)), Outcome::SecondCopy);
    apply(&mut queue, 2, Command::Delete { key: 0 });
    apply(&mut queue, 3, Command::Purge);
    let mut queue = Queue::restore(&queue.snapshot()).unwrap();
    assert_eq!(apply(&mut queue, 4, send("a", true)), Outcome::SecondCopy);
    assert_eq!(apply(&mut queue, 61, send("a", true)), Outcome::Sent);
}

#[test]
fn messages_that_are_not_delivered_once_may_share_an_id() {
    let mut queue = Queue::new(RETENTION);
    assert_eq!(apply(&mut queue, 1, send("a", false)), Outcome::Sent);
    assert_eq!(apply(&mut queue, 1, send("a", true)), Outcome::Sent);
    assert_eq!(apply(&mut queue, 1, send("a", false)), Outcome::Sent);
    assert_eq!(queue.from(0).count(), 3);
}

#[test]
fn a_purge_empties_the_queue_once_a_minute() {
    let mut queue = Queue::new(RETENTION);
    apply(&mut queue, 1, send("a", false));
    assert_eq!(apply(&mut queue, 1, Command::Purge), Outcome::Purged);
    assert_eq!(queue.from(0).count(), 0);
    apply(&mut queue, 2, send("b", false));
    assert_eq!(
        apply(&mut queue, 60, Command::Purge),
        Outcome::PurgedRecently
    );
    assert_eq!(ids(&queue, 60), ["b"]);
    assert_eq!(apply(&mut queue, 61, Command::Purge), Outcome::Purged);
    assert_eq!(ids(&queue, 61), [""; 0]);
}

#[test]
fn a_key_is_never_used_again() {
    let mut queue = Queue::new(RETENTION);
    apply(&mut queue, 1, send("a", false));
    apply(&mut queue, 1, Command::Delete { key: 0 });
    let mut queue = Queue::restore(&queue.snapshot()).unwrap();
    apply(&mut queue, 1, send("b", false));
    assert_eq!(queue.from(0).next().map(|(key, _)| key), Some(1));
}

#[test]
fn the_stored_form_of_commands_and_snapshots_stays_as_it_is() {
    for (command, golden) in [
        (
            send("a", true),
            concat!(
                r#"{"Send":{"id":"a","once":true,"sender":"000000000000","delay_secs":0,"#,
                r#""content":{"body":"body of a"}}}"#
            ),
        ),
        (Command::Delete { key: 7 }, r#"{"Delete":{"key":7}}"#),
        (Command::Purge, r#""Purge""#),
        (Command::Expire, r#""Expire""#),
    ] {
        assert_eq!(serde_json::to_string(&command).unwrap(), golden);
        assert_eq!(serde_json::from_str::<Command>(golden).unwrap(), command);
    }
    let mut queue = Queue::new(RETENTION);
    apply(&mut queue, 1, Command::Purge);
    apply(&mut queue, 2, send("a", true));
    let golden = concat!(
        r#"{"retention_secs":60,"next_key":1,"purged_at":1000,"messages":[[0,{"id":"a","#,
        r#""sender":"000000000000","sent_at":2000,"delay_secs":0,"body":"body of a"}]],"#,
        r#""delivered":[[2000,"a"]]}"#,
    );
    assert_eq!(
        String::from_utf8(queue.snapshot().to_vec()).unwrap(),
        golden
    );
    assert_eq!(Queue::restore(golden.as_bytes()).unwrap(), queue);
}

#[test]
fn a_snapshot_that_is_none_is_refused() {
    assert!(Queue::restore(b"").is_err());
    assert!(Queue::restore(br#"{"retention_secs":60}"#).is_err());
}
