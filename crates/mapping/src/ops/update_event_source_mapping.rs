//! `UpdateEventSourceMapping`: changes what a mapping is set to, its function, or whether it works.
//!
//! What must hold: the checkpoint stays; what is not named stays as it is. A batch that is being tried
//! again when the change comes is tried under the changed settings, with its count begun anew.

use tidemill_model::Caller;
use tidemill_shapes::lambda::{
    ResourceConflictException, ResourceInUseException, UpdateEventSourceMappingError,
    UpdateEventSourceMappingInput, UpdateEventSourceMappingOutput,
};

use super::checks::{Asked, invalid};
use super::configuration::{changed, existing, exists, missing, storage};
use crate::catalog::{Command, Refused};
use crate::mappings::Mappings;
use crate::parameters::Changes;

/// Changes a mapping.
pub async fn update_event_source_mapping(
    mappings: &Mappings,
    caller: &Caller,
    input: UpdateEventSourceMappingInput,
) -> Result<UpdateEventSourceMappingOutput, UpdateEventSourceMappingError> {
    let (mapping, _) = existing(mappings, caller, &input.uuid)?;
    let changes = checked(mappings, caller, &input)?;
    let delay = mappings.parts().settings.state_delay;
    let command = Command::Update {
        uuid: mapping.uuid,
        changes: Box::new(changes),
        delay,
    };
    match mappings.change(command).await.map_err(storage)? {
        Ok(mapping) => Ok(changed(mappings, mapping)),
        Err(Refused::InUse) => {
            let text = "Cannot update the event source mapping because it is in use.";
            Err(ResourceInUseException::new(text).into())
        }
        Err(Refused::Exists {
            uuid,
            stream,
            function,
        }) => Err(ResourceConflictException::new(exists(&uuid, &stream, &function)).into()),
        Err(Refused::Missing) => Err(missing().into()),
    }
}

fn checked(
    mappings: &Mappings,
    caller: &Caller,
    input: &UpdateEventSourceMappingInput,
) -> Result<Changes, UpdateEventSourceMappingError> {
    let parts = mappings.parts();
    let function = match &input.function_name {
        None => None,
        Some(name) => {
            let facts = parts.invoker.resolve(&caller.account, &caller.region, name);
            let facts = facts.map_err(|_| invalid("Function does not exist"))?;
            Some((facts.arn, facts.role))
        }
    };
    let changes = Asked::from(input).check()?;
    if let Some(destination) = changes.destination.as_deref().filter(|arn| !arn.is_empty()) {
        let supported = parts.destination.supports(destination);
        supported.map_err(|unsupported| invalid(unsupported.reason))?;
    }
    Ok(Changes {
        function,
        enabled: input.enabled,
        ..changes
    })
}
