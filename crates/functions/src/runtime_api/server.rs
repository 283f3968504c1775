//! The HTTP side of the Runtime API: [`RuntimeApi`], one listener and its connections.
//!
//! What must hold: head and body of an answer leave in one write; an oversize body is read to its end
//! and dropped, so that the client gets to see the refusal; when the value is dropped, the listener and
//! every connection are gone.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::exchange::{Refusal, error_type};
use crate::limits::{ERROR_REPORT_BYTES_MAX, RESPONSE_BYTES_MAX, RUNTIME_HEAD_BYTES_MAX};
use crate::runtime_api::conversation::{Answer, Conversation, Work};

/// Most connections that one process may hold.
const CONNECTIONS_MAX: usize = 64;

const ERROR_TYPE: HeaderName = HeaderName::from_static("lambda-runtime-function-error-type");
const ERROR_BODY: HeaderName = HeaderName::from_static("lambda-runtime-function-error-body");
const RESPONSE_MODE: HeaderName = HeaderName::from_static("lambda-runtime-function-response-mode");
const INVOCATION_ID: HeaderName = HeaderName::from_static("lambda-runtime-invocation-id");
const REQUEST_ID: HeaderName = HeaderName::from_static("lambda-runtime-aws-request-id");
const DEADLINE: HeaderName = HeaderName::from_static("lambda-runtime-deadline-ms");
const FUNCTION_ARN: HeaderName = HeaderName::from_static("lambda-runtime-invoked-function-arn");
const TRACE_ID: HeaderName = HeaderName::from_static("lambda-runtime-trace-id");
const CLIENT_CONTEXT: HeaderName = HeaderName::from_static("lambda-runtime-client-context");

/// The Runtime API of one process.
#[derive(Debug)]
pub struct RuntimeApi {
    address: SocketAddr,
    conversation: Arc<Conversation>,
    listening: JoinHandle<()>,
}

impl RuntimeApi {
    /// Listens on a free port of the loopback.
    pub async fn listen() -> io::Result<RuntimeApi> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let conversation = Arc::new(Conversation::default());
        let listening = tokio::spawn(accept(listener, Arc::clone(&conversation)));
        Ok(RuntimeApi {
            address,
            conversation,
            listening,
        })
    }

    /// Host and port, as the process is told them.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// What passes through it.
    pub fn conversation(&self) -> &Conversation {
        &self.conversation
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn accept(listener: TcpListener, conversation: Arc<Conversation>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) if connections.len() < CONNECTIONS_MAX => {
                    connections.spawn(serve(stream, Arc::clone(&conversation)));
                }
                Ok(_) => tracing::warn!(max = CONNECTIONS_MAX, "a runtime holds too many connections"),
                Err(error) => {
                    tracing::warn!(%error, "a runtime's connection could not be taken");
                    tokio::task::yield_now().await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(stream: TcpStream, conversation: Arc<Conversation>) {
    // Without it an answer waits for an acknowledgement; a socket that refuses is slow, not wrong.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let conversation = Arc::clone(&conversation);
        async move { Ok::<_, Infallible>(respond(request, &conversation).await) }
    });
    let connection = http1::Builder::new()
        .pipeline_flush(true)
        .auto_date_header(false)
        .max_buf_size(RUNTIME_HEAD_BYTES_MAX.max(512 * 1024))
        .serve_connection(TokioIo::new(stream), service);
    // A client that breaks off is no matter of ours: its process is watched, and so is its deadline.
    let _ = connection.await;
}

type Reply = Response<Full<Bytes>>;

enum Endpoint {
    Next,
    Response(String),
    Error(String),
    InitError,
    Ping,
}

