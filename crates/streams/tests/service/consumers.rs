//! RegisterStreamConsumer, DeregisterStreamConsumer, DescribeStreamConsumer, ListStreamConsumers.

use std::collections::BTreeMap;
use std::time::Duration;

use tidemill_model::{Region, Timestamp};
use tidemill_shapes::kinesis::*;
use tidemill_streams::{Limits, Settings};

use crate::fixture::*;
use crate::{assert_refused, call};

fn register(f: &Fixture, stream: &str, name: &str) -> RegisterStreamConsumerInput {
    RegisterStreamConsumerInput {
        consumer_name: name.into(),
        stream_arn: f.arn(stream).to_string(),
        stream_id: None,
        tags: None,
    }
}

fn by_name(f: &Fixture, stream: &str, name: &str) -> DescribeStreamConsumerInput {
    DescribeStreamConsumerInput {
        stream_arn: Some(f.arn(stream).to_string()),
        consumer_name: Some(name.into()),
        ..DescribeStreamConsumerInput::default()
    }
}

fn by_arn(arn: &str) -> DescribeStreamConsumerInput {
    DescribeStreamConsumerInput {
        consumer_arn: Some(arn.into()),
        ..DescribeStreamConsumerInput::default()
    }
}

fn leave(f: &Fixture, stream: &str, name: &str) -> DeregisterStreamConsumerInput {
    DeregisterStreamConsumerInput {
        stream_arn: Some(f.arn(stream).to_string()),
        consumer_name: Some(name.into()),
        ..DeregisterStreamConsumerInput::default()
    }
}

fn list(f: &Fixture, stream: &str) -> ListStreamConsumersInput {
    ListStreamConsumersInput {
        stream_arn: f.arn(stream).to_string(),
        max_results: None,
        next_token: None,
        stream_creation_timestamp: None,
        stream_id: None,
    }
}

async fn names(f: &Fixture, stream: &str) -> Vec<String> {
    let listed = call!(f, list_stream_consumers, list(f, stream)).expect("listed");
    let consumers = listed.consumers.expect("given").into_iter();
    consumers.map(|consumer| consumer.consumer_name).collect()
}

async fn count(f: &Fixture, name: &str) -> Option<i32> {
    let input = DescribeStreamSummaryInput {
        stream_name: Some(name.into()),
        ..DescribeStreamSummaryInput::default()
    };
    let output = call!(f, describe_stream_summary, input).expect("described");
    output.stream_description_summary.consumer_count
}

async fn slow() -> Fixture {
    Fixture::with(Settings {
        limits: Limits::None,
        state_delay: Duration::from_secs(30),
        ..Settings::default()
    })
    .await
}

#[tokio::test]
async fn a_consumer_is_found_by_its_name_and_by_its_arn() {
    let f = Fixture::new().await;
    f.create("s", 1).await;
    let registered = call!(f, register_stream_consumer, register(&f, "s", "c"))
        .expect("registered")
        .consumer;
    let secs = f.now().as_secs();
    assert_eq!(
        registered.consumer_arn,
        format!("{}/consumer/c:{secs}", f.arn("s"))
    );
    assert_eq!(registered.consumer_name, "c");
    assert_eq!(registered.consumer_status, ConsumerStatus::Creating);
    assert_eq!(registered.consumer_creation_timestamp, f.now());
    for input in [by_name(&f, "s", "c"), by_arn(&registered.consumer_arn)] {
        let found = call!(f, describe_stream_consumer, input)
            .expect("described")
            .consumer_description;
        assert_eq!(found.consumer_arn, registered.consumer_arn);
        assert_eq!(found.consumer_status, ConsumerStatus::Active);
        assert_eq!(found.stream_arn, f.arn("s").to_string());
        assert_eq!(found.consumer_creation_timestamp, f.now());
    }
    assert_eq!(count(&f, "s").await, Some(1));
    assert_eq!(names(&f, "s").await, ["c"]);
}

