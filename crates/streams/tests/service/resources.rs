//! Tags and policies of streams and consumers by their ARN: TagResource, UntagResource,
//! ListTagsForResource, PutResourcePolicy, GetResourcePolicy, DeleteResourcePolicy.

use std::collections::BTreeMap;
use std::time::Duration;

use tidemill_shapes::kinesis::*;
use tidemill_streams::{Limits, Settings};

use crate::fixture::*;
use crate::{assert_refused, call};

const POLICY: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"kinesis:*"}}"#;

fn tag(arn: &str, pairs: impl IntoIterator<Item = (String, String)>) -> TagResourceInput {
    TagResourceInput {
        resource_arn: arn.into(),
        stream_id: None,
        tags: pairs.into_iter().collect(),
    }
}

fn pair(key: &str, value: &str) -> (String, String) {
    (key.into(), value.into())
}

fn untag(arn: &str, keys: &[&str]) -> UntagResourceInput {
    UntagResourceInput {
        resource_arn: arn.into(),
        stream_id: None,
        tag_keys: keys.iter().map(|key| (*key).into()).collect(),
    }
}

fn put(arn: &str, policy: &str) -> PutResourcePolicyInput {
    PutResourcePolicyInput {
        policy: policy.into(),
        resource_arn: arn.into(),
        stream_id: None,
    }
}

fn get(arn: &str) -> GetResourcePolicyInput {
    GetResourcePolicyInput {
        resource_arn: arn.into(),
        stream_id: None,
    }
}

fn delete(arn: &str) -> DeleteResourcePolicyInput {
    DeleteResourcePolicyInput {
        resource_arn: arn.into(),
        stream_id: None,
    }
}

async fn tags(f: &Fixture, arn: &str) -> BTreeMap<String, String> {
    let input = ListTagsForResourceInput {
        resource_arn: arn.into(),
        stream_id: None,
    };
    let output = call!(f, list_tags_for_resource, input).expect("listed");
    let tags = output.tags.expect("given").into_iter();
    tags.map(|tag| (tag.key, tag.value.unwrap_or_default()))
        .collect()
}

async fn policy(f: &Fixture, arn: &str) -> String {
    call!(f, get_resource_policy, get(arn))
        .expect("given")
        .policy
}

