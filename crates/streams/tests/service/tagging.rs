//! AddTagsToStream, RemoveTagsFromStream, ListTagsForStream.

use std::collections::BTreeMap;

use tidemill_shapes::kinesis::*;

use crate::fixture::*;
use crate::{assert_refused, call};

fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(key, value)| ((*key).into(), (*value).into()))
        .collect()
}

fn add(tags: BTreeMap<String, String>) -> AddTagsToStreamInput {
    AddTagsToStreamInput {
        stream_name: Some("s".into()),
        tags,
        ..AddTagsToStreamInput::default()
    }
}

fn remove(keys: &[&str]) -> RemoveTagsFromStreamInput {
    RemoveTagsFromStreamInput {
        stream_name: Some("s".into()),
        tag_keys: keys.iter().map(|key| (*key).into()).collect(),
        ..RemoveTagsFromStreamInput::default()
    }
}

fn list(after: Option<&str>, limit: Option<i32>) -> ListTagsForStreamInput {
    ListTagsForStreamInput {
        stream_name: Some("s".into()),
        exclusive_start_tag_key: after.map(Into::into),
        limit,
        ..ListTagsForStreamInput::default()
    }
}

fn numbered(count: usize) -> BTreeMap<String, String> {
    (0..count)
        .map(|number| (format!("t{number:02}"), String::new()))
        .collect()
}

#[tokio::test]
async fn tags_are_set_replaced_listed_in_pages_and_removed() {
    let f = Fixture::new().await;
    f.create("s", 1).await;
    call!(
        f,
        add_tags_to_stream,
        add(tags(&[("b", "1"), ("a", "1"), ("c", "")]))
    )
    .expect("added");
    call!(f, add_tags_to_stream, add(tags(&[("a", "2")]))).expect("replaced");
    let page = call!(f, list_tags_for_stream, list(None, Some(2))).expect("listed");
    let pairs: Vec<_> = page
        .tags
        .iter()
        .map(|tag| (tag.key.as_str(), tag.value.as_deref()))
        .collect();
    assert_eq!(pairs, [("a", Some("2")), ("b", Some("1"))]);
    assert!(page.has_more_tags);
    let page = call!(f, list_tags_for_stream, list(Some("b"), Some(2))).expect("listed");
    assert_eq!(
        (page.tags[0].key.as_str(), page.has_more_tags),
        ("c", false)
    );
    call!(f, remove_tags_from_stream, remove(&["a", "unknown"])).expect("removed");
    let page = call!(f, list_tags_for_stream, list(None, None)).expect("listed");
    assert_eq!(page.tags.len(), 2);
}

#[tokio::test]
async fn a_stream_has_fifty_tags_at_most() {
    let f = Fixture::new().await;
    f.create("s", 1).await;
    call!(f, add_tags_to_stream, add(numbered(50))).expect("fifty");
    call!(f, add_tags_to_stream, add(numbered(1))).expect("one of them again");
    let text = "Failed to add tags to stream s under account 000000000000 because a given stream \
                cannot have more than 50 tags associated with it.";
    assert_refused!(
        call!(f, add_tags_to_stream, add(tags(&[("x", "")]))),
        "InvalidArgumentException",
        text
    );
    let input = CreateStreamInput {
        tags: Some(numbered(51)),
        ..new_stream("t", 1)
    };
    assert_refused!(
        call!(f, create_stream, input),
        "InvalidArgumentException",
        text.replace("stream s", "stream t")
    );
}

#[tokio::test]
async fn tags_of_illegal_characters_are_refused() {
    let f = Fixture::new().await;
    f.create("s", 1).await;
    for illegal in [tags(&[("a:b", "")]), tags(&[("a", "b,c")])] {
        assert_refused!(
            call!(f, add_tags_to_stream, add(illegal)),
            "InvalidArgumentException",
            "Some tags contain invalid characters. Valid characters: Unicode letters, digits, \
             white space, _ . / = + - % @."
        );
    }
    let percent = |failed: &str| {
        format!(
            "Failed to {failed} stream s under account 000000000000 because some tags contained \
             illegal characters. The allowed characters are Unicode letters, white-spaces, \
             '_',',','/','=','+','-','@'."
        )
    };
    for illegal in [tags(&[("a%", "")]), tags(&[("a", "5 %")])] {
        assert_refused!(
            call!(f, add_tags_to_stream, add(illegal)),
            "InvalidArgumentException",
            percent("add tags to")
        );
    }
    assert_refused!(
        call!(f, remove_tags_from_stream, remove(&["a%"])),
        "InvalidArgumentException",
        percent("remove tags from")
    );
}

#[tokio::test]
async fn tags_of_no_stream_are_not_found() {
    let f = Fixture::new().await;
    let not_found = "Stream s under account 000000000000 not found.";
    assert_refused!(
        call!(f, add_tags_to_stream, add(numbered(1))),
        "ResourceNotFoundException",
        not_found
    );
    assert_refused!(
        call!(f, remove_tags_from_stream, remove(&[";"])),
        "ResourceNotFoundException",
        not_found
    );
    assert_refused!(
        call!(f, list_tags_for_stream, list(None, None)),
        "ResourceNotFoundException",
        not_found
    );
}
