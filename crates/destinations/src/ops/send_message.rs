//! SendMessage: a message is in the queue, durably, when it is answered.

use std::collections::BTreeMap;

use bytes::Bytes;

use tidemill_model::Caller;
use tidemill_shapes::sqs::{
    InvalidMessageContents, MessageAttributeValue, MessageSystemAttributeValue, SendMessageError,
    SendMessageInput, SendMessageOutput, ValidationException,
};

use crate::content::{self, ContentError};
use crate::digest;
use crate::limits;
use crate::message::{Attribute, Content, Value};
use crate::parameters::{refuse_fifo, within};
use crate::queue::Command;
use crate::queues::{Queues, refused};

/// The only system attribute that a sender can set.
const TRACE_HEADER: &str = "AWSTraceHeader";

/// Sends a message.
///
/// # Errors
/// When the queue does not exist, the message is not accepted, or the storage fails.
pub async fn send_message(
    queues: &Queues,
    caller: &Caller,
    input: SendMessageInput,
) -> Result<SendMessageOutput, SendMessageError> {
    let queue = queues
        .at::<SendMessageError>(caller, &input.queue_url)
        .await?;
    let settings = queue.listed().settings;
    refuse_fifo(
        "MessageDeduplicationId",
        input.message_deduplication_id.as_ref(),
    )?;
    // Fair queues take it on standard queues too; ours have no tenants.
    refuse_fifo("MessageGroupId", input.message_group_id.as_ref())?;
    let delay_secs = within(
        "DelaySeconds",
        input.delay_seconds,
        limits::DELAY_SECS,
        settings.delay_secs,
    )?;
    let content = Content {
        body: input.message_body,
        attributes: senders_attributes(input.message_attributes.unwrap_or_default())?,
        trace_header: trace_header(input.message_system_attributes.unwrap_or_default())?,
    };
    content::check(&content, settings.message_bytes_max).map_err(not_accepted)?;

    let id = queues.entropy().uuid();
    let attributes = content
        .attributes
        .iter()
        .map(|(name, value)| (name.as_str(), value));
    let system_attributes = content
        .trace_header
        .iter()
        .map(|value| (TRACE_HEADER, value));
    let output = SendMessageOutput {
        md5_of_message_body: Some(digest::of_body(&content.body)),
        md5_of_message_attributes: digest::of_attributes(attributes),
        md5_of_message_system_attributes: digest::of_attributes(system_attributes),
        message_id: Some(id.clone()),
        sequence_number: None,
    };
    let sender = caller.account.to_string();
    let command = Command::Send {
        id,
        once: false,
        sender,
        delay_secs,
        content,
    };
    queue
        .send(command)
        .await
        .map_err(refused::<SendMessageError>)?;
    Ok(output)
}

fn senders_attributes(
    given: BTreeMap<String, MessageAttributeValue>,
) -> Result<BTreeMap<String, Attribute>, SendMessageError> {
    let read = |(name, given): (String, MessageAttributeValue)| {
        let lists = given
            .string_list_values
            .is_some_and(|list| !list.is_empty())
            || given
                .binary_list_values
                .is_some_and(|list| !list.is_empty());
        let attribute = attribute(
            &name,
            given.data_type,
            given.string_value,
            given.binary_value,
            lists,
        )?;
        Ok((name, attribute))
    };
    given.into_iter().map(read).collect()
}

fn trace_header(
    given: BTreeMap<String, MessageSystemAttributeValue>,
) -> Result<Option<Attribute>, SendMessageError> {
    let mut header = None;
    for (name, given) in given {
        if name != TRACE_HEADER || given.data_type != "String" {
            let message = format!(
                "Message system attribute name '{name}' of type '{}' is invalid. Valid is \
                 AWSTraceHeader of type String.",
                given.data_type
            );
            return Err(ValidationException::new(message).into());
        }
        let read = attribute(
            &name,
            given.data_type,
            given.string_value,
            given.binary_value,
            false,
        )?;
        content::check_attribute(&name, &read).map_err(not_accepted)?;
        header = Some(read);
    }
    Ok(header)
}

fn attribute(
    name: &str,
    data_type: String,
    text: Option<String>,
    bytes: Option<Bytes>,
    lists: bool,
) -> Result<Attribute, SendMessageError> {
    let value = match (text, bytes) {
        (Some(text), None) if !lists => Value::Text(text),
        (None, Some(bytes)) if !lists => Value::Binary(bytes),
        _ => {
            let message = format!(
                "The message attribute '{name}' must have one of StringValue and BinaryValue; lists are \
                 not supported."
            );
            return Err(ValidationException::new(message).into());
        }
    };
    Ok(Attribute { data_type, value })
}

fn not_accepted(error: ContentError) -> SendMessageError {
    let message = error.to_string();
    match error {
        ContentError::Characters => InvalidMessageContents::new(message).into(),
        ContentError::NoBody
        | ContentError::TooLong { .. }
        | ContentError::TooManyAttributes { .. }
        | ContentError::AttributeName { .. }
        | ContentError::AttributeType { .. }
        | ContentError::AttributeValue { .. }
        | ContentError::NotANumber { .. } => ValidationException::new(message).into(),
    }
}
