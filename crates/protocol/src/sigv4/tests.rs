//! AWS's own vectors, round trips, and what must not pass.

use bytes::Bytes;
use http::{HeaderValue, Method};
use proptest::prelude::*;
use tidemill_model::Timestamp;

use super::*;
use crate::sent::Sent;

mod library;

impl Sent {
    fn signed(mut self, signer: &Signer<'_>, now: Timestamp) -> Sent {
        for (name, value) in sign(&self.request(), signer, now).unwrap() {
            self.headers.insert(name, value);
        }
        self
    }

    fn outcome(&self, now: Timestamp) -> Result<Identity, Error> {
        authenticate(&self.request(), &configured(), now)
    }
}

const SIGNER: Signer<'static> = Signer {
    access_key: "AKIDEXAMPLE",
    secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    region: "us-east-1",
    service: "kinesis",
};

/// 2015-08-30T12:36:00Z, the time of AWS's vectors.
const NOW: Timestamp = Timestamp::from_secs(1_440_938_160);

const SCOPE: &str = "AKIDEXAMPLE/20150830/us-east-1/service/aws4_request";

fn configured() -> Credentials {
    let account = "123456789012".parse().unwrap();
    let key = Key {
        secret: SIGNER.secret.to_owned(),
        account,
    };
    Credentials::from_iter([(SIGNER.access_key.to_owned(), key)])
}

fn put() -> Sent {
    Sent::new(
        "POST",
        "/",
        &[
            ("host", "127.0.0.1:4566"),
            ("x-amz-target", "Kinesis_20131202.ListStreams"),
        ],
        "{}",
    )
}

struct Vector {
    name: &'static str,
    method: &'static str,
    target: &'static str,
    headers: &'static [(&'static str, &'static str)],
    body: &'static str,
    signed: &'static str,
    signature: &'static str,
}

