//! GetFunctionConfiguration: a function's description alone.

use tidemill_model::Caller;
use tidemill_shapes::lambda::{
    GetFunctionConfigurationError, GetFunctionConfigurationInput, GetFunctionConfigurationOutput,
    ResourceNotFoundException,
};

use crate::described::{self, Shown};
use crate::functions::Functions;
use crate::{exceptions, function_name};

/// Describes a function.
pub async fn get_function_configuration(
    functions: &Functions,
    caller: &Caller,
    input: GetFunctionConfigurationInput,
) -> Result<GetFunctionConfigurationOutput, GetFunctionConfigurationError> {
    let qualifier = input.qualifier.as_deref();
    let arn = function_name::place(
        &caller.account,
        &caller.region,
        &input.function_name,
        qualifier,
    )
    .map_err(|cause| exceptions::misnamed::<GetFunctionConfigurationError>(&cause))?;
    let Some(function) = functions
        .catalog()
        .read(|catalog| catalog.find(&arn).cloned())
    else {
        return Err(ResourceNotFoundException::new(format!("Function not found: {arn}")).into());
    };
    let shown = Shown::At(functions.now());
    Ok(described::configuration(
        &function,
        shown,
        arn.qualifier.is_some(),
    ))
}
