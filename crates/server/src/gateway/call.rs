//! One call: who asks for what, and the two seams around what is done for it.

use std::sync::Arc;

use serde::Serialize;

use tidemill_model::fault::{Fault, Faults, Seam};
use tidemill_model::{Caller, Clock};
use tidemill_protocol::aws_json::{self, Dialect};
use tidemill_protocol::request::Request;
use tidemill_protocol::response::Response;
use tidemill_protocol::rest_json::{self, Route};
use tidemill_protocol::sigv4::{self, Identity};
use tidemill_protocol::target::Service;
use tidemill_shapes::wire::FromWire;
use tidemill_shapes::{Failure, OperationError};

use super::identify::Identities;

/// A request on its way to an operation.
pub struct Call<'a> {
    /// The request as it was read.
    pub request: Request<'a>,
    /// Its id; the answer carries it.
    pub request_id: String,
    /// Who signed it, or why that cannot be said.
    pub authenticated: Result<Identity, sigv4::Error>,
    /// Who a caller is to the services.
    pub identities: &'a Identities,
    /// The armed faults.
    pub faults: &'a Faults,
    /// Time, for faults that delay.
    pub clock: &'a Arc<dyn Clock>,
}

impl Call<'_> {
    /// Reads the input of an AWS JSON operation, runs it and writes its answer.
    pub async fn json<I, O, E>(
        self,
        dialect: Dialect,
        operation: impl AsyncFnOnce(&Caller, I) -> Result<O, E>,
    ) -> Response
    where
        I: FromWire,
        O: Serialize,
        E: OperationError,
    {
        match self.run(dialect, operation).await {
            Ok(output) => aws_json::success(dialect, &output),
            Err(refusal) => refusal,
        }
    }

    /// Reads the input of an AWS JSON operation and runs it; gives its output, or the answer when there
    /// is none.
    pub async fn run<I, O, E>(
        self,
        dialect: Dialect,
        operation: impl AsyncFnOnce(&Caller, I) -> Result<O, E>,
    ) -> Result<O, Response>
    where
        I: FromWire,
        E: OperationError,
    {
        let authenticated = scoped(
            self.authenticated,
            &self.request,
            Service::Json(dialect.service),
        );
        let (identity, input) = aws_json::read(dialect, self.request.body, authenticated)?;
        let caller = self.identities.caller(&identity, &self.request_id);
        let seams = Seams {
            faults: self.faults,
            clock: self.clock,
        };
        if seams.fails(Seam::GatewayBeforeCommit).await {
            return Err(aws_json::refuse(dialect, 500, "InternalFailure", None));
        }
        let outcome = operation(&caller, input).await;
        if seams.fails(Seam::GatewayAfterCommit).await {
            return Err(aws_json::refuse(dialect, 500, "InternalFailure", None));
        }
        outcome.map_err(|error| aws_json::failure(dialect, &noted(&error, &caller)))
    }

    /// Reads the input of a REST operation, runs it and writes its answer.
    pub async fn rest<I, O, E>(
        self,
        route: &Route,
        operation: impl AsyncFnOnce(&Caller, I) -> Result<O, E>,
    ) -> Response
    where
        I: FromWire,
        O: Serialize,
        E: OperationError,
    {
        let read = rest_json::read(route, &self.request);
        self.rest_as(read, operation, |output| rest_json::success(route, &output))
            .await
    }

    /// Runs a REST operation on the `input` that was read; `write` makes the answer of its output.
    pub async fn rest_as<I, O, E>(
        self,
        input: Result<I, Response>,
        operation: impl AsyncFnOnce(&Caller, I) -> Result<O, E>,
        write: impl FnOnce(O) -> Response,
    ) -> Response
    where
        E: OperationError,
    {
        let identity = match scoped(self.authenticated, &self.request, Service::Lambda) {
            Ok(identity) => identity,
            Err(error) => return rest_json::unauthenticated(&error),
        };
        let input = match input {
            Ok(input) => input,
            Err(refusal) => return refusal,
        };
        let caller = self.identities.caller(&identity, &self.request_id);
        let seams = Seams {
            faults: self.faults,
            clock: self.clock,
        };
        if seams.fails(Seam::GatewayBeforeCommit).await {
            return rest_json::refuse(500, "ServiceException", None);
        }
        let outcome = operation(&caller, input).await;
        if seams.fails(Seam::GatewayAfterCommit).await {
            return rest_json::refuse(500, "ServiceException", None);
        }
        match outcome {
            Ok(output) => write(output),
            Err(error) => rest_json::failure(&noted(&error, &caller)),
        }
    }
}

/// The identity, when its signature was made for `service`. Any made-up key will do while none are
/// configured, but AWS answers nobody who did not sign at all.
fn scoped(
    authenticated: Result<Identity, sigv4::Error>,
    request: &Request<'_>,
    service: Service,
) -> Result<Identity, sigv4::Error> {
    let identity = authenticated?;
    identity.require_claim(request)?;
    identity.require_service(service.signing_name())?;
    Ok(identity)
}

/// How `error` looks on the wire. What is ours to blame is logged here, where it is handled.
fn noted(error: &impl OperationError, caller: &Caller) -> Failure {
    let failure = error.failure();
    if !failure.sender {
        tracing::error!(request_id = %caller.request_id, ?error, "an operation failed inside");
    }
    failure
}

struct Seams<'a> {
    faults: &'a Faults,
    clock: &'a Arc<dyn Clock>,
}

impl Seams<'_> {
    /// Whether the answer is to be a failure at `seam`; a delay has passed when it completes.
    async fn fails(&self, seam: Seam) -> bool {
        match self.faults.at(seam) {
            None => false,
            Some(Fault::Fail | Fault::LoseAnswer) => true,
            Some(Fault::Delay(duration)) => {
                self.clock
                    .sleep_until(self.clock.now().plus(duration))
                    .await;
                false
            }
        }
    }
}
