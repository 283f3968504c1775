//! What becomes of messages: received, hidden, deleted, purged, expired, restarted, delivered twice.

use super::*;

#[tokio::test]
async fn a_message_is_received_again_until_it_is_deleted() {
    let world = World::with_queue(&[]).await;
    let sent = world.send("hello").await.unwrap();
    let received = world.receive().await;
    assert_eq!(received[0].body.as_deref(), Some("hello"));
    assert_eq!(received[0].message_id, sent.message_id);
    assert_eq!(
        received[0].md5_of_body.as_deref(),
        Some("5d41402abc4b2a76b9719d911017c592")
    );
    assert_eq!(received[0].md5_of_body, sent.md5_of_message_body);
    assert_eq!(world.bodies().await, "");
    world.advance(30);
    let again = world.receive().await;
    assert_ne!(again[0].receipt_handle, received[0].receipt_handle);
    world.delete(&received[0]).await.unwrap();
    world.delete(&again[0]).await.unwrap();
    world.advance(30);
    assert_eq!(world.bodies().await, "");
}

#[tokio::test]
async fn a_restart_keeps_what_was_not_deleted_and_shows_it_again() {
    let world = World::with_queue(&[("VisibilityTimeout", "600")]).await;
    for body in ["a", "b", "c"] {
        world.send(body).await.unwrap();
    }
    let received = world.receive().await;
    world.delete(&received[0]).await.unwrap();
    let world = world.restarted().await;
    assert_eq!(world.attributes().await["VisibilityTimeout"], "600");
    // A receipt from before the restart is still good.
    world.delete(&received[1]).await.unwrap();
    assert_eq!(world.bodies().await, "c");
}

#[tokio::test]
async fn a_second_delivery_is_dropped_whatever_became_of_the_first() {
    let world = World::with_queue(&[]).await;
    world.deliver("id-1", "one").await.unwrap();
    world.deliver("id-1", "one").await.unwrap();
    let received = world.receive().await;
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].message_id.as_deref(), Some("id-1"));
    world.delete(&received[0]).await.unwrap();
    world.deliver("id-1", "one").await.unwrap();
    let world = world.restarted().await;
    world.deliver("id-1", "one").await.unwrap();
    world.deliver("id-2", "two").await.unwrap();
    assert_eq!(world.bodies().await, "two");
}

#[tokio::test]
async fn what_cannot_be_delivered_says_so_and_surely_was_not() {
    let world = World::with_queue(&[("MaximumMessageSize", "1024")]).await;
    let missing = world
        .queues
        .deliver(&arn("missing"), "id", "b".into())
        .await
        .unwrap_err();
    assert_eq!(
        missing,
        DeliverError::NoQueue {
            queue: arn("missing")
        }
    );
    assert_eq!(missing.determinacy(), Determinacy::Determinate);
    let too_long = ContentError::TooLong { bytes_max: 1024 };
    let refused = DeliverError::Refused {
        queue: arn("q"),
        source: too_long,
    };
    assert_eq!(world.deliver("id", &"x".repeat(1025)).await, Err(refused));
    assert_eq!(
        world.deliver("", "b").await,
        Err(DeliverError::MessageId { bytes: 0 })
    );
    assert_eq!(world.bodies().await, "");
    assert!(world.queues.exists(&arn("q")) && !world.queues.exists(&arn("missing")));
}

#[tokio::test]
async fn a_receive_that_waits_is_answered_when_a_message_arrives() {
    let world = World::with_queue(&[]).await;
    let (received, ()) = tokio::join!(world.receive_input(waiting(20)), async {
        world.until_asleep(1).await;
        world.advance(5);
        world.send("late").await.unwrap();
    });
    assert_eq!(received.unwrap()[0].body.as_deref(), Some("late"));
}

#[tokio::test]
async fn a_receive_that_waits_is_answered_when_a_message_becomes_visible() {
    let world = World::with_queue(&[("ReceiveMessageWaitTimeSeconds", "20")]).await;
    let delayed = SendMessageInput {
        delay_seconds: Some(7),
        ..send_input()
    };
    world.send_input(delayed).await.unwrap();
    let before = world.clock.now();
    let (received, ()) = tokio::join!(world.receive(), async {
        world.until_asleep(1).await;
        assert_eq!(
            world.clock.next_deadline(),
            Some(before.plus(Duration::from_secs(7)))
        );
        world.advance(7);
    });
    assert_eq!(received.len(), 1);
}

#[tokio::test]
async fn a_receive_that_waits_in_vain_is_answered_at_its_deadline() {
    let world = World::with_queue(&[]).await;
    let (received, ()) = tokio::join!(world.receive_input(waiting(3)), async {
        world.until_asleep(1).await;
        world.advance(3);
    });
    assert_eq!(received, Ok(vec![]));
}

#[tokio::test]
async fn a_receive_that_waits_is_told_when_the_queue_is_deleted() {
    let world = World::with_queue(&[]).await;
    let (received, ()) = tokio::join!(world.receive_input(waiting(20)), async {
        world.until_asleep(1).await;
        world.delete_queue().await.unwrap();
    });
    assert_eq!(received, Err(no_such_queue().into()));
}

