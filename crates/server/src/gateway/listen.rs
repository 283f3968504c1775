//! The listener: accepts connections, reads requests whole, hands them to the router.
//!
//! What must hold: a connection that is slow, cut or silent costs no more than its own buffers and
//! ends by itself; a body larger than its service takes is refused before it is kept; a stop lets the
//! requests in flight finish, within a bound.
//!
//! HTTP/1.1 and HTTP/2 with prior knowledge share the port; hyper tells them apart by the preface.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::sync::watch;

use tidemill_protocol::response::Response;

use super::route::{Gateway, Incoming as WholeRequest};

/// Largest body of any request: CreateFunction's, 70,167,211 bytes (lambda.md 4.2 of the facts).
pub const BODY_BYTES_MAX: usize = 70_167_211;
/// How much of a body is reserved before it has arrived: a header alone takes no memory.
const BODY_BYTES_RESERVED_MAX: usize = 1024 * 1024;
/// How much of a body that is too large is read before the connection is cut.
const BODY_BYTES_READ_MAX: usize = 2 * BODY_BYTES_MAX;
/// How long a connection may take to send the head of a request.
const HEAD_TIME_MAX: Duration = Duration::from_secs(30);
/// How long a body may take to arrive.
const BODY_TIME_MAX: Duration = Duration::from_secs(120);
/// How long a stop waits for requests in flight.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(5);

/// Serves connections of `listener` until `stop` says so, then lets the open ones finish.
pub async fn serve(listener: TcpListener, gateway: Arc<Gateway>, mut stop: watch::Receiver<bool>) {
    let graceful = GracefulShutdown::new();
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(1000);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stopping| *stopping) => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of descriptors, or the peer is gone already: the next accept may work.
                tracing::warn!(%error, "a connection could not be accepted");
                let clock = gateway.clock();
                clock
                    .sleep_until(clock.now().plus(Duration::from_millis(50)))
                    .await;
                continue;
            }
        };
        let _ = stream.set_nodelay(true);
        let gateway = gateway.clone();
        let service = service_fn(move |request| answer(gateway.clone(), request));
        let connection = builder
            .serve_connection(TokioIo::new(stream), service)
            .into_owned();
        let watched = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = watched.await {
                tracing::debug!(%error, "a connection ended early");
            }
        });
    }
    drop(listener);
    let clock = gateway.clock();
    tokio::select! {
        () = graceful.shutdown() => {}
        () = clock.sleep_until(clock.now().plus(DRAIN_TIME_MAX)) => {
            tracing::warn!("connections were still busy when the server stopped");
        }
    }
}

async fn answer(
    gateway: Arc<Gateway>,
    request: hyper::Request<Incoming>,
) -> Result<hyper::Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let clock = gateway.clock();
    let read = tokio::select! {
        read = read_whole(body) => read,
        () = clock.sleep_until(clock.now().plus(BODY_TIME_MAX)) => {
            return Ok(plain(408, "the body did not arrive in time"));
        }
    };
    let body = match read {
        Ok(Some(body)) => body,
        Ok(None) => return Ok(plain(413, "the body is larger than any operation takes")),
        Err(error) => {
            tracing::debug!(%error, "a body was cut");
            return Ok(plain(400, "the body was cut"));
        }
    };
    let request = WholeRequest {
        method: head.method,
        uri: head.uri,
        headers: head.headers,
        body,
    };
    Ok(into_http(gateway.handle(request).await))
}

/// The whole body, or none when it is larger than any operation takes: then what was kept is let go and
/// some more is read and thrown away, so that the client hears the answer instead of a broken pipe.
async fn read_whole(mut body: Incoming) -> Result<Option<Bytes>, hyper::Error> {
    let expected = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    let mut kept = BytesMut::with_capacity(expected.min(BODY_BYTES_RESERVED_MAX));
    let mut seen = 0;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else {
            continue;
        };
        seen += data.len();
        if seen == data.len() && body.is_end_stream() && seen <= BODY_BYTES_MAX {
            // A body that came in one piece is not copied.
            return Ok(Some(data));
        }
        if seen > BODY_BYTES_READ_MAX {
            break;
        } else if seen > BODY_BYTES_MAX {
            kept = BytesMut::new();
        } else {
            kept.extend_from_slice(&data);
        }
    }
    Ok((seen <= BODY_BYTES_MAX).then(|| kept.freeze()))
}

fn plain(status: u16, text: &'static str) -> hyper::Response<Full<Bytes>> {
    into_http(Response::new(status, "text/plain", text))
}

fn into_http(response: Response) -> hyper::Response<Full<Bytes>> {
    let mut builder = hyper::Response::builder().status(response.status);
    for (name, value) in response.headers {
        builder = builder.header(name, value);
    }
    builder
        .body(Full::new(response.body))
        .expect("the status is one of HTTP's and the headers were checked when they were made")
}
