//! The listener: accepts connections, reads requests whole, hands them to the router.
//!
//! What must hold: a connection that is slow, cut or silent costs no more than its own buffers and its part of the
//! budget for bodies, and ends by itself, and so does one that does not take its answers; a request that has begun is
//! finished when its client hangs up, so that nothing is left half done; a stop lets the requests in flight finish,
//! within a bound.
//!
//! HTTP/1.1, HTTP/2 with prior knowledge and TLS share the port: the first byte tells TLS from the
//! others, and hyper tells those apart by the preface.

use std::any::Any;
use std::convert::Infallible;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::server::TlsStream;

use tidemill_model::Clock;
use tidemill_protocol::response::Response;

use super::answer::Answer;
use super::body::{Bodies, Unread};
use super::detach_on_drop::DetachOnDrop;
use super::route::{Gateway, Incoming as WholeRequest, Scheme};
use super::sending::Sending;
use super::tls::{HANDSHAKE, Tls};

/// How long a connection may take to send the head of a request; and how often one of HTTP/2 is asked
/// whether its client is still there.
const HEAD_TIME_MAX: Duration = Duration::from_secs(30);
/// How long the client of an HTTP/2 connection may take to say that it is still there.
const PONG_TIME_MAX: Duration = Duration::from_secs(20);
/// Requests that one HTTP/2 connection may have open at once.
const HTTP2_REQUESTS_MAX: u32 = 1000;
/// Largest read of an HTTP/1.1 connection, and largest head. Measured with bodies of 700 KB: smaller reads
/// cost more for their number, larger ones for memory that the system clears anew each time.
const READ_BYTES_MAX: usize = 128 * 1024;
/// How long a stop waits for requests in flight.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(5);

/// What the connections share.
struct Shared {
    gateway: Arc<Gateway>,
    bodies: Bodies,
    stop: watch::Receiver<bool>,
}

/// What is known of the client of a connection.
#[derive(Clone, Default)]
struct Client {
    spoke: Arc<AtomicBool>,
    sending: Arc<Sending>,
}

impl Client {
    /// Completes when the client has not made a request in the time for a first one, or does not take its answers.
    /// hyper's own bounds begin when it knows the version, for which it waits as long as the client likes.
    async fn fails(&self, clock: &dyn Clock) -> &'static str {
        clock.sleep_until(clock.now().plus(HEAD_TIME_MAX)).await;
        if !self.spoke.load(Ordering::Relaxed) {
            return "a connection asked for nothing";
        }
        self.sending.stalled(clock).await;
        "a connection did not take its answers"
    }
}

/// Serves connections of `listener` until `stop` says so, then lets the open ones finish.
pub async fn serve(listener: TcpListener, gateway: Arc<Gateway>, mut stop: watch::Receiver<bool>) {
    let graceful = GracefulShutdown::new();
    let clock = gateway.clock();
    let shared = Arc::new(Shared {
        gateway,
        bodies: Bodies::new(clock.clone()),
        stop: stop.clone(),
    });
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stopping| *stopping) => break,
        };
        match accepted {
            Ok((stream, _)) => connect(stream, shared.clone(), graceful.watcher()),
            Err(error) => {
                // Out of descriptors, or the peer is gone already: the next accept may work.
                tracing::warn!(%error, "a connection could not be accepted");
                clock
                    .sleep_until(clock.now().plus(Duration::from_millis(50)))
                    .await;
            }
        }
    }
    drop(listener);
    tokio::select! {
        () = graceful.shutdown() => {}
        () = clock.sleep_until(clock.now().plus(DRAIN_TIME_MAX)) => {
            tracing::warn!("connections were still busy when the server stopped");
        }
    }
}

/// Starts the task that serves one connection.
fn connect(stream: TcpStream, shared: Arc<Shared>, watcher: Watcher) {
    let _ = stream.set_nodelay(true);
    let clock = shared.gateway.clock();
    let client = Client::default();
    tokio::spawn(async move {
        tokio::select! {
            () = converse(stream, shared, &client, watcher) => {}
            why = client.fails(&*clock) => tracing::debug!("{why}"),
        }
    });
}

