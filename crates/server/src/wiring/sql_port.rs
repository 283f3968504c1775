//! The port for clients of Postgres: [`open`].
//!
//! What must hold: nobody is let in there while credentials are configured, for these clients cannot sign;
//! a port that was demanded and cannot be had stops the start, the one that is tried unasked does not.

use std::net::SocketAddr;

use thiserror::Error;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::config::{Config, SqlPort};

use super::services::Services;

/// Clients at once, at most.
#[cfg(feature = "views")]
const CONNECTIONS_MAX: usize = 100;

/// Where clients of Postgres are let in.
pub struct SqlListening {
    /// The address.
    pub address: SocketAddr,
    /// Ends when the last is gone.
    pub stopped: JoinHandle<()>,
}

/// Why they are not, although that was demanded.
#[derive(Debug, Error)]
pub enum SqlPortError {
    /// The port cannot be had.
    #[error("{address} cannot be listened on for clients of Postgres")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// They could read what only those may who sign.
    #[error(
        "clients of Postgres cannot sign, so with [[credentials]] configured there is no port for them"
    )]
    Credentials,
    /// There is nothing for them.
    #[error("this build has no views, so there is nothing for clients of Postgres")]
    NoViews,
}

/// Opens the port that `config` asks for.
#[cfg(feature = "views")]
pub async fn open(
    config: &Config,
    has_credentials: bool,
    services: &Services,
    stop: &watch::Receiver<bool>,
) -> Result<Option<SqlListening>, SqlPortError> {
    let (port, is_demanded) = match config.sql_port {
        SqlPort::Off => return Ok(None),
        SqlPort::IfFree(_) if has_credentials => return Ok(None),
        SqlPort::Demanded(_) if has_credentials => return Err(SqlPortError::Credentials),
        SqlPort::IfFree(port) => (port, false),
        SqlPort::Demanded(port) => (port, true),
    };
    let address = SocketAddr::new(config.bind, port);
    let mut stop = stop.clone();
    let stopped = Box::pin(async move {
        // When nobody can say so any more, the server has stopped.
        let _ = stop.wait_for(|stop| *stop).await;
    });
    let queries = services.views.queries().clone();
    match tidemill_views::sql::listen(queries, address, CONNECTIONS_MAX, stopped).await {
        Ok(listening) => Ok(Some(SqlListening {
            address: listening.address,
            stopped: listening.stopped,
        })),
        Err(source) if is_demanded => Err(SqlPortError::Listen { address, source }),
        Err(error) => {
            tracing::info!(%error, port, "no port for clients of Postgres: --sql-port takes another");
            Ok(None)
        }
    }
}

/// Without the feature there is nothing to ask.
#[cfg(not(feature = "views"))]
pub async fn open(
    config: &Config,
    _: bool,
    _: &Services,
    _: &watch::Receiver<bool>,
) -> Result<Option<SqlListening>, SqlPortError> {
    match config.sql_port {
        SqlPort::Off | SqlPort::IfFree(_) => Ok(None),
        SqlPort::Demanded(_) => Err(SqlPortError::NoViews),
    }
}