fn endpoint(method: &Method, path: &str) -> Result<Endpoint, StatusCode> {
    let inner = path.strip_prefix("/2018-06-01").unwrap_or(path);
    let (endpoint, needed) = match inner.split('/').collect::<Vec<_>>()[..] {
        ["", "runtime", "invocation", "next"] => (Endpoint::Next, Method::GET),
        ["", "runtime", "invocation", id, "response"] => {
            (Endpoint::Response(id.to_owned()), Method::POST)
        }
        ["", "runtime", "invocation", id, "error"] => {
            (Endpoint::Error(id.to_owned()), Method::POST)
        }
        ["", "runtime", "init", "error"] => (Endpoint::InitError, Method::POST),
        ["", "ping"] => (Endpoint::Ping, Method::GET),
        _ => return Err(StatusCode::NOT_FOUND),
    };
    if *method == needed {
        Ok(endpoint)
    } else {
        Err(StatusCode::METHOD_NOT_ALLOWED)
    }
}

async fn respond(request: Request<Incoming>, conversation: &Arc<Conversation>) -> Reply {
    match endpoint(request.method(), request.uri().path()) {
        Ok(Endpoint::Next) => next(conversation).await,
        Ok(Endpoint::Response(id)) => response(&id, request, conversation).await,
        Ok(Endpoint::Error(id)) => error(Some(&id), request, conversation).await,
        Ok(Endpoint::InitError) => error(None, request, conversation).await,
        Ok(Endpoint::Ping) => Response::new(Full::from("pong")),
        Err(status) => {
            let message = format!(
                "{} {} is not part of this Runtime API",
                request.method(),
                request.uri().path()
            );
            failure(status, "InvalidRequest", &message)
        }
    }
}

async fn next(conversation: &Arc<Conversation>) -> Reply {
    let mut asking = match conversation.next() {
        Ok(asking) => asking,
        Err(refusal) => return refused(refusal),
    };
    match asking.work().await {
        Some(work) => given(work),
        None => failure(
            StatusCode::INTERNAL_SERVER_ERROR,
            "ContainerError",
            "the environment ends",
        ),
    }
}

fn given(work: Work) -> Reply {
    let Work {
        ticket,
        deadline,
        function,
        trace_id,
        client_context,
        payload,
    } = work;
    let mut reply = Response::new(Full::from(payload));
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(DEADLINE, HeaderValue::from(deadline.as_millis()));
    let texts = [
        (REQUEST_ID, Some(ticket.request_id)),
        (INVOCATION_ID, Some(ticket.invocation_id)),
        (FUNCTION_ARN, Some(function)),
        (TRACE_ID, Some(trace_id)),
        (CLIENT_CONTEXT, client_context),
    ];
    for (name, text) in texts {
        // A text that no header can carry has been refused where it came in.
        if let Some(value) =
            text.and_then(|text| HeaderValue::from_maybe_shared(Bytes::from(text)).ok())
        {
            headers.insert(name, value);
        }
    }
    reply
}

async fn response(id: &str, request: Request<Incoming>, conversation: &Conversation) -> Reply {
    let (head, body) = request.into_parts();
    let mode = head.headers.get(RESPONSE_MODE);
    if mode.is_some_and(|mode| !mode.as_bytes().eq_ignore_ascii_case(b"streaming")) {
        let message = "the response mode is absent or 'streaming'";
        return failure(
            StatusCode::BAD_REQUEST,
            "InvalidFunctionResponseMode",
            message,
        );
    }
    let (answer, status) = match read(body, RESPONSE_BYTES_MAX).await {
        Ok(Read {
            trailers: Some(trailers),
            ..
        }) if trailers.contains_key(ERROR_TYPE) => {
            (streamed_error(&trailers), StatusCode::ACCEPTED)
        }
        Ok(Read {
            bytes: Some(bytes), ..
        }) => (Answer::Response(bytes), StatusCode::ACCEPTED),
        Ok(Read { bytes: None, .. }) => (Answer::TooLarge, StatusCode::PAYLOAD_TOO_LARGE),
        Err(error) => return truncated(&error),
    };
    match conversation.answer(id, text(&head.headers, &INVOCATION_ID), answer) {
        Ok(()) if status == StatusCode::PAYLOAD_TOO_LARGE => {
            let message =
                format!("Exceeded maximum allowed payload size ({RESPONSE_BYTES_MAX} bytes).");
            failure(status, "RequestEntityTooLarge", &message)
        }
        Ok(()) => accepted(),
        Err(refusal) => refused(refusal),
    }
}

