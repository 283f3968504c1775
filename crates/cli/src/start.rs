//! `tidemill start`: the server, until it is told to stop.
//!
//! What must hold: standard output gets `Ready.` on its own line once requests are served, and nothing
//! else; SIGTERM and SIGINT stop gracefully with status 0; a fatal storage error ends with status 3.

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};

use tidemill_server::{Config, Durability, LimitsMode, PaceMode, Running, StartError, Storage};

use crate::args;
use crate::output::{self, Ending, Failed, OrTry};

/// Serves until a signal comes.
pub async fn run(options: args::Start) -> Result<Ending, Failed> {
    let program = output::program();
    let again = format!("{program} start");
    // Before `Ready.`, so that whoever waits for it can stop the server at once.
    let mut terminate = signal(SignalKind::terminate())
        .context("SIGTERM cannot be caught")
        .or_try(&again)?;
    let mut interrupt = signal(SignalKind::interrupt())
        .context("SIGINT cannot be caught")
        .or_try(&again)?;
    let place = match options.ephemeral {
        true => "in memory; nothing is kept".to_owned(),
        false => format!("in {}", options.data_dir.display()),
    };
    let config = config_of(&options);
    let server = tidemill_server::start(config).await.map_err(refused)?;
    let endpoint = server.endpoint();
    eprintln!(
        "Tidemill {} serves {endpoint}, data {place}.",
        env!("CARGO_PKG_VERSION")
    );
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

fn config_of(options: &args::Start) -> Config {
    Config {
        storage: match options.ephemeral {
            true => Storage::Ephemeral,
            false => Storage::Directory(options.data_dir.clone()),
        },
        bind: options.bind,
        port: options.port,
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
        config_file: options.config.clone(),
        accept_data_loss: options.accept_data_loss,
    }
}

/// A start that was refused, with the way around what was in the way.
fn refused(error: StartError) -> Failed {
    let program = output::program();
    let next = match &error {
        StartError::Listen { .. } => format!("{program} start --port 0"),
        StartError::Config(_) => format!("{program} start, without --config"),
        StartError::Storage(_) | StartError::Assemble(_) => {
            format!("{program} start --data-dir ./tidemill-data-2")
        }
    };
    Failed {
        error: anyhow::Error::new(error),
        next: vec![next],
    }
}
