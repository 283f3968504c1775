//! `tidemill log`: looking at a data directory that no server uses.

mod verify;
mod dump;

use tidemill_log::LocalError;
use tidemill_log::inspect::InspectError;

use crate::args;
use crate::output::{self, Ending, Failed};

/// Runs one of the commands.
pub async fn run(command: args::Log) -> Result<Ending, Failed> {
    // They read whole files: not on a thread that others wait for.
    let work = tokio::task::spawn_blocking(move || match command {
        args::Log::Verify(options) => verify::run(&options),
        args::Log::Dump(options) => dump::run(&options),
    });
    work.await
        .expect("looking at a data directory does not panic")
}

/// A directory that cannot be looked at, with the way on.
fn refused(error: InspectError) -> Failed {
    let next = match &error {
        InspectError::InUse { path } => {
            format!(
                "stop the server that uses {}, then run this again",
                path.display()
            )
        }
        InspectError::NoData { .. } => {
            format!("{} log verify --data-dir DIR", output::program())
        }
        InspectError::Unreadable { path, .. } => format!("ls -la {}", path.display()),
        InspectError::Log(LocalError::Newer { .. }) => {
            "use the version of tidemill that wrote it, or a newer one".to_owned()
        }
        InspectError::Log(_) => "check the disk: dmesg | tail".to_owned(),
    };
    Failed {
        error: anyhow::Error::new(error),
        next: vec![next],
    }
}
