//! GetFunction: a function's description, its tags and where its code is kept.

use tidemill_model::Caller;
use tidemill_shapes::lambda::{
    FunctionCodeLocation, GetFunctionError, GetFunctionInput, GetFunctionOutput,
    ResourceNotFoundException,
};

use crate::described::{self, Shown};
use crate::functions::Functions;
use crate::{exceptions, function_name};

/// Describes a function; its archive can be fetched from the address that is given.
pub async fn get_function(
    functions: &Functions,
    caller: &Caller,
    input: GetFunctionInput,
) -> Result<GetFunctionOutput, GetFunctionError> {
    let qualifier = input.qualifier.as_deref();
    let arn = function_name::place(
        &caller.account,
        &caller.region,
        &input.function_name,
        qualifier,
    )
    .map_err(|cause| exceptions::misnamed::<GetFunctionError>(&cause))?;
    let Some(function) = functions
        .catalog()
        .read(|catalog| catalog.find(&arn).cloned())
    else {
        return Err(ResourceNotFoundException::new(format!("Function not found: {arn}")).into());
    };
    let shown = Shown::At(functions.now());
    let configuration = described::configuration(&function, shown, arn.qualifier.is_some());
    Ok(GetFunctionOutput {
        configuration: Some(configuration),
        code: Some(FunctionCodeLocation {
            repository_type: Some("S3".to_owned()),
            location: functions.code_address(&function.latest.configuration.code),
            ..FunctionCodeLocation::default()
        }),
        tags: Some(function.tags).filter(|tags| !tags.is_empty()),
        ..GetFunctionOutput::default()
    })
}
