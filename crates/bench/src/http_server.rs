//! The listener that both floors share: HTTP/1.1 as cheap as hyper is.
//!
//! What must hold: a connection costs one task and no lock; its body comes in pieces as large as pays
//! (see [`READ_BYTES_MAX`]), and what answers keeps its buffers from one request to the next.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;

use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// Largest read of a connection. Measured with bodies of 700 KB: a read of 16 KiB costs half as much
/// again for its many calls, one of 1 MiB for memory that is mapped anew each time.
const READ_BYTES_MAX: usize = 128 << 10;

/// Answers the requests of one connection, one at a time.
pub trait Answering: Clone + Send + 'static {
    /// What an answer's body is.
    type Body: Body<Data = bytes::Bytes, Error = Infallible> + Send;

    /// Answers one request.
    fn answer(
        &self,
        request: Request<Incoming>,
    ) -> impl Future<Output = Response<Self::Body>> + Send;
}

/// Listens on a free port and serves each connection with what `each` makes, until its threads end;
/// gives the address.
pub async fn listen<A: Answering>(
    each: impl Fn() -> A + Send + 'static,
) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            // Without it the floor would only be slower; not worth failing for.
            let _ = socket.set_nodelay(true);
            let answering = each();
            tokio::spawn(async move {
                let service = service_fn(move |request| {
                    let answering = answering.clone();
                    async move { Ok::<_, Infallible>(answering.answer(request).await) }
                });
                // A client that breaks off has its error already.
                let _ = http1::Builder::new()
                    .max_buf_size(READ_BYTES_MAX)
                    .serve_connection(TokioIo::new(socket), service)
                    .await;
            });
        }
    });
    Ok(address)
}
