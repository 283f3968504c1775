//! Whether a request was signed by whom it says: [`authenticate`].

use std::borrow::Cow;
use std::time::Duration;

use aws_sigv4::http_request::SignableBody;
use subtle::ConstantTimeEq;
use tidemill_model::{AccountId, Timestamp};

use crate::request::Request;
use crate::sigv4::claim::{Claim, is_presigned, without_claim};
use crate::sigv4::compute::{Signed, Signing, compute};
use crate::sigv4::credentials::{Credentials, Key};
use crate::sigv4::error::Error;
use crate::sigv4::moment;

/// How far a signing time may lie from the server's, either way.
const TOLERANCE: Duration = Duration::from_secs(300);

/// Who sent a request. All fields are `None` when it was not signed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The access key id.
    pub access_key: Option<String>,
    /// The account of the configured key, or the access key itself when it is an account number.
    pub account: Option<AccountId>,
    /// The region the signature names.
    pub region: Option<String>,
    /// The service the signature names.
    pub service: Option<String>,
    /// Whether the signature was checked against a configured secret.
    pub verified: bool,
}

impl Identity {
    /// Refuses `request`, whose identity this is, when it is the empty one.
    pub fn require_claim(&self, request: &Request<'_>) -> Result<(), Error> {
        if *self == Identity::default() {
            return Err(without_claim(request));
        }
        Ok(())
    }

    /// Refuses a verified signature that was made for another service than `expected`.
    pub fn require_service(&self, expected: &str) -> Result<(), Error> {
        if !self.verified || self.service.as_deref() == Some(expected) {
            return Ok(());
        }
        let message = format!("Credential should be scoped to correct service: '{expected}'. ");
        Err(Error::BadScope { message })
    }
}

/// Finds out who sent `request` at `now`.
///
/// With no `credentials` configured every readable claim is believed, and a request without one gives
/// the empty identity; whether that may pass is for the caller to say. With some configured, only a
/// request that one of them signed within five minutes of `now` passes.
pub fn authenticate(
    request: &Request<'_>,
    credentials: &Credentials,
    now: Timestamp,
) -> Result<Identity, Error> {
    let Some(claim) = Claim::read(request)? else {
        let anonymous = credentials.is_empty().then(Identity::default);
        return anonymous.ok_or_else(|| without_claim(request));
    };
    let account = if credentials.is_empty() {
        claim.access_key.parse().ok()
    } else {
        let key = credentials
            .get(&claim.access_key)
            .ok_or(Error::UnknownKey)?;
        verify(request, &claim, key, now)?;
        Some(key.account.clone())
    };
    Ok(Identity {
        access_key: Some(claim.access_key),
        account,
        region: Some(claim.region),
        service: Some(claim.service),
        verified: !credentials.is_empty(),
    })
}

fn verify(request: &Request<'_>, claim: &Claim, key: &Key, now: Timestamp) -> Result<(), Error> {
    let time = signing_time(claim)?;
    check_skew(time, now)?;
    if !claim.signs("host") {
        let message =
            "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.".to_owned();
        return Err(Error::BadScope { message });
    }
    let expected = expected_signature(request, claim, key, time).ok_or(Error::Mismatch)?;
    let equal = expected.as_bytes().ct_eq(claim.signature.as_bytes());
    if bool::from(equal) {
        Ok(())
    } else {
        Err(Error::Mismatch)
    }
}

fn signing_time(claim: &Claim) -> Result<Timestamp, Error> {
    let sent = &claim.signed_at;
    let time = moment::parse(sent).ok_or_else(|| Error::Incomplete {
        message: format!(
            "Date must be in ISO-8601 'basic format'. Got '{sent}'. See \
             http://en.wikipedia.org/wiki/ISO_8601"
        ),
    })?;
    let basic = moment::basic(time);
    if basic[..8] == claim.date {
        return Ok(time);
    }
    let message = format!(
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: \
         '{}' != '{}', from '{basic}'.",
        claim.date,
        &basic[..8]
    );
    Err(Error::BadScope { message })
}

fn check_skew(time: Timestamp, now: Timestamp) -> Result<(), Error> {
    let (earliest, latest) = (now.minus(TOLERANCE), now.plus(TOLERANCE));
    let [signed, now] = [time, now].map(moment::basic);
    // A signing time has whole seconds, so the limits are compared in whole seconds too.
    if time.as_secs() < earliest.as_secs() {
        Err(Error::Expired {
            signed,
            limit: moment::basic(earliest),
            now,
        })
    } else if time.as_secs() > latest.as_secs() {
        Err(Error::NotYetCurrent {
            signed,
            limit: moment::basic(latest),
            now,
        })
    } else {
        Ok(())
    }
}

/// The signature the key gives for what was sent; `None` when it cannot have been signed like this.
fn expected_signature(
    request: &Request<'_>,
    claim: &Claim,
    key: &Key,
    time: Timestamp,
) -> Option<String> {
    let query = request.uri.query().unwrap_or_default();
    // Behind a signature in the header, whatever the query says is signed.
    let query = match is_presigned(request) {
        true => query_without_signature(query),
        false => Cow::Borrowed(query),
    };
    let mut excluded = Vec::new();
    if !claim.signs("x-amz-date") {
        // The library signs the time as a header unless told otherwise; `Date` and the query do not.
        excluded.push(Cow::Borrowed("x-amz-date"));
    }
    let signed = Signed {
        method: request.method.as_str(),
        path: request.uri.path(),
        query: &query,
        headers: signed_headers(request, claim)?,
        body: payload(request, &claim.service),
    };
    let signing = Signing {
        access_key: &claim.access_key,
        secret: &key.secret,
        session_token: None,
        region: &claim.region,
        service: &claim.service,
        time,
        excluded,
    };
    compute(signed, signing)
        .ok()
        .map(|(_, signature)| signature)
}

fn signed_headers<'a>(request: &Request<'a>, claim: &Claim) -> Option<Vec<(&'a str, &'a str)>> {
    let mut headers = vec![("host", request.host()?)];
    for (name, value) in request.headers {
        if name != "host" && claim.signs(name.as_str()) {
            headers.push((name.as_str(), std::str::from_utf8(value.as_bytes()).ok()?));
        }
    }
    Some(headers)
}

/// A presigned address carries its signature in the query it signs, minus the signature itself.
fn query_without_signature(query: &str) -> Cow<'_, str> {
    if !query.contains("X-Amz-Signature=") {
        return Cow::Borrowed(query);
    }
    let kept = query
        .split('&')
        .filter(|pair| !pair.starts_with("X-Amz-Signature="));
    Cow::Owned(kept.collect::<Vec<_>>().join("&"))
}

/// The bytes of the body, whatever hash the client claims for them: a false claim cannot match. Only S3
/// lets a body go unsigned.
fn payload<'a>(request: &Request<'a>, service: &str) -> SignableBody<'a> {
    let claimed = request.header("x-amz-content-sha256");
    match claimed {
        Some("UNSIGNED-PAYLOAD") if service == "s3" => SignableBody::UnsignedPayload,
        _ => SignableBody::Bytes(request.body),
    }
}