#[tokio::test]
async fn a_consumer_takes_its_time_to_come_and_to_go() {
    let mut f = slow().await;
    f.create("s", 1).await;
    assert_refused!(
        call!(f, register_stream_consumer, register(&f, "s", "c")),
        "ResourceInUseException",
        "Stream s under account 000000000000 not ACTIVE, instead in state CREATING"
    );
    f.advance_secs(30);
    call!(f, register_stream_consumer, register(&f, "s", "c")).expect("registered");
    let status = async |f: &Fixture| {
        let found = call!(f, describe_stream_consumer, by_name(f, "s", "c"));
        found.map(|found| found.consumer_description.consumer_status)
    };
    assert_eq!(status(&f).await, Ok(ConsumerStatus::Creating));
    f.advance_secs(29);
    assert_eq!(status(&f).await, Ok(ConsumerStatus::Creating));
    f.advance_secs(1);
    assert_eq!(status(&f).await, Ok(ConsumerStatus::Active));
    for _ in 0..2 {
        call!(f, deregister_stream_consumer, leave(&f, "s", "c")).expect("twice is as once");
        assert_eq!(status(&f).await, Ok(ConsumerStatus::Deleting));
        f.advance_secs(10);
    }
    f.restart().await;
    assert_refused!(
        call!(f, register_stream_consumer, register(&f, "s", "c")),
        "ResourceInUseException",
        "Consumer c of stream s under account 000000000000 already exists."
    );
    f.advance_secs(10);
    assert_refused!(
        status(&f).await,
        "ResourceNotFoundException",
        "Consumer c of stream s under account 000000000000 not found."
    );
    assert_eq!(names(&f, "s").await, [""; 0]);
    assert_eq!(count(&f, "s").await, Some(0));
    f.streams.sweep().await.expect("swept");
    call!(f, register_stream_consumer, register(&f, "s", "c")).expect("the name is free");
}

#[tokio::test]
async fn the_arn_of_an_earlier_registration_is_not_found() {
    let f = Fixture::unlimited().await;
    f.create("s", 1).await;
    let first = call!(f, register_stream_consumer, register(&f, "s", "c")).expect("registered");
    call!(f, deregister_stream_consumer, leave(&f, "s", "c")).expect("deregistered");
    f.advance_secs(1);
    call!(f, register_stream_consumer, register(&f, "s", "c")).expect("registered");
    let old = first.consumer.consumer_arn;
    let text = "Consumer c of stream s under account 000000000000 not found.";
    assert_refused!(
        call!(f, describe_stream_consumer, by_arn(&old)),
        "ResourceNotFoundException",
        text
    );
    let input = DeregisterStreamConsumerInput {
        consumer_arn: Some(old),
        ..DeregisterStreamConsumerInput::default()
    };
    assert_refused!(
        call!(f, deregister_stream_consumer, input),
        "ResourceNotFoundException",
        text
    );
    assert_eq!(names(&f, "s").await, ["c"]);
}

#[tokio::test]
async fn a_consumer_is_named_in_one_way_and_without_contradiction() {
    let f = Fixture::new().await;
    f.create("s", 1).await;
    let c = call!(f, register_stream_consumer, register(&f, "s", "c"))
        .expect("registered")
        .consumer
        .consumer_arn;
    let all = DescribeStreamConsumerInput {
        consumer_arn: Some(c.clone()),
        ..by_name(&f, "s", "c")
    };
    call!(f, describe_stream_consumer, all.clone()).expect("all three");
    let neither = DescribeStreamConsumerInput {
        consumer_arn: None,
        consumer_name: None,
        ..all.clone()
    };
    assert_refused!(
        call!(f, describe_stream_consumer, neither),
        "InvalidArgumentException",
        "Either ConsumerARN or StreamARN and ConsumerName should be provided."
    );
    let other_name = DescribeStreamConsumerInput {
        consumer_name: Some("d".into()),
        ..all.clone()
    };
    let other_stream = DescribeStreamConsumerInput {
        stream_arn: Some(f.arn("t").to_string()),
        ..all
    };
    for (input, parameter) in [(other_name, "ConsumerName"), (other_stream, "StreamARN")] {
        assert_refused!(
            call!(f, describe_stream_consumer, input),
            "InvalidArgumentException",
            format!("ConsumerARN {c} is not that of the {parameter} that was given with it.")
        );
    }
    let broken = format!("{}/consumer/c:0{}", f.arn("s"), 1);
    assert_refused!(
        call!(f, describe_stream_consumer, by_arn(&broken)),
        "InvalidArgumentException",
        format!("{broken} is not the ARN of a consumer.")
    );
}

