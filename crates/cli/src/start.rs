//! `tidemill start`: the server, until it is told to stop.
//!
//! What must hold: standard output gets `Ready.` on its own line once requests are served, and nothing
//! else; SIGTERM and SIGINT stop gracefully with status 0; a fatal storage error ends with status 3.

use std::io::ErrorKind;
use std::path::PathBuf;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};

use tidemill_log::LocalError;
use tidemill_server::wiring::sql_port::SqlPortError;
use tidemill_server::wiring::storage::StorageError;
use tidemill_server::{
    Config, Durability, LimitsMode, PaceMode, Running, SqlPort, StartError, Storage, TlsMode,
};

use crate::args;
use crate::output::{self, Ending, Failed, OrTry};

/// The port for clients of Postgres when none is demanded.
const SQL_PORT_DEFAULT: u16 = 5466;

/// Serves until a signal comes.
pub async fn run(options: args::Start) -> Result<Ending, Failed> {
    let program = output::program();
    let again = match options.ephemeral {
        true => format!("{program} start --ephemeral"),
        false => format!(
            "{program} start --data-dir {}",
            data_directory(&options).display()
        ),
    };
    // Before `Ready.`, so that whoever waits for it can stop the server at once.
    let mut terminate = signal(SignalKind::terminate())
        .context("SIGTERM cannot be caught")
        .or_try(&again)?;
    let mut interrupt = signal(SignalKind::interrupt())
        .context("SIGINT cannot be caught")
        .or_try(&again)?;
    let place = match options.ephemeral {
        true => "in memory; nothing is kept".to_owned(),
        false => format!("in {}", data_directory(&options).display()),
    };
    let config = config_of(&options);
    let server = tidemill_server::start(config).await.map_err(refused)?;
    let endpoint = server.endpoint();
    let served = match server.encrypted_endpoint() {
        Some(encrypted) => format!("{endpoint} and {encrypted}"),
        None => endpoint.clone(),
    };
    eprintln!(
        "Tidemill {} serves {served}, data {place}.",
        env!("CARGO_PKG_VERSION")
    );
    if let Some(address) = server.sql_address() {
        eprintln!(
            "SQL over views: psql -h {} -p {} tidemill",
            address.ip(),
            address.port()
        );
    }
    output::print("Ready.");
    eprintln!("Next, in another terminal:");
    for next in [
        format!("{program} demo --endpoint {endpoint}"),
        format!("{program} ledger --endpoint {endpoint}"),
        format!("curl {endpoint}/_tidemill/health"),
    ] {
        eprintln!("  {next}");
    }
    let fatal = tokio::select! {
        stopped = server.stopped() => stopped.err(),
        _ = terminate.recv() => None,
        _ = interrupt.recv() => None,
    };
    match fatal {
        None => {
            stop(server).await;
            Ok(Ending::Ok)
        }
        Some(fatal) => Err(anyhow::Error::new(fatal).context("the server stopped")).or_try(again),
    }
}

async fn stop(server: Running) {
    eprintln!("Stopping.");
    server.shutdown().await;
}

fn data_directory(options: &args::Start) -> PathBuf {
    options.directory(std::env::var_os("TIDEMILL_DATA_DIR"))
}

fn config_of(options: &args::Start) -> Config {
    Config {
        storage: match options.ephemeral {
            true => Storage::Ephemeral,
            false => Storage::Directory(data_directory(options)),
        },
        bind: options.bind,
        port: options.port,
        sql_port: match options.sql_port {
            Some(port) => SqlPort::Demanded(port),
            None => SqlPort::IfFree(SQL_PORT_DEFAULT),
        },
        limits: match options.limits {
            args::Limits::Aws => LimitsMode::Aws,
            args::Limits::None => LimitsMode::None,
        },
        pace: match options.pace {
            args::Pace::Fast => PaceMode::Fast,
            args::Pace::Aws => PaceMode::Aws,
        },
        durability: match options.durability {
            args::Durability::Sync => Durability::Sync,
            args::Durability::Os => Durability::Os,
            args::Durability::Memory => Durability::Memory,
        },
        account_id: options.account_id.clone(),
        state_delay: options.state_delay,
        tls: match (&options.tls_cert, &options.tls_key) {
            (Some(certificate), Some(key)) => TlsMode::Given {
                certificate: certificate.clone(),
                key: key.clone(),
            },
            _ if options.tls => TlsMode::SelfMade,
            _ => TlsMode::Off,
        },
        config_file: options.config.clone(),
        accept_data_loss: options.accept_data_loss,
    }
}

/// A start that was refused, with the way around what was in the way.
fn refused(error: StartError) -> Failed {
    let next = format!("{} start {}", output::program(), way_around(&error));
    Failed {
        error: anyhow::Error::new(error),
        next: vec![next.trim_end().to_owned()],
    }
}

/// The option to start with instead.
fn way_around(error: &StartError) -> &'static str {
    match error {
        StartError::SqlPort(SqlPortError::Listen { .. }) => "--sql-port 0",
        StartError::SqlPort(_) => "",
        StartError::Listen { source, .. } => match source.kind() {
            ErrorKind::AddrNotAvailable => "--bind 127.0.0.1",
            _ => "--port 0",
        },
        StartError::Config(_) | StartError::Tls(_) => "",
        StartError::Storage(StorageError::Log(
            LocalError::Damaged { .. } | LocalError::Missing { .. },
        )) => "--accept-data-loss",
        StartError::Storage(_) | StartError::Assemble(_) => "--data-dir ./tidemill-data-2",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_has_its_way_around() {
        let listen = |kind| StartError::Listen {
            address: ([127, 0, 0, 1], 4566).into(),
            source: std::io::Error::from(kind),
        };
        let damaged = LocalError::Damaged {
            path: "wal/1".to_owned(),
            offset: 0,
            detail: "checksum".to_owned(),
        };
        let disk = LocalError::Disk {
            path: "wal/1".to_owned(),
            detail: "no space".to_owned(),
        };
        let cases = [
            (listen(ErrorKind::AddrInUse), "--port 0"),
            (listen(ErrorKind::PermissionDenied), "--port 0"),
            (listen(ErrorKind::AddrNotAvailable), "--bind 127.0.0.1"),
            (StorageError::from(damaged).into(), "--accept-data-loss"),
            (
                StorageError::from(disk).into(),
                "--data-dir ./tidemill-data-2",
            ),
        ];
        for (error, expected) in cases {
            assert_eq!(way_around(&error), expected, "{error}");
        }
    }
}
