//! The signature a secret gives for a request: the only place that calls `aws-sigv4`.
//!
//! What must hold: no input makes the library panic. It expects a host, a time that its calendar
//! knows, and a query that still fits an address after it is encoded anew; all three are seen to here.

use std::borrow::Cow;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_credential_types::Credentials as AwsCredentials;
use aws_sigv4::http_request::{
    PercentEncodingMode, SignableBody, SignableRequest, SigningInstructions, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use tidemill_model::Timestamp;

/// An address may have 65,534 bytes; encoding anew makes at most three bytes of one.
const TARGET_BYTES_MAX: usize = 60_000;

/// The last second the library's calendar knows: 9999-12-31T23:59:59Z.
const TIME_MAX: Timestamp = Timestamp::from_secs(253_402_300_799);

/// The request could not be brought into the form that is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unsignable;

/// What a signature is made of, besides the request.
pub(super) struct Signing<'a> {
    pub access_key: &'a str,
    pub secret: &'a str,
    pub session_token: Option<&'a str>,
    pub region: &'a str,
    pub service: &'a str,
    pub time: Timestamp,
    /// Headers that are given but not signed.
    pub excluded: Vec<Cow<'static, str>>,
}

/// What is signed of a request.
pub(super) struct Signed<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub query: &'a str,
    /// Must contain `host`.
    pub headers: Vec<(&'a str, &'a str)>,
    pub body: SignableBody<'a>,
}

/// The signature of `request`, and the headers that carry it.
pub(super) fn compute(
    request: Signed<'_>,
    signing: Signing<'_>,
) -> Result<(SigningInstructions, String), Unsignable> {
    let Signed {
        method,
        path,
        query,
        headers,
        body,
    } = request;
    let has_host = headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("host"));
    let too_long = path.len() + 3 * query.len() > TARGET_BYTES_MAX || !query.is_ascii();
    if !has_host || too_long || signing.time > TIME_MAX {
        return Err(Unsignable);
    }
    // The host that is signed is the header; this one only makes the address whole.
    let address = format!("http://host{path}?{query}");
    let identity = AwsCredentials::new(
        signing.access_key,
        signing.secret,
        signing.session_token.map(str::to_owned),
        None,
        "tidemill",
    )
    .into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(signing.region)
        .name(signing.service)
        .time(system_time(signing.time))
        .settings(settings(signing.service, signing.excluded))
        .build()
        .map_err(|_| Unsignable)?
        .into();
    let request = SignableRequest::new(method, address, headers.into_iter(), body);
    let output = sign(request.map_err(|_| Unsignable)?, &params).map_err(|_| Unsignable)?;
    Ok(output.into_parts())
}

/// S3 signs the path as it stands; every other service encodes the encoded path once more.
fn settings(service: &str, excluded: Vec<Cow<'static, str>>) -> SigningSettings {
    let mut settings = SigningSettings::default();
    settings.excluded_headers = Some(excluded);
    if service == "s3" {
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    }
    settings
}

fn system_time(time: Timestamp) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(time.as_secs())
}
