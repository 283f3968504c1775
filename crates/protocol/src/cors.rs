//! What a browser needs to call from another origin: [`preflight`] and [`expose`].
//!
//! Facts: kinesalite's `index.js`, recorded against production.

use crate::request::Request;
use crate::response::Response;

const EXPOSED: &str =
    "x-amzn-RequestId,x-amzn-ErrorType,x-amz-request-id,x-amz-id-2,x-amzn-ErrorMessage,Date";

/// The answer to `request` when it is a browser's question whether it may call.
pub fn preflight(request: &Request<'_>) -> Option<Response> {
    if request.method != http::Method::OPTIONS || request.header("origin").is_none() {
        return None;
    }
    let mut response = Response::empty(200).with_header("access-control-allow-origin", "*");
    for (asked, answered) in [
        (
            "access-control-request-headers",
            "access-control-allow-headers",
        ),
        (
            "access-control-request-method",
            "access-control-allow-methods",
        ),
    ] {
        if let Some(value) = request.header(asked) {
            response = response.with_header(answered, value);
        }
    }
    Some(response.with_header("access-control-max-age", "172800"))
}

/// `response` with what lets a browser's script read it, when `request` came from one.
pub fn expose(request: &Request<'_>, response: Response) -> Response {
    if request.header("origin").is_none() {
        return response;
    }
    response
        .with_header("access-control-allow-origin", "*")
        .with_header("access-control-expose-headers", EXPOSED)
}
