//! What requests are answered: what is accepted, refused, listed and shown.

use std::future::poll_fn;
use std::task::Poll;

use super::*;
use crate::digest;
use crate::message::{Attribute, Value};

#[tokio::test]
async fn creating_a_queue_again_gives_the_same_queue_or_says_what_differs() {
    let world = World::new().await;
    let url = |output: Result<CreateQueueOutput, CreateQueueError>| output.unwrap().queue_url;
    assert_eq!(
        url(world.create("q", &[("DelaySeconds", "5")]).await).as_deref(),
        Some(URL)
    );
    assert_eq!(
        url(world.create("q", &[("DelaySeconds", "5")]).await).as_deref(),
        Some(URL)
    );
    assert_eq!(url(world.create("q", &[]).await).as_deref(), Some(URL));
    let differs = QueueNameExists::new(
        "A queue already exists with the same name and a different value for attribute DelaySeconds",
    );
    assert_eq!(
        world.create("q", &[("DelaySeconds", "6")]).await,
        Err(differs.into())
    );
}

#[tokio::test]
async fn what_a_queue_cannot_be_is_refused_by_name() {
    let world = World::new().await;
    let refused = async |name: &str, attributes: &[(&str, &str)]| {
        world.create(name, attributes).await.unwrap_err()
    };
    let error = refused("q.fifo", &[("FifoQueue", "true")]).await;
    assert_eq!(
        error,
        UnsupportedOperation::new("FIFO queues are not supported: q.fifo").into()
    );
    let error = refused("q", &[("RedrivePolicy", "{}")]).await;
    assert!(
        matches!(error, CreateQueueError::InvalidAttributeName(_)),
        "{error:?}"
    );
    let error = refused("q", &[("DelaySeconds", "901")]).await;
    let expected = InvalidAttributeValue::new("Invalid value for the parameter DelaySeconds.");
    assert_eq!(error, expected.into());
    for name in ["", "a b", "ä", &"n".repeat(81)] {
        let error = refused(name, &[]).await;
        assert!(
            matches!(error, CreateQueueError::ValidationException(_)),
            "{name}: {error:?}"
        );
    }
    world.create(&"n".repeat(80), &[]).await.unwrap();
    let tags = Some(BTreeMap::from([("k".to_owned(), "v".to_owned())]));
    let input = CreateQueueInput {
        queue_name: "q".into(),
        tags,
        ..Default::default()
    };
    let error = ops::create_queue(&world.queues, &world.caller, BASE_URL, input)
        .await
        .unwrap_err();
    assert!(
        matches!(error, CreateQueueError::UnsupportedOperation(_)),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_receipt_of_nobody_is_invalid() {
    let world = World::with_queue(&[]).await;
    for handle in ["", "x", "AAAA"] {
        let message = Message {
            receipt_handle: Some(handle.into()),
            ..Default::default()
        };
        let error = world.delete(&message).await.unwrap_err();
        assert!(
            matches!(error, DeleteMessageError::ReceiptHandleIsInvalid(_)),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn a_message_that_is_not_accepted_is_not_in_the_queue() {
    let world = World::with_queue(&[]).await;
    let attributes = |value| Some(BTreeMap::from([("a".to_owned(), value)]));
    for input in [
        SendMessageInput {
            message_body: String::new(),
            ..send_input()
        },
        SendMessageInput {
            message_body: "x".repeat(1_048_577),
            ..send_input()
        },
        SendMessageInput {
            delay_seconds: Some(901),
            ..send_input()
        },
        SendMessageInput {
            message_group_id: Some("g".into()),
            ..send_input()
        },
        SendMessageInput {
            message_deduplication_id: Some("d".into()),
            ..send_input()
        },
        SendMessageInput {
            message_attributes: attributes(text("Text", "v")),
            ..send_input()
        },
        SendMessageInput {
            message_attributes: attributes(Default::default()),
            ..send_input()
        },
    ] {
        let error = world.send_input(input.clone()).await.unwrap_err();
        assert!(
            matches!(error, SendMessageError::ValidationException(_)),
            "{input:?}: {error:?}"
        );
    }
    let error = world.send("\0").await.unwrap_err();
    assert!(
        matches!(error, SendMessageError::InvalidMessageContents(_)),
        "{error:?}"
    );
    for url in ["q", "http://127.0.0.1:4566/q"] {
        let input = SendMessageInput {
            queue_url: url.into(),
            ..send_input()
        };
        let error = world.send_input(input).await.unwrap_err();
        assert!(
            matches!(error, SendMessageError::InvalidAddress(_)),
            "{error:?}"
        );
    }
    assert_eq!(world.bodies().await, "");
    world.send(&"x".repeat(1_048_576)).await.unwrap();
}

/// Sends a message with two attributes and a trace header.
async fn send_with_attributes(world: &World) -> SendMessageOutput {
    let attributes = [("n", text("Number", "7")), ("s", text("String.label", "v"))];
    let header = MessageSystemAttributeValue {
        data_type: "String".into(),
        string_value: Some("Root=1".into()),
        ..Default::default()
    };
    let input = SendMessageInput {
        message_attributes: Some(attributes.map(|(name, value)| (name.into(), value)).into()),
        message_system_attributes: Some([("AWSTraceHeader".into(), header)].into()),
        ..send_input()
    };
    world.send_input(input).await.unwrap()
}

#[tokio::test]
async fn attributes_are_not_given_when_nobody_asks() {
    let world = World::with_queue(&[]).await;
    send_with_attributes(&world).await;
    let received = world.receive().await.remove(0);
    assert_eq!(
        (received.attributes, received.message_attributes),
        (None, None)
    );
    assert_eq!(received.md5_of_message_attributes, None);
}

#[tokio::test]
async fn all_attributes_are_given_when_all_are_asked_for() {
    let world = World::with_queue(&[]).await;
    let sent_at = world.clock.now().as_millis().to_string();
    let sent = send_with_attributes(&world).await;
    world.advance(1);
    let received_at = world.clock.now().as_millis().to_string();
    let input = ReceiveMessageInput {
        message_attribute_names: Some(vec!["All".into()]),
        message_system_attribute_names: Some(vec!["All".to_owned()]),
        ..receive_input()
    };
    let received = world.receive_input(input).await.unwrap().remove(0);
    assert_eq!(
        received.md5_of_message_attributes,
        sent.md5_of_message_attributes
    );
    assert_eq!(
        received.message_attributes.unwrap()["n"],
        text("Number", "7")
    );
    let expected = [
        ("AWSTraceHeader", "Root=1"),
        ("ApproximateFirstReceiveTimestamp", &received_at),
        ("ApproximateReceiveCount", "1"),
        ("SenderId", "000000000000"),
        ("SentTimestamp", &sent_at),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(received.attributes.unwrap(), BTreeMap::from(expected));
}

#[tokio::test]
async fn one_attribute_is_given_with_the_sum_of_it_alone() {
    let world = World::with_queue(&[]).await;
    send_with_attributes(&world).await;
    let input = ReceiveMessageInput {
        message_attribute_names: Some(vec!["n".into()]),
        message_system_attribute_names: Some(vec!["SentTimestamp".to_owned()]),
        ..receive_input()
    };
    let received = world.receive_input(input).await.unwrap().remove(0);
    assert_eq!(
        received.attributes.unwrap().into_keys().collect::<Vec<_>>(),
        ["SentTimestamp"]
    );
    assert_eq!(
        received
            .message_attributes
            .unwrap()
            .into_keys()
            .collect::<Vec<_>>(),
        ["n"]
    );
    let number = Attribute {
        data_type: "Number".into(),
        value: Value::Text("7".into()),
    };
    assert_eq!(
        received.md5_of_message_attributes,
        digest::of_attributes([("n", &number)])
    );
}

#[tokio::test]
async fn a_receive_refuses_numbers_out_of_bounds() {
    let world = World::with_queue(&[]).await;
    for input in [
        ReceiveMessageInput {
            max_number_of_messages: Some(0),
            ..receive_input()
        },
        ReceiveMessageInput {
            max_number_of_messages: Some(11),
            ..receive_input()
        },
        ReceiveMessageInput {
            wait_time_seconds: Some(21),
            ..receive_input()
        },
        ReceiveMessageInput {
            visibility_timeout: Some(43_201),
            ..receive_input()
        },
        ReceiveMessageInput {
            receive_request_attempt_id: Some("a".into()),
            ..receive_input()
        },
    ] {
        let error = world.receive_input(input.clone()).await.unwrap_err();
        assert!(
            matches!(error, ReceiveMessageError::ValidationException(_)),
            "{input:?}"
        );
    }
}

#[tokio::test]
async fn a_receive_gives_at_most_as_many_as_are_asked_for() {
    let world = World::with_queue(&[]).await;
    for body in ["a", "b", "c"] {
        world.send(body).await.unwrap();
    }
    let one = ReceiveMessageInput {
        max_number_of_messages: None,
        ..receive_input()
    };
    assert_eq!(world.receive_input(one).await.unwrap().len(), 1);
    assert_eq!(world.bodies().await, "b c");
}

#[tokio::test]
async fn the_attributes_of_a_queue_are_given_by_name() {
    let world = World::with_queue(&[]).await;
    let created = world.clock.now().as_secs().to_string();
    let attributes = world.attributes().await;
    assert_eq!(attributes.len(), 11);
    assert_eq!(
        attributes["QueueArn"],
        "arn:aws:sqs:eu-west-1:000000000000:q"
    );
    assert_eq!(attributes["CreatedTimestamp"], created);
    assert_eq!(attributes["LastModifiedTimestamp"], created);
    assert_eq!(attributes["MaximumMessageSize"], "1048576");
    let get = async |attribute_names| {
        let input = GetQueueAttributesInput {
            queue_url: URL.into(),
            attribute_names,
        };
        let output = ops::get_queue_attributes(&world.queues, &world.caller, input).await;
        output
            .unwrap()
            .attributes
            .map(|attributes| attributes.into_keys().collect::<Vec<_>>())
    };
    assert_eq!(get(None).await, None);
    assert_eq!(get(Some(vec!["RedrivePolicy".to_owned()])).await, None);
    let names = vec!["Policy".to_owned(), "DelaySeconds".to_owned()];
    assert_eq!(
        get(Some(names)).await,
        Some(vec!["DelaySeconds".to_owned()])
    );
}

#[tokio::test]
async fn queues_are_listed_in_pages_by_name() {
    let world = World::new().await;
    for name in ["b2", "a", "b1", "b3"] {
        world.create(name, &[]).await.unwrap();
    }
    let list = async |prefix: &str, max_results, next_token| {
        let queue_name_prefix = Some(prefix.to_owned());
        let input = ListQueuesInput {
            queue_name_prefix,
            max_results,
            next_token,
        };
        let output = ops::list_queues(&world.queues, &world.caller, BASE_URL, input).await;
        output.map(|output| (output.queue_urls.unwrap_or_default(), output.next_token))
    };
    let url = |name: &str| format!("{BASE_URL}/000000000000/{name}");
    let (urls, token) = list("b", Some(2), None).await.unwrap();
    assert_eq!(urls, [url("b1"), url("b2")]);
    assert_eq!(list("b", Some(2), token).await, Ok((vec![url("b3")], None)));
    assert_eq!(list("x", None, None).await, Ok((vec![], None)));
    assert_eq!(list("", None, None).await.unwrap().0.len(), 4);
    assert!(list("", Some(1001), None).await.is_err());
    assert!(list("", Some(1), Some("!".into())).await.is_err());
}

#[tokio::test]
async fn a_queue_of_another_account_or_region_is_not_to_be_seen() {
    let mut world = World::with_queue(&[]).await;
    let url = async |world: &World, owner: Option<&str>| {
        let input = GetQueueUrlInput {
            queue_name: "q".into(),
            queue_owner_aws_account_id: owner.map(str::to_owned),
        };
        let output = ops::get_queue_url(&world.queues, &world.caller, BASE_URL, input).await;
        output.map(|output| output.queue_url.unwrap())
    };
    assert_eq!(url(&world, None).await.as_deref(), Ok(URL));
    assert_eq!(url(&world, Some("000000000000")).await.as_deref(), Ok(URL));
    assert_eq!(
        url(&world, Some("111111111111")).await,
        Err(no_such_queue().into())
    );
    world.caller = caller("111111111111");
    assert_eq!(world.send("x").await, Err(no_such_queue().into()));
    assert_eq!(world.delete_queue().await, Err(no_such_queue().into()));
    assert_eq!(
        url(&world, Some("000000000000")).await,
        Err(no_such_queue().into())
    );
    world.caller = Caller {
        region: Region::new("us-east-1"),
        ..caller("000000000000")
    };
    assert_eq!(world.send("x").await, Err(no_such_queue().into()));
}

#[tokio::test]
async fn a_deletion_whose_caller_hangs_up_anywhere_leaves_nothing_of_the_queue() {
    for polls in 1.. {
        let world = World::with_queue(&[]).await;
        world.send("a").await.unwrap();
        let queue = world.queues.find(&arn("q")).await.unwrap();
        let mut deletion = Box::pin(world.queues.delete(arn("q")));
        let mut answered = false;
        for _ in 0..polls {
            let polled = poll_fn(|context| Poll::Ready(deletion.as_mut().poll(context)));
            answered = polled.await.is_ready();
            if answered {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(deletion);
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        assert!(queue.is_gone(), "{polls} polls");
        let is_queue = |id: &PartitionId| id.owner() == Some(ServiceTag::Destinations);
        let left = world.log.partitions().into_iter().filter(is_queue).count();
        assert_eq!(left, 0, "{polls} polls");
        if answered {
            break;
        }
    }
}
