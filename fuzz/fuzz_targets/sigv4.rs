//! Requests of strangers through [`Claim::read`] and [`authenticate`].
//!
//! What must hold: nothing brings them down; what is believed without keys is what the claim says; no
//! request passes where a key is configured, for the fuzzer does not know its secret; and what we sign
//! with it ourselves does pass. The input is a request as HTTP/1.1 writes it, with plain line ends and
//! without the version.

#![no_main]

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use libfuzzer_sys::fuzz_target;
use tidemill_model::Timestamp;
use tidemill_protocol::request::Request;
use tidemill_protocol::sigv4::{Claim, Credentials, Key, Signer, authenticate, sign};

/// 2015-08-30T12:36:00Z, which the seeds carry.
const NOW: Timestamp = Timestamp::from_secs(1_440_938_160);

const SIGNER: Signer<'static> = Signer {
    access_key: "AKIDEXAMPLE",
    secret: "no seed is signed with this",
    region: "us-east-1",
    service: "kinesis",
};

fuzz_target!(|data: &[u8]| {
    if let Some(sent) = Sent::read(data) {
        believe(&sent.request());
        assert!(authenticate(&sent.request(), &configured(), NOW).is_err());
        verify(sent);
    }
});

struct Sent {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
}

impl Sent {
    fn read(data: &[u8]) -> Option<Sent> {
        let mut lines = data.split(|byte| *byte == b'\n');
        let mut first = lines.next()?.splitn(2, |byte| *byte == b' ');
        let method = Method::from_bytes(first.next()?).ok()?;
        let uri = Uri::try_from(first.next()?).ok()?;
        let mut headers = HeaderMap::new();
        for line in lines.by_ref().take_while(|line| !line.is_empty()) {
            let colon = line.iter().position(|byte| *byte == b':')?;
            let name = HeaderName::from_bytes(&line[..colon]).ok()?;
            let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?;
            headers.append(name, value);
        }
        let body = lines.collect::<Vec<_>>().join(&b'\n').into();
        Some(Sent {
            method,
            uri,
            headers,
            body,
        })
    }

    fn request(&self) -> Request<'_> {
        Request {
            method: &self.method,
            uri: &self.uri,
            headers: &self.headers,
            body: &self.body,
        }
    }
}

fn configured() -> Credentials {
    let key = Key {
        secret: SIGNER.secret.to_owned(),
        account: "123456789012".parse().expect("twelve digits"),
    };
    Credentials::from_iter([(SIGNER.access_key.to_owned(), key)])
}

/// Without keys every claim that can be read is believed.
fn believe(request: &Request<'_>) {
    let claim = Claim::read(request);
    let identity = authenticate(request, &Credentials::default(), NOW);
    match (claim, identity) {
        (Ok(Some(claim)), Ok(identity)) => {
            assert_eq!(identity.access_key, Some(claim.access_key));
            assert_eq!(identity.region, Some(claim.region));
            assert!(!identity.verified);
        }
        (Ok(None), Ok(identity)) => assert_eq!(identity.access_key, None),
        (Err(_), Err(_)) => {}
        (claim, identity) => panic!("{claim:?} gives {identity:?}"),
    }
}

/// A request that has no signature yet passes with ours.
fn verify(mut sent: Sent) {
    for name in ["authorization", "x-amz-date"] {
        sent.headers.remove(name);
    }
    // A query that carries parts of a signature is signed anew by no client, and read as one it is refused.
    if sent
        .uri
        .query()
        .is_some_and(|query| query.contains("X-Amz-"))
    {
        return;
    }
    let Ok(added) = sign(&sent.request(), &SIGNER, NOW) else {
        return;
    };
    sent.headers.extend(added);
    let identity = authenticate(&sent.request(), &configured(), NOW);
    assert!(identity.is_ok_and(|identity| identity.verified));
}