#[tokio::test]
async fn messages_are_counted_by_what_can_be_seen_of_them() {
    let world = World::with_queue(&[("DelaySeconds", "5")]).await;
    world.send("a").await.unwrap();
    assert_eq!(world.counts().await, ["0", "0", "1"]);
    world.advance(5);
    assert_eq!(world.counts().await, ["1", "0", "0"]);
    let received = world.receive().await;
    assert_eq!(world.counts().await, ["0", "1", "0"]);
    world.delete(&received[0]).await.unwrap();
    assert_eq!(world.counts().await, ["0", "0", "0"]);
}

#[tokio::test]
async fn a_message_is_gone_when_its_retention_has_passed() {
    let world = World::with_queue(&[("MessageRetentionPeriod", "60")]).await;
    world.send("old").await.unwrap();
    world.advance(59);
    world.send("new").await.unwrap();
    world.advance(1);
    assert_eq!(world.counts().await, ["1", "0", "0"]);
    assert_eq!(world.bodies().await, "new");
}

#[tokio::test]
async fn a_purge_removes_every_message_at_most_once_a_minute() {
    let world = World::with_queue(&[]).await;
    world.send("a").await.unwrap();
    world.send("b").await.unwrap();
    world.purge().await.unwrap();
    assert_eq!(world.bodies().await, "");
    world.advance(59);
    let refused = world.purge().await.unwrap_err();
    assert!(
        matches!(refused, PurgeQueueError::PurgeQueueInProgress(_)),
        "{refused:?}"
    );
    world.advance(1);
    world.purge().await.unwrap();
}

#[tokio::test]
async fn a_deleted_queue_is_gone_with_its_messages_and_its_name_is_free() {
    let world = World::with_queue(&[]).await;
    world.send("old").await.unwrap();
    let open = world.queues.find(&arn("q")).await.unwrap();
    let received = world.receive().await;
    world.delete_queue().await.unwrap();
    assert_eq!(world.log.partitions(), [PartitionId::CONTROL]);
    assert_eq!(world.send("x").await, Err(no_such_queue().into()));
    assert_eq!(
        world.delete(&received[0]).await,
        Err(no_such_queue().into())
    );
    assert_eq!(world.delete_queue().await, Err(no_such_queue().into()));
    // Whoever held it when it was deleted cannot bring its partition back.
    assert_eq!(open.purge(world.clock.now()).await, Err(QueueError::Gone));
    world.create("q", &[]).await.unwrap();
    assert_eq!(world.bodies().await, "");
    let error = world.delete(&received[0]).await.unwrap_err();
    assert!(
        matches!(error, DeleteMessageError::ReceiptHandleIsInvalid(_)),
        "{error:?}"
    );
}

#[tokio::test]
async fn what_a_crash_left_of_a_deleted_queue_is_removed_at_the_start() {
    let world = World::with_queue(&[]).await;
    world.send("a").await.unwrap();
    let kept = world
        .queues
        .find(&arn("q"))
        .await
        .unwrap()
        .listed()
        .partition();
    let left = PartitionId::new(ServiceTag::Destinations, 77);
    let foreign = PartitionId::new(ServiceTag::Streams, 77);
    let entries = [left, foreign]
        .map(|partition| (partition, Bytes::from_static(b"x")))
        .to_vec();
    world.log.append(Batch::of(entries)).await.unwrap();
    let world = world.restarted().await;
    assert_eq!(
        world.log.partitions(),
        [PartitionId::CONTROL, foreign, kept]
    );
    assert_eq!(world.bodies().await, "a");
}

#[tokio::test]
async fn damaged_messages_stop_the_start_and_are_not_skipped() {
    let World {
        log, clock, queues, ..
    } = World::with_queue(&[]).await;
    let partition = queues.find(&arn("q")).await.unwrap().listed().partition();
    let catalog = queues.catalog().clone();
    drop(queues);
    let entries = vec![(partition, Bytes::from_static(b"no command"))];
    log.append(Batch::of(entries)).await.unwrap();
    let parts = QueuesParts {
        log: log.clone(),
        catalog,
        clock: Arc::new(clock),
        entropy: Arc::new(SimEntropy::new(1)),
    };
    let error = Queues::new(parts).recover().await.unwrap_err();
    assert!(
        matches!(&error, RecoverError::Open { queue, .. } if *queue == arn("q")),
        "{error:?}"
    );
}

#[tokio::test]
async fn snapshots_free_the_space_of_deleted_messages_and_forget_no_delivery() {
    let world = World::with_queue(&[]).await;
    let partition = world
        .queues
        .find(&arn("q"))
        .await
        .unwrap()
        .listed()
        .partition();
    world.deliver("first", "b").await.unwrap();
    let mut number = 0;
    while world.log.partition(partition).start == 0 {
        number += 1;
        assert!(
            number < 20_000,
            "the log is trimmed after some thousands of commands"
        );
        world.send("b").await.unwrap();
        for message in world.receive().await {
            world.delete(&message).await.unwrap();
        }
    }
    let world = world.restarted().await;
    world.deliver("first", "b").await.unwrap();
    assert_eq!(world.counts().await, ["0", "0", "0"]);
}