/// From the signing test suite that AWS publishes (Apache-2.0).
const VECTORS: &[Vector] = &[
    Vector {
        name: "get-header-key-duplicate",
        method: "GET",
        target: "/",
        headers: &[
            ("my-header1", "value2"),
            ("my-header1", "value2"),
            ("my-header1", "value1"),
        ],
        body: "",
        signed: "host;my-header1;x-amz-date",
        signature: "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea",
    },
    Vector {
        name: "get-header-value-order",
        method: "GET",
        target: "/",
        headers: &[
            ("my-header1", "value4"),
            ("my-header1", "value1"),
            ("my-header1", "value3"),
            ("my-header1", "value2"),
        ],
        body: "",
        signed: "host;my-header1;x-amz-date",
        signature: "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01",
    },
    Vector {
        name: "get-header-value-trim",
        method: "GET",
        target: "/",
        headers: &[("my-header1", " value1"), ("my-header2", " \"a   b   c\"")],
        body: "",
        signed: "host;my-header1;my-header2;x-amz-date",
        signature: "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
    },
    Vector {
        name: "get-relative-normalized",
        method: "GET",
        target: "/example/..",
        headers: &[],
        body: "",
        signed: "host;x-amz-date",
        signature: "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    },
    Vector {
        name: "get-relative-relative-normalized",
        method: "GET",
        target: "/example1/example2/../..",
        headers: &[],
        body: "",
        signed: "host;x-amz-date",
        signature: "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    },
    Vector {
        name: "get-slash-dot-slash-normalized",
        method: "GET",
        target: "/./",
        headers: &[],
        body: "",
        signed: "host;x-amz-date",
        signature: "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    },
    Vector {
        name: "get-slash-normalized",
        method: "GET",
        target: "//",
        headers: &[],
        body: "",
        signed: "host;x-amz-date",
        signature: "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    },
    Vector {
        name: "get-slash-pointless-dot-normalized",
        method: "GET",
        target: "/./example",
        headers: &[],
        body: "",
        signed: "host;x-amz-date",
        signature: "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5",
    },
    Vector {
        name: "get-slashes-normalized",
        method: "GET",
        target: "//example//",
        headers: &[],
        body: "",
        signed: "host;x-amz-date",
        signature: "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84",
    },
    Vector {
        name: "get-unreserved",
        method: "GET",
        target: "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
        headers: &[],
        body: "",
        signed: "host;x-amz-date",
        signature: "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f",
    },
    Vector {
        name: "get-vanilla",
        method: "GET",
        target: "/",
        headers: &[],
        body: "",
        signed: "host;x-amz-date",
        signature: "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    },
    Vector {
        name: "get-vanilla-empty-query-key",
        method: "GET",
        target: "/?Param1=value1",
        headers: &[],
        body: "",
        signed: "host;x-amz-date",
        signature: "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb",
    },
    Vector {
        name: "get-vanilla-query",
        method: "GET",
        target: "/",
        headers: &[],
        body: "",
        signed: "host;x-amz-date",
        signature: "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    },
    Vector {
        name: "get-vanilla-query-order-encoded",
        method: "GET",
        target: "/?Param-3=Value3&Param=Value2&%E1%88%B4=Value1",
        headers: &[],
        body: "",
        signed: "host;x-amz-date",
        signature: "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac",
    },
    Vector {
        name: "get-vanilla-query-order-key-case",
        method: "GET",
        target: "/?Param2=value2&Param1=value1",
        headers: &[],
        body: "",
        signed: "host;x-amz-date",
        signature: "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
    },
    Vector {
        name: "get-vanilla-query-unreserved",
        method: "GET",
        target: "/?-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz=-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
        headers: &[],
        body: "",
        signed: "host;x-amz-date",
        signature: "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197",
    },
    Vector {
        name: "get-vanilla-with-session-token",
        method: "GET",
        target: "/",
        headers: &[(
            "x-amz-security-token",
            "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267",
        )],
        body: "",
        signed: "host;x-amz-date;x-amz-security-token",
        signature: "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8",
    },
    Vector {
        name: "post-header-key-case",
        method: "POST",
        target: "/",
        headers: &[],
        body: "",
        signed: "host;x-amz-date",
        signature: "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
    },
    Vector {
        name: "post-header-key-sort",
        method: "POST",
        target: "/",
        headers: &[("my-header1", "value1")],
        body: "",
        signed: "host;my-header1;x-amz-date",
        signature: "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c",
    },
    Vector {
        name: "post-header-value-case",
        method: "POST",
        target: "/",
        headers: &[("my-header1", "VALUE1")],
        body: "",
        signed: "host;my-header1;x-amz-date",
        signature: "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d",
    },
    Vector {
        name: "post-vanilla",
        method: "POST",
        target: "/",
        headers: &[],
        body: "",
        signed: "host;x-amz-date",
        signature: "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
    },
    Vector {
        name: "post-vanilla-empty-query-value",
        method: "POST",
        target: "/?Param1=value1",
        headers: &[],
        body: "",
        signed: "host;x-amz-date",
        signature: "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11",
    },
    Vector {
        name: "post-vanilla-query",
        method: "POST",
        target: "/?Param1=value1",
        headers: &[],
        body: "",
        signed: "host;x-amz-date",
        signature: "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11",
    },
    Vector {
        name: "post-x-www-form-urlencoded",
        method: "POST",
        target: "/",
        headers: &[
            ("content-type", "application/x-www-form-urlencoded"),
            ("content-length", "13"),
            (
                "x-amz-content-sha256",
                "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e",
            ),
        ],
        body: "Param1=value1",
        signed: "content-length;content-type;host;x-amz-content-sha256;x-amz-date",
        signature: "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b",
    },
    Vector {
        name: "post-x-www-form-urlencoded-parameters",
        method: "POST",
        target: "/",
        headers: &[
            (
                "content-type",
                "application/x-www-form-urlencoded; charset=utf-8",
            ),
            ("content-length", "13"),
            (
                "x-amz-content-sha256",
                "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e",
            ),
        ],
        body: "Param1=value1",
        signed: "content-length;content-type;host;x-amz-content-sha256;x-amz-date",
        signature: "328d1b9eaadca9f5818ef05e8392801e091653bafec24fcab71e7344e7f51422",
    },
];

#[test]
fn the_vectors_aws_publishes_verify() {
    for vector in VECTORS {
        let mut headers = vec![
            ("host", "example.amazonaws.com"),
            ("x-amz-date", "20150830T123600Z"),
        ];
        headers.extend(vector.headers);
        let Vector {
            name,
            signed,
            signature,
            ..
        } = vector;
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={SCOPE}, SignedHeaders={signed}, Signature={signature}"
        );
        headers.push(("authorization", &authorization));
        let sent = Sent::new(vector.method, vector.target, &headers, vector.body);
        let identity = sent
            .outcome(NOW)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(identity.verified, "{name}");
        assert_eq!(identity.service.as_deref(), Some("service"), "{name}");
        assert_eq!(
            identity.account,
            Some("123456789012".parse().unwrap()),
            "{name}"
        );
    }
}

#[test]
fn a_presigned_address_verifies() {
    let address = "/?Param2=value2&Param1=value1&X-Amz-Algorithm=AWS4-HMAC-SHA256\
        &X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fus-east-1%2Fservice%2Faws4_request\
        &X-Amz-Date=20150830T123600Z&X-Amz-SignedHeaders=host&X-Amz-Expires=3600\
        &X-Amz-Signature=86012e2c9ad4d77369f5d81c11f75158aae4f895a085212cc6d3f923d300bed5";
    let headers = [("host", "example.amazonaws.com")];
    assert!(
        Sent::new("GET", address, &headers, "")
            .outcome(NOW)
            .unwrap()
            .verified
    );
    let changed = address.replace("value1", "value3");
    assert_eq!(
        Sent::new("GET", &changed, &headers, "").outcome(NOW),
        Err(Error::Mismatch)
    );
}

#[test]
fn what_we_sign_verifies_and_nothing_else_does() {
    let signed = || put().signed(&SIGNER, NOW);
    assert!(signed().outcome(NOW).unwrap().verified);
    let mut body = signed();
    body.body = Bytes::from_static(b"{ }");
    let mut header = signed();
    header.headers.insert(
        "x-amz-target",
        HeaderValue::from_static("Kinesis_20131202.PutRecord"),
    );
    let mut added = signed();
    added
        .headers
        .append("x-amz-target", HeaderValue::from_static("x"));
    let mut method = signed();
    method.method = Method::PUT;
    let mut path = signed();
    path.uri = "/other".parse().unwrap();
    let mut query = signed();
    query.uri = "/?a".parse().unwrap();
    let secret = put().signed(
        &Signer {
            secret: "wrong",
            ..SIGNER
        },
        NOW,
    );
    for changed in [body, header, added, method, path, query, secret] {
        assert_eq!(changed.outcome(NOW), Err(Error::Mismatch));
    }
}

struct FromBotocore {
    service: &'static str,
    method: &'static str,
    target: &'static str,
    headers: &'static [(&'static str, &'static str)],
    body: &'static str,
    signed: &'static str,
    signature: &'static str,
}

/// Signed by botocore 1.43.11. The ARN in the path is encoded for sending, and once more for signing.
const FROM_BOTOCORE: &[FromBotocore] = &[
    FromBotocore {
        service: "kinesis",
        method: "POST",
        target: "/",
        headers: &[
            ("x-amz-target", "Kinesis_20131202.PutRecord"),
            ("content-type", "application/x-amz-json-1.1"),
        ],
        body: r#"{"StreamName": "s", "PartitionKey": "k", "Data": "aGk="}"#,
        signed: "content-type;host;x-amz-date;x-amz-target",
        signature: "91519c557e291a087f534ac806077adbbbdab9e56ba674a8fb80e604d4f1c562",
    },
    FromBotocore {
        service: "lambda",
        method: "POST",
        target: "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Af\
                 /invocations?Qualifier=%24LATEST",
        headers: &[("x-amz-invocation-type", "Event")],
        body: r#"{"a":1}"#,
        signed: "host;x-amz-date;x-amz-invocation-type",
        signature: "99a8417839e3d66c14009a821272da5e996da1bbfb3318a3741cf3469504935f",
    },
    FromBotocore {
        service: "lambda",
        method: "GET",
        target: "/2015-03-31/functions?Marker=a%20b%2Fc%2Bd%3D&MaxItems=3",
        headers: &[],
        body: "",
        signed: "host;x-amz-date",
        signature: "2af3a407bfbdae786122345b0784ec107106ef4f72473ade4a208bf36691226e",
    },
];

#[test]
fn what_botocore_signs_verifies() {
    for vector in FROM_BOTOCORE {
        let FromBotocore {
            service,
            signed,
            signature,
            target,
            ..
        } = vector;
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/{service}/aws4_request, \
             SignedHeaders={signed}, Signature={signature}"
        );
        let mut headers = vec![
            ("host", "127.0.0.1:4566"),
            ("x-amz-date", "20150830T123600Z"),
            ("authorization", authorization.as_str()),
            ("user-agent", "Botocore"),
        ];
        headers.extend(vector.headers);
        let identity = Sent::new(vector.method, target, &headers, vector.body).outcome(NOW);
        assert_eq!(
            identity.map(|identity| identity.verified),
            Ok(true),
            "{target}"
        );
    }
}

#[test]
fn the_authority_stands_in_for_the_host_header() {
    let mut sent = put().signed(&SIGNER, NOW);
    sent.headers.remove("host");
    sent.uri = "http://127.0.0.1:4566/".parse().unwrap();
    assert!(sent.outcome(NOW).unwrap().verified);
}

#[test]
fn a_signing_time_may_be_five_minutes_off() {
    let outcome = |seconds: i64| {
        let now = Timestamp::from_secs((1_440_938_160 + seconds) as u64);
        put()
            .signed(&SIGNER, NOW)
            .outcome(now)
            .map(|_| ())
            .map_err(|error| error.to_string())
    };
    assert_eq!(outcome(300), Ok(()));
    assert_eq!(outcome(-300), Ok(()));
    assert_eq!(
        outcome(301).unwrap_err(),
        "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z \
         (20150830T124101Z - 5 min.)"
    );
    assert_eq!(
        outcome(-301).unwrap_err(),
        "Signature not yet current: 20150830T123600Z is still later than 20150830T123559Z \
         (20150830T123059Z + 5 min.)"
    );
}

#[test]
fn a_header_of_no_known_scheme_is_an_incomplete_signature() {
    let headers = [("authorization", "X"), ("date", "20150830T123600Z")];
    let sent = Sent::new("POST", "/", &headers, "");
    assert_eq!(Claim::read(&sent.request()), Ok(None));
    let anonymous = authenticate(
        &sent.request(),
        &[].into_iter().collect(),
        Timestamp::default(),
    );
    let refused = anonymous
        .unwrap()
        .require_claim(&sent.request())
        .expect_err("as in production");
    assert_eq!(sent.outcome(Timestamp::default()), Err(refused.clone()));
    assert_eq!(refused.code(), "IncompleteSignatureException");
    assert!(
        refused
            .to_string()
            .ends_with("'SignedHeaders' parameter. Authorization=X")
    );
}

#[test]
fn each_missing_piece_is_named() {
    let date = ("x-amz-date", "20150830T123600Z");
    let full =
        "AWS4-HMAC-SHA256 Credential=A/20150830/r/s/aws4_request,SignedHeaders=host,Signature=x";
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str, &'a str);
    let cases: &[Case<'_>] = &[
        (
            "/",
            &[],
            "MissingAuthenticationTokenException",
            "Missing Authentication Token",
        ),
        (
            "/",
            &[("authorization", "")],
            "MissingAuthenticationTokenException",
            "Missing Authentication Token",
        ),
        (
            "/",
            &[("authorization", "AWS4-HMAC-SHA256")],
            "IncompleteSignatureException",
            "Authorization header requires 'Credential' parameter. Authorization header requires \
             'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. \
             Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. \
             Authorization=AWS4-HMAC-SHA256",
        ),
        (
            "/",
            &[
                ("authorization", "AWS4-HMAC-SHA256 Credential=a, Signature="),
                date,
            ],
            "IncompleteSignatureException",
            "Authorization header requires 'Signature' parameter. Authorization header requires \
             'SignedHeaders' parameter. Authorization=AWS4-HMAC-SHA256 Credential=a, Signature=",
        ),
        (
            "/?X-Amz-Algorithm",
            &[("authorization", full), date],
            "InvalidSignatureException",
            "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP \
             header.",
        ),
        (
            "/?X-Amz-Algorithm=&X-Amz-Date=x&X-Amz-Credential=c",
            &[],
            "IncompleteSignatureException",
            "AWS query-string parameters must include 'X-Amz-Algorithm'. AWS query-string \
             parameters must include 'X-Amz-Signature'. AWS query-string parameters must include \
             'X-Amz-SignedHeaders'. Re-examine the query-string parameters.",
        ),
        (
            "/",
            &[("authorization", full), date],
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        ),
    ];
    for (target, headers, code, message) in cases {
        let error = Sent::new("POST", target, headers, "")
            .outcome(NOW)
            .unwrap_err();
        assert_eq!(
            (error.code(), error.to_string().as_str()),
            (*code, *message)
        );
    }
}

#[test]
fn a_claim_that_does_not_hold_together_is_refused() {
    let outcome = |algorithm: &str, credential: &str, headers: &str, date: &str| {
        let authorization =
            format!("{algorithm} Credential={credential}, SignedHeaders={headers}, Signature=x");
        let headers = [
            ("authorization", authorization.as_str()),
            ("x-amz-date", date),
        ];
        Sent::new("POST", "/", &headers, "")
            .outcome(NOW)
            .unwrap_err()
            .to_string()
    };
    let (date, hmac) = ("20150830T123600Z", "AWS4-HMAC-SHA256");
    let cases = [
        (
            outcome("AWS4-ECDSA-P256-SHA256", SCOPE, "host", date),
            "Unsupported AWS 'algorithm'",
        ),
        (
            outcome(hmac, "a/b", "host", date),
            "Credential must have exactly 5 slash-delimited",
        ),
        (
            outcome(hmac, "a/b/c/d/e", "host", date),
            "Credential should be scoped with a valid term",
        ),
        (
            outcome(hmac, SCOPE, "host", "yesterday"),
            "Date must be in ISO-8601 'basic format'. Got",
        ),
        (
            outcome(hmac, SCOPE, "x-amz-date", date),
            "'Host' or ':authority' must be a 'SignedHead",
        ),
        (
            outcome(
                hmac,
                "AKIDEXAMPLE/20150829/us-east-1/service/aws4_request",
                "host",
                date,
            ),
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from \
             HTTP: '20150829' != '20150830', from '20150830T123600Z'.",
        ),
    ];
    for (text, start) in cases {
        assert!(text.starts_with(start), "{text}");
    }
}

#[test]
fn without_configured_credentials_any_claim_is_believed_and_none_is_needed() {
    let none = Credentials::default();
    let unsigned = authenticate(&put().request(), &none, NOW).unwrap();
    assert_eq!(unsigned, Identity::default());
    let signer = Signer {
        access_key: "000000000042",
        secret: "made up",
        ..SIGNER
    };
    let identity = authenticate(&put().signed(&signer, NOW).request(), &none, NOW).unwrap();
    assert_eq!(identity.account, Some("000000000042".parse().unwrap()));
    assert_eq!(identity.region.as_deref(), Some("us-east-1"));
    assert!(!identity.verified);
    assert_eq!(identity.require_service("sqs"), Ok(()));
}

#[test]
fn a_verified_signature_holds_for_its_service_only() {
    let identity = put().signed(&SIGNER, NOW).outcome(NOW).unwrap();
    assert_eq!(identity.require_service("kinesis"), Ok(()));
    let text = identity.require_service("sqs").unwrap_err().to_string();
    assert_eq!(
        text,
        "Credential should be scoped to correct service: 'sqs'. "
    );
}

#[test]
fn behind_a_signature_in_the_header_no_part_of_the_query_is_left_out() {
    let target = "/?X-Amz-Signature=00";
    let sent = |target| {
        let mut sent = put();
        sent.uri = http::Uri::from_static(target);
        sent
    };
    let signed = sent(target).signed(&SIGNER, NOW);
    assert!(signed.outcome(NOW).unwrap().verified);
    let mut added = sent("/").signed(&SIGNER, NOW);
    added.uri = http::Uri::from_static(target);
    assert_eq!(added.outcome(NOW), Err(Error::Mismatch));
}

#[test]
fn a_query_too_long_to_be_encoded_anew_is_a_mismatch() {
    let authorization =
        format!("AWS4-HMAC-SHA256 Credential={SCOPE}, SignedHeaders=host, Signature=x");
    let headers = [
        ("host", "h"),
        ("authorization", authorization.as_str()),
        ("x-amz-date", "20150830T123600Z"),
    ];
    let target = format!("/?{}", "*".repeat(40_000));
    assert_eq!(
        Sent::new("GET", &target, &headers, "").outcome(NOW),
        Err(Error::Mismatch)
    );
}

proptest! {
    #[test]
    fn no_header_and_no_query_makes_the_parser_panic(
        authorization in "(AWS4-HMAC-SHA256 )?[ -~é]{0,200}",
        query in "[!$-;=?-~]{0,200}",
        date in "[0-9TZ]{0,20}",
    ) {
        let headers =
            [("host", "h"), ("authorization", authorization.as_str()), ("x-amz-date", &date)];
        let sent = Sent::new("POST", &format!("/?{query}"), &headers, "");
        let _ = sent.outcome(NOW);
    }

    #[test]
    fn any_change_of_a_signed_request_is_noticed(
        path in "(/[a-zA-Z0-9._~%-]{0,12}){1,4}",
        query in "([a-z]{1,3}=[a-zA-Z0-9%+*.:-]{0,9}&){0,4}",
        value in "[!-~]([ -~]{0,30}[!-~])?",
        at in 0usize..2000,
        bit in 0u8..7,
    ) {
        let target = format!("{path}?{query}");
        let headers = [("host", "h"), ("x-amz-meta", value.as_str())];
        let mut sent = Sent::new("POST", &target, &headers, "body").signed(&SIGNER, NOW);
        prop_assert!(sent.outcome(NOW).is_ok());
        let mut text = sent.headers["authorization"].as_bytes().to_vec();
        let at = at % text.len();
        text[at] ^= 1 << bit;
        if let Ok(changed) = HeaderValue::from_bytes(&text) {
            sent.headers.insert("authorization", changed);
            // The signed header names are the one part where case does not matter.
            let same_name = text[at].is_ascii_alphabetic() && bit == 5;
            prop_assert!(same_name || sent.outcome(NOW).is_err());
        }
    }
}
