//! `CreateEventSourceMapping`: connects a stream to a function.
//!
//! What must hold: when it has answered, nothing that is put into the stream is skipped, whatever the
//! starting position; unless settings make the creation take its time, as AWS does.

use tidemill_model::source::SourceError;
use tidemill_model::{Caller, Determinacy, Timestamp};
use tidemill_shapes::StorageFailure;
use tidemill_shapes::lambda::{
    CreateEventSourceMappingError, CreateEventSourceMappingInput, CreateEventSourceMappingOutput,
    EventSourcePosition, InvalidParameterValueException, ResourceConflictException,
};

use super::checks::{Asked, invalid, stream};
use super::configuration::{changed, exists, missing, storage};
use crate::catalog::{Change, Mapping, Refused, StartingPosition};
use crate::mappings::Mappings;
use crate::parameters::Parameters;

/// Creates a mapping and starts it.
pub async fn create_event_source_mapping(
    mappings: &Mappings,
    caller: &Caller,
    input: CreateEventSourceMappingInput,
) -> Result<CreateEventSourceMappingOutput, CreateEventSourceMappingError> {
    let mapping = checked(mappings, caller, input)?;
    let created = mappings.create(mapping).await.map_err(storage)?;
    match created {
        Ok(mapping) => Ok(changed(mappings, mapping)),
        Err(Refused::Exists {
            uuid,
            stream,
            function,
        }) => Err(ResourceConflictException::new(exists(&uuid, &stream, &function)).into()),
        Err(Refused::Missing | Refused::InUse) => Err(missing().into()),
    }
}

fn checked(
    mappings: &Mappings,
    caller: &Caller,
    input: CreateEventSourceMappingInput,
) -> Result<Mapping, CreateEventSourceMappingError> {
    let parts = mappings.parts();
    let source_arn = match (&input.event_source_arn, &input.self_managed_event_source) {
        (Some(arn), _) => arn,
        (None, None) => return Err(invalid("Unrecognized event source.").into()),
        (None, Some(_)) => {
            return Err(invalid(
                "SelfManagedEventSource is not supported by this version of Tidemill.",
            )
            .into());
        }
    };
    let stream = stream(source_arn)?;
    let function = parts
        .invoker
        .resolve(&caller.account, &caller.region, &input.function_name)
        .map_err(|_| invalid("Function does not exist"))?;
    let starting_position = starting_position(&input, parts.clock.now())?;
    parts
        .source
        .incarnation(&stream)
        .map_err(|error| match error {
            SourceError::NoStream { .. } | SourceError::NoShard { .. } => {
                invalid(format!("Stream not found: {source_arn}")).into()
            }
            SourceError::Storage { detail, .. } => {
                CreateEventSourceMappingError::from(StorageFailure {
                    detail,
                    determinacy: Determinacy::Determinate,
                })
            }
        })?;
    let changes = Asked::from(&input).check()?;
    let mut parameters = Parameters::default();
    changes.apply_to(&mut parameters);
    if let Some(destination) = parameters.destination() {
        let supported = parts.destination.supports(destination);
        supported.map_err(|unsupported| invalid(unsupported.reason))?;
    }
    Ok(Mapping {
        uuid: parts.entropy.uuid(),
        account: caller.account.clone(),
        region: caller.region.clone(),
        stream,
        function: function.arn,
        role: function.role,
        starting_position,
        enabled: input.enabled.unwrap_or(true),
        parameters,
        tags: input.tags.unwrap_or_default(),
        change: Change::Creating,
        last_modified: Timestamp::EPOCH,
        settled_at: Timestamp::EPOCH,
    })
}

fn starting_position(
    input: &CreateEventSourceMappingInput,
    now: Timestamp,
) -> Result<StartingPosition, InvalidParameterValueException> {
    let required = |member: &str| {
        invalid(format!(
            "1 validation error detected: Value null at '{member}' failed to satisfy constraint: \
             Member must not be null."
        ))
    };
    let position = input
        .starting_position
        .ok_or_else(|| required("startingPosition"))?;
    match (position, input.starting_position_timestamp) {
        (EventSourcePosition::TrimHorizon, None) => Ok(StartingPosition::TrimHorizon),
        (EventSourcePosition::Latest, None) => Ok(StartingPosition::Latest),
        (EventSourcePosition::AtTimestamp, None) => Err(required("startingPositionTimestamp")),
        (EventSourcePosition::AtTimestamp, Some(at)) if at > now => Err(invalid(
            "StartingPositionTimestamp must not be in the future.",
        )),
        (EventSourcePosition::AtTimestamp, Some(at)) => Ok(StartingPosition::AtTimestamp(at)),
        (EventSourcePosition::TrimHorizon | EventSourcePosition::Latest, Some(_)) => Err(invalid(
            "StartingPositionTimestamp can be given only with StartingPosition AT_TIMESTAMP.",
        )),
    }
}
