//! [`Client`]: speaks to any server of the AWS protocols over plain HTTP/1.1, as an SDK does.
//!
//! What must hold: every call is signed; a call reaches the server at most once, so that the caller can
//! count; a failure says whether the call surely did not happen.
//!
//! A [`Prepared`] call is signed ahead and can be sent any number of times: a load generator that
//! hashed each body while it measures would measure itself.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use thiserror::Error;

use tidemill_model::{Clock, Determinacy};
use tidemill_protocol::sigv4;

/// Longest wait for an answer; the synchronous calls made here take milliseconds.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// Connections kept open while nothing is sent over them.
const IDLE_CONNECTIONS_MAX: usize = 64;

/// Where a server listens: an `http` URL with a host and nothing behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    authority: http::uri::Authority,
}

/// A text that is not an [`Endpoint`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{text:?} is not an endpoint: {reason}; it should look like http://127.0.0.1:4566")]
pub struct EndpointMalformed {
    text: String,
    reason: &'static str,
}

impl std::str::FromStr for Endpoint {
    type Err = EndpointMalformed;

    fn from_str(text: &str) -> Result<Endpoint, EndpointMalformed> {
        let malformed = |reason| EndpointMalformed {
            text: text.to_owned(),
            reason,
        };
        let uri: Uri = text.parse().map_err(|_| malformed("it is not a URL"))?;
        if uri.scheme_str() != Some("http") {
            return Err(malformed("its scheme is not http"));
        }
        let authority = uri
            .authority()
            .filter(|authority| !authority.host().is_empty());
        let authority = authority
            .cloned()
            .ok_or_else(|| malformed("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(malformed("it holds credentials"));
        }
        if uri
            .path_and_query()
            .is_some_and(|path| path.as_str() != "/")
        {
            return Err(malformed("it has a path"));
        }
        Ok(Endpoint { authority })
    }
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "http://{}", self.authority)
    }
}

/// What requests are signed with.
#[derive(Clone)]
pub struct Credentials {
    /// Access key id.
    pub access_key: String,
    /// Secret access key.
    pub secret_key: String,
    /// Region the requests are for.
    pub region: String,
}

impl Default for Credentials {
    /// `test` and `test` in `us-east-1`, which any server takes until it is told otherwise.
    fn default() -> Credentials {
        let word = || "test".to_owned();
        Credentials {
            access_key: word(),
            secret_key: word(),
            region: "us-east-1".to_owned(),
        }
    }
}

/// A service, as signatures spell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Kinesis Data Streams.
    Kinesis,
    /// Lambda.
    Lambda,
    /// SQS.
    Sqs,
}

impl Service {
    fn as_str(self) -> &'static str {
        match self {
            Service::Kinesis => "kinesis",
            Service::Lambda => "lambda",
            Service::Sqs => "sqs",
        }
    }
}

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Failure {
    /// The server answered with an error.
    #[error("{code}: {message} (HTTP {status})")]
    Refused {
        /// HTTP status.
        status: u16,
        /// AWS's name of the error, without a namespace.
        code: String,
        /// The server's words.
        message: String,
        /// What it says to do, if it does.
        hint: Option<String>,
    },
    /// No answer came.
    #[error("no answer from {endpoint}: {detail}")]
    Unanswered {
        /// Whom was asked.
        endpoint: String,
        /// What went wrong.
        detail: String,
        /// Whether the call surely did not happen.
        determinacy: Determinacy,
    },
    /// An answer came that is not what the protocol has it be.
    #[error("an answer that cannot be read (HTTP {status}): {detail}")]
    Garbled {
        /// HTTP status.
        status: u16,
        /// What is wrong with it.
        detail: String,
    },
}

impl Failure {
    /// AWS's name of the error, when the server gave one.
    pub fn code(&self) -> Option<&str> {
        match self {
            Failure::Refused { code, .. } => Some(code),
            Failure::Unanswered { .. } | Failure::Garbled { .. } => None,
        }
    }

    /// Whether the call surely did not happen.
    pub fn determinacy(&self) -> Determinacy {
        match self {
            Failure::Refused { status, .. } if *status < 500 => Determinacy::Determinate,
            Failure::Unanswered { determinacy, .. } => *determinacy,
            Failure::Refused { .. } | Failure::Garbled { .. } => Determinacy::Indeterminate,
        }
    }
}