/// What a response that broke off while it was streamed says of itself.
fn streamed_error(trailers: &HeaderMap) -> Answer {
    let report = trailers
        .get(ERROR_BODY)
        .map(HeaderValue::as_bytes)
        .unwrap_or_default();
    let report = base64_simd::STANDARD
        .decode_to_vec(report)
        .unwrap_or_default();
    Answer::Error {
        kind: error_type(text(trailers, &ERROR_TYPE), "Function"),
        report: report.into(),
    }
}

/// An error of the work `id`, or of the start when there is none.
async fn error(id: Option<&str>, request: Request<Incoming>, conversation: &Conversation) -> Reply {
    let (head, body) = request.into_parts();
    let report = match read(body, ERROR_REPORT_BYTES_MAX).await {
        Ok(Read {
            bytes: Some(bytes), ..
        }) => bytes,
        Ok(Read { bytes: None, .. }) => Bytes::from_static(
            br#"{"errorMessage":"The error report was too large.","errorType":"Runtime.Unknown"}"#,
        ),
        Err(error) => return truncated(&error),
    };
    let reported = text(&head.headers, &ERROR_TYPE);
    let outcome = match id {
        Some(id) => {
            let answer = Answer::Error {
                kind: error_type(reported, "Function"),
                report,
            };
            conversation.answer(id, text(&head.headers, &INVOCATION_ID), answer)
        }
        None => conversation.init_error(error_type(reported, "Runtime"), report),
    };
    match outcome {
        Ok(()) => accepted(),
        Err(refusal) => refused(refusal),
    }
}

struct Read {
    /// None when there were too many.
    bytes: Option<Bytes>,
    trailers: Option<HeaderMap>,
}

/// Reads `body` to its end, keeping at most `bytes_max`.
async fn read(mut body: Incoming, bytes_max: usize) -> Result<Read, hyper::Error> {
    let mut first: Option<Bytes> = None;
    let mut joined = BytesMut::new();
    let (mut count, mut trailers) = (0_usize, None);
    while let Some(frame) = body.frame().await {
        let frame = frame?;
        let data = match frame.into_data() {
            Ok(data) => data,
            Err(frame) => {
                trailers = frame.into_trailers().ok();
                continue;
            }
        };
        count = count.saturating_add(data.len());
        if count > bytes_max {
            (first, joined) = (None, BytesMut::new());
        } else if first.is_none() && joined.is_empty() {
            first = Some(data);
        } else {
            if let Some(first) = first.take() {
                joined.extend_from_slice(&first);
            }
            joined.extend_from_slice(&data);
        }
    }
    let bytes = (count <= bytes_max).then(|| first.unwrap_or_else(|| joined.freeze()));
    Ok(Read { bytes, trailers })
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn accepted() -> Reply {
    let mut reply = Response::new(Full::from(Bytes::from_static(br#"{"status":"OK"}"#)));
    *reply.status_mut() = StatusCode::ACCEPTED;
    reply
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    reply
}

fn refused(refusal: Refusal) -> Reply {
    match refusal {
        Refusal::StateTransition => failure(
            StatusCode::FORBIDDEN,
            "InvalidStateTransition",
            "the call does not fit the state of the environment",
        ),
        Refusal::RequestId => failure(
            StatusCode::BAD_REQUEST,
            "InvalidRequestID",
            "Invalid request ID",
        ),
        Refusal::InvocationId => failure(
            StatusCode::BAD_REQUEST,
            "InvalidInvocationId",
            "Invalid invocation ID",
        ),
    }
}

fn truncated(error: &hyper::Error) -> Reply {
    let message = format!("the request ended early: {error}");
    failure(StatusCode::BAD_REQUEST, "TruncatedHTTPRequest", &message)
}

fn failure(status: StatusCode, kind: &str, message: &str) -> Reply {
    let body = json!({ "errorMessage": message, "errorType": kind }).to_string();
    let mut reply = Response::new(Full::from(body));
    *reply.status_mut() = status;
    reply
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    reply
}

#[cfg(test)]
mod tests;
