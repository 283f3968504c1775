//! A body into the input of its operation: [`read`].

use tidemill_shapes::wire::{self, FromWire, Refusal};

use crate::aws_json::answer::{refuse, unauthenticated};
use crate::json;
use crate::response::Response;
use crate::sigv4::{self, Identity};
use crate::target::JsonService;

/// The caller and the input of a request, or the first refusal in the service's order: a body that is
/// not one object, then authentication, then types, then constraints.
pub fn read<T: FromWire>(
    service: JsonService,
    body: &[u8],
    authenticated: Result<Identity, sigv4::Error>,
) -> Result<(Identity, T), Response> {
    let input = wire::from_json(body);
    if input.is_err() && !json::is_object(body) {
        return Err(refuse(service, 400, "SerializationException", None));
    }
    let identity = authenticated.map_err(|error| unauthenticated(service, &error))?;
    match input {
        Ok(input) => Ok((identity, input)),
        Err(Refusal::Serialization(text)) => Err(refuse(
            service,
            400,
            "SerializationException",
            text.as_deref(),
        )),
        Err(Refusal::Validation(text)) => {
            Err(refuse(service, 400, "ValidationException", Some(&text)))
        }
    }
}
