//! ReceiveMessage: messages for the caller, hidden from all others for the visibility timeout.
//!
//! Waits for a message when asked to, and answers at once when the queue is deleted meanwhile.

use std::collections::BTreeMap;
use std::pin::pin;
use std::time::Duration;

use tidemill_model::Caller;
use tidemill_shapes::sqs::{
    Message, MessageAttributeValue, OverLimit, ReceiveMessageError, ReceiveMessageInput,
    ReceiveMessageOutput,
};

use crate::digest;
use crate::limits;
use crate::message::{Attribute, Value};
use crate::open_queue::OpenQueue;
use crate::parameters::{refuse_fifo, within};
use crate::queues::{Queues, no_such_queue};
use crate::receipt::Receipt;
use crate::visibility::Received;

/// What a caller wants of each receive.
struct Demand {
    count_max: usize,
    hide_for: Duration,
    wait: Duration,
}

/// Receives up to ten messages.
///
/// # Errors
/// When the queue does not exist, a number is out of bounds, or too many messages are in flight.
pub async fn receive_message(
    queues: &Queues,
    caller: &Caller,
    input: ReceiveMessageInput,
) -> Result<ReceiveMessageOutput, ReceiveMessageError> {
    let queue = queues
        .at::<ReceiveMessageError>(caller, &input.queue_url)
        .await?;
    let demand = demand(&queue, &input)?;
    queue.expire(queues.now()).await;
    let received = wait_for(queues, &queue, &demand).await?;
    let number = queue.listed().number;
    let shown = Shown::new(&input);
    let messages = received.into_iter().map(|one| {
        let receipt = Receipt {
            queue: number,
            key: one.key,
            nonce: queues.entropy().next_u64(),
        };
        shown.message(receipt, one)
    });
    let messages: Vec<Message> = messages.collect();
    Ok(ReceiveMessageOutput {
        messages: (!messages.is_empty()).then_some(messages),
    })
}

fn demand(queue: &OpenQueue, input: &ReceiveMessageInput) -> Result<Demand, ReceiveMessageError> {
    refuse_fifo(
        "ReceiveRequestAttemptId",
        input.receive_request_attempt_id.as_ref(),
    )?;
    let settings = queue.listed().settings;
    let bounds = limits::RECEIVED_MESSAGES;
    let count_max = within(
        "MaxNumberOfMessages",
        input.max_number_of_messages,
        bounds,
        bounds.default,
    )?;
    let hide_secs = within(
        "VisibilityTimeout",
        input.visibility_timeout,
        limits::VISIBILITY_TIMEOUT_SECS,
        settings.visibility_timeout_secs,
    )?;
    let wait_secs = within(
        "WaitTimeSeconds",
        input.wait_time_seconds,
        limits::WAIT_SECS,
        settings.wait_secs,
    )?;
    Ok(Demand {
        count_max: count_max as usize,
        hide_for: Duration::from_secs(hide_secs.into()),
        wait: Duration::from_secs(wait_secs.into()),
    })
}

async fn wait_for(
    queues: &Queues,
    queue: &OpenQueue,
    demand: &Demand,
) -> Result<Vec<Received>, ReceiveMessageError> {
    let deadline = queues.now().plus(demand.wait);
    loop {
        // Listening begins before looking, so that nothing arrives in between unheard.
        let mut changed = pin!(queue.changed());
        changed.as_mut().enable();
        if queue.is_gone() {
            return Err(no_such_queue().into());
        }
        let now = queues.now();
        let received = queue.receive(now, demand.count_max, demand.hide_for);
        let received = received.map_err(|_| OverLimit::new(TOO_MANY_IN_FLIGHT))?;
        if !received.is_empty() || now >= deadline {
            return Ok(received);
        }
        let wake_at = queue
            .next_visible_at()
            .map_or(deadline, |at| at.min(deadline));
        tokio::select! {
            () = changed => {}
            () = queues.clock().sleep_until(wake_at) => {}
        }
    }
}