/// A signed call, ready to be sent, any number of times while its date is fresh.
#[derive(Clone, Debug)]
pub struct Prepared {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
}

/// An answer as it came.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// The client; cheap to clone, clones share connections.
#[derive(Clone)]
pub struct Client {
    endpoint: Endpoint,
    credentials: Credentials,
    clock: Arc<dyn Clock>,
    http: legacy::Client<HttpConnector, Full<Bytes>>,
}

impl Client {
    /// A client of the server at `endpoint`; `clock` dates the signatures.
    pub fn new(endpoint: Endpoint, credentials: Credentials, clock: Arc<dyn Clock>) -> Client {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let http = legacy::Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
            .build(connector);
        Client {
            endpoint,
            credentials,
            clock,
            http,
        }
    }

    /// The server that is spoken to.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Calls a Kinesis operation (AWS JSON 1.1).
    pub async fn kinesis(&self, operation: &str, input: &Value) -> Result<Value, Failure> {
        let body = input.to_string().into();
        json(self.send(&self.prepare_kinesis(operation, body)).await?)
    }

    /// Calls an SQS operation (AWS JSON 1.0).
    pub async fn sqs(&self, operation: &str, input: &Value) -> Result<Value, Failure> {
        let target = format!("AmazonSQS.{operation}");
        let headers = [
            ("x-amz-target", target.as_str()),
            ("content-type", "application/x-amz-json-1.0"),
        ];
        let body = input.to_string().into();
        json(
            self.send(&self.prepare(Service::Sqs, Method::POST, "/", &headers, body))
                .await?,
        )
    }

    /// Calls a Lambda operation (REST-JSON) at `path`, which starts with `/` and is already encoded.
    pub async fn lambda(
        &self,
        method: Method,
        path: &str,
        input: Option<&Value>,
    ) -> Result<Value, Failure> {
        let body = input.map_or_else(Bytes::new, |input| input.to_string().into());
        let headers = [("content-type", "application/json")];
        json(
            self.send(&self.prepare(Service::Lambda, method, path, &headers, body))
                .await?,
        )
    }

    /// Reads one of the server's own pages, such as `/_tidemill/ledger`.
    pub async fn own(&self, path: &str) -> Result<Value, Failure> {
        json(
            self.send(&self.unsigned(Method::GET, path, HeaderMap::new(), Bytes::new()))
                .await?,
        )
    }

    /// Calls the server's own API below `/_tidemill/`, signed, as views demand where credentials are
    /// configured.
    pub async fn own_call(
        &self,
        method: Method,
        path: &str,
        input: Option<&Value>,
    ) -> Result<Value, Failure> {
        json(self.send(&self.prepare_own(method, path, input)).await?)
    }

    /// Puts bytes that are no JSON document through the server's own API.
    pub async fn own_upload(
        &self,
        path: &str,
        media_type: &str,
        body: Bytes,
    ) -> Result<Value, Failure> {
        let headers = [("content-type", media_type)];
        let call = self.prepare(Service::Kinesis, Method::PUT, path, &headers, body);
        json(self.send(&call).await?)
    }

    /// A call of the server's own API, signed now, to be sent later.
    pub fn prepare_own(&self, method: Method, path: &str, input: Option<&Value>) -> Prepared {
        let body = input.map_or_else(Bytes::new, |input| input.to_string().into());
        let headers = [("content-type", "application/json")];
        self.prepare(Service::Kinesis, method, path, &headers, body)
    }

    /// A Kinesis call, signed now, to be sent later.
    pub fn prepare_kinesis(&self, operation: &str, body: Bytes) -> Prepared {
        let target = format!("Kinesis_20131202.{operation}");
        let headers = [
            ("x-amz-target", target.as_str()),
            ("content-type", "application/x-amz-json-1.1"),
        ];
        self.prepare(Service::Kinesis, Method::POST, "/", &headers, body)
    }