#[tokio::test]
async fn a_stream_of_another_account_or_region_is_not_found() {
    let mut f = Fixture::new().await;
    f.create("s", 1).await;
    let input = register(&f, "s", "c");
    f.caller.account = "111122223333".parse().expect("an account");
    let text = "Stream s under account 000000000000 not found.";
    assert_refused!(
        call!(f, register_stream_consumer, input.clone()),
        "ResourceNotFoundException",
        text
    );
    f.caller.account = "000000000000".parse().expect("an account");
    f.caller.region = Region::new("eu-west-1");
    assert_refused!(
        call!(f, register_stream_consumer, input),
        "ResourceNotFoundException",
        text
    );
}

#[tokio::test]
async fn a_stream_has_twenty_consumers_and_five_of_them_in_creating() {
    let f = Fixture::with(Settings {
        state_delay: Duration::from_secs(30),
        ..Settings::default()
    })
    .await;
    f.create("s", 1).await;
    f.advance_secs(30);
    for number in 0..20 {
        if number % 5 == 0 {
            f.advance_secs(30);
        }
        let name = format!("c{number:02}");
        call!(f, register_stream_consumer, register(&f, "s", &name)).expect("registered");
        if number == 4 {
            f.advance_secs(1);
            assert_refused!(
                call!(f, register_stream_consumer, register(&f, "s", "more")),
                "LimitExceededException",
                "Stream s under account 000000000000 has 5 consumers in CREATING state; wait until \
                 one is ACTIVE."
            );
        }
    }
    f.advance_secs(30);
    assert_refused!(
        call!(f, register_stream_consumer, register(&f, "s", "more")),
        "LimitExceededException",
        "Stream s under account 000000000000 has reached its limit of 20 consumers."
    );
    call!(f, deregister_stream_consumer, leave(&f, "s", "c07")).expect("deregistered");
    f.advance_secs(30);
    call!(f, register_stream_consumer, register(&f, "s", "more")).expect("there is room again");
}

#[tokio::test]
async fn registering_has_a_rate_for_each_stream() {
    let f = Fixture::new().await;
    f.create("s", 1).await;
    f.create("t", 1).await;
    for number in 0..5 {
        let name = format!("c{number}");
        call!(f, register_stream_consumer, register(&f, "s", &name)).expect("registered");
    }
    assert_refused!(
        call!(f, register_stream_consumer, register(&f, "s", "more")),
        "LimitExceededException",
        "Rate exceeded for stream s under account 000000000000."
    );
    call!(f, register_stream_consumer, register(&f, "t", "more")).expect("another stream");
}

#[tokio::test]
async fn the_tags_of_a_consumer_are_fifty_at_most_and_of_legal_letters() {
    let f = Fixture::unlimited().await;
    f.create("s", 1).await;
    let tagged = |tags: BTreeMap<String, String>| RegisterStreamConsumerInput {
        tags: Some(tags),
        ..register(&f, "s", "c")
    };
    let numbered = |count: usize| (0..count).map(|n| (format!("t{n}"), String::new()));
    assert_refused!(
        call!(f, register_stream_consumer, tagged(numbered(51).collect())),
        "InvalidArgumentException",
        "Consumer c cannot have more than 50 tags."
    );
    let wrong = BTreeMap::from([("a;b".to_owned(), String::new())]);
    assert_refused!(
        call!(f, register_stream_consumer, tagged(wrong)),
        "InvalidArgumentException",
        "Some tags contain invalid characters. Valid characters: Unicode letters, digits, white \
         space, _ . / = + - % @."
    );
    call!(f, register_stream_consumer, tagged(numbered(50).collect())).expect("registered");
}