/// Serves one connection to its end.
async fn converse(stream: TcpStream, shared: Arc<Shared>, client: &Client, watcher: Watcher) {
    let mut stop = shared.stop.clone();
    let greeted = tokio::select! {
        greeted = greet(stream, shared.gateway.tls.as_ref()) => greeted,
        _ = stop.wait_for(|stopping| *stopping) => return,
    };
    let served = match greeted {
        Ok(Greeted::Plain(stream)) => {
            serve_requests(stream, shared, client, Scheme::Http, watcher).await
        }
        Ok(Greeted::Encrypted(stream)) => {
            serve_requests(stream, shared, client, Scheme::Https, watcher).await
        }
        Err(error) => Err(error.into()),
    };
    if let Err(error) = served {
        tracing::debug!(%error, "a connection ended early");
    }
}

enum Greeted {
    Plain(TcpStream),
    Encrypted(Box<TlsStream<TcpStream>>),
}

/// Finds out whether the client encrypts, and shakes hands with it if so.
async fn greet(stream: TcpStream, tls: Option<&Tls>) -> std::io::Result<Greeted> {
    let Some(tls) = tls else {
        return Ok(Greeted::Plain(stream));
    };
    let mut first = [0];
    stream.peek(&mut first).await?;
    if first[0] != HANDSHAKE {
        return Ok(Greeted::Plain(stream));
    }
    let encrypted = tls.acceptor().accept(stream).await?;
    Ok(Greeted::Encrypted(Box::new(encrypted)))
}

async fn serve_requests(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    shared: Arc<Shared>,
    client: &Client,
    scheme: Scheme,
    watcher: Watcher,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let client = client.clone();
    let service = service_fn(move |request| {
        client.spoke.store(true, Ordering::Relaxed);
        let (shared, sending) = (shared.clone(), client.sending.clone());
        async move {
            let answer = answer(&shared, scheme, request).await;
            Ok::<_, Infallible>(answer.into_http(&shared.stop, &sending))
        }
    });
    let connection = builder()
        .serve_connection(TokioIo::new(stream), service)
        .into_owned();
    watcher.watch(connection).await
}

fn builder() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME_MAX)
        .max_buf_size(READ_BYTES_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(HEAD_TIME_MAX)
        .keep_alive_timeout(PONG_TIME_MAX)
        .max_concurrent_streams(HTTP2_REQUESTS_MAX);
    builder
}

async fn answer(shared: &Arc<Shared>, scheme: Scheme, request: hyper::Request<Incoming>) -> Answer {
    let (head, body) = request.into_parts();
    let whole = match shared.bodies.read(body).await {
        Ok(whole) => whole,
        Err(error) => return shared.gateway.without_route(unread(&error)),
    };
    let request = WholeRequest {
        scheme,
        method: head.method,
        uri: head.uri,
        headers: head.headers,
        body: whole.bytes,
    };
    let room = (!request.is_invocation()).then_some(whole.room);
    if request.ends_with_its_caller() {
        return shared.gateway.handle(request).await;
    }
    let (gateway, shared) = (&shared.gateway, shared.clone());
    let handled = DetachOnDrop::new(async move {
        let body = request.body.clone();
        let answer = shared.gateway.handle(request).await;
        shared.bodies.take_back(body);
        drop(room);
        answer
    });
    handled.await.unwrap_or_else(|panic| {
        tracing::error!(panic = panic_text(&*panic), "a request ended badly");
        gateway.without_route(plain(500, "the server failed".to_owned()))
    })
}

/// What a panic says of itself.
fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without a text")
}

fn unread(error: &Unread) -> Response {
    tracing::debug!(%error, "a body was not read");
    let status = match error {
        Unread::TooLarge => 413,
        Unread::Cut => 400,
        Unread::Late => 408,
        Unread::NoRoom => 503,
    };
    plain(status, error.to_string())
}

fn plain(status: u16, text: String) -> Response {
    Response::new(status, "text/plain", text)
}

#[cfg(test)]
mod tests;
