//! A body into the input of its operation: [`read`].

use bytes::Bytes;
use tidemill_shapes::wire::{FromWire, Refusal};

use crate::aws_json::answer::{refuse, unauthenticated};
use crate::aws_json::dialect::Dialect;
use crate::response::Response;
use crate::sigv4::{self, Identity};

/// The caller and the input of a request, or the first refusal in the service's order: a body that is
/// not one object, then authentication, then types, then constraints.
pub fn read<T: FromWire>(
    dialect: Dialect,
    body: &Bytes,
    authenticated: Result<Identity, sigv4::Error>,
) -> Result<(Identity, T), Response> {
    let input = dialect.encoding.read(body);
    if input.is_err() && !dialect.encoding.is_object(body) {
        return Err(refuse(dialect, 400, "SerializationException", None));
    }
    let identity = authenticated.map_err(|error| unauthenticated(dialect, &error))?;
    match input {
        Ok(input) => Ok((identity, input)),
        Err(Refusal::Serialization(text)) => Err(refuse(
            dialect,
            400,
            "SerializationException",
            text.as_deref(),
        )),
        Err(Refusal::Validation(text)) => {
            Err(refuse(dialect, 400, "ValidationException", Some(&text)))
        }
    }
}
