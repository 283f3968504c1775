//! `GetEventSourceMapping`: one mapping.

use tidemill_model::Caller;
use tidemill_shapes::lambda::{
    GetEventSourceMappingError, GetEventSourceMappingInput, GetEventSourceMappingOutput,
};

use super::configuration::{configuration, existing};
use crate::mappings::Mappings;

/// Shows a mapping.
pub async fn get_event_source_mapping(
    mappings: &Mappings,
    caller: &Caller,
    input: GetEventSourceMappingInput,
) -> Result<GetEventSourceMappingOutput, GetEventSourceMappingError> {
    let (mapping, state) = existing(mappings, caller, &input.uuid)?;
    Ok(configuration(mappings, mapping, state))
}
