//! UpdateFunctionConfiguration: changes what it names and leaves the rest.

use tidemill_model::Caller;
use tidemill_shapes::lambda::{
    UpdateFunctionConfigurationError, UpdateFunctionConfigurationInput,
    UpdateFunctionConfigurationOutput,
};

use crate::catalog::Command;
use crate::described::{self, Shown};
use crate::function_name;
use crate::functions::Functions;
use crate::{exceptions, requested};

/// Updates a function's configuration. Environments with the old one finish what they are running.
pub async fn update_function_configuration(
    functions: &Functions,
    caller: &Caller,
    input: UpdateFunctionConfigurationInput,
) -> Result<UpdateFunctionConfigurationOutput, UpdateFunctionConfigurationError> {
    let arn = function_name::place(&caller.account, &caller.region, &input.function_name, None)
        .map_err(|cause| exceptions::misnamed::<UpdateFunctionConfigurationError>(&cause))?
        .unqualified();
    let changes = requested::changes(&input)
        .map_err(|cause| exceptions::unacceptable::<UpdateFunctionConfigurationError>(&cause))?;
    let command = Command::Update {
        function: arn.clone(),
        changes: Box::new(changes),
        guard: input.revision_id,
        revision_ids: functions.revision_ids(),
        settles_after_ms: functions.settles_after_ms(),
    };
    let outcome = functions.change(&arn, command).await;
    let updated = outcome
        .map_err(|cause| exceptions::append::<UpdateFunctionConfigurationError>(&cause))?
        .map_err(|cause| exceptions::refused::<UpdateFunctionConfigurationError>(&cause))?;
    Ok(described::configuration(
        &updated,
        Shown::AfterChange,
        false,
    ))
}
