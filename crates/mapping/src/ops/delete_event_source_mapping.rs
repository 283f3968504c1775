//! `DeleteEventSourceMapping`: ends a mapping and forgets its account.

use tidemill_model::Caller;
use tidemill_shapes::lambda::{
    DeleteEventSourceMappingError, DeleteEventSourceMappingInput, DeleteEventSourceMappingOutput,
    ResourceInUseException,
};

use super::configuration::{changed, existing, missing, storage};
use crate::catalog::{Command, Refused};
use crate::mappings::Mappings;

/// Deletes a mapping. An invocation that runs is waited for in the background.
pub async fn delete_event_source_mapping(
    mappings: &Mappings,
    caller: &Caller,
    input: DeleteEventSourceMappingInput,
) -> Result<DeleteEventSourceMappingOutput, DeleteEventSourceMappingError> {
    let (mapping, _) = existing(mappings, caller, &input.uuid)?;
    let delay = mappings.parts().settings.state_delay;
    let command = Command::Delete {
        uuid: mapping.uuid,
        delay,
    };
    match mappings.change(command).await.map_err(storage)? {
        Ok(mapping) => Ok(changed(mappings, mapping)),
        Err(Refused::InUse) => {
            let text = "Cannot delete the event source mapping because it is in use.";
            Err(ResourceInUseException::new(text).into())
        }
        Err(Refused::Missing | Refused::Exists { .. }) => Err(missing().into()),
    }
}
