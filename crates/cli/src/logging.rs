//! Diagnostics on standard error, in colour on a terminal only.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Begins to write diagnostics: of `level` and above, unless `RUST_LOG` says otherwise.
pub fn begin(level: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(!plain && std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
}
