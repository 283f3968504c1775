//! Signing our own requests: [`sign`].

use aws_sigv4::http_request::{SignableBody, SigningSettings};
use http::{HeaderName, HeaderValue};
use thiserror::Error;
use tidemill_model::Timestamp;

use crate::request::Request;
use crate::sigv4::compute::{Signed, Signing, compute};

/// A request that cannot be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the request cannot be signed: it lacks a host, or its address or a header is malformed")]
pub struct Unsignable;

/// Who signs, and for what.
#[derive(Clone, Copy)]
pub struct Signer<'a> {
    /// The access key id.
    pub access_key: &'a str,
    /// The secret that belongs to it.
    pub secret: &'a str,
    /// The region of the credential scope.
    pub region: &'a str,
    /// The service of the credential scope (`kinesis`, `lambda`, `sqs`).
    pub service: &'a str,
}

/// The headers that make `request` a signed one when they are added to it: `x-amz-date` and
/// `authorization`. All headers it has are signed, except those that change on the way.
pub fn sign(
    request: &Request<'_>,
    signer: &Signer<'_>,
    now: Timestamp,
) -> Result<Vec<(HeaderName, HeaderValue)>, Unsignable> {
    let mut headers = vec![("host", request.host().ok_or(Unsignable)?)];
    for (name, value) in request.headers {
        if name != "host" {
            let value = std::str::from_utf8(value.as_bytes()).map_err(|_| Unsignable)?;
            headers.push((name.as_str(), value));
        }
    }
    let signed = Signed {
        method: request.method.as_str(),
        path: request.uri.path(),
        query: request.uri.query().unwrap_or_default(),
        headers,
        body: SignableBody::Bytes(request.body),
    };
    let signing = Signing {
        access_key: signer.access_key,
        secret: signer.secret,
        session_token: None,
        region: signer.region,
        service: signer.service,
        time: now,
        excluded: SigningSettings::default()
            .excluded_headers
            .unwrap_or_default(),
    };
    let (instructions, _) = compute(signed, signing).map_err(|_| Unsignable)?;
    let (headers, _) = instructions.into_parts();
    let parse = |name: &'static str, value: &str| {
        Some((
            HeaderName::from_static(name),
            HeaderValue::from_str(value).ok()?,
        ))
    };
    let headers = headers
        .iter()
        .map(|header| parse(header.name(), header.value()));
    headers.collect::<Option<Vec<_>>>().ok_or(Unsignable)
}
