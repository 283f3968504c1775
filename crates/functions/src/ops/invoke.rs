//! Invoke: runs a function now, queues it for later, or only says whether it could be run.

use bytes::Bytes;
use serde::de::IgnoredAny;

use tidemill_model::{Caller, FunctionArn};
use tidemill_shapes::StorageFailure;
use tidemill_shapes::lambda::{
    InvalidParameterValueException, InvalidRequestContentException, InvocationType, InvokeError,
    InvokeInput, InvokeOutput, LogType, RequestTooLargeException, ResourceConflictException,
    ResourceNotFoundException, ThrottleReason, TooManyRequestsException,
};

use crate::catalog::NotServing;
use crate::functions::Functions;
use crate::invocation::{Invocation, InvokeFailure};
use crate::limits::CLIENT_CONTEXT_BYTES_MAX;
use crate::payload_check::{self, Refused};
use crate::queue::{Command, Outcome};
use crate::{exceptions, function_name};

/// Invokes a function. The request's id is what the function sees as its own.
pub async fn invoke(
    functions: &Functions,
    caller: &Caller,
    input: InvokeInput,
) -> Result<InvokeOutput, InvokeError> {
    let qualifier = input.qualifier.as_deref();
    let arn = function_name::place(
        &caller.account,
        &caller.region,
        &input.function_name,
        qualifier,
    )
    .map_err(|cause| exceptions::misnamed::<InvokeError>(&cause))?;
    for (parameter, given) in [
        ("TenantId", input.tenant_id.is_some()),
        (
            "DurableExecutionName",
            input.durable_execution_name.is_some(),
        ),
    ] {
        if given {
            let message = format!(
                "The parameter {parameter} is not supported by this version of Tidemill: leave it out."
            );
            return Err(InvalidParameterValueException::new(message).into());
        }
    }
    let kind = input
        .invocation_type
        .unwrap_or(InvocationType::RequestResponse);
    let payload = payload_check::check(input.payload, kind == InvocationType::Event);
    let payload = payload.map_err(|cause| refused(&cause))?;
    match kind {
        InvocationType::DryRun => {
            servable(functions, &arn)?;
            Ok(status(204))
        }
        InvocationType::Event => {
            servable(functions, &arn)?;
            enqueue(functions, arn, caller.request_id.clone(), &payload).await?;
            Ok(status(202))
        }
        InvocationType::RequestResponse => {
            let invocation = Invocation {
                function: arn,
                payload,
                request_id: caller.request_id.clone(),
                client_context: client_context(input.client_context.as_deref())?,
                log_tail: input.log_type == Some(LogType::Tail),
            };
            let reply = functions.invoke(invocation).await.map_err(failed)?;
            Ok(InvokeOutput {
                status_code: Some(reply.status_code.into()),
                function_error: reply.function_error,
                log_result: reply.log_tail,
                payload: Some(reply.payload),
                executed_version: Some(reply.executed_version),
                ..InvokeOutput::default()
            })
        }
    }
}

fn status(code: i32) -> InvokeOutput {
    InvokeOutput {
        status_code: Some(code),
        ..InvokeOutput::default()
    }
}

fn refused(cause: &Refused) -> InvokeError {
    match cause {
        Refused::TooLarge(_) => RequestTooLargeException::new(cause.to_string()).into(),
        Refused::NotJson(_) => InvalidRequestContentException::new(cause.to_string()).into(),
    }
}

fn servable(functions: &Functions, arn: &FunctionArn) -> Result<(), InvokeError> {
    let now = functions.now();
    match functions
        .catalog()
        .read(|catalog| catalog.serving(arn, now))
    {
        Ok(_) => Ok(()),
        Err(NotServing::NotFound) => Err(failed(InvokeFailure::NoFunction {
            function: arn.clone(),
        })),
        Err(NotServing::Pending) => Err(failed(InvokeFailure::NotReady)),
    }
}

fn failed(failure: InvokeFailure) -> InvokeError {
    let message = failure.to_string();
    match failure {
        InvokeFailure::Throttled { reason } => throttled(reason).into(),
        InvokeFailure::NoFunction { .. } => ResourceNotFoundException::new(message).into(),
        InvokeFailure::NotReady => ResourceConflictException::new(message).into(),
        InvokeFailure::Service {
            detail,
            determinacy,
        } => StorageFailure {
            detail,
            determinacy,
        }
        .into(),
    }
}

fn throttled(reason: ThrottleReason) -> TooManyRequestsException {
    TooManyRequestsException {
        reason: Some(reason.as_str().to_owned()),
        retry_after_seconds: Some("1".to_owned()),
        ..TooManyRequestsException::new("Rate Exceeded.")
    }
}

/// Queues an invocation; durable when it completes.
async fn enqueue(
    functions: &Functions,
    function: FunctionArn,
    request_id: String,
    payload: &Bytes,
) -> Result<(), InvokeError> {
    let payload = String::from_utf8_lossy(payload).into_owned();
    let command = Command::Enqueue {
        function,
        request_id,
        payload,
    };
    let outcome = functions.enqueue(command).await;
    match outcome.map_err(|cause| exceptions::append::<InvokeError>(&cause))? {
        Outcome::Queued(..) => Ok(()),
        Outcome::Full => Err(throttled(ThrottleReason::ConcurrentInvocationLimitExceeded).into()),
        Outcome::Recorded => unreachable!("the outcome of another command"),
    }
}

/// The client context as the runtime gets it: JSON without line ends, which no header can carry.
fn client_context(encoded: Option<&str>) -> Result<Option<String>, InvokeError> {
    let Some(encoded) = encoded.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let bad = || {
        let message = format!(
            "Client context must be valid Base64-encoded JSON of at most {CLIENT_CONTEXT_BYTES_MAX} bytes."
        );
        InvokeError::from(InvalidRequestContentException::new(message))
    };
    if encoded.len() > CLIENT_CONTEXT_BYTES_MAX {
        return Err(bad());
    }
    let bytes = base64_simd::STANDARD
        .decode_to_vec(encoded)
        .map_err(|_| bad())?;
    let text = String::from_utf8(bytes).map_err(|_| bad())?;
    serde_json::from_str::<IgnoredAny>(&text).map_err(|_| bad())?;
    // Line ends stand only between the tokens of JSON text; a space does there as well.
    Ok(Some(text.replace(['\r', '\n', '\t'], " ")))
}