#[tokio::test]
async fn a_stream_with_consumers_is_deleted_only_by_force() {
    let f = slow().await;
    f.create("s", 1).await;
    f.advance_secs(30);
    call!(f, register_stream_consumer, register(&f, "s", "c")).expect("registered");
    f.advance_secs(30);
    let delete = |force| DeleteStreamInput {
        stream_name: Some("s".into()),
        enforce_consumer_deletion: force,
        ..DeleteStreamInput::default()
    };
    for force in [None, Some(false)] {
        assert_refused!(
            call!(f, delete_stream, delete(force)),
            "ResourceInUseException",
            "DeleteStream can't delete 000000000000:s because there are consumers associated with \
             this data stream. To delete s anyway, set the EnforceConsumerDeletion parameter to \
             true to force the deletion of all the consumers that are associated with it."
        );
    }
    call!(f, delete_stream, delete(Some(true))).expect("deleted");
    let found = call!(f, describe_stream_consumer, by_name(&f, "s", "c")).expect("described");
    assert_eq!(
        found.consumer_description.consumer_status,
        ConsumerStatus::Deleting
    );
    f.advance_secs(30);
    f.create("s", 1).await;
    assert_eq!(names(&f, "s").await, [""; 0], "another stream of the name");
}

#[tokio::test]
async fn consumers_are_listed_in_pages() {
    let mut f = Fixture::unlimited().await;
    f.create("s", 1).await;
    assert_eq!(names(&f, "s").await, [""; 0]);
    for number in 0..101 {
        let name = format!("c{number:03}");
        call!(f, register_stream_consumer, register(&f, "s", &name)).expect("registered");
    }
    let page = call!(f, list_stream_consumers, list(&f, "s")).expect("listed");
    assert_eq!(page.consumers.map(|page| page.len()), Some(100));
    let token = page.next_token;
    f.restart().await;
    let next = ListStreamConsumersInput {
        next_token: token.clone(),
        ..list(&f, "s")
    };
    let page = call!(f, list_stream_consumers, next.clone()).expect("listed");
    let rest = page.consumers.expect("given");
    assert_eq!(rest.len(), 1);
    assert_eq!(rest[0].consumer_name, "c100");
    assert_eq!(page.next_token, None);
    f.advance_secs(300);
    call!(f, list_stream_consumers, next.clone()).expect("not yet expired");
    f.advance_secs(1);
    assert_refused!(
        call!(f, list_stream_consumers, next),
        "ExpiredNextTokenException",
        "NextToken expired. Start the listing anew without a token."
    );
}

#[tokio::test]
async fn a_list_of_consumers_is_of_the_stream_that_is_meant() {
    let f = Fixture::unlimited().await;
    f.create("s", 1).await;
    f.create("t", 1).await;
    for name in ["a", "b"] {
        call!(f, register_stream_consumer, register(&f, "s", name)).expect("registered");
    }
    let page = ListStreamConsumersInput {
        max_results: Some(1),
        ..list(&f, "s")
    };
    let token = call!(f, list_stream_consumers, page)
        .expect("listed")
        .next_token;
    for (stream, token) in [("t", token.clone()), ("s", Some("nonsense".into()))] {
        let input = ListStreamConsumersInput {
            next_token: token,
            ..list(&f, stream)
        };
        assert_refused!(
            call!(f, list_stream_consumers, input),
            "InvalidArgumentException",
            "Invalid NextToken."
        );
    }
    let created = f.now();
    let at = |at: Timestamp| ListStreamConsumersInput {
        stream_creation_timestamp: Some(at),
        ..list(&f, "s")
    };
    call!(f, list_stream_consumers, at(created)).expect("this stream");
    assert_refused!(
        call!(
            f,
            list_stream_consumers,
            at(created.plus(Duration::from_secs(1)))
        ),
        "ResourceNotFoundException",
        "Stream s under account 000000000000 not found."
    );
    let both = ListStreamConsumersInput {
        next_token: token,
        ..at(created)
    };
    assert_refused!(
        call!(f, list_stream_consumers, both),
        "InvalidArgumentException",
        "NextToken and StreamCreationTimestamp cannot be provided together."
    );
}
