//! GetQueueAttributes: what a queue obeys and how many messages it has.
//!
//! An attribute of SQS that our queues do not have is not set, and so left out of the answer.

use std::collections::BTreeMap;

use tidemill_model::Caller;
use tidemill_shapes::sqs::{
    GetQueueAttributesError, GetQueueAttributesInput, GetQueueAttributesOutput,
    InvalidAttributeName,
};

use crate::catalog::Listed;
use crate::queues::{Queues, arn_at};
use crate::settings::{self, Setting};
use crate::visibility::Counts;

/// The attributes of a queue that are asked for.
///
/// # Errors
/// When the queue or an attribute does not exist.
pub async fn get_queue_attributes(
    queues: &Queues,
    caller: &Caller,
    input: GetQueueAttributesInput,
) -> Result<GetQueueAttributesOutput, GetQueueAttributesError> {
    let queue = queues
        .at::<GetQueueAttributesError>(caller, &input.queue_url)
        .await?;
    let arn = arn_at(&caller.region, &input.queue_url)?.to_string();
    let all = all_attributes(arn, queue.listed(), queue.counts(queues.now()));
    let names = input.attribute_names.unwrap_or_default();
    let mut attributes = BTreeMap::new();
    for name in names.iter().map(|name| name.as_str()) {
        if name == "All" {
            attributes = all;
            break;
        }
        match all.get(name) {
            Some(value) => drop(attributes.insert(name.to_owned(), value.clone())),
            None if settings::is_unsupported(name) => {}
            None => {
                let message = format!("Unknown Attribute {name}.");
                return Err(InvalidAttributeName::new(message).into());
            }
        }
    }
    let attributes = (!attributes.is_empty()).then_some(attributes);
    Ok(GetQueueAttributesOutput { attributes })
}

fn all_attributes(arn: String, listed: &Listed, counts: Counts) -> BTreeMap<String, String> {
    let created_at = listed.created_at.as_secs().to_string();
    let given = [
        ("QueueArn", arn),
        ("CreatedTimestamp", created_at.clone()),
        ("LastModifiedTimestamp", created_at),
        ("ApproximateNumberOfMessages", counts.visible.to_string()),
        (
            "ApproximateNumberOfMessagesNotVisible",
            counts.in_flight.to_string(),
        ),
        (
            "ApproximateNumberOfMessagesDelayed",
            counts.delayed.to_string(),
        ),
    ];
    let set =
        Setting::ALL.map(|setting| (setting.as_str(), listed.settings.get(setting).to_string()));
    given
        .into_iter()
        .chain(set)
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}
