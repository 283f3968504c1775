//! ListTagsForResource:
//! <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_ListTagsForResource.html>.

use tidemill_model::Caller;
use tidemill_shapes::kinesis::{
    ListTagsForResourceError, ListTagsForResourceInput, ListTagsForResourceOutput, Tag,
};

use crate::limits::ControlOperation;
use crate::named_resource::named_resource;
use crate::refused::Refused;
use crate::streams::Streams;

/// Lists the tags of a stream or a consumer in the order of their keys.
pub async fn list_tags_for_resource(
    streams: &Streams,
    caller: &Caller,
    input: ListTagsForResourceInput,
) -> Result<ListTagsForResourceOutput, ListTagsForResourceError> {
    let resource = named_resource(caller, "ListTagsForResource", &input.resource_arn)?;
    streams.admit(ControlOperation::ListTagsForResource, resource.stream())?;
    let tags = streams.catalog(|catalog, now| {
        let (tags, _) = catalog.attached(&resource, now)?;
        let tags = tags.iter().map(|(key, value)| Tag {
            key: key.clone(),
            value: Some(value.clone()),
        });
        Ok::<_, Refused>(tags.collect())
    })?;
    Ok(ListTagsForResourceOutput { tags: Some(tags) })
}
