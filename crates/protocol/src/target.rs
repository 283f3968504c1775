//! Which service and operation a request is for: [`service_of`] and [`JsonService::operation`].
//!
//! What must hold: a name that AWS has and we do not support is told apart from a name nobody knows.

use tidemill_shapes::{kinesis, lambda, sqs};

use crate::request::Request;

/// A service that is addressed by `X-Amz-Target`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonService {
    /// Kinesis Data Streams, AWS JSON 1.1.
    Kinesis,
    /// SQS, AWS JSON 1.0.
    Sqs,
}

/// An operation of a service that is addressed by `X-Amz-Target`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonOperation {
    /// Of Kinesis.
    Kinesis(kinesis::Operation),
    /// Of SQS.
    Sqs(sqs::Operation),
}

/// A service, however it is addressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// By `X-Amz-Target`.
    Json(JsonService),
    /// Lambda, by method and path.
    Lambda,
}

impl JsonService {
    /// What stands before the point in `X-Amz-Target`.
    pub fn target_prefix(self) -> &'static str {
        match self {
            JsonService::Kinesis => "Kinesis_20131202",
            JsonService::Sqs => "AmazonSQS",
        }
    }

    /// The media type of requests and answers.
    pub fn media_type(self) -> &'static str {
        match self {
            JsonService::Kinesis => "application/x-amz-json-1.1",
            JsonService::Sqs => "application/x-amz-json-1.0",
        }
    }

    /// The operation a value of `X-Amz-Target` names; what follows a second point is ignored.
    pub fn operation(self, target: &str) -> Option<JsonOperation> {
        let mut parts = target.split('.');
        if parts.next() != Some(self.target_prefix()) {
            return None;
        }
        let name = parts.next()?;
        match self {
            JsonService::Kinesis => kinesis::Operation::from_name(name).map(JsonOperation::Kinesis),
            JsonService::Sqs => sqs::Operation::from_name(name).map(JsonOperation::Sqs),
        }
    }
}

impl JsonOperation {
    /// AWS's name of the operation.
    pub fn name(self) -> &'static str {
        match self {
            JsonOperation::Kinesis(operation) => operation.name(),
            JsonOperation::Sqs(operation) => operation.name(),
        }
    }

    /// Whether AWS has the operation and we do not.
    pub fn is_unsupported(self) -> bool {
        matches!(
            self,
            JsonOperation::Kinesis(kinesis::Operation::Unsupported(_))
                | JsonOperation::Sqs(sqs::Operation::Unsupported(_))
        )
    }
}

impl Service {
    /// The service's name in the credential scope of a signature.
    pub fn signing_name(self) -> &'static str {
        match self {
            Service::Json(JsonService::Kinesis) => "kinesis",
            Service::Json(JsonService::Sqs) => "sqs",
            Service::Lambda => "lambda",
        }
    }
}

/// The service `request` is for: by its target, else by the service its signature names (`signed_for`), else,
/// where it is not signed, by Lambda's paths; `None` when nothing tells. A target of an unknown service gives
/// Kinesis, whose order of checks refuses it as AWS does.
pub fn service_of(
    request: &Request<'_>,
    signed_for: impl FnOnce() -> Option<String>,
) -> Option<Service> {
    if let Some(target) = request.header("x-amz-target") {
        let prefix = target.split('.').next().unwrap_or_default();
        let sqs = prefix == JsonService::Sqs.target_prefix();
        return Some(Service::Json(if sqs {
            JsonService::Sqs
        } else {
            JsonService::Kinesis
        }));
    }
    match signed_for().as_deref() {
        Some("kinesis") => Some(Service::Json(JsonService::Kinesis)),
        Some("sqs") => Some(Service::Json(JsonService::Sqs)),
        Some("lambda") => Some(Service::Lambda),
        Some(_) => None,
        None => is_lambda_path(request.uri.path()).then_some(Service::Lambda),
    }
}

/// Every path of Lambda begins with a day and a kind of resource.
fn is_lambda_path(path: &str) -> bool {
    let head = |path: &str| {
        let mut segments = path
            .trim_start_matches('/')
            .split(['/', '?'])
            .map(str::to_owned);
        (segments.next(), segments.next())
    };
    let asked = head(path);
    lambda::BINDINGS
        .iter()
        .any(|binding| head(binding.path) == asked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sent::Sent;

    #[test]
    fn a_target_names_an_operation_of_its_service() {
        let put = Some(JsonOperation::Kinesis(kinesis::Operation::PutRecord));
        assert_eq!(
            JsonService::Kinesis.operation("Kinesis_20131202.PutRecord"),
            put
        );
        assert_eq!(
            JsonService::Kinesis.operation("Kinesis_20131202.PutRecord.x"),
            put
        );
        for target in [
            "",
            ".",
            "Kinesis_20131202",
            "Kinesis_20131202.",
            "AmazonSQS.SendMessage",
        ] {
            assert_eq!(JsonService::Kinesis.operation(target), None, "{target}");
        }
        let known = JsonService::Kinesis.operation("Kinesis_20131202.CreateChannel");
        assert!(known.is_some_and(JsonOperation::is_unsupported));
        let send = Some(JsonOperation::Sqs(sqs::Operation::SendMessage));
        assert_eq!(JsonService::Sqs.operation("AmazonSQS.SendMessage"), send);
    }

    #[test]
    fn the_target_wins_over_the_signature_and_both_over_the_path() {
        let (kinesis, sqs) = (JsonService::Kinesis, JsonService::Sqs);
        let functions = "/2015-03-31/functions";
        let cases = [
            (
                Some("AmazonSQS.SendMessage"),
                Some("kinesis"),
                "/",
                Some(Service::Json(sqs)),
            ),
            (
                Some("DynamoDB_20120810.PutItem"),
                None,
                "/",
                Some(Service::Json(kinesis)),
            ),
            (
                None,
                Some("kinesis"),
                functions,
                Some(Service::Json(kinesis)),
            ),
            (None, Some("sqs"), "/", Some(Service::Json(sqs))),
            (None, Some("lambda"), "/", Some(Service::Lambda)),
            (None, Some("s3"), functions, None),
            (None, None, functions, Some(Service::Lambda)),
            (None, None, "/", None),
        ];
        for (target, signed_for, path, service) in cases {
            let headers: Vec<_> = target
                .map(|target| ("x-amz-target", target))
                .into_iter()
                .collect();
            let sent = Sent::new("POST", path, &headers, "");
            assert_eq!(
                service_of(&sent.request(), || signed_for.map(str::to_owned)),
                service,
                "{target:?} {path}"
            );
        }
    }

    #[test]
    fn lambda_is_known_by_its_paths() {
        assert!(is_lambda_path("/2015-03-31/functions"));
        assert!(is_lambda_path("/2015-03-31/functions/f/invocations"));
        assert!(is_lambda_path("/2018-10-31/layers"));
        for path in ["/", "", "/bucket/key", "/2015-03-31", "/2015-03-31/buckets"] {
            assert!(!is_lambda_path(path), "{path}");
        }
    }
}
