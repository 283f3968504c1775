//! A request into the input of its operation: [`read`] and [`read_invoke`].

use http::Method;
use serde::de::IgnoredAny;
use serde::de::value::MapDeserializer;
use tidemill_shapes::lambda::InvokeInput;
use tidemill_shapes::rest::{Located, Location};
use tidemill_shapes::wire::{self, FromWire, Refusal};

use crate::request::Request;
use crate::response::Response;
use crate::rest_json::answer::refuse;
use crate::rest_json::merge::{Merged, Outer};
use crate::rest_json::route::Route;

/// The input of an operation whose body, where it has one, is a JSON object of members.
pub fn read<T: FromWire>(route: &Route, request: &Request<'_>) -> Result<T, Response> {
    let located = route.binding.located;
    let outer = outer_members(route, request);
    let carries_members = matches!(*request.method, Method::POST | Method::PUT);
    if !carries_members || request.body.is_empty() || route.binding.payload.is_some() {
        return from_outer(located, outer).map_err(refused);
    }
    let mut body = serde_json::Deserializer::from_slice(request.body);
    let input = wire::from_deserializer(Merged {
        outer,
        located,
        body: &mut body,
    });
    match input {
        Ok(input) if body.end().is_ok() => Ok(input),
        // Whatever was wrong first, a body that is no JSON is refused for that.
        outcome => Err(match serde_json::from_slice::<IgnoredAny>(request.body) {
            Err(error) => {
                let text = format!("Could not parse request body into json: {error}");
                refuse(400, "InvalidRequestContentException", Some(&text))
            }
            Ok(_) => refused(outcome.err().unwrap_or(Refusal::Serialization(None))),
        }),
    }
}

/// The input of `Invoke`: the body is the payload, as it came and not copied.
pub fn read_invoke(route: &Route, request: &Request<'_>) -> Result<InvokeInput, Response> {
    let input: InvokeInput = read(route, request)?;
    let payload = (!request.body.is_empty()).then(|| request.body.clone());
    Ok(InvokeInput { payload, ..input })
}

fn from_outer<T: FromWire>(located: &[Located], outer: Vec<Outer<'_>>) -> Result<T, Refusal> {
    let none = std::iter::empty::<(&str, &str)>();
    let body = MapDeserializer::<_, serde::de::value::Error>::new(none);
    wire::from_deserializer(Merged {
        outer,
        located,
        body,
    })
}

fn refused(refusal: Refusal) -> Response {
    match refusal {
        Refusal::Serialization(text) => refuse(400, "SerializationException", text.as_deref()),
        Refusal::Validation(text) => refuse(400, "ValidationException", Some(&text)),
    }
}

/// The members that are given outside the body. An empty header counts as absent.
fn outer_members<'a>(route: &'a Route, request: &Request<'_>) -> Vec<Outer<'a>> {
    let given = |located: &'a Located| {
        let text = match located.location {
            Location::Uri => {
                let label = route.labels.iter().find(|(name, _)| *name == located.name);
                label.map(|(_, text)| text.clone())
            }
            Location::Query => request
                .query_value(located.name)
                .map(|value| value.into_owned()),
            Location::Header => {
                let value = request
                    .header(located.name)
                    .filter(|value| !value.is_empty());
                value.map(str::to_owned)
            }
        };
        text.map(|text| Outer { located, text })
    };
    route.binding.located.iter().filter_map(given).collect()
}
