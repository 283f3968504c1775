//! DeleteFunction: removes a function; what it is running is finished.

use tidemill_model::Caller;
use tidemill_shapes::lambda::{
    DeleteFunctionError, DeleteFunctionInput, DeleteFunctionOutput, InvalidParameterValueException,
};

use crate::catalog::Command;
use crate::functions::Functions;
use crate::{exceptions, function_name};

/// Deletes a function.
pub async fn delete_function(
    functions: &Functions,
    caller: &Caller,
    input: DeleteFunctionInput,
) -> Result<DeleteFunctionOutput, DeleteFunctionError> {
    let qualifier = input.qualifier.as_deref();
    let arn = function_name::place(
        &caller.account,
        &caller.region,
        &input.function_name,
        qualifier,
    )
    .map_err(|cause| exceptions::misnamed::<DeleteFunctionError>(&cause))?;
    if arn.qualifier.is_some() {
        let message = "$LATEST version cannot be deleted without deleting the function.";
        return Err(InvalidParameterValueException::new(message).into());
    }
    let function = arn.clone();
    let outcome = functions.change(&arn, Command::Delete { function }).await;
    outcome
        .map_err(|cause| exceptions::append::<DeleteFunctionError>(&cause))?
        .map_err(|cause| exceptions::refused_unguarded::<DeleteFunctionError>(&cause))?;
    Ok(DeleteFunctionOutput {
        status_code: Some(204),
    })
}
