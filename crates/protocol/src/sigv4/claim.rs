//! What a request says about its signer, before anyone has checked it: [`Claim`].
//!
//! Read from the `Authorization` header or from the query (a presigned address). The texts of the
//! refusals are those of the service as `index.js` of <https://github.com/mhart/kinesalite> recorded
//! them, and name everything that is missing at once.

use std::borrow::Cow;

use crate::request::Request;
use crate::sigv4::error::Error;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// The parts of a signature, as the client sent them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The access key id.
    pub access_key: String,
    /// The day of the credential scope, `yyyymmdd`.
    pub date: String,
    /// The region of the credential scope.
    pub region: String,
    /// The service of the credential scope, as signatures name it (`kinesis`, `lambda`, `sqs`).
    pub service: String,
    /// The names of the headers that are signed, in the order given.
    pub signed_headers: Vec<String>,
    /// The signature, as sent.
    pub signature: String,
    /// The signing time, as sent.
    pub signed_at: String,
}

/// Whether the query of `request` says how it is signed.
pub(super) fn is_presigned(request: &Request<'_>) -> bool {
    request.query_value("X-Amz-Algorithm").is_some()
}

fn authorization<'a>(request: &Request<'a>) -> Option<&'a str> {
    let header = request.header("authorization").map(str::trim_start);
    header.filter(|value| !value.is_empty())
}

/// Why `request`, which has no claim, is refused where one is needed: AWS reads whatever stands in the header.
pub(super) fn without_claim(request: &Request<'_>) -> Error {
    let refused = authorization(request).map(|header| Claim::from_header(request, header));
    match refused {
        Some(Err(error)) => error,
        _ => Error::MissingToken,
    }
}

impl Claim {
    /// Reads the claim of `request`; `None` when it is not signed with version 4 at all.
    pub fn read(request: &Request<'_>) -> Result<Option<Claim>, Error> {
        let header = authorization(request);
        let in_query = is_presigned(request);
        match header {
            Some(_) if in_query => Err(Error::SignedTwice),
            Some(header) if header.starts_with("AWS4-") => {
                Claim::from_header(request, header).map(Some)
            }
            // Some other scheme may be meant for a proxy in front of us.
            Some(_) => Ok(None),
            None if in_query => Claim::from_query(request).map(Some),
            None => Ok(None),
        }
    }

    fn from_header(request: &Request<'_>, header: &str) -> Result<Claim, Error> {
        let (algorithm, rest) = header.split_once(' ').unwrap_or((header, ""));
        let part = |name: &str| {
            let mut parts = rest
                .split([',', ' '])
                .filter_map(|part| part.split_once('='));
            parts
                .find(|(key, value)| *key == name && !value.is_empty())
                .map(|(_, value)| value)
        };
        let signed_at = request
            .header("x-amz-date")
            .or_else(|| request.header("date"));
        let (credential, signature) = (part("Credential"), part("Signature"));
        let signed_headers = part("SignedHeaders");
        match (credential, signature, signed_headers, signed_at) {
            (Some(credential), Some(signature), Some(signed_headers), Some(signed_at)) => {
                check_algorithm(algorithm)?;
                Claim::assemble(credential, signature, signed_headers, signed_at)
            }
            _ => {
                let mut message = String::new();
                for (name, given) in [
                    ("Credential", credential),
                    ("Signature", signature),
                    ("SignedHeaders", signed_headers),
                ] {
                    if given.is_none() {
                        message += &format!("Authorization header requires '{name}' parameter. ");
                    }
                }
                if signed_at.is_none() {
                    message += "Authorization header requires existence of either a 'X-Amz-Date' \
                                or a 'Date' header. ";
                }
                Err(Error::Incomplete {
                    message: message + "Authorization=" + header,
                })
            }
        }
    }

    fn from_query(request: &Request<'_>) -> Result<Claim, Error> {
        const NAMES: [&str; 5] = [
            "X-Amz-Algorithm",
            "X-Amz-Credential",
            "X-Amz-Signature",
            "X-Amz-SignedHeaders",
            "X-Amz-Date",
        ];
        let values = NAMES.map(|name| request.query_value(name).filter(|value| !value.is_empty()));
        if let [
            Some(algorithm),
            Some(credential),
            Some(signature),
            Some(headers),
            Some(date),
        ] = &values
        {
            check_algorithm(algorithm)?;
            return Claim::assemble(credential, signature, headers, date);
        }
        let missing = |(name, value): (&str, &Option<Cow<'_, str>>)| match value {
            Some(_) => String::new(),
            None => format!("AWS query-string parameters must include '{name}'. "),
        };
        let message: String = NAMES.into_iter().zip(&values).map(missing).collect();
        Err(Error::Incomplete {
            message: message + "Re-examine the query-string parameters.",
        })
    }

    fn assemble(
        credential: &str,
        signature: &str,
        signed_headers: &str,
        signed_at: &str,
    ) -> Result<Claim, Error> {
        let parts: Vec<&str> = credential.split('/').collect();
        let [access_key, date, region, service, terminator] = parts[..] else {
            let message = format!(
                "Credential must have exactly 5 slash-delimited elements, e.g. \
                 keyid/date/region/service/term, got '{credential}'"
            );
            return Err(Error::Incomplete { message });
        };
        if terminator != "aws4_request" {
            let message = format!(
                "Credential should be scoped with a valid terminator: 'aws4_request', not \
                 '{terminator}'. "
            );
            return Err(Error::BadScope { message });
        }
        Ok(Claim {
            access_key: access_key.to_owned(),
            date: date.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
            signed_headers: signed_headers.split(';').map(str::to_owned).collect(),
            signature: signature.to_owned(),
            signed_at: signed_at.to_owned(),
        })
    }

    /// Whether header `name`, given in lower case, is among the signed ones.
    pub fn signs(&self, name: &str) -> bool {
        self.signed_headers
            .iter()
            .any(|signed| signed.eq_ignore_ascii_case(name))
    }
}

fn check_algorithm(algorithm: &str) -> Result<(), Error> {
    if algorithm == ALGORITHM {
        return Ok(());
    }
    Err(Error::Incomplete {
        message: format!("Unsupported AWS 'algorithm': '{algorithm}'."),
    })
}
