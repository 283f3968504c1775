//! The router: which part of the server a request is for, in one place and in order.
//!
//! The order: a page from elsewhere while anybody may call; a browser's preflight; our own paths; then `X-Amz-Target`, else the service that the
//! signature names, else Lambda's paths. Every answer leaves through [`Gateway::handle`], which gives
//! it its ids.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, Uri};

use tidemill_model::fault::Faults;
use tidemill_model::{Clock, Entropy};
use tidemill_protocol::request::Request;
use tidemill_protocol::response::Response;
use tidemill_protocol::sigv4::{Claim, authenticate};
use tidemill_protocol::target::{JsonService, Service, service_of};
use tidemill_protocol::{cors, rest_json};

use crate::config::Config;
use crate::wiring::services::Services;

use super::answer::Answer;
use super::call::Call;
use super::identify::Identities;
use super::tls::Tls;
use super::{kinesis, lambda, own_api, sqs, views_api};

/// Whether a request came encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// In the clear.
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    /// As addresses begin.
    pub fn as_str(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }
}

/// A request, read whole.
pub struct Incoming {
    /// How it came.
    pub scheme: Scheme,
    /// The method.
    pub method: Method,
    /// The target.
    pub uri: Uri,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Incoming {
    /// Whether it only takes something for its caller, which nobody would get when the caller has gone:
    /// a message, which would stay hidden from the others.
    pub fn ends_with_its_caller(&self) -> bool {
        self.headers
            .get("x-amz-target")
            .is_some_and(|target| target == "AmazonSQS.ReceiveMessage")
    }

    /// Whether it may invoke a function, which can take minutes and make requests of its own: those must
    /// not wait for the room that this one takes.
    pub fn is_invocation(&self) -> bool {
        let path = self.uri.path();
        path.trim_end_matches('/').ends_with("/invocations")
    }
}

/// Everything a request can reach.
pub struct Gateway {
    /// The services.
    pub services: Services,
    /// Who may call, and as whom.
    pub identities: Identities,
    /// What the server was started with.
    pub config: Config,
    /// The certificate for connections that are encrypted; none are without.
    pub tls: Option<Tls>,
    /// The armed faults.
    pub faults: Faults,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance, for the ids of requests.
    pub entropy: Arc<dyn Entropy>,
}

impl Gateway {
    /// The server's clock.
    pub fn clock(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }

    /// Answers one request.
    pub async fn handle(&self, incoming: Incoming) -> Answer {
        let request_id = self.entropy.uuid();
        let Incoming {
            scheme,
            method,
            uri,
            headers,
            body,
        } = &incoming;
        let request = Request {
            method,
            uri,
            headers,
            body,
        };
        if self.identities.credentials.is_empty() && cors::is_foreign(&request) {
            return foreign()
                .with_header("x-amzn-requestid", &request_id)
                .into();
        }
        if let Some(response) = cors::preflight(&request) {
            return response.with_header("x-amzn-requestid", &request_id).into();
        }
        let answer = self.route(*scheme, request, &request_id).await;
        answer.map(|response| self.identified(cors::expose(&request, response), &request_id))
    }

    /// The answer to a request of which there is nothing to route: it was not read, or answering it broke down.
    pub fn without_route(&self, response: Response) -> Answer {
        self.identified(response, &self.entropy.uuid()).into()
    }

    /// Every answer has the id of its request, and a longer one.
    fn identified(&self, response: Response, request_id: &str) -> Response {
        response
            .with_header("x-amzn-requestid", request_id)
            .with_header("x-amz-id-2", &self.extended_id())
    }

    async fn route(&self, scheme: Scheme, request: Request<'_>, request_id: &str) -> Answer {
        let path = request.uri.path();
        let now = self.clock.now();
        if let Some(rest) = views_api::below(path) {
            // Views show what is in streams, so whoever may not read those may not ask here either.
            let identity = match authenticate(&request, &self.identities.credentials, now) {
                Ok(identity) => identity,
                Err(error) => return views_api::unauthenticated(&error).into(),
            };
            let caller = self.identities.caller(&identity, request_id);
            return views_api::answer(&self.services, &caller, &request, rest)
                .await
                .into();
        }
        if path.starts_with("/_tidemill/") || path.starts_with("/_localstack/") {
            let certificate = self.tls.as_ref().map(Tls::certificate);
            let page = own_api::answer(
                &self.services,
                &self.config,
                certificate,
                request.method,
                path,
            );
            return page.await.into();
        }
        let authenticated = authenticate(&request, &self.identities.credentials, now);
        let signed_for = || {
            Claim::read(&request)
                .ok()
                .flatten()
                .map(|claim| claim.service)
        };
        let service = service_of(&request, signed_for);
        let call = Call {
            request,
            request_id: request_id.to_owned(),
            authenticated,
            identities: &self.identities,
            faults: &self.faults,
            clock: &self.clock,
        };
        match service {
            Some(Service::Json(JsonService::Kinesis)) => {
                kinesis::answer(&self.services.streams, call).await
            }
            Some(Service::Json(JsonService::Sqs)) => sqs::answer(
                &self.services.queues,
                &self.base_url(scheme, &request),
                call,
            )
            .await
            .into(),
            Some(Service::Lambda) => lambda::answer(&self.services, call).await.into(),
            None if request.method == Method::GET && path == "/" => welcome().into(),
            None => rest_json::unknown().into(),
        }
    }

    /// The URL under which the caller reached us: queue URLs begin with it.
    fn base_url(&self, scheme: Scheme, request: &Request<'_>) -> String {
        let scheme = scheme.as_str();
        match request.host() {
            Some(host) => format!("{scheme}://{host}"),
            None => format!("{scheme}://{}:{}", self.config.bind, self.config.port),
        }
    }

    /// The extended request id, which AWS's SDKs print and support people ask for.
    fn extended_id(&self) -> String {
        let mut bytes = [0; 72];
        self.entropy.fill(&mut bytes);
        base64_simd::STANDARD.encode_to_string(bytes)
    }
}

/// What a page from elsewhere is told while no signature is checked: it could do whatever its visitor's
/// machine lets functions do.
fn foreign() -> Response {
    let text = "Pages of other machines may call only where [[credentials]] are configured.\n";
    Response::new(403, "text/plain; charset=utf-8", text)
}

/// What a browser, or somebody with curl, is told at the root.
fn welcome() -> Response {
    let text = "Tidemill is running. Point an AWS client at this address (endpoint_url), or look at\n\
                /_tidemill/health, /_tidemill/ledger, /_tidemill/metrics and /_tidemill/views.\n";
    Response::new(200, "text/plain; charset=utf-8", text)
}
