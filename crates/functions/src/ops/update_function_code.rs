//! UpdateFunctionCode: another archive for a function, or with `DryRun` only its checks.

use tidemill_model::Caller;
use tidemill_shapes::lambda::{
    PreconditionFailedException, ResourceNotFoundException, UpdateFunctionCodeError,
    UpdateFunctionCodeInput, UpdateFunctionCodeOutput,
};

use crate::catalog::{Changes, Command, Refused};
use crate::described::{self, Shown};
use crate::function_name;
use crate::functions::Functions;
use crate::ops::code;
use crate::{exceptions, requested};

/// Updates a function's code. Environments with the old code finish what they are running.
pub async fn update_function_code(
    functions: &Functions,
    caller: &Caller,
    input: UpdateFunctionCodeInput,
) -> Result<UpdateFunctionCodeOutput, UpdateFunctionCodeError> {
    let arn = function_name::place(&caller.account, &caller.region, &input.function_name, None)
        .map_err(|cause| exceptions::misnamed::<UpdateFunctionCodeError>(&cause))?
        .unqualified();
    let found = functions
        .catalog()
        .read(|catalog| catalog.find(&arn).cloned());
    let Some(current) = found else {
        return Err(ResourceNotFoundException::new(format!("Function not found: {arn}")).into());
    };
    let refused = |cause| exceptions::unacceptable::<UpdateFunctionCodeError>(&cause);
    let zip = requested::updated_zip(&input).map_err(refused)?;
    let architecture = requested::architecture(input.architectures.as_deref()).map_err(refused)?;
    code::checked::<UpdateFunctionCodeError>(zip).await?;
    if input.dry_run == Some(true) {
        let now = functions.now();
        if input
            .revision_id
            .as_deref()
            .is_some_and(|guard| guard != current.revision_id(now))
        {
            return Err(PreconditionFailedException::new(Refused::GuardDiffers.to_string()).into());
        }
        return Ok(described::configuration(&current, Shown::At(now), false));
    }
    let code = code::keep::<UpdateFunctionCodeError>(functions, zip).await?;
    let command = Command::Update {
        function: arn.clone(),
        changes: Box::new(Changes {
            code: Some(code),
            architecture,
            ..Changes::default()
        }),
        guard: input.revision_id,
        revision_ids: functions.revision_ids(),
        settles_after_ms: functions.settles_after_ms(),
    };
    let outcome = functions.change(&arn, command).await;
    let updated = outcome
        .map_err(|cause| exceptions::append::<UpdateFunctionCodeError>(&cause))?
        .map_err(|cause| exceptions::refused::<UpdateFunctionCodeError>(&cause))?;
    Ok(described::configuration(
        &updated,
        Shown::AfterChange,
        false,
    ))
}
