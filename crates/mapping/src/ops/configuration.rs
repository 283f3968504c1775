//! A mapping as the API shows it, and the answers that several operations give.
//!
//! What must hold: exactly the fields that AWS shows for a Kinesis mapping.

use tidemill_log::AppendError;
use tidemill_model::Caller;
use tidemill_shapes::StorageFailure;
use tidemill_shapes::lambda::{
    DestinationConfig, EventSourceMappingConfiguration, EventSourcePosition, FunctionResponseType,
    OnFailure, ResourceNotFoundException,
};

use crate::catalog::{Mapping, StartingPosition};
use crate::mappings::Mappings;

/// `mapping` as the API shows it, in `state`.
pub fn configuration(
    mappings: &Mappings,
    mapping: Mapping,
    state: &str,
) -> EventSourceMappingConfiguration {
    let (position, timestamp) = match mapping.starting_position {
        StartingPosition::TrimHorizon => (EventSourcePosition::TrimHorizon, None),
        StartingPosition::Latest => (EventSourcePosition::Latest, None),
        StartingPosition::AtTimestamp(at) => (EventSourcePosition::AtTimestamp, Some(at)),
    };
    let parameters = &mapping.parameters;
    let shown = |number: u32| i32::try_from(number).ok();
    let response_types = match parameters.report_item_failures {
        true => vec![FunctionResponseType::ReportBatchItemFailures],
        false => Vec::new(),
    };
    let destination = parameters.destination().map(str::to_owned);
    EventSourceMappingConfiguration {
        event_source_mapping_arn: Some(mapping.arn()),
        starting_position: Some(position),
        starting_position_timestamp: timestamp,
        batch_size: shown(parameters.batch_size),
        maximum_batching_window_in_seconds: shown(parameters.batching_window_secs),
        parallelization_factor: Some(1),
        event_source_arn: Some(mapping.stream.to_string()),
        function_arn: Some(mapping.function.to_string()),
        last_modified: Some(mapping.last_modified),
        last_processing_result: Some(mappings.last_processing_result(&mapping)),
        state: Some(state.to_owned()),
        state_transition_reason: Some("User action".to_owned()),
        destination_config: Some(DestinationConfig {
            on_failure: Some(OnFailure { destination }),
            on_success: None,
        }),
        maximum_record_age_in_seconds: Some(parameters.record_age_secs_max),
        bisect_batch_on_function_error: Some(parameters.bisect),
        maximum_retry_attempts: Some(parameters.retries_max),
        tumbling_window_in_seconds: Some(0),
        function_response_types: Some(response_types),
        uuid: Some(mapping.uuid),
        ..EventSourceMappingConfiguration::default()
    }
}

/// `mapping` as the operation that has just changed it answers: in the state of the change.
pub fn changed(mappings: &Mappings, mapping: Mapping) -> EventSourceMappingConfiguration {
    let state = mapping.change.as_str();
    configuration(mappings, mapping, state)
}

/// The caller's mapping `uuid` and its state; AWS's exception when there is none.
pub fn existing(
    mappings: &Mappings,
    caller: &Caller,
    uuid: &str,
) -> Result<(Mapping, &'static str), ResourceNotFoundException> {
    let now = mappings.parts().clock.now();
    let mapping = mappings
        .get(uuid, now)
        .filter(|mapping| is_of(mapping, caller));
    mapping
        .and_then(|mapping| mapping.state(now).map(|state| (mapping, state)))
        .ok_or_else(missing)
}

/// Whether `mapping` belongs to the caller's account and region.
pub fn is_of(mapping: &Mapping, caller: &Caller) -> bool {
    mapping.account == caller.account && mapping.region == caller.region
}

/// AWS's exception for a mapping that does not exist.
pub fn missing() -> ResourceNotFoundException {
    ResourceNotFoundException::new("The resource you requested does not exist.")
}

/// AWS's text for a second mapping of a stream and a function.
pub fn exists(uuid: &str, stream: &str, function: &str) -> String {
    format!(
        "The event source arn (\" {stream} \") and function (\" {function} \") provided mapping \
         already exists. Please update or delete the existing mapping with UUID {uuid}"
    )
}

/// The log failed below an operation.
pub fn storage(error: AppendError) -> StorageFailure {
    StorageFailure {
        determinacy: error.determinacy(),
        detail: error.to_string(),
    }
}
