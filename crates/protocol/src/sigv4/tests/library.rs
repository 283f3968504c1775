//! Signatures as the library makes them in ways that we do not: in the query, and without the body.

use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials as AwsCredentials;
use aws_sigv4::http_request::{
    SignableBody, SignableRequest, SignatureLocation, SigningInstructions, SigningSettings, sign,
};
use aws_sigv4::sign::v4;

use super::*;

const HEADERS: [(&str, &str); 1] = [("host", "example.com")];

fn instructions(
    service: &str,
    settings: SigningSettings,
    headers: &[(&str, &str)],
    body: SignableBody<'_>,
) -> SigningInstructions {
    let identity = AwsCredentials::new(SIGNER.access_key, SIGNER.secret, None, None, "t").into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(SIGNER.region)
        .name(service)
        .time(UNIX_EPOCH + Duration::from_secs(NOW.as_secs()))
        .settings(settings)
        .build()
        .unwrap()
        .into();
    let headers = headers.iter().copied();
    let request = SignableRequest::new("POST", "http://example.com/", headers, body).unwrap();
    sign(request, &params).unwrap().into_parts().0
}

#[test]
fn a_presigned_address_covers_the_body_that_is_sent_to_it() {
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(Duration::from_secs(3600));
    let made = instructions("kinesis", settings, &HEADERS, SignableBody::Bytes(b"{}"));
    let pairs = made.params().iter().map(|(name, value)| (*name, value));
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish();
    let address = format!("/?{query}");
    let with = |body| Sent::new("POST", &address, &HEADERS, body).outcome(NOW);
    assert!(with("{}").unwrap().verified);
    assert_eq!(with("{ }"), Err(Error::Mismatch));
    let later = NOW.plus(Duration::from_secs(301));
    let late = Sent::new("POST", &address, &HEADERS, "{}").outcome(later);
    assert!(matches!(late, Err(Error::Expired { .. })));
}

#[test]
fn a_body_may_go_unsigned_to_s3_only() {
    let headers = [HEADERS[0], ("x-amz-content-sha256", "UNSIGNED-PAYLOAD")];
    for (service, expected) in [("s3", Ok(true)), ("kinesis", Err(Error::Mismatch))] {
        let settings = SigningSettings::default();
        let body = SignableBody::UnsignedPayload;
        let made = instructions(service, settings, &headers, body);
        let mut sent = Sent::new("POST", "/", &headers, "anything");
        for header in made
            .headers()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
        {
            let name = http::HeaderName::from_bytes(header.0.as_bytes()).unwrap();
            sent.headers
                .insert(name, HeaderValue::from_str(&header.1).unwrap());
        }
        let outcome = sent.outcome(NOW).map(|identity| identity.verified);
        assert_eq!(outcome, expected, "{service}");
    }
}
