//! CreateQueue: a queue under a name, with settings. Creating it again with the same settings gives the
//! same queue.

use tidemill_model::{Caller, QueueArn};
use tidemill_shapes::sqs::{
    CreateQueueError, CreateQueueInput, CreateQueueOutput, InvalidAttributeName,
    InvalidAttributeValue, QueueNameExists, UnsupportedOperation, ValidationException,
};

use crate::catalog::{Command, Outcome};
use crate::limits;
use crate::open_queue::{QueueError, storage_failure};
use crate::queues::Queues;
use crate::settings::{self, SettingsError};
use crate::url;

/// Creates a queue, or gives the one that is there.
///
/// # Errors
/// When the name or a setting is not accepted, a queue of the name differs, or the storage fails.
pub async fn create_queue(
    queues: &Queues,
    caller: &Caller,
    base_url: &str,
    input: CreateQueueInput,
) -> Result<CreateQueueOutput, CreateQueueError> {
    check_name(&input.queue_name)?;
    if input.tags.is_some_and(|tags| !tags.is_empty()) {
        return Err(UnsupportedOperation::new("The parameter tags is not supported.").into());
    }
    let requested = settings::read(&input.attributes.unwrap_or_default()).map_err(not_accepted)?;
    let arn = QueueArn {
        region: caller.region.clone(),
        account: caller.account.clone(),
        name: input.queue_name,
    };
    let requested = requested.into_iter().collect();
    let command = Command::Create {
        arn: arn.clone(),
        requested,
    };
    let created = queues.catalog().submit(command).await;
    match created.map_err(|error| storage_failure(&error))? {
        Outcome::Exists(_) => {}
        Outcome::Differs(setting) => return Err(differs(setting.as_str()).into()),
        outcome @ (Outcome::Deleted(_) | Outcome::Missing) => {
            unreachable!("creating came to {outcome:?}")
        }
    }
    // Opened here, so that the first message does not pay for it.
    match queues.find(&arn).await {
        // Somebody has deleted it since: it was created all the same.
        Ok(_) | Err(QueueError::Gone) => {}
        Err(QueueError::Storage(failure)) => return Err(failure.into()),
    }
    Ok(CreateQueueOutput {
        queue_url: Some(url::of(base_url, &arn)),
    })
}

fn check_name(name: &str) -> Result<(), CreateQueueError> {
    if name.ends_with(".fifo") {
        let message = format!("FIFO queues are not supported: {name}");
        return Err(UnsupportedOperation::new(message).into());
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if name.is_empty() || name.len() > limits::NAME_CHARS_MAX || !name.bytes().all(allowed) {
        let message = "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in \
                       length";
        return Err(ValidationException::new(message).into());
    }
    Ok(())
}

fn not_accepted(error: SettingsError) -> CreateQueueError {
    let message = error.to_string();
    match error {
        SettingsError::UnknownName { .. } | SettingsError::Unsupported { .. } => {
            InvalidAttributeName::new(message).into()
        }
        SettingsError::Value { .. } => InvalidAttributeValue::new(message).into(),
    }
}

fn differs(setting: &str) -> QueueNameExists {
    QueueNameExists::new(format!(
        "A queue already exists with the same name and a different value for attribute {setting}"
    ))
}
