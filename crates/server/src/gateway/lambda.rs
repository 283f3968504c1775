//! Lambda: functions and event source mappings, every operation of the model to its function, without
//! a wildcard.

use tidemill_functions::ops as functions;
use tidemill_mapping::ops as mappings;
use tidemill_protocol::response::Response;
use tidemill_protocol::rest_json::{self, Route};
use tidemill_shapes::lambda::Operation;

use crate::wiring::services::Services;

use super::call::Call;

/// Answers a request to Lambda.
pub async fn answer(services: &Services, call: Call<'_>) -> Response {
    let Some(route) = rest_json::route(&call.request) else {
        return rest_json::unknown();
    };
    match route.operation {
        Operation::Invoke => invoke(services, call, &route).await,
        Operation::CreateEventSourceMapping
        | Operation::DeleteEventSourceMapping
        | Operation::GetEventSourceMapping
        | Operation::ListEventSourceMappings
        | Operation::UpdateEventSourceMapping => mapping(services, call, &route).await,
        Operation::CreateFunction
        | Operation::DeleteFunction
        | Operation::GetFunction
        | Operation::GetFunctionConfiguration
        | Operation::ListFunctions
        | Operation::UpdateFunctionCode
        | Operation::UpdateFunctionConfiguration => function(services, call, &route).await,
        Operation::Unsupported(name) => rest_json::unsupported(name),
    }
}

async fn invoke(services: &Services, call: Call<'_>, route: &Route) -> Response {
    let input = rest_json::read_invoke(route, &call.request);
    let run = async |caller: &_, input| functions::invoke(&services.functions, caller, input).await;
    call.rest_as(input, run, rest_json::invoked).await
}

async fn function(services: &Services, call: Call<'_>, route: &Route) -> Response {
    macro_rules! run {
        ($($operation:ident => $function:ident),* $(,)?) => {
            match route.operation {
                $(Operation::$operation => {
                    call.rest(route, async |caller, input| {
                        functions::$function(&services.functions, caller, input).await
                    })
                    .await
                })*
                other => unreachable!("{} is not an operation on functions", other.name()),
            }
        };
    }
    run! {
        CreateFunction => create_function,
        DeleteFunction => delete_function,
        GetFunction => get_function,
        GetFunctionConfiguration => get_function_configuration,
        ListFunctions => list_functions,
        UpdateFunctionCode => update_function_code,
        UpdateFunctionConfiguration => update_function_configuration,
    }
}

async fn mapping(services: &Services, call: Call<'_>, route: &Route) -> Response {
    macro_rules! run {
        ($($operation:ident => $function:ident),* $(,)?) => {
            match route.operation {
                $(Operation::$operation => {
                    call.rest(route, async |caller, input| {
                        mappings::$function(&services.mappings, caller, input).await
                    })
                    .await
                })*
                other => unreachable!("{} is not an operation on mappings", other.name()),
            }
        };
    }
    run! {
        CreateEventSourceMapping => create_event_source_mapping,
        DeleteEventSourceMapping => delete_event_source_mapping,
        GetEventSourceMapping => get_event_source_mapping,
        ListEventSourceMappings => list_event_source_mappings,
        UpdateEventSourceMapping => update_event_source_mapping,
    }
}
