//! CreateFunction: checks what is asked for, keeps the archive, and enters the function.

use tidemill_model::Caller;
use tidemill_shapes::lambda::{
    CreateFunctionError, CreateFunctionInput, CreateFunctionOutput, InvalidParameterValueException,
};

use crate::catalog::Command;
use crate::configuration::Code;
use crate::described::{self, Shown};
use crate::function_name;
use crate::functions::Functions;
use crate::ops::code;
use crate::{exceptions, requested};

/// Creates a function.
pub async fn create_function(
    functions: &Functions,
    caller: &Caller,
    input: CreateFunctionInput,
) -> Result<CreateFunctionOutput, CreateFunctionError> {
    let arn = function_name::place(&caller.account, &caller.region, &input.function_name, None)
        .map_err(|cause| exceptions::misnamed::<CreateFunctionError>(&cause))?;
    if arn.name.len() > 64 || arn.qualifier.is_some() {
        let message = "A new function's name has at most 64 characters and no qualifier.";
        return Err(InvalidParameterValueException::new(message).into());
    }
    let refused = |cause| exceptions::unacceptable::<CreateFunctionError>(&cause);
    let zip = requested::created_zip(&input).map_err(refused)?;
    let tags = requested::tags(&input).map_err(refused)?;
    let without_code = Code {
        blob: String::new(),
        size: 0,
    };
    let mut configuration = requested::configuration(&input, arn, without_code).map_err(refused)?;
    code::checked::<CreateFunctionError>(zip).await?;
    configuration.code = code::keep::<CreateFunctionError>(functions, zip).await?;
    let command = Command::Create {
        configuration: Box::new(configuration),
        tags,
        revision_ids: functions.revision_ids(),
        settles_after_ms: functions.settles_after_ms(),
    };
    let outcome = functions.catalog().submit(command).await;
    let created = outcome
        .map_err(|cause| exceptions::append::<CreateFunctionError>(&cause))?
        .map_err(|cause| exceptions::refused_unguarded::<CreateFunctionError>(&cause))?;
    Ok(described::configuration(
        &created,
        Shown::AfterChange,
        false,
    ))
}
