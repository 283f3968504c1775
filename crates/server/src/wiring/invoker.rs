//! Mappings to functions: a mapping invokes as any synchronous caller does.

use bytes::Bytes;

use tidemill_functions::{Functions, Invocation, InvokeFailure};
use tidemill_mapping::ports::{FunctionFacts, Invoked, Invoker, NoFunction};
use tidemill_model::{AccountId, BoxFuture, FunctionArn, Region};

/// The functions that a mapping can name.
pub struct FunctionInvoker {
    /// The functions.
    pub functions: Functions,
}

impl Invoker for FunctionInvoker {
    fn resolve(
        &self,
        account: &AccountId,
        region: &Region,
        name: &str,
    ) -> Result<FunctionFacts, NoFunction> {
        let facts = self.functions.resolve(account, region, name);
        let facts = facts.map_err(|_| NoFunction {
            name: name.to_owned(),
        })?;
        Ok(FunctionFacts {
            arn: facts.arn,
            role: facts.role,
        })
    }

    fn invoke<'a>(
        &'a self,
        function: &'a FunctionArn,
        payload: Bytes,
        request_id: String,
    ) -> BoxFuture<'a, Invoked> {
        Box::pin(async move {
            let invocation = Invocation {
                function: function.clone(),
                payload,
                request_id,
                client_context: None,
                log_tail: false,
            };
            match self.functions.invoke(invocation).await {
                Ok(reply) => Invoked::Answered {
                    status: reply.status_code,
                    executed_version: reply.executed_version,
                    function_error: reply.function_error,
                    payload: reply.payload,
                },
                Err(InvokeFailure::Throttled { .. }) => Invoked::Throttled,
                // A mapping waits for what keeps a function from running, as AWS does, and says what
                // that is. No payload comes here that is too large: mappings keep to that limit.
                Err(failure) => Invoked::Unavailable {
                    determinacy: failure.determinacy(),
                    detail: failure.to_string(),
                },
            }
        })
    }
}
