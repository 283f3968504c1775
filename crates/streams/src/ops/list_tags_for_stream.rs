//! ListTagsForStream:
//! <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_ListTagsForStream.html>.

use tidemill_model::Caller;
use tidemill_shapes::kinesis::{
    ListTagsForStreamError, ListTagsForStreamInput, ListTagsForStreamOutput, Tag,
};

use crate::describe::page;
use crate::limits::{ControlOperation, TAGS_MAX};
use crate::streams::{Streams, named_stream};

/// Lists the tags of a stream in the order of their keys.
pub async fn list_tags_for_stream(
    streams: &Streams,
    caller: &Caller,
    input: ListTagsForStreamInput,
) -> Result<ListTagsForStreamOutput, ListTagsForStreamError> {
    let (name, arn) = (input.stream_name.as_deref(), input.stream_arn.as_deref());
    let stream = named_stream(caller, "ListTagsForStream", name, arn)?;
    streams.admit(ControlOperation::ListTagsForStream, &stream)?;
    let after = input.exclusive_start_tag_key;
    let tags_max = page(input.limit, TAGS_MAX);
    let mut tags: Vec<Tag> = streams.stream(&stream, |stream, _| {
        let wanted = stream
            .tags
            .iter()
            .filter(|(key, _)| after.as_ref().is_none_or(|after| *key > after));
        let tags = wanted.take(tags_max + 1);
        Ok(tags
            .map(|(key, value)| Tag {
                key: key.clone(),
                value: Some(value.clone()),
            })
            .collect())
    })?;
    let has_more_tags = tags.len() > tags_max;
    tags.truncate(tags_max);
    Ok(ListTagsForStreamOutput {
        tags,
        has_more_tags,
    })
}