    /// Sends `call` once and waits for the whole answer, whatever its status is.
    pub async fn exchange(&self, call: &Prepared) -> Result<Answer, Failure> {
        let mut request = Request::new(Full::new(call.body.clone()));
        *request.method_mut() = call.method.clone();
        *request.uri_mut() = call.uri.clone();
        *request.headers_mut() = call.headers.clone();
        let timeout = self
            .clock
            .sleep_until(self.clock.now().plus(ANSWER_TIMEOUT));
        tokio::select! {
            answer = self.receive(request) => answer,
            () = timeout => Err(self.unanswered("it took too long", Determinacy::Indeterminate)),
        }
    }

    /// Sends `call` once; an error status is a failure.
    pub async fn send(&self, call: &Prepared) -> Result<Answer, Failure> {
        let answer = self.exchange(call).await?;
        if (200..300).contains(&answer.status) {
            Ok(answer)
        } else {
            Err(refused(&answer))
        }
    }

    async fn receive(&self, request: Request<Full<Bytes>>) -> Result<Answer, Failure> {
        let response = self.http.request(request).await.map_err(|error| {
            let surely_not = error.is_connect();
            let determinacy = if surely_not {
                Determinacy::Determinate
            } else {
                Determinacy::Indeterminate
            };
            self.unanswered(&innermost(&error), determinacy)
        })?;
        let (head, body) = response.into_parts();
        let body = body
            .collect()
            .await
            .map_err(|error| self.unanswered(&innermost(&error), Determinacy::Indeterminate))?;
        Ok(Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            body: body.to_bytes(),
        })
    }

    fn unanswered(&self, detail: &str, determinacy: Determinacy) -> Failure {
        let endpoint = self.endpoint.to_string();
        Failure::Unanswered {
            endpoint,
            detail: detail.to_owned(),
            determinacy,
        }
    }

    fn unsigned(
        &self,
        method: Method,
        path: &str,
        mut headers: HeaderMap,
        body: Bytes,
    ) -> Prepared {
        let uri = format!("{}{path}", self.endpoint)
            .parse()
            .expect("an endpoint and a path are a URL");
        let host = HeaderValue::from_str(self.endpoint.authority.as_str());
        headers.insert(http::header::HOST, host.expect("an authority is printable"));
        Prepared {
            method,
            uri,
            headers,
            body,
        }
    }

    fn prepare(
        &self,
        service: Service,
        method: Method,
        path: &str,
        headers: &[(&'static str, &str)],
        body: Bytes,
    ) -> Prepared {
        let pair = |(name, value): &(&'static str, &str)| {
            let value = HeaderValue::from_str(value).expect("names of operations are printable");
            (HeaderName::from_static(name), value)
        };
        let headers = headers.iter().map(pair).collect();
        let mut call = self.unsigned(method, path, headers, body);
        self.sign(service, &mut call);
        call
    }

    fn sign(&self, service: Service, call: &mut Prepared) {
        let signer = sigv4::Signer {
            access_key: &self.credentials.access_key,
            secret: &self.credentials.secret_key,
            region: &self.credentials.region,
            service: service.as_str(),
        };
        let request = tidemill_protocol::request::Request {
            method: &call.method,
            uri: &call.uri,
            headers: &call.headers,
            body: &call.body,
        };
        let signed = sigv4::sign(&request, &signer, self.clock.now());
        call.headers
            .extend(signed.expect("the call has a host and legal headers"));
    }
}

/// The message of the first cause; the layers above it only say that a request failed.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

fn json(answer: Answer) -> Result<Value, Failure> {
    if answer.body.is_empty() {
        return Ok(Value::Null);
    }
    let status = answer.status;
    serde_json::from_slice(&answer.body).map_err(|error| Failure::Garbled {
        status,
        detail: error.to_string(),
    })
}

/// Reads an error answer: the code from `x-amzn-errortype` or `__type`, either of which may carry a
/// namespace in front or a URL behind.
fn refused(answer: &Answer) -> Failure {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
    let header = answer
        .headers
        .get("x-amzn-errortype")
        .and_then(|value| value.to_str().ok());
    let code = header.or_else(|| body["__type"].as_str());
    // The server's own API says what is wrong and has no codes.
    if let (None, Some(message)) = (code, body["error"].as_str()) {
        return Failure::Refused {
            status: answer.status,
            code: "refused".to_owned(),
            message: message.to_owned(),
            hint: body["hint"].as_str().map(str::to_owned),
        };
    }
    let Some(code) = code else {
        let text = String::from_utf8_lossy(&answer.body);
        let detail = text.chars().take(200).collect();
        return Failure::Garbled {
            status: answer.status,
            detail,
        };
    };
    let code = code.split(':').next().unwrap_or(code);
    let code = code.rsplit('#').next().unwrap_or(code);
    let message = body["message"]
        .as_str()
        .or_else(|| body["Message"].as_str());
    Failure::Refused {
        status: answer.status,
        code: code.to_owned(),
        message: message.unwrap_or_default().to_owned(),
        hint: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemill_server::clock::SystemClock;

    #[test]
    fn an_endpoint_is_http_with_a_host_and_nothing_else() {
        for text in [
            "http://127.0.0.1:4566",
            "http://localhost",
            "http://[::1]:4566/",
        ] {
            let endpoint: Endpoint = text.parse().expect(text);
            assert_eq!(endpoint.to_string(), text.trim_end_matches('/'));
        }
        for text in [
            "",
            "127.0.0.1:4566",
            "localhost",
            "https://localhost:4566",
            "http://",
            "http:///x",
            "http://a:b@host",
            "http://host/path",
            "http://host/?q",
            "ftp://host",
            "http://ho st",
        ] {
            assert!(text.parse::<Endpoint>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_call_is_signed_for_its_service_and_names_its_operation() {
        let endpoint = "http://127.0.0.1:4566".parse().expect("an endpoint");
        let client = Client::new(endpoint, Credentials::default(), Arc::new(SystemClock));
        let call = client.prepare_kinesis("PutRecord", Bytes::from_static(b"{}"));
        let header = |name: &str| call.headers[name].to_str().expect("text").to_owned();
        assert_eq!(header("x-amz-target"), "Kinesis_20131202.PutRecord");
        assert_eq!(header("host"), "127.0.0.1:4566");
        let authorization = header("authorization");
        assert!(
            authorization.starts_with("AWS4-HMAC-SHA256 Credential=test/"),
            "{authorization}"
        );
        assert!(
            authorization.contains("/us-east-1/kinesis/aws4_request"),
            "{authorization}"
        );
        assert!(authorization.contains("x-amz-target"), "{authorization}");
    }

    #[test]
    fn an_error_is_read_in_each_of_its_spellings() {
        let answer = |header: Option<&'static str>, body: &'static str| {
            let mut headers = HeaderMap::new();
            if let Some(value) = header {
                headers.insert("x-amzn-errortype", HeaderValue::from_static(value));
            }
            Answer {
                status: 400,
                headers,
                body: Bytes::from_static(body.as_bytes()),
            }
        };
        let cases = [
            (
                None,
                r#"{"__type":"ResourceInUseException","message":"m"}"#,
                "ResourceInUseException",
            ),
            (
                None,
                r#"{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"m"}"#,
                "QueueDoesNotExist",
            ),
            (
                Some("ResourceConflictException:http://x/"),
                r#"{"Message":"m"}"#,
                "ResourceConflictException",
            ),
        ];
        for (header, body, expected) in cases {
            let failure = refused(&answer(header, body));
            assert_eq!(failure.code(), Some(expected));
            assert_eq!(failure.to_string(), format!("{expected}: m (HTTP 400)"));
            assert_eq!(failure.determinacy(), Determinacy::Determinate);
        }
        assert!(matches!(
            refused(&answer(None, "<html>")),
            Failure::Garbled { .. }
        ));
    }

    #[tokio::test]
    async fn a_refused_connection_surely_did_not_happen() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = free.local_addr().expect("bound");
        drop(free);
        let endpoint = format!("http://{address}").parse().expect("an endpoint");
        let client = Client::new(endpoint, Credentials::default(), Arc::new(SystemClock));
        let failure = client
            .own("/_tidemill/health")
            .await
            .expect_err("nobody listens");
        assert_eq!(failure.determinacy(), Determinacy::Determinate, "{failure}");
    }
}