const TOO_MANY_IN_FLIGHT: &str = "Too many messages are in flight: delete what has been received.";

/// Which attributes a caller wants to see.
struct Shown<'a> {
    system: Vec<&'a str>,
    senders: &'a [String],
}

impl Shown<'_> {
    fn new(input: &ReceiveMessageInput) -> Shown<'_> {
        let new_names = input.message_system_attribute_names.iter().flatten();
        let old_names = input.attribute_names.iter().flatten();
        let system = new_names
            .map(|name| name.as_str())
            .chain(old_names.map(|name| name.as_str()));
        Shown {
            system: system.collect(),
            senders: input.message_attribute_names.as_deref().unwrap_or_default(),
        }
    }

    fn message(&self, receipt: Receipt, received: Received) -> Message {
        let attributes = self.system_attributes(&received);
        let message = received.message;
        let senders: BTreeMap<String, Attribute> = message
            .content
            .attributes
            .into_iter()
            .filter(|(name, _)| self.senders.iter().any(|wanted| is_wanted(wanted, name)))
            .collect();
        let sum = digest::of_attributes(senders.iter().map(|(name, value)| (name.as_str(), value)));
        let senders: BTreeMap<String, MessageAttributeValue> = senders
            .into_iter()
            .map(|(name, value)| (name, written(value)))
            .collect();
        Message {
            attributes: (!attributes.is_empty()).then_some(attributes),
            md5_of_body: Some(digest::of_body(&message.content.body)),
            body: Some(message.content.body),
            md5_of_message_attributes: sum,
            message_attributes: (!senders.is_empty()).then_some(senders),
            message_id: Some(message.id),
            receipt_handle: Some(receipt.to_string()),
        }
    }

    fn system_attributes(&self, received: &Received) -> BTreeMap<String, String> {
        let message = &received.message;
        let trace_header =
            message
                .content
                .trace_header
                .as_ref()
                .map(|header| match &header.value {
                    Value::Text(text) => text.clone(),
                    Value::Binary(_) => {
                        unreachable!("a trace header is a text, or it is not accepted")
                    }
                });
        let all = [
            ("SenderId", Some(message.sender.clone())),
            (
                "SentTimestamp",
                Some(message.sent_at.as_millis().to_string()),
            ),
            (
                "ApproximateReceiveCount",
                Some(received.receive_count.to_string()),
            ),
            (
                "ApproximateFirstReceiveTimestamp",
                Some(received.first_received_at.as_millis().to_string()),
            ),
            ("AWSTraceHeader", trace_header),
        ];
        let is_wanted = |name| self.system.contains(&name) || self.system.contains(&"All");
        all.into_iter()
            .filter(|(name, _)| is_wanted(*name))
            .filter_map(|(name, value)| Some((name.to_owned(), value?)))
            .collect()
    }
}

/// `All` and `.*` want every attribute, `prefix.*` those that begin with `prefix`.
fn is_wanted(wanted: &str, name: &str) -> bool {
    match wanted.strip_suffix(".*") {
        Some(prefix) => name.starts_with(prefix),
        None => wanted == "All" || wanted == name,
    }
}

fn written(attribute: Attribute) -> MessageAttributeValue {
    let (string_value, binary_value) = match attribute.value {
        Value::Text(text) => (Some(text), None),
        Value::Binary(bytes) => (None, Some(bytes)),
    };
    MessageAttributeValue {
        data_type: attribute.data_type,
        string_value,
        binary_value,
        ..MessageAttributeValue::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_asked_for_by_name_by_prefix_or_all() {
        for (wanted, name, expected) in [
            ("All", "a", true),
            (".*", "a", true),
            ("a", "a", true),
            ("a", "ab", false),
            ("bar.*", "bar.x", true),
            ("bar.*", "barx", true),
            ("bar.*", "ba", false),
        ] {
            assert_eq!(is_wanted(wanted, name), expected, "{wanted} {name}");
        }
    }
}
