//! The door for clients of Postgres: [`listen`].
//!
//! One connection more than the limit is told so and closed; the others notice nothing. When it is time to
//! stop, nobody is let in any more and connections are cut: whoever was reading can ask again elsewhere.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::BytesMut;
use futures_util::future::BoxFuture;
use pgwire::error::ErrorInfo;
use pgwire::messages::PgWireBackendMessage;
use pgwire::tokio::process_socket;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};
use tracing::{debug, warn};

use super::super::queries::Queries;
use super::handlers::Handlers;

/// A server that listens.
#[derive(Debug)]
pub struct Listening {
    /// Where it does.
    pub address: SocketAddr,
    /// Ends when it was told to stop and has.
    pub stopped: JoinHandle<()>,
}

/// Listens at `address` for at most `connections_max` clients at once until `shutdown` is done.
pub async fn listen(
    queries: Arc<Queries>,
    address: SocketAddr,
    connections_max: usize,
    shutdown: BoxFuture<'static, ()>,
) -> io::Result<Listening> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    let handlers = Arc::new(Handlers::new(queries));
    let stopped = tokio::spawn(accept(listener, handlers, connections_max, shutdown));
    Ok(Listening { address, stopped })
}

async fn accept(
    listener: TcpListener,
    handlers: Arc<Handlers>,
    connections_max: usize,
    mut shutdown: BoxFuture<'static, ()>,
) {
    let permits = Arc::new(Semaphore::new(connections_max));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => accepted,
            // A connection that has ended holds nothing any more.
            Some(_) = connections.join_next() => continue,
        };
        let socket = match accepted {
            Ok((socket, _)) => socket,
            Err(error) => {
                warn!(%error, "a client of Postgres could not be let in");
                continue;
            }
        };
        let Ok(permit) = Arc::clone(&permits).try_acquire_owned() else {
            connections.spawn(turn_away(socket, connections_max));
            continue;
        };
        let handlers = Arc::clone(&handlers);
        connections.spawn(async move {
            let _permit = permit;
            if let Err(error) = process_socket(socket, None, handlers).await {
                debug!(%error, "the connection of a client of Postgres ended");
            }
        });
    }
    connections.shutdown().await;
}

async fn turn_away(mut socket: TcpStream, connections_max: usize) {
    let what = format!("there are {connections_max} connections already, which is the limit");
    let info = ErrorInfo::new("FATAL".to_owned(), "53300".to_owned(), what);
    let mut bytes = BytesMut::new();
    let message = PgWireBackendMessage::ErrorResponse(info.into());
    if message.encode(&mut bytes).is_ok() {
        // It may have gone already, and then there is nobody to tell.
        let _ = socket.write_all(&bytes).await;
        let _ = socket.shutdown().await;
    }
}