/// The ARNs of stream `s` and of its consumer `c`, which has a tag.
async fn both(f: &Fixture) -> [String; 2] {
    f.create("s", 1).await;
    f.advance_secs(60);
    let register = RegisterStreamConsumerInput {
        consumer_name: "c".into(),
        stream_arn: f.arn("s").to_string(),
        stream_id: None,
        tags: Some(BTreeMap::from([pair("first", "1")])),
    };
    let registered = call!(f, register_stream_consumer, register).expect("registered");
    let consumer = registered.consumer.consumer_arn;
    call!(
        f,
        tag_resource,
        tag(&f.arn("s").to_string(), [pair("first", "1")])
    )
    .expect("tagged");
    [f.arn("s").to_string(), consumer]
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
async fn tags_are_set_replaced_removed_and_kept_apart() {
    let mut f = Fixture::unlimited().await;
    for arn in both(&f).await {
        call!(
            f,
            tag_resource,
            tag(&arn, [pair("a:b", "1"), pair("c", "")])
        )
        .expect("tagged");
        call!(f, tag_resource, tag(&arn, [pair("c", "2")])).expect("replaced");
        let all = BTreeMap::from([pair("a:b", "1"), pair("c", "2"), pair("first", "1")]);
        assert_eq!(tags(&f, &arn).await, all);
        call!(f, untag_resource, untag(&arn, &["a:b", "unknown"])).expect("untagged");
        f.restart().await;
        let rest = BTreeMap::from([pair("c", "2"), pair("first", "1")]);
        assert_eq!(tags(&f, &arn).await, rest);
    }
}

#[tokio::test]
async fn a_resource_has_fifty_tags_at_most() {
    let f = Fixture::unlimited().await;
    let texts = [
        "Failed to add tags to stream s under account 000000000000 because a given stream cannot \
         have more than 50 tags associated with it.",
        "Consumer c cannot have more than 50 tags.",
    ];
    for (arn, text) in both(&f).await.into_iter().zip(texts) {
        let numbered = (1..50).map(|number| (format!("t{number}"), String::new()));
        call!(f, tag_resource, tag(&arn, numbered)).expect("fifty in all");
        let refused = call!(f, tag_resource, tag(&arn, [pair("more", "")]));
        assert_refused!(refused, "InvalidArgumentException", text);
        call!(f, tag_resource, tag(&arn, [pair("t7", "7")])).expect("one of them again");
    }
}

#[tokio::test]
async fn a_tag_of_a_resource_has_legal_letters() {
    let f = Fixture::unlimited().await;
    for arn in both(&f).await {
        assert_refused!(
            call!(f, tag_resource, tag(&arn, [pair("100%", "")])),
            "InvalidArgumentException",
            "Some tags contain invalid characters. Valid characters: Unicode letters, digits, white \
             space, _ . : / = + - @."
        );
    }
}

#[tokio::test]
async fn a_policy_is_attached_replaced_given_back_and_removed() {
    let mut f = Fixture::unlimited().await;
    for arn in both(&f).await {
        assert_eq!(policy(&f, &arn).await, "{}");
        let text = format!("Resource {arn} has no policy.");
        let refused = call!(f, delete_resource_policy, delete(&arn));
        assert_refused!(refused, "ResourceNotFoundException", text);
        for given in [POLICY, &POLICY.replace("Allow", "Deny")] {
            call!(f, put_resource_policy, put(&arn, given)).expect("attached");
            f.restart().await;
            assert_eq!(policy(&f, &arn).await, given);
        }
        call!(f, delete_resource_policy, delete(&arn)).expect("removed");
        assert_eq!(policy(&f, &arn).await, "{}");
    }
}

#[tokio::test]
async fn what_is_no_policy_is_refused() {
    let f = Fixture::unlimited().await;
    let [stream, _] = both(&f).await;
    assert_refused!(
        call!(f, put_resource_policy, put(&stream, "{}")),
        "InvalidArgumentException",
        "The policy cannot be attached: it has no Statement."
    );
    assert_eq!(policy(&f, &stream).await, "{}");
}

#[tokio::test]
async fn a_consumer_that_is_not_active_takes_no_policy_and_one_that_leaves_no_tags() {
    let f = slow().await;
    f.create("s", 1).await;
    f.advance_secs(30);
    let register = RegisterStreamConsumerInput {
        consumer_name: "c".into(),
        stream_arn: f.arn("s").to_string(),
        stream_id: None,
        tags: None,
    };
    let registered = call!(f, register_stream_consumer, register).expect("registered");
    let arn = registered.consumer.consumer_arn;
    let text = format!(
        "Consumer c with creation timestamp {} under stream s and account 000000000000 is not in \
         ACTIVE status.",
        f.now().as_secs()
    );
    let refused = call!(f, put_resource_policy, put(&arn, POLICY));
    assert_refused!(refused, "ResourceInUseException", text);
    call!(f, tag_resource, tag(&arn, [pair("a", "")])).expect("tagged while it comes");
    f.advance_secs(30);
    call!(f, put_resource_policy, put(&arn, POLICY)).expect("active");
    let leave = DeregisterStreamConsumerInput {
        consumer_arn: Some(arn.clone()),
        ..DeregisterStreamConsumerInput::default()
    };
    call!(f, deregister_stream_consumer, leave).expect("deregistered");
    let refused = call!(f, tag_resource, tag(&arn, [pair("b", "")]));
    assert_refused!(refused, "ResourceInUseException", text);
    let refused = call!(f, untag_resource, untag(&arn, &["a"]));
    assert_refused!(refused, "ResourceInUseException", text);
    assert_eq!(policy(&f, &arn).await, POLICY, "it can still be looked at");
}

#[tokio::test]
async fn a_stream_that_is_not_active_takes_neither() {
    let f = slow().await;
    f.create("s", 1).await;
    let arn = f.arn("s").to_string();
    let text = "Stream s under account 000000000000 not ACTIVE, instead in state CREATING";
    let refused = call!(f, put_resource_policy, put(&arn, POLICY));
    assert_refused!(refused, "ResourceInUseException", text);
    let refused = call!(f, tag_resource, tag(&arn, [pair("a", "")]));
    assert_refused!(refused, "ResourceInUseException", text);
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let mut f = Fixture::unlimited().await;
    let [stream, consumer] = both(&f).await;
    let queue = "arn:aws:kinesis:us-east-1:000000000000:queue/q".to_owned();
    let other = consumer.replace("consumer/c", "consumer/d");
    let cases = [
        (
            f.arn("t").to_string(),
            "Stream t under account 000000000000 not found.".to_owned(),
        ),
        (
            other,
            "Consumer d of stream s under account 000000000000 not found.".to_owned(),
        ),
        (queue.clone(), format!("Resource {queue} not found.")),
    ];
    for (arn, text) in cases {
        let not_found = "ResourceNotFoundException";
        assert_refused!(
            call!(f, tag_resource, tag(&arn, [pair("a", "")])),
            not_found,
            text
        );
        assert_refused!(
            call!(f, untag_resource, untag(&arn, &["a"])),
            not_found,
            text
        );
        assert_refused!(
            call!(f, put_resource_policy, put(&arn, POLICY)),
            not_found,
            text
        );
        assert_refused!(call!(f, get_resource_policy, get(&arn)), not_found, text);
        assert_refused!(
            call!(f, delete_resource_policy, delete(&arn)),
            not_found,
            text
        );
    }
    let strange = "arn:aws:kinesis:us-east-1:000000000000:stream/a/b";
    assert_refused!(
        call!(f, get_resource_policy, get(strange)),
        "InvalidArgumentException",
        format!("{strange} is not the ARN of a stream or of a consumer.")
    );
    f.caller.account = "111122223333".parse().expect("an account");
    assert_refused!(
        call!(f, get_resource_policy, get(&stream)),
        "AccessDeniedException",
        format!(
            "User: arn:aws:iam::111122223333:root is not authorized to perform: \
             kinesis:GetResourcePolicy on resource: {stream} because no resource-based policy allows \
             the kinesis:GetResourcePolicy action"
        )
    );
}

#[tokio::test]
async fn policies_have_a_rate_for_the_account() {
    let f = Fixture::new().await;
    let [stream, consumer] = both(&f).await;
    for number in 0..5 {
        let arn = if number % 2 == 0 { &stream } else { &consumer };
        policy(&f, arn).await;
    }
    assert_refused!(
        call!(f, get_resource_policy, get(&stream)),
        "LimitExceededException",
        "Rate exceeded for stream s under account 000000000000."
    );
}
